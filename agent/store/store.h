/* The image store: several images of one device, and what is to become of each.
 *
 * Three areas. `images` is divided into places of equal size, each with a head (one erase sector)
 * and room for an image as large as the execution area; the first place is the factory image's.
 * `factory` holds the factory's row and is never written. `directory` is a twin (agent/twin.h) with
 * the one record that says everything that can change, so that whatever changes together changes
 * at once, under any cut:
 *
 *    0   4  magic, "NBDB"             integers little-endian
 *    4   4  sequence number, from 1
 *    8   1  installed    place of the image that is in the execution area, or on its way there
 *    9   1  whole        1: it is there whole; 0: the execution area is being written
 *   10   1  good         place of the image that confirmed itself last
 *   11   1  request      1: the factory image is asked for, and everything else is to go; else 0
 *   12  12  for each of six places: status (enum img_row_status), attempts (times that an image
 *           on trial was started), 0, 0, version, CRC-32 of its row; the factory's CRC is 0
 *   84   4  CRC-32 (IEEE 802.3) of all before it
 *
 * A head holds an image's row (agent/image/harmony.h). It counts only while the directory names its
 * checksum: a place is filled, image first, then head, before the directory says so, and what lies
 * in a free place is nobody's. No record at all means: a device that has never booted.
 *
 * The store owns nothing and keeps nothing but what it has read; the caller's struct is good until
 * somebody else writes. Whoever changes it changes `state` and commits. */
#ifndef NOBRICK_AGENT_STORE_STORE_H
#define NOBRICK_AGENT_STORE_STORE_H

#include "agent/image/harmony.h"
#include "agent/twin.h"

#define STORE_PLACES  6u /* at most: the factory's and five more */
#define STORE_FACTORY 0u
#define STORE_LEAST   3u /* places: one to run, one to go back to, one to download to */

struct store_config {
    struct flash_area images;
    struct flash_area directory;
    struct flash_area factory;
    struct flash_area execution;   /* where images run: its size is the largest image's */
    const struct crypto_key *keys; /* none: signatures are not checked */
    size_t key_count;
    const struct crypto_port *crypto;
    uint8_t attempts; /* starts that an image has to confirm itself; at least 1 */
};

struct store_entry {
    uint8_t status;
    uint8_t attempts;
    uint32_t version;
    uint32_t row; /* checksum of the row in the place's head */
};

struct store_state {
    uint8_t installed;
    bool whole;
    uint8_t good;
    bool reset;
    struct store_entry entries[STORE_PLACES];
};

struct store {
    const struct store_config *config;
    uint32_t head;   /* bytes of a place before its image */
    uint32_t stride; /* from place to place */
    uint8_t places;
    bool known; /* there is a record, and `state` is what it says */
    struct store_state state;
    struct ota_twin twin;
};

/* Do the areas fit? OTA_E_LAYOUT with a static one-line reason. */
OTA_MUST_CHECK int store_check(const struct store_config *config, const char **reason);

/* Reads the directory. Without a record everything is free and `known` is false. `config` must
 * outlive the store. store_settle is the loader's, once a boot: see ota_twin_settle. */
OTA_MUST_CHECK int store_open(struct store *store, const struct store_config *config);
OTA_MUST_CHECK int store_settle(struct store *store, const struct store_config *config);

/* Makes `state` the record; when it is already, nothing is written. */
OTA_MUST_CHECK int store_commit(struct store *store);

/* Where the image of a place lies: as large as the execution area. */
struct flash_area store_place(const struct store *store, uint8_t place);

/* The row of a place that is not free. OTA_E_IMG_MAGIC, OTA_E_IMG_HEADER when it is not the one
 * that the directory means. */
OTA_MUST_CHECK int store_row(const struct store *store, uint8_t place, struct img_row *out);

/* Is what is stored there an image that may run? Also fills its row. */
OTA_MUST_CHECK int store_verify(const struct store *store, uint8_t place, struct img_row *out);

/* The place of the highest rank: the newest version that was not disabled and has starts left, else
 * the factory's. */
uint8_t store_first(const struct store *store);

/* The place that holds this version, or STORE_PLACES. */
uint8_t store_find(const struct store *store, uint32_t version);

/* ---- for the session, before and after a download ---- */

/* The place where an image of that version would go: the one of the same version, a free one, or
 * that of the lowest rank; never that of the running image or of the last good one.
 * OTA_E_IMG_VERSION when that version runs or is the one to go back to, OTA_E_NO_SPACE when no
 * place may go. */
OTA_MUST_CHECK int store_choose(const struct store *store, uint32_t version, uint8_t *place);

/* Makes that place free for `row` and says which it is. Nothing is erased here but its entry. Also
 * OTA_E_IMG_SIZE when the image cannot fit or is empty. */
OTA_MUST_CHECK int store_reserve(struct store *store, const struct img_row *row, uint8_t *place);

/* The image that lies in the place is one: checks it against `row`, writes its head and its entry.
 * `valid`: it needs no trial. The errors of img_row_check, and nothing is changed then. */
OTA_MUST_CHECK int store_insert(struct store *store, uint8_t place, const struct img_row *row,
                                bool valid);

/* Forgets a version. OTA_E_NO_IMAGE: there is none; OTA_E_BUSY: it runs, or is the one to go back
 * to. */
OTA_MUST_CHECK int store_erase(struct store *store, uint32_t version);

/* ---- for the application ---- */

/* What runs is good. Not on trial: 0, nothing is written. */
OTA_MUST_CHECK int store_confirm(struct store *store);

/* What runs is to give way to the next in rank at the next boot. OTA_E_NO_IMAGE: it is the factory
 * image. */
OTA_MUST_CHECK int store_roll_back(struct store *store);

/* At the next boot the factory image runs, and all others are forgotten. */
OTA_MUST_CHECK int store_factory_reset(struct store *store);

#endif

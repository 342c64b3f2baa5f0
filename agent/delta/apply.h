/* Applies a patch that lies in flash to an image that lies in flash, a small piece at a time.
 *
 * The new image grows in `target` from its beginning: each sector is erased just before it is
 * written, each piece is read back and synced. Base and patch are only read. Patch and
 * points may lie in the target itself, at its top: an image that would reach into the first sector
 * of what lies there is refused before that sector is touched.
 *
 * Nothing is believed: digests of base and patch are compared before anything is erased, that of
 * the new image at the end. What is there before that is nobody's image yet.
 *
 * A reset goes on at the last point. At ends of the target's sectors, `every` bytes apart or more,
 * the decoder's state is written to a ring of records (agent/ring.h) in an area of its own, after
 * the bytes before it were synced: a record is never ahead of flash. It counts only for the same
 * three digests, and only while the target still holds the bytes that it speaks of. Everything
 * behind the point is erased again. Without an area (size 0) every reset begins anew.
 *
 * A record, integers little-endian:
 *
 *   0   4  magic, "OTAD"                        40  32  the point (delta/jojodiff.h)
 *   4   4  sequence                             72   4  CRC-32 of the target up to the point
 *   8  32  SHA-256 over the three digests:      76   4  CRC-32 (IEEE 802.3) of all before it
 *          base, patch, target
 *
 * The caller owns the structs, the buffer and the areas. Call order:
 *
 *   ota_apply_open    once: digests, and where to go on
 *   ota_apply_step    until it returns 0 or an error; between two calls the power may go, or a
 *                     watchdog be fed
 *   ota_apply_clear   when the new image is somebody's, or the patch was refused */
#ifndef NOBRICK_AGENT_DELTA_APPLY_H
#define NOBRICK_AGENT_DELTA_APPLY_H

#include "agent/delta/jojodiff.h"
#include "agent/ring.h"

#define OTA_APPLY_RECORD 80u
#define OTA_APPLY_WINDOW 64u /* bytes of the patch that are read at a time */

/* What is to be done. */
struct ota_apply_job {
    struct flash_area base;   /* the old image is its first base_size bytes */
    struct flash_area patch;  /* the patch is its first patch_size bytes */
    struct flash_area target; /* the new image is to begin where it begins */
    struct flash_area points; /* for the records, two sectors or more; size 0: none are kept */
    uint32_t base_size;
    uint32_t patch_size;
    uint32_t every;          /* bytes of the target from point to point; 0: each sector */
    bool takes_later_format; /* patches of jojodiff 0.8.4 and later, too */
    uint8_t base_digest[CRYPTO_SHA256_SIZE];
    uint8_t patch_digest[CRYPTO_SHA256_SIZE];
    uint8_t target_digest[CRYPTO_SHA256_SIZE];
    const struct crypto_port *crypto;
    /* For the bytes of the target that are programmed next: a program unit of the target or more;
     * a page is good. */
    uint8_t *buffer;
    uint32_t buffer_size;
};

struct ota_apply {
    const struct ota_apply_job *job;
    struct ota_jojodiff delta; /* points here: the struct stays where it is */
    struct ota_ring ring;
    uint8_t key[CRYPTO_SHA256_SIZE];
    bool stored;                /* the newest record is a point */
    uint32_t written;           /* bytes of the target that are programmed and synced */
    uint32_t checksum;          /* CRC-32 of these */
    uint32_t pointed;           /* bytes up to the last point */
    bool is_due;                /* for a point */
    struct flash_sector sector; /* of the target, that is written next */
    bool is_erased;             /* that sector, since it is the next */
    uint32_t fill;              /* bytes in the buffer */
    uint32_t room;              /* bytes that it takes before it is programmed */
    const char *fault;          /* why a call failed, a few words; static; NULL: the code says it */
    uint32_t window_at;         /* offset in the patch of what `window` holds */
    uint32_t window_size;
    uint8_t window[OTA_APPLY_WINDOW];
};

/* Checks the job and finds where to go on. Reads only. `job` must outlive the struct. OTA_E_LAYOUT:
 * areas overlap otherwise, or do not fit buffer or ring; OTA_E_IMG_SIZE: base or patch is empty or
 * larger than its area; OTA_E_PATCH: base is not the one that the patch was made for;
 * OTA_E_IMG_HASH: the patch is not what was promised; or an error of flash or crypto. */
OTA_MUST_CHECK int ota_apply_open(struct ota_apply *apply, const struct ota_apply_job *job);

/* The next piece: an erase of one sector, a program of one buffer, one record, or a window of the
 * patch. 1: call again. 0: the new image is there and has its digest; apply->written is its size.
 * OTA_E_PATCH, OTA_E_UNSUPPORTED: see ota_jojodiff_write; OTA_E_IMG_SIZE: the new image does not
 * fit, would reach the patch, or is empty; OTA_E_IMG_HASH: it is not what was promised; or an error
 * of flash or crypto. After an error it is over: open again, or clear. */
OTA_MUST_CHECK int ota_apply_step(struct ota_apply *apply);

/* Forgets the point: the next _open begins anew. Writes nothing when there is none. After _open, or
 * whatever followed it. */
OTA_MUST_CHECK int ota_apply_clear(struct ota_apply *apply);

#endif

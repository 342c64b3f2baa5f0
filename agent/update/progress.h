/* How much of a download lies in flash, so that a reset does not begin it anew.
 *
 * Which image is fetched, and which pieces of it are complete in the slot, is written to a ring of
 * records (agent/ring.h) in an area of its own: the newest whole record counts, so under any
 * cut it is the old progress or the new. A piece is recorded after its last byte was programmed and
 * synced, never before. Everything else counts as not fetched: its sectors are erased again before
 * they are programmed, for a unit that was begun may not be programmed a second time. With the
 * pieces goes a checksum of their bytes as they were read back; progress whose bytes are no longer
 * in the slot (a loader has swapped it, somebody wrote to it) is not believed.
 *
 * An image is cut into at most OTA_PROGRESS_PIECES pieces, all about equal, that begin at erase
 * sectors and at chunks (OTA_PROGRESS_STEP). So an update costs at most that many records and one
 * more that ends it; a reset costs at most the pieces that were begun.
 *
 * Without an area (size 0) nothing is written and every reset begins anew. The caller owns the
 * struct. Call order in a session:
 *
 *   ota_progress_open     once, at start
 *   ota_progress_start    an offer was accepted: key and version say which image. If it goes on,
 *                         ->total and ->etag are what they were, ota_progress_has() tells what need
 *                         not be fetched, and If-Range can be sent
 *   ota_progress_erase    until it returns 0: the rest of the slot is erased, the trailer first.
 *                         Not before that may anything be programmed
 *   ota_progress_expect   total (and entity tag) are known: from the first chunk or response, and
 *                         again from every later one. OTA_E_CHANGED: it is another image; then
 *                         ota_progress_restart, erase again, fetch all of it
 *   ota_progress_pack     what is fetched is an archive that holds the image: total is the image's,
 *                         and all offsets are, too
 *   ota_progress_note     for every range of bytes that has been programmed, once, in any order
 *   ota_progress_clear    before the loader is asked (img_set_pending), when the image was refused,
 *                         and before anybody else writes to the slot
 *
 * Only _start, _restart, _note and _clear write to the area; an error of _note costs progress and
 * nothing else, so the download may go on. */
#ifndef NOBRICK_AGENT_UPDATE_PROGRESS_H
#define NOBRICK_AGENT_UPDATE_PROGRESS_H

#include "agent/image/mcuboot.h"
#include "agent/ring.h"

#define OTA_PROGRESS_STEP   4096u /* a chunk: no piece begins inside one */
#define OTA_PROGRESS_PIECES 32u
#define OTA_ETAG_MAX        64u

/* A record in flash, integers little-endian, rounded up to whole program units:
 *
 *   off size                                        off size
 *     0    4 magic "OTAP"                            28    4 checksum of the complete pieces
 *     4    4 sequence                                32   32 key
 *     8    4 format, 1                               64   64 entity tag or date, NUL-padded
 *    12    8 version: u8, u8, u16, u32              128    4 size of the archive; 0: none
 *    20    4 total; 0: no download is under way     132    4 CRC-32 of bytes 0 to 131
 *    24    4 complete: a bit a piece                                                            */
#define OTA_PROGRESS_RECORD 136u

struct ota_progress {
    struct ota_ring ring;
    struct flash_area slot;
    bool journalled; /* there is an area */
    bool stored;     /* the newest record speaks of a download */
    bool begun;      /* what follows is this session's, not only the record's */

    /* the download */
    uint8_t key[CRYPTO_SHA256_SIZE];
    struct img_version version;
    uint32_t total;   /* bytes of the image; 0: not known yet */
    uint32_t archive; /* of the archive around it; 0: none */
    char etag[OTA_ETAG_MAX];
    uint32_t complete; /* a bit a piece */
    uint32_t checksum; /* of the complete pieces: see piece_sum in progress.c */

    uint32_t erased_from; /* what is not complete is erased from here to the slot's end */
    uint32_t ends[OTA_PROGRESS_PIECES]; /* one past the last byte of each piece */
    uint32_t left[OTA_PROGRESS_PIECES]; /* bytes of each that are not in flash */
};

/* Mixes `text` (may be NULL: as if empty) into a key that begins as zeros: one call for each field
 * of a job that says which image it is, in a fixed order. */
OTA_MUST_CHECK int ota_progress_key(const struct crypto_port *crypto,
                                    uint8_t key[CRYPTO_SHA256_SIZE], const char *text);

/* Finds what was recorded in `area` of a download into `slot`. Reads the area only. OTA_E_LAYOUT:
 * the area is no ring (see ota_ring_open). */
OTA_MUST_CHECK int ota_progress_open(struct ota_progress *progress, const struct flash_area *area,
                                     const struct flash_area *slot);

/* Begins a download, or goes on with the recorded one when that is of the same key and version and
 * its bytes are in the slot (they are read: some milliseconds a MiB on a fast part). Another
 * recorded download is cleared. Either way the slot must then be erased with ota_progress_erase. */
OTA_MUST_CHECK int ota_progress_start(struct ota_progress *progress,
                                      const uint8_t key[CRYPTO_SHA256_SIZE],
                                      const struct img_version *version);

/* Erases the next sector that is neither complete nor known to be erased, if the sector at hand is
 * such a one: one sector a call, last one first, complete pieces are left out. 1: call again; 0:
 * all is ready; OTA_E_BUSY before _start; or an error, then the sector is tried again at the next
 * call. */
OTA_MUST_CHECK int ota_progress_erase(struct ota_progress *progress);

/* Such an entity tag, or date, is of another image than the known one. What is not said ("") tells
 * nothing, nor does a date beside a tag. */
bool ota_progress_is_other(const char *known, const char *etag);

/* The size of the image and its entity tag ("": none), or the date that stands for one, are these.
 * The first call of a download sets them. OTA_E_CHANGED: they were others before. OTA_E_IMG_SIZE: 0
 * or larger than the slot. OTA_E_NO_SPACE: the tag is longer than OTA_ETAG_MAX - 1 (hand in "" for
 * it, then it is not compared). */
OTA_MUST_CHECK int ota_progress_expect(struct ota_progress *progress, uint32_t total,
                                       const char *etag);

/* The image is fetched in an archive of so many bytes, of which nothing is recorded yet: its size
 * is recorded beside the image's, so that the fetch can go on with it. After _expect. */
void ota_progress_pack(struct ota_progress *progress, uint32_t archive);

/* The byte at `offset` is in flash and need not be fetched: it belongs to a complete piece. */
bool ota_progress_has(const struct ota_progress *progress, uint32_t offset);
/* Bytes of complete pieces. */
uint32_t ota_progress_done(const struct ota_progress *progress);

/* `length` bytes at `offset` have been programmed, none of which was noted before (after _start,
 * that is, and outside of what _has tells). Records the pieces that this completes: one sync, one
 * record. OTA_E_BUSY before the slot is erased and total is known; OTA_E_ARGUMENT for bytes that
 * are not the image's or were noted before. */
OTA_MUST_CHECK int ota_progress_note(struct ota_progress *progress, uint32_t offset,
                                     uint32_t length);

/* The same download, from another place: its records are of this key from the next one on. Until
 * then a reset finds the old key, and begins anew with the new one. Writes nothing. */
void ota_progress_move(struct ota_progress *progress, const uint8_t key[CRYPTO_SHA256_SIZE]);

/* The same download from its beginning: nothing is complete, total and tag are unknown, the whole
 * slot is to be erased. */
OTA_MUST_CHECK int ota_progress_restart(struct ota_progress *progress);

/* No download is under way. Writes nothing when none is recorded. */
OTA_MUST_CHECK int ota_progress_clear(struct ota_progress *progress);

#endif

/* The agent's journal: the few facts that must survive a reset, in flash, whole under any cut.
 *
 * The newest record of a ring (agent/ring.h) counts. */
#ifndef NOBRICK_AGENT_UPDATE_JOURNAL_H
#define NOBRICK_AGENT_UPDATE_JOURNAL_H

#include "agent/image/mcuboot.h"
#include "agent/ring.h"

/* A record in flash, integers little-endian, each rounded up to whole program units:
 *
 *   off size                               off size
 *     0    4 magic "OTAJ"                   24   40 images that failed, 8 bytes each, newest first:
 *     4    4 sequence                               major u8, minor u8, revision u16, count u8,
 *     8    2 format, 3                              first 3 bytes of the digest
 *    10    2 phase                          64    4 zeros
 *    12    8 target: major u8, minor u8,    68  256 path, NUL-padded
 *            revision u16, build u32       324    4 CRC-32 (IEEE 802.3) of bytes 0 to 323
 *    20    4 reason (negative ota_err)
 *
 * Format 2, which an older agent may have left, is read too. It has one image that failed: its
 * count (4) at 24, its version as the target's (8) at 28, its digest (32) at 36. */
#define OTA_RECORD_SIZE 328u
#define OTA_PATH_MAX    256u /* of a file on an HTTP server, with its NUL */
#define OTA_FAILED_MAX  5u
#define OTA_REVERTS_MAX 2u /* of one version, before it is not tried again */

enum ota_phase {
    OTA_PHASE_IDLE,      /* nothing owed */
    OTA_PHASE_STAGED,    /* `target` lies verified in the slot; the loader is about to be asked */
    OTA_PHASE_INSTALL,   /* `target` was handed to the loader; its result is owed */
    OTA_PHASE_SUCCEEDED, /* `target` runs and is confirmed; Success is owed */
    OTA_PHASE_FAILED,    /* `target` failed with `reason`; Failure is owed */
};

/* An image that was handed to the loader: how often it was reverted. */
struct ota_failed {
    struct img_version version; /* without its build, which no offer tells */
    uint8_t count;              /* 255: or more; 0 with version 0.0.0: no entry */
    uint8_t digest[3];          /* its beginning: another build of that version counts anew */
};

struct ota_record {
    enum ota_phase phase;
    struct img_version target;
    int reason;                               /* ota_err of a failure */
    struct ota_failed failed[OTA_FAILED_MAX]; /* newest first; [0] is `target` while it is
                                               * STAGED or in INSTALL */
    char path[OTA_PATH_MAX]; /* of `target` on a server: where a result goes by HTTP; "": nowhere */
};

struct ota_journal {
    struct ota_ring ring;
};

/* The image of `version` and `digest` is about to be handed to the loader: it becomes failed[0],
 * with the count that it had. When there is no room, what never failed makes some, else what failed
 * longest ago. */
void ota_record_stage(struct ota_record *record, const struct img_version *version,
                      const uint8_t digest[CRYPTO_SHA256_SIZE]);
/* failed[0] was reverted. */
void ota_record_reverted(struct ota_record *record);
/* `version` is confirmed: nothing that is not newer will be installed any more, so forget it. */
void ota_record_confirmed(struct ota_record *record, const struct img_version *version);
/* How often `version` was reverted. */
unsigned ota_record_failures(const struct ota_record *record, const struct img_version *version);

/* Finds the newest record: fills `out` with it, or with an idle record when there is none.
 * OTA_E_LAYOUT when the area has less than two sectors or a sector has no room for a record. */
OTA_MUST_CHECK int ota_journal_open(struct ota_journal *journal, const struct flash_area *area,
                                    struct ota_record *out);

/* Appends a record; durable and read back when this returns 0. On an error the newest record is
 * either the old or the new one, and the next call takes a fresh place. */
OTA_MUST_CHECK int ota_journal_write(struct ota_journal *journal, const struct ota_record *record);

#endif

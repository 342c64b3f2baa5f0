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
 *     0    4 magic "OTAJ"                   28    8 version that failed (as at 12)
 *     4    4 sequence                       36   32 digest of that image
 *     8    2 format, 2                      68  256 path, NUL-padded
 *    10    2 phase                         324    4 CRC-32 (IEEE 802.3) of bytes 0 to 323
 *    12    8 target: major u8, minor u8, revision u16, build u32
 *    20    4 reason (negative ota_err)
 *    24    4 failures                                                                          */
#define OTA_RECORD_SIZE 328u
#define OTA_PATH_MAX    256u /* of a file on an HTTP server, with its NUL */

enum ota_phase {
    OTA_PHASE_IDLE,      /* nothing owed */
    OTA_PHASE_STAGED,    /* `target` lies verified in the slot; the loader is about to be asked */
    OTA_PHASE_INSTALL,   /* `target` was handed to the loader; its result is owed */
    OTA_PHASE_SUCCEEDED, /* `target` runs and is confirmed; Success is owed */
    OTA_PHASE_FAILED,    /* `target` failed with `reason`; Failure is owed */
};

struct ota_record {
    enum ota_phase phase;
    struct img_version target;
    int reason;                /* ota_err of a failure */
    uint32_t failures;         /* installations of `failed` that were reverted, in a row */
    struct img_version failed; /* the version those were of */
    uint8_t failed_digest[CRYPTO_SHA256_SIZE]; /* of that image: another build counts anew */
    char path[OTA_PATH_MAX]; /* of `target` on a server: where a result goes by HTTP; "": nowhere */
};

struct ota_journal {
    struct ota_ring ring;
};

/* Finds the newest record: fills `out` with it, or with an idle record when there is none.
 * OTA_E_LAYOUT when the area has less than two sectors or a sector has no room for a record. */
OTA_MUST_CHECK int ota_journal_open(struct ota_journal *journal, const struct flash_area *area,
                                    struct ota_record *out);

/* Appends a record; durable and read back when this returns 0. On an error the newest record is
 * either the old or the new one, and the next call takes a fresh place. */
OTA_MUST_CHECK int ota_journal_write(struct ota_journal *journal, const struct ota_record *record);

#endif

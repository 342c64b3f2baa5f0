#include "agent/update/journal.h"

#include <string.h>

#define RECORD_MAGIC  0x4A41544Fu /* "OTAJ" */
#define RECORD_FORMAT 2u

enum { /* offsets of the fields, see the table in journal.h */
       AT_FORMAT = 8,
       AT_PHASE = 10,
       AT_TARGET = 12,
       AT_REASON = 20,
       AT_FAILURES = 24,
       AT_FAILED = 28,
       AT_DIGEST = 36,
       AT_PATH = 68,
};
_Static_assert(AT_PATH + OTA_PATH_MAX + OTA_RING_TAIL == OTA_RECORD_SIZE, "the path ends it");

static void put_version(uint8_t *at, const struct img_version *version)
{
    at[0] = version->major;
    at[1] = version->minor;
    ota_put16(at + 2, version->revision);
    ota_put32(at + 4, version->build);
}

static void get_version(const uint8_t *at, struct img_version *version)
{
    version->major = at[0];
    version->minor = at[1];
    version->revision = ota_get16(at + 2);
    version->build = ota_get32(at + 4);
}

static void encode(const struct ota_record *record, uint8_t raw[OTA_RECORD_SIZE])
{
    memset(raw, 0, OTA_RECORD_SIZE);
    ota_put16(raw + AT_FORMAT, RECORD_FORMAT);
    ota_put16(raw + AT_PHASE, (uint16_t)record->phase);
    put_version(raw + AT_TARGET, &record->target);
    ota_put32(raw + AT_REASON, (uint32_t)record->reason);
    ota_put32(raw + AT_FAILURES, record->failures);
    put_version(raw + AT_FAILED, &record->failed);
    memcpy(raw + AT_DIGEST, record->failed_digest, CRYPTO_SHA256_SIZE);
    memcpy(raw + AT_PATH, record->path, strnlen(record->path, OTA_PATH_MAX - 1));
}

static void decode(const uint8_t raw[OTA_RECORD_SIZE], struct ota_record *out)
{
    out->phase = (enum ota_phase)ota_get16(raw + AT_PHASE);
    get_version(raw + AT_TARGET, &out->target);
    out->reason = (int)ota_get32(raw + AT_REASON);
    out->failures = ota_get32(raw + AT_FAILURES);
    get_version(raw + AT_FAILED, &out->failed);
    memcpy(out->failed_digest, raw + AT_DIGEST, CRYPTO_SHA256_SIZE);
    memcpy(out->path, raw + AT_PATH, OTA_PATH_MAX);
    out->path[OTA_PATH_MAX - 1] = 0;
}

static bool accept(const uint8_t *raw)
{
    return ota_get16(raw + AT_FORMAT) == RECORD_FORMAT &&
           ota_get16(raw + AT_PHASE) <= OTA_PHASE_FAILED;
}

static const struct ota_ring_kind kind = {
    .magic = RECORD_MAGIC, .size = OTA_RECORD_SIZE, .accept = accept};

int ota_journal_open(struct ota_journal *journal, const struct flash_area *area,
                     struct ota_record *out)
{
    uint8_t raw[OTA_RECORD_SIZE];
    memset(out, 0, sizeof *out);
    int error = ota_ring_open(&journal->ring, &kind, area, raw);
    if (error == 0 && journal->ring.sequence != 0)
        decode(raw, out);
    return error;
}

int ota_journal_write(struct ota_journal *journal, const struct ota_record *record)
{
    uint8_t raw[OTA_RECORD_SIZE];
    encode(record, raw);
    return ota_ring_write(&journal->ring, raw);
}

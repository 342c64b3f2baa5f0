#include "agent/update/journal.h"

#include <string.h>

#define RECORD_MAGIC  0x4A41544Fu /* "OTAJ" */
#define RECORD_FORMAT 3u
#define OLDER_FORMAT  2u
#define FAILED_SIZE   8u

enum { /* offsets of the fields, see the table in journal.h */
       AT_FORMAT = 8,
       AT_PHASE = 10,
       AT_TARGET = 12,
       AT_REASON = 20,
       AT_FAILED = 24,
       AT_ZEROS = 64,
       AT_PATH = 68,
       /* of the older format */
       AT_OLD_COUNT = 24,
       AT_OLD_VERSION = 28,
       AT_OLD_DIGEST = 36,
};
_Static_assert(AT_FAILED + OTA_FAILED_MAX * FAILED_SIZE == AT_ZEROS, "the list ends at the zeros");
_Static_assert(AT_PATH + OTA_PATH_MAX + OTA_RING_TAIL == OTA_RECORD_SIZE, "the path ends it");

static void put_failed(uint8_t *at, const struct ota_failed *failed)
{
    at[0] = failed->version.major;
    at[1] = failed->version.minor;
    ota_put16(at + 2, failed->version.revision);
    at[4] = failed->count;
    memcpy(at + 5, failed->digest, sizeof failed->digest);
}

static void get_failed(const uint8_t *at, struct ota_failed *failed)
{
    failed->version = (struct img_version){at[0], at[1], ota_get16(at + 2), 0};
    failed->count = at[4];
    memcpy(failed->digest, at + 5, sizeof failed->digest);
}

static void get_older_failed(const uint8_t *raw, struct ota_failed *failed)
{
    uint32_t count = ota_get32(raw + AT_OLD_COUNT);
    img_version_get(raw + AT_OLD_VERSION, &failed->version);
    failed->version.build = 0;
    failed->count = count < UINT8_MAX ? (uint8_t)count : UINT8_MAX;
    memcpy(failed->digest, raw + AT_OLD_DIGEST, sizeof failed->digest);
}

static void encode(const struct ota_record *record, uint8_t raw[OTA_RECORD_SIZE])
{
    memset(raw, 0, OTA_RECORD_SIZE);
    ota_put16(raw + AT_FORMAT, RECORD_FORMAT);
    ota_put16(raw + AT_PHASE, (uint16_t)record->phase);
    img_version_put(raw + AT_TARGET, &record->target);
    ota_put32(raw + AT_REASON, (uint32_t)record->reason);
    for (size_t i = 0; i < OTA_FAILED_MAX; i++)
        put_failed(raw + AT_FAILED + i * FAILED_SIZE, &record->failed[i]);
    memcpy(raw + AT_PATH, record->path, strnlen(record->path, OTA_PATH_MAX - 1));
}

static void decode(const uint8_t raw[OTA_RECORD_SIZE], struct ota_record *out)
{
    out->phase = (enum ota_phase)ota_get16(raw + AT_PHASE);
    img_version_get(raw + AT_TARGET, &out->target);
    out->reason = (int)ota_get32(raw + AT_REASON);
    memset(out->failed, 0, sizeof out->failed);
    if (ota_get16(raw + AT_FORMAT) == OLDER_FORMAT)
        get_older_failed(raw, &out->failed[0]);
    else
        for (size_t i = 0; i < OTA_FAILED_MAX; i++)
            get_failed(raw + AT_FAILED + i * FAILED_SIZE, &out->failed[i]);
    memcpy(out->path, raw + AT_PATH, OTA_PATH_MAX);
    out->path[OTA_PATH_MAX - 1] = 0;
}

static bool accept(const uint8_t *raw)
{
    uint16_t format = ota_get16(raw + AT_FORMAT);
    return (format == RECORD_FORMAT || format == OLDER_FORMAT) &&
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

/* ---- images that failed ------------------------------------------------------------------ */

static void drop(struct ota_record *record, size_t index)
{
    struct ota_failed *failed = record->failed;
    size_t behind = OTA_FAILED_MAX - 1 - index;
    memmove(&failed[index], &failed[index + 1], behind * sizeof failed[0]);
    memset(&failed[OTA_FAILED_MAX - 1], 0, sizeof failed[0]);
}

/* Where the version's count stands, or OTA_FAILED_MAX. */
static size_t find(const struct ota_record *record, const struct img_version *version)
{
    size_t i = 0;
    while (i < OTA_FAILED_MAX && img_version_compare(&record->failed[i].version, version) != 0)
        i++;
    return i;
}

void ota_record_stage(struct ota_record *record, const struct img_version *version,
                      const uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct ota_failed staged = {.version = *version};
    size_t at = find(record, version);
    staged.version.build = 0;
    memcpy(staged.digest, digest, sizeof staged.digest);
    if (at < OTA_FAILED_MAX &&
        memcmp(record->failed[at].digest, staged.digest, sizeof staged.digest) == 0)
        staged.count = record->failed[at].count;
    for (size_t i = 0; at == OTA_FAILED_MAX && i < OTA_FAILED_MAX; i++)
        if (record->failed[i].count == 0)
            at = i;
    drop(record, at < OTA_FAILED_MAX ? at : OTA_FAILED_MAX - 1);
    memmove(&record->failed[1], &record->failed[0], (OTA_FAILED_MAX - 1) * sizeof staged);
    record->failed[0] = staged;
}

void ota_record_reverted(struct ota_record *record)
{
    if (record->failed[0].count < UINT8_MAX)
        record->failed[0].count++;
}

void ota_record_confirmed(struct ota_record *record, const struct img_version *version)
{
    for (size_t i = OTA_FAILED_MAX; i-- > 0;)
        if (img_version_compare(&record->failed[i].version, version) <= 0)
            drop(record, i);
}

unsigned ota_record_failures(const struct ota_record *record, const struct img_version *version)
{
    size_t at = find(record, version);
    return at < OTA_FAILED_MAX ? record->failed[at].count : 0;
}

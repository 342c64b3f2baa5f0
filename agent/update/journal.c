#include "agent/update/journal.h"

#include <string.h>

#define RECORD_MAGIC  0x4A41544Fu /* "OTAJ" */
#define RECORD_FORMAT 1u
#define UNIT_MAX      512u

enum { /* offsets of the fields, see the table in journal.h */
       AT_MAGIC = 0,
       AT_SEQUENCE = 4,
       AT_FORMAT = 8,
       AT_PHASE = 10,
       AT_TARGET = 12,
       AT_REASON = 20,
       AT_FAILURES = 24,
       AT_FAILED = 28,
       AT_DIGEST = 36,
       AT_CRC = 92,
};
_Static_assert(AT_CRC + 4 == OTA_RECORD_SIZE, "the checksum ends the record");

/* ---- encoding ---------------------------------------------------------------------------- */

static uint32_t crc32(const uint8_t *data, size_t length)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
    }
    return ~crc;
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16(at + 2, (uint16_t)(value >> 16));
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

static void put_version(uint8_t *at, const struct img_version *version)
{
    at[0] = version->major;
    at[1] = version->minor;
    put16(at + 2, version->revision);
    put32(at + 4, version->build);
}

static void get_version(const uint8_t *at, struct img_version *version)
{
    version->major = at[0];
    version->minor = at[1];
    version->revision = get16(at + 2);
    version->build = get32(at + 4);
}

static void encode(const struct ota_record *record, uint32_t sequence, uint8_t raw[OTA_RECORD_SIZE])
{
    memset(raw, 0, OTA_RECORD_SIZE);
    put32(raw + AT_MAGIC, RECORD_MAGIC);
    put32(raw + AT_SEQUENCE, sequence);
    put16(raw + AT_FORMAT, RECORD_FORMAT);
    put16(raw + AT_PHASE, (uint16_t)record->phase);
    put_version(raw + AT_TARGET, &record->target);
    put32(raw + AT_REASON, (uint32_t)record->reason);
    put32(raw + AT_FAILURES, record->failures);
    put_version(raw + AT_FAILED, &record->failed);
    memcpy(raw + AT_DIGEST, record->failed_digest, CRYPTO_SHA256_SIZE);
    put32(raw + AT_CRC, crc32(raw, AT_CRC));
}

static bool decode(const uint8_t raw[OTA_RECORD_SIZE], struct ota_record *out, uint32_t *sequence)
{
    if (get32(raw + AT_MAGIC) != RECORD_MAGIC || get16(raw + AT_FORMAT) != RECORD_FORMAT ||
        get32(raw + AT_CRC) != crc32(raw, AT_CRC) || get16(raw + AT_PHASE) > OTA_PHASE_FAILED)
        return false;
    *sequence = get32(raw + AT_SEQUENCE);
    out->phase = (enum ota_phase)get16(raw + AT_PHASE);
    get_version(raw + AT_TARGET, &out->target);
    out->reason = (int)get32(raw + AT_REASON);
    out->failures = get32(raw + AT_FAILURES);
    get_version(raw + AT_FAILED, &out->failed);
    memcpy(out->failed_digest, raw + AT_DIGEST, CRYPTO_SHA256_SIZE);
    return *sequence != 0;
}

/* ---- places ------------------------------------------------------------------------------ */

/* Bytes from one record to the next: whole units, so that no unit is ever programmed twice. */
static uint32_t stride(const struct flash_sector *sector)
{
    return (OTA_RECORD_SIZE + sector->unit - 1) / sector->unit * sector->unit;
}

static uint32_t sector_end(const struct flash_sector *sector)
{
    return sector->start + sector->size / stride(sector) * stride(sector);
}

/* The sector after the one at `start`, around the end of the area. */
static uint32_t next_sector(const struct flash_area *area, const struct flash_sector *sector)
{
    uint32_t end = sector->start + sector->size;
    return end < area->size ? end : 0;
}

/* Reads the records of one sector; keeps the newest of all so far. */
static void scan(struct ota_journal *journal, const struct flash_sector *sector,
                 struct ota_record *newest, struct flash_sector *home)
{
    uint32_t step = stride(sector);
    for (uint32_t at = sector->start; at < sector_end(sector); at += step) {
        uint8_t raw[OTA_RECORD_SIZE];
        struct ota_record record;
        uint32_t sequence;
        if (flash_area_read(&journal->area, at, raw, sizeof raw) == 0 &&
            decode(raw, &record, &sequence) && sequence > journal->sequence) {
            journal->sequence = sequence;
            *newest = record;
            *home = *sector;
        }
    }
}

/* The first place of `sector` behind everything that was ever begun there. */
static uint32_t free_place(const struct flash_area *area, const struct flash_sector *sector)
{
    uint32_t step = stride(sector);
    uint32_t at = sector_end(sector);
    while (at > sector->start && flash_area_is_erased(area, at - step, step) == 1)
        at -= step;
    return at < sector_end(sector) ? at : area->size;
}

int ota_journal_open(struct ota_journal *journal, const struct flash_area *area,
                     struct ota_record *out)
{
    struct flash_sector sector;
    struct flash_sector home = {0};
    memset(out, 0, sizeof *out);
    journal->area = *area;
    journal->sequence = 0;
    for (uint32_t at = 0; at < area->size; at = sector.start + sector.size) {
        int error = flash_area_sector(area, at, &sector);
        if (error != 0)
            return error;
        if (sector.size == area->size || sector.unit > UNIT_MAX || stride(&sector) > sector.size)
            return OTA_E_LAYOUT;
        scan(journal, &sector, out, &home);
    }
    if (journal->sequence == 0) {
        journal->next = area->size; /* what lies there may be torn: start on a fresh sector */
        journal->turn = 0;
        return 0;
    }
    journal->next = free_place(area, &home);
    journal->turn = next_sector(area, &home);
    return 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

static int program_record(const struct flash_area *area, uint32_t at, uint32_t step,
                          const uint8_t raw[OTA_RECORD_SIZE])
{
    uint8_t units[UNIT_MAX + OTA_RECORD_SIZE] = {0};
    uint8_t back[OTA_RECORD_SIZE];
    memcpy(units, raw, OTA_RECORD_SIZE);
    int error = flash_area_program(area, at, units, step);
    if (error == 0)
        error = area->flash->sync(area->flash->context);
    if (error == 0)
        error = flash_area_read(area, at, back, sizeof back);
    if (error == 0 && memcmp(back, raw, sizeof back) != 0)
        error = OTA_E_FLASH_PROGRAM;
    return error;
}

int ota_journal_write(struct ota_journal *journal, const struct ota_record *record)
{
    const struct flash_area *area = &journal->area;
    bool fresh = journal->next == area->size;
    uint32_t at = fresh ? journal->turn : journal->next;
    uint8_t raw[OTA_RECORD_SIZE];
    struct flash_sector sector;
    /* The next sector may look erased after a cut erase, and not be: it is erased in any case. */
    int error = fresh ? flash_area_erase_sector(area, at) : 0;
    if (error == 0)
        error = flash_area_sector(area, at, &sector);
    if (error != 0)
        return error;
    uint32_t step = stride(&sector);
    encode(record, ++journal->sequence, raw);
    error = program_record(area, at, step, raw);
    /* The first record of a sector failed: the newest one lies in the sector before, which must
     * not be the next to be erased. */
    if (error != 0 && fresh)
        return error;
    journal->next = at + step < sector_end(&sector) ? at + step : area->size;
    journal->turn = next_sector(area, &sector);
    return error;
}

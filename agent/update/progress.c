#include "agent/update/progress.h"

#include <string.h>

#define RECORD_MAGIC  0x5041544Fu /* "OTAP" */
#define RECORD_FORMAT 1u
#define LOOK_SIZE     512u /* bytes read back in one go: they lie on the device's stack */

enum { /* offsets of the fields, see the table in progress.h */
       AT_FORMAT = 8,
       AT_VERSION = 12,
       AT_TOTAL = 20,
       AT_COMPLETE = 24,
       AT_CHECKSUM = 28,
       AT_KEY = 32,
       AT_ETAG = 64,
       AT_ARCHIVE = 128,
};
_Static_assert(AT_ETAG + OTA_ETAG_MAX == AT_ARCHIVE, "the tag ends where the archive's size is");
_Static_assert(AT_ARCHIVE + 4 + OTA_RING_TAIL == OTA_PROGRESS_RECORD,
               "the checksum ends the record");
_Static_assert(OTA_PROGRESS_RECORD <= OTA_RING_RECORD_MAX, "the ring has room for the record");
_Static_assert(OTA_PROGRESS_PIECES == 32, "`complete` is a bit a piece");

/* ---- the record -------------------------------------------------------------------------- */

static void encode(const struct ota_progress *progress, uint8_t raw[OTA_PROGRESS_RECORD])
{
    memset(raw, 0, OTA_PROGRESS_RECORD);
    ota_put32(raw + AT_FORMAT, RECORD_FORMAT);
    if (progress->total == 0)
        return;
    img_version_put(raw + AT_VERSION, &progress->version);
    ota_put32(raw + AT_TOTAL, progress->total);
    ota_put32(raw + AT_COMPLETE, progress->complete);
    ota_put32(raw + AT_CHECKSUM, progress->checksum);
    memcpy(raw + AT_KEY, progress->key, CRYPTO_SHA256_SIZE);
    memcpy(raw + AT_ETAG, progress->etag, OTA_ETAG_MAX);
    ota_put32(raw + AT_ARCHIVE, progress->archive);
}

static void decode(const uint8_t raw[OTA_PROGRESS_RECORD], struct ota_progress *progress)
{
    img_version_get(raw + AT_VERSION, &progress->version);
    progress->total = ota_get32(raw + AT_TOTAL);
    progress->complete = ota_get32(raw + AT_COMPLETE);
    progress->checksum = ota_get32(raw + AT_CHECKSUM);
    memcpy(progress->key, raw + AT_KEY, CRYPTO_SHA256_SIZE);
    memcpy(progress->etag, raw + AT_ETAG, OTA_ETAG_MAX);
    progress->archive = ota_get32(raw + AT_ARCHIVE);
}

static bool accept(const uint8_t *raw)
{
    return ota_get32(raw + AT_FORMAT) == RECORD_FORMAT &&
           memchr(raw + AT_ETAG, 0, OTA_ETAG_MAX) != NULL;
}

static const struct ota_ring_kind kind = {
    .magic = RECORD_MAGIC, .size = OTA_PROGRESS_RECORD, .accept = accept};

static int store(struct ota_progress *progress)
{
    uint8_t raw[OTA_PROGRESS_RECORD];
    encode(progress, raw);
    int error = ota_ring_write(&progress->ring, raw);
    /* After an error either record may be the newest. */
    progress->stored = error != 0 || progress->total != 0;
    return error;
}

/* ---- pieces ------------------------------------------------------------------------------ */

static uint32_t piece_start(const struct ota_progress *progress, uint32_t piece)
{
    return piece == 0 ? 0 : progress->ends[piece - 1];
}

/* The piece that holds byte `offset` of the image. */
static uint32_t piece_at(const struct ota_progress *progress, uint32_t offset)
{
    uint32_t piece = 0;
    while (offset >= progress->ends[piece])
        piece++;
    return piece;
}

static bool is_complete(const struct ota_progress *progress, uint32_t piece)
{
    return (progress->complete >> piece & 1u) != 0;
}

/* Lays the pieces out: as equal as erase sectors and chunks allow. Some are empty when sectors are
 * large. */
static int lay_out(struct ota_progress *progress)
{
    uint32_t total = progress->total;
    uint32_t step = total / OTA_PROGRESS_PIECES + (total % OTA_PROGRESS_PIECES != 0);
    uint32_t end = 0;
    step = (step + OTA_PROGRESS_STEP - 1) / OTA_PROGRESS_STEP * OTA_PROGRESS_STEP;
    for (uint32_t i = 0; i < OTA_PROGRESS_PIECES; i++) {
        uint64_t wanted = (uint64_t)step * (i + 1);
        while (end < total && (end < wanted || end % OTA_PROGRESS_STEP != 0)) {
            struct flash_sector sector;
            int error = flash_area_sector(&progress->slot, end, &sector);
            if (error != 0)
                return error;
            end = sector.start + sector.size;
        }
        progress->ends[i] = end < total ? end : total;
        progress->left[i] = progress->ends[i] - piece_start(progress, i);
        if (is_complete(progress, i))
            progress->left[i] = 0;
    }
    return 0;
}

/* Checksum of a piece as it lies in flash, and of which piece it is. */
static int piece_sum(const struct ota_progress *progress, uint32_t piece, uint32_t *sum)
{
    uint8_t bytes[LOOK_SIZE];
    uint32_t end = progress->ends[piece];
    ota_put32(bytes, piece);
    *sum = ota_crc32(0, bytes, 4);
    for (uint32_t at = piece_start(progress, piece); at < end;) {
        uint32_t length = end - at < LOOK_SIZE ? end - at : LOOK_SIZE;
        int error = flash_area_read(&progress->slot, at, bytes, length);
        if (error != 0)
            return error;
        *sum = ota_crc32(*sum, bytes, length);
        at += length;
    }
    return 0;
}

/* The checksum of several pieces is the exclusive or of theirs: the order in which they were
 * completed does not matter. */
static int sum_of(const struct ota_progress *progress, uint32_t pieces, uint32_t *sum)
{
    *sum = 0;
    for (uint32_t i = 0; i < OTA_PROGRESS_PIECES; i++) {
        uint32_t one = 0;
        int error = (pieces >> i & 1u) != 0 ? piece_sum(progress, i, &one) : 0;
        if (error != 0)
            return error;
        *sum ^= one;
    }
    return 0;
}

/* The pieces that the record calls complete are in the slot, byte for byte. */
static bool is_true(const struct ota_progress *progress)
{
    uint32_t sum;
    return sum_of(progress, progress->complete, &sum) == 0 && sum == progress->checksum;
}

/* ---- a download -------------------------------------------------------------------------- */

int ota_progress_key(const struct crypto_port *crypto, uint8_t key[CRYPTO_SHA256_SIZE],
                     const char *text)
{
    uint8_t both[2 * CRYPTO_SHA256_SIZE];
    memcpy(both, key, CRYPTO_SHA256_SIZE);
    int error = crypto->sha256(crypto->context, text != NULL ? text : "",
                               text != NULL ? strlen(text) : 0, both + CRYPTO_SHA256_SIZE);
    return error != 0 ? error : crypto->sha256(crypto->context, both, sizeof both, key);
}

int ota_progress_open(struct ota_progress *progress, const struct flash_area *area,
                      const struct flash_area *slot)
{
    uint8_t raw[OTA_PROGRESS_RECORD];
    memset(progress, 0, sizeof *progress);
    progress->slot = *slot;
    progress->erased_from = slot->size;
    progress->journalled = area->size != 0;
    if (!progress->journalled)
        return 0;
    int error = ota_ring_open(&progress->ring, &kind, area, raw);
    if (error == 0 && progress->ring.sequence != 0)
        decode(raw, progress);
    progress->stored = progress->total != 0;
    return error;
}

int ota_progress_start(struct ota_progress *progress, const uint8_t key[CRYPTO_SHA256_SIZE],
                       const struct img_version *version)
{
    progress->begun = true;
    progress->erased_from = progress->slot.size;
    if (progress->complete != 0 && progress->total <= progress->slot.size &&
        memcmp(progress->key, key, CRYPTO_SHA256_SIZE) == 0 &&
        img_version_compare(&progress->version, version) == 0 && lay_out(progress) == 0 &&
        is_true(progress))
        return 0;
    memcpy(progress->key, key, CRYPTO_SHA256_SIZE);
    progress->version = *version;
    return ota_progress_restart(progress);
}

/* Of a download that goes on, the slot was erased as a whole before its first byte was programmed;
 * so what lies behind the image is erased, if nobody has been there. */
static bool may_stay(const struct ota_progress *progress, const struct flash_sector *sector)
{
    if (progress->complete == 0)
        return false;
    if (sector->start >= progress->total)
        return flash_area_is_erased(&progress->slot, sector->start, sector->size) == 1;
    return is_complete(progress, piece_at(progress, sector->start));
}

int ota_progress_erase(struct ota_progress *progress)
{
    struct flash_sector sector;
    if (!progress->begun)
        return OTA_E_BUSY;
    if (progress->erased_from == 0)
        return 0;
    int error = flash_area_sector(&progress->slot, progress->erased_from - 1, &sector);
    if (error == 0 && !may_stay(progress, &sector))
        error = flash_area_erase_sector(&progress->slot, sector.start);
    if (error != 0)
        return error;
    progress->erased_from = sector.start;
    return progress->erased_from > 0;
}

bool ota_progress_is_other(const char *known, const char *etag)
{
    return known[0] != 0 && etag[0] != 0 && (known[0] == '"') == (etag[0] == '"') &&
           strcmp(known, etag) != 0;
}

int ota_progress_expect(struct ota_progress *progress, uint32_t total, const char *etag)
{
    if (total == 0 || total > progress->slot.size)
        return OTA_E_IMG_SIZE;
    if (strlen(etag) >= OTA_ETAG_MAX)
        return OTA_E_NO_SPACE;
    if (progress->total != 0)
        return progress->total == total && !ota_progress_is_other(progress->etag, etag)
                   ? 0
                   : OTA_E_CHANGED;
    progress->total = total;
    memcpy(progress->etag, etag, strlen(etag)); /* zeros so far */
    int error = lay_out(progress);
    if (error != 0)
        progress->total = 0;
    return error;
}

void ota_progress_pack(struct ota_progress *progress, uint32_t archive)
{
    progress->archive = archive;
}

bool ota_progress_has(const struct ota_progress *progress, uint32_t offset)
{
    return progress->begun && progress->complete != 0 && offset < progress->total &&
           is_complete(progress, piece_at(progress, offset));
}

uint32_t ota_progress_done(const struct ota_progress *progress)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < OTA_PROGRESS_PIECES; i++)
        if (is_complete(progress, i))
            done += progress->ends[i] - piece_start(progress, i);
    return done;
}

/* Takes the bytes off what the pieces lack. *full: a bit for each that lacks nothing any more. */
static int take(struct ota_progress *progress, uint32_t offset, uint32_t length, uint32_t *full)
{
    uint32_t end = offset + length;
    *full = 0;
    while (offset < end) {
        uint32_t piece = piece_at(progress, offset);
        uint32_t to = end < progress->ends[piece] ? end : progress->ends[piece];
        if (progress->left[piece] < to - offset)
            return OTA_E_ARGUMENT;
        progress->left[piece] -= to - offset;
        if (progress->left[piece] == 0)
            *full |= 1u << piece;
        offset = to;
    }
    return 0;
}

int ota_progress_note(struct ota_progress *progress, uint32_t offset, uint32_t length)
{
    const struct flash_port *flash = progress->slot.flash;
    uint32_t full;
    uint32_t sum;
    if (progress->erased_from != 0 || progress->total == 0)
        return OTA_E_BUSY;
    if (offset > progress->total || length > progress->total - offset)
        return OTA_E_ARGUMENT;
    int error = take(progress, offset, length, &full);
    if (error != 0 || full == 0 || !progress->journalled)
        return error;
    error = flash->sync(flash->context);
    if (error == 0)
        error = sum_of(progress, full, &sum);
    if (error != 0)
        return error;
    progress->complete |= full;
    progress->checksum ^= sum;
    return store(progress);
}

void ota_progress_move(struct ota_progress *progress, const uint8_t key[CRYPTO_SHA256_SIZE])
{
    memcpy(progress->key, key, CRYPTO_SHA256_SIZE);
}

int ota_progress_restart(struct ota_progress *progress)
{
    progress->erased_from = progress->slot.size;
    return ota_progress_clear(progress);
}

int ota_progress_clear(struct ota_progress *progress)
{
    progress->total = 0;
    progress->archive = 0;
    progress->complete = 0;
    progress->checksum = 0;
    memset(progress->etag, 0, sizeof progress->etag);
    return progress->stored ? store(progress) : 0;
}

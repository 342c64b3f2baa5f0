#include "agent/delta/apply.h"

#include <string.h>

#define MAGIC 0x4441544Fu /* "OTAD" */

enum { AT_KEY = OTA_RING_HEAD, AT_POINT = 40, AT_CHECKSUM = 72 };
_Static_assert(AT_KEY + CRYPTO_SHA256_SIZE == AT_POINT &&
                   AT_POINT + OTA_JOJODIFF_POINT == AT_CHECKSUM &&
                   AT_CHECKSUM + 4 + OTA_RING_TAIL == OTA_APPLY_RECORD,
               "the record is as its table says");

static int fail(struct ota_apply *apply, int error, const char *fault)
{
    apply->fault = fault;
    return error;
}

/* ---- the target -------------------------------------------------------------------------- */

/* The decoder copies from the base to where the bytes are programmed from, and never more than
 * there is room for: a pause falls on the end of a buffer, and of a sector. */
static void lead_decoder(struct ota_apply *apply)
{
    apply->delta.buffer = apply->job->buffer + apply->fill;
    apply->delta.buffer_size = apply->room - apply->fill;
}

/* The next buffer of bytes. At the limit there is no sector to look for: the decoder refuses what
 * comes then. */
static int begin_buffer(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    struct flash_sector *sector = &apply->sector;
    apply->fill = 0;
    apply->room = job->buffer_size;
    if (apply->written < apply->delta.ends.target_limit) {
        if (sector->size == 0 || apply->written == sector->start + sector->size) {
            apply->is_erased = false;
            int err = flash_area_sector(&job->target, apply->written, sector);
            if (err != 0)
                return err;
        }
        uint32_t left = sector->start + sector->size - apply->written;
        apply->room -= apply->room % sector->unit;
        if (apply->room > left)
            apply->room = left;
    }
    if (apply->room == 0)
        return fail(apply, OTA_E_LAYOUT, "buffer is smaller than a program unit");
    lead_decoder(apply);
    return 0;
}

/* One end of the decoder: `data` is in the buffer already when it was copied from the base. */
static int take_bytes(void *context, const uint8_t *data, uint32_t length)
{
    struct ota_apply *apply = context;
    memmove(apply->job->buffer + apply->fill, data, length);
    apply->fill += length;
    lead_decoder(apply);
    return apply->fill == apply->room ? OTA_DELTA_PAUSE : 0;
}

/* The other end. */
static int read_base(void *context, uint32_t offset, void *data, uint32_t length)
{
    const struct ota_apply *apply = context;
    return flash_area_read(&apply->job->base, offset, data, length);
}

/* What the buffer holds, filled up to a whole unit. */
static int put_buffer(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    const struct flash_area *target = &job->target;
    const struct flash_sector *sector = &apply->sector;
    if (!apply->is_erased) {
        int err = flash_area_erase_back(target, sector->start, sector->start + 1);
        apply->is_erased = err == 0;
        return err != 0 ? err : 1;
    }
    uint32_t length = (apply->fill + sector->unit - 1) / sector->unit * sector->unit;
    memset(job->buffer + apply->fill, sector->erased, length - apply->fill);
    int err = flash_area_program(target, apply->written, job->buffer, length);
    if (err == 0)
        err = target->flash->sync(target->flash->context);
    if (err != 0)
        return err;
    apply->checksum = ota_crc32(apply->checksum, job->buffer, apply->fill);
    apply->written += apply->fill;
    apply->is_due = job->points.size > 0 && apply->written == sector->start + sector->size &&
                    apply->written - apply->pointed >= job->every;
    err = begin_buffer(apply);
    return err != 0 ? err : 1;
}

/* ---- points ------------------------------------------------------------------------------ */

static bool accept(const uint8_t *raw)
{
    (void)raw; /* what does not fit the job is not gone on with */
    return true;
}

static const struct ota_ring_kind kind = {
    .magic = MAGIC, .size = OTA_APPLY_RECORD, .accept = accept};

static void save_point(struct ota_apply *apply)
{
    uint8_t raw[OTA_APPLY_RECORD];
    memcpy(raw + AT_KEY, apply->key, sizeof apply->key);
    ota_jojodiff_save(&apply->delta, raw + AT_POINT);
    ota_put32(raw + AT_CHECKSUM, apply->checksum);
    int err = ota_ring_write(&apply->ring, raw);
    (void)err; /* the next reset goes on at an older point, or begins anew: no reason to give up */
    apply->stored = true;
    apply->pointed = apply->written;
    apply->is_due = false;
}

int ota_apply_clear(struct ota_apply *apply)
{
    uint8_t raw[OTA_APPLY_RECORD] = {0};
    int err = apply->stored ? ota_ring_write(&apply->ring, raw) : 0;
    apply->stored = apply->stored && err != 0;
    return err;
}

/* CRC-32 of the target's first `size` bytes. */
static int sum_target(const struct ota_apply *apply, uint32_t size, uint32_t *sum)
{
    const struct ota_apply_job *job = apply->job;
    int err = 0;
    *sum = 0;
    for (uint32_t at = 0, step; err == 0 && at < size; at += step) {
        step = size - at < job->buffer_size ? size - at : job->buffer_size;
        err = flash_area_read(&job->target, at, job->buffer, step);
        *sum = ota_crc32(*sum, job->buffer, step);
    }
    return err;
}

/* The decoder stands at the end of a sector, and what it has written is still there. */
static bool stands(struct ota_apply *apply, const uint8_t raw[OTA_APPLY_RECORD])
{
    const struct ota_jojodiff_point *at = &apply->delta.at;
    struct flash_sector sector;
    uint32_t sum;
    if (ota_jojodiff_resume(&apply->delta, raw + AT_POINT) != 0 ||
        at->patch_at > apply->job->patch_size ||
        flash_area_sector(&apply->job->target, at->target_at - 1, &sector) != 0 ||
        sector.start + sector.size != at->target_at)
        return false;
    return sum_target(apply, at->target_at, &sum) == 0 && sum == ota_get32(raw + AT_CHECKSUM);
}

static int find_point(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    const struct ota_jojodiff fresh = apply->delta;
    uint8_t raw[OTA_APPLY_RECORD];
    if (job->points.size == 0)
        return 0;
    int err = ota_ring_open(&apply->ring, &kind, &job->points, raw);
    if (err != 0)
        return fail(apply, err, "area for points is no ring");
    apply->stored =
        apply->ring.sequence != 0 && memcmp(raw + AT_KEY, apply->key, sizeof apply->key) == 0;
    if (!apply->stored || !stands(apply, raw)) {
        apply->delta = fresh;
        return 0;
    }
    apply->written = apply->pointed = apply->delta.at.target_at;
    apply->checksum = ota_get32(raw + AT_CHECKSUM);
    return 0;
}

/* ---- the job ----------------------------------------------------------------------------- */

static bool overlap(const struct flash_area *a, const struct flash_area *b)
{
    return a->flash == b->flash &&
           (a->address - b->address < b->size || b->address - a->address < a->size);
}

/* The target ends where the sector of something begins that lies in it, if it does. */
static int end_before(struct ota_apply *apply, const struct flash_area *other, uint32_t *limit)
{
    const struct flash_area *target = &apply->job->target;
    struct flash_sector sector;
    if (!overlap(other, target))
        return 0;
    if (other->address < target->address ||
        flash_area_sector(target, other->address - target->address, &sector) != 0)
        return fail(apply, OTA_E_LAYOUT, "areas overlap");
    if (sector.start < *limit)
        *limit = sector.start;
    return 0;
}

/* Up to where the target may grow. */
static int limit_target(struct ota_apply *apply, uint32_t *limit)
{
    const struct ota_apply_job *job = apply->job;
    *limit = job->target.size;
    if (overlap(&job->base, &job->target) || overlap(&job->base, &job->points) ||
        overlap(&job->patch, &job->points))
        return fail(apply, OTA_E_LAYOUT, "areas overlap");
    int err = end_before(apply, &job->patch, limit);
    return err != 0 ? err : end_before(apply, &job->points, limit);
}

static int check_digest(struct ota_apply *apply, const struct flash_area *area, uint32_t size,
                        const uint8_t wanted[CRYPTO_SHA256_SIZE], int error, const char *fault)
{
    const struct crypto_port *crypto = apply->job->crypto;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int err = crypto->sha256_flash(crypto->context, area->flash, area->address, size, digest);
    if (err != 0 || memcmp(digest, wanted, sizeof digest) == 0)
        return err;
    return fail(apply, error, fault);
}

static int check_sources(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    if (job->base_size == 0 || job->base_size > job->base.size || job->patch_size == 0 ||
        job->patch_size > job->patch.size)
        return fail(apply, OTA_E_IMG_SIZE, "base or patch is empty or does not fit its area");
    int err = check_digest(apply, &job->base, job->base_size, job->base_digest, OTA_E_PATCH,
                           "base is not the image that the patch was made for");
    return err != 0 ? err
                    : check_digest(apply, &job->patch, job->patch_size, job->patch_digest,
                                   OTA_E_IMG_HASH, "patch is not what was promised");
}

static int make_key(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    uint8_t digests[3][CRYPTO_SHA256_SIZE];
    memcpy(digests[0], job->base_digest, sizeof digests[0]);
    memcpy(digests[1], job->patch_digest, sizeof digests[1]);
    memcpy(digests[2], job->target_digest, sizeof digests[2]);
    return job->crypto->sha256(job->crypto->context, digests, sizeof digests, apply->key);
}

int ota_apply_open(struct ota_apply *apply, const struct ota_apply_job *job)
{
    struct ota_delta_ends ends = {
        .context = apply, .read = read_base, .write = take_bytes, .source_size = job->base_size};
    memset(apply, 0, sizeof *apply);
    apply->job = job;
    int err = limit_target(apply, &ends.target_limit);
    if (err == 0)
        err = check_sources(apply);
    if (err == 0)
        err = make_key(apply);
    if (err != 0)
        return err;
    ota_jojodiff_init(&apply->delta, &ends, job->takes_later_format, job->buffer, job->buffer_size);
    err = find_point(apply);
    return err != 0 ? err : begin_buffer(apply);
}

/* ---- steps ------------------------------------------------------------------------------- */

static int feed(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    uint32_t at = apply->delta.at.patch_at;
    if (at - apply->window_at >= apply->window_size) {
        uint32_t left = job->patch_size - at;
        apply->window_at = at;
        apply->window_size = left < OTA_APPLY_WINDOW ? left : OTA_APPLY_WINDOW;
        int err = flash_area_read(&job->patch, at, apply->window, apply->window_size);
        if (err != 0)
            return err;
    }
    uint32_t used = at - apply->window_at;
    int err = ota_jojodiff_write(&apply->delta, apply->window + used, apply->window_size - used);
    return err < 0 ? fail(apply, err, apply->delta.fault) : 1;
}

static int finish(struct ota_apply *apply)
{
    const struct ota_apply_job *job = apply->job;
    int err = ota_jojodiff_finish(&apply->delta);
    if (err != 0)
        return fail(apply, err, apply->delta.fault);
    if (apply->written == 0)
        return fail(apply, OTA_E_IMG_SIZE, "new image is empty");
    return check_digest(apply, &job->target, apply->written, job->target_digest, OTA_E_IMG_HASH,
                        "new image is not what was promised");
}

int ota_apply_step(struct ota_apply *apply)
{
    const struct ota_jojodiff_point *at = &apply->delta.at;
    bool is_over = at->patch_at == apply->job->patch_size && at->copy_left == 0;
    apply->fault = NULL;
    if (apply->fill == apply->room || (is_over && apply->fill > 0))
        return put_buffer(apply);
    if (is_over)
        return finish(apply);
    if (!apply->is_due)
        return feed(apply);
    save_point(apply);
    return 1;
}

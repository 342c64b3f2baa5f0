/* A patch that was made by chance, and a small device to apply it on, for the tests: a base, a
 * place with the patch at its top, and two sectors for points. */
#ifndef NOBRICK_AGENT_DELTA_APPLY_RIG_H
#define NOBRICK_AGENT_DELTA_APPLY_RIG_H

#include "agent/delta/apply.h"
#include "agent/sha256_rig.h"
#include "flashsim/flashsim.h"

#include <string.h>

#define SECTOR     256u
#define AREA       (14u * SECTOR)
#define TARGET     AREA
#define PATCH_MAX  1024u
#define POINT_SIZE (2u * SECTOR)
#define IMAGE_MAX  (AREA - PATCH_MAX - POINT_SIZE)
#define POINTS     (TARGET + IMAGE_MAX)
#define PATCH      (POINTS + POINT_SIZE)
#define APART      (TARGET + AREA) /* where the points could lie as well */
#define TOTAL      (APART + POINT_SIZE)
#define UNIT       16u

/* What a patch turns into what. */
struct sample {
    uint8_t base[AREA];
    uint8_t target[AREA];
    uint8_t patch[PATCH_MAX];
    uint32_t base_size;
    uint32_t target_size;
    uint32_t patch_size;
    uint32_t random;
};

struct rig {
    struct flash_sim *sim;
    struct crypto_port crypto;
    struct ota_apply_job job;
    struct ota_apply apply;
    uint8_t buffer[4u * UNIT];
};

/* ---- patches ------------------------------------------------------------------------------- */

static inline uint32_t next_random(uint32_t *state) /* xorshift, G. Marsaglia */
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline uint32_t below(uint32_t *state, uint32_t limit)
{
    return next_random(state) % limit;
}

static inline void put(struct sample *sample, uint32_t byte)
{
    sample->patch[sample->patch_size++] = (uint8_t)byte;
}

static inline void put_length(struct sample *sample, uint32_t op, uint32_t length)
{
    put(sample, 0xA7);
    put(sample, op);
    if (length <= 252) {
        put(sample, length - 1);
        return;
    }
    put(sample, 253);
    put(sample, length >> 8);
    put(sample, length & 0xFF);
}

/* Data of INS or MOD, full of bytes that must be escaped. */
static inline void put_data(struct sample *sample, uint32_t op, uint32_t length)
{
    put(sample, 0xA7);
    put(sample, op);
    for (uint32_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)(below(&sample->random, 2) == 0 ? next_random(&sample->random)
                                                                : 0xA0 + (i & 7));
        sample->target[sample->target_size++] = byte;
        put(sample, byte);
        if (byte == 0xA7)
            put(sample, byte);
    }
}

/* Operators in any order, so that the target has most of the room that there is. */
static inline void sample_make(struct sample *sample, uint32_t seed)
{
    uint32_t at = 0;
    memset(sample, 0, sizeof *sample);
    sample->random = seed * 2654435761u + 1;
    sample->base_size = IMAGE_MAX - below(&sample->random, 300);
    for (uint32_t i = 0; i < sample->base_size; i++)
        sample->base[i] = (uint8_t)next_random(&sample->random);
    while (sample->patch_size < PATCH_MAX - 110 && sample->target_size < IMAGE_MAX - 50) {
        uint32_t length = 1 + below(&sample->random, 40);
        uint32_t op = 0xA2 + below(&sample->random, 5);
        uint32_t room = IMAGE_MAX - sample->target_size;
        if (op >= 0xA5) {
            put_data(sample, op, length);
            at += op == 0xA6 ? length : 0;
            continue;
        }
        length = 1 + below(&sample->random, 400);
        if (op == 0xA2 && at < length)
            continue;
        if (op != 0xA2 && (at + length > sample->base_size || (op == 0xA3 && length > room)))
            continue;
        put_length(sample, op, length);
        if (op == 0xA3) {
            memcpy(sample->target + sample->target_size, sample->base + at, length);
            sample->target_size += length;
        }
        at = op == 0xA2 ? at - length : at + length;
    }
}

/* ---- the device ---------------------------------------------------------------------------- */

static inline void rig_open(struct rig *rig)
{
    const struct flash_chip chip = {.part = {.name = "rig",
                                             .size = TOTAL,
                                             .runs = {{TOTAL / SECTOR, SECTOR}},
                                             .run_count = 1,
                                             .unit = UNIT,
                                             .programs = 1,
                                             .erased = 0xFF}};
    memset(rig, 0, sizeof *rig);
    rig->sim = flash_sim_memory(&chip, 1);
    assert_non_null(rig->sim);
    const struct flash_port *port = flash_sim_port(rig->sim);
    rig->crypto = (struct crypto_port){NULL, rig_sha256, rig_sha256_flash, NULL};
    rig->job = (struct ota_apply_job){
        .base = {port, 0, AREA},
        .patch = {port, PATCH, PATCH_MAX},
        .target = {port, TARGET, AREA},
        .points = {port, POINTS, POINT_SIZE},
        .crypto = &rig->crypto,
        .buffer = rig->buffer,
        .buffer_size = sizeof rig->buffer,
    };
}

/* Base and patch into flash, their digests into the job; the target holds what was there before. */
static inline void rig_put(struct rig *rig, const struct sample *sample)
{
    uint8_t rest[IMAGE_MAX];
    memset(rest, 0x5A, sizeof rest);
    assert_int_equal(flash_sim_put(rig->sim, 0, sample->base, sample->base_size), 0);
    assert_int_equal(flash_sim_put(rig->sim, TARGET, rest, sizeof rest), 0);
    assert_int_equal(flash_sim_put(rig->sim, PATCH, sample->patch, sample->patch_size), 0);
    rig->job.base_size = sample->base_size;
    rig->job.patch_size = sample->patch_size;
    SHA256(sample->base, sample->base_size, rig->job.base_digest);
    SHA256(sample->patch, sample->patch_size, rig->job.patch_digest);
    SHA256(sample->target, sample->target_size, rig->job.target_digest);
}

/* To the end, from the last point or from the beginning. */
static inline int rig_apply(struct rig *rig)
{
    int err = ota_apply_open(&rig->apply, &rig->job);
    if (err != 0)
        return err;
    for (uint32_t steps = 0; (err = ota_apply_step(&rig->apply)) == 1; steps++)
        assert_true(steps < 10000);
    return err;
}

static inline bool rig_holds(const struct rig *rig, uint32_t address, const void *data,
                             uint32_t size)
{
    uint8_t bytes[AREA];
    assert_int_equal(flash_sim_peek(rig->sim, address, bytes, size), 0);
    return memcmp(bytes, data, size) == 0;
}

/* Nothing but the target and the points was touched, and by the part's rules. */
static inline void rig_is_sound(const struct rig *rig, const struct sample *sample)
{
    struct flash_stats stats;
    assert_true(rig_holds(rig, 0, sample->base, sample->base_size));
    assert_true(rig_holds(rig, PATCH, sample->patch, sample->patch_size));
    flash_sim_stats(rig->sim, &stats);
    assert_int_equal(stats.violations, 0);
}

#endif

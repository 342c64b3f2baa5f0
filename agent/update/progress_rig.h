/* What the tests of progress.c share: a small part of every kind, and a download into it. */
#ifndef NOBRICK_AGENT_UPDATE_PROGRESS_RIG_H
#define NOBRICK_AGENT_UPDATE_PROGRESS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/update/progress.h"
#include "flashsim/flashsim.h"

#include <stdlib.h>
#include <string.h>

/* A small part, the last sectors of which hold the records: every kind of program unit, erased
 * value and write-once rule. */
struct shape {
    struct flash_sector_run runs[3];
    uint32_t area_sectors; /* of the last run */
    uint32_t unit;
    uint32_t page;
    uint8_t erased;
    uint32_t programs;
    uint32_t ecc;
    uint32_t total;
};

static const struct shape shapes[] = {
    {{{16, 4096}}, 2, 1, 256, 0xFF, FLASH_PROGRAMS_ANY, 0, 40000},
    {{{12, 4096}, {3, 256}}, 3, 2, 0, 0xFF, 1, 0, 4096 * 9},
    {{{12, 4096}}, 2, 4, 0, 0xFF, 2, 0, 33333},
    {{{16, 3072}}, 2, 4, 0, 0xFF, 1, 0, 30000}, /* chunks and sectors do not match */
    {{{24, 2048}}, 2, 8, 0, 0xFF, 1, 8, 25001},
    {{{2, 16384}, {4, 4096}}, 2, 16, 0, 0xFF, 1, 16, 37000},
    {{{10, 4096}}, 3, 32, 0, 0xFF, 1, 32, 20480},
    {{{96, 512}}, 2, 512, 512, 0x00, 1, 0, 30000},
    {{{96, 512}}, 3, 512, 512, 0x00, FLASH_PROGRAMS_ANY, 0, 28672 + 513},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

#define CHUNK     OTA_PROGRESS_STEP
#define IMAGE_MAX 65536u

struct bench {
    struct flash_sim *sim;
    struct flash_area area;
    struct flash_area slot;
    struct ota_progress progress;
    uint32_t unit;
    uint8_t erased;
    uint32_t total;
    uint8_t image[IMAGE_MAX];
    uint32_t cut_at;
    enum flash_tear cut;
    bool misfit;         /* that tear does not fit there: the run was ended instead */
    uint32_t records;    /* operations in the area */
    uint32_t programmed; /* bytes in the slot, since the last power_on */
};

static const uint8_t key_a[32] = {1, 2, 3};
static const uint8_t key_b[32] = {4};
static const struct img_version v2 = {2, 0, 0, 0};

static inline enum flash_tear observe(void *context, struct flash_sim *sim,
                                      const struct flash_op *op)
{
    struct bench *bench = context;
    enum flash_tear fitting[FLASH_TEAR_COUNT];
    if (op->address >= bench->area.address)
        bench->records++;
    else if (op->kind == FLASH_OP_PROGRAM)
        bench->programmed += op->length;
    if (op->index != bench->cut_at)
        return FLASH_TEAR_NONE;
    for (size_t i = flash_sim_tears(sim, op, fitting); i > 0; i--)
        if (fitting[i - 1] == bench->cut)
            return bench->cut;
    bench->misfit = true;
    return FLASH_TEAR_BEFORE;
}

/* The image to fetch: made once, for there are many benches. */
static inline const uint8_t *bench_image(uint8_t erased)
{
    static uint8_t images[2][IMAGE_MAX];
    uint8_t *image = images[erased == 0xFF];
    if (image[1] == 0) {
        for (uint32_t i = 0; i < IMAGE_MAX; i++)
            image[i] = (uint8_t)(i * 13 + i / 251);
        memset(image + CHUNK, erased, CHUNK); /* looks like flash never written */
    }
    return image;
}

/* A slot full of something older, and an image to fetch. */
static inline void bench_new(struct bench *bench, const struct shape *shape)
{
    struct flash_chip chip = {.part = {.name = "shape",
                                       .unit = shape->unit,
                                       .page = shape->page,
                                       .erased = shape->erased,
                                       .programs = shape->programs,
                                       .ecc = shape->ecc}};
    uint32_t last = 0;
    memset(bench, 0, sizeof *bench);
    for (size_t i = 0; i < 3 && shape->runs[i].count != 0; i++) {
        chip.part.runs[i] = shape->runs[i];
        chip.part.run_count++;
        chip.part.size += shape->runs[i].count * shape->runs[i].size;
        last = shape->runs[i].size;
    }
    bench->sim = flash_sim_memory(&chip, 1);
    assert_non_null(bench->sim);
    const struct flash_port *port = flash_sim_port(bench->sim);
    uint32_t area_size = shape->area_sectors * last;
    bench->slot = (struct flash_area){port, 0, chip.part.size - area_size};
    bench->area = (struct flash_area){port, bench->slot.size, area_size};
    bench->unit = shape->unit;
    bench->erased = shape->erased;
    bench->total = shape->total;
    bench->cut_at = UINT32_MAX;
    memcpy(bench->image, bench_image(shape->erased), IMAGE_MAX);
    assert_int_equal(flash_sim_put(bench->sim, 0, bench->image + 100, bench->slot.size - 100), 0);
    flash_sim_observe(bench->sim, observe, bench);
    flash_sim_restart_count(bench->sim);
    assert_int_equal(ota_progress_open(&bench->progress, &bench->area, &bench->slot), 0);
}

static inline void bench_free(struct bench *bench)
{
    assert_string_equal(flash_sim_violation(bench->sim), "");
    flash_sim_close(bench->sim);
}

/* As after a reset. */
static inline void reopen(struct bench *bench)
{
    flash_sim_power_on(bench->sim);
    bench->cut_at = UINT32_MAX;
    bench->programmed = 0;
    assert_int_equal(ota_progress_open(&bench->progress, &bench->area, &bench->slot), 0);
}

static inline int erase_all(struct bench *bench)
{
    int more;
    do {
        more = ota_progress_erase(&bench->progress);
    } while (more == 1);
    return more;
}

static inline int program(struct bench *bench, uint32_t offset, uint32_t length)
{
    uint8_t units[CHUNK];
    uint32_t padded = (length + bench->unit - 1) / bench->unit * bench->unit;
    memset(units, bench->erased, sizeof units);
    memcpy(units, bench->image + offset, length);
    return flash_area_program(&bench->slot, offset, units, padded);
}

static inline int fetch(struct bench *bench, uint32_t offset)
{
    uint32_t length = bench->total - offset < CHUNK ? bench->total - offset : CHUNK;
    int error = program(bench, offset, length);
    return error != 0 ? error : ota_progress_note(&bench->progress, offset, length);
}

enum order { FORWARD, BACKWARD, MIXED, ORDERS };

/* The `n`th chunk of `count` to be fetched. */
static inline uint32_t chunk_at(enum order order, uint32_t n, uint32_t count)
{
    if (order == BACKWARD)
        return count - 1 - n;
    uint32_t stride = 5;
    while (count % stride == 0)
        stride += 2;
    return order == FORWARD ? n : n * stride % count;
}

/* One session: from the accepted offer until nothing is missing, or a failure. */
static inline int session(struct bench *bench, const uint8_t *key, enum order order)
{
    struct ota_progress *progress = &bench->progress;
    uint32_t count = (bench->total + CHUNK - 1) / CHUNK;
    int error = ota_progress_start(progress, key, &v2);
    if (error == 0)
        error = erase_all(bench);
    if (error == 0)
        error = ota_progress_expect(progress, bench->total, "\"tag\"");
    for (uint32_t n = 0; n < count && error == 0; n++) {
        uint32_t offset = chunk_at(order, n, count) * CHUNK;
        if (!ota_progress_has(progress, offset))
            error = fetch(bench, offset);
    }
    return error;
}

/* RESM-03: every byte that counts as fetched is in the slot and can be read. */
static inline void assert_true_progress(struct bench *bench)
{
    for (uint32_t at = 0; at < bench->total; at += CHUNK) {
        uint8_t bytes[CHUNK];
        uint32_t length = bench->total - at < CHUNK ? bench->total - at : CHUNK;
        bool has = ota_progress_has(&bench->progress, at);
        assert_int_equal(ota_progress_has(&bench->progress, at + length - 1), has);
        if (!has)
            continue;
        assert_int_equal(flash_area_read(&bench->slot, at, bytes, length), 0);
        assert_memory_equal(bytes, bench->image + at, length);
    }
}

static inline void assert_whole(struct bench *bench)
{
    uint8_t bytes[IMAGE_MAX];
    assert_int_equal(flash_area_read(&bench->slot, 0, bytes, bench->total), 0);
    assert_memory_equal(bytes, bench->image, bench->total);
    uint32_t behind = (bench->total + bench->unit - 1) / bench->unit * bench->unit;
    assert_int_equal(flash_area_is_erased(&bench->slot, behind, bench->slot.size - behind), 1);
}

#endif

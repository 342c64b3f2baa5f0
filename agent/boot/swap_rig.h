/* For the tests of the schemes that swap by way of scratch: a small device on simulated flash, and
 * a search through every flash state that any number of power cuts can reach. */
#ifndef NOBRICK_AGENT_BOOT_SWAP_RIG_H
#define NOBRICK_AGENT_BOOT_SWAP_RIG_H

#include "agent/boot/boot.h"
#include "agent/boot/mix_rig.h"
#include "agent/image/status.h"
#include "flashsim/flashsim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_IMAGE_MAX 4096u

/* One chip with primary, scratch and status; the secondary on a chip of its own. */
struct rig_shape {
    const char *name;
    const struct boot_scheme *scheme;
    uint32_t sector; /* of the first chip, in bytes */
    uint32_t other;  /* of the secondary's chip */
    uint32_t unit;
    uint8_t erased;
    uint32_t ecc;
    uint32_t slot; /* bytes */
    uint32_t scratch;
    uint32_t status;
    struct img_trailer_format format;
};

struct rig_image {
    uint8_t bytes[RIG_IMAGE_MAX];
    uint32_t end;
};

struct rig {
    const struct rig_shape *shape;
    struct flash_sim *sim;
    struct crypto_port crypto;
    struct boot_config config;
    uint8_t buffer[512];
    struct rig_image images[3]; /* by major version; 0 is not used */
};

static inline int rig_sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                                   uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    static uint8_t bytes[RIG_IMAGE_MAX];
    (void)context;
    assert_true(length <= sizeof bytes);
    int err = flash->read(flash->context, address, bytes, length);
    rig_mix(bytes, length, digest);
    return err;
}

static inline struct flash_part rig_part(const struct rig_shape *shape, uint32_t sector,
                                         uint32_t size)
{
    return (struct flash_part){.name = "rig",
                               .size = size,
                               .runs = {{size / sector, sector}},
                               .run_count = 1,
                               .unit = shape->unit,
                               .erased = shape->erased,
                               .programs = 1,
                               .ecc = shape->ecc};
}

/* `config.format` and the scheme's verdict are the shape's; nothing lies in flash. */
static inline struct rig *rig_new(const struct rig_shape *shape)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    uint32_t first = shape->slot + shape->scratch + shape->status;
    const struct flash_chip chips[2] = {
        {rig_part(shape, shape->sector, first), 0},
        {rig_part(shape, shape->other, shape->slot), first},
    };
    rig->shape = shape;
    rig->sim = flash_sim_memory(chips, 2);
    assert_non_null(rig->sim);
    rig->crypto = (struct crypto_port){rig, rig_sha256, rig_sha256_flash, rig_verify};
    const struct flash_port *flash = flash_sim_port(rig->sim);
    rig->config = (struct boot_config){
        .scheme = shape->scheme,
        .primary = {flash, 0, shape->slot},
        .secondary = {flash, first, shape->slot},
        .scratch = {flash, shape->slot, shape->scratch},
        .format = shape->format,
        .validate_primary = true,
        .refuse_older_version = true,
        .buffer = rig->buffer,
        .buffer_size = sizeof rig->buffer,
        .crypto = &rig->crypto,
    };
    if (shape->status != 0) {
        rig->config.format.status =
            (struct flash_area){flash, shape->slot + shape->scratch, shape->status};
        rig->config.format.in_status = &img_in_status;
    }
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    flash_sim_close(rig->sim);
    free(rig);
}

/* 0, or why the loader's configuration is refused, which says `word`. */
static inline int rig_refused(struct rig_shape shape, const char *word)
{
    const char *reason = "";
    struct rig *rig = rig_new(&shape);
    int err = boot_check_config(&rig->config, &reason);
    if (err != 0)
        assert_non_null(strstr(reason, word));
    rig_free(rig);
    return err;
}

static inline void rig_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* An unsigned image of `major`.0.0 that ends at `end`, put into the slot. */
static inline void rig_put_image(struct rig *rig, const struct flash_area *slot, uint8_t major,
                                 uint32_t end)
{
    struct rig_image *image = &rig->images[major];
    uint8_t *at = image->bytes;
    uint32_t payload = end - IMG_HEADER_SIZE - 40;
    memset(at, 0, IMG_HEADER_SIZE);
    rig_put32(at, IMG_MAGIC);
    at[8] = IMG_HEADER_SIZE;
    rig_put32(at + 12, payload);
    at[20] = major;
    for (uint32_t i = 0; i < payload; i++)
        at[IMG_HEADER_SIZE + i] = (uint8_t)(major * 31u + i * 7u + (i >> 8) * 3u);
    uint8_t *tlv = at + IMG_HEADER_SIZE + payload;
    rig_put32(tlv, IMG_TLV_MAGIC | 40u << 16);
    rig_put32(tlv + 4, IMG_TLV_SHA256 | CRYPTO_SHA256_SIZE << 16);
    rig_mix(at, (size_t)(tlv - at), tlv + 8);
    image->end = end;
    assert_int_equal(flash_sim_put(rig->sim, slot->address, at, end), 0);
}

/* v1 runs, v2 lies in the secondary slot and is asked for. */
static inline void rig_pend(struct rig *rig, uint32_t old_end, uint32_t new_end, bool permanent)
{
    rig_put_image(rig, &rig->config.primary, 1, old_end);
    rig_put_image(rig, &rig->config.secondary, 2, new_end);
    assert_int_equal(img_set_pending(&rig->config.secondary, &rig->config.format, permanent), 0);
}

static inline bool rig_holds(const struct rig *rig, const struct flash_area *slot, uint8_t major)
{
    uint8_t bytes[RIG_IMAGE_MAX];
    const struct rig_image *image = &rig->images[major];
    assert_int_equal(flash_sim_peek(rig->sim, slot->address, bytes, image->end), 0);
    return memcmp(bytes, image->bytes, image->end) == 0;
}

static inline struct boot_result rig_boot(struct rig *rig, uint8_t major)
{
    struct boot_result result;
    assert_int_equal(boot_go(&rig->config, &result), 0);
    assert_string_equal(flash_sim_violation(rig->sim), "");
    assert_int_equal(result.image.header.version.major, major);
    assert_true(rig_holds(rig, &rig->config.primary, major));
    return result;
}

/* ---- the search -------------------------------------------------------------------------- */

#define RIG_STATES  40000u
#define RIG_BUCKETS 131072u
#define RIG_MOMENTS 1024u
#define RIG_WILD    1u /* the first cuts, among any number, that may tear in any way */

/* How a state came about. */
struct rig_way {
    enum flash_tear tear; /* NONE: by a boot without a cut */
    struct flash_op op;   /* that was cut; without its data */
};

static const struct rig_way rig_booted = {.tear = FLASH_TEAR_NONE};

struct rig_state {
    struct flash_snapshot *content;
    unsigned cuts; /* the fewest that lead here */
    bool done;
    size_t next; /* after a boot without a cut */
    size_t from; /* the boot that was cut, or led here; itself: the beginning */
    struct rig_way way;
    uint8_t major;
    bool trial;
};

struct rig_moment {
    struct flash_op op;
    uint8_t data[512];
    struct flash_snapshot *before;
    enum flash_tear tears[FLASH_TEAR_COUNT];
    size_t tear_count;
};

struct rig_search {
    struct rig *rig;
    bool torn; /* the first cut in any way, all others plainly; false: clean cuts */
    struct rig_state *states;
    size_t count;
    size_t *buckets; /* index + 1 */
    struct rig_moment *moments;
    size_t moment_count;
    unsigned depth;
};

static inline enum flash_tear rig_collect(void *context, struct flash_sim *sim,
                                          const struct flash_op *op)
{
    struct rig_search *search = context;
    assert_true(search->moment_count < RIG_MOMENTS);
    struct rig_moment *moment = &search->moments[search->moment_count++];
    moment->op = *op;
    if (op->data != NULL) {
        assert_true(op->length <= sizeof moment->data);
        memcpy(moment->data, op->data, op->length);
        moment->op.data = moment->data;
    }
    moment->tear_count = flash_sim_tears(sim, op, moment->tears);
    moment->before = flash_sim_snapshot(sim);
    assert_non_null(moment->before);
    return FLASH_TEAR_NONE;
}

static inline enum flash_tear rig_force(void *context, struct flash_sim *sim,
                                        const struct flash_op *op)
{
    (void)sim, (void)op;
    return *(const enum flash_tear *)context;
}

/* The state that flash is in now; new ones are added. */
static inline size_t rig_state(struct rig_search *search, unsigned cuts, size_t from,
                               const struct rig_way *way)
{
    struct flash_sim *sim = search->rig->sim;
    uint64_t print = flash_sim_fingerprint(sim, 0, flash_sim_size(sim));
    size_t bucket = (size_t)(print % RIG_BUCKETS);
    for (; search->buckets[bucket] != 0; bucket = (bucket + 1) % RIG_BUCKETS) {
        struct rig_state *state = &search->states[search->buckets[bucket] - 1];
        if (!flash_sim_equals(sim, state->content))
            continue;
        if (cuts < state->cuts) {
            state->cuts = cuts;
            state->from = from;
            state->way = *way;
        }
        return search->buckets[bucket] - 1;
    }
    assert_true(search->count < RIG_STATES);
    search->states[search->count] = (struct rig_state){
        .content = flash_sim_snapshot(sim), .cuts = cuts, .from = from, .way = *way};
    search->buckets[bucket] = ++search->count;
    return search->count - 1;
}

/* Clean, a prefix of the units, half of a sector. The other tears leave what multiplies: garbage in
 * any of a trailer's entries, an erase that stopped in any of ten places of each sector. */
static inline bool rig_is_plain(enum flash_tear tear)
{
    return tear <= FLASH_TEAR_LAST || tear == FLASH_TEAR_LOWER || tear == FLASH_TEAR_UPPER ||
           tear == FLASH_TEAR_AFTER;
}

static inline void rig_cut(struct rig_search *search, struct rig_moment *moment,
                           enum flash_tear tear, size_t from)
{
    unsigned cuts = search->states[from].cuts + 1;
    const struct rig_way way = {tear, moment->op};
    struct flash_sim *sim = search->rig->sim;
    const struct flash_port *port = flash_sim_port(sim);
    if (!search->torn && tear != FLASH_TEAR_BEFORE && tear != FLASH_TEAR_AFTER)
        return;
    if (cuts > RIG_WILD && !rig_is_plain(tear))
        return;
    flash_sim_restore(sim, moment->before);
    flash_sim_observe(sim, rig_force, &tear);
    int err = moment->op.kind == FLASH_OP_ERASE ? port->erase(port->context, moment->op.address)
                                                : port->program(port->context, moment->op.address,
                                                                moment->op.data, moment->op.length);
    assert_int_equal(err, OTA_E_POWER);
    flash_sim_observe(sim, NULL, NULL);
    flash_sim_power_on(sim);
    (void)rig_state(search, cuts, from, &way);
}

/* Boots once from the state; every way to cut that boot is a state, and so is its end. */
static inline void rig_expand(struct rig_search *search, size_t index)
{
    struct rig *rig = search->rig;
    struct boot_result result;
    struct rig_state *state = &search->states[index];
    state->done = true;
    search->moment_count = 0;
    flash_sim_restore(rig->sim, state->content);
    flash_sim_restart_count(rig->sim);
    flash_sim_observe(rig->sim, rig_collect, search);
    assert_int_equal(boot_go(&rig->config, &result), 0);
    flash_sim_observe(rig->sim, NULL, NULL);
    assert_string_equal(flash_sim_violation(rig->sim), "");
    state->major = result.image.header.version.major;
    state->trial = result.trial;
    assert_true(rig_holds(rig, &rig->config.primary, state->major));
    state->next = rig_state(search, state->cuts, index, &rig_booted);
    for (size_t i = 0; i < search->moment_count; i++) {
        for (size_t t = 0; t < search->moments[i].tear_count; t++)
            rig_cut(search, &search->moments[i], search->moments[i].tears[t], index);
        flash_snapshot_free(rig->sim, search->moments[i].before);
    }
}

/* How the state came about, the last step first. */
static inline void rig_tell(const struct rig_search *search, size_t index)
{
    for (; index != 0; index = search->states[index].from) {
        const struct rig_way *way = &search->states[index].way;
        fprintf(stderr, "%s: ", search->rig->shape->name);
        if (way->tear == FLASH_TEAR_NONE)
            fprintf(stderr, "boot\n");
        else
            fprintf(stderr, "cut %u %s: %s 0x%x %u\n", way->op.index, flash_tear_word(way->tear),
                    way->op.kind == FLASH_OP_ERASE ? "erase" : "program", way->op.address,
                    way->op.length);
    }
}

/* From the present content: every state that cuts can reach is booted, none fails to boot, and
 * without further cuts all end with `major`, for good. Returns how many cuts the deepest takes. */
static inline unsigned rig_close(struct rig *rig, bool torn, uint8_t major, size_t *states)
{
    struct rig_search search = {.rig = rig, .torn = torn};
    search.states = calloc(RIG_STATES, sizeof *search.states);
    search.buckets = calloc(RIG_BUCKETS, sizeof *search.buckets);
    search.moments = calloc(RIG_MOMENTS, sizeof *search.moments);
    assert_true(search.states != NULL && search.buckets != NULL && search.moments != NULL);
    (void)rig_state(&search, 0, 0, &rig_booted);
    for (unsigned cuts = 0, open = 1; open; cuts++) {
        open = 0;
        for (bool found = true; found;) { /* boots without a cut may lead to more of this depth */
            found = false;
            for (size_t i = 0; i < search.count; i++) {
                if (search.states[i].done || search.states[i].cuts > cuts)
                    continue;
                rig_expand(&search, i);
                search.depth = cuts;
                found = true;
            }
        }
        for (size_t i = 0; i < search.count; i++)
            open |= !search.states[i].done;
    }
    for (size_t i = 0; i < search.count; i++) {
        size_t at = i;
        for (int boot = 0; boot < 8 && search.states[at].next != at; boot++)
            at = search.states[at].next;
        if (search.states[at].next != at || search.states[at].major != major ||
            search.states[at].trial)
            rig_tell(&search, i);
        assert_int_equal(search.states[at].next, at);
        assert_int_equal(search.states[at].major, major);
        assert_false(search.states[at].trial);
    }
    for (size_t i = 0; i < search.count; i++)
        flash_snapshot_free(rig->sim, search.states[i].content);
    *states = search.count;
    free(search.states);
    free(search.buckets);
    free(search.moments);
    return search.depth;
}

/* Both requests, for each pair of ends of v1 and v2 (0: the largest image). `deepest`: after so
 * many clean cuts there is nothing new. A loader that goes on where it was needs one. */
static inline void rig_close_sizes(const struct rig_shape *shape, bool torn, unsigned deepest,
                                   const uint32_t (*sizes)[2], size_t count)
{
    for (size_t i = 0; i < 2 * count; i++) {
        struct rig *rig = rig_new(shape);
        uint32_t most = shape->scheme->max_end(&rig->config);
        const uint32_t *ends = sizes[i / 2];
        bool permanent = i % 2 != 0;
        size_t states;
        rig_pend(rig, ends[0] != 0 ? ends[0] : most, ends[1] != 0 ? ends[1] : most, permanent);
        unsigned depth = rig_close(rig, torn, permanent ? 2 : 1, &states);
        if (getenv("RIG_VERBOSE") != NULL)
            printf("%s: %u to %u, %s: %zu states, depth %u\n", shape->name, ends[0], ends[1],
                   permanent ? "permanent" : "test", states, depth);
        assert_true(depth >= 1 && (torn || depth <= deepest));
        rig_free(rig);
    }
}

/* The same for images between sectors, on each shape; two pairs of ends when torn, which is slow.
 */
static inline void rig_close_all(const struct rig_shape *shapes, size_t count, bool torn)
{
    static const uint32_t sizes[][2] = {{500, 0}, {300, 700}, {0, 500}, {500, 500}, {700, 300}};
    for (size_t i = 0; i < count; i++)
        rig_close_sizes(&shapes[i], torn, 1, sizes, torn ? 2 : 5);
}

#endif

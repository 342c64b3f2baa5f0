/* Operations on a few parts, what a simulator of the part makes of them, and how a guest stores
 * them: for the tests of the watch, without QEMU and in it. */
#ifndef NOBRICK_SIM_CORTEXM_PLUGIN_WATCH_RIG_H
#define NOBRICK_SIM_CORTEXM_PLUGIN_WATCH_RIG_H

#include "sim/cortexm/host/plugin/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RIG_TEXT  4096
#define RIG_OPS   12
#define RIG_BYTES 4096

struct rig_part {
    const char *name;
    uint32_t size;  /* five sectors or more */
    uint32_t width; /* of the guest's stores */
};

/* Serial NOR by bytes; rows that erase to 0x00; write-once double words with ecc; words of 32 with
 * ecc. */
static const struct rig_part rig_parts[] = {
    {"mk3060-nor", 0x8000, 1},
    {"psoc6-internal", 0x1000, 4},
    {"stm32l4", 0x4000, 8},
    {"stm32h743", 0xA0000, 4},
};
#define RIG_PARTS (sizeof rig_parts / sizeof rig_parts[0])

struct rig_op {
    enum flash_op_kind kind;
    uint32_t address;
    uint32_t length;
    uint8_t data[RIG_BYTES]; /* of a program */
};

/* What one side made of the operations. */
struct rig_outcome {
    char journal[RIG_TEXT];
    char events[RIG_TEXT];
    uint8_t *bytes; /* the flash */
};

struct rig {
    struct plugin_options options; /* chip, cut */
    const struct rig_part *part;
    struct flash_sector sector; /* the first */
    uint8_t *first;             /* what the flash holds before */
    struct rig_op ops[RIG_OPS];
    size_t op_count;
    struct flash_sim *reference;
    struct rig_outcome wanted;
    struct rig_outcome got;
    uint32_t operations;
    bool is_off;
};

static inline void rig_append(char *text, const char *line)
{
    size_t length = strlen(text);
    int n = snprintf(text + length, RIG_TEXT - length, "%s\n", line);
    assert_true(n > 0 && (size_t)n < RIG_TEXT - length);
}

/* ---- operations -------------------------------------------------------------------------- */

static inline uint8_t rig_byte(uint32_t seed, uint32_t i)
{
    return (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
}

static inline struct rig_op *rig_add(struct rig *rig, enum flash_op_kind kind, uint32_t address,
                                     uint32_t length)
{
    assert_true(rig->op_count < RIG_OPS && length <= RIG_BYTES + rig->sector.size);
    struct rig_op *op = &rig->ops[rig->op_count++];
    *op = (struct rig_op){.kind = kind, .address = address, .length = length};
    for (uint32_t i = 0; kind == FLASH_OP_PROGRAM && i < length; i++)
        op->data[i] = rig_byte((uint32_t)rig->op_count, i);
    return op;
}

/* Programs and erases that an onlooker can tell apart: none goes on where the one before ended, and
 * none leaves everything as it was. */
static inline void rig_add_distinct(struct rig *rig)
{
    uint32_t sector = rig->sector.size;
    uint32_t unit = rig->sector.unit;
    uint32_t length = unit < 8 ? 40 : unit < 64 ? 5 * unit : unit;
    rig_add(rig, FLASH_OP_PROGRAM, 0, length);
    rig_add(rig, FLASH_OP_ERASE, sector, sector);
    rig_add(rig, FLASH_OP_PROGRAM, 2 * sector - length, length);
    rig_add(rig, FLASH_OP_PROGRAM, 2 * sector, length);
    rig_add(rig, FLASH_OP_ERASE, 3 * sector, sector);
    struct rig_op *padded = rig_add(rig, FLASH_OP_PROGRAM, 3 * sector, length);
    memset(padded->data, rig->sector.erased, length / 2 / unit * unit);
    rig_add(rig, FLASH_OP_PROGRAM, 4 * sector, unit);
    rig_add(rig, FLASH_OP_ERASE, 0, sector);
}

/* Those that only a driver that rings can tell: one goes on where another ended, some change
 * nothing.
 */
static inline void rig_add_ambiguous(struct rig *rig)
{
    uint32_t sector = rig->sector.size;
    uint32_t unit = rig->sector.unit;
    rig_add(rig, FLASH_OP_ERASE, 0, sector);
    rig_add(rig, FLASH_OP_ERASE, 0, sector);
    struct rig_op *blank = rig_add(rig, FLASH_OP_PROGRAM, 4 * sector, unit);
    memset(blank->data, rig->sector.erased, unit);
    rig_add(rig, FLASH_OP_PROGRAM, 4 * sector + unit, unit);
    rig_add(rig, FLASH_OP_PROGRAM, 4 * sector + 2 * unit, unit);
    rig_add(rig, FLASH_OP_ERASE, 3 * sector, sector);
    rig_add(rig, FLASH_OP_ERASE, 4 * sector, sector);
}

/* ---- the simulator's side ---------------------------------------------------------------- */

static inline enum flash_tear rig_cut(void *context, const struct flash_op *op, uint32_t number)
{
    const struct plugin_options *options = &((struct rig *)context)->options;
    (void)op;
    return options->cut == PLUGIN_CUT_OPERATION && number == options->cut_number ? options->cut_tear
                                                                                 : FLASH_TEAR_NONE;
}

static inline void rig_journal(void *context, const char *line)
{
    rig_append(((struct rig *)context)->wanted.journal, line);
}

static inline void rig_event(void *context, const char *line, int code)
{
    (void)code;
    rig_append(((struct rig *)context)->wanted.events, line);
}

static inline void rig_power_off(void *context)
{
    ((struct rig *)context)->is_off = true;
}

static inline void rig_clear(struct rig_outcome *outcome, uint32_t size)
{
    outcome->journal[0] = '\0';
    outcome->events[0] = '\0';
    if (outcome->bytes == NULL)
        outcome->bytes = malloc(size);
    assert_non_null(outcome->bytes);
}

/* Fills `wanted`; with a cut, the operations end there. */
static inline void rig_reference(struct rig *rig)
{
    uint32_t size = rig->options.chips[0].part.size;
    rig_clear(&rig->wanted, size);
    if (rig->reference != NULL)
        flash_sim_close(rig->reference);
    rig->reference = flash_sim_memory(rig->options.chips, 1);
    assert_non_null(rig->reference);
    assert_int_equal(flash_sim_put(rig->reference, 0, rig->first, size), 0);
    rig->operations = 0;
    rig->is_off = false;
    struct sim_device_flash flash = {.sim = rig->reference,
                                     .operations = &rig->operations,
                                     .cut = rig_cut,
                                     .journal = rig_journal,
                                     .event = rig_event,
                                     .power_off = rig_power_off,
                                     .context = rig};
    sim_device_flash_init(&flash);
    for (size_t i = 0; i < rig->op_count && !rig->is_off; i++) {
        const struct rig_op *op = &rig->ops[i];
        int result = op->kind == FLASH_OP_ERASE
                         ? flash.port.erase(&flash, op->address)
                         : flash.port.program(&flash, op->address, op->data, op->length);
        assert_true(result == 0 || rig->is_off);
    }
    assert_int_equal(flash_sim_peek(rig->reference, 0, rig->wanted.bytes, size), 0);
}

/* ---- set-up ------------------------------------------------------------------------------ */

static inline const char *rig_data(void)
{
    const char *data = getenv("NOBRICK_DATA");
    return data != NULL ? data : "scenarios";
}

/* Sectors 1 and 3 hold something before. */
static inline struct rig *rig_new(const struct rig_part *part)
{
    struct rig *rig = calloc(1, sizeof *rig);
    char parts[512];
    char name[80];
    char why[200];
    assert_non_null(rig);
    snprintf(parts, sizeof parts, "parts=%s/parts", rig_data());
    snprintf(name, sizeof name, "part=%s:%u", part->name, part->size);
    char *const arguments[] = {(char *)"flash=none", parts, name};
    rig->part = part;
    if (plugin_options_parse(&rig->options, 3, arguments, why, sizeof why) != 0)
        fail_msg("%s", why);
    struct flash_sim *sim = flash_sim_memory(rig->options.chips, 1);
    assert_non_null(sim);
    const struct flash_port *port = flash_sim_port(sim);
    assert_int_equal(port->sector(port->context, 0, &rig->sector), 0);
    rig->first = malloc(part->size);
    assert_non_null(rig->first);
    flash_sim_close(sim);
    memset(rig->first, rig->sector.erased, part->size);
    for (uint32_t i = 0; i < rig->sector.size; i++) {
        rig->first[rig->sector.size + i] = rig_byte(91, i);
        rig->first[3 * rig->sector.size + i] = rig_byte(93, i);
    }
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    if (rig->reference != NULL)
        flash_sim_close(rig->reference);
    free(rig->wanted.bytes);
    free(rig->got.bytes);
    free(rig->first);
    free(rig);
}

/* Both sides made the same of it. */
static inline void rig_compare(const struct rig *rig)
{
    assert_string_equal(rig->got.journal, rig->wanted.journal);
    assert_string_equal(rig->got.events, rig->wanted.events);
    assert_memory_equal(rig->got.bytes, rig->wanted.bytes, rig->part->size);
}

#endif

#include "flashsim/store.h"

#include <string.h>

static const char *const words[FLASH_TEAR_COUNT] = {
    [FLASH_TEAR_NONE] = "none",           [FLASH_TEAR_BEFORE] = "before",
    [FLASH_TEAR_FIRST] = "first",         [FLASH_TEAR_HALF] = "half",
    [FLASH_TEAR_LAST] = "last",           [FLASH_TEAR_BITS_ODD] = "bits-odd",
    [FLASH_TEAR_BITS_EVEN] = "bits-even", [FLASH_TEAR_BIT0] = "bit0",
    [FLASH_TEAR_FAULT] = "fault",         [FLASH_TEAR_LOWER] = "lower",
    [FLASH_TEAR_UPPER] = "upper",         [FLASH_TEAR_ERASE_FAULT] = "erase-fault",
    [FLASH_TEAR_AFTER] = "after",
};

const char *flash_tear_word(enum flash_tear tear)
{
    return (unsigned)tear < FLASH_TEAR_COUNT ? words[tear] : NULL;
}

enum flash_tear flash_tear_from_word(const char *word, size_t length)
{
    for (unsigned i = 0; i < FLASH_TEAR_COUNT; i++) {
        if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0) {
            return (enum flash_tear)i;
        }
    }
    return FLASH_TEAR_COUNT;
}

bool flash_tear_program(const struct flash_part *part, uint32_t length, enum flash_tear tear,
                        struct flash_torn_program *out)
{
    uint32_t unit = part->unit;
    uint32_t units = length / unit;
    uint32_t half = units / 2 * unit;
    *out = (struct flash_torn_program){0};
    switch (tear) {
    case FLASH_TEAR_NONE:
    case FLASH_TEAR_AFTER:
        out->whole = length;
        return true;
    case FLASH_TEAR_BEFORE:
        return true;
    case FLASH_TEAR_FIRST:
        out->whole = unit;
        return units > 1;
    case FLASH_TEAR_HALF:
        out->whole = half;
        return units > 2;
    case FLASH_TEAR_LAST:
        out->whole = length - unit;
        return units > 1;
    case FLASH_TEAR_BITS_ODD:
        *out = (struct flash_torn_program){.whole = half, .torn = unit, .mask = 0xAA};
        return true;
    case FLASH_TEAR_BITS_EVEN:
        *out = (struct flash_torn_program){.whole = half, .torn = unit, .mask = 0x55};
        return true;
    case FLASH_TEAR_BIT0:
        *out = (struct flash_torn_program){.whole = half, .torn = unit, .mask = 0xFE};
        return true;
    case FLASH_TEAR_FAULT:
        *out = (struct flash_torn_program){.whole = half, .torn = unit, .fault = true};
        return part->ecc != 0;
    default:
        return false;
    }
}

bool flash_tear_erase(const struct flash_part *part, uint32_t sector_size, enum flash_tear tear,
                      struct flash_torn_erase *out)
{
    *out = (struct flash_torn_erase){0};
    switch (tear) {
    case FLASH_TEAR_NONE:
    case FLASH_TEAR_AFTER:
        out->to = sector_size;
        return true;
    case FLASH_TEAR_BEFORE:
        return true;
    case FLASH_TEAR_LOWER:
        out->to = sector_size / 2;
        return true;
    case FLASH_TEAR_UPPER:
        *out = (struct flash_torn_erase){.from = sector_size / 2, .to = sector_size};
        return true;
    case FLASH_TEAR_ERASE_FAULT:
        *out = (struct flash_torn_erase){.to = sector_size / 2, .fault = true};
        return part->ecc != 0;
    default:
        return false;
    }
}

/* ---- which tears make sense ---- */

/* Would programming [from, to) of the operation, the bits of `mask` only, change anything? */
static bool changes(const struct flash_sim *sim, const struct flash_op *op, uint32_t from,
                    uint32_t to, uint8_t mask)
{
    while (from < to) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, op->address + from, to - from, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        const uint8_t *old = view.bytes + piece.offset;
        const uint8_t *new = op->data + from;
        if (mask == 0xFF) {
            if (memcmp(old, new, piece.length) != 0) {
                return true;
            }
        } else {
            uint8_t bits = 0;
            for (uint32_t i = 0; i < piece.length; i++) {
                bits |= (uint8_t)(old[i] ^ new[i]);
            }
            if ((bits & mask) != 0) {
                return true;
            }
        }
        from += piece.length;
    }
    return false;
}

static bool program_outcomes_differ(const struct flash_sim *sim, const struct flash_op *op,
                                    const struct flash_torn_program *a,
                                    const struct flash_torn_program *b)
{
    if (a->fault || b->fault) {
        return a->fault != b->fault;
    }
    if (a->whole > b->whole) {
        const struct flash_torn_program *swap = a;
        a = b;
        b = swap;
    }
    uint8_t b_mask = b->torn != 0 ? b->mask : 0;
    uint8_t a_mask = a->torn != 0 ? a->mask : 0;
    uint32_t a_unit_end = a->whole + (a->torn != 0 ? a->torn : b->torn);
    if (a->whole == b->whole) {
        return changes(sim, op, a->whole, a_unit_end, (uint8_t)(a_mask ^ b_mask));
    }
    if (a->torn == 0) {
        a_unit_end = a->whole;
    }
    return changes(sim, op, a->whole, a_unit_end, (uint8_t)~a_mask) ||
           changes(sim, op, a_unit_end, b->whole, 0xFF) ||
           changes(sim, op, b->whole, b->whole + b->torn, b_mask);
}

/* Would erasing [from, to) of the sector change anything that can be read? */
static bool erase_changes(const struct flash_sim *sim, uint32_t address, uint32_t from, uint32_t to)
{
    while (from < to) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address + from, to - from, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        uint8_t erased = piece.region->part->erased;
        const uint8_t *bytes = view.bytes + piece.offset;
        if (bytes[0] != erased || memcmp(bytes, bytes + 1, piece.length - 1) != 0) {
            return true;
        }
        if (view.faults != NULL &&
            flash_is_faulty(piece.region, view.faults, piece.offset, piece.offset + piece.length)) {
            return true;
        }
        from += piece.length;
    }
    return false;
}

static bool is_all_faulty(const struct flash_sim *sim, uint32_t address, uint32_t length)
{
    while (length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        if (view.faults == NULL) {
            return false;
        }
        for (uint32_t i = 0; i < piece.length; i++) {
            uint32_t at = piece.offset + i;
            if (!flash_is_faulty(piece.region, view.faults, at, at + 1)) {
                return false;
            }
        }
        address += piece.length;
        length -= piece.length;
    }
    return true;
}

static size_t erase_tears(const struct flash_sim *sim, const struct flash_op *op, bool ecc,
                          enum flash_tear *out)
{
    uint32_t half = op->length / 2;
    bool lower = erase_changes(sim, op->address, 0, half);
    bool upper = erase_changes(sim, op->address, half, op->length);
    size_t count = 0;
    if (lower && upper) {
        out[count++] = FLASH_TEAR_LOWER;
        out[count++] = FLASH_TEAR_UPPER;
    }
    if (ecc && !is_all_faulty(sim, op->address + half, op->length - half)) {
        out[count++] = FLASH_TEAR_ERASE_FAULT;
    }
    return count;
}

static size_t program_tears(const struct flash_sim *sim, const struct flash_op *op,
                            const struct flash_part *part, enum flash_tear *out)
{
    struct flash_torn_program kept[FLASH_TEAR_COUNT];
    size_t known = 2;
    size_t count = 0;
    bool fits = flash_tear_program(part, op->length, FLASH_TEAR_BEFORE, &kept[0]) &&
                flash_tear_program(part, op->length, FLASH_TEAR_AFTER, &kept[1]);
    for (int tear = FLASH_TEAR_FIRST; fits && tear <= FLASH_TEAR_FAULT; tear++) {
        struct flash_torn_program torn;
        bool differs = flash_tear_program(part, op->length, (enum flash_tear)tear, &torn);
        for (size_t i = 0; differs && i < known; i++) {
            differs = program_outcomes_differ(sim, op, &kept[i], &torn);
        }
        if (differs) {
            kept[known++] = torn;
            out[count++] = (enum flash_tear)tear;
        }
    }
    return count;
}

size_t flash_sim_tears(const struct flash_sim *sim, const struct flash_op *op,
                       enum flash_tear out[FLASH_TEAR_COUNT])
{
    size_t count = 0;
    out[count++] = FLASH_TEAR_BEFORE;
    if (op->length > 0 && op->length <= sim->size && op->address <= sim->size - op->length) {
        const struct flash_part *part = flash_region_at(sim, op->address)->part;
        count += op->kind == FLASH_OP_ERASE ? erase_tears(sim, op, part->ecc != 0, out + count)
                                            : program_tears(sim, op, part, out + count);
    }
    out[count++] = FLASH_TEAR_AFTER;
    return count;
}

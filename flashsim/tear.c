#include "flashsim/store.h"

#include <string.h>

static const char *const words[FLASH_TEAR_COUNT] = {
    [FLASH_TEAR_NONE] = "none",
    [FLASH_TEAR_BEFORE] = "before",
    [FLASH_TEAR_FIRST] = "first",
    [FLASH_TEAR_HALF] = "half",
    [FLASH_TEAR_LAST] = "last",
    [FLASH_TEAR_BITS_ODD] = "bits-odd",
    [FLASH_TEAR_BITS_EVEN] = "bits-even",
    [FLASH_TEAR_BIT0] = "bit0",
    [FLASH_TEAR_FAULT] = "fault",
    [FLASH_TEAR_FIRST_ODD] = "first-odd",
    [FLASH_TEAR_FIRST_EVEN] = "first-even",
    [FLASH_TEAR_FIRST_BIT0] = "first-bit0",
    [FLASH_TEAR_FIRST_FAULT] = "first-fault",
    [FLASH_TEAR_LOWER] = "lower",
    [FLASH_TEAR_UPPER] = "upper",
    [FLASH_TEAR_ERASE_FAULT] = "erase-fault",
    [FLASH_TEAR_ERASE_FAULT_LOW] = "erase-fault-low",
    [FLASH_TEAR_TAIL16] = "tail16",
    [FLASH_TEAR_TAIL24] = "tail24",
    [FLASH_TEAR_TAIL32] = "tail32",
    [FLASH_TEAR_TAIL40] = "tail40",
    [FLASH_TEAR_TAIL48] = "tail48",
    [FLASH_TEAR_TAIL64] = "tail64",
    [FLASH_TEAR_TAIL80] = "tail80",
    [FLASH_TEAR_TAIL96] = "tail96",
    [FLASH_TEAR_TAIL128] = "tail128",
    [FLASH_TEAR_TAIL160] = "tail160",
    [FLASH_TEAR_HEAD16] = "head16",
    [FLASH_TEAR_HEAD24] = "head24",
    [FLASH_TEAR_HEAD32] = "head32",
    [FLASH_TEAR_HEAD40] = "head40",
    [FLASH_TEAR_HEAD48] = "head48",
    [FLASH_TEAR_HEAD64] = "head64",
    [FLASH_TEAR_HEAD80] = "head80",
    [FLASH_TEAR_HEAD96] = "head96",
    [FLASH_TEAR_HEAD128] = "head128",
    [FLASH_TEAR_HEAD160] = "head160",
    [FLASH_TEAR_WEAK] = "weak",
    [FLASH_TEAR_FIRST_WEAK] = "first-weak",
    [FLASH_TEAR_ERASE_WEAK] = "erase-weak",
    [FLASH_TEAR_DISTURB] = "disturb",
    [FLASH_TEAR_AFTER] = "after",
};

/* Where an erase can stop, from the sector's end: one place between any two of the records that
 * boot trailers of alignment 8, 16 and 32 keep there. In the order of the enumeration. */
static const uint32_t distances[] = {16, 24, 32, 40, 48, 64, 80, 96, 128, 160};
#define DISTANCES (sizeof distances / sizeof distances[0])
_Static_assert(FLASH_TEAR_HEAD16 - FLASH_TEAR_TAIL16 == DISTANCES, "a distance has no tail");
_Static_assert(FLASH_TEAR_WEAK - FLASH_TEAR_HEAD16 == DISTANCES, "a distance has no head");

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

/* The first unit of the program that changes anything, from the program's start. */
static bool first_change(const struct flash_sim *sim, const struct flash_op *op, uint32_t *out)
{
    for (uint32_t at = 0; at < op->length;) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, op->address + at, op->length - at, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        uint32_t unit = piece.region->part->unit;
        for (uint32_t i = 0; i < piece.length; i += unit) {
            if (memcmp(view.bytes + piece.offset + i, op->data + at + i, unit) != 0) {
                *out = at + i;
                return true;
            }
        }
        at += piece.length;
    }
    return false;
}

/* One torn unit after `whole` bytes that landed. */
static bool tear_unit(const struct flash_part *part, uint32_t whole, enum flash_tear tear,
                      struct flash_torn_program *out)
{
    *out = (struct flash_torn_program){.whole = whole, .torn = part->unit};
    switch (tear) {
    case FLASH_TEAR_BITS_ODD:
    case FLASH_TEAR_FIRST_ODD:
        out->mask = 0xAA;
        return true;
    case FLASH_TEAR_BITS_EVEN:
    case FLASH_TEAR_FIRST_EVEN:
        out->mask = 0x55;
        return true;
    case FLASH_TEAR_BIT0:
    case FLASH_TEAR_FIRST_BIT0:
        out->mask = 0xFE;
        return true;
    case FLASH_TEAR_WEAK:
    case FLASH_TEAR_FIRST_WEAK:
        out->mask = 0xFF;
        out->weak = true;
        return true;
    case FLASH_TEAR_DISTURB:
        out->mask = 0xAA;
        out->disturb = true;
        return part->disturb != 0;
    default:
        out->fault = true;
        return part->ecc != 0;
    }
}

bool flash_tear_program(const struct flash_sim *sim, const struct flash_op *op,
                        enum flash_tear tear, struct flash_torn_program *out)
{
    const struct flash_part *part = flash_region_at(sim, op->address)->part;
    uint32_t unit = part->unit;
    uint32_t units = op->length / unit;
    uint32_t half = units / 2 * unit;
    uint32_t first;
    *out = (struct flash_torn_program){0};
    switch (tear) {
    case FLASH_TEAR_NONE:
    case FLASH_TEAR_AFTER:
        out->whole = op->length;
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
        out->whole = op->length - unit;
        return units > 1;
    case FLASH_TEAR_BITS_ODD:
    case FLASH_TEAR_BITS_EVEN:
    case FLASH_TEAR_BIT0:
    case FLASH_TEAR_FAULT:
    case FLASH_TEAR_WEAK:
        return units > 0 && tear_unit(part, half, tear, out);
    case FLASH_TEAR_FIRST_ODD:
    case FLASH_TEAR_FIRST_EVEN:
    case FLASH_TEAR_FIRST_BIT0:
    case FLASH_TEAR_FIRST_FAULT:
    case FLASH_TEAR_FIRST_WEAK:
    case FLASH_TEAR_DISTURB:
        return first_change(sim, op, &first) && tear_unit(part, first, tear, out);
    default:
        return false;
    }
}

/* An erase that stops `distance` bytes before the sector's end, or began there: in whole units and
 * code words. */
static bool tear_near_end(const struct flash_part *part, uint32_t sector_size, enum flash_tear tear,
                          struct flash_torn_erase *out)
{
    bool head = tear >= FLASH_TEAR_HEAD16;
    uint32_t distance = distances[tear - (head ? FLASH_TEAR_HEAD16 : FLASH_TEAR_TAIL16)];
    uint32_t step = part->ecc > part->unit ? part->ecc : part->unit;
    distance = (distance + step - 1) / step * step;
    if (distance >= sector_size) {
        return false;
    }
    out->from = head ? sector_size - distance : 0;
    out->to = head ? sector_size : sector_size - distance;
    return true;
}

bool flash_tear_erase(const struct flash_part *part, uint32_t sector_size, enum flash_tear tear,
                      struct flash_torn_erase *out)
{
    *out = (struct flash_torn_erase){0};
    if (tear >= FLASH_TEAR_TAIL16 && tear < FLASH_TEAR_WEAK) {
        return tear_near_end(part, sector_size, tear, out);
    }
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
    case FLASH_TEAR_ERASE_FAULT_LOW:
        *out = (struct flash_torn_erase){sector_size / 2, sector_size, .fault = true};
        return part->ecc != 0;
    case FLASH_TEAR_ERASE_WEAK:
        out->weak = true;
        return true;
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
    if (a->fault && b->fault) { /* what landed between two units of one code word is lost */
        uint32_t ecc = flash_region_at(sim, op->address)->part->ecc;
        return (op->address + a->whole) / ecc != (op->address + b->whole) / ecc;
    }
    if (a->fault || b->fault) {
        return true;
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

/* The sector, cut into pieces where a torn erase can stop. */
struct erase_pieces {
    uint32_t ends[FLASH_TEAR_COUNT];
    size_t count;
    uint64_t changing; /* one bit each: erasing it changes anything */
};
_Static_assert(FLASH_TEAR_COUNT <= 64, "a bit for each piece");

static void add_end(struct erase_pieces *pieces, uint32_t end)
{
    size_t i = 0;
    while (i < pieces->count && pieces->ends[i] < end) {
        i++;
    }
    if (end == 0 || (i < pieces->count && pieces->ends[i] == end)) {
        return;
    }
    memmove(&pieces->ends[i + 1], &pieces->ends[i], (pieces->count - i) * sizeof pieces->ends[0]);
    pieces->ends[i] = end;
    pieces->count++;
}

static void cut_pieces(const struct flash_sim *sim, const struct flash_op *op,
                       const struct flash_part *part, struct erase_pieces *out)
{
    *out = (struct erase_pieces){.ends = {op->length}, .count = 1};
    for (int tear = FLASH_TEAR_LOWER; tear < FLASH_TEAR_WEAK; tear++) {
        struct flash_torn_erase torn;
        if (flash_tear_erase(part, op->length, (enum flash_tear)tear, &torn)) {
            add_end(out, torn.from);
            add_end(out, torn.to);
        }
    }
    uint32_t from = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (erase_changes(sim, op->address, from, out->ends[i])) {
            out->changing |= UINT64_C(1) << i;
        }
        from = out->ends[i];
    }
}

/* The pieces that this erase changes: all that tells outcomes apart, but for faults. */
static uint64_t changed_pieces(const struct erase_pieces *pieces,
                               const struct flash_torn_erase *torn)
{
    uint64_t changed = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        if (pieces->ends[i] > torn->from && pieces->ends[i] <= torn->to) {
            changed |= UINT64_C(1) << i;
        }
    }
    return changed & pieces->changing;
}

static size_t erase_tears(const struct flash_sim *sim, const struct flash_op *op,
                          const struct flash_part *part, enum flash_tear *out)
{
    struct erase_pieces pieces;
    cut_pieces(sim, op, part, &pieces);
    uint64_t kept[FLASH_TEAR_COUNT] = {0, pieces.changing}; /* before, after */
    size_t known = 2;
    size_t count = 0;
    for (int tear = FLASH_TEAR_LOWER; tear < FLASH_TEAR_WEAK; tear++) {
        struct flash_torn_erase torn;
        if (!flash_tear_erase(part, op->length, (enum flash_tear)tear, &torn)) {
            continue;
        }
        bool differs = true;
        if (torn.fault) {
            differs = !is_all_faulty(sim, op->address, torn.from) ||
                      !is_all_faulty(sim, op->address + torn.to, op->length - torn.to);
        } else {
            uint64_t changed = changed_pieces(&pieces, &torn);
            for (size_t i = 0; differs && i < known; i++) {
                differs = kept[i] != changed;
            }
            if (differs) {
                kept[known++] = changed;
            }
        }
        if (differs) {
            out[count++] = (enum flash_tear)tear;
        }
    }
    return count;
}

static size_t program_tears(const struct flash_sim *sim, const struct flash_op *op,
                            enum flash_tear *out)
{
    struct flash_torn_program kept[FLASH_TEAR_COUNT];
    size_t known = 2;
    size_t count = 0;
    bool fits = flash_tear_program(sim, op, FLASH_TEAR_BEFORE, &kept[0]) &&
                flash_tear_program(sim, op, FLASH_TEAR_AFTER, &kept[1]);
    for (int tear = FLASH_TEAR_FIRST; fits && tear <= FLASH_TEAR_FIRST_FAULT; tear++) {
        struct flash_torn_program torn;
        bool differs = flash_tear_program(sim, op, (enum flash_tear)tear, &torn);
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
        count += op->kind == FLASH_OP_ERASE ? erase_tears(sim, op, part, out + count)
                                            : program_tears(sim, op, out + count);
    }
    out[count++] = FLASH_TEAR_AFTER;
    return count;
}

size_t flash_sim_tears_of(const struct flash_sim *sim, const struct flash_op *op,
                          enum flash_tears kind, enum flash_tear out[FLASH_TEAR_COUNT])
{
    static const enum flash_tear weak[] = {FLASH_TEAR_FIRST_WEAK, FLASH_TEAR_WEAK};
    struct flash_torn_program torn;
    size_t count = 0;
    if (kind == FLASH_TEARS_CLEAN) {
        return flash_sim_tears(sim, op, out);
    }
    if (op->length == 0 || !flash_is_inside(sim, op->address, op->length)) {
        return 0;
    }
    if (op->kind == FLASH_OP_ERASE) {
        out[0] = FLASH_TEAR_ERASE_WEAK;
        return kind == FLASH_TEARS_WEAK && erase_changes(sim, op->address, 0, op->length) ? 1 : 0;
    }
    if (kind == FLASH_TEARS_DISTURB) {
        out[0] = FLASH_TEAR_DISTURB;
        return flash_tear_program(sim, op, FLASH_TEAR_DISTURB, &torn) ? 1 : 0;
    }
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; kind == FLASH_TEARS_WEAK && i < sizeof weak / sizeof weak[0]; i++) {
        if (flash_tear_program(sim, op, weak[i], &torn) && torn.whole != first &&
            changes(sim, op, torn.whole, torn.whole + torn.torn, 0xFF)) {
            first = torn.whole;
            out[count++] = weak[i];
        }
    }
    return count;
}

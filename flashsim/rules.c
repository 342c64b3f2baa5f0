/* What a part allows: refuses, counts and words every violation. */
#include "flashsim/store.h"

#include <stdarg.h>
#include <string.h>

int flash_refuse(struct flash_sim *sim, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->violation, sizeof sim->violation, format, arguments);
    va_end(arguments);
    sim->stats.violations++;
    return error;
}

bool flash_is_inside(const struct flash_sim *sim, uint32_t address, uint32_t length)
{
    return address <= sim->size && length <= sim->size - address;
}

/* Two words that hosts handle at once. */
typedef uint64_t words __attribute__((vector_size(16)));

/* Does the program ask for a bit at the erased value where there is another already? */
static bool sets_bits_back(const uint8_t *old, const uint8_t *new, uint32_t length, uint8_t erased)
{
    /* Back is a bit that is erased in the new byte and not in the old one. */
    const uint8_t *set = erased == 0xFF ? new : old;
    const uint8_t *clear = erased == 0xFF ? old : new;
    words bad = {0};
    uint32_t i = 0;
    for (; i + sizeof(words) <= length; i += (uint32_t)sizeof(words)) {
        words a;
        words b;
        memcpy(&a, set + i, sizeof a);
        memcpy(&b, clear + i, sizeof b);
        bad |= a & ~b;
    }
    uint64_t rest = bad[0] | bad[1];
    for (; i < length; i++) {
        rest |= (uint8_t)(set[i] & ~clear[i]);
    }
    return rest != 0;
}

bool flash_is_all(const uint8_t *bytes, uint32_t length, uint8_t value)
{
    return length == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* Does the program ask for a programmed bit to be programmed again? */
static bool stresses_bits(const uint8_t *old, const uint8_t *new, uint32_t length, uint8_t erased)
{
    uint8_t again = 0;
    for (uint32_t i = 0; i < length; i++) {
        again |= (uint8_t)((old[i] ^ erased) & (new[i] ^ erased));
    }
    return again != 0;
}

/* The first unit that may not be programmed again, as an offset in the piece; its length when all
 * may. */
static uint32_t first_used_up(const struct flash_piece *piece, const struct flash_view *view,
                              const uint8_t *data)
{
    const struct flash_part *part = piece->region->part;
    for (uint32_t at = 0; at < piece->length; at += part->unit) {
        bool zero = part->reprogram_zero && flash_is_all(data + at, part->unit, 0x00);
        uint8_t count = view->counts[(piece->offset + at) >> piece->region->unit_shift];
        if (count >= part->programs && !zero) {
            return at;
        }
    }
    return piece->length;
}

/* Counts, where programs are limited. A weak unit is no violation: it may have read as erased. The
 * chip says no all the same. */
static int check_counts(struct flash_sim *sim, const struct flash_piece *piece,
                        const struct flash_view *view, bool weak, uint32_t address,
                        const uint8_t *data)
{
    const struct flash_region *region = piece->region;
    const struct flash_part *part = region->part;
    uint32_t first = piece->offset >> region->unit_shift;
    uint32_t last = (piece->offset + piece->length - 1) >> region->unit_shift;
    if (!flash_counts_reach(view->counts + first, last - first + 1, part->programs)) {
        return 0;
    }
    uint32_t at = first_used_up(piece, view, data);
    if (at >= piece->length) {
        return 0;
    }
    if (weak) {
        return OTA_E_FLASH_PROGRAM;
    }
    return flash_refuse(sim, OTA_E_FLASH_PROGRAM,
                        "program at 0x%08x: this %s was programmed %u times since its erase, "
                        "%s allows %u",
                        address + at, part->row != 0 ? "row" : "unit",
                        view->counts[(piece->offset + at) >> region->unit_shift], part->name,
                        part->programs);
}

static int check_bits(struct flash_sim *sim, const struct flash_piece *piece,
                      const struct flash_view *view, bool weak, uint32_t address,
                      const uint8_t *data)
{
    const struct flash_part *part = piece->region->part;
    const uint8_t *old = view->bytes + piece->offset;
    uint32_t at = 0;
    if (sets_bits_back(old, data, piece->length, part->erased)) {
        while (!sets_bits_back(old + at, data + at, 1, part->erased)) {
            at++;
        }
        return weak ? OTA_E_FLASH_PROGRAM
                    : flash_refuse(
                          sim, OTA_E_FLASH_PROGRAM,
                          "program at 0x%08x: 0x%02x over 0x%02x would bring back erased bits",
                          address + at, data[at], old[at]);
    }
    if (part->overstress && stresses_bits(old, data, piece->length, part->erased)) {
        while (!stresses_bits(old + at, data + at, 1, part->erased)) {
            at++;
        }
        return weak
                   ? OTA_E_FLASH_PROGRAM
                   : flash_refuse(
                         sim, OTA_E_FLASH_PROGRAM,
                         "program at 0x%08x: 0x%02x over 0x%02x programs bits again, %s forbids it",
                         address + at, data[at], old[at], part->name);
    }
    return 0;
}

static int check_piece(struct flash_sim *sim, const struct flash_piece *piece, uint32_t address,
                       const uint8_t *data)
{
    struct flash_view view;
    flash_look(sim, piece->region, piece->block, &view);
    const struct flash_region *region = piece->region;
    uint32_t end = piece->offset + piece->length;
    if (sim->marks->stuck_count > 0 && flash_is_stuck(sim, flash_sector_start(region, address))) {
        return 0; /* the device has erased it, as far as it knows */
    }
    bool weak = view.faults != NULL && flash_is_weak(region, view.faults, piece->offset, end);
    int error = view.counts == NULL ? 0 : check_counts(sim, piece, &view, weak, address, data);
    if (error == 0 && view.faults != NULL &&
        flash_is_faulty(region, view.faults, piece->offset, end)) {
        return flash_refuse(
            sim, OTA_E_FLASH_PROGRAM,
            "program of %u bytes at 0x%08x: holds a unit that cannot be read and has "
            "not been erased",
            piece->length, address);
    }
    return error != 0 ? error : check_bits(sim, piece, &view, weak, address, data);
}

int flash_check_program(struct flash_sim *sim, uint32_t address, const uint8_t *data,
                        uint32_t length)
{
    if (length == 0) {
        return flash_refuse(sim, OTA_E_ARGUMENT, "program of 0 bytes at 0x%08x", address);
    }
    if (!flash_is_inside(sim, address, length)) {
        return flash_refuse(sim, OTA_E_FLASH_BOUNDS,
                            "program of %u bytes at 0x%08x: outside the device", length, address);
    }
    const struct flash_region *region = flash_region_at(sim, address);
    const struct flash_part *part = region->part;
    if (length > region->chip_end - address) {
        return flash_refuse(sim, OTA_E_FLASH_BOUNDS,
                            "program of %u bytes at 0x%08x: past the end of its chip %s", length,
                            address, part->name);
    }
    if (((address | length) & (part->unit - 1)) != 0) {
        return flash_refuse(sim, OTA_E_FLASH_ALIGN,
                            "program of %u bytes at 0x%08x: not in whole units of %u bytes", length,
                            address, part->unit);
    }
    if (part->page != 0 && length > part->page - (address & (part->page - 1))) {
        return flash_refuse(sim, OTA_E_FLASH_ALIGN,
                            "program of %u bytes at 0x%08x: crosses a page of %u bytes", length,
                            address, part->page);
    }
    while (length > 0) {
        struct flash_piece piece;
        flash_first_piece(sim, address, length, &piece);
        int error = check_piece(sim, &piece, address, data);
        if (error != 0) {
            return error;
        }
        address += piece.length;
        data += piece.length;
        length -= piece.length;
    }
    return 0;
}

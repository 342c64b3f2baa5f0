/* Units that read unstably, sectors that do not erase, neighbours of a cut program. */
#include "flashsim/store.h"

#include <string.h>

/* ---- weak units ---- */

/* With ecc a weak word is corrected or reported; without, its bits read now as programmed, now as
 * erased. In both cases the first of FLASH_TURNS reads is good. */
int flash_read_weak(const struct flash_sim *sim, const struct flash_piece *piece,
                    const struct flash_view *view, uint8_t *out)
{
    const struct flash_region *region = piece->region;
    uint8_t turn = sim->marks->turn;
    if (turn == 0) {
        return 0;
    }
    if (region->part->ecc != 0) {
        return OTA_E_FLASH_READ;
    }
    static const uint8_t lost_bits[FLASH_TURNS] = {0x00, 0x55, 0xFF, 0xAA}; /* read as erased */
    uint8_t lost = lost_bits[turn];
    uint8_t erased = region->part->erased;
    for (uint32_t i = 0; i < piece->length; i++) {
        uint32_t at = piece->offset + i;
        if (flash_is_weak(region, view->faults, at, at + 1)) {
            out[i] = (uint8_t)((out[i] & ~lost) | (erased & lost));
        }
    }
    return 0;
}

void flash_turn(struct flash_sim *sim)
{
    sim->marks->turn = (uint8_t)((sim->marks->turn + 1u) % FLASH_TURNS);
}

int flash_mark_range(struct flash_sim *sim, uint32_t address, uint32_t length, bool weak)
{
    while (length > 0) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        int error = flash_open(sim, piece.region, piece.block, &view);
        if (error == 0) {
            error = flash_need_faults(sim, piece.region, piece.block, &view);
        }
        if (error != 0) {
            return error;
        }
        (weak ? flash_mark_weak : flash_mark_faults)(piece.region, view.faults, piece.offset,
                                                     piece.offset + piece.length);
        address += piece.length;
        length -= piece.length;
    }
    return 0;
}

int flash_sim_break_unit(struct flash_sim *sim, uint32_t address)
{
    return flash_is_inside(sim, address, 1) ? flash_mark_range(sim, address, 1, false)
                                            : OTA_E_FLASH_BOUNDS;
}

int flash_sim_weaken_unit(struct flash_sim *sim, uint32_t address)
{
    return flash_is_inside(sim, address, 1) ? flash_mark_range(sim, address, 1, true)
                                            : OTA_E_FLASH_BOUNDS;
}

bool flash_sim_is_steady(const struct flash_sim *sim, uint32_t address, uint32_t length)
{
    while (length > 0 && flash_is_inside(sim, address, length)) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, address, length, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        if (view.faults != NULL &&
            flash_is_weak(piece.region, view.faults, piece.offset, piece.offset + piece.length)) {
            return false;
        }
        address += piece.length;
        length -= piece.length;
    }
    return true;
}

uint32_t flash_sim_unreadable(const struct flash_sim *sim, uint32_t from, uint32_t *length)
{
    uint32_t start = sim->size;
    *length = 0;
    while (from < sim->size) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, from, sim->size - from, &piece);
        flash_look(sim, piece.region, piece.block, &view);
        uint32_t step = piece.length;
        bool faulty =
            view.faults != NULL &&
            flash_is_faulty(piece.region, view.faults, piece.offset, piece.offset + piece.length);
        if (faulty) { /* somewhere in there: word by word */
            uint32_t word = 1u << piece.region->word_shift;
            uint32_t left = word - (piece.offset & (word - 1));
            step = left < step ? left : step;
            faulty = flash_is_faulty(piece.region, view.faults, piece.offset, piece.offset + 1);
        }
        if (!faulty && *length > 0) {
            return start;
        }
        if (faulty) {
            start = *length == 0 ? from : start;
            *length += step;
        }
        from += step;
    }
    return start;
}

/* ---- neighbours ---- */

/* One bit of each byte is programmed; a code word with ecc is lost. */
static int damage(struct flash_sim *sim, uint32_t from, uint32_t to)
{
    const struct flash_part *part = flash_region_at(sim, from)->part;
    if (part->ecc != 0) {
        return flash_mark_range(sim, from, to - from, false);
    }
    while (from < to) {
        struct flash_piece piece;
        struct flash_view view;
        flash_first_piece(sim, from, to - from, &piece);
        int error = flash_open(sim, piece.region, piece.block, &view);
        if (error != 0) {
            return error;
        }
        for (uint32_t i = 0; i < piece.length; i++) {
            uint8_t *byte = &view.bytes[piece.offset + i];
            *byte = (uint8_t)((*byte & ~0x10) | (~part->erased & 0x10));
        }
        flash_in_order();
        if (view.counts != NULL) {
            flash_count_missing(piece.region, &view);
        }
        from += piece.length;
    }
    return 0;
}

int flash_disturb(struct flash_sim *sim, uint32_t from, uint32_t to)
{
    const struct flash_region *region = flash_region_at(sim, from);
    uint32_t window = region->part->disturb;
    uint32_t first = from & ~(window - 1);
    uint32_t end = (to + window - 1) & ~(window - 1);
    end = end < region->chip_end ? end : region->chip_end;
    int error = first < from ? damage(sim, first, from) : 0;
    return error == 0 && to < end ? damage(sim, to, end) : error;
}

/* ---- stuck sectors ---- */

static int find_stuck(const struct flash_sim *sim, uint32_t address)
{
    for (int i = 0; i < sim->marks->stuck_count; i++) {
        if (sim->marks->stuck[i] == address) {
            return i;
        }
    }
    return -1;
}

static int stick(struct flash_sim *sim, uint32_t address, bool for_good)
{
    struct flash_marks *marks = sim->marks;
    if (!flash_is_inside(sim, address, 1)) {
        return OTA_E_FLASH_BOUNDS;
    }
    uint32_t start = flash_sector_start(flash_region_at(sim, address), address);
    int i = find_stuck(sim, start);
    if (i < 0 && marks->stuck_count == FLASH_MAX_STUCK) {
        return OTA_E_NO_SPACE;
    }
    if (i < 0) {
        i = marks->stuck_count++;
        marks->stuck[i] = start;
    }
    if (for_good) {
        marks->for_good = (uint8_t)(marks->for_good | 1u << i);
    }
    return 0;
}

int flash_sim_stick_sector(struct flash_sim *sim, uint32_t address)
{
    return stick(sim, address, true);
}

int flash_sim_miss_erase(struct flash_sim *sim, uint32_t address)
{
    return stick(sim, address, false);
}

bool flash_is_stuck(const struct flash_sim *sim, uint32_t address)
{
    return find_stuck(sim, address) >= 0;
}

bool flash_erase_fails(struct flash_sim *sim, uint32_t address)
{
    struct flash_marks *marks = sim->marks;
    int i = find_stuck(sim, address);
    if (i < 0 || (marks->for_good >> i & 1) != 0) {
        return i >= 0;
    }
    int last = --marks->stuck_count;
    bool last_for_good = (marks->for_good >> last & 1) != 0;
    marks->stuck[i] = marks->stuck[last];
    marks->stuck[last] = 0;
    marks->for_good = (uint8_t)(marks->for_good & ~(1u << last));
    if (i != last && last_for_good) {
        marks->for_good = (uint8_t)(marks->for_good | 1u << i);
    }
    return false;
}

uint64_t flash_sim_marks(const struct flash_sim *sim)
{
    uint64_t print = sim->marks->turn;
    for (int i = 0; i < sim->marks->stuck_count; i++) {
        uint64_t good = sim->marks->for_good >> i & 1;
        print += ((uint64_t)sim->marks->stuck[i] * 2 + good + 1) * 0x9E3779B97F4A7C15u;
    }
    return print; /* whatever their order */
}

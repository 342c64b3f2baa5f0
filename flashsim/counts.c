#include "flashsim/store.h"

#include <string.h>

/* So many counts are handled at once, where that is faster. A count is at most FLASH_MAX_COUNT =
 * 127, and so is its own value as a signed number. A comparison gives -1 where it holds. */
typedef int8_t counts_row __attribute__((vector_size(16)));
#define ROW ((uint32_t)sizeof(counts_row))

bool flash_counts_reach(const uint8_t *counts, uint32_t units, uint32_t limit)
{
    counts_row reached = {0};
    uint32_t i = 0;
    for (; i + ROW <= units; i += ROW) {
        counts_row row;
        memcpy(&row, counts + i, ROW);
        reached |= row >= (int8_t)limit;
    }
    static const counts_row none;
    bool any = memcmp(&reached, &none, ROW) != 0;
    for (; i < units; i++) {
        any = any || counts[i] >= limit;
    }
    return any;
}

void flash_counts_add(uint8_t *counts, uint32_t units)
{
    uint32_t i = 0;
    for (; i + ROW <= units; i += ROW) {
        counts_row row;
        memcpy(&row, counts + i, ROW);
        row -= row < FLASH_MAX_COUNT;
        memcpy(counts + i, &row, ROW);
    }
    for (; i < units; i++) {
        counts[i] = (uint8_t)(counts[i] + (counts[i] < FLASH_MAX_COUNT));
    }
}

/* ---- marks of code words: unreadable ones in the first half, weak ones in the second ---- */

static uint32_t words_in(const struct flash_region *region, uint32_t bytes)
{
    return (bytes + (1u << region->word_shift) - 1) >> region->word_shift;
}

static bool is_marked(const struct flash_region *region, const uint8_t *marks, uint32_t from,
                      uint32_t to)
{
    uint32_t end = words_in(region, to);
    for (uint32_t word = from >> region->word_shift; word < end; word++) {
        if (word % 8 == 0 && end - word >= 8 && marks[word / 8] == 0) {
            word += 7;
        } else if ((marks[word / 8] >> (word % 8) & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void mark(const struct flash_region *region, uint8_t *marks, uint32_t from, uint32_t to)
{
    uint32_t end = words_in(region, to);
    for (uint32_t word = from >> region->word_shift; word < end; word++) {
        marks[word / 8] = (uint8_t)(marks[word / 8] | 1u << (word % 8));
    }
}

bool flash_is_faulty(const struct flash_region *region, const uint8_t *faults, uint32_t from,
                     uint32_t to)
{
    return is_marked(region, faults, from, to);
}

bool flash_is_weak(const struct flash_region *region, const uint8_t *faults, uint32_t from,
                   uint32_t to)
{
    return is_marked(region, faults + region->faults_size / 2, from, to);
}

void flash_mark_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                       uint32_t to)
{
    mark(region, faults, from, to);
}

void flash_mark_weak(const struct flash_region *region, uint8_t *faults, uint32_t from, uint32_t to)
{
    mark(region, faults + region->faults_size / 2, from, to);
}

void flash_clear_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                        uint32_t to)
{
    uint8_t *weak = faults + region->faults_size / 2;
    for (uint32_t word = words_in(region, from); word < to >> region->word_shift; word++) {
        uint8_t others = (uint8_t) ~(1u << (word % 8));
        faults[word / 8] &= others;
        weak[word / 8] &= others;
    }
}

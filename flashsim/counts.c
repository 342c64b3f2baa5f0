#include "flashsim/store.h"

#include <string.h>

/* Eight counts are handled at once. A count is at most FLASH_MAX_COUNT = 127, so that adding a
 * number up to 127 to each byte of a word never carries into the next. */
#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

bool flash_counts_reach(const uint8_t *counts, uint32_t units, uint32_t limit)
{
    uint64_t distance = (0x80u - limit) * ONES;
    uint64_t reached = 0;
    uint32_t i = 0;
    for (; i + 8 <= units; i += 8) {
        uint64_t word;
        memcpy(&word, counts + i, 8);
        reached |= (word + distance) & TOPS;
    }
    bool any = reached != 0;
    for (; i < units; i++) {
        any = any || counts[i] >= limit;
    }
    return any;
}

void flash_counts_add(uint8_t *counts, uint32_t units)
{
    uint32_t i = 0;
    for (; i + 8 <= units; i += 8) {
        uint64_t word;
        memcpy(&word, counts + i, 8);
        uint64_t full = ((word + ONES) & TOPS) >> 7;
        word += ONES - full;
        memcpy(counts + i, &word, 8);
    }
    for (; i < units; i++) {
        counts[i] = (uint8_t)(counts[i] + (counts[i] < FLASH_MAX_COUNT));
    }
}

/* ---- fault marks ---- */

bool flash_is_faulty(const struct flash_region *region, const uint8_t *faults, uint32_t from,
                     uint32_t to)
{
    uint32_t end = (to + (1u << region->word_shift) - 1) >> region->word_shift;
    for (uint32_t word = from >> region->word_shift; word < end; word++) {
        if (word % 8 == 0 && end - word >= 8 && faults[word / 8] == 0) {
            word += 7;
        } else if ((faults[word / 8] >> (word % 8) & 1) != 0) {
            return true;
        }
    }
    return false;
}

void flash_mark_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                       uint32_t to)
{
    uint32_t end = (to + (1u << region->word_shift) - 1) >> region->word_shift;
    for (uint32_t word = from >> region->word_shift; word < end; word++) {
        faults[word / 8] = (uint8_t)(faults[word / 8] | 1u << (word % 8));
    }
}

void flash_clear_faults(const struct flash_region *region, uint8_t *faults, uint32_t from,
                        uint32_t to)
{
    uint32_t word = (from + (1u << region->word_shift) - 1) >> region->word_shift;
    for (; word < to >> region->word_shift; word++) {
        faults[word / 8] = (uint8_t)(faults[word / 8] & ~(1u << (word % 8)));
    }
}

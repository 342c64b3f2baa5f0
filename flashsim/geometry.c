#include "flashsim/store.h"

#include <stdlib.h>

#define MAX_SECTORS 0x100000u

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static unsigned shift_of(uint32_t power)
{
    return (unsigned)__builtin_ctz(power);
}

static uint32_t fault_size(const struct flash_part *part)
{
    return part->ecc != 0 ? part->ecc : part->unit;
}

/* Bytes that a program is counted of. */
static uint32_t counted_size(const struct flash_part *part)
{
    return part->row != 0 ? part->row : part->unit;
}

static const char *runs_fault(const struct flash_part *part, enum flash_part_field *field)
{
    uint64_t bytes = 0;
    uint64_t sectors = 0;
    *field = FLASH_FIELD_RUNS;
    if (part->run_count == 0 || part->run_count > FLASH_MAX_RUNS) {
        return "1 to 8 lines 'erase COUNT x SIZE'";
    }
    for (size_t i = 0; i < part->run_count; i++) {
        const struct flash_sector_run *run = &part->runs[i];
        if (run->count == 0 || run->size == 0) {
            return "a sector count and a sector size above 0";
        }
        if (run->size % part->unit != 0 || run->size % fault_size(part) != 0) {
            return "a sector size of whole units and whole ecc code words";
        }
        if (run->size % counted_size(part) != 0) {
            return "a sector size of whole rows, as the line 'programs' counts them";
        }
        bytes += (uint64_t)run->count * run->size;
        sectors += run->count;
    }
    if (sectors > MAX_SECTORS) {
        return "at most 1048576 sectors";
    }
    if (bytes != part->size) {
        *field = FLASH_FIELD_SIZE;
        return "a size equal to the sum of the erase lines";
    }
    return NULL;
}

const char *flash_part_fault(const struct flash_part *part, enum flash_part_field *field)
{
    *field = FLASH_FIELD_SIZE;
    if (part->size == 0 || part->size > 0x40000000u) {
        return "a size from 1 byte to 1024M";
    }
    *field = FLASH_FIELD_UNIT;
    if (!is_power_of_two(part->unit)) {
        return "a power of two";
    }
    *field = FLASH_FIELD_PAGE;
    if (part->page != 0 && (!is_power_of_two(part->page) || part->page < part->unit)) {
        return "none, or a power of two not below the unit";
    }
    *field = FLASH_FIELD_ERASED;
    if (part->erased != 0xFF && part->erased != 0x00) {
        return "0xFF or 0x00";
    }
    *field = FLASH_FIELD_PROGRAMS;
    if (part->programs > FLASH_MAX_COUNT) {
        return "any, or a number from 1 to 127";
    }
    if (part->row != 0 && (!is_power_of_two(part->row) || part->row < part->unit)) {
        return "a row of a power of two not below the unit";
    }
    *field = FLASH_FIELD_ZERO;
    if (part->reprogram_zero && (part->erased != 0xFF || part->programs != 1 || part->row != 0)) {
        return "no, unless erased is 0xFF and programs is 1";
    }
    *field = FLASH_FIELD_ECC;
    if (part->ecc != 0 && !is_power_of_two(part->ecc)) {
        return "none, or a power of two";
    }
    *field = FLASH_FIELD_DISTURB;
    if (part->disturb != 0 && (!is_power_of_two(part->disturb) || part->disturb < part->unit ||
                               part->disturb < part->ecc)) {
        return "none, or a power of two not below unit and ecc";
    }
    *field = FLASH_FIELD_PROGRAM_TIME;
    if (part->t_program_max_us != 0 && part->t_program_max_us < part->t_program_us) {
        return "a maximum that is not below the typical time";
    }
    *field = FLASH_FIELD_ERASE_TIME;
    if (part->t_erase_max_us != 0 && part->t_erase_max_us < part->t_erase_us) {
        return "a maximum that is not below the typical time";
    }
    return runs_fault(part, field);
}

static void add_region(struct flash_sim *sim, const struct flash_chip *chip, uint32_t start,
                       const struct flash_sector_run *run)
{
    const struct flash_part *part = &chip->part;
    struct flash_region *region = &sim->regions[sim->region_count++];
    uint32_t block = run->size;
    uint32_t least = counted_size(part) > fault_size(part) ? counted_size(part) : fault_size(part);
    while (block > FLASH_MAX_BLOCK && block % (2 * least) == 0) {
        block /= 2;
    }
    *region = (struct flash_region){
        .part = part,
        .start = start,
        .size = run->count * run->size,
        .chip_end = chip->start + part->size,
        .sector_size = run->size,
        .block_size = block,
        .block_shift = is_power_of_two(block) ? shift_of(block) : 0,
        .unit_shift = shift_of(counted_size(part)),
        .word_shift = shift_of(fault_size(part)),
        .first_sector = sim->sector_count,
        .first_block = sim->block_count,
        .counts_size = part->programs == FLASH_PROGRAMS_ANY ? 0 : block / counted_size(part),
        .faults_size = (block / fault_size(part) + 7) / 8 * 2,
    };
    sim->sector_count += run->count;
    sim->block_count += region->size / block;
}

struct flash_sim *flash_geometry_new(const struct flash_chip *chips, size_t chip_count)
{
    if (chip_count == 0 || chip_count > FLASH_MAX_CHIPS) {
        return NULL;
    }
    struct flash_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return NULL;
    }
    uint64_t size = 0;
    for (size_t i = 0; i < chip_count; i++) {
        enum flash_part_field field;
        const struct flash_part *part = &chips[i].part;
        /* Pages count from address 0 of the device, so a chip has to start on one of its own. */
        if (flash_part_fault(part, &field) != NULL || chips[i].start != size ||
            size % counted_size(part) != 0 || (part->disturb != 0 && size % part->disturb != 0) ||
            (part->page != 0 && size % part->page != 0) || size + part->size > UINT32_MAX) {
            free(sim);
            return NULL;
        }
        sim->chips[i] = chips[i];
        uint32_t start = (uint32_t)size;
        for (size_t run = 0; run < part->run_count; run++) {
            add_region(sim, &sim->chips[i], start, &part->runs[run]);
            start += part->runs[run].count * part->runs[run].size;
        }
        size += part->size;
    }
    sim->marks = &sim->own_marks;
    sim->chip_count = chip_count;
    sim->size = (uint32_t)size;
    return sim;
}

uint32_t flash_sector_start(const struct flash_region *region, uint32_t address)
{
    return address - (address - region->start) % region->sector_size;
}

uint32_t flash_sector_number(const struct flash_region *region, uint32_t address)
{
    return region->first_sector + (address - region->start) / region->sector_size;
}

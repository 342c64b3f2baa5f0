#include "agent/boot/groups.h"

#include "agent/boot/copy.h"

/* Start of the sector before the boundary `at`, which is not 0. */
static uint32_t sector_before(const struct flash_area *slot, uint32_t at)
{
    struct flash_sector sector;
    return flash_area_sector(slot, at - 1, &sector) == 0 ? sector.start : 0;
}

/* The first boundary of the slot at or behind `offset`. */
static uint32_t boundary(const struct flash_area *slot, uint32_t offset)
{
    struct flash_sector sector;
    if (offset == 0 || flash_area_sector(slot, offset - 1, &sector) != 0)
        return offset == 0 ? 0 : slot->size;
    return sector.start + sector.size;
}

/* The last common boundary before the common boundary `end`, which is not 0. */
static uint32_t common_before(const struct boot_config *config, uint32_t end)
{
    uint32_t p = sector_before(&config->primary, end);
    uint32_t q = sector_before(&config->secondary, end);
    while (p != q) {
        if (p > q)
            p = sector_before(&config->primary, p);
        else
            q = sector_before(&config->secondary, q);
    }
    return p;
}

uint32_t boot_group_end(const struct boot_config *config, uint32_t offset)
{
    uint32_t p = boundary(&config->primary, offset);
    uint32_t q = boundary(&config->secondary, offset);
    while (p != q) {
        if (p < q)
            p = boundary(&config->primary, q);
        else
            q = boundary(&config->secondary, p);
    }
    return p;
}

uint32_t boot_group_start(const struct boot_config *config, uint32_t end)
{
    uint32_t start = common_before(config, end);
    while (start > 0) {
        uint32_t next = common_before(config, start);
        if (end - next > config->scratch.size)
            break;
        start = next;
    }
    return start;
}

uint32_t boot_group_count(const struct boot_config *config, uint32_t larger_end)
{
    uint32_t count = 0;
    for (uint32_t end = boot_group_end(config, larger_end); end > 0; count++)
        end = boot_group_start(config, end);
    return count;
}

int boot_groups_check(const struct boot_config *config, const char **reason)
{
    struct flash_sector sector;
    *reason = "it needs a scratch area";
    if (config->scratch.size == 0 || flash_area_sector(&config->scratch, 0, &sector) != 0)
        return OTA_E_LAYOUT;
    *reason = "it needs slots of equal size";
    if (config->primary.size != config->secondary.size)
        return OTA_E_LAYOUT;
    for (uint32_t end = config->primary.size; end > 0;) {
        uint32_t start = common_before(config, end);
        *reason = "scratch is smaller than the sectors that it is to hold";
        if (end - start > config->scratch.size)
            return OTA_E_LAYOUT;
        *reason = "scratch programs larger units than the slots' sectors are";
        if ((end - start) % sector.unit != 0 || config->buffer_size % sector.unit != 0)
            return OTA_E_LAYOUT;
        end = start;
    }
    return 0;
}

static int copy_back(const struct boot_config *config, const struct boot_group *group)
{
    uint32_t start = group->start;
    int err = boot_erase(config, &config->secondary, start, group->erase_end);
    return err != 0 ? err
                    : boot_copy(config, &config->primary, start, &config->secondary, start,
                                group->length);
}

/* Keeps the primary's group in the secondary, if that takes it. */
static int keep_group(const struct boot_config *config, const struct boot_group *group)
{
    int err = copy_back(config, group);
    if (err == OTA_E_FLASH_PROGRAM || err == OTA_E_FLASH_ERASE)
        err = copy_back(config, group);
    return boot_lose_way_back(config, err);
}

int boot_group_step(const struct boot_config *config, const struct boot_group *group,
                    unsigned state)
{
    const struct flash_area *const primary = &config->primary;
    const struct flash_area *const secondary = &config->secondary;
    const struct flash_area *const scratch = &config->scratch;
    uint32_t start = group->start;
    int err;
    switch (state) {
    case 0:
        err = boot_erase(config, scratch, 0, scratch->size);
        return err != 0 ? err : boot_copy(config, secondary, start, scratch, 0, group->length);
    case 1:
        return keep_group(config, group);
    default:
        err = boot_erase(config, primary, start, group->erase_end);
        return err != 0 ? err : boot_copy(config, scratch, 0, primary, start, group->length);
    }
}

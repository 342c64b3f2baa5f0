/* Swap using move: the slots exchange their images sector by sector, with no scratch area.
 *
 * With N the sectors of the larger image, P and Q the sectors of primary and secondary:
 *
 *   move  k = 0 … N-1    erase P[N-k],  copy P[N-k-1] there          status entry k
 *   swap  i = 0 … N-1    erase P[i],    copy Q[i]   -> P[i]          entry max_sectors + 2i
 *                        erase Q[i],    copy P[i+1] -> Q[i]          entry max_sectors + 2i + 1
 *
 * Every step reads only what the steps before it left alone, so the first step without an entry can
 * be done again from its erase. The primary trailer owns the state from its magic (written last)
 * to copy_done; until it is complete, the request in the secondary trailer stands and everything
 * starts over. At each handover the next owner is complete before the last one is erased, and a
 * record that was begun counts as written: nothing before it is needed any more. That is what
 * makes a torn flag, entry or magic harmless. */
#include "agent/boot/copy.h"

#define ENTRIES_PER_SECTOR 3u

static uint32_t sector_size(const struct flash_area *slot)
{
    struct flash_sector sector;
    return flash_area_sector(slot, 0, &sector) == 0 ? sector.size : 0;
}

static uint32_t trailer_sectors(const struct boot_config *config)
{
    uint32_t size = sector_size(&config->primary);
    return (img_trailer_size(&config->format) + size - 1) / size;
}

/* 0 when all sectors of the slot have `size` bytes and can hold a status entry in one program. */
static int check_slot(const struct boot_config *config, const struct flash_area *slot,
                      uint32_t size, const char **reason)
{
    for (uint32_t offset = 0; offset < slot->size; offset += size) {
        struct flash_sector sector;
        *reason = "swap-move needs equal sectors in both slots";
        if (flash_area_sector(slot, offset, &sector) != 0 || sector.size != size)
            return OTA_E_LAYOUT;
        *reason = "the part programs larger units than a trailer field takes";
        if (config->format.write_size == 0 || config->format.write_size % sector.unit != 0 ||
            config->format.align < config->format.write_size)
            return OTA_E_LAYOUT;
    }
    return 0;
}

static int check(const struct boot_config *config, const char **reason)
{
    uint32_t size = sector_size(&config->primary);
    *reason = "the slots lie outside the flash";
    if (size == 0)
        return OTA_E_LAYOUT;
    int err = check_slot(config, &config->primary, size, reason);
    if (err == 0)
        err = check_slot(config, &config->secondary, size, reason);
    if (err != 0)
        return err;
    uint32_t primary = config->primary.size / size;
    uint32_t secondary = config->secondary.size / size;
    *reason = "swap-move needs slots of equal size, or one sector more in the primary";
    if (primary != secondary && primary != secondary + 1)
        return OTA_E_LAYOUT;
    *reason = "max-sectors is smaller than the number of sectors in a slot";
    if (config->format.max_sectors < secondary)
        return OTA_E_LAYOUT;
    *reason = "no room for an image: trailer and spare sector fill the slot";
    return trailer_sectors(config) + 1 < primary && trailer_sectors(config) < secondary
               ? 0
               : OTA_E_LAYOUT;
}

static uint32_t max_end(const struct boot_config *config)
{
    uint32_t size = sector_size(&config->primary);
    uint32_t primary = config->primary.size - (trailer_sectors(config) + 1) * size;
    uint32_t secondary = config->secondary.size - trailer_sectors(config) * size;
    return primary < secondary ? primary : secondary;
}

static uint32_t step_entry(const struct boot_config *config, uint32_t moves, uint32_t step)
{
    return step < moves ? step : config->format.max_sectors + (step - moves);
}

static int copy_sector(const struct boot_config *config, const struct flash_area *source,
                       uint32_t from, const struct flash_area *target, uint32_t to)
{
    uint32_t size = sector_size(&config->primary);
    boot_feed(config);
    int err = flash_area_erase_sector(target, to * size);
    return err != 0 ? err : boot_copy(config, source, from * size, target, to * size, size);
}

/* Keeps the primary's sector in the secondary, if that takes it. */
static int keep_sector(const struct boot_config *config, uint32_t from, uint32_t to)
{
    int err = copy_sector(config, &config->primary, from, &config->secondary, to);
    if (err == OTA_E_FLASH_PROGRAM || err == OTA_E_FLASH_ERASE)
        err = copy_sector(config, &config->primary, from, &config->secondary, to);
    return boot_lose_way_back(config, err);
}

static int perform_step(const struct boot_config *config, uint32_t moves, uint32_t step)
{
    uint8_t state = 1;
    int err;
    if (step < moves) {
        uint32_t to = moves - step;
        err = copy_sector(config, &config->primary, to - 1, &config->primary, to);
    } else {
        uint32_t sector = (step - moves) / 2;
        if ((step - moves) % 2 == 0) {
            err = copy_sector(config, &config->secondary, sector, &config->primary, sector);
        } else {
            err = keep_sector(config, sector + 1, sector);
            state = 2;
        }
    }
    return err != 0 ? err
                    : img_entry_write(&config->primary, &config->format,
                                      step_entry(config, moves, step), state);
}

static uint32_t move_count(const struct boot_config *config, uint32_t larger_end)
{
    uint32_t size = sector_size(&config->primary);
    return larger_end / size + (larger_end % size != 0);
}

/* From the first step without an entry to copy_done. */
static int finish(const struct boot_config *config, uint32_t moves, uint32_t step)
{
    int err = 0;
    for (; err == 0 && step < ENTRIES_PER_SECTOR * moves; step++)
        err = perform_step(config, moves, step);
    if (err == 0)
        err = config->primary.flash->sync(config->primary.flash->context);
    return err != 0 ? err : img_trailer_set_copy_done(&config->primary, &config->format);
}

/* The first step whose entry is not written; every step before it is done. */
static int next_step(const struct boot_config *config, uint32_t moves, uint32_t *step)
{
    for (*step = ENTRIES_PER_SECTOR * moves; *step > 0; (*step)--) {
        bool set;
        int err = img_entry_is_set(&config->primary, &config->format,
                                   step_entry(config, moves, *step - 1), &set);
        if (err != 0 || set)
            return err;
    }
    return 0;
}

/* A complete primary trailer owns the state, whatever is left of the request in the secondary: the
 * erase of that may have stopped anywhere. */
static enum img_swap_type interrupted(const struct boot_config *config, bool *begun)
{
    struct img_trailer primary;
    uint32_t step;
    *begun = false;
    enum img_swap_type type = boot_owner(config, &primary);
    if (type == IMG_SWAP_NONE)
        return type;
    uint32_t moves = move_count(config, primary.swap_size);
    if (next_step(config, moves, &step) != 0)
        return IMG_SWAP_NONE;
    *begun = step > 0;
    return type;
}

static int abandon(const struct boot_config *config)
{
    return boot_erase_trailer(config, &config->primary);
}

static int resume(const struct boot_config *config)
{
    struct img_trailer primary;
    uint32_t step;
    img_trailer_read(&config->primary, &config->format, &primary);
    uint32_t moves = move_count(config, primary.swap_size);
    int err = next_step(config, moves, &step);
    if (err == 0 && step == 0) /* the cut may lie inside the erase of the secondary trailer */
        err = boot_erase_trailer(config, &config->secondary);
    return err != 0 ? err : finish(config, moves, step);
}

static int install(const struct boot_config *config, enum img_swap_type type, uint32_t larger_end)
{
    const struct img_trailer_record owner = {
        .swap_type = type,
        .image_ok = type != IMG_SWAP_TEST,
        .with_swap_size = true,
        .swap_size = larger_end,
    };
    int err = type == IMG_SWAP_REVERT ? boot_request_revert(config, larger_end) : 0;
    if (err == 0)
        err = boot_erase_trailer(config, &config->primary);
    if (err == 0)
        err = img_trailer_write(&config->primary, &config->format, &owner);
    if (err == 0)
        err = boot_erase_trailer(config, &config->secondary);
    return err != 0 ? err : finish(config, move_count(config, larger_end), 0);
}

const struct boot_scheme boot_swap_move = {
    .name = "swap-move",
    .reverts = true,
    .entries = true,
    .check = check,
    .max_end = max_end,
    .go = boot_slots,
    .interrupted = interrupted,
    .abandon = abandon,
    .install = install,
    .resume = resume,
};

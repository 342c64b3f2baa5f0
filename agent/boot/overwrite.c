/* Overwrite-only: the secondary image replaces the primary one; there is no way back.
 *
 * The secondary stays whole until the primary is complete, so an interrupted copy is simply done
 * again: the request in the secondary trailer is the only state. Slots may differ in size, sectors
 * and erased value. The primary keeps no trailer: what runs there counts as confirmed. */
#include "agent/boot/copy.h"

static uint32_t round_up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Bytes at a slot's end that belong to the trailer: whole program units. */
static uint32_t trailer_units(const struct boot_config *config, const struct flash_area *slot)
{
    struct flash_sector last;
    if (flash_area_sector(slot, slot->size - 1, &last) != 0)
        return slot->size;
    return round_up(img_trailer_size(&config->format), last.unit);
}

static int check(const struct boot_config *config, const char **reason)
{
    *reason = "a slot is smaller than its trailer";
    if (trailer_units(config, &config->primary) >= config->primary.size ||
        trailer_units(config, &config->secondary) >= config->secondary.size)
        return OTA_E_LAYOUT;
    *reason = "overwrite keeps no status entries: max-sectors must be 0";
    return config->format.max_sectors == 0 ? 0 : OTA_E_LAYOUT;
}

static uint32_t max_end(const struct boot_config *config)
{
    uint32_t primary = config->primary.size - trailer_units(config, &config->primary);
    uint32_t secondary = config->secondary.size - trailer_units(config, &config->secondary);
    return primary < secondary ? primary : secondary;
}

/* A recovery has no request: without one, an interrupted copy would not be done again where the
 * primary is not validated. A trailer that is not clean cannot hold one: then it goes without. */
static int ensure_request(const struct boot_config *config)
{
    int err = img_set_pending(&config->secondary, &config->format, true);
    return err == OTA_E_TRAILER ? 0 : err;
}

static int install(const struct boot_config *config, enum img_swap_type type, uint32_t larger_end)
{
    struct img_info image;
    (void)type;
    (void)larger_end;
    int err = img_measure(&config->secondary, &image, NULL);
    if (err == 0)
        err = ensure_request(config);
    if (err == 0)
        err = boot_erase_trailer(config, &config->primary);
    for (uint32_t offset = 0; err == 0 && offset < image.end;) {
        struct flash_sector sector;
        err = flash_area_sector(&config->primary, offset, &sector);
        if (err != 0)
            break;
        uint32_t rest = round_up(image.end - offset, sector.unit);
        boot_feed(config);
        err = flash_area_erase_sector(&config->primary, offset);
        if (err == 0)
            err = boot_copy(config, &config->secondary, offset, &config->primary, offset,
                            rest < sector.size ? rest : sector.size);
        offset += sector.size;
    }
    if (err == 0)
        err = config->primary.flash->sync(config->primary.flash->context);
    return err != 0 ? err : boot_discard_secondary(config);
}

const struct boot_scheme boot_overwrite = {
    .name = "overwrite",
    .reverts = false,
    .check = check,
    .max_end = max_end,
    .go = boot_slots,
    .install = install,
};

/* Swap using scratch: the slots exchange their images by way of a scratch area (groups.h).
 *
 * Status entry 3 x group + state is written when that step is done. Where the state lies:
 *
 *   the first group ends before the trailers   as in swap_move.c: in the primary trailer, from its
 *                                              magic to copy_done
 *   it reaches into their sectors              in scratch, whose own trailer gets its magic when
 *                                              state 0 is done; then, from the end of state 2 on,
 * in the primary trailer, written together with the data
 *
 * In the second case only the bytes that an image may have are copied, and the trailers' sectors
 * are erased with the group. A new owner is complete, its magic written last, before the old one is
 * erased; where both are there, the primary owns.
 *
 * The published algorithm has three windows here, closed without another format:
 *
 *   a lost revert     scratch, which alone held the state while the primary trailer was erased, is
 *                     erased on resuming. Here a revert stands as a request in the secondary
 *                     trailer before the primary's is touched (boot_request_revert), or, in the
 *                     second case, in the primary's, which is left alone until state 2.
 *   a stale scratch   the erase of scratch that follows the first group is torn, its trailer
 *                     survives, and half of nothing is copied over the primary. Here scratch does
 *                     not count when the primary owns, and copy_done waits until its magic is gone.
 *   a torn copy_done  is neither set nor erased, and no revert follows. Here begun is as good as
 *                     done: img_flag_on. */
#include "agent/boot/copy.h"
#include "agent/boot/groups.h"

/* Who keeps the state, and what it says. */
enum owner { NOBODY, PRIMARY, SCRATCH };

struct swap {
    enum owner owner;
    enum img_swap_type type;
    uint32_t larger_end;
    uint32_t step; /* the first one that is not done */
};

static struct img_trailer_format scratch_format(const struct boot_config *config)
{
    struct img_trailer_format format = config->format;
    format.max_sectors = 1;
    return format;
}

static uint32_t scratch_trailer(const struct boot_config *config)
{
    const struct img_trailer_format format = scratch_format(config);
    return img_trailer_size(&format);
}

static uint32_t trailer_start(const struct boot_config *config)
{
    return config->primary.size - img_trailer_size(&config->format);
}

/* Can the area hold a status entry in one program? */
static int check_units(const struct boot_config *config, const struct flash_area *area,
                       const char **reason)
{
    struct flash_sector sector;
    *reason = "the part programs larger units than a trailer field takes";
    for (uint32_t at = 0; at < area->size; at = sector.start + sector.size)
        if (flash_area_sector(area, at, &sector) != 0 || config->format.write_size == 0 ||
            config->format.write_size % sector.unit != 0 ||
            config->format.align < config->format.write_size)
            return OTA_E_LAYOUT;
    return 0;
}

static uint32_t max_end(const struct boot_config *config)
{
    uint32_t start = trailer_start(config);
    uint32_t inside = boot_group_end(config, start) - start; /* of the trailer, in that sector */
    uint32_t needed = scratch_trailer(config);
    return inside == 0 || inside >= needed ? start : start - (needed - inside);
}

static int check(const struct boot_config *config, const char **reason)
{
    int err = boot_groups_check(config, reason);
    if (err == 0)
        err = check_units(config, &config->primary, reason);
    if (err == 0)
        err = check_units(config, &config->secondary, reason);
    if (err == 0)
        err = check_units(config, &config->scratch, reason);
    if (err != 0)
        return err;
    *reason = "no room for an image beside the trailer, in a slot or in scratch";
    if (img_trailer_size(&config->format) + scratch_trailer(config) >= config->primary.size ||
        scratch_trailer(config) >= config->scratch.size)
        return OTA_E_LAYOUT;
    *reason = "max-sectors is smaller than the number of groups in a slot";
    return config->format.max_sectors >= boot_group_count(config, config->primary.size)
               ? 0
               : OTA_E_LAYOUT;
}

static bool reaches_trailers(const struct boot_config *config, uint32_t larger_end)
{
    return boot_group_end(config, larger_end) > trailer_start(config);
}

/* ---- the state --------------------------------------------------------------------------- */

/* The first of `count` steps whose entry is not written; every step before it is done. */
static int next_step(const struct flash_area *area, const struct img_trailer_format *format,
                     uint32_t count, uint32_t *step)
{
    for (*step = count; *step > 0; (*step)--) {
        bool set;
        int err = img_entry_is_set(area, format, *step - 1, &set);
        if (err != 0 || set)
            return err;
    }
    return 0;
}

static bool primary_owns(const struct boot_config *config, struct swap *out)
{
    struct img_trailer trailer;
    out->type = boot_owner(config, &trailer);
    if (out->type == IMG_SWAP_NONE)
        return false;
    out->larger_end = trailer.swap_size;
    uint32_t count = BOOT_GROUP_STATES * boot_group_count(config, trailer.swap_size);
    return next_step(&config->primary, &config->format, count, &out->step) == 0;
}

/* State 2 ends with the primary as the owner, so that scratch never has more than two entries.
 * MCUboot writes this trailer where the first group ends before the slots' trailers, too: nothing
 * is begun then.
 */
static bool scratch_owns(const struct boot_config *config, struct swap *out)
{
    const struct img_trailer_format format = scratch_format(config);
    struct img_trailer trailer;
    img_trailer_read(&config->scratch, &format, &trailer);
    if (trailer.magic != IMG_MAGIC_GOOD || trailer.copy_done != IMG_FLAG_UNSET ||
        trailer.swap_type == IMG_SWAP_NONE || trailer.image_number != 0 || !trailer.has_swap_size ||
        trailer.swap_size == 0 || trailer.swap_size > max_end(config))
        return false;
    out->type = (enum img_swap_type)trailer.swap_type;
    out->larger_end = trailer.swap_size;
    out->step = 0;
    return !reaches_trailers(config, trailer.swap_size) ||
           next_step(&config->scratch, &format, BOOT_GROUP_STATES - 1, &out->step) == 0;
}

static struct swap find_swap(const struct boot_config *config)
{
    struct swap swap = {.owner = NOBODY};
    if (primary_owns(config, &swap))
        swap.owner = PRIMARY;
    else if (scratch_owns(config, &swap))
        swap.owner = SCRATCH;
    else
        swap.type = IMG_SWAP_NONE;
    return swap;
}

static enum img_swap_type interrupted(const struct boot_config *config, bool *begun)
{
    const struct swap swap = find_swap(config);
    *begun = swap.owner != NOBODY && swap.step > 0;
    return swap.type;
}

static int abandon(const struct boot_config *config)
{
    return find_swap(config).owner == SCRATCH
               ? boot_erase(config, &config->scratch, 0, config->scratch.size)
               : boot_erase_trailer(config, &config->primary);
}

/* ---- the steps --------------------------------------------------------------------------- */

static int write_owner(const struct flash_area *area, const struct img_trailer_format *format,
                       const struct swap *swap)
{
    const struct img_trailer_record record = {
        .swap_type = swap->type,
        .image_ok = swap->type != IMG_SWAP_TEST,
        .with_swap_size = true,
        .swap_size = swap->larger_end,
    };
    return img_trailer_write(area, format, &record);
}

/* Entries are written to where the state lies; a trailer that is new, with its entries. */
static int record_in_trailers_sectors(const struct boot_config *config, const struct swap *swap,
                                      unsigned state)
{
    const struct img_trailer_format format = scratch_format(config);
    int err = 0;
    if (state < BOOT_GROUP_STATES - 1)
        err = img_entry_write(&config->scratch, &format, state, (uint8_t)(state + 1));
    for (unsigned i = 0; err == 0 && state == BOOT_GROUP_STATES - 1 && i <= state; i++)
        err = img_entry_write(&config->primary, &config->format, i, (uint8_t)(i + 1));
    if (err == 0 && state == 0)
        err = write_owner(&config->scratch, &format, swap);
    if (err == 0 && state == BOOT_GROUP_STATES - 1)
        err = write_owner(&config->primary, &config->format, swap);
    return err;
}

static int perform_group(const struct boot_config *config, const struct swap *swap, uint32_t index,
                         uint32_t start, uint32_t end)
{
    bool apart = index > 0 || end <= trailer_start(config);
    const struct boot_group group = {
        .start = start,
        .length = (apart ? end : max_end(config)) - start,
        .erase_end = apart ? end : config->primary.size,
    };
    int err = 0;
    for (unsigned state = 0; err == 0 && state < BOOT_GROUP_STATES; state++) {
        uint32_t step = BOOT_GROUP_STATES * index + state;
        if (step < swap->step)
            continue;
        err = boot_group_step(config, &group, state);
        if (err == 0)
            err = apart ? img_entry_write(&config->primary, &config->format, step,
                                          (uint8_t)(state + 1))
                        : record_in_trailers_sectors(config, swap, state);
    }
    return err;
}

/* When nobody owns any more, no trailer of the first group, and no image that happens to look like
 * one, may be left in scratch. */
static int clear_scratch(const struct boot_config *config)
{
    const struct img_trailer_format format = scratch_format(config);
    struct img_trailer trailer;
    img_trailer_read(&config->scratch, &format, &trailer);
    return trailer.magic == IMG_MAGIC_GOOD
               ? boot_erase(config, &config->scratch, 0, config->scratch.size)
               : 0;
}

/* From the first step that is not done to copy_done. */
static int finish(const struct boot_config *config, const struct swap *swap)
{
    uint32_t index = 0;
    int err = 0;
    for (uint32_t end = boot_group_end(config, swap->larger_end); err == 0 && end > 0; index++) {
        uint32_t start = boot_group_start(config, end);
        err = perform_group(config, swap, index, start, end);
        end = start;
    }
    if (err == 0)
        err = clear_scratch(config);
    if (err == 0)
        err = config->primary.flash->sync(config->primary.flash->context);
    return err != 0 ? err : img_trailer_set_copy_done(&config->primary, &config->format);
}

static int install(const struct boot_config *config, enum img_swap_type type, uint32_t larger_end)
{
    const struct swap swap = {.type = type, .larger_end = larger_end};
    int err = 0;
    if (reaches_trailers(config, larger_end)) /* the request stands until scratch owns */
        return finish(config, &swap);
    if (type == IMG_SWAP_REVERT)
        err = boot_request_revert(config, larger_end);
    if (err == 0)
        err = boot_erase_trailer(config, &config->primary);
    if (err == 0)
        err = write_owner(&config->primary, &config->format, &swap);
    if (err == 0)
        err = boot_erase_trailer(config, &config->secondary);
    return err != 0 ? err : finish(config, &swap);
}

static int resume(const struct boot_config *config)
{
    struct swap swap = find_swap(config);
    for (int i = 1; i < BOOT_READS && swap.owner == NOBODY; i++)
        swap = find_swap(config);
    if (swap.owner == NOBODY) /* it was there a moment ago: another boot may find it */
        return OTA_E_FLASH_READ;
    bool apart = !reaches_trailers(config, swap.larger_end);
    int err = 0;
    if (swap.owner == SCRATCH && apart)
        return install(config, swap.type, swap.larger_end);
    if (swap.step == 0 && apart) /* the cut may lie inside the erase of the secondary trailer */
        err = boot_erase_trailer(config, &config->secondary);
    return err != 0 ? err : finish(config, &swap);
}

const struct boot_scheme boot_swap_scratch = {
    .name = "swap-scratch",
    .reverts = true,
    .entries = true,
    .scratch = true,
    .check = check,
    .max_end = max_end,
    .go = boot_slots,
    .interrupted = interrupted,
    .abandon = abandon,
    .install = install,
    .resume = resume,
};

/* Swap using scratch and a status area: for parts that program whole rows.
 *
 * The steps are those of groups.h. No slot has a trailer: request, trial and the number of steps
 * that are done are one record (agent/image/status.h), and each step ends with the next record, old
 * or new under any cut:
 *
 *   request TEST or PERM -> swap, 1 step done -> … -> all but one done -> on trial, or nothing
 *   on trial             -> swap REVERT, 1 step done -> …            -> nothing
 *
 * Before the first record only scratch is touched: until then the request, or the trial, stands and
 * everything starts over; after it there is no way but on. */
#include "agent/boot/groups.h"
#include "agent/image/status.h"

static int check(const struct boot_config *config, const char **reason)
{
    struct img_status status;
    int err = boot_groups_check(config, reason);
    if (err != 0)
        return err;
    *reason = "it keeps no status entries: max-sectors must be 0";
    if (config->format.max_sectors != 0)
        return OTA_E_LAYOUT;
    *reason = "it needs a status area of four erase sectors or more, each with room for a record";
    return img_status_read(&config->format.status, &status);
}

static uint32_t max_end(const struct boot_config *config)
{
    return config->primary.size;
}

static bool is_under_way(const struct boot_config *config, const struct img_status *status)
{
    return status->swap != IMG_SWAP_NONE && status->larger_end != 0 &&
           status->larger_end <= max_end(config);
}

static enum img_swap_type interrupted(const struct boot_config *config, bool *begun)
{
    struct img_status status;
    int err = img_status_settle(&config->format.status, &status);
    *begun = err == 0 && is_under_way(config, &status);
    return *begun ? status.swap : IMG_SWAP_NONE;
}

/* What is recorded when `steps` of `count` steps are done. */
static struct img_status record_of(const struct img_status *swap, uint32_t steps, uint32_t count)
{
    const struct img_status under_way = {IMG_SWAP_NONE, false, swap->swap, swap->larger_end, steps};
    const struct img_status done = {IMG_SWAP_NONE, swap->swap == IMG_SWAP_TEST, IMG_SWAP_NONE, 0,
                                    0};
    return steps < count ? under_way : done;
}

/* Performs the steps that are not done; each ends with its record. */
static int finish(const struct boot_config *config, const struct img_status *swap)
{
    struct ota_twin log;
    uint32_t count = BOOT_GROUP_STATES * boot_group_count(config, swap->larger_end);
    uint32_t end = boot_group_end(config, swap->larger_end);
    uint32_t start = boot_group_start(config, end);
    int err = img_status_open(&config->format.status, &log);
    for (uint32_t step = 0; err == 0 && step < count; step++) {
        if (step > 0 && step % BOOT_GROUP_STATES == 0) {
            end = start;
            start = boot_group_start(config, end);
        }
        if (step < swap->steps)
            continue;
        const struct boot_group group = {start, end - start, end};
        const struct img_status record = record_of(swap, step + 1, count);
        err = ota_twin_prepare(&log);
        if (err == 0)
            err = boot_group_step(config, &group, step % BOOT_GROUP_STATES);
        if (err == 0)
            err = img_status_put(&log, &record);
    }
    return err;
}

static int install(const struct boot_config *config, enum img_swap_type type, uint32_t larger_end)
{
    const struct img_status begin = {.swap = type, .larger_end = larger_end};
    return finish(config, &begin);
}

static int resume(const struct boot_config *config)
{
    struct img_status status;
    int err = img_status_read(&config->format.status, &status);
    return err != 0 ? err : finish(config, &status);
}

const struct boot_scheme boot_swap_status = {
    .name = "swap-status",
    .reverts = true,
    .scratch = true,
    .in_status = &img_in_status,
    .check = check,
    .max_end = max_end,
    .go = boot_slots,
    .interrupted = interrupted,
    .install = install,
    .resume = resume,
};

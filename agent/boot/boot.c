#include "agent/boot/boot.h"

#include "agent/boot/copy.h"

#include <string.h>

/* After an installation, and once more after a recovery. */
#define MAX_ROUNDS 3

/* Of an installation that meets an error of the flash, in one boot. */
#define TRIES 3

static int check_counter(const struct boot_config *config, const struct img_info *image)
{
    uint32_t floor;
    if (!config->use_counter)
        return 0;
    int err = config->nv->get(config->nv->context, &floor);
    if (err != 0)
        return err;
    return image->has_counter && image->counter >= floor ? 0 : OTA_E_IMG_COUNTER;
}

/* Hash, signature and counter of the image in `slot`. */
static int check_image(const struct boot_config *config, const struct flash_area *slot,
                       uint32_t largest_end, struct img_info *out)
{
    const struct img_rules rules = {
        .keys = config->keys, .key_count = config->key_count, .max_end = largest_end};
    int err = img_check(slot, &rules, config->crypto, out, NULL);
    return err != 0 ? err : check_counter(config, out);
}

/* May the primary run? Without validate_primary only its structure is looked at. */
static int check_primary(const struct boot_config *config, struct img_info *out)
{
    return config->validate_primary ? check_image(config, &config->primary, 0, out)
                                    : img_inspect(&config->primary, out, NULL);
}

static bool primary_is_whole(const struct boot_config *config)
{
    struct img_info image;
    return check_image(config, &config->primary, 0, &image) == 0;
}

/* Does an image reach into the sectors of the primary's trailer? */
static bool shares_trailer(const struct boot_config *config, const struct img_info *image)
{
    struct flash_sector sector;
    uint32_t start = config->primary.size - img_trailer_size(&config->format);
    return flash_area_sector(&config->primary, start, &sector) != 0 || image->end > sector.start;
}

/* A confirmation that reads so or so is made good for all days: without a trailer the image counts
 * as confirmed. Where it shares the trailer's sectors, the image to go back to is what goes. */
static int settle_confirmation(const struct boot_config *config)
{
    struct img_info image;
    if (img_inspect(&config->primary, &image, NULL) != 0)
        return 0; /* it does not run anyway */
    if (!shares_trailer(config, &image))
        return boot_erase_trailer(config, &config->primary);
    return check_image(config, &config->secondary, 0, &image) == 0 ? boot_discard_secondary(config)
                                                                   : 0;
}

/* Is the primary on trial? A flag whose write was cut may read so or so, and would be believed one
 * day and not the next: reads that differ show it. Begun counts as set. Status records are settled
 * already. */
static int read_trial(const struct boot_config *config, bool *trial)
{
    bool good = false;
    bool done = false;
    bool confirmed = false;
    bool open = false;
    if (config->scheme->in_status != NULL) {
        *trial = img_on_trial(&config->primary, &config->format);
        return 0;
    }
    for (int i = 0; config->scheme->reverts && i < BOOT_READS; i++) {
        struct img_trailer primary;
        img_trailer_read(&config->primary, &config->format, &primary);
        good = good || primary.magic == IMG_MAGIC_GOOD;
        done = done || img_flag_on(primary.copy_done);
        confirmed = confirmed || img_flag_on(primary.image_ok);
        open = open || !img_flag_on(primary.image_ok);
    }
    *trial = good && done && !confirmed;
    return good && confirmed && open ? settle_confirmation(config) : 0;
}

/* What is asked for. A revert that an earlier boot began stands in the secondary trailer as a
 * permanent request of type REVERT (see boot_request_revert). */
static int requested(const struct boot_config *config, enum img_swap_type *type)
{
    bool trial;
    *type = img_requested(&config->secondary, &config->format);
    if (*type != IMG_SWAP_NONE)
        return 0;
    int err = read_trial(config, &trial);
    if (err == 0 && trial)
        *type = IMG_SWAP_REVERT;
    return err;
}

/* May the secondary be installed as `type`? Also finds the larger image's end. */
static int check_request(const struct boot_config *config, enum img_swap_type type,
                         uint32_t *larger_end)
{
    struct img_info old;
    struct img_info new;
    uint32_t limit = config->scheme->max_end(config);
    int err = check_image(config, &config->secondary, limit, &new);
    if (err != 0)
        return err;
    *larger_end = new.end;
    err = img_inspect(&config->primary, &old, NULL);
    if (err != 0) /* nothing there worth keeping or comparing with */
        return boot_is_verdict(err) ? 0 : err;
    if (type != IMG_SWAP_REVERT && config->refuse_older_version &&
        img_version_compare(&new.header.version, &old.header.version) < 0)
        return OTA_E_IMG_VERSION;
    if (type != IMG_SWAP_REVERT && config->use_counter && new.counter < old.counter)
        return OTA_E_IMG_COUNTER;
    if (config->scheme->reverts && old.end > limit) /* the running image could not be kept … */
        return primary_is_whole(config) ? OTA_E_IMG_SIZE : 0; /* … but it is worth nothing */
    if (old.end > *larger_end)
        *larger_end = old.end;
    return 0;
}

/* Overwrite erases the request only after the copy, and that erase may be cut where image and
 * trailer share a sector: the secondary is damaged or has lost its header, the request stands, and
 * yet all is done. Without a header there is nothing to refuse anyway. */
static bool is_done_already(const struct boot_config *config)
{
    uint8_t primary[IMG_HEADER_SIZE];
    uint8_t secondary[IMG_HEADER_SIZE];
    bool done = false;
    if (config->scheme->reverts ||
        flash_area_read(&config->primary, 0, primary, sizeof primary) != 0)
        return false;
    for (int i = 0; i < BOOT_READS && !done; i++)
        done = (flash_area_read(&config->secondary, 0, secondary, sizeof secondary) == 0 &&
                memcmp(primary, secondary, sizeof primary) == 0) ||
               flash_area_is_erased(&config->secondary, 0, sizeof secondary) != 0;
    return done;
}

/* The pending secondary must not run: take the request away, so that it is not asked again. */
static int refuse(const struct boot_config *config, bool recorded)
{
    if (recorded) { /* it would take over without the request */
        int err = config->scheme->abandon(config);
        if (err != 0)
            return err;
    } else if (img_requested(&config->secondary, &config->format) == IMG_SWAP_NONE) {
        boot_log(config, OTA_LOG_ERROR, "no image to go back to: keeping the one on trial");
        return img_confirm(&config->primary, &config->format);
    }
    boot_log(config, OTA_LOG_WARNING, "pending image refused");
    return boot_discard_secondary(config);
}

/* What to do about a request that was not granted. A primary that is damaged leaves the secondary
 * alone: it may be all there is, and recover() has its own rules. */
static int deny(const struct boot_config *config, bool recorded, int verdict,
                struct boot_result *out)
{
    if (!boot_is_verdict(verdict))
        return verdict;
    if (!primary_is_whole(config))
        return 0;
    if (is_done_already(config))
        return boot_discard_secondary(config);
    out->refused = verdict;
    return refuse(config, recorded);
}

/* Is all of the request still there that led to an installation of this type? Asked only where
 * nothing is begun, and so never of a scheme with status records. */
static bool still_stands(const struct boot_config *config, enum img_swap_type type)
{
    struct img_trailer request;
    img_trailer_read(&config->secondary, &config->format, &request);
    return request.magic == IMG_MAGIC_GOOD && request.swap_type == type &&
           img_flag_on(request.image_ok) == (type != IMG_SWAP_TEST);
}

/* Finishes what was interrupted, or installs what is asked for. While the request stands and
 * nothing was touched, the record of the installation is written anew: it may be of a cut write,
 * good today only. */
static int update(const struct boot_config *config, struct boot_result *out, bool *settled)
{
    uint32_t larger_end;
    bool begun = false;
    enum img_swap_type type = IMG_SWAP_NONE;
    if (config->scheme->interrupted != NULL)
        type = config->scheme->interrupted(config, &begun);
    bool found = type != IMG_SWAP_NONE;
    bool recorded = found && (begun || !still_stands(config, type));
    int asked = found ? 0 : requested(config, &type);
    *settled = type == IMG_SWAP_NONE;
    if (asked != 0 || *settled)
        return asked;
    int err = begun ? 0 : check_request(config, type, &larger_end);
    if (err != 0)
        return deny(config, found, err, out);
    out->performed = type;
    out->resumed = recorded;
    if (recorded) {
        boot_log(config, OTA_LOG_NOTICE, "going on with an interrupted installation");
        return config->scheme->resume(config);
    }
    boot_log(config, OTA_LOG_NOTICE,
             type == IMG_SWAP_REVERT ? "going back to the old image" : "installing");
    return config->scheme->install(config, type, larger_end);
}

/* An error of the flash may pass: the installation is tried again, idempotent as it is. Where it
 * stays and the primary is whole, what is there runs; the next boot tries again. */
static int try_update(const struct boot_config *config, struct boot_result *out, bool *settled)
{
    int err = 0;
    for (int i = 0; i < TRIES; i++) {
        *out = (struct boot_result){.performed = IMG_SWAP_NONE};
        err = update(config, out, settled);
        if (err != OTA_E_FLASH_ERASE && err != OTA_E_FLASH_PROGRAM)
            return err;
    }
    if (!primary_is_whole(config))
        return err;
    boot_log(config, OTA_LOG_ERROR, "the flash does not take it: going on with what is there");
    *out = (struct boot_result){.performed = IMG_SWAP_NONE};
    return 0;
}

/* The primary may not run: put the secondary in its place if that one may. */
static int recover(const struct boot_config *config, struct boot_result *out)
{
    uint32_t larger_end;
    int err = check_request(config, IMG_SWAP_REVERT, &larger_end);
    if (err != 0)
        return boot_is_verdict(err) ? OTA_E_NO_IMAGE : err;
    boot_log(config, OTA_LOG_WARNING, "primary image is damaged: installing the other one");
    out->performed = IMG_SWAP_REVERT;
    return config->scheme->install(config, IMG_SWAP_REVERT, larger_end);
}

/* An image that stays may raise the floor; one on trial may not, or there were no way back. The
 * floor rises only for an image that is proven, whatever is validated at other boots. A counter
 * that cannot be raised is no reason not to run a good image. */
static void raise_counter(const struct boot_config *config, const struct boot_result *result)
{
    uint32_t floor;
    if (!config->use_counter || result->trial || !result->image.has_counter ||
        config->nv->get(config->nv->context, &floor) != 0 || result->image.counter <= floor)
        return;
    if (!config->validate_primary && !primary_is_whole(config))
        return;
    if (config->nv->raise(config->nv->context, result->image.counter) != 0)
        boot_log(config, OTA_LOG_ERROR, "the security counter cannot be raised");
}

int boot_check_config(const struct boot_config *config, const char **reason)
{
    const struct flash_area *const slots[] = {&config->primary, &config->secondary};
    for (size_t i = 0; i < 2; i++) {
        struct flash_sector sector;
        *reason = "a slot lies outside the flash or not on sector boundaries";
        if (slots[i]->size == 0 || flash_area_sector(slots[i], 0, &sector) != 0 ||
            sector.start != 0)
            return OTA_E_LAYOUT;
        *reason = "the copy buffer is no multiple of the program unit";
        if (config->buffer_size == 0 || config->buffer_size % sector.unit != 0)
            return OTA_E_LAYOUT;
    }
    *reason = "alignment must be 8, 16 or 32";
    if (config->format.align != 8 && config->format.align != 16 && config->format.align != 32)
        return OTA_E_LAYOUT;
    return config->scheme->check(config, reason);
}

/* Without a layout nothing can be installed, but what is there may still run. */
static int boot(const struct boot_config *config, struct boot_result *out, bool installs)
{
    bool settled = false; /* nothing is asked for, not even to go back */
    int err = installs ? try_update(config, out, &settled) : 0;
    for (int round = 0; err == 0 && round < MAX_ROUNDS; round++) {
        err = check_primary(config, &out->image);
        if (err == 0)
            break;
        if (boot_is_verdict(err))
            err = installs && round + 1 < MAX_ROUNDS ? recover(config, out) : OTA_E_NO_IMAGE;
    }
    if (err != 0)
        return err;
    settled = settled && out->performed == IMG_SWAP_NONE;
    out->trial =
        config->scheme->reverts && !settled && img_on_trial(&config->primary, &config->format);
    raise_counter(config, out);
    return config->primary.flash->sync(config->primary.flash->context);
}

int boot_slots(const struct boot_config *config, struct boot_result *out)
{
    return boot(config, out, true);
}

int boot_go(const struct boot_config *config, struct boot_result *out)
{
    const char *reason;
    memset(out, 0, sizeof *out);
    out->performed = IMG_SWAP_NONE;
    if (config->platform != NULL && config->watchdog_ms != 0) {
        int err = config->platform->watchdog_start(config->platform->context, config->watchdog_ms);
        if (err != 0)
            return err;
    }
    if (boot_check_config(config, &reason) == 0)
        return config->scheme->go(config, out);
    boot_log(config, OTA_LOG_ERROR, reason);
    return config->scheme->store ? OTA_E_NO_IMAGE : boot(config, out, false);
}

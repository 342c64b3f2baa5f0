#include "agent/update/push.h"

#include <string.h>

#define LOOK_SIZE 128u /* bytes read back in one go: they lie on the device's stack */

static int fail(struct ota_push *push, int error)
{
    push->state = OTA_PUSH_FAILED;
    push->error = error;
    return error;
}

int ota_push_init(struct ota_push *push, const struct ota_push_config *config)
{
    struct flash_sector sector;
    struct img_info running;
    memset(push, 0, sizeof *push);
    push->config = *config;
    int error = flash_area_sector(&config->secondary, 0, &sector);
    if (error == 0)
        error = img_measure(&config->primary, &running, NULL);
    if (error != 0)
        return error;
    if (sector.unit == 0 || sector.unit > OTA_PUSH_UNIT_MAX)
        return OTA_E_LAYOUT;
    push->unit_size = sector.unit;
    push->erased = sector.erased;
    push->running = running.header.version;
    return 0;
}

/* ---- the slot ---------------------------------------------------------------------------- */

static int prepare_begin(struct ota_push *push)
{
    const struct ota_push_config *config = &push->config;
    if (config->reverts && img_on_trial(&config->primary, &config->format))
        return OTA_E_UNCONFIRMED;
    push->erased_from = config->secondary.size;
    int error = img_prepare_erase(&config->secondary, &config->format);
    if (error != 0)
        return error;
    return config->progress != NULL ? ota_progress_clear(config->progress) : 0;
}

int ota_push_prepare(struct ota_push *push)
{
    const struct flash_area *slot = &push->config.secondary;
    struct flash_sector sector;
    int error = 0;
    if (push->state == OTA_PUSH_IDLE || push->state == OTA_PUSH_FAILED)
        error = prepare_begin(push);
    else if (push->state != OTA_PUSH_PREPARING)
        return OTA_E_BUSY;
    /* Backwards, so that the trailer goes first: half an old image must not look pending. */
    if (error == 0)
        error = flash_area_sector(slot, push->erased_from - 1, &sector);
    if (error == 0)
        error = flash_area_erase_sector(slot, sector.start);
    if (error != 0)
        return fail(push, error);
    push->error = 0;
    push->asked = false;
    push->erased_from = sector.start;
    push->state = push->erased_from > 0 ? OTA_PUSH_PREPARING : OTA_PUSH_PREPARED;
    return push->state == OTA_PUSH_PREPARING;
}

int ota_push_start(struct ota_push *push, uint32_t size)
{
    if (push->state != OTA_PUSH_PREPARED)
        return OTA_E_BUSY;
    if (size == 0 || size > push->config.max_end)
        return fail(push, OTA_E_IMG_SIZE);
    push->size = size;
    push->received = 0;
    push->state = OTA_PUSH_WRITING;
    return 0;
}

/* Programs the collected unit, which holds the last `used` bytes received, filled up with the
 * erased value. */
static int program_unit(struct ota_push *push, uint32_t used)
{
    memset(push->unit + used, push->erased, push->unit_size - used);
    return flash_area_program(&push->config.secondary, push->received - used, push->unit,
                              push->unit_size);
}

static int write_some(struct ota_push *push, const uint8_t *data, uint32_t length, uint32_t *taken)
{
    uint32_t used = push->received % push->unit_size;
    int error = 0;
    if (used == 0 && length >= push->unit_size) {
        *taken = length - length % push->unit_size;
        error = flash_area_program(&push->config.secondary, push->received, data, *taken);
        push->received += *taken;
        return error;
    }
    uint32_t room = push->unit_size - used;
    *taken = length < room ? length : room;
    memcpy(push->unit + used, data, *taken);
    push->received += *taken;
    if (*taken == room || push->received == push->size)
        error = program_unit(push, used + *taken);
    return error;
}

int ota_push_write(struct ota_push *push, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    if (push->state != OTA_PUSH_WRITING)
        return OTA_E_BUSY;
    if (length > push->size - push->received)
        return fail(push, OTA_E_IMG_SIZE);
    while (length > 0) {
        uint32_t taken;
        int error = write_some(push, bytes, (uint32_t)length, &taken);
        if (error != 0)
            return fail(push, error);
        bytes += taken;
        length -= taken;
    }
    return 0;
}

/* ---- the image --------------------------------------------------------------------------- */

/* Of the bytes as they lie in flash. */
static int check_crc(const struct ota_push *push, uint32_t wanted)
{
    uint8_t bytes[LOOK_SIZE];
    uint32_t crc = 0;
    for (uint32_t at = 0; at < push->size;) {
        uint32_t length = push->size - at < LOOK_SIZE ? push->size - at : LOOK_SIZE;
        int error = flash_area_read(&push->config.secondary, at, bytes, length);
        if (error != 0)
            return error;
        crc = ota_crc32(crc, bytes, length);
        at += length;
    }
    return crc == wanted ? 0 : OTA_E_CHECKSUM;
}

static int check(struct ota_push *push, uint32_t crc)
{
    const struct ota_push_config *config = &push->config;
    const struct img_rules rules = {config->keys, config->key_count, config->max_end};
    const struct flash_port *flash = config->secondary.flash;
    if (push->received < push->size)
        return OTA_E_IMG_TRUNCATED;
    int error = flash->sync(flash->context);
    if (error == 0)
        error = check_crc(push, crc);
    if (error == 0)
        error = img_check(&config->secondary, &rules, config->crypto, &push->info, NULL);
    if (error != 0)
        return error;
    if (push->info.end != push->size)
        return push->info.end < push->size ? OTA_E_IMG_SIZE : OTA_E_IMG_TRUNCATED;
    if (img_version_compare(&push->info.header.version, &push->running) <= 0)
        return OTA_E_IMG_VERSION;
    return 0;
}

int ota_push_verify(struct ota_push *push, uint32_t crc)
{
    if (push->state != OTA_PUSH_WRITING)
        return OTA_E_BUSY;
    int error = check(push, crc);
    if (error != 0)
        return fail(push, error);
    push->state = OTA_PUSH_VERIFIED;
    return 0;
}

/* Begun or done: the loader must not find it. */
static int withdraw(struct ota_push *push)
{
    int error = img_withdraw(&push->config.secondary, &push->config.format);
    push->asked = error != 0;
    return error;
}

int ota_push_set_pending(struct ota_push *push)
{
    const struct ota_push_config *config = &push->config;
    const struct flash_port *flash = config->secondary.flash;
    if (push->state != OTA_PUSH_VERIFIED)
        return OTA_E_BUSY;
    push->asked = true;
    int error = img_set_pending(&config->secondary, &config->format, config->permanent);
    if (error == 0)
        error = flash->sync(flash->context);
    if (error != 0) {
        int again = withdraw(push);
        (void)again; /* `asked` remembers it: _abort and _prepare try again */
        return fail(push, error);
    }
    push->state = OTA_PUSH_PENDING;
    return 0;
}

int ota_push_abort(struct ota_push *push)
{
    int error = push->asked ? withdraw(push) : 0;
    if (error != 0)
        return fail(push, error);
    push->state = OTA_PUSH_IDLE;
    push->error = 0;
    return 0;
}

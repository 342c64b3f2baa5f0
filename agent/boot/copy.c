#include "agent/boot/copy.h"

#include <string.h>

void boot_feed(const struct boot_config *config)
{
    if (config->platform != NULL)
        config->platform->watchdog_feed(config->platform->context);
}

void boot_log(const struct boot_config *config, enum ota_log_level level, const char *text)
{
    if (config->platform != NULL)
        config->platform->log(config->platform->context, level, text, 0);
}

bool boot_is_verdict(int err)
{
    switch (err) {
    case OTA_E_IMG_MAGIC:
    case OTA_E_IMG_HEADER:
    case OTA_E_IMG_SIZE:
    case OTA_E_IMG_TLV:
    case OTA_E_IMG_TRUNCATED:
    case OTA_E_IMG_NO_HASH:
    case OTA_E_IMG_HASH:
    case OTA_E_IMG_NO_SIGNATURE:
    case OTA_E_IMG_KEY:
    case OTA_E_IMG_SIGNATURE:
    case OTA_E_IMG_VERSION:
    case OTA_E_IMG_COUNTER:
    case OTA_E_FLASH_READ: /* an image with a unit that cannot be read is not whole */
        return true;
    default:
        return false;
    }
}

/* Reads piece by piece what could not be read at once; pieces that still fail become `erased`. */
static int read_around_faults(const struct flash_area *source, uint32_t offset, uint8_t *data,
                              uint32_t length, uint8_t erased)
{
    struct flash_sector sector;
    int err = flash_area_sector(source, offset, &sector);
    if (err != 0)
        return err;
    for (uint32_t done = 0; done < length;) {
        uint32_t piece = sector.unit - (offset + done) % sector.unit;
        if (piece > length - done)
            piece = length - done;
        err = flash_area_read(source, offset + done, data + done, piece);
        if (err == OTA_E_FLASH_READ)
            memset(data + done, erased, piece);
        else if (err != 0)
            return err;
        done += piece;
    }
    return 0;
}

static bool all_equal(const uint8_t *data, uint32_t length, uint8_t value)
{
    return length == 0 || (data[0] == value && memcmp(data, data + 1, length - 1) == 0);
}

int boot_copy(const struct boot_config *config, const struct flash_area *source,
              uint32_t source_offset, const struct flash_area *target, uint32_t target_offset,
              uint32_t length)
{
    struct flash_sector sector;
    int err = flash_area_sector(target, target_offset, &sector);
    for (uint32_t done = 0; err == 0 && done < length;) {
        uint32_t piece = length - done;
        if (piece > config->buffer_size)
            piece = config->buffer_size;
        boot_feed(config);
        err = flash_area_read(source, source_offset + done, config->buffer, piece);
        if (err == OTA_E_FLASH_READ)
            err = read_around_faults(source, source_offset + done, config->buffer, piece,
                                     sector.erased);
        if (err == 0 && !all_equal(config->buffer, piece, sector.erased))
            err = flash_area_program(target, target_offset + done, config->buffer, piece);
        else if (err == 0 && !flash_area_is_erased(target, target_offset + done, piece))
            err = OTA_E_FLASH_ERASE;
        done += piece;
    }
    return err;
}

int boot_erase(const struct boot_config *config, const struct flash_area *area, uint32_t from,
               uint32_t to)
{
    int err = 0;
    while (err == 0 && to > from) {
        struct flash_sector sector;
        boot_feed(config);
        err = flash_area_sector(area, to - 1, &sector);
        if (err == 0)
            err = flash_area_erase_back(area, sector.start, to);
        to = sector.start;
    }
    return err;
}

int boot_erase_trailer(const struct boot_config *config, const struct flash_area *slot)
{
    return boot_erase(config, slot, slot->size - img_trailer_size(&config->format), slot->size);
}

int boot_lose_way_back(const struct boot_config *config, int err)
{
    if (err != OTA_E_FLASH_PROGRAM && err != OTA_E_FLASH_ERASE)
        return err;
    if (config->platform != NULL)
        config->platform->log(config->platform->context, OTA_LOG_ERROR,
                              "a sector of the secondary takes nothing: there is no way back", 0);
    return 0;
}

int boot_request_revert(const struct boot_config *config, uint32_t larger_end)
{
    struct img_trailer secondary;
    img_trailer_read(&config->secondary, &config->format, &secondary);
    if (secondary.magic == IMG_MAGIC_GOOD && secondary.swap_type == IMG_SWAP_REVERT)
        return 0;
    const struct img_trailer_record request = {
        .swap_type = IMG_SWAP_REVERT,
        .image_ok = true,
        .with_swap_size = true,
        .swap_size = larger_end,
    };
    int err = boot_erase_trailer(config, &config->secondary);
    return err != 0 ? err : img_trailer_write(&config->secondary, &config->format, &request);
}

enum img_swap_type boot_owner(const struct boot_config *config, struct img_trailer *trailer)
{
    bool done = false;
    for (int i = 0; i < BOOT_READS && !done; i++) {
        img_trailer_read(&config->primary, &config->format, trailer);
        done = img_flag_on(trailer->copy_done);
    }
    if (trailer->magic != IMG_MAGIC_GOOD || done || !trailer->has_swap_size ||
        trailer->swap_size == 0 || trailer->swap_size > config->scheme->max_end(config))
        return IMG_SWAP_NONE;
    return (enum img_swap_type)trailer->swap_type;
}

int boot_discard_secondary(const struct boot_config *config)
{
    boot_feed(config);
    int err = img_withdraw(&config->secondary, &config->format);
    return err != 0 ? err : flash_area_erase_sector(&config->secondary, 0);
}

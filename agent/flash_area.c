#include "agent/flash_area.h"

#include <string.h>

/* Bytes looked at in one go: small, for it lies on the device's stack. */
#define LOOK_SIZE 256u

static int check_range(const struct flash_area *area, uint32_t offset, uint32_t length)
{
    if (offset > area->size || length > area->size - offset ||
        area->size > UINT32_MAX - area->address) {
        return OTA_E_FLASH_BOUNDS;
    }
    return 0;
}

int flash_area_read(const struct flash_area *area, uint32_t offset, void *data, uint32_t length)
{
    int error = check_range(area, offset, length);
    if (error != 0 || length == 0) {
        return error;
    }
    return area->flash->read(area->flash->context, area->address + offset, data, length);
}

int flash_area_sector(const struct flash_area *area, uint32_t offset, struct flash_sector *out)
{
    int error = check_range(area, offset, 1);
    if (error != 0) {
        return error;
    }
    struct flash_sector sector;
    error = area->flash->sector(area->flash->context, area->address + offset, &sector);
    if (error != 0) {
        return error;
    }
    if (sector.start < area->address) {
        return OTA_E_FLASH_BOUNDS;
    }
    sector.start -= area->address;
    if (sector.size == 0 || sector.size > area->size - sector.start) {
        return OTA_E_FLASH_BOUNDS;
    }
    *out = sector;
    return 0;
}

int flash_area_compare(const struct flash_area *area, uint32_t offset, const void *data,
                       uint32_t length)
{
    const uint8_t *wanted = data;
    uint8_t bytes[LOOK_SIZE];
    int error = 0;
    while (error == 0 && length > 0) {
        uint32_t step = length < LOOK_SIZE ? length : LOOK_SIZE;
        error = flash_area_read(area, offset, bytes, step);
        if (error == OTA_E_FLASH_READ || (error == 0 && memcmp(bytes, wanted, step) != 0)) {
            error = OTA_E_FLASH_PROGRAM;
        }
        offset += step;
        wanted += step;
        length -= step;
    }
    return error;
}

int flash_area_program(const struct flash_area *area, uint32_t offset, const void *data,
                       uint32_t length)
{
    int error = check_range(area, offset, length);
    const uint8_t *bytes = data;
    uint32_t sector_left = 0;
    uint32_t page = 0;
    while (error == 0 && length > 0) {
        if (sector_left == 0) {
            struct flash_sector sector;
            error = flash_area_sector(area, offset, &sector);
            if (error != 0) {
                return error;
            }
            sector_left = sector.start + sector.size - offset;
            page = sector.page;
        }
        /* Never past the sector either: the next one may lie on another chip. */
        uint32_t step = length < sector_left ? length : sector_left;
        uint32_t address = area->address + offset;
        if (page != 0 && step > page - address % page) {
            step = page - address % page;
        }
        error = area->flash->program(area->flash->context, address, bytes, step);
        if (error == 0) {
            /* A part can lose a program without a word: what counts is what lies in flash. */
            error = flash_area_compare(area, offset, bytes, step);
        }
        bytes += step;
        offset += step;
        length -= step;
        sector_left -= step;
    }
    return error;
}

/* Inside one sector. */
static bool reads_erased(const struct flash_area *area, uint32_t offset, uint32_t length,
                         uint8_t erased)
{
    const struct flash_port *flash = area->flash;
    uint8_t bytes[LOOK_SIZE];
    while (length > 0) {
        uint32_t step = length < LOOK_SIZE ? length : LOOK_SIZE;
        if (flash->read(flash->context, area->address + offset, bytes, step) != 0 ||
            bytes[0] != erased || memcmp(bytes, bytes + 1, step - 1) != 0) {
            return false;
        }
        offset += step;
        length -= step;
    }
    return true;
}

/* `sector` is in area offsets. */
static int erase_whole(const struct flash_area *area, const struct flash_sector *sector)
{
    int error = area->flash->erase(area->flash->context, area->address + sector->start);
    if (error != 0) {
        return error;
    }
    return reads_erased(area, sector->start, sector->size, sector->erased) ? 0 : OTA_E_FLASH_ERASE;
}

int flash_area_erase_sector(const struct flash_area *area, uint32_t offset)
{
    struct flash_sector sector;
    int error = flash_area_sector(area, offset, &sector);
    if (error != 0) {
        return error;
    }
    if (sector.start != offset) {
        return OTA_E_FLASH_ALIGN;
    }
    return area->flash->erase(area->flash->context, area->address + offset);
}

int flash_area_erase_back(const struct flash_area *area, uint32_t from, uint32_t to)
{
    if (from > to || to > area->size) {
        return OTA_E_FLASH_BOUNDS;
    }
    while (to > from) {
        struct flash_sector sector;
        int error = flash_area_sector(area, to - 1, &sector);
        if (error == 0) {
            error = erase_whole(area, &sector);
        }
        if (error != 0) {
            return error;
        }
        to = sector.start;
    }
    return 0;
}

int flash_area_is_erased(const struct flash_area *area, uint32_t offset, uint32_t length)
{
    if (check_range(area, offset, length) != 0) {
        return 0;
    }
    while (length > 0) {
        struct flash_sector sector;
        if (flash_area_sector(area, offset, &sector) != 0) {
            return 0;
        }
        uint32_t step = sector.start + sector.size - offset;
        step = step < length ? step : length;
        if (!reads_erased(area, offset, step, sector.erased)) {
            return 0;
        }
        offset += step;
        length -= step;
    }
    return 1;
}

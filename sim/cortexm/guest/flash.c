#include "sim/cortexm/guest/flash.h"

#include "sim/cortexm/guest/board.h"
#include "sim/device_layout.h"

#include <string.h>

#define STATUS 4092u /* of the marks: where a chip says that its last operation failed */

static uint8_t *at(uint32_t address)
{
    return (uint8_t *)(uintptr_t)(BOARD_FLASH + address);
}

static const struct flash_chip *chip_of(const struct sim_device *device, uint32_t address)
{
    for (size_t i = 0; i < device->chip_count; i++) {
        const struct flash_chip *chip = &device->chips[i];
        if (address >= chip->start && address - chip->start < chip->part.size)
            return chip;
    }
    return NULL;
}

static bool is_inside(const struct sim_device *device, uint32_t address, uint32_t length)
{
    const struct flash_chip *last = &device->chips[device->chip_count - 1];
    uint32_t size = last->start + last->part.size;
    return address <= size && length <= size - address;
}

/* Does the range touch what cannot be read? */
static bool is_marked(const struct guest_flash *flash, uint32_t address, uint32_t length)
{
    const volatile uint32_t *mark = (const volatile uint32_t *)(uintptr_t)at(flash->marks);
    uint32_t count = flash->marks != 0 ? *mark++ : 0;
    for (; count > 0; count--, mark += 2)
        if (address < mark[0] + mark[1] && mark[0] < address + length)
            return true;
    return false;
}

static int read_bytes(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct guest_flash *flash = context;
    if (!is_inside(flash->device, address, length))
        return OTA_E_FLASH_BOUNDS;
    if (is_marked(flash, address, length))
        return OTA_E_FLASH_READ;
    memcpy(data, at(address), length);
    return OTA_OK;
}

static int find_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct guest_flash *flash = context;
    return sim_layout_sector(flash->device, address, out);
}

/* Never leave them to the compiler: each store is seen by the chip. */
static void store(uint32_t address, const uint8_t *data, uint32_t length)
{
    volatile uint8_t *byte = at(address);
    while (length > 0 && (address % 4 != 0 || length < 4)) {
        *byte++ = *data++;
        address++;
        length--;
    }
    volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)byte;
    for (; length >= 4; length -= 4, data += 4) {
        uint32_t value;
        memcpy(&value, data, sizeof value);
        *word++ = value;
    }
    for (byte = (volatile uint8_t *)word; length > 0; length--)
        *byte++ = *data++;
}

/* May `data` be programmed over what lies there? */
static bool is_allowed(const struct flash_part *part, uint32_t address, const uint8_t *data,
                       uint32_t length)
{
    const uint8_t *old = at(address);
    bool once = part->programs == 1 && part->row == 0;
    for (uint32_t i = 0; i < length; i++) {
        uint8_t is = old[i] ^ part->erased; /* bits that are programmed */
        uint8_t shall = data[i] ^ part->erased;
        bool zero = part->reprogram_zero && data[i] == 0x00;
        if ((is & ~shall) != 0 || (once && is != 0 && !zero))
            return false;
    }
    return true;
}

enum ring { RING_PROGRAM, RING_ERASE };

/* The operation is over. Did the chip do it? */
static bool ring(const struct guest_flash *flash, enum ring what)
{
    BOARD_REGISTER(BOARD_DOORBELL + 4u * (uint32_t)what) = 1;
    return flash->marks == 0 || BOARD_REGISTER(BOARD_FLASH + flash->marks + STATUS) == 0;
}

static int program(void *context, uint32_t address, const void *data, uint32_t length)
{
    const struct guest_flash *flash = context;
    const struct flash_chip *chip = chip_of(flash->device, address);
    if (length == 0)
        return OTA_OK;
    if (chip == NULL || length > chip->part.size - (address - chip->start))
        return OTA_E_FLASH_BOUNDS;
    const struct flash_part *part = &chip->part;
    uint32_t offset = address - chip->start;
    if (offset % part->unit != 0 || length % part->unit != 0)
        return OTA_E_FLASH_ALIGN;
    if (part->page != 0 && length > part->page - offset % part->page)
        return OTA_E_FLASH_ALIGN;
    if (!is_allowed(part, address, data, length))
        return OTA_E_FLASH_PROGRAM;
    store(address, data, length);
    return ring(flash, RING_PROGRAM) ? OTA_OK : OTA_E_FLASH_PROGRAM;
}

static int erase(void *context, uint32_t address)
{
    struct flash_sector sector;
    int result = find_sector(context, address, &sector);
    if (result != OTA_OK)
        return result;
    if (sector.start != address)
        return OTA_E_FLASH_ALIGN;
    volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)at(address);
    for (uint32_t i = 0; i < sector.size / sizeof *word; i++)
        word[i] = sector.erased * 0x01010101u;
    return ring(context, RING_ERASE) ? OTA_OK : OTA_E_FLASH_ERASE;
}

static int sync(void *context)
{
    (void)context;
    __asm__ volatile("dsb" ::: "memory");
    return OTA_OK;
}

void guest_flash_init(struct guest_flash *flash, const struct sim_device *device, uint32_t marks)
{
    flash->port = (struct flash_port){flash, read_bytes, program, erase, sync, find_sector};
    flash->device = device;
    flash->marks = marks;
}

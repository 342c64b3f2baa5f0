/* A whole bootloader for `nobrick prove --plugin`: copies a good image from slot 1 over slot 0, then
 * drops it. Images are those that nobrick makes up: "NBIM", size, number, bytes, CRC-32.
 *
 *   cc -shared -fPIC -g -I harness/prove -o overwrite.so scenarios/plugin/overwrite.c
 *   nobrick prove --plugin overwrite.so --device scenarios/plugin/overwrite.device */
#include "plugin.h"

#include <string.h>

enum { SLOT0, SLOT1 }; /* areas, in the order of the device file */

const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;

static const struct nobrick_flash *flash;
static uint8_t page[256];

/* Size of the image in the slot; 0: there is none, or not all of it. */
static uint32_t image_size(const struct nobrick_area *slot)
{
    uint32_t head[2], crc = 0xFFFFFFFF;
    if (flash->read(flash->context, slot->address, head, sizeof head) != 0 ||
        memcmp(head, "NBIM", 4) != 0 || head[1] < 16 || head[1] > slot->size)
        return 0;
    for (uint32_t at = 0; at < head[1]; at++) {
        if (at % sizeof page == 0 &&
            flash->read(flash->context, slot->address + at, page, sizeof page) != 0)
            return 0;
        crc ^= page[at % sizeof page];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return crc == 0xDEBB20E3 ? head[1] : 0; /* the CRC stands behind what it is of */
}

static void copy(const struct nobrick_area *from, const struct nobrick_area *to, uint32_t size)
{
    struct nobrick_sector sector;
    for (uint32_t at = 0; at < size; at += sizeof page) {
        if (flash->sector(flash->context, to->address + at, &sector) != 0 ||
            (sector.start == to->address + at &&
             flash->erase(flash->context, sector.start) != 0) ||
            flash->read(flash->context, from->address + at, page, sizeof page) != 0 ||
            flash->program(flash->context, to->address + at, page, sizeof page) != 0)
            return;
    }
}

uint32_t nobrick_boot(const struct nobrick_flash *device_flash)
{
    flash = device_flash;
    const struct nobrick_area *slots = flash->areas;
    uint32_t size = image_size(&slots[SLOT1]);
    if (size != 0) {
        copy(&slots[SLOT1], &slots[SLOT0], size);
        flash->erase(flash->context, slots[SLOT1].address);
    }
    return image_size(&slots[SLOT0]) != 0 ? slots[SLOT0].address : NOBRICK_NOTHING;
}

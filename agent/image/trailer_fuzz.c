/* A trailer of arbitrary bytes, read and then written to as loader and application would: no
 * access outside the slot, no unit programmed twice, and GOOD means 16 right bytes. */
#include "agent/image/trailer.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_AT   0x4000u
#define SLOT_SIZE 1024u

struct memory {
    uint8_t bytes[SLOT_SIZE];
    bool programmed[SLOT_SIZE];
    uint32_t unit;
    uint8_t erased;
    uint32_t unreadable;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static int memory_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct memory *m = context;

    require(address >= SLOT_AT && address - SLOT_AT <= SLOT_SIZE);
    uint32_t offset = address - SLOT_AT;
    require(length <= SLOT_SIZE - offset);
    if (m->unreadable >= offset && m->unreadable - offset < length) {
        return OTA_E_FLASH_READ;
    }
    memcpy(data, m->bytes + offset, length);
    return OTA_OK;
}

static int memory_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct memory *m = context;

    require(address >= SLOT_AT && address - SLOT_AT <= SLOT_SIZE);
    uint32_t offset = address - SLOT_AT;
    require(length > 0 && length <= SLOT_SIZE - offset);
    require(offset % m->unit == 0 && length % m->unit == 0);
    for (uint32_t i = 0; i < length; i += m->unit) {
        require(!m->programmed[(offset + i) / m->unit]);
        m->programmed[(offset + i) / m->unit] = true;
    }
    memcpy(m->bytes + offset, data, length);
    return OTA_OK;
}

static int memory_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct memory *m = context;

    (void)address;
    *out = (struct flash_sector){SLOT_AT, SLOT_SIZE, m->unit, 0, m->erased};
    return OTA_OK;
}

static void check_reading(const struct memory *m, const struct img_trailer *trailer, uint32_t align)
{
    bool right = memcmp(m->bytes + SLOT_SIZE - IMG_TRAILER_MAGIC_SIZE, img_trailer_magic(align),
                        IMG_TRAILER_MAGIC_SIZE) == 0;

    require(trailer->swap_type >= IMG_SWAP_NONE && trailer->swap_type <= IMG_SWAP_REVERT);
    require(trailer->magic != IMG_MAGIC_GOOD || right);
    require(trailer->magic == IMG_MAGIC_GOOD || !right || m->unreadable < SLOT_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t units[] = {1, 2, 4, 8, 16, 32, 64, 512};
    static const uint32_t aligns[] = {8, 16, 32, 8};
    static struct memory m;
    const struct flash_port port = {
        .context = &m, .read = memory_read, .program = memory_program, .sector = memory_sector};
    const struct flash_area slot = {&port, SLOT_AT, SLOT_SIZE};
    struct img_trailer trailer;

    if (size < 2) {
        return 0;
    }
    m.unit = units[data[0] & 7];
    m.erased = (data[0] & 8) != 0 ? 0x00 : 0xFF;
    m.unreadable = data[1] < 192 ? SLOT_SIZE - 1u - data[1] : UINT32_MAX;
    struct img_trailer_format format = {.align = aligns[data[0] >> 4 & 3], .write_size = m.unit};
    data += 2;
    size -= 2;
    size_t used = size < SLOT_SIZE ? size : SLOT_SIZE;
    memset(m.bytes, m.erased, sizeof m.bytes);
    memcpy(m.bytes + SLOT_SIZE - used, data, used);
    for (uint32_t i = 0; i < SLOT_SIZE; i++) {
        if (i % m.unit == 0) {
            m.programmed[i / m.unit] = false;
        }
        m.programmed[i / m.unit] |= m.bytes[i] != m.erased || i == m.unreadable;
    }

    img_trailer_read(&slot, &format, &trailer);
    check_reading(&m, &trailer, format.align);
    bool was_good = trailer.magic == IMG_MAGIC_GOOD;
    int code = img_set_pending(&slot, &format, (size & 1) != 0);
    img_trailer_read(&slot, &format, &trailer);
    check_reading(&m, &trailer, format.align);
    require(code != OTA_OK || trailer.magic == IMG_MAGIC_GOOD);
    require(!was_good || code == OTA_OK);
    return 0;
}

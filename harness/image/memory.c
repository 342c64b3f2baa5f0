#include "harness/image/memory.h"

#include <string.h>

static int memory_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct nb_memory *memory = context;

    if (address > memory->size || length > memory->size - address) {
        return OTA_E_FLASH_BOUNDS;
    }
    if (length > 0) {
        memcpy(data, memory->data + address, length);
    }
    return OTA_OK;
}

static int memory_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    (void)context;
    (void)address;
    (void)data;
    (void)length;
    return OTA_E_UNSUPPORTED;
}

static int memory_erase(void *context, uint32_t address)
{
    (void)context;
    (void)address;
    return OTA_E_UNSUPPORTED;
}

static int memory_sync(void *context)
{
    (void)context;
    return OTA_OK;
}

static int memory_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct nb_memory *memory = context;

    if (address >= memory->size) {
        return OTA_E_FLASH_BOUNDS;
    }
    *out = (struct flash_sector){.size = memory->size, .unit = 1, .erased = memory->erased};
    return OTA_OK;
}

void nb_memory_init(struct nb_memory *memory, const uint8_t *data, uint32_t size, uint8_t erased)
{
    memory->data = data;
    memory->size = size;
    memory->erased = erased;
    memory->port = (struct flash_port){memory,       memory_read, memory_program,
                                       memory_erase, memory_sync, memory_sector};
    memory->area = (struct flash_area){&memory->port, 0, size};
}

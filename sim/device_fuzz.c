/* Any text as a device file: it is refused with a place inside the text, or its regions lie apart,
 * on sector boundaries, inside the flash, and the loader takes the configuration. */
#include "sim/device_layout.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const char *parts_dir(void)
{
    static char path[4096];
    const char *data = getenv("NOBRICK_DATA");
    snprintf(path, sizeof path, "%s/parts", data != NULL ? data : "scenarios");
    return path;
}

static void check_regions(const struct sim_device *device)
{
    const struct sim_region *const regions[] = {
        &device->loader, &device->primary, &device->secondary, &device->journal, &device->progress};
    size_t count = device->progress.size == 0 ? 4 : 5;
    for (size_t i = 0; i < count; i++) {
        struct flash_sector sector;
        uint32_t end = regions[i]->address + regions[i]->size;
        require(regions[i]->size > 0 && end > regions[i]->address);
        require(sim_layout_sector(device, regions[i]->address, &sector) == OTA_OK);
        require(sector.start == regions[i]->address);
        require(sim_layout_sector(device, end - 1, &sector) == OTA_OK);
        require(sector.start + sector.size == end);
        for (size_t j = 0; j < i; j++)
            require(end <= regions[j]->address ||
                    regions[j]->address + regions[j]->size <= regions[i]->address);
    }
    require(sim_layout_sectors(device, &device->journal) >= 2);
    require(count == 4 || sim_layout_sectors(device, &device->progress) >= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_device device;
    struct flash_text_error error;
    const char *reason = "";
    /* A copy of the exact size, so that reading past its end is seen. */
    char *text = malloc(size > 0 ? size : 1);
    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    int result = sim_device_parse(text, size, "fuzz", parts_dir(), &device, &error);
    free(text);
    if (result != OTA_OK) {
        require(result == OTA_E_ARGUMENT && error.message[0] != '\0');
        require(error.line >= 1 && error.column >= 1 && error.column <= size + 1);
        return 0;
    }
    check_regions(&device);
    require(sim_layout_check(&device, &reason) == OTA_OK);
    sim_device_free(&device);
    return 0;
}

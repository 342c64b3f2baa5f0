/* Any text as the device of a plugin: it is refused with a place inside the text or as a whole, or
 * its areas lie apart, on sector boundaries, and each case has an image that is known. */
#include "harness/prove/plugin_device.h"
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

static void check_areas(const struct nb_plugin_device *device)
{
    for (size_t i = 0; i < device->area_count; i++) {
        const struct sim_region *region = &device->areas[i].region;
        struct flash_sector sector;
        uint32_t end = region->address + region->size;
        require(device->areas[i].name[0] != '\0' && end > region->address);
        require(sim_layout_sector(&device->device, region->address, &sector) == 0);
        require(sector.start == region->address);
        require(sim_layout_sector(&device->device, end - 1, &sector) == 0);
        require(sector.start + sector.size == end);
        for (size_t j = 0; j < i; j++) {
            const struct sim_region *other = &device->areas[j].region;
            require(end <= other->address || other->address + other->size <= region->address);
        }
    }
}

static void check_case(const struct nb_plugin_device *device, const struct nb_plugin_case *which)
{
    bool boots = false;
    require(which->rests != 0 && which->rests <= (NB_RUNS_OLD | NB_RUNS_NEW));
    for (size_t i = 0; i < which->put_count; i++) {
        const struct nb_plugin_put *put = &which->puts[i];
        require(put->area < device->area_count && put->size <= NB_PLUGIN_BYTES);
        require(put->content != NB_PUT_OLD || which->old.line != 0);
        require(put->content != NB_PUT_NEW || which->new.line != 0);
        boots = boots || put->content == NB_PUT_OLD || put->content == NB_PUT_NEW;
    }
    require(boots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nb_plugin_device device;
    struct flash_text_error error;
    /* A copy of the exact size, so that reading past its end is seen. */
    char *text = malloc(size > 0 ? size : 1);
    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    int err = nb_plugin_device_parse(text, size, "fuzz", parts_dir(), &device, &error);
    free(text);
    if (err != 0) {
        require(err == OTA_E_ARGUMENT && error.message[0] != '\0' && error.column <= size + 1);
        return 0;
    }
    require(device.case_count > 0);
    check_areas(&device);
    for (size_t i = 0; i < device.case_count; i++)
        check_case(&device, &device.cases[i]);
    return 0;
}

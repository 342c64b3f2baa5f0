#include "sim/device_layout.h"

#include <string.h>

void sim_device_defaults(struct sim_device *device, const char *name)
{
    memset(device, 0, sizeof *device);
    snprintf(device->name, sizeof device->name, "%s", name);
    device->validate_primary = true;
    device->refuse_older_version = true;
    device->header_size = 32;
    device->watchdog_ms = 4000;
    device->attempts = 1;
    snprintf(device->manufacturer, SIM_TEXT, "Express Widgits Corporation");
    snprintf(device->manufacturer_id, SIM_TEXT, "EWCO");
    snprintf(device->product, SIM_TEXT, "Easy Widgit");
    snprintf(device->serial, SIM_TEXT, "ABC213450001");
    snprintf(device->board, SIM_TEXT, "CY8CPROTO_062_4343W");
    snprintf(device->topic_prefix, SIM_TEXT, "OTAUpdate");
}

int sim_layout_sector(const struct sim_device *device, uint32_t address, struct flash_sector *out)
{
    for (size_t i = 0; i < device->chip_count; i++) {
        const struct flash_chip *chip = &device->chips[i];
        if (address < chip->start || address - chip->start >= chip->part.size)
            continue;
        uint32_t start = chip->start;
        for (size_t r = 0; r < chip->part.run_count; r++) {
            const struct flash_sector_run *run = &chip->part.runs[r];
            if (address - start < run->count * run->size) {
                out->start = start + (address - start) / run->size * run->size;
                out->size = run->size;
                out->unit = chip->part.unit;
                out->page = chip->part.page;
                out->erased = chip->part.erased;
                return OTA_OK;
            }
            start += run->count * run->size;
        }
    }
    return OTA_E_FLASH_BOUNDS;
}

uint32_t sim_layout_sectors(const struct sim_device *device, const struct sim_region *region)
{
    uint32_t count = 0;
    struct flash_sector sector;
    for (uint32_t offset = 0; offset < region->size; offset += sector.size) {
        if (sim_layout_sector(device, region->address + offset, &sector) != OTA_OK)
            break;
        count++;
    }
    return count;
}

int sim_layout_cut(struct flash_part *part, uint32_t size)
{
    if (size == 0 || size > part->size)
        return OTA_E_LAYOUT;
    uint32_t left = size;
    size_t runs = 0;
    for (; runs < part->run_count && left > 0; runs++) {
        struct flash_sector_run *run = &part->runs[runs];
        if (left < run->count * run->size) {
            if (left % run->size != 0)
                return OTA_E_LAYOUT;
            run->count = left / run->size;
        }
        left -= run->count * run->size;
    }
    part->run_count = runs;
    part->size = size;
    return OTA_OK;
}

/* A flash seam of which only the geometry answers. */

static int no_read(void *context, uint32_t address, void *data, uint32_t length)
{
    (void)context, (void)address, (void)data, (void)length;
    return OTA_E_UNSUPPORTED;
}

static int no_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    (void)context, (void)address, (void)data, (void)length;
    return OTA_E_UNSUPPORTED;
}

static int no_erase(void *context, uint32_t address)
{
    (void)context, (void)address;
    return OTA_E_UNSUPPORTED;
}

static int no_sync(void *context)
{
    (void)context;
    return OTA_OK;
}

static int geometry_sector(void *context, uint32_t address, struct flash_sector *out)
{
    return sim_layout_sector(context, address, out);
}

/* A loader's configuration of which only the geometry can be asked. */
struct layout {
    struct sim_device copy; /* the seam's context is not const */
    struct flash_port geometry;
    uint8_t buffer[SIM_COPY_BUFFER];
    struct boot_config config;
};

static void lay_out(const struct sim_device *device, struct layout *layout)
{
    layout->copy = *device;
    layout->geometry = (struct flash_port){
        .context = &layout->copy,
        .read = no_read,
        .program = no_program,
        .erase = no_erase,
        .sync = no_sync,
        .sector = geometry_sector,
    };
    sim_device_boot_config(device, &layout->geometry, NULL, NULL, NULL, layout->buffer,
                           sizeof layout->buffer, &layout->config);
}

int sim_layout_check(const struct sim_device *device, const char **reason)
{
    struct layout layout;
    lay_out(device, &layout);
    return boot_check_config(&layout.config, reason);
}

uint32_t sim_device_max_end(const struct sim_device *device)
{
    struct layout layout;
    lay_out(device, &layout);
    return device->scheme->max_end(&layout.config);
}

struct img_trailer_format sim_layout_format(uint32_t unit, const struct boot_scheme *scheme,
                                            uint32_t slot_sectors)
{
    struct img_trailer_format format = {.align = 8, .write_size = 8};
    if (unit > 8 && unit <= 32)
        format.align = unit <= 16 ? 16 : 32;
    if (unit > 8)
        format.write_size = unit;
    format.max_sectors = scheme->entries ? slot_sectors : 0;
    return format;
}

struct img_trailer_format sim_device_format(const struct sim_device *device,
                                            const struct flash_port *flash)
{
    struct img_trailer_format format = device->format;
    if (device->scheme->in_status != NULL || device->scheme->store) {
        format.status = (struct flash_area){flash, device->status.address, device->status.size};
        format.in_status = device->scheme->in_status;
    }
    return format;
}

void sim_device_boot_config(const struct sim_device *device, const struct flash_port *flash,
                            const struct crypto_port *crypto, const struct nv_port *nv,
                            const struct platform_port *platform, uint8_t *buffer,
                            uint32_t buffer_size, struct boot_config *out)
{
    *out = (struct boot_config){
        .scheme = device->scheme,
        .primary = {flash, device->primary.address, device->primary.size},
        .secondary = {flash, device->secondary.address, device->secondary.size},
        .scratch = {flash, device->scratch.address, device->scratch.size},
        .factory = {flash, device->factory.address, device->factory.size},
        .attempts = (uint8_t)device->attempts,
        .format = sim_device_format(device, flash),
        .keys = device->keys,
        .key_count = device->key_count,
        .validate_primary = device->validate_primary,
        .refuse_older_version = device->refuse_older_version,
        .use_counter = device->use_counter,
        .buffer = buffer,
        .buffer_size = buffer_size,
        .watchdog_ms = platform != NULL ? device->watchdog_ms : 0,
        .crypto = crypto,
        .nv = nv,
        .platform = platform,
    };
}

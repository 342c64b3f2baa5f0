#include "harness/run/device_text.h"

#include <stdio.h>
#include <string.h>

/* How many chips of the same part lie before this one. */
static unsigned twins_before(const struct sim_device *device, size_t chip)
{
    unsigned count = 0;
    for (size_t i = 0; i < chip; i++)
        count += strcmp(device->chips[i].part.name, device->chips[chip].part.name) == 0;
    return count;
}

static void write_region(FILE *out, const struct sim_device *device, const char *key,
                         const struct sim_region *region)
{
    for (size_t i = 0; i < device->chip_count; i++) {
        const struct flash_chip *chip = &device->chips[i];
        if (region->address < chip->start || region->address - chip->start >= chip->part.size)
            continue;
        unsigned twins = twins_before(device, i);
        fprintf(out, "%s %s", key, chip->part.name);
        if (twins)
            fprintf(out, "#%u", twins + 1);
        fprintf(out, " 0x%X 0x%X\n", region->address - chip->start, region->size);
        return;
    }
}

static void write_text(FILE *out, const char *key, const char *value)
{
    if (*value)
        fprintf(out, "%s %s\n", key, value);
}

int nb_device_write(const struct sim_device *device, const char *path)
{
    FILE *out = fopen(path, "w");
    if (!out)
        return OTA_E_IO;
    write_text(out, "system", device->system);
    for (size_t i = 0; i < device->chip_count; i++)
        fprintf(out, "part %s 0x%X\n", device->chips[i].part.name, device->chips[i].part.size);
    write_region(out, device, "loader", &device->loader);
    write_region(out, device, "primary", &device->primary);
    write_region(out, device, "secondary", &device->secondary);
    write_region(out, device, "journal", &device->journal);
    if (device->progress.size != 0)
        write_region(out, device, "progress", &device->progress);
    if (device->scratch.size != 0)
        write_region(out, device, "scratch", &device->scratch);
    if (device->status.size != 0)
        write_region(out, device, "status", &device->status);
    if (device->factory.size != 0)
        write_region(out, device, "factory", &device->factory);
    fprintf(out, "attempts %u\n", device->attempts);
    write_text(out, "scheme", device->scheme->name);
    fprintf(out, "align %u\nwrite-size %u\nmax-sectors %u\nheader %u\n", device->format.align,
            device->format.write_size, device->format.max_sectors, device->header_size);
    fprintf(out, "validate-primary %s\nrefuse-older %s\nsecurity-counter %s\n",
            device->validate_primary ? "yes" : "no", device->refuse_older_version ? "yes" : "no",
            device->use_counter ? "yes" : "no");
    for (size_t i = 0; i < device->key_count; i++)
        write_text(out, "key", device->key_paths[i]);
    write_text(out, "manufacturer", device->manufacturer);
    write_text(out, "manufacturer-id", device->manufacturer_id);
    write_text(out, "product", device->product);
    write_text(out, "serial", device->serial);
    write_text(out, "board", device->board);
    write_text(out, "topic-prefix", device->topic_prefix);
    fprintf(out, "watchdog-ms %u\n", device->watchdog_ms);
    bool good = !ferror(out);
    return fclose(out) == 0 && good ? 0 : OTA_E_IO;
}

/* A device made from one part: regions one after another, for sweeps and scripts. */
#include "agent/image/status.h"
#include "sim/device_layout.h"
#include "sim/systems.h"

#include <string.h>

#define LOADER_SIZE   (32u * 1024u)
#define RING_SECTORS  2u    /* the least that a ring of records needs */
#define PROGRESS_SIZE 4096u /* so that small sectors are not worn by one record each */
#define SCRATCH_SIZE  4096u
#define STATUS_SIZE   4096u
#define PLACES        4u /* of a store */

static int fail(struct flash_text_error *error, const char *text)
{
    memset(error, 0, sizeof *error);
    snprintf(error->message, sizeof error->message, "%s", text);
    return OTA_E_LAYOUT;
}

/* Takes whole sectors from *next on until `size` bytes are covered. */
static int take(const struct sim_device *device, uint32_t *next, uint32_t size, uint32_t sectors,
                struct sim_region *out)
{
    struct flash_sector sector;
    out->address = *next;
    out->size = 0;
    for (uint32_t count = 0; out->size < size || count < sectors; count++) {
        if (sim_layout_sector(device, *next, &sector) != OTA_OK)
            return OTA_E_LAYOUT;
        out->size += sector.size;
        *next += sector.size;
    }
    return OTA_OK;
}

/* A slot of exactly `size` bytes where the next sectors make one up, else further on; where nowhere
 * does, for sectors are larger, the next ones that cover as much. */
static int take_slot(const struct sim_device *device, uint32_t *next, uint32_t size,
                     struct sim_region *out)
{
    struct flash_sector sector;
    for (uint32_t from = *next; sim_layout_sector(device, from, &sector) == OTA_OK;
         from += sector.size) {
        uint32_t end = from;
        if (take(device, &end, size, 0, out) == OTA_OK && out->size == size) {
            *next = end;
            return OTA_OK;
        }
    }
    return take(device, next, size, 0, out);
}

/* A store's places: each is a sector for its head and as much as the slot. */
static int take_store(const struct sim_device *device, uint32_t *next, uint32_t slot_size,
                      struct sim_region *out)
{
    struct flash_sector sector;
    int result = sim_layout_sector(device, *next, &sector);
    return result != OTA_OK ? result
                            : take(device, next, PLACES * (sector.size + slot_size), 0, out);
}

int sim_device_generic(const struct flash_part *part, const struct boot_scheme *scheme,
                       uint32_t slot_size, struct sim_device *out, struct flash_text_error *error)
{
    uint32_t next = 0;
    sim_device_defaults(out, part->name);
    snprintf(out->system, sizeof out->system, "%s", sim_system_for(scheme)->name);
    out->chips[0].part = *part;
    out->chip_count = 1;
    out->scheme = scheme;
    int result = take(out, &next, LOADER_SIZE, 0, &out->loader);
    if (result == OTA_OK)
        result = take_slot(out, &next, slot_size, &out->primary);
    if (result == OTA_OK)
        result = scheme->store ? take_store(out, &next, slot_size, &out->secondary)
                               : take_slot(out, &next, slot_size, &out->secondary);
    if (result == OTA_OK)
        result = take(out, &next, 0, RING_SECTORS, &out->journal);
    if (result == OTA_OK)
        result = take(out, &next, PROGRESS_SIZE, RING_SECTORS, &out->progress);
    if (result == OTA_OK && scheme->scratch)
        result = take(out, &next, SCRATCH_SIZE, 0, &out->scratch);
    if (result == OTA_OK && (scheme->in_status != NULL || scheme->store))
        result = take(out, &next, STATUS_SIZE, IMG_STATUS_SECTORS, &out->status);
    if (result == OTA_OK && scheme->store)
        result = take(out, &next, IMG_ROW_SIZE, 0, &out->factory);
    if (result != OTA_OK)
        return fail(error, "the part is too small for loader, two slots and records");
    if (slot_size == 0 || out->primary.size != slot_size ||
        (!scheme->store && out->secondary.size != slot_size))
        return fail(error, "the slot size is no whole number of erase sectors");
    if (scheme->store)
        out->header_size = IMG_HARMONY_BLOCK;
    out->format = sim_layout_format(part->unit, scheme, sim_layout_sectors(out, &out->primary));
    const char *reason = "";
    return sim_layout_check(out, &reason) == OTA_OK ? OTA_OK : fail(error, reason);
}

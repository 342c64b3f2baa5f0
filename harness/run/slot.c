#include "harness/run/slot.h"

#include "agent/image/status.h"

#include <stdlib.h>
#include <string.h>

int nb_slot_erased(struct flash_sim *sim, const struct sim_region *slot, uint8_t *out)
{
    struct flash_sector sector;
    const struct flash_port *port = flash_sim_port(sim);
    int rc = port->sector(port->context, slot->address, &sector);
    *out = rc == 0 ? sector.erased : 0xFF;
    return rc;
}

int nb_slot_fill(struct flash_sim *sim, const struct sim_region *slot, const uint8_t *bytes,
                 uint32_t size)
{
    uint8_t erased;
    int rc = nb_slot_erased(sim, slot, &erased);
    if (rc == 0 && size > slot->size)
        rc = OTA_E_IMG_SIZE;
    if (rc)
        return rc;
    uint8_t *whole = malloc(slot->size);
    if (!whole)
        return OTA_E_NO_SPACE;
    memset(whole, erased, slot->size);
    if (size)
        memcpy(whole, bytes, size);
    rc = flash_sim_put(sim, slot->address, whole, slot->size);
    free(whole);
    return rc;
}

int nb_slot_forget(struct flash_sim *sim, const struct sim_device *device, unsigned slot)
{
    const struct img_trailer_format format = sim_device_format(device, flash_sim_port(sim));
    if (!device->scheme->in_status)
        return 0;
    return slot == 0 ? img_status_confirm(&format.status)
                     : img_status_ask(&format.status, IMG_SWAP_NONE);
}

int nb_slot_offset(const struct sim_region *slot, uint32_t value, bool from_end, uint32_t *out)
{
    *out = from_end ? slot->size - value : value;
    return value <= slot->size && *out < slot->size ? 0 : OTA_E_FLASH_BOUNDS;
}

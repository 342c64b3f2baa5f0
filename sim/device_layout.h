/* Geometry of a device: regions on its chips, and whether they fit each other and the scheme.
 *
 * Needs no flash content, so it works before any flash file exists. Private to sim/device*.c. */
#ifndef NOBRICK_SIM_DEVICE_LAYOUT_H
#define NOBRICK_SIM_DEVICE_LAYOUT_H

#include "sim/device.h"

/* A device without parts: the identity of AnyCloud's sample, and every check switched on. */
void sim_device_defaults(struct sim_device *device, const char *name);

/* The sector of `device` that holds `address`. */
OTA_MUST_CHECK int sim_layout_sector(const struct sim_device *device, uint32_t address,
                                     struct flash_sector *out);

/* Sectors in a region that lies on sector boundaries. */
uint32_t sim_layout_sectors(const struct sim_device *device, const struct sim_region *region);

/* Declares the chip cut to `size` bytes. OTA_E_LAYOUT when that is no whole number of sectors or
 * more than the part has. */
OTA_MUST_CHECK int sim_layout_cut(struct flash_part *part, uint32_t size);

/* Asks the loader whether slots and scheme fit. OTA_E_LAYOUT with a static reason. */
OTA_MUST_CHECK int sim_layout_check(const struct sim_device *device, const char **reason);

/* The trailer format that suits a part with program units of `unit` bytes; without status entries
 * when the scheme does not keep any. */
struct img_trailer_format sim_layout_format(uint32_t unit, const struct boot_scheme *scheme,
                                            uint32_t slot_sectors);

#endif

/* The unified factory image: loader, application and whatever else is programmed once
 * (configuration words), and the row by which a loader of scheme `ranked` knows the application. */
#ifndef NOBRICK_HARNESS_IMAGE_FACTORY_H
#define NOBRICK_HARNESS_IMAGE_FACTORY_H

#include "agent/image/harmony.h"
#include "harness/image/hex.h"
#include "sim/device.h"

/* Where the first byte of a PIC32MZ W1's program flash lies in Intel HEX files. */
#define NB_FACTORY_BASE 0x10000000u

/* Measures and signs what `hex` has in the primary slot of `device`, whose first byte is at `base`,
 * and adds the factory's row to it. row->name and row->version are the caller's, the rest is filled
 * in. `key_path`: a private key in PEM, or NULL. OTA_E_ARGUMENT, OTA_E_IMG_SIZE … with a one-line
 * reason: no factory area, nothing in the slot, something across its end or where the row goes. */
OTA_MUST_CHECK int nb_factory_add_row(struct nb_hex *hex, const struct sim_device *device,
                                      uint32_t base, const char *key_path, struct img_row *row,
                                      char *reason, size_t reason_size);

/* Makes the flash file at `path` of a device that was programmed with `hex`: what lies in its flash
 * is put down, what lies elsewhere left out. It must not exist. A one-line reason. */
OTA_MUST_CHECK int nb_factory_flash(const struct nb_hex *hex, const struct sim_device *device,
                                    uint32_t base, const char *path, char *reason,
                                    size_t reason_size);

#endif

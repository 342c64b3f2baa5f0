/* The flash of a device process: the simulator on its file, the factory image in a new one, the
 * journal of its operations in a file, and the power cut, which ends the process on the spot. */
#ifndef NOBRICK_SIM_POSIX_DEVICE_FLASH_H
#define NOBRICK_SIM_POSIX_DEVICE_FLASH_H

#include "sim/device_flash.h"
#include "sim/posix/device.h"
#include "sim/posix/nv.h"

#include <stdio.h>

struct posix_device_flash {
    const struct posix_device_config *config;
    struct flash_sim *sim;
    struct sim_device_flash seam;
    FILE *journal;
    bool journal_failed;
    struct posix_nv nv; /* counter beside the flash file */
};

/* On failure `why` says it to people. A new file has its name only with the factory image in it. */
OTA_MUST_CHECK int posix_device_flash_open(struct posix_device_flash *flash,
                                           const struct posix_device_config *config,
                                           struct sim_past *past, char *why, size_t size);

/* False: not all of the journal could be written. Also of one that was never opened. */
bool posix_device_flash_close(struct posix_device_flash *flash);

#endif

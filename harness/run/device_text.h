/* Writes a device as a device file, so that a process can be started as the device of a cell. */
#ifndef NOBRICK_HARNESS_RUN_DEVICE_TEXT_H
#define NOBRICK_HARNESS_RUN_DEVICE_TEXT_H

#include "sim/device.h"

/* OTA_E_IO with errno set. */
OTA_MUST_CHECK int nb_device_write(const struct sim_device *device, const char *path);

#endif

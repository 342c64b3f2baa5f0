/* Where the program finds its data: parts, devices, scenarios.
 *
 * The data directory is $NOBRICK_DATA, else `../scenarios` beside the executable's directory, else
 * `../share/nobrick` there. All returned strings are static. */
#ifndef NOBRICK_HARNESS_CLI_PATHS_H
#define NOBRICK_HARNESS_CLI_PATHS_H

#include "agent/ports.h"
#include "sim/device.h"

/* The data directory. Never NULL; when nothing is found, the first place looked at. */
const char *nb_data_dir(void);

/* `parts` in the data directory. */
const char *nb_parts_dir(void);

/* The running executable, absolute. "" when the system does not tell. */
const char *nb_executable(void);

/* The path of a device: `name` itself when it contains a slash or names a file, else the preset
 * DATA/devices/NAME.device. OTA_E_IO when there is neither, OTA_E_NO_SPACE when `out` is small. */
OTA_MUST_CHECK int nb_device_path(const char *name, char *out, size_t size);

/* Finds and loads a device file or preset. On failure prints the one line
 * `nobrick VERB: FILE:LINE:COL: what` on stderr. */
OTA_MUST_CHECK int nb_device_load(const char *verb, const char *name, struct sim_device *out);

#endif

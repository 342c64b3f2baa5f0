/* A simulated device in the posix world: one life (sim/life.h) a call, from power-on to its end or
 * next reset.
 *
 * Loader, application and agent run on a flash file and real peers, in the calling thread. A reset
 * ends the call; the caller then executes the program anew, so that the next life starts with fresh
 * memory, and hands over `past`. A power cut ends the process on the spot (exit code 9), as it
 * would end a device: nobody says goodbye to the broker. */
#ifndef NOBRICK_SIM_POSIX_DEVICE_H
#define NOBRICK_SIM_POSIX_DEVICE_H

#include "sim/life.h"
#include "sim/posix/http.h"
#include "sim/posix/mqtt.h"

struct posix_device_config {
    struct sim_life_config life;
    const char *flash_path;
    const uint8_t *factory; /* image for the primary slot of a new flash file; may be NULL */
    size_t factory_size;
    /* What the factory says of it, IMG_ROW_SIZE bytes, on a device with a store; else NULL. */
    const uint8_t *factory_row;
    struct posix_mqtt_config broker;
    struct posix_http_config server; /* host "": none */
    bool has_cut;
    uint32_t cut_operation;
    enum flash_tear cut_tear;
    bool console;             /* commands are read from standard input (sim/sysota.h) */
    const char *journal_path; /* a line for each flash operation is appended; NULL: none */
    enum ota_log_level log_level;
};

/* Returns the exit code of the process, or SIM_LIFE_RESET. */
int posix_device_run(const struct posix_device_config *config, struct sim_past *past,
                     struct sim_life_end *end);

#endif

/* The life of one simulated device in the posix world, from power-on to its end or next reset.
 *
 * Loader, application and agent run on a flash file and a real broker, in the calling thread. A
 * reset ends the call; the caller then executes the program anew, so that the next life starts with
 * fresh memory, and hands over `life`. A power cut ends the process on the spot (exit code 9), as
 * it would end a device: nobody says goodbye to the broker. */
#ifndef NOBRICK_SIM_POSIX_DEVICE_H
#define NOBRICK_SIM_POSIX_DEVICE_H

#include "agent/update/session.h"
#include "sim/app.h"
#include "sim/device.h"
#include "sim/posix/http.h"
#include "sim/posix/mqtt.h"

#define POSIX_DEVICE_RESET    (-1) /* returned: execute again */
#define POSIX_DEVICE_CUT_EXIT 9

/* What outlives a reset in the process. All zeros at first power-on. */
struct posix_device_life {
    uint32_t operations; /* flash operations so far */
    uint32_t crashes;    /* resets in a row that were not asked for */
    int failure;         /* 0, or why an image was refused or reverted on the way */
};

/* How the device looks for updates. All zeros: job flow over MQTT, and desk timings. */
struct posix_device_session {
    bool by_http; /* the first connection; https when the server is */
    enum ota_flow flow;
    const char *file;    /* on the HTTP server; NULL: the protocol's */
    bool send_direct;    /* direct flow over MQTT, on the board's topic */
    uint32_t chunk_size; /* over MQTT, one by one; 0: all in one go */
    bool no_result;
    bool permanent;
    struct app_answers answers; /* of the application, when its agent asks about a step */
    bool stay;                  /* no reset to install: somebody else resets the device */
    struct ota_timing timing;   /* 0: as it was */
};

struct posix_device_config {
    const struct sim_device *device;
    const char *flash_path;
    const uint8_t *factory; /* image for the primary slot of a new flash file; may be NULL */
    size_t factory_size;
    struct posix_mqtt_config broker;
    struct posix_http_config server; /* host "": none */
    struct posix_device_session session;
    bool once;      /* end after one check */
    bool boot_only; /* end after the loader */
    bool fast;      /* short timings, for tests */
    bool has_cut;
    uint32_t cut_operation;
    enum flash_tear cut_tear;
    const char *journal_path; /* a line for each flash operation is appended; NULL: none */
    enum ota_log_level log_level;
    /* Event lines (without newline) in order; `code` is the ota_err that the line's word stands
     * for, if it has one. */
    void (*event)(void *context, const char *line, int code);
    void *context;
};

/* How it ended, for people. */
struct posix_device_end {
    bool good;
    char text[320];
};

/* Returns the exit code of the process, or POSIX_DEVICE_RESET. */
int posix_device_run(const struct posix_device_config *config, struct posix_device_life *life,
                     struct posix_device_end *end);

#endif

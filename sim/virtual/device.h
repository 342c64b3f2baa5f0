/* A simulated device in the virtual world: loader, application and agent on flash in memory, a
 * virtual clock and the clients that the caller makes. The same life as in every world
 * (sim/life.h).
 *
 * Everything happens in the world's run, so several devices live in one world. A reset frees what
 * the device had in RAM, its connections with it, and begins anew after the present event, until
 * the device is over. A power cut (an operation of the flash that returns OTA_E_POWER) ends it on
 * the spot, exit code 9: the agent's code that stood there never goes on, no line is said after
 * "cut N TEAR" and "exit 9", and the connections are reset.
 *
 * The caller owns flash, counter, world, clients' makers and, if it likes, crypto; all must outlive
 * the device. */
#ifndef NOBRICK_SIM_VIRTUAL_DEVICE_H
#define NOBRICK_SIM_VIRTUAL_DEVICE_H

#include "sim/crypto_openssl.h"
#include "sim/life.h"
#include "sim/virtual/world.h"

/* Who makes a client of the virtual network. `deliver` is called in the world's run, never from
 * within a call of the port. */
struct virtual_client {
    /* NULL when memory runs out. */
    void *(*create)(void *context, void (*deliver)(void *owner, const struct ota_event *event),
                    void *owner);
    const char *(*reason)(void *client); /* why its last connection failed; "": it did not */
    /* The software is gone: its stream is reset now, and it neither sends nor delivers any more.
     * May come from inside `deliver`, and twice; `destroy` follows. */
    void (*drop)(void *client);
    void (*destroy)(void *client); /* never from inside `deliver` */
    void *context;
    const char *host; /* the peer, for people */
    uint16_t port;
};

struct virtual_device_config {
    const struct sim_device *device;
    struct flash_sim *sim; /* the device takes its observer and restarts its count */
    /* What is between device and flash, a struct flash_failing for instance; NULL: nothing. Reads
     * must give what the simulator gives: remembered digests rely on it. */
    const struct flash_port *flash;
    uint32_t *counter; /* its security counter */
    struct virtual_world *world;
    const struct random_port *random; /* NULL: the world's */
    struct virtual_client mqtt;
    const struct mqtt_port *(*mqtt_port)(void *client);
    struct virtual_client http; /* create NULL: there is no HTTP */
    const struct http_port *(*http_port)(void *client);
    bool https; /* that server speaks TLS */
    struct sim_session session;
    enum sim_timing timing;
    bool once;                     /* end after one check; else the device runs until it is freed */
    bool boot_only;                /* end after the loader */
    const struct sim_act *act;     /* as in struct sim_life_config */
    bool remember;                 /* digests and verdicts are kept by content */
    struct crypto_openssl *crypto; /* made for `sim`, so that they outlive the device; or NULL */
    /* Told of each digest of flash, remembered or not: the range counts as read. NULL: nobody. */
    void (*hashed)(void *context, uint32_t address, uint32_t length);
    /* Asked before each operation: how it is to be cut. `number` counts from 0 at the start, over
     * resets. NULL: never. */
    enum flash_tear (*cut)(void *context, const struct flash_op *op, uint32_t number);
    void (*journal)(void *context, const char *line);         /* sim_journal_line; NULL */
    void (*event)(void *context, const char *line, int code); /* as in struct sim_life_config */
    void *context;
};

struct virtual_device;

/* Turns the power on: the loader runs with the world's next events. `ended` is called once, in the
 * world's run, as the last thing of this device: it may free it there. NULL when memory runs out.
 * `config` is copied. */
struct virtual_device *virtual_device_start(const struct virtual_device_config *config,
                                            void (*ended)(void *context,
                                                          struct virtual_device *device, int code),
                                            void *context);
/* How it ended, for people; "" after a cut. Valid until it is freed. */
const struct sim_life_end *virtual_device_end(const struct virtual_device *device);
/* Also of a device that still runs: as if somebody took the power away, without a word. Never from
 * inside its callbacks but `ended`. NULL is fine. */
void virtual_device_free(struct virtual_device *device);

/* Start, run, free, for one device: returns its exit code, or OTA_E_TIMEOUT when it was not over
 * after `limit_ms` of virtual time (UINT32_MAX: when nothing happens any more). */
int virtual_device_run(const struct virtual_device_config *config, uint32_t limit_ms,
                       struct sim_life_end *end);

#endif

/* One life of a simulated device, from power-on to its end or its next reset, in any world.
 *
 * The world gives the ports, calls the life's entries (timers, events of the network) and does what
 * the life asks of it: stop. The life runs the loader, then application and agent, says every event
 * line, and tells at its end what came of it and with which exit code. The caller owns the struct
 * and what it is configured with; the life allocates nothing, and a new one begins with
 * sim_life_begin on the same struct. Nothing here fails but by an exit code and its text. */
#ifndef NOBRICK_SIM_LIFE_H
#define NOBRICK_SIM_LIFE_H

#include "agent/update/patched.h"
#include "agent/update/service.h"
#include "agent/update/to_store.h"
#include "sim/act.h"
#include "sim/app.h"
#include "sim/device.h"
#include "sim/power_on.h"
#include "sim/timing.h"

#define SIM_LIFE_RUNS (-2) /* not over yet */
#define SIM_CUT_EXIT  9    /* the power was cut */
#define SIM_CRASH_PAUSE_MS                                                                         \
    200 /* before the life after a crash: a loop of them eats no processor                         \
         */

/* How the device looks for updates. All zeros: job flow over MQTT. */
struct sim_session {
    bool by_http; /* the first connection; https when the server is */
    enum ota_flow flow;
    const char *file;           /* on the HTTP server; NULL: the protocol's */
    bool send_direct;           /* direct flow over MQTT, on the board's topic */
    uint32_t chunk_size;        /* over MQTT, one by one; 0: all in one go */
    struct app_answers answers; /* of the application, when its agent asks about a step */
    bool no_result;
    bool permanent;
    bool stay;                /* no reset to install: somebody else resets the device */
    bool hold;                /* of a service: what is available waits for `initiate` */
    bool initiate;            /* … by a message that the life begins with, if nothing is due */
    bool unperiodic;          /* of a service: only those checks that are asked for */
    struct ota_timing timing; /* 0: as it was */
};

struct sim_life_config {
    const struct sim_device *device;
    struct sim_session session;
    enum sim_timing timing;
    bool once;      /* end after one check */
    bool boot_only; /* end after the loader */
    /* A host hands over this image; there is no cloud then. NULL: there is no such host. */
    const uint8_t *push;
    size_t push_size;
    /* The device is up already: no loader runs, the application does this and ends. NULL: nothing.
     */
    const struct sim_act *act;
    /* Event lines (without newline) in order; `code` is the ota_err that the line's word stands
     * for, if it has one. */
    void (*event)(void *context, const char *line, int code);
    void *context;
};

/* The peer that a client is configured with, and why its last connection failed, for people. */
struct sim_link {
    const char *host;
    uint16_t port;
    bool tls;
    const char *(*reason)(void *client);
    const char *(*peer)(void *client); /* "HOST:PORT" that it was last sent to; NULL: this one */
    void *client;
};

enum sim_stop {
    SIM_STOP_RESET = 1, /* the device resets */
    SIM_STOP_CHECKED,   /* under `once`: the check is over */
    SIM_STOP_LEFT,      /* after sim_life_leave: the broker was told */
};

/* A board that does itself what the life plays elsewhere, on own_clock. */
struct sim_board {
    void *context;
    void (*feed)(void *context);  /* a watchdog that the loader started */
    void (*crash)(void *context); /* a fault of the processor: does not return */
};

/* What the world gives. The clocks call sim_life_agent_timer, _app_timer and _own_timer. */
struct sim_life_ports {
    const struct flash_port *flash;
    const struct crypto_port *crypto;
    const struct nv_port *nv;
    const struct random_port *random;
    const struct mqtt_port *mqtt;
    const struct http_port *http; /* may be NULL */
    const struct clock_port *agent_clock;
    const struct clock_port *app_clock;
    const struct clock_port *own_clock; /* watchdog, and an end that nobody else brings */
    const struct sim_board *board;      /* NULL: none */
    struct sim_link broker;
    struct sim_link server;
    /* To be followed by sim_life_finish, once the entry that is under way has returned. A later
     * call in the same entry takes the place of an earlier one. */
    void (*stop)(void *context, enum sim_stop why);
    void (*log)(void *context, enum ota_log_level level, const char *text);
    void *context;
};

/* How it ended, for people. */
struct sim_life_end {
    bool good;
    char text[320];
};

struct sim_life {
    const struct sim_life_config *config;
    const struct sim_life_ports *ports;
    struct sim_past *past;
    struct sim_life_end *end;
    struct platform_port platform;
    uint32_t watchdog_ms;
    struct boot_result boot;
    enum app_behaviour behaviour;
    bool stopped; /* nothing is delivered any more */
    bool leaving;
    bool pending;      /* the loader was asked to install */
    const char *reset; /* why, or NULL */
    int idle_code;
    unsigned state;                  /* of the agent, as far as it was told */
    uint64_t received;               /* bytes of messages and bodies in this session */
    char link[256];                  /* why the last connection failed */
    uint8_t buffer[SIM_COPY_BUFFER]; /* of the loader */
    const struct sim_system *system;
    struct ota_stored stored;   /* of a session whose images go to a store, … */
    struct ota_patched patched; /* … and of one that takes patches, too */
    struct ota_service service; /* of a system that has one */
    struct app app;
};

/* Power on: loader, application, agent, as far as they get without an event. SIM_LIFE_RUNS;
 * SIM_LIFE_RESET after a push, or when the loader met an error; or the exit code of a device that
 * is done: 0 or 1 after the loader, a push or an act, 2 when the agent cannot start. What is passed
 * must outlive the life. */
int sim_life_begin(struct sim_life *life, const struct sim_life_config *config,
                   const struct sim_life_ports *ports, struct sim_past *past,
                   struct sim_life_end *end);

/* The same after a loader that is a program of its own (sim_power_on): `boot` is what it found. */
int sim_life_begin_booted(struct sim_life *life, const struct sim_life_config *config,
                          const struct sim_life_ports *ports, struct sim_past *past,
                          struct sim_life_end *end, const struct boot_result *boot);

/* The end that `stop` asked for, RESET or CHECKED: SIM_LIFE_RESET, or the exit code (0 updated or
 * nothing new, 1 anything else) with `end` filled in. */
int sim_life_finish(struct sim_life *life, enum sim_stop why);

/* An operator wants a check now. */
void sim_life_check(struct sim_life *life);

/* A message for the service: the errors of `message`; OTA_E_UNSUPPORTED where there is none. */
OTA_MUST_CHECK int sim_life_message(struct sim_life *life, enum ota_service_message message);

/* Says goodbye to the broker. True: stop(SIM_STOP_LEFT) follows; false: it is not there. Nothing
 * is delivered to the application any more. */
bool sim_life_leave(struct sim_life *life);

/* Entries, made to be passed to clocks and clients: `life` is the struct sim_life. */
void sim_life_mqtt(void *life, const struct ota_event *event);
void sim_life_http(void *life, const struct ota_event *event);
void sim_life_agent_timer(void *life, unsigned id);
void sim_life_app_timer(void *life, unsigned id);
void sim_life_own_timer(void *life, unsigned id);

/* "exit 0": the last line of a device. */
void sim_life_say_exit(const struct sim_life_config *config, int code);

void sim_life_end_set(struct sim_life_end *end, bool good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

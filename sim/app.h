/* The one application that every simulated device runs, on top of the update agent.
 *
 * How it behaves is written in its image (app_tag.h). It reaches the world through the agent's
 * seams only, so the same application runs in every world. The caller owns the struct; what the
 * configuration points to must outlive it. */
#ifndef NOBRICK_SIM_APP_H
#define NOBRICK_SIM_APP_H

#include "agent/boot/boot.h"
#include "agent/update/session_state.h"
#include "sim/app_tag.h"

/* What the application answers when its agent asks about a step. */
struct app_answer {
    char step[16]; /* a state's name, or "write" */
    enum ota_answer answer;
};

#define APP_ANSWERS 4

/* The same for several steps; of all others it says CONTINUE. */
struct app_answers {
    struct app_answer items[APP_ANSWERS];
    size_t count;
};

/* Adds "stop=STEP", "done=STEP" or "fail=STEP", `length` characters. False: it is none of these, or
 * there are APP_ANSWERS already. */
bool app_answers_add(struct app_answers *answers, const char *text, size_t length);

struct app_config {
    enum app_behaviour behaviour;
    struct ota_config agent; /* confirm_itself is the application's to decide and is ignored */
    struct ota_ports ports;
    /* Timers of the application itself, beside the agent's; they fire app_timer. */
    const struct clock_port *clock;
    struct app_answers answers; /* what it says itself; else what agent.decide does */
    uint32_t watchdog_ms;       /* what the loader started; 0: none */
    /* The application ran into a fault: the device resets. May return. */
    void (*crash)(void *context);
    void *context;
};

#define APP_TEXT 4096 /* longest document that it takes by HTTP */

struct app {
    struct app_config config;
    struct mqtt_port no_network; /* of an application that never gets a connection */
    struct http_port no_server;
    struct ota_agent agent;
    uint8_t piece[OTA_CHUNK_SIZE];
    char text[APP_TEXT + 1];
};

/* Starts the application: runs it as far as it gets without an event. */
OTA_MUST_CHECK int app_start(struct app *app, const struct app_config *config);

/* An event for the agent. An application that hangs or crashed takes no notice. */
void app_event(struct app *app, const struct ota_event *event);

/* A timer of the application's own clock fired. */
void app_timer(struct app *app, unsigned id);

/* The event lines of a device (without newline), as `--events` and scenarios spell them. */
#define APP_LINE 160

/* "state receive", "progress 4096 65536" … */
void app_notice_line(const struct ota_notice *notice, char out[APP_LINE]);

#endif

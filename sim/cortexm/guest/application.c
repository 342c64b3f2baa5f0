/* The application of the board: what the loader starts. A life (sim/life.h) on the board's ports;
 * how it behaves is written in its tag. */
#include "agent/crc32.h"
#include "agent/protocol/json_arena.h"
#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/clock.h"
#include "sim/cortexm/guest/crypto.h"
#include "sim/cortexm/guest/flash.h"
#include "sim/cortexm/guest/net/net.h"
#include "sim/cortexm/guest/nv.h"
#include "sim/cortexm/guest/platform.h"
#include "sim/cortexm/guest/retained.h"
#include "sim/cortexm/guest/semihost.h"
#include "sim/cortexm/guest/settings.h"
#include "sim/cortexm/guest/stack.h"
#include "sim/cortexm/guest/uart.h"

#include <stdio.h>
#include <string.h>

#define GOODBYE_MS     1000
#define STOPPED_SIGNAL 15 /* an operator's `stop` ends a device as SIGTERM does a process */

extern uint32_t application_stack_top[];
extern uint32_t application_data_source[];
extern uint32_t application_data_start[];
extern uint32_t application_data_end[];
extern uint32_t application_bss_end[];

void application_start(void);

/* The image begins with its stack and its start. */
__attribute__((section(".entry"), used)) static const void *const entry[] = {
    application_stack_top, (void *)application_start};

/* Where the image tool writes how the application shall behave. */
__attribute__((section(".tag"), used)) static const char tag[APP_TAG_SIZE] = APP_TAG_MAGIC "\0good";

static union {
    max_align_t align;
    uint8_t bytes[JSON_ARENA(64)];
} json;

const struct ota_program ota_program = {
    .crc32 = ota_crc32_by_nibbles, .json = json.bytes, .json_size = sizeof json.bytes};

struct guest {
    struct guest_settings settings;
    struct guest_flash flash;
    struct guest_crypto crypto;
    struct guest_nv nv;
    struct guest_clock clocks[3]; /* the agent's, the application's, the life's own */
    struct sim_board board;
    struct sim_life_ports ports;
    struct sim_life life;
    struct sim_life_end end;
    int stop; /* enum sim_stop, once asked for */
};

static struct guest guest;

/* ---- what the life asks for -------------------------------------------------------------- */

static void on_event(void *context, const char *line, int code)
{
    (void)context, (void)code;
    uart_line(UART_EVENTS, line);
}

static void on_log(void *context, enum ota_log_level level, const char *text)
{
    static const char *const words[] = {"error", "warning", "notice", "info", "debug"};
    char line[200];
    (void)context;
    if ((uint32_t)level > guest.settings.log_level)
        return;
    snprintf(line, sizeof line, "%s: %s", words[level], text);
    uart_line(UART_LOG, line);
}

static void on_stop(void *context, enum sim_stop why)
{
    (void)context;
    guest.stop = (int)why;
}

static void feed(void *context)
{
    (void)context;
    board_watchdog_feed();
}

/* What a program does that has lost its way. */
static void crash(void *context)
{
    (void)context;
    __asm__ volatile("udf #0");
}

/* ---- begin ------------------------------------------------------------------------------- */

static int make_world(void)
{
    struct guest_settings *settings = &guest.settings;
    struct sim_life *life = &guest.life;
    int result = guest_settings_read_all(settings);
    if (result != OTA_OK)
        return result;
    settings->life.event = on_event;
    guest_flash_init(&guest.flash, &settings->device, settings->marks);
    guest_crypto_init(&guest.crypto, guest_verify_rsa);
    guest_nv_init(&guest.nv, settings->nv);
    guest_random_seed(settings->seed, guest_retained()->boots);
    guest_clock_init(&guest.clocks[0], sim_life_agent_timer, life);
    guest_clock_init(&guest.clocks[1], sim_life_app_timer, life);
    guest_clock_init(&guest.clocks[2], sim_life_own_timer, life);
    guest.board = (struct sim_board){NULL, feed, crash};
    guest.ports = (struct sim_life_ports){
        .flash = &guest.flash.port,
        .crypto = &guest.crypto.port,
        .nv = &guest.nv.port,
        .random = &guest_random,
        .agent_clock = &guest.clocks[0].port,
        .app_clock = &guest.clocks[1].port,
        .own_clock = &guest.clocks[2].port,
        .board = &guest.board,
        .stop = on_stop,
        .log = on_log,
    };
    return net_start(settings, sim_life_mqtt, sim_life_http, life, &guest.ports);
}

/* ---- run --------------------------------------------------------------------------------- */

/* Delivers what has happened; when nothing has, sleeps until something does. */
static void turn(void)
{
    bool busy = net_turn();
    uint32_t wait = net_wait();
    for (size_t i = 0; i < sizeof guest.clocks / sizeof guest.clocks[0] && guest.stop == 0; i++) {
        busy = guest_clock_turn(&guest.clocks[i]) || busy;
        uint32_t next = guest_clock_wait(&guest.clocks[i]);
        wait = next < wait ? next : wait;
    }
    if (!busy && guest.stop == 0)
        board_sleep(wait);
}

/* The device is told to stop: says goodbye to the broker, if it is there. */
static int leave(void)
{
    uint64_t until = board_now_ms() + GOODBYE_MS;
    if (sim_life_leave(&guest.life))
        while (guest.stop != SIM_STOP_LEFT && board_now_ms() < until)
            turn();
    sim_life_end_set(&guest.end, false, "stopped by signal %d", STOPPED_SIGNAL);
    return 128 + STOPPED_SIGNAL;
}

/* Until the life asks to stop, or somebody asks the device to. Its exit code, or SIM_LIFE_RESET. */
static int run(void)
{
    while (guest.stop == 0) {
        const char *command = uart_command();
        if (command != NULL && strcmp(command, "stop") == 0)
            return leave();
        if (command != NULL && strcmp(command, "check") == 0)
            sim_life_check(&guest.life);
        turn();
    }
    return sim_life_finish(&guest.life, (enum sim_stop)guest.stop);
}

static int live(void)
{
    struct guest_retained *retained = guest_retained();
    int result = make_world();
    if (result != OTA_OK) {
        sim_life_end_set(&guest.end, false, "cannot start: %s", ota_err_text(result));
        return 2;
    }
    int code = sim_life_begin_booted(&guest.life, &guest.settings.life, &guest.ports,
                                     &retained->past, &guest.end, &retained->boot);
    return code == SIM_LIFE_RUNS ? run() : code;
}

void application_start(void)
{
    platform_start();
    memcpy(application_data_start, application_data_source,
           (size_t)((char *)application_data_end - (char *)application_data_start));
    memset(application_data_end, 0,
           (size_t)((char *)application_bss_end - (char *)application_data_end));
    stack_paint(application_bss_end);
    uart_start();
    int code = live();
    if (guest.settings.log_level >= OTA_LOG_INFO)
        stack_tell("application", application_bss_end, application_stack_top);
    if (code == SIM_LIFE_RESET) {
        guest_retained()->reset = GUEST_RESET_ORDERED;
        board_reset();
    }
    board_watchdog_stop();
    if (guest.end.text[0] != '\0')
        uart_line(UART_LOG, guest.end.text);
    sim_life_say_exit(&guest.settings.life, code);
    semihost_exit(code);
}

#include "sim/posix/device.h"

#include "sim/crypto_openssl.h"
#include "sim/posix/device_flash.h"
#include "sim/posix/random.h"
#include "sim/posix/signals.h"
#include "sim/sysota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GOODBYE_MS  1000
#define STOP_SIGNAL 100 /* behind the life's own reasons to stop */
#define TYPED_MAX   512

struct device_process {
    const struct posix_device_config *config;
    struct posix_device_flash flash;
    struct crypto_openssl *crypto;
    struct posix_loop *loop;
    struct posix_clock *agent_clock;
    struct posix_clock *app_clock;
    struct posix_clock *own_clock;
    struct posix_mqtt *mqtt;
    struct posix_http *http;
    int signal_fd;
    int signal_number;
    char typed[TYPED_MAX]; /* the line that is being typed */
    size_t typed_length;
    struct sim_life_ports ports;
    struct sim_life life;
};

/* ---- what the life asks for -------------------------------------------------------------- */

static void on_stop(void *context, enum sim_stop why)
{
    struct device_process *process = context;
    posix_loop_stop(process->loop, (int)why);
}

static void on_log(void *context, enum ota_log_level level, const char *text)
{
    static const char *const words[] = {"error", "warning", "notice", "info", "debug"};
    const struct device_process *process = context;
    if (level <= process->config->log_level)
        fprintf(stderr, "%s: %s\n", words[level], text);
}

static const char *broker_peer(void *client)
{
    return posix_mqtt_peer(client);
}

static const char *server_peer(void *client)
{
    return posix_http_peer(client);
}

static const char *broker_reason(void *client)
{
    return posix_mqtt_reason(client);
}

static const char *server_reason(void *client)
{
    return posix_http_reason(client);
}

/* ---- signals ----------------------------------------------------------------------------- */

static void on_signal(void *context, int fd)
{
    struct device_process *process = context;
    process->signal_number = posix_signals_take(fd);
    if (process->signal_number != 0)
        posix_loop_stop(process->loop, STOP_SIGNAL);
}

/* SIGINT and SIGTERM become events of the loop. Blocked before any thread exists. */
static int watch_signals(struct device_process *process)
{
    process->signal_fd = posix_signals_open();
    if (process->signal_fd < 0)
        return OTA_E_IO;
    return posix_loop_watch(process->loop, process->signal_fd, on_signal, process);
}

/* ---- console ----------------------------------------------------------------------------- */

static void print_line(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
    fflush(stdout);
}

/* One byte at a time: what is typed behind a command that resets is the next life's to read. */
static void on_typed(void *context, int fd)
{
    struct device_process *process = context;
    char c;
    if (read(fd, &c, 1) != 1) {
        posix_loop_unwatch(process->loop, fd);
        return;
    }
    if (c != '\n') {
        if (process->typed_length + 1 < sizeof process->typed)
            process->typed[process->typed_length++] = c;
        return;
    }
    process->typed[process->typed_length] = '\0';
    process->typed_length = 0;
    sim_sysota(&process->life, process->typed, print_line, NULL);
}

/* ---- world ------------------------------------------------------------------------------- */

static int make_world(struct device_process *process)
{
    const struct posix_device_config *config = process->config;
    struct sim_life *life = &process->life;
    process->loop = posix_loop_new();
    if (process->loop == NULL)
        return OTA_E_NO_SPACE;
    int result = watch_signals(process);
    if (result != OTA_OK)
        return result;
    process->agent_clock = posix_clock_new(process->loop, sim_life_agent_timer, life);
    process->app_clock = posix_clock_new(process->loop, sim_life_app_timer, life);
    process->own_clock = posix_clock_new(process->loop, sim_life_own_timer, life);
    process->mqtt = posix_mqtt_new(process->loop, &config->broker, sim_life_mqtt, life);
    process->http = posix_http_new(process->loop, &config->server, sim_life_http, life);
    process->crypto = crypto_openssl_new(process->flash.sim, false);
    if (process->agent_clock == NULL || process->app_clock == NULL || process->own_clock == NULL ||
        process->mqtt == NULL || process->http == NULL || process->crypto == NULL)
        return OTA_E_NO_SPACE;
    process->ports = (struct sim_life_ports){
        .flash = &process->flash.seam.port,
        .crypto = crypto_openssl_port(process->crypto),
        .nv = &process->flash.nv.port,
        .random = &posix_random,
        .mqtt = posix_mqtt_port(process->mqtt),
        .http = posix_http_port(process->http),
        .agent_clock = posix_clock_port(process->agent_clock),
        .app_clock = posix_clock_port(process->app_clock),
        .own_clock = posix_clock_port(process->own_clock),
        .broker = {config->broker.host, config->broker.port, config->broker.tls, broker_reason,
                   broker_peer, process->mqtt},
        .server = {config->server.host, config->server.port, config->server.tls, server_reason,
                   server_peer, process->http},
        .stop = on_stop,
        .log = on_log,
        .context = process,
    };
    return OTA_OK;
}

/* A signal ended it. Says goodbye to the broker, if it is there. */
static int leave(struct device_process *process, struct sim_life_end *end)
{
    if (sim_life_leave(&process->life))
        (void)posix_loop_run(process->loop, GOODBYE_MS);
    sim_life_end_set(end, false, "stopped by signal %d", process->signal_number);
    return 128 + process->signal_number;
}

static int run(struct device_process *process, struct sim_past *past, struct sim_life_end *end)
{
    char why[sizeof end->text];
    if (posix_device_flash_open(&process->flash, process->config, past, why, sizeof why) !=
        OTA_OK) {
        sim_life_end_set(end, false, "%s", why);
        return 2;
    }
    int result = make_world(process);
    if (result != OTA_OK) {
        sim_life_end_set(end, false, "cannot start: %s", ota_err_text(result));
        return 2;
    }
    int code = sim_life_begin(&process->life, &process->config->life, &process->ports, past, end);
    if (code != SIM_LIFE_RUNS)
        return code;
    if (process->config->console &&
        posix_loop_watch(process->loop, STDIN_FILENO, on_typed, process) != OTA_OK) {
        sim_life_end_set(end, false, "the console cannot be read");
        return 2;
    }
    int stop = posix_loop_run(process->loop, UINT32_MAX);
    return stop == STOP_SIGNAL ? leave(process, end)
                               : sim_life_finish(&process->life, (enum sim_stop)stop);
}

int posix_device_run(const struct posix_device_config *config, struct sim_past *past,
                     struct sim_life_end *end)
{
    memset(end, 0, sizeof *end);
    struct device_process *process = calloc(1, sizeof *process);
    if (process == NULL) {
        snprintf(end->text, sizeof end->text, "out of memory");
        return 2;
    }
    process->config = config;
    process->signal_fd = -1;
    int code = run(process, past, end);
    posix_http_free(process->http);
    posix_mqtt_free(process->mqtt);
    posix_loop_free(process->loop);
    crypto_openssl_free(process->crypto);
    bool journaled = posix_device_flash_close(&process->flash);
    if (process->signal_fd >= 0)
        close(process->signal_fd);
    if (!journaled) {
        sim_life_end_set(end, false, "%s: cannot be written", config->journal_path);
        code = 2;
    }
    if (code != SIM_LIFE_RESET)
        sim_life_say_exit(&config->life, code);
    free(process);
    return code;
}

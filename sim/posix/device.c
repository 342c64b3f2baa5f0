#include "sim/posix/device.h"

#include "agent/protocol/anycloud.h"
#include "sim/app.h"
#include "sim/crypto_openssl.h"
#include "sim/posix/device_flash.h"
#include "sim/posix/platform.h"
#include "sim/posix/random.h"
#include "sim/posix/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CRASHES  8 /* in a row, under `once` */
#define GOODBYE_MS   1000
#define FORGETFUL_MS 1000 /* how long an application that never confirms is watched */

enum end_timer { TIMER_END };
enum stop { STOP_RESET = 1, STOP_IDLE, STOP_SIGNAL, STOP_CLOSED };

struct device_process {
    const struct posix_device_config *config;
    struct posix_device_life *life;
    struct posix_device_end *end;
    struct posix_device_flash flash;
    struct crypto_openssl *crypto;
    uint8_t buffer[SIM_COPY_BUFFER];
    /* world */
    struct posix_loop *loop;
    struct posix_clock *agent_clock;
    struct posix_clock *app_clock;
    struct posix_clock *own_clock;
    struct posix_platform platform;
    struct posix_mqtt *mqtt;
    struct posix_http *http;
    int signal_fd;
    int signal_number;
    bool leaving;
    /* what runs */
    struct boot_result boot;
    enum app_behaviour behaviour;
    struct app app;
    bool pending;      /* the loader was asked to install */
    const char *reset; /* why, or NULL */
    int idle_code;
    uint64_t received; /* bytes of messages and bodies in this session */
    char link[256];    /* why the last connection failed */
};

/* ---- saying what happens ----------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(const struct device_process *process,
                                                      int code, const char *format, ...)
{
    char line[APP_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    process->config->event(process->config->context, line, code);
}

__attribute__((format(printf, 3, 4))) static void conclude(struct device_process *process,
                                                           bool good, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(process->end->text, sizeof process->end->text, format, arguments);
    va_end(arguments);
    process->end->good = good;
}

/* ---- loader ------------------------------------------------------------------------------ */

static void boot_configure(struct device_process *process, struct boot_config *out)
{
    sim_device_boot_config(process->config->device, &process->flash.port,
                           crypto_openssl_port(process->crypto), &process->flash.nv.port,
                           &process->platform.port, process->buffer, sizeof process->buffer, out);
}

/* Runs the loader. 0, or the exit code of a device that cannot go on. */
static int power_on(struct device_process *process)
{
    struct boot_config config;
    boot_configure(process, &config);
    int result = boot_go(&config, &process->boot);
    if (process->boot.refused != OTA_OK) {
        process->life->failure = process->boot.refused;
        say(process, process->boot.refused, "refused %s", ota_err_word(process->boot.refused));
    }
    if (result != OTA_OK) {
        say(process, result, "boot none %s", ota_err_word(result));
        conclude(process, false, "%s: %s", "nothing boots", ota_err_text(result));
        return 1;
    }
    if (process->boot.performed == IMG_SWAP_REVERT)
        process->life->failure = OTA_E_REVERTED;
    char line[APP_LINE];
    app_boot_line(&process->boot, line);
    say(process, OTA_OK, "%s", line);
    return 0;
}

/* ---- application ------------------------------------------------------------------------- */

static void request_reset(struct device_process *process, const char *why)
{
    if (process->reset == NULL)
        process->reset = why;
    posix_loop_stop(process->loop, STOP_RESET);
}

static void on_reset(void *context)
{
    struct device_process *process = context;
    request_reset(process, process->pending ? "install" : "selftest");
}

static void on_watchdog(void *context)
{
    request_reset(context, "watchdog");
}

static void on_crash(void *context)
{
    request_reset(context, "crash");
}

/* What the session cost, at its end: so many bytes came in messages and bodies. */
static void say_bytes(struct device_process *process)
{
    if (process->received > 0)
        say(process, OTA_OK, "bytes %llu", (unsigned long long)process->received);
    process->received = 0;
}

static void on_notice(void *context, const struct ota_notice *notice)
{
    struct device_process *process = context;
    char line[APP_LINE];
    if (notice->type == OTA_NOTICE_IDLE)
        say_bytes(process);
    app_notice_line(notice, line);
    say(process, notice->code, "%s", line);
    if (notice->type == OTA_NOTICE_PENDING)
        process->pending = true;
    if (notice->type == OTA_NOTICE_REPORTED && notice->code != OTA_OK)
        process->life->failure = notice->code;
    if (notice->type != OTA_NOTICE_IDLE)
        return;
    process->idle_code = notice->code;
    if (process->config->once && process->reset == NULL)
        posix_loop_stop(process->loop, STOP_IDLE);
}

static bool is_connection_failure(int code)
{
    return code == OTA_E_CONNECT || ota_err_is_tls(code);
}

/* A connection did not come about, or broke. */
static void note_failure(struct device_process *process, int code, const char *peer,
                         const char *reason)
{
    snprintf(process->link, sizeof process->link, "cannot connect to %.120s: %.100s", peer, reason);
    if (ota_err_is_tls(code))
        say(process, code, "tls-refused %s", ota_err_word(code));
}

static void on_mqtt(void *context, const struct ota_event *event)
{
    struct device_process *process = context;
    if (process->leaving) {
        if (event->type == OTA_EVENT_MQTT_CLOSED || event->type == OTA_EVENT_MQTT_CONNECTED)
            posix_loop_stop(process->loop, STOP_CLOSED);
        return;
    }
    if (event->type == OTA_EVENT_MQTT_MESSAGE)
        process->received += event->length;
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code != OTA_OK)
        note_failure(process, event->code, posix_mqtt_peer(process->mqtt),
                     posix_mqtt_reason(process->mqtt));
    app_event(&process->app, event);
}

static void on_http(void *context, const struct ota_event *event)
{
    struct device_process *process = context;
    if (process->leaving)
        return;
    if (event->type == OTA_EVENT_HTTP_BODY)
        process->received += event->length;
    if (event->type == OTA_EVENT_HTTP_DONE && event->code != OTA_OK)
        note_failure(process, event->code, posix_http_peer(process->http),
                     posix_http_reason(process->http));
    app_event(&process->app, event);
}

static void on_agent_timer(void *context, unsigned id)
{
    struct device_process *process = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    app_event(&process->app, &event);
}

static void on_app_timer(void *context, unsigned id)
{
    struct device_process *process = context;
    app_timer(&process->app, id);
}

static void on_end_timer(void *context, unsigned id)
{
    struct device_process *process = context;
    (void)id;
    process->idle_code = OTA_E_UNCONFIRMED;
    posix_loop_stop(process->loop, STOP_IDLE);
}

static void on_signal(void *context, int fd)
{
    struct device_process *process = context;
    process->signal_number = posix_signals_take(fd);
    if (process->signal_number != 0)
        posix_loop_stop(process->loop, STOP_SIGNAL);
}

/* Short enough for a test, long enough for a loaded machine. */
static const struct ota_timing fast_timing = {
    .initial_check = 1,
    .next_check = 1000,
    .job_wait = 2000,
    .data_wait = 500,
    .connect_wait = 3000,
    .retry_first = 100,
    .retry_last = 1000,
    .connect_tries = 3,
    .data_tries = 5,
};

/* At a desk nobody waits a day for the next check. */
static const struct ota_timing desk_timing = {
    .initial_check = 1,
    .next_check = 10000,
    .job_wait = 10000,
    .data_wait = 3000,
    .connect_wait = 5000,
    .retry_first = 1000,
    .retry_last = 8000,
    .connect_tries = 4,
};

/* What was asked for, else the usual. */
static struct ota_timing timing_of(const struct posix_device_config *config)
{
    const struct ota_timing *wish = &config->session.timing;
    struct ota_timing timing = config->fast ? fast_timing : desk_timing;
#define WISH(field) (timing.field = wish->field != 0 ? wish->field : timing.field)
    WISH(initial_check);
    WISH(next_check);
    WISH(job_wait);
    WISH(data_wait);
    WISH(connect_wait);
    WISH(retry_first);
    WISH(retry_last);
    WISH(keep_alive);
    WISH(connect_tries);
    WISH(data_tries);
#undef WISH
    if (timing.retry_last < timing.retry_first)
        timing.retry_last = timing.retry_first;
    return timing;
}

static void agent_configure(struct device_process *process, struct ota_config *out)
{
    const struct sim_device *device = process->config->device;
    const struct posix_device_session *session = &process->config->session;
    struct boot_config boot;
    boot_configure(process, &boot);
    *out = (struct ota_config){
        .protocol = &ota_anycloud,
        .identity = {device->manufacturer, device->manufacturer_id, device->product, device->serial,
                     device->board},
        .topic_prefix = device->topic_prefix,
        .primary = boot.primary,
        .secondary = boot.secondary,
        .journal = {&process->flash.port, device->journal.address, device->journal.size},
        .progress = {&process->flash.port, device->progress.address, device->progress.size},
        .format = device->format,
        .keys = device->keys,
        .key_count = device->key_count,
        .max_end = device->scheme->max_end(&boot),
        .reverts = device->scheme->reverts,
        .connection = !session->by_http             ? OTA_BY_MQTT
                      : process->config->server.tls ? OTA_BY_HTTPS
                                                    : OTA_BY_HTTP,
        .server_tls = process->config->server.tls,
        .flow = session->flow,
        .send_direct = session->send_direct,
        .chunk_size = session->chunk_size,
        .http_file = session->file,
        .do_not_send_result = session->no_result,
        .stay_after_complete = session->stay,
        .permanent = session->permanent,
        .timing = timing_of(process->config),
        .notify = on_notice,
        .notify_context = process,
    };
}

static int start_app(struct device_process *process)
{
    struct app_config config = {
        .behaviour = process->behaviour,
        .ports = {.flash = &process->flash.port,
                  .crypto = crypto_openssl_port(process->crypto),
                  .mqtt = posix_mqtt_port(process->mqtt),
                  .http = posix_http_port(process->http),
                  .clock = posix_clock_port(process->agent_clock),
                  .random = &posix_random,
                  .platform = &process->platform.port},
        .clock = posix_clock_port(process->app_clock),
        .answers = process->config->session.answers,
        .watchdog_ms = process->config->device->watchdog_ms,
        .crash = on_crash,
        .context = process,
    };
    agent_configure(process, &config.agent);
    say(process, OTA_OK, "app %s", app_behaviour_word(process->behaviour));
    int result = app_start(&process->app, &config);
    if (result != OTA_OK)
        conclude(process, false, "the agent cannot start: %s", ota_err_text(result));
    /* Such an image has no session of its own; it just runs until somebody turns it off. */
    if (result == OTA_OK && process->config->once && process->behaviour == APP_FORGETS &&
        process->boot.trial) {
        const struct clock_port *clock = posix_clock_port(process->own_clock);
        result = clock->arm(clock->context, TIMER_END, FORGETFUL_MS);
    }
    return result;
}

/* ---- ends -------------------------------------------------------------------------------- */

static void running_version(const struct device_process *process, char *out, size_t size)
{
    const struct img_version *version = &process->boot.image.header.version;
    snprintf(out, size, "%u.%u.%u", version->major, version->minor, version->revision);
}

/* The check is over: what came of it? Returns the exit code. */
static int conclude_check(struct device_process *process)
{
    char runs[40];
    int code = process->idle_code;
    running_version(process, runs, sizeof runs);
    if (code == OTA_E_CONNECT && process->behaviour == APP_OFFLINE)
        conclude(process, false, "%s runs and never gets a connection", runs);
    else if (process->link[0] != '\0' && is_connection_failure(code))
        conclude(process, false, "%s", process->link);
    else if (code == OTA_E_UNCONFIRMED)
        conclude(process, false, "%s runs on trial and was not confirmed: the next boot reverts it",
                 runs);
    else if (code == OTA_E_NO_UPDATE)
        conclude(process, true, "nothing new: %s runs", runs);
    else if (process->life->failure != OTA_OK)
        conclude(process, false, "update failed: %s; %s runs", ota_err_text(process->life->failure),
                 runs);
    else if (process->pending)
        conclude(process, true, "a new image waits for the next reset; %s runs", runs);
    else if (code == OTA_OK)
        conclude(process, true, "updated: %s runs, confirmed and reported", runs);
    else
        conclude(process, false, "no update: %s; %s runs", ota_err_text(code), runs);
    return process->end->good ? 0 : 1;
}

static int conclude_reset(struct device_process *process)
{
    bool asked_for = strcmp(process->reset, "install") == 0;
    say_bytes(process);
    say(process, OTA_OK, "reset %s", process->reset);
    process->life->crashes = asked_for ? 0 : process->life->crashes + 1;
    if (!process->config->once || process->life->crashes < MAX_CRASHES)
        return POSIX_DEVICE_RESET;
    conclude(process, false, "%d resets in a row and no application that stays up", MAX_CRASHES);
    return 1;
}

/* Says goodbye to the broker, if it is there. */
static void leave(struct device_process *process)
{
    const struct mqtt_port *mqtt = posix_mqtt_port(process->mqtt);
    process->leaving = true;
    if (mqtt->disconnect(mqtt->context) == OTA_OK)
        (void)posix_loop_run(process->loop, GOODBYE_MS);
}

static int run_app(struct device_process *process)
{
    if (start_app(process) != OTA_OK)
        return 2;
    switch (posix_loop_run(process->loop, UINT32_MAX)) {
    case STOP_RESET:
        return conclude_reset(process);
    case STOP_IDLE:
        return conclude_check(process);
    default:
        leave(process);
        conclude(process, false, "stopped by signal %d", process->signal_number);
        return 128 + process->signal_number;
    }
}

/* ---- life -------------------------------------------------------------------------------- */

/* SIGINT and SIGTERM become events of the loop. Blocked before any thread exists. */
static int watch_signals(struct device_process *process)
{
    process->signal_fd = posix_signals_open();
    if (process->signal_fd < 0)
        return OTA_E_IO;
    return posix_loop_watch(process->loop, process->signal_fd, on_signal, process);
}

static int make_world(struct device_process *process)
{
    process->loop = posix_loop_new();
    if (process->loop == NULL)
        return OTA_E_NO_SPACE;
    int result = watch_signals(process);
    if (result != OTA_OK)
        return result;
    process->agent_clock = posix_clock_new(process->loop, on_agent_timer, process);
    process->app_clock = posix_clock_new(process->loop, on_app_timer, process);
    process->own_clock = posix_clock_new(process->loop, on_end_timer, process);
    process->mqtt = posix_mqtt_new(process->loop, &process->config->broker, on_mqtt, process);
    process->http = posix_http_new(process->loop, &process->config->server, on_http, process);
    process->crypto = crypto_openssl_new(process->flash.sim, false);
    if (process->agent_clock == NULL || process->app_clock == NULL || process->own_clock == NULL ||
        process->mqtt == NULL || process->http == NULL || process->crypto == NULL)
        return OTA_E_NO_SPACE;
    return posix_platform_init(&process->platform, process->loop, process->config->log_level,
                               on_reset, on_watchdog, process);
}

static int run(struct device_process *process)
{
    char why[sizeof process->end->text];
    if (posix_device_flash_open(&process->flash, process->config, process->life, why, sizeof why) !=
        OTA_OK) {
        conclude(process, false, "%s", why);
        return 2;
    }
    int result = make_world(process);
    if (result != OTA_OK) {
        conclude(process, false, "cannot start: %s", ota_err_text(result));
        return 2;
    }
    result = power_on(process);
    if (result != 0)
        return result;
    process->behaviour = app_tag_read(&(struct flash_area){&process->flash.port,
                                                           process->config->device->primary.address,
                                                           process->config->device->primary.size},
                                      &process->boot.image.header);
    if (process->config->boot_only) {
        char runs[40];
        running_version(process, runs, sizeof runs);
        conclude(process, true, "%s boots, %s", runs,
                 process->boot.trial ? "on trial" : "confirmed");
        return 0;
    }
    return run_app(process);
}

int posix_device_run(const struct posix_device_config *config, struct posix_device_life *life,
                     struct posix_device_end *end)
{
    memset(end, 0, sizeof *end);
    struct device_process *process = calloc(1, sizeof *process);
    if (process == NULL) {
        snprintf(end->text, sizeof end->text, "out of memory");
        return 2;
    }
    process->config = config;
    process->life = life;
    process->end = end;
    process->signal_fd = -1;
    int code = run(process);
    posix_http_free(process->http);
    posix_mqtt_free(process->mqtt);
    posix_loop_free(process->loop);
    crypto_openssl_free(process->crypto);
    bool journaled = posix_device_flash_close(&process->flash);
    if (process->signal_fd >= 0)
        close(process->signal_fd);
    if (!journaled) {
        conclude(process, false, "%s: cannot be written", config->journal_path);
        code = 2;
    }
    if (code != POSIX_DEVICE_RESET)
        say(process, OTA_OK, "exit %d", code);
    free(process);
    return code;
}

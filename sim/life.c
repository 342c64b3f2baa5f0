#include "sim/life.h"

#include "sim/push.h"
#include "sim/systems.h"
#include "sim/timing.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORGETFUL_MS 1000 /* how long an application that never confirms is watched */

enum own_timer { TIMER_END, TIMER_WATCHDOG };

/* ---- saying what happens ----------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(const struct sim_life *life, int code,
                                                      const char *format, ...)
{
    char line[APP_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    life->config->event(life->config->context, line, code);
}

void sim_life_end_set(struct sim_life_end *end, bool good, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(end->text, sizeof end->text, format, arguments);
    va_end(arguments);
    end->good = good;
}

void sim_life_say_exit(const struct sim_life_config *config, int code)
{
    char line[APP_LINE];
    snprintf(line, sizeof line, "exit %d", code);
    config->event(config->context, line, OTA_OK);
}

/* ---- loader ------------------------------------------------------------------------------ */

static void boot_configure(struct sim_life *life, struct boot_config *out)
{
    const struct sim_life_ports *ports = life->ports;
    sim_device_boot_config(life->config->device, ports->flash, ports->crypto, ports->nv,
                           &life->platform, life->buffer, sizeof life->buffer, out);
}

/* Runs the loader: what sim_power_on returns. */
static int power_on(struct sim_life *life)
{
    const struct sim_life_config *config = life->config;
    const struct sim_power power = {config->once, config->event, config->context};
    struct boot_config boot;
    int error;
    boot_configure(life, &boot);
    int code = sim_power_on(&power, &boot, life->past, &life->boot, &error);
    if (code > 0)
        sim_life_end_set(life->end, false, "%s: %s", "nothing boots", ota_err_text(error));
    return code;
}

/* ---- platform ---------------------------------------------------------------------------- */

static void stop(struct sim_life *life, enum sim_stop why)
{
    life->stopped = true;
    life->ports->stop(life->ports->context, why);
}

static void request_reset(struct sim_life *life, const char *why)
{
    if (life->reset == NULL)
        life->reset = why;
    stop(life, SIM_STOP_RESET);
}

static void on_reset(void *context)
{
    struct sim_life *life = context;
    request_reset(life, life->pending ? "install" : "selftest");
}

static int arm_own(struct sim_life *life, enum own_timer id, uint32_t ms)
{
    const struct clock_port *clock = life->ports->own_clock;
    return clock->arm(clock->context, id, ms);
}

static int start_watchdog(void *context, uint32_t timeout_ms)
{
    struct sim_life *life = context;
    life->watchdog_ms = timeout_ms;
    return arm_own(life, TIMER_WATCHDOG, timeout_ms);
}

static void write_log(void *context, enum ota_log_level level, const char *text, int code)
{
    const struct sim_life *life = context;
    char line[APP_LINE];
    if (code < 0)
        snprintf(line, sizeof line, "%s: %s", text, ota_err_text(code));
    life->ports->log(life->ports->context, level, code < 0 ? line : text);
}

static void feed_watchdog(void *context)
{
    struct sim_life *life = context;
    const struct sim_board *board = life->ports->board;
    if (board != NULL)
        board->feed(board->context);
    else if (life->watchdog_ms != 0 && arm_own(life, TIMER_WATCHDOG, life->watchdog_ms) != OTA_OK)
        write_log(life, OTA_LOG_ERROR, "watchdog cannot be armed", OTA_OK);
}

/* ---- application ------------------------------------------------------------------------- */

static void on_crash(void *context)
{
    struct sim_life *life = context;
    const struct sim_board *board = life->ports->board;
    if (board != NULL)
        board->crash(board->context);
    else
        request_reset(life, "crash");
}

/* What the session cost, at its end: so many bytes came in messages and bodies. */
static void say_bytes(struct sim_life *life)
{
    if (life->received > 0)
        say(life, OTA_OK, "bytes %lu", (unsigned long)life->received);
    life->received = 0;
}

static void on_notice(void *context, const struct ota_notice *notice)
{
    struct sim_life *life = context;
    char line[APP_LINE];
    /* An application that has a say leads elsewhere, too. */
    assert(notice->state == life->state || life->config->session.answers.count != 0 ||
           ota_state_leads_to(life->state, notice->state));
    life->state = notice->state;
    if (notice->type == OTA_NOTICE_IDLE)
        say_bytes(life);
    app_notice_line(notice, line);
    say(life, notice->code, "%s", line);
    if (notice->type == OTA_NOTICE_PENDING)
        life->pending = true;
    if (life->system->service != NULL)
        life->system->service->notice(&life->service, notice);
    if (notice->type == OTA_NOTICE_REPORTED && notice->code != OTA_OK)
        life->past->failure = notice->code;
    if (notice->type != OTA_NOTICE_IDLE)
        return;
    life->idle_code = notice->code;
    if (life->config->once && life->reset == NULL)
        stop(life, SIM_STOP_CHECKED);
}

/* The original's number and our word for it. What the loader was asked for is a reset's reason. */
static void on_service_event(void *context, enum ota_service_event event)
{
    struct sim_life *life = context;
    say(life, OTA_OK, "event %u %s", (unsigned)event, ota_service_event_word(event));
    if (event == OTA_SERVICE_FACTORY_RESET_SUCCESS || event == OTA_SERVICE_ROLLBACK_SUCCESS)
        life->pending = true;
}

static enum ota_answer on_question(void *context, struct ota_question *question)
{
    struct sim_life *life = context;
    return life->system->service->decide(&life->service, question);
}

static bool is_connection_failure(int code)
{
    return code == OTA_E_CONNECT || ota_err_is_tls(code);
}

/* A connection did not come about, or broke. */
static void note_failure(struct sim_life *life, int code, const struct sim_link *link)
{
    char configured[280];
    snprintf(configured, sizeof configured, "%s:%u", link->host, link->port);
    snprintf(life->link, sizeof life->link, "cannot connect to %.120s: %.100s",
             link->peer != NULL ? link->peer(link->client) : configured,
             link->reason(link->client));
    if (ota_err_is_tls(code))
        say(life, code, "tls-refused %s", ota_err_word(code));
}

void sim_life_mqtt(void *context, const struct ota_event *event)
{
    struct sim_life *life = context;
    if (life->stopped)
        return;
    if (life->leaving) {
        if (event->type == OTA_EVENT_MQTT_CLOSED || event->type == OTA_EVENT_MQTT_CONNECTED)
            stop(life, SIM_STOP_LEFT);
        return;
    }
    if (event->type == OTA_EVENT_MQTT_MESSAGE)
        life->received += event->length;
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code != OTA_OK)
        note_failure(life, event->code, &life->ports->broker);
    app_event(&life->app, event);
}

void sim_life_http(void *context, const struct ota_event *event)
{
    struct sim_life *life = context;
    if (life->stopped || life->leaving)
        return;
    if (event->type == OTA_EVENT_HTTP_BODY)
        life->received += event->length;
    if (event->type == OTA_EVENT_HTTP_DONE && event->code != OTA_OK)
        note_failure(life, event->code, &life->ports->server);
    app_event(&life->app, event);
}

void sim_life_agent_timer(void *context, unsigned id)
{
    struct sim_life *life = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    if (!life->stopped)
        app_event(&life->app, &event);
}

void sim_life_app_timer(void *context, unsigned id)
{
    struct sim_life *life = context;
    if (!life->stopped)
        app_timer(&life->app, id);
}

void sim_life_own_timer(void *context, unsigned id)
{
    struct sim_life *life = context;
    if (life->stopped)
        return;
    if (id == TIMER_WATCHDOG) {
        request_reset(life, "watchdog");
        return;
    }
    life->idle_code = OTA_E_UNCONFIRMED;
    stop(life, SIM_STOP_CHECKED);
}

static void agent_configure(struct sim_life *life, struct ota_config *out)
{
    const struct sim_device *device = life->config->device;
    const struct sim_session *session = &life->config->session;
    const struct sim_system *system = life->system;
    bool by_http = system->by_http || session->by_http;
    struct boot_config boot;
    boot_configure(life, &boot);
    boot_store_config(&boot, &life->stored.config);
    life->patched.calls = system->patches;
    life->stored.patched = system->patches != NULL ? &life->patched : NULL;
    *out = (struct ota_config){
        .parts = system->parts,
        .stored = system->store ? &life->stored : NULL,
        .identity = {device->manufacturer, device->manufacturer_id, device->product, device->serial,
                     device->board},
        .topic_prefix = device->topic_prefix,
        .primary = boot.primary,
        .secondary = boot.secondary,
        .journal = {life->ports->flash, device->journal.address, device->journal.size},
        .progress = {life->ports->flash, device->progress.address, device->progress.size},
        .format = boot.format,
        .keys = device->keys,
        .key_count = device->key_count,
        .max_end = device->scheme->max_end(&boot),
        .reverts = device->scheme->reverts,
        .connection = !by_http                  ? OTA_BY_MQTT
                      : life->ports->server.tls ? OTA_BY_HTTPS
                                                : OTA_BY_HTTP,
        .server_tls = life->ports->server.tls,
        .flow = session->flow,
        .send_direct = session->send_direct,
        .chunk_size = session->chunk_size,
        .http_file = session->file,
        .do_not_send_result = session->no_result || !system->reports,
        .stay_after_complete = session->stay,
        .permanent = session->permanent,
        .timing = sim_timing_of(life->config->timing, &life->config->session.timing),
        .notify = on_notice,
        .notify_context = life,
    };
}

static void service_configure(struct sim_life *life, struct ota_config *agent)
{
    const struct sim_session *session = &life->config->session;
    const struct ota_service_config config = {.auto_update = !session->hold,
                                              .auto_reset = !session->stay,
                                              .periodic = !session->unperiodic,
                                              .tell = on_service_event,
                                              .context = life};
    life->system->service->begin(&life->service, &config, &life->app.agent, agent);
    agent->decide = on_question;
    agent->decide_context = life;
}

static int start_app(struct sim_life *life)
{
    const struct sim_life_ports *ports = life->ports;
    struct app_config config = {
        .behaviour = life->behaviour,
        .ports = {.flash = ports->flash,
                  .crypto = ports->crypto,
                  .mqtt = ports->mqtt,
                  .http = ports->http,
                  .clock = ports->agent_clock,
                  .random = ports->random,
                  .platform = &life->platform},
        .clock = ports->app_clock,
        .answers = life->config->session.answers,
        .watchdog_ms = life->config->device->watchdog_ms,
        .crash = on_crash,
        .context = life,
    };
    agent_configure(life, &config.agent);
    if (life->system->service != NULL)
        service_configure(life, &config.agent);
    say(life, OTA_OK, "app %s", app_behaviour_word(life->behaviour));
    int result = app_start(&life->app, &config);
    if (result != OTA_OK)
        sim_life_end_set(life->end, false, "the agent cannot start: %s", ota_err_text(result));
    /* Busy with its trial it needs none. */
    if (result == OTA_OK && life->config->session.initiate &&
        sim_life_message(life, OTA_SERVICE_INITIATE) != OTA_OK)
        write_log(life, OTA_LOG_INFO, "nothing to initiate yet", OTA_OK);
    /* Such an image has no session of its own; it just runs until somebody turns it off. */
    if (result == OTA_OK && life->config->once && life->behaviour == APP_FORGETS &&
        life->boot.trial)
        result = arm_own(life, TIMER_END, FORGETFUL_MS);
    return result;
}

/* ---- ends -------------------------------------------------------------------------------- */

static void running_version(const struct sim_life *life, char *out, size_t size)
{
    const struct img_version *version = &life->boot.image.header.version;
    snprintf(out, size, "%u.%u.%u", version->major, version->minor, version->revision);
}

/* The check is over: what came of it? Returns the exit code. */
static int conclude_check(struct sim_life *life)
{
    char runs[40];
    int code = life->idle_code;
    running_version(life, runs, sizeof runs);
    if (code == OTA_E_CONNECT && life->behaviour == APP_OFFLINE)
        sim_life_end_set(life->end, false, "%s runs and never gets a connection", runs);
    else if (life->link[0] != '\0' && is_connection_failure(code))
        sim_life_end_set(life->end, false, "%s", life->link);
    else if (code == OTA_E_UNCONFIRMED)
        sim_life_end_set(life->end, false,
                         "%s runs on trial and was not confirmed: the next boot reverts it", runs);
    else if (code == OTA_E_NO_UPDATE)
        sim_life_end_set(life->end, true, "nothing new: %s runs", runs);
    else if (life->service.waiting)
        sim_life_end_set(life->end, true, "an update is available; %s runs", runs);
    else if (life->past->failure != OTA_OK)
        sim_life_end_set(life->end, false, "update failed: %s; %s runs",
                         ota_err_text(life->past->failure), runs);
    else if (life->pending)
        sim_life_end_set(life->end, true, "a new image waits for the next reset; %s runs", runs);
    else if (code == OTA_OK)
        sim_life_end_set(life->end, true, "updated: %s runs, confirmed%s", runs,
                         life->system->reports ? " and reported" : "");
    else
        sim_life_end_set(life->end, false, "no update: %s; %s runs", ota_err_text(code), runs);
    return life->end->good ? 0 : 1;
}

static int conclude_reset(struct sim_life *life)
{
    bool asked_for = strcmp(life->reset, "install") == 0;
    say_bytes(life);
    say(life, OTA_OK, "reset %s", life->reset);
    if (asked_for)
        life->past->crashes = 0;
    if (asked_for || sim_past_begins_anew(life->past, life->config->once))
        return SIM_LIFE_RESET;
    sim_life_end_set(life->end, false, "%d resets in a row and no application that stays up",
                     SIM_MAX_CRASHES);
    return 1;
}

int sim_life_finish(struct sim_life *life, enum sim_stop why)
{
    return why == SIM_STOP_RESET ? conclude_reset(life) : conclude_check(life);
}

void sim_life_check(struct sim_life *life)
{
    const struct ota_event event = {.type = OTA_EVENT_CHECK};
    if (!life->stopped && !life->leaving)
        app_event(&life->app, &event);
}

int sim_life_message(struct sim_life *life, enum ota_service_message message)
{
    bool deaf = life->stopped || life->leaving || life->behaviour == APP_HANGS;
    if (life->system == NULL || life->system->service == NULL)
        return OTA_E_UNSUPPORTED;
    return deaf ? OTA_E_BUSY : life->system->service->message(&life->service, message);
}

bool sim_life_leave(struct sim_life *life)
{
    const struct mqtt_port *mqtt = life->ports->mqtt;
    life->leaving = true;
    return mqtt->disconnect(mqtt->context) == OTA_OK;
}

/* ---- a host that pushes ------------------------------------------------------------------ */

static void on_push(void *context, const char *line, int code)
{
    const struct sim_life *life = context;
    life->config->event(life->config->context, line, code);
}

/* With no cloud to prove itself to, the application confirms itself when it starts. */
static int confirm_at_start(struct sim_life *life, const struct boot_config *boot)
{
    char runs[40];
    const struct flash_port *flash = life->ports->flash;
    if (!life->boot.trial)
        return OTA_OK;
    int result = img_confirm(&boot->primary, &boot->format);
    if (result == OTA_OK)
        result = flash->sync(flash->context);
    if (result == OTA_OK) {
        running_version(life, runs, sizeof runs);
        say(life, OTA_OK, "confirmed %s", runs);
    }
    return result;
}

/* 0: pending. */
static int take_push(struct sim_life *life, const struct boot_config *boot)
{
    const struct sim_life_config *config = life->config;
    const struct sim_push_plan plan = {.image = config->push, .size = (uint32_t)config->push_size};
    struct ota_progress progress;
    struct ota_push push;
    int result = sim_push_init(&push, config->device, boot, config->session.permanent, &progress);
    return result == OTA_OK ? sim_push(&push, &plan, on_push, life) : result;
}

/* Returns what sim_life_begin does. */
static int run_push(struct sim_life *life)
{
    struct boot_config boot;
    char runs[40];
    boot_configure(life, &boot);
    running_version(life, runs, sizeof runs);
    bool came_back = life->past->pushed;
    int result = confirm_at_start(life, &boot);
    if (result == OTA_OK && !came_back) {
        life->past->pushed = true;
        result = take_push(life, &boot);
        life->pending = result == OTA_OK;
    } else if (result == OTA_OK) {
        result = life->past->failure;
    }
    if (result != OTA_OK)
        sim_life_end_set(life->end, false, "push failed: %s; %s runs", ota_err_text(result), runs);
    else if (came_back)
        sim_life_end_set(life->end, true, "updated: %s runs, confirmed", runs);
    else if (life->config->session.stay)
        sim_life_end_set(life->end, true, "a new image waits for the next reset; %s runs", runs);
    else {
        life->reset = "install";
        return conclude_reset(life);
    }
    return life->end->good ? 0 : 1;
}

/* ---- an act by its own hand --------------------------------------------------------------- */

static int run_act(struct sim_life *life)
{
    const struct sim_life_config *config = life->config;
    struct boot_config boot;
    boot_configure(life, &boot);
    sim_act_announce(config->act, &boot, config->event, config->context);
    int result = sim_act(config->act, &boot, config->event, config->context);
    sim_life_end_set(life->end, result == OTA_OK, "%s: %s", sim_act_word(config->act->kind),
                     ota_err_text(result));
    return result == OTA_OK ? 0 : 1;
}

/* ---- begin ------------------------------------------------------------------------------- */

static void init(struct sim_life *life, const struct sim_life_config *config,
                 const struct sim_life_ports *ports, struct sim_past *past,
                 struct sim_life_end *end)
{
    memset(life, 0, sizeof *life);
    life->config = config;
    life->ports = ports;
    life->past = past;
    life->end = end;
    life->platform =
        (struct platform_port){life, on_reset, start_watchdog, feed_watchdog, write_log};
}

/* Whose device it is, and whether that fits: a session for slots would write where the directory of
 * a store is. False: `end` says why not. */
static bool find_system(struct sim_life *life)
{
    const struct sim_device *device = life->config->device;
    life->system = sim_system_find(device->system);
    if (life->system == NULL)
        sim_life_end_set(life->end, false, "no session for a device of system %s", device->system);
    else if (life->system->store != device->scheme->store)
        sim_life_end_set(life->end, false, "system %s does not go with scheme %s", device->system,
                         device->scheme->name);
    else if (life->system->store && life->config->push != NULL)
        sim_life_end_set(life->end, false, "a device with a store takes no push");
    else
        return true;
    return false;
}

/* What follows the loader. Returns what sim_life_begin does. */
static int go_on(struct sim_life *life)
{
    const struct sim_life_config *config = life->config;
    const struct sim_region *primary = &config->device->primary;
    if (config->act != NULL)
        return run_act(life);
    life->behaviour =
        app_tag_read(&(struct flash_area){life->ports->flash, primary->address, primary->size},
                     &life->boot.image.header);
    if (config->boot_only) {
        char runs[40];
        running_version(life, runs, sizeof runs);
        sim_life_end_set(life->end, true, "%s boots, %s", runs,
                         life->boot.trial ? "on trial" : "confirmed");
        return 0;
    }
    if (!find_system(life))
        return 2;
    bool stays_up = life->behaviour == APP_GOOD || life->behaviour == APP_OFFLINE;
    if (config->push != NULL && stays_up)
        return run_push(life);
    return start_app(life) == OTA_OK ? SIM_LIFE_RUNS : 2;
}

int sim_life_begin(struct sim_life *life, const struct sim_life_config *config,
                   const struct sim_life_ports *ports, struct sim_past *past,
                   struct sim_life_end *end)
{
    init(life, config, ports, past, end);
    int code = config->act == NULL ? power_on(life) : 0;
    return code != 0 ? code : go_on(life);
}

int sim_life_begin_booted(struct sim_life *life, const struct sim_life_config *config,
                          const struct sim_life_ports *ports, struct sim_past *past,
                          struct sim_life_end *end, const struct boot_result *boot)
{
    init(life, config, ports, past, end);
    life->boot = *boot;
    return go_on(life);
}

#include "sim/virtual/device.h"

#include "sim/device_flash.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Of the device's own clock, which outlives its resets. */
enum power_timer { TIMER_POWER_ON, TIMER_STOP, TIMER_OVER };

struct virtual_device {
    struct virtual_device_config config;
    struct sim_life_config life_config;
    void (*ended)(void *context, struct virtual_device *device, int code);
    void *ended_context;
    const struct sim_world *world;
    struct sim_past past;
    struct sim_life_end end;
    struct sim_device_flash flash;
    struct nv_port nv;
    struct crypto_openssl *crypto;
    bool own_crypto;
    struct crypto_port crypto_port;
    struct sim_clock *power;
    int code; /* how it ended, until that is told */
    /* in RAM: gone with a reset */
    bool on; /* its software runs */
    enum sim_stop why;
    struct sim_clock *agent_clock;
    struct sim_clock *app_clock;
    struct sim_clock *own_clock;
    void *mqtt;
    void *http;
    struct sim_life_ports ports;
    jmp_buf off; /* out of whatever the software does, when the power goes */
    struct sim_life life;
};

static void arm_power(struct virtual_device *device, enum power_timer id, uint32_t ms)
{
    const struct clock_port *clock = device->world->clock_port(device->power);
    if (clock->arm(clock->context, id, ms) == OTA_OK)
        return;
    sim_life_end_set(&device->end, false, "out of memory");
    device->on = false;
    device->world->stop(device->world->context, 2 + 1); /* as in stop_world */
}

/* ---- ports ------------------------------------------------------------------------------- */

static int counter_get(void *context, uint32_t *value)
{
    const struct virtual_device *device = context;
    *value = *device->config.counter;
    return OTA_OK;
}

static int counter_raise(void *context, uint32_t value)
{
    struct virtual_device *device = context;
    if (value > *device->config.counter)
        *device->config.counter = value;
    return OTA_OK;
}

static const struct crypto_port *crypto_of(void *context)
{
    return crypto_openssl_port(((struct virtual_device *)context)->crypto);
}

static int sha256(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE])
{
    const struct crypto_port *port = crypto_of(context);
    return port->sha256(port->context, data, length, digest);
}

/* Only what is read through the simulator's own port is remembered; the device's reads the same. */
static int sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    struct virtual_device *device = context;
    const struct crypto_port *port = crypto_of(context);
    if (device->config.hashed != NULL)
        device->config.hashed(device->config.context, address, length);
    if (flash == &device->flash.port)
        flash = flash_sim_port(device->config.sim);
    return port->sha256_flash(port->context, flash, address, length, digest);
}

static int verify(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size)
{
    const struct crypto_port *port = crypto_of(context);
    return port->verify(port->context, key, digest, signature, signature_size);
}

/* ---- entries: what the world wants of the software --------------------------------------- */

/* The software is over. What its clients could still do by themselves goes with it. */
static void drop_clients(struct virtual_device *device)
{
    if (device->mqtt != NULL)
        device->config.mqtt.drop(device->mqtt);
    if (device->http != NULL)
        device->config.http.drop(device->http);
}

/* The software returned from an entry: it waits, or it asked for its end. */
static void returned(struct virtual_device *device)
{
    if (device->life.stopped)
        drop_clients(device);
}

/* The power went while the software ran: it is gone where it stood. */
static void lose_power(struct virtual_device *device)
{
    device->on = false;
    drop_clients(device);
    device->code = SIM_CUT_EXIT;
    arm_power(device, TIMER_OVER, 0);
}

static void on_mqtt(void *owner, const struct ota_event *event)
{
    struct virtual_device *device = owner;
    if (!device->on)
        return;
    if (setjmp(device->off) != 0) {
        lose_power(device);
        return;
    }
    sim_life_mqtt(&device->life, event);
    returned(device);
}

static void on_http(void *owner, const struct ota_event *event)
{
    struct virtual_device *device = owner;
    if (!device->on)
        return;
    if (setjmp(device->off) != 0) {
        lose_power(device);
        return;
    }
    sim_life_http(&device->life, event);
    returned(device);
}

/* `entry` is one of the life's timers. */
static void fire(struct virtual_device *device, void (*entry)(void *life, unsigned id), unsigned id)
{
    if (!device->on)
        return;
    if (setjmp(device->off) != 0) {
        lose_power(device);
        return;
    }
    entry(&device->life, id);
    returned(device);
}

static void on_agent_timer(void *owner, unsigned id)
{
    fire(owner, sim_life_agent_timer, id);
}

static void on_app_timer(void *owner, unsigned id)
{
    fire(owner, sim_life_app_timer, id);
}

static void on_own_timer(void *owner, unsigned id)
{
    fire(owner, sim_life_own_timer, id);
}

/* ---- what the software wants of the world ------------------------------------------------ */

static void on_stop(void *context, enum sim_stop why)
{
    struct virtual_device *device = context;
    device->why = why;
    arm_power(device, TIMER_STOP, 0);
}

static void no_log(void *context, enum ota_log_level level, const char *text)
{
    (void)context, (void)level, (void)text;
}

static void pass_event(void *context, const char *line, int code)
{
    const struct virtual_device *device = context;
    device->config.event(device->config.context, line, code);
}

static enum flash_tear pass_cut(void *context, const struct flash_op *op, uint32_t number)
{
    const struct virtual_device *device = context;
    return device->config.cut(device->config.context, op, number);
}

static void pass_journal(void *context, const char *line)
{
    const struct virtual_device *device = context;
    device->config.journal(device->config.context, line);
}

static void power_off(void *context)
{
    struct virtual_device *device = context;
    longjmp(device->off, 1);
}

/* ---- RAM --------------------------------------------------------------------------------- */

static void forget(struct virtual_device *device)
{
    device->on = false;
    if (device->http != NULL)
        device->config.http.destroy(device->http);
    if (device->mqtt != NULL)
        device->config.mqtt.destroy(device->mqtt);
    device->world->clock_free(device->agent_clock);
    device->world->clock_free(device->app_clock);
    device->world->clock_free(device->own_clock);
    device->http = device->mqtt = NULL;
    device->agent_clock = device->app_clock = device->own_clock = NULL;
}

static int make_clients(struct virtual_device *device)
{
    const struct virtual_device_config *config = &device->config;
    device->mqtt = config->mqtt.create(config->mqtt.context, on_mqtt, device);
    if (device->mqtt == NULL)
        return OTA_E_NO_SPACE;
    if (config->http.create == NULL)
        return OTA_OK;
    device->http = config->http.create(config->http.context, on_http, device);
    return device->http != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

static int make_ports(struct virtual_device *device)
{
    const struct virtual_device_config *config = &device->config;
    const struct sim_world *world = device->world;
    if (make_clients(device) != OTA_OK)
        return OTA_E_NO_SPACE;
    device->agent_clock = world->clock_new(world->context, on_agent_timer, device);
    device->app_clock = world->clock_new(world->context, on_app_timer, device);
    device->own_clock = world->clock_new(world->context, on_own_timer, device);
    if (device->agent_clock == NULL || device->app_clock == NULL || device->own_clock == NULL)
        return OTA_E_NO_SPACE;
    device->ports = (struct sim_life_ports){
        .flash = &device->flash.port,
        .crypto = &device->crypto_port,
        .nv = &device->nv,
        .random = config->random != NULL ? config->random : virtual_world_random(config->world),
        .mqtt = config->mqtt_port(device->mqtt),
        .http = device->http != NULL ? config->http_port(device->http) : NULL,
        .agent_clock = world->clock_port(device->agent_clock),
        .app_clock = world->clock_port(device->app_clock),
        .own_clock = world->clock_port(device->own_clock),
        .broker = {config->mqtt.host, config->mqtt.port, false, config->mqtt.reason, NULL,
                   device->mqtt},
        .server = {config->http.host, config->http.port, config->https, config->http.reason, NULL,
                   device->http},
        .stop = on_stop,
        .log = no_log,
        .context = device,
    };
    return OTA_OK;
}

/* ---- power ------------------------------------------------------------------------------- */

/* The end of a life, from outside the software: the next one begins, or the device is over. */
static void settle(struct virtual_device *device, int code)
{
    if (code == SIM_LIFE_RUNS)
        return;
    forget(device);
    if (code == SIM_LIFE_RESET) {
        arm_power(device, TIMER_POWER_ON, device->past.crashes > 0 ? SIM_CRASH_PAUSE_MS : 0);
        return;
    }
    if (code != SIM_CUT_EXIT)
        sim_life_say_exit(&device->life_config, code);
    device->ended(device->ended_context, device, code);
}

static int begin(struct virtual_device *device)
{
    device->on = true;
    if (setjmp(device->off) == 0)
        return sim_life_begin(&device->life, &device->life_config, &device->ports, &device->past,
                              &device->end);
    lose_power(device);
    return SIM_LIFE_RUNS;
}

static void power_on(struct virtual_device *device)
{
    if (make_ports(device) == OTA_OK) {
        settle(device, begin(device));
        return;
    }
    sim_life_end_set(&device->end, false, "cannot start: %s", ota_err_text(OTA_E_NO_SPACE));
    settle(device, 2);
}

static void on_power_timer(void *owner, unsigned id)
{
    struct virtual_device *device = owner;
    if (id == TIMER_POWER_ON)
        power_on(device);
    else if (id == TIMER_STOP && device->on)
        settle(device, sim_life_finish(&device->life, device->why));
    else if (id == TIMER_OVER)
        settle(device, device->code);
}

/* ---- from outside ------------------------------------------------------------------------ */

struct virtual_device *virtual_device_start(const struct virtual_device_config *config,
                                            void (*ended)(void *context,
                                                          struct virtual_device *device, int code),
                                            void *context)
{
    /* Every life clears its own memory. */
    struct virtual_device *device = malloc(sizeof *device);
    if (device == NULL)
        return NULL;
    memset(device, 0, offsetof(struct virtual_device, off));
    device->config = *config;
    device->life_config = (struct sim_life_config){.device = config->device,
                                                   .session = config->session,
                                                   .timing = config->timing,
                                                   .once = config->once,
                                                   .boot_only = config->boot_only,
                                                   .act = config->act,
                                                   .event = config->event,
                                                   .context = config->context};
    device->ended = ended;
    device->ended_context = context;
    device->world = virtual_world_table(config->world);
    device->own_crypto = config->crypto == NULL;
    device->crypto =
        device->own_crypto ? crypto_openssl_new(config->sim, config->remember) : config->crypto;
    device->power = device->world->clock_new(device->world->context, on_power_timer, device);
    if (device->crypto == NULL || device->power == NULL) {
        virtual_device_free(device);
        return NULL;
    }
    device->nv = (struct nv_port){device, counter_get, counter_raise};
    device->crypto_port = (struct crypto_port){device, sha256, sha256_flash, verify};
    flash_sim_power_on(config->sim);
    flash_sim_restart_count(config->sim);
    device->flash =
        (struct sim_device_flash){.sim = config->sim,
                                  .inner = config->flash,
                                  .operations = &device->past.operations,
                                  .cut = config->cut != NULL ? pass_cut : NULL,
                                  .journal = config->journal != NULL ? pass_journal : NULL,
                                  .event = pass_event,
                                  .power_off = power_off,
                                  .context = device};
    sim_device_flash_init(&device->flash);
    arm_power(device, TIMER_POWER_ON, 0);
    return device;
}

const struct sim_life_end *virtual_device_end(const struct virtual_device *device)
{
    return &device->end;
}

void virtual_device_free(struct virtual_device *device)
{
    if (device == NULL)
        return;
    forget(device);
    device->world->clock_free(device->power);
    if (device->own_crypto)
        crypto_openssl_free(device->crypto);
    flash_sim_observe(device->config.sim, NULL, NULL);
    free(device);
}

static void stop_world(void *context, struct virtual_device *device, int code)
{
    const struct sim_world *world = context;
    (void)device;
    world->stop(world->context, code + 1); /* > 0 */
}

int virtual_device_run(const struct virtual_device_config *config, uint32_t limit_ms,
                       struct sim_life_end *end)
{
    const struct sim_world *world = virtual_world_table(config->world);
    memset(end, 0, sizeof *end);
    struct virtual_device *device = virtual_device_start(config, stop_world, (void *)world);
    if (device == NULL) {
        sim_life_end_set(end, false, "out of memory");
        return 2;
    }
    int value = world->run(world->context, limit_ms);
    *end = device->end;
    virtual_device_free(device);
    return value > 0 ? value - 1 : value;
}

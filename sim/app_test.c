#include "sim/app.h"

#include "agent/protocol/anycloud.h"
#include "sim/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WATCHDOG_MS 2000
#define PAYLOAD     64u

/* ---- a device without a world ------------------------------------------------------------ */

struct bench {
    struct sim_device device;
    struct flash_sim *sim;
    struct app_config config;
    struct app app;
    struct mqtt_port mqtt;
    struct clock_port agent_clock;
    struct clock_port app_clock;
    struct random_port random;
    struct platform_port platform;
    struct crypto_port crypto;
    unsigned crashes;
    unsigned resets;
    unsigned feeds;
    unsigned connects;
    uint32_t agent_timer; /* armed for so many ms; 0: not armed */
    uint32_t app_timers[OTA_TIMERS];
    int result_of_arm;
    char last_line[APP_LINE];
    char idle_line[APP_LINE];
};

static int count_connect(void *context, const struct mqtt_connect *options)
{
    struct bench *bench = context;
    (void)options;
    bench->connects++;
    return OTA_OK;
}

static uint64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static int arm_agent(void *context, unsigned id, uint32_t ms)
{
    struct bench *bench = context;
    (void)id;
    bench->agent_timer = ms;
    return OTA_OK;
}

static void disarm_agent(void *context, unsigned id)
{
    struct bench *bench = context;
    (void)id;
    bench->agent_timer = 0;
}

static int arm_app(void *context, unsigned id, uint32_t ms)
{
    struct bench *bench = context;
    bench->app_timers[id] = ms + 1;
    return bench->result_of_arm;
}

static void disarm_app(void *context, unsigned id)
{
    struct bench *bench = context;
    bench->app_timers[id] = 0;
}

static int same_bytes(void *context, void *out, size_t length)
{
    (void)context;
    memset(out, 0x5A, length);
    return OTA_OK;
}

static void count_reset(void *context)
{
    struct bench *bench = context;
    bench->resets++;
}

static int start_watchdog(void *context, uint32_t ms)
{
    (void)context, (void)ms;
    fail_msg("the loader starts the watchdog, not the application");
    return OTA_E_IO;
}

static void count_feed(void *context)
{
    struct bench *bench = context;
    bench->feeds++;
}

static void no_log(void *context, enum ota_log_level level, const char *text, int code)
{
    (void)code;
    (void)context, (void)level, (void)text;
}

static void count_crash(void *context)
{
    struct bench *bench = context;
    bench->crashes++;
}

static void keep_line(void *context, const struct ota_notice *notice)
{
    struct bench *bench = context;
    app_notice_line(notice, bench->last_line);
    if (notice->type == OTA_NOTICE_IDLE)
        memcpy(bench->idle_line, bench->last_line, sizeof bench->idle_line);
}

/* The smallest thing that has a version: header, payload, an empty TLV area. */
static void put_image(struct bench *bench)
{
    uint8_t image[IMG_HEADER_SIZE + PAYLOAD + IMG_TLV_INFO_SIZE] = {
        0x3D, 0xB8, 0xF3, 0x96, 0, 0, 0, 0, IMG_HEADER_SIZE, 0, 0, 0, PAYLOAD, 0, 0, 0};
    image[20] = 1;
    image[IMG_HEADER_SIZE + PAYLOAD] = 0x07;
    image[IMG_HEADER_SIZE + PAYLOAD + 1] = 0x69;
    image[IMG_HEADER_SIZE + PAYLOAD + 2] = IMG_TLV_INFO_SIZE;
    assert_int_equal(flash_sim_put(bench->sim, bench->device.primary.address, image, sizeof image),
                     OTA_OK);
}

static int set_up(void **state)
{
    static const struct flash_part part = {.name = "test",
                                           .size = 0x20000,
                                           .runs = {{32, 0x1000}},
                                           .run_count = 1,
                                           .unit = 4,
                                           .erased = 0xFF};
    struct flash_text_error error = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, 0x8000, &bench->device, &error),
                     OTA_OK);
    bench->sim = flash_sim_memory(bench->device.chips, 1);
    assert_non_null(bench->sim);
    put_image(bench);
    const struct flash_port *flash = flash_sim_port(bench->sim);
    bench->mqtt = (struct mqtt_port){.context = bench, .connect = count_connect};
    bench->agent_clock = (struct clock_port){bench, no_time, arm_agent, disarm_agent};
    bench->app_clock = (struct clock_port){bench, no_time, arm_app, disarm_app};
    bench->random = (struct random_port){bench, same_bytes};
    bench->platform =
        (struct platform_port){bench, count_reset, start_watchdog, count_feed, no_log};
    bench->config = (struct app_config){
        .behaviour = APP_GOOD,
        .agent = {.parts = {.protocol = &ota_anycloud,
                            .by_mqtt = &ota_by_mqtt,
                            .by_http = &ota_by_http,
                            .target = &ota_to_slots},
                  .identity = {"M", "MI", "P", "S", "B"},
                  .topic_prefix = "anycloud",
                  .primary = {flash, bench->device.primary.address, 0x8000},
                  .secondary = {flash, bench->device.secondary.address, 0x8000},
                  .journal = {flash, bench->device.journal.address, bench->device.journal.size},
                  .format = bench->device.format,
                  .max_end = 0x4000,
                  .reverts = true,
                  .timing = {.connect_tries = 2},
                  .notify = keep_line,
                  .notify_context = bench},
        .ports = {flash, &bench->crypto, &bench->mqtt, NULL, &bench->agent_clock, &bench->random,
                  &bench->platform},
        .clock = &bench->app_clock,
        .watchdog_ms = WATCHDOG_MS,
        .crash = count_crash,
        .context = bench,
    };
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    flash_sim_close(bench->sim);
    free(bench);
    return 0;
}

static void start(struct bench *bench, enum app_behaviour behaviour)
{
    bench->config.behaviour = behaviour;
    assert_int_equal(app_start(&bench->app, &bench->config), OTA_OK);
}

static void fire_agent_timer(struct bench *bench)
{
    const struct ota_event event = {.type = OTA_EVENT_TIMER};
    bench->agent_timer = 0;
    app_event(&bench->app, &event);
}

/* ---- behaviours -------------------------------------------------------------------------- */

static void good_feeds_and_looks(void **state)
{
    struct bench *bench = *state;
    start(bench, APP_GOOD);
    assert_int_equal(bench->feeds, 1);
    assert_int_equal(bench->app_timers[0], WATCHDOG_MS / 4 + 1);
    assert_true(bench->app.agent.config.confirm_itself);
    bench->app_timers[0] = 0;
    app_timer(&bench->app, 0);
    assert_int_equal(bench->feeds, 2);
    assert_int_equal(bench->app_timers[0], WATCHDOG_MS / 4 + 1);
    assert_int_equal(bench->connects, 0); /* the first check waits */
    assert_true(bench->agent_timer > 0);
    fire_agent_timer(bench);
    assert_int_equal(bench->connects, 1);
    assert_string_equal(bench->last_line, "state connect");
}

static void no_watchdog_no_feeding(void **state)
{
    struct bench *bench = *state;
    bench->config.watchdog_ms = 0;
    start(bench, APP_GOOD);
    assert_int_equal(bench->feeds, 0);
    assert_int_equal(bench->app_timers[0], 0);
}

static void no_timer_no_start(void **state)
{
    struct bench *bench = *state;
    bench->result_of_arm = OTA_E_NO_SPACE;
    assert_int_equal(app_start(&bench->app, &bench->config), OTA_E_NO_SPACE);
}

static void crashes_at_once(void **state)
{
    struct bench *bench = *state;
    start(bench, APP_CRASHES);
    fire_agent_timer(bench);
    app_timer(&bench->app, 0);
    assert_int_equal(bench->crashes, 1);
    assert_int_equal(bench->feeds, 0);
    assert_int_equal(bench->connects, 0);
}

static void hangs_in_silence(void **state)
{
    struct bench *bench = *state;
    start(bench, APP_HANGS);
    fire_agent_timer(bench);
    app_timer(&bench->app, 0);
    app_timer(&bench->app, 1);
    assert_int_equal(bench->crashes + bench->feeds + bench->connects + bench->resets, 0);
    assert_int_equal(bench->agent_timer, 0);
    assert_int_equal(bench->app_timers[0], 0);
}

static void offline_never_connects(void **state)
{
    struct bench *bench = *state;
    start(bench, APP_OFFLINE);
    for (int i = 0; i < 2; i++) {
        fire_agent_timer(bench);
        assert_int_equal(bench->app_timers[1], 1); /* refused as soon as the step is over */
        bench->app_timers[1] = 0;
        app_timer(&bench->app, 1);
    }
    assert_int_equal(bench->connects, 0);
    assert_string_equal(bench->idle_line, "idle connect");
    assert_int_equal(bench->feeds, 1); /* it works, apart from that */
}

static void offline_over_http_too(void **state)
{
    struct bench *bench = *state;
    const struct http_request request = {.path = "/ota_update.json"};
    start(bench, APP_OFFLINE);
    const struct http_port *http = bench->app.agent.ports.http;
    assert_int_equal(http->request(http->context, &request), OTA_OK);
    assert_int_equal(bench->app_timers[2], 1); /* refused as soon as the step is over */
    http->cancel(http->context);
    assert_int_equal(bench->app_timers[2], 0);
}

static void forgets_to_confirm(void **state)
{
    struct bench *bench = *state;
    start(bench, APP_FORGETS);
    assert_false(bench->app.agent.config.confirm_itself);
    assert_int_equal(bench->feeds, 1);
}

/* ---- lines ------------------------------------------------------------------------------- */

static void notice_lines(void **state)
{
    static const struct {
        struct ota_notice notice;
        const char *line;
    } rows[] = {
        {{.type = OTA_NOTICE_STATE, .state = OTA_STATE_RECEIVE}, "state receive"},
        {{.type = OTA_NOTICE_JOB, .version = {2, 10, 300, 7}}, "job 2.10.300"},
        {{.type = OTA_NOTICE_PROGRESS, .done = 4096, .total = 65536}, "progress 4096 65536"},
        {{.type = OTA_NOTICE_REFUSED, .code = OTA_E_IMG_HASH}, "reject bad-hash"},
        {{.type = OTA_NOTICE_PENDING, .version = {2, 0, 0, 0}}, "pending 2.0.0"},
        {{.type = OTA_NOTICE_CONFIRMED, .version = {2, 0, 0, 0}}, "confirmed 2.0.0"},
        {{.type = OTA_NOTICE_REPORTED}, "reported success"},
        {{.type = OTA_NOTICE_REPORTED, .code = OTA_E_REVERTED}, "reported failure reverted"},
        {{.type = OTA_NOTICE_IDLE}, "idle ok"},
        {{.type = OTA_NOTICE_IDLE, .code = OTA_E_NO_UPDATE}, "idle no-update"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[APP_LINE];
        app_notice_line(&rows[i].notice, line);
        assert_string_equal(line, rows[i].line);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(good_feeds_and_looks),  CASE(no_watchdog_no_feeding), CASE(no_timer_no_start),
        CASE(crashes_at_once),       CASE(hangs_in_silence),       CASE(offline_never_connects),
        CASE(offline_over_http_too), CASE(forgets_to_confirm),     cmocka_unit_test(notice_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "agent/update/harmony_rig.h"
#include "agent/update/service.h"

#define ALL "4 6 16 17 19 20 25 "

struct bench {
    struct rig *rig;
    struct ota_service service;
    struct ota_service_config config;
    char events[400];
    char states[400]; /* service and core at each of these */
};

static void tell(void *context, enum ota_service_event event)
{
    struct bench *bench = context;
    size_t length = strlen(bench->events);
    assert_true(event > OTA_SERVICE_WAITING_FOR_PERIOD && event < OTA_SERVICE_NONE);
    snprintf(bench->events + length, sizeof bench->events - length, "%u ", (unsigned)event);
    length = strlen(bench->states);
    snprintf(bench->states + length, sizeof bench->states - length, "%u %s, ",
             (unsigned)ota_service.state(&bench->service),
             ota_core_state_word(ota_service.core(&bench->service)));
}

static void on_notice(void *context, const struct ota_notice *notice)
{
    struct bench *bench = context;
    rig_notify(bench->rig, notice);
    ota_service.notice(&bench->service, notice);
}

static enum ota_answer on_question(void *context, struct ota_question *question)
{
    struct bench *bench = context;
    return ota_service.decide(&bench->service, question);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->rig = harmony_rig_new();
    bench->config = (struct ota_service_config){true, true, true, 0, tell, bench};
    bench->rig->config.notify = on_notice;
    bench->rig->config.notify_context = bench;
    bench->rig->config.decide = on_question;
    bench->rig->config.decide_context = bench;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    rig_free(bench->rig);
    free(bench);
    return 0;
}

/* Power on, with what the configuration is by now. */
static void boot(struct bench *bench)
{
    struct rig *rig = bench->rig;
    const struct ota_config before = rig->config;
    harmony_new_story(rig);
    bench->events[0] = '\0';
    ota_service.begin(&bench->service, &bench->config, &rig->agent, &rig->config);
    rig_boot(rig);
    rig->config = before;
}

static int message(struct bench *bench, enum ota_service_message message)
{
    return ota_service.message(&bench->service, message);
}

/* What was told since the last call. */
static void told(struct bench *bench, const char *events)
{
    assert_string_equal(bench->events, events);
    bench->events[0] = '\0';
}

/* A check that was begun already, of what is offered, as far as it goes. */
static void serve(struct bench *bench)
{
    char manifest[1024];
    harmony_manifest(bench->rig, manifest);
    rig_serve_text(bench->rig, manifest);
    rig_serve_all(bench->rig);
}

static void assert_comes_again(const struct bench *bench)
{
    assert_string_equal(ota_state_name(&bench->rig->agent), "idle");
    assert_int_not_equal(bench->rig->armed, RIG_NO_TIMER);
}

/* ---- the original's traces ---------------------------------------------------------------- */

static void an_update_is_told_as_the_original_tells_it(void **state)
{
    struct bench *bench = *state;
    boot(bench);
    rig_timer(bench->rig);
    serve(bench);
    told(bench, ALL);
    assert_string_equal(bench->states, "19 idle, 8 idle, 9 download-image, 9 verify, 9 verify, "
                                       "9 database-entry, 13 update-user, ");
    rig_expect(bench->rig, "> reset");
    assert_int_equal(harmony_power_on(bench->rig), 2);
    boot(bench);
    rig_status(bench->rig, 200); /* the new image tells nothing of its trial */
    rig_expect(bench->rig, "confirmed 2.0.0");
    told(bench, "");
    rig_timer(bench->rig);
    serve(bench);
    told(bench, "4 7 ");
    assert_comes_again(bench);
}

static void what_comes_of_a_manifest_is_told(void **state)
{
    static const struct {
        const char *manifest;
        const char *events;
    } rows[] = {
        {"{\"ota\": [", "4 5 "},
        {"{\"ota\": {}}", "4 7 "},
        {"{\"ota\": []}", "4 7 "},
        {"{\"ota\": [{\"Version\": 2, \"URL\": \"ftp://h/f\"}]}", "4 7 "},
        {"{\"ota\": [{\"Version\": 0}]}", "4 7 "},
        {"{\"ota\": [{\"Version\": 9, \"EraseVer\": true}]}", "4 26 "},
    };
    struct bench *bench = *state;
    boot(bench);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rig_timer(bench->rig);
        rig_serve_text(bench->rig, rows[i].manifest);
        told(bench, rows[i].events);
        assert_comes_again(bench);
    }
}

static void a_server_without_a_manifest_fails_the_check(void **state)
{
    struct bench *bench = *state;
    boot(bench);
    for (unsigned i = 0; i < ota_default_timing.connect_tries; i++) {
        rig_timer(bench->rig);
        rig_status(bench->rig, 404);
    }
    told(bench, "4 5 ");
    assert_comes_again(bench);
}

static void a_download_that_fails_is_told_once(void **state)
{
    struct bench *bench = *state;
    char manifest[1024];
    harmony_manifest(bench->rig, manifest);
    boot(bench);
    rig_timer(bench->rig);
    rig_serve_text(bench->rig, manifest);
    for (unsigned i = 0; i < ota_default_timing.connect_tries; i++) {
        assert_true(bench->rig->requested);
        rig_status(bench->rig, 404);
        if (bench->rig->agent.state == OTA_STATE_PAUSE)
            rig_timer(bench->rig);
    }
    told(bench, "4 6 16 18 ");
    assert_comes_again(bench);
}

static void another_digest_is_told_after_the_download(void **state)
{
    struct bench *bench = *state;
    char manifest[1024];
    boot(bench);
    rig_timer(bench->rig);
    harmony_manifest(bench->rig, manifest);
    rig_serve_text(bench->rig, manifest);
    bench->rig->image[77] ^= 1;
    rig_serve_all(bench->rig);
    told(bench, "4 6 16 17 19 21 ");
    assert_comes_again(bench);
    assert_int_equal(ota_service.status(&bench->service), OTA_SERVICE_WAITING_FOR_PERIOD);
}

/* ---- switches ----------------------------------------------------------------------------- */

/* B28: and each check says again that there is one. */
static void without_auto_update_it_waits_for_a_word(void **state)
{
    struct bench *bench = *state;
    bench->config.auto_update = false;
    boot(bench);
    for (int i = 0; i < 2; i++) {
        rig_timer(bench->rig);
        serve(bench);
        told(bench, "4 6 ");
        assert_comes_again(bench);
        assert_true(bench->service.waiting);
    }
    assert_int_equal(rig_count(bench->rig, "> get fw"), 0);
    assert_int_equal(message(bench, OTA_SERVICE_INITIATE), 0);
    serve(bench);
    told(bench, ALL);
    assert_false(bench->service.waiting);
}

/* B29: a check in between changes nothing. */
static void without_auto_reset_it_waits_for_a_word(void **state)
{
    struct bench *bench = *state;
    bench->config.auto_reset = false;
    boot(bench);
    assert_int_equal(message(bench, OTA_SERVICE_RESET), OTA_E_NO_IMAGE);
    rig_timer(bench->rig);
    serve(bench);
    told(bench, ALL);
    assert_comes_again(bench);
    assert_int_equal(message(bench, OTA_SERVICE_CHECK), 0);
    rig_expect(bench->rig, "idle pending");
    assert_int_equal(bench->rig->resets, 0);
    assert_int_equal(message(bench, OTA_SERVICE_RESET), 0);
    assert_int_equal(bench->rig->resets, 1);
    assert_int_equal(harmony_power_on(bench->rig), 2);
}

static void without_periods_it_checks_when_told(void **state)
{
    struct bench *bench = *state;
    bench->config.periodic = false;
    boot(bench);
    assert_true(bench->rig->armed > 40u * 24 * 3600 * 1000); /* longer than a clock counts */
    rig_timer(bench->rig);
    assert_int_equal(bench->rig->requests, 0);
    told(bench, "");
    assert_int_equal(message(bench, OTA_SERVICE_CHECK), 0);
    assert_int_equal(message(bench, OTA_SERVICE_CHECK), OTA_E_BUSY);
    assert_int_equal(ota_service.status(&bench->service), OTA_SERVICE_CHECK_START);
    serve(bench);
    told(bench, ALL);
}

/* ---- other images ------------------------------------------------------------------------- */

static void update(struct bench *bench, uint32_t version)
{
    harmony_offer(bench->rig, version, 6000, (uint8_t)version);
    boot(bench);
    assert_int_equal(message(bench, OTA_SERVICE_CHECK), 0);
    serve(bench);
    assert_int_equal(harmony_power_on(bench->rig), version);
    boot(bench);
    rig_status(bench->rig, 200);
    rig_expect(bench->rig, "confirmed ");
    bench->events[0] = '\0';
}

static void it_goes_back_when_told(void **state)
{
    struct bench *bench = *state;
    boot(bench);
    assert_int_equal(message(bench, OTA_SERVICE_ROLLBACK), OTA_E_NO_IMAGE);
    told(bench, "12 ");
    assert_int_equal(bench->rig->resets, 0);
    update(bench, 2);
    update(bench, 3);
    unsigned before = bench->rig->resets;
    assert_int_equal(message(bench, OTA_SERVICE_ROLLBACK), 0);
    told(bench, "11 ");
    assert_int_equal(bench->rig->resets, before + 1);
    assert_int_equal(harmony_power_on(bench->rig), 2);
    bench->config.auto_reset = false;
    boot(bench);
    rig_timer(bench->rig);
    serve(bench); /* v3, which was sent away */
    told(bench, "4 7 ");
    rig_expect(bench->rig, "idle rejected");
    assert_int_equal(message(bench, OTA_SERVICE_FACTORY_RESET), 0);
    told(bench, "9 ");
    assert_int_equal(bench->rig->resets, before + 1);
    assert_int_equal(message(bench, OTA_SERVICE_RESET), 0);
    assert_int_equal(bench->rig->resets, before + 2);
    assert_int_equal(harmony_power_on(bench->rig), 1);
    assert_int_equal(harmony_status(2), IMG_ROW_FREE);
}

static void an_erasure_is_told(void **state)
{
    struct bench *bench = *state;
    update(bench, 2);
    update(bench, 3);
    rig_timer(bench->rig);
    rig_serve_text(bench->rig, "{\"ota\": [{\"Version\": 2, \"EraseVer\": true}]}");
    told(bench, "4 27 ");
    rig_timer(bench->rig);
    rig_serve_text(bench->rig, "{\"ota\": [{\"Version\": 3, \"EraseVer\": true}]}");
    told(bench, "4 26 "); /* it runs */
    assert_comes_again(bench);
}

static void every_event_has_a_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= OTA_SERVICE_NONE; i++)
        assert_non_null(ota_service_event_word((enum ota_service_event)i));
    assert_string_equal(ota_service_event_word(OTA_SERVICE_STORE_FULL), "store-full");
    assert_int_equal(OTA_SERVICE_STORE_FULL, 28);
    assert_string_equal(ota_service_state_word(OTA_SERVICE_STATE_READ_JSON), "read-json");
    assert_string_equal(ota_service_state_word((enum ota_service_state)7), "unknown");
    for (unsigned i = 0; i <= OTA_CORE_UPDATE_USER; i++)
        assert_string_not_equal(ota_core_state_word((enum ota_core_state)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(an_update_is_told_as_the_original_tells_it),
        TEST(what_comes_of_a_manifest_is_told),
        TEST(a_server_without_a_manifest_fails_the_check),
        TEST(a_download_that_fails_is_told_once),
        TEST(another_digest_is_told_after_the_download),
        TEST(without_auto_update_it_waits_for_a_word),
        TEST(without_auto_reset_it_waits_for_a_word),
        TEST(without_periods_it_checks_when_told),
        TEST(it_goes_back_when_told),
        TEST(an_erasure_is_told),
#undef TEST
        cmocka_unit_test(every_event_has_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

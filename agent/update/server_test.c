#include "agent/update/session_rig.h"

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.connection = OTA_BY_HTTP;
    rig->config.progress.size = RIG_PROGRESS;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

#define BY_OTHER_BROKER                                                                            \
    "\"Connection\": \"MQTT\", \"Broker\": \"b.example\", \"Port\": \"8884\", \"File\": "          \
    "\"/v2.bin\""

static void to_query(struct rig *rig)
{
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    assert_string_equal(ota_state_name(&rig->agent), "query");
}

/* A Failure is posted and the session ends with `word`. */
static void posts_failure(struct rig *rig, const char *path, const char *word)
{
    char line[128];
    snprintf(line, sizeof line, "refused %s", word);
    rig_expect(rig, line);
    snprintf(line, sizeof line, "> post %s {\"Message\":\"Failure\", \"File\": \"%s\"}\n", path,
             path);
    rig_expect(rig, line);
    rig_status(rig, 200);
    snprintf(line, sizeof line, "reported %s", word);
    rig_expect(rig, line);
    snprintf(line, sizeof line, "idle %s", word);
    rig_expect(rig, line);
}

/* ---- job, data and result by HTTP ---------------------------------------------------------- */

static void an_update_by_http_alone(void **state)
{
    struct rig *rig = *state;
    to_query(rig);
    rig_expect(rig, "> get /ota_update.json 0-\n");
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_expect(rig, "state parse");
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "> get /v2.bin 0-4095\n");
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "> reset");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_expect(rig, "> get /ota_update.json 0-0\n");
    assert_int_equal(rig_count(rig, "confirmed"), 0);
    rig_status(rig, 404); /* that is an answer */
    rig_expect(rig, "> cancel");
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, "> post /v2.bin {\"Message\":\"Success\", \"File\": \"/v2.bin\"}\n");
    assert_int_equal(rig_count(rig, "reported"), 0);
    rig_status(rig, 204);
    rig_expect(rig, "reported ok");
    rig_expect(rig, "idle ok");
    assert_int_equal(rig_count(rig, "> connect"), 0);
    rig_event(rig, OTA_EVENT_CHECK, 0); /* the document is still there: nothing new in it */
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_expect(rig, "idle no-update");
    assert_int_equal(rig_count(rig, "refused"), 0);
}

/* BOOT-04: the image on trial that cannot reach its server resets, to be reverted. */
static void a_trial_without_a_server_is_not_confirmed(void **state)
{
    struct rig *rig = *state;
    to_query(rig);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_serve_all(rig);
    rig_swap(rig, true);
    rig->resets = 0;
    rig_boot(rig);
    for (unsigned i = 1; i < ota_default_timing.connect_tries; i++) {
        rig_done(rig, i % 2 == 0 ? OTA_E_CONNECT : OTA_E_TLS_CA);
        rig_timer(rig);
    }
    assert_int_equal(rig->resets, 0);
    rig_timer(rig); /* no answer at all */
    assert_int_equal(rig->resets, 1);
    assert_int_equal(rig_count(rig, "confirmed"), 0);
}

/* DISC-12, RSRC-05: refused with a reason, which is posted, for want of a better place, to where
 * the document was. */
static void bad_documents_are_refused(void **state)
{
    struct rig *rig = *state;
    static char longest[OTA_JSON_MAX + 2];
    memset(longest, ' ', OTA_JSON_MAX + 1);
    const struct {
        const char *text;
        const char *word;
    } cases[] = {{"", "bad-json"},
                 {"nonsense", "bad-json"},
                 {"\xEF\xBB\xBF{}", "bad-job"},
                 {"{}", "bad-job"},
                 {longest, "bad-json"},
                 {"{\"Message\": \"Update Available\", \"Board\": \"BOARD_B\", \"Version\": "
                  "\"2.0.0\", \"Connection\": \"MQTT\"}",
                  "wrong-board"},
                 {"{\"Message\": \"Update Available\", \"Board\": \"BOARD_A\", \"Version\": "
                  "\"0.9.0\", \"Connection\": \"MQTT\"}",
                  "old-version"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head head = {.status = 200};
        for (int with_length = 0; with_length < 2; with_length++) {
            to_query(rig);
            head.has_length = with_length != 0;
            head.length = strlen(cases[i].text);
            rig_head(rig, &head);
            if (rig->agent.state == OTA_STATE_QUERY)
                rig_body(rig, cases[i].text, strlen(cases[i].text));
            if (rig->agent.state == OTA_STATE_QUERY)
                rig_done(rig, 0);
            posts_failure(rig, "/ota_update.json", cases[i].word);
        }
    }
    to_query(rig);
    rig_status(rig, 200);
    rig_body(rig, "{\"Message\": \"No Update Available\"}\0{", 37);
    rig_done(rig, 0);
    posts_failure(rig, "/ota_update.json", "bad-json");
    to_query(rig);
    rig_serve_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_expect(rig, "idle no-update");
}

/* DISC-06, B5: bounded, with pauses; a body that breaks off is fetched again. */
static void a_query_is_repeated_and_given_up(void **state)
{
    struct rig *rig = *state;
    to_query(rig);
    for (unsigned i = 1; i < ota_default_timing.connect_tries; i++) {
        if (i == 1)
            rig_timer(rig);
        else if (i == 2)
            rig_status(rig, 500);
        else {
            rig_status(rig, 200);
            rig_body(rig, "{\"Message\": ", 12);
            rig_done(rig, OTA_E_DISCONNECTED);
        }
        assert_string_equal(ota_state_name(&rig->agent), "pause");
        rig_timer(rig);
    }
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_expect(rig, "job 2.0.0");
    to_query(rig);
    for (unsigned i = 1; i <= ota_default_timing.connect_tries; i++) {
        rig_done(rig, OTA_E_TLS_NAME);
        if (i < ota_default_timing.connect_tries)
            rig_timer(rig);
    }
    rig_expect(rig, "idle tls-wrong-name");
    assert_int_equal(rig_count(rig, "refused"), 0);
}

/* RPRT-03, RPRT-08, B13, B22: until the server has it; one that takes no results is left in peace,
 * and the update is not undone by that. */
static void a_result_is_posted_until_it_is_taken(void **state)
{
    struct rig *rig = *state;
    to_query(rig);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_serve_all(rig);
    rig_swap(rig, true);
    rig_boot(rig);
    rig_status(rig, 206);
    rig_expect(rig, "> post /v2.bin ");
    rig_status(rig, 503);
    rig_timer(rig);
    rig_expect(rig, "> post /v2.bin ");
    rig_timer(rig); /* silence */
    rig_boot(rig);  /* power lost: no probe, for it is confirmed */
    rig_expect(rig, "> post /v2.bin {\"Message\":\"Success\"");
    rig_status(rig, 405);
    rig_expect(rig, "idle ok");
    assert_int_equal(rig_count(rig, "reported"), 0);
    assert_int_equal(rig_count(rig, "confirmed"), 1);
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_IDLE);
}

/* ---- other places -------------------------------------------------------------------------- */

/* HTTP job, MQTT data at a broker of its own, result by HTTP. */
static void http_job_mqtt_data(void **state)
{
    struct rig *rig = *state;
    to_query(rig);
    rig_serve_job(rig, BY_OTHER_BROKER);
    rig_expect(rig, "> connect nbABC213450001");
    assert_non_null(strstr(rig->story, " b.example:8884\n"));
    rig_link(rig);
    rig_expect(rig, "state erase");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    for (uint32_t i = 0; i < 3; i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_swap(rig, true);
    rig_boot(rig);
    rig_status(rig, 206);
    rig_expect(rig, "> post /v2.bin {\"Message\":\"Success\"");
}

/* Two brokers, B13: the data is at the other one, the result goes back to the first. */
static void a_job_may_name_another_broker(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_MQTT;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, BY_OTHER_BROKER);
    rig_expect(rig, "state switch");
    rig_expect(rig, "> disconnect");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, "> connect nbABC213450001");
    rig_link(rig);
    rig_erase(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig->verdict = OTA_E_IMG_SIGNATURE;
    for (uint32_t i = 0; i < 3; i++)
        rig_chunk(rig, i);
    rig_expect(rig, "refused bad-signature");
    rig_expect(rig, "state switch");
    rig_timer(rig); /* it does not even close */
    rig_expect(rig, "> connect nbABC213450001");
    rig_link(rig);
    rig_expect(rig, RIG_FAILURE);
    unsigned elsewhere = 0;
    for (const char *at = rig->story; (at = strstr(at, " b.example:8884\n")) != NULL; at++)
        elsewhere++;
    assert_int_equal(elsewhere, 1);
}

/* B1, DISC-17: a broker that is not there costs a few connections and no erasing; the one that sent
 * us hears of it. */
static void a_dead_redirect_is_reported_home(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_MQTT;
    rig_boot(rig);
    rig_to_ask(rig);
    flash_sim_restart_count(rig->sim);
    rig_job_at(rig, BY_OTHER_BROKER);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    for (unsigned i = 1; i <= ota_default_timing.connect_tries; i++) {
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_TLS_EXPIRED);
        if (i < ota_default_timing.connect_tries)
            rig_timer(rig);
    }
    rig_expect(rig, "refused tls-expired");
    rig_expect(rig, "> connect");
    rig_link(rig);
    rig_expect(rig, RIG_FAILURE);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_closes(rig, "idle tls-expired");
    assert_int_equal(rig_count(rig, "> connect"), 1 + ota_default_timing.connect_tries + 1);
    assert_int_equal(flash_sim_erases_at(rig->sim, rig->config.secondary.address), 0);
}

/* ---- direct flow ---------------------------------------------------------------------------- */

/* The image at once, nothing asked, nothing reported; and no second time. */
static void direct_by_http(void **state)
{
    struct rig *rig = *state;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig->config.http_file = "/v2.bin";
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_expect(rig, "> get /v2.bin 0-4095\n");
    rig_serve_all(rig);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "> reset");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_status(rig, 206);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, "idle ok");
    flash_sim_restart_count(rig->sim);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve(rig);
    rig_expect(rig, "idle no-update");
    assert_int_equal(flash_sim_erases_at(rig->sim, rig->config.secondary.address), 1);
    assert_int_equal(rig_count(rig, "> post"), 0);
}

static void direct_by_mqtt(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_MQTT;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    for (uint32_t i = 0; i < 3; i++)
        rig_chunk(rig, i);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "pending 2.0.0");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, "confirmed 2.0.0");
    rig_closes(rig, "idle ok");
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_erase(rig);
    rig_chunk(rig, 0); /* what runs already */
    rig_closes(rig, "idle no-update");
    assert_int_equal(rig_count(rig, RIG_ASK), 0);
    assert_int_equal(rig_count(rig, RIG_SUCCESS) + rig_count(rig, RIG_FAILURE), 0);
}

/* BOOT-09 without a result: a version that was reverted twice is not fetched again. */
static void direct_does_not_revert_for_ever(void **state)
{
    struct rig *rig = *state;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig->config.http_file = "/v2.bin";
    for (unsigned i = 1; i <= 3; i++) {
        rig_boot(rig);
        assert_int_equal(rig->agent.record.failed[0].count, i - 1);
        rig_event(rig, OTA_EVENT_CHECK, 0);
        rig_serve_all(rig);
        rig_expect(rig, i < 3 ? "pending 2.0.0" : "idle rejected");
    }
}

/* ---- what the configuration wishes ---------------------------------------------------------- */

static void no_result_is_sent_when_none_is_wanted(void **state)
{
    struct rig *rig = *state;
    rig->config.do_not_send_result = true;
    to_query(rig);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig->verdict = OTA_E_IMG_SIGNATURE;
    rig_serve_all(rig);
    rig_expect(rig, "refused bad-signature");
    rig_expect(rig, "idle bad-signature");
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_IDLE);
    rig->verdict = 0;
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_status(rig, 206);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, "idle ok");
    assert_int_equal(rig_count(rig, "> post"), 0);
}

/* reset_after_complete = 0: the image waits, and nothing else is begun until the reset. */
static void the_application_may_choose_when_to_reset(void **state)
{
    struct rig *rig = *state;
    rig->config.stay_after_complete = true;
    to_query(rig);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_expect(rig, "idle ok");
    assert_int_equal(rig->resets, 0);
    assert_true(rig->armed >= ota_default_timing.next_check / 8 * 7);
    for (int i = 0; i < 3; i++) {
        rig_event(rig, OTA_EVENT_CHECK, 0);
        rig_expect(rig, "idle pending");
    }
    rig_swap(rig, true);
    rig_boot(rig);
    rig_status(rig, 206);
    rig_expect(rig, "> post /v2.bin {\"Message\":\"Success\"");
}

static void init_refuses_http_that_cannot_work(void **state)
{
    struct rig *rig = *state;
    rig->config.http_file = "no-slash";
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    rig->config.http_file = NULL;
    rig->config.flow = OTA_FLOW_DIRECT; /* of what file? */
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
    rig->config.flow = OTA_FLOW_JOB;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), 0);
    rig->ports.http = NULL;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), OTA_E_ARGUMENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_update_by_http_alone),
        TEST(a_trial_without_a_server_is_not_confirmed),
        TEST(bad_documents_are_refused),
        TEST(a_query_is_repeated_and_given_up),
        TEST(a_result_is_posted_until_it_is_taken),
        TEST(http_job_mqtt_data),
        TEST(a_job_may_name_another_broker),
        TEST(a_dead_redirect_is_reported_home),
        TEST(direct_by_http),
        TEST(direct_by_mqtt),
        TEST(direct_does_not_revert_for_ever),
        TEST(no_result_is_sent_when_none_is_wanted),
        TEST(the_application_may_choose_when_to_reset),
        TEST(init_refuses_http_that_cannot_work),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

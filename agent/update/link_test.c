#include "agent/update/session_rig.h"

static int set_up(void **state)
{
    *state = rig_new();
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* Puts a v2 into the primary slot, on trial, with or without a record that we installed it. */
static void put_on_trial(struct rig *rig)
{
    rig_boot(rig);
    rig_download(rig);
    rig_swap(rig, true);
    rig->story[0] = 0;
    rig->told = 0;
}

/* TRAN-14: each pause about twice the one before, bounded in length and number. */
static void connection_refused_backs_off_and_gives_up(void **state)
{
    struct rig *rig = *state;
    const struct ota_timing *timing = &ota_default_timing;
    rig->config.timing.retry_last = 60000;
    rig->config.timing.connect_tries = 8;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    uint32_t most = timing->retry_first;
    for (unsigned i = 1; i < 8; i++) {
        assert_string_equal(ota_state_name(&rig->agent), "connect");
        assert_int_equal(rig->armed, timing->connect_wait);
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
        assert_string_equal(ota_state_name(&rig->agent), "pause");
        assert_true(rig->armed <= most && rig->armed >= most / 2);
        most = most * 2 < 60000 ? most * 2 : 60000;
        rig_timer(rig);
    }
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
    rig_expect(rig, "idle connect");
    assert_int_equal(rig_count(rig, "> connect"), 8);
    assert_int_equal(rig_count(rig, "> disconnect"), 0);
    assert_int_equal(rig->resets, 0);
    assert_true(rig->armed <= 60000 && rig->armed >= 30000); /* the pauses go on */
}

/* The session fails on its first connection, and is over. */
static void fail_session(struct rig *rig)
{
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
    rig_expect(rig, "idle connect");
}

/* DISC-07: sessions that fail come again soon, then less and less often, and daily at last. */
static void failed_sessions_come_again(void **state)
{
    struct rig *rig = *state;
    const uint32_t day = ota_default_timing.next_check;
    uint32_t most = ota_default_timing.retry_first;
    rig->config.timing.connect_tries = 1;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    for (unsigned i = 0; i < 40; i++) {
        fail_session(rig);
        assert_true(rig->armed <= most && rig->armed >= most / 2);
        most = most * 2 < day ? most * 2 : day;
        rig_timer(rig);
    }
    assert_int_equal(most, day);
    rig_link(rig); /* the broker is back: the row is over */
    rig_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_closes(rig, "idle no-update");
    assert_true(rig->armed >= day / 8 * 7);
    rig_timer(rig);
    fail_session(rig);
    assert_true(rig->armed <= ota_default_timing.retry_first);
}

/* DISC-06: one answer that is lost does not cost a day. */
static void a_lost_job_is_asked_for_again(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_timer(rig);
    rig_closes(rig, "idle timeout");
    assert_true(rig->armed <= ota_default_timing.retry_first);
    rig_timer(rig);
    rig_link(rig);
    rig_job(rig);
    rig_expect(rig, "job 2.0.0");
}

static void pauses_differ_by_chance(void **state)
{
    struct rig *rig = *state;
    uint32_t pauses[4];
    for (unsigned i = 0; i < 4; i++) {
        rig_boot(rig);
        rig_event(rig, OTA_EVENT_CHECK, 0);
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
        pauses[i] = rig->armed;
    }
    assert_true(pauses[0] != pauses[1] || pauses[1] != pauses[2] || pauses[2] != pauses[3]);
}

/* TRAN-08: a broker that accepts and then says nothing, at each step. */
static void a_silent_broker_is_left_and_tried_again(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_timer(rig); /* no CONNACK */
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_timer(rig);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    rig_expect(rig, "> subscribe");
    rig_timer(rig); /* no SUBACK */
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_ASK);
    rig_timer(rig); /* no PUBACK */
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_link(rig);
    rig_expect(rig, RIG_ASK);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_timer(rig); /* no job: DISC-06 */
    rig_closes(rig, "idle timeout");
}

static void refusals_of_the_broker_are_retried(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_CONNECT);
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_link(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, OTA_E_DISCONNECTED);
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_link(rig);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_expect(rig, "state pause");
    rig->mqtt_error = OTA_E_BUSY; /* the port itself fails */
    rig_timer(rig);
    rig_expect(rig, "state connect");
    rig_expect(rig, "state pause");
    rig->mqtt_error = 0;
    rig_timer(rig);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    rig->mqtt_error = OTA_E_BUSY;
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0); /* and then on publishing */
    rig_expect(rig, "state ask");
    rig_expect(rig, "> disconnect");
    rig_expect(rig, "state pause");
}

/* BOOT-04: the image on trial that reaches nobody resets, so that the loader reverts it. */
static void an_image_on_trial_that_reaches_nobody_resets(void **state)
{
    struct rig *rig = *state;
    put_on_trial(rig);
    rig_boot(rig);
    for (unsigned i = 1; i < ota_default_timing.connect_tries; i++) {
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
        rig_timer(rig);
    }
    assert_int_equal(rig->resets, 0);
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
    assert_int_equal(rig->resets, 1);
    rig_expect(rig, "state reset");
    assert_int_equal(rig_count(rig, "confirmed"), 0);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    assert_string_equal(ota_state_name(&rig->agent), "reset");
    rig_timer(rig); /* the platform did not hear */
    assert_int_equal(rig->resets, 2);
}

/* Connected is not enough: the broker must take the subscription. */
static void a_trial_without_subscription_is_not_confirmed(void **state)
{
    struct rig *rig = *state;
    struct img_trailer trailer;
    put_on_trial(rig);
    rig_boot(rig);
    for (unsigned i = 0; i < ota_default_timing.connect_tries; i++) {
        rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
        rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_CONNECT);
        if (rig->resets == 0)
            rig_timer(rig);
    }
    assert_int_equal(rig->resets, 1);
    img_trailer_read(&rig->config.primary, &rig->config.format, &trailer);
    assert_true(img_is_trial(&trailer));
}

/* B17: what names a session is unlike that of the session before and of another device. */
static void every_session_has_its_own_names(void **state)
{
    struct rig *rig = *state;
    char inbox[OTA_TOPIC_MAX];
    char client[OTA_CLIENT_ID_MAX];
    rig_boot(rig);
    rig_to_ask(rig);
    strcpy(inbox, rig->agent.inbox);
    strcpy(client, rig->agent.client_id);
    assert_true(strlen(client) <= 23);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_timer(rig);
    rig_link(rig);
    assert_string_equal(rig->agent.inbox, inbox); /* the same session goes on */
    assert_string_equal(rig->agent.client_id, client);
    rig_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_to_ask(rig);
    assert_string_not_equal(rig->agent.inbox, inbox);
    assert_string_not_equal(rig->agent.client_id, client);
}

static void a_check_during_a_session_changes_nothing(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_event(rig, OTA_EVENT_START, 0);
    assert_string_equal(ota_state_name(&rig->agent), "receive");
    assert_int_equal(rig_count(rig, "> connect"), 1);
}

/* A connection that closes without an answer to our disconnect. */
static void leaving_has_a_deadline(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_expect(rig, "state leave");
    rig_timer(rig);
    rig_expect(rig, "idle no-update");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0); /* late */
    assert_string_equal(ota_state_name(&rig->agent), "idle");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(connection_refused_backs_off_and_gives_up),
        TEST(failed_sessions_come_again),
        TEST(a_lost_job_is_asked_for_again),
        TEST(pauses_differ_by_chance),
        TEST(a_silent_broker_is_left_and_tried_again),
        TEST(refusals_of_the_broker_are_retried),
        TEST(an_image_on_trial_that_reaches_nobody_resets),
        TEST(a_trial_without_subscription_is_not_confirmed),
        TEST(every_session_has_its_own_names),
        TEST(a_check_during_a_session_changes_nothing),
        TEST(leaving_has_a_deadline),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

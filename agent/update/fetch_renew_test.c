/* RESM-10: the link to the image expires while it is fetched. */
#include "agent/update/session_rig.h"

#define OLD_LINK                                                                                   \
    "\"Connection\": \"HTTP\", \"Server\": \"store\", \"File\": \"/v2.bin?signature=1\""
#define NEW_LINK                                                                                   \
    "\"Connection\": \"HTTP\", \"Server\": \"store\", \"File\": \"/v2.bin?signature=2\""
#define GET_OLD "> get store:80/v2.bin?signature=1 "
#define GET_NEW "> get store:80/v2.bin?signature=2 "

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.progress.size = RIG_PROGRESS;
    rig_offer(rig, 2, 40000, 3);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* The link expires when five chunks are there; `status` says so. Ends in the pause. */
static void expire(struct rig *rig, unsigned status)
{
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 20480, 1000);
    rig_done(rig, OTA_E_DISCONNECTED);
    rig_timer(rig);
    rig_expect(rig, GET_OLD "20480-");
    rig_status(rig, status);
    assert_string_equal(ota_state_name(&rig->agent), "pause");
}

/* From the first check to there, of an MQTT job. */
static void to_expiry(struct rig *rig, unsigned status)
{
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, OLD_LINK);
    rig_serve(rig);
    rig_erase(rig);
    expire(rig, status);
}

/* … and on to the request for a new job. */
static void to_new_job(struct rig *rig, unsigned status)
{
    to_expiry(rig, status);
    rig_expect(rig, "state pause");
    rig_timer(rig);
    rig_expect(rig, RIG_ASK);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
}

static void assert_slot_is_image(struct rig *rig)
{
    static uint8_t slot[RIG_SLOT];
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_memory_equal(slot, rig->image, rig->image_size);
    assert_int_equal(flash_sim_violation(rig->sim)[0], 0);
}

static void a_new_job_goes_on_where_it_was(void **state)
{
    static const unsigned statuses[] = {401, 403, 404, 410};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        rig->story[0] = 0;
        rig->told = 0;
        to_new_job(rig, statuses[i]);
        uint32_t erases = flash_sim_erases_at(rig->sim, rig->config.secondary.address);
        rig_job_at(rig, NEW_LINK);
        rig_expect(rig, GET_NEW "20480-");
        assert_non_null(strstr(rig->story, " if \"one\"\n"));
        rig_serve_all(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_int_equal(flash_sim_erases_at(rig->sim, rig->config.secondary.address), erases);
        assert_int_equal(rig_count(rig, "job 2.0.0"), 1);
        assert_slot_is_image(rig);
    }
}

/* The job lies on a server, too: nothing goes by MQTT. */
static void a_new_job_by_http(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_HTTP;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_job(rig, OLD_LINK);
    rig_serve(rig);
    rig_erase(rig);
    expire(rig, 403);
    rig_timer(rig);
    rig_expect(rig, "> get /ota_update.json 0-");
    rig_serve_job(rig, NEW_LINK);
    rig_expect(rig, GET_NEW "20480-");
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
    assert_int_equal(rig_count(rig, "> connect"), 0);
}

/* The broker has gone meanwhile. */
static void a_new_job_over_a_new_connection(void **state)
{
    struct rig *rig = *state;
    to_expiry(rig, 403);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    rig_timer(rig);
    rig_expect(rig, "> connect");
    rig_link(rig);
    rig_expect(rig, RIG_ASK);
    rig_job_at(rig, NEW_LINK);
    rig_expect(rig, GET_NEW "20480-");
}

/* The same image may come by MQTT from now on. */
static void a_new_job_may_change_the_transport(void **state)
{
    struct rig *rig = *state;
    to_new_job(rig, 403);
    rig_job_at(rig, RIG_BY_MQTT);
    rig_expect(rig, RIG_REQUEST_DATA);
    for (uint32_t i = 5; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* RESM-12: what lies at the new place is another image, by its tag or (without one) its size. */
static void another_image_begins_anew(void **state)
{
    struct rig *rig = *state;
    for (int tagged = 0; tagged < 2; tagged++) {
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        rig_offer(rig, 2, 40000, 3);
        rig->etag = tagged != 0 ? "\"one\"" : "";
        to_new_job(rig, 403);
        rig_offer(rig, 2, tagged != 0 ? 40000 : 44000, 5);
        rig->etag = tagged != 0 ? "\"two\"" : "";
        rig_job_at(rig, NEW_LINK);
        rig_expect(rig, GET_NEW "20480-");
        const struct http_head head = rig_honest(rig);
        rig_head(rig, &head);
        rig_expect(rig, GET_NEW "0-4095\n");
        rig_serve_all(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(rig);
    }
}

/* DISC: the new job is for a later version; nothing of the other one is kept. */
static void another_version_begins_anew(void **state)
{
    struct rig *rig = *state;
    to_new_job(rig, 403);
    rig_offer(rig, 3, 41000, 7);
    rig_job_at(rig, NEW_LINK);
    rig_expect(rig, "job 3.0.0");
    rig_expect(rig, GET_NEW "0-4095\n");
    rig_serve_all(rig);
    rig_expect(rig, "pending 3.0.0");
    assert_slot_is_image(rig);
}

/* A reset after a piece from the new place: the job of then is the recorded one. */
static void a_reset_knows_the_new_place(void **state)
{
    struct rig *rig = *state;
    to_new_job(rig, 403);
    rig_job_at(rig, NEW_LINK);
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 20480, 28672, 1000);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, NEW_LINK);
    rig_expect(rig, "progress 28672 ");
    rig_erase(rig);
    rig_expect(rig, GET_NEW "28672-");
}

static void no_new_job_ends_it(void **state)
{
    struct rig *rig = *state;
    to_new_job(rig, 403);
    rig_timer(rig);
    rig_fails(rig, "timeout"); /* what came is kept for another session */
    assert_int_equal(flash_area_erase_back(&rig->config.progress, 0, RIG_PROGRESS), 0);
    to_new_job(rig, 403);
    rig_text(rig, "{\"Message\": \"No Update Available\"}");
    rig_closes(rig, "idle no-update");
}

/* RESM-15: links that die at once do not have us ask for ever, and it is said why. */
static void links_that_all_expire_are_given_up(void **state)
{
    struct rig *rig = *state;
    unsigned rounds = 0;
    rig->config.connection = OTA_BY_HTTP; /* a job that comes counts as an answer each time */
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_job(rig, OLD_LINK);
    rig_serve(rig);
    rig_erase(rig);
    expire(rig, 403);
    for (; strcmp(ota_state_name(&rig->agent), "pause") == 0 && rounds < 100; rounds++) {
        rig_timer(rig);
        if (strcmp(ota_state_name(&rig->agent), "query") == 0)
            rig_serve_job(rig, NEW_LINK);
        rig_status(rig, 403);
    }
    rig_expect(rig, "refused http-status");
    rig_expect(rig, "> post /v2.bin?signature=2");
    assert_int_equal(rig_count(rig, "> get /ota_update.json"), 1 + 8);
    assert_int_equal(rounds, 8 + ota_default_timing.connect_tries - 1);
}

/* Direct flow has no job to ask for: a few tries, and an end that says why. */
static void direct_flow_gives_up(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_HTTP;
    rig->config.flow = OTA_FLOW_DIRECT;
    rig->config.http_file = "/v2.bin";
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve(rig);
    rig_erase(rig);
    unsigned requests = rig->requests;
    for (unsigned i = 0; i < ota_default_timing.connect_tries; i++) {
        if (i > 0)
            rig_timer(rig);
        rig_status(rig, 403);
    }
    rig_expect(rig, "refused http-status");
    rig_expect(rig, "idle http-status");
    assert_int_equal(rig->requests, requests + ota_default_timing.connect_tries - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_job_goes_on_where_it_was),     TEST(a_new_job_by_http),
        TEST(a_new_job_over_a_new_connection),    TEST(a_new_job_may_change_the_transport),
        TEST(another_image_begins_anew),          TEST(another_version_begins_anew),
        TEST(a_reset_knows_the_new_place),        TEST(no_new_job_ends_it),
        TEST(links_that_all_expire_are_given_up), TEST(direct_flow_gives_up),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "agent/update/fetch_rig.h"

/* ---- the whole ---------------------------------------------------------------------------- */

/* TRAN-01, DISC-03, RPRT: job by MQTT, data by HTTP, result by MQTT. */
static void mqtt_job_http_data(void **state)
{
    struct rig *rig = *state;
    to_peek(rig);
    rig_expect(rig, "job 2.0.0");
    rig_expect(rig, "> get /v2.bin 0-4095\n");
    assert_slot_untouched(rig);
    rig_serve(rig);
    rig_expect(rig, "state erase");
    rig_erase(rig);
    rig_expect(rig, "progress 4096 ");
    rig_expect(rig, "> get /v2.bin 4096-");
    rig_serve(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
    rig_expect(rig, "> disconnect");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, "> reset");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, RIG_SUCCESS);
}

/* B4, TRAN-10: every remainder, every size of what the network hands over. */
static void sizes_and_slices(void **state)
{
    struct rig *rig = *state;
    static const uint32_t slices[] = {1, 7, 4096, 65536};
    rig_offer(rig, 2, 1, 0);
    uint32_t overhead = rig->image_size - 1;
    const uint32_t sizes[] = {overhead + 1, 4095, 4096, 4097, 8193, RIG_MAX_END};
    for (size_t i = 0; i < 24; i++) {
        rig_offer(rig, 2, sizes[i / 4] - overhead, (uint8_t)i);
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        to_peek(rig);
        for (int round = 0; round < 40 && (rig->requested || rig->agent.state == OTA_STATE_ERASE);
             round++) {
            struct http_head head = rig_honest(rig);
            if (rig->agent.state == OTA_STATE_ERASE) {
                rig_erase(rig);
                continue;
            }
            rig_head(rig, &head);
            rig_bytes_of(rig, (uint32_t)head.from, (uint32_t)head.to + 1, slices[i % 4]);
            if (rig->requested)
                rig_done(rig, 0);
        }
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(rig);
        rig->story[0] = 0;
        rig->told = 0;
    }
}

/* Fixed steps: what is asked for does not depend on what came in which pieces. */
static void steps_are_fixed(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    char line[64];
    snprintf(line, sizeof line, "> get /v2.bin 4096-%u if \"one\"\n", rig->image_size - 1);
    rig_expect(rig, line);
}

/* ---- what lies, or is not there ------------------------------------------------------------ */

static void answer_404(struct rig *rig)
{
    rig_status(rig, 404);
}

static void answer_503(struct rig *rig)
{
    rig_status(rig, 503);
    if (rig->requested)
        rig_body(rig, "sorry", 5);
}

static void answer_302(struct rig *rig)
{
    rig_status(rig, 302); /* the world has followed as many as it does: B26 */
}

static void break_off(struct rig *rig)
{
    rig_done(rig, OTA_E_DISCONNECTED);
}

static void end_without_a_word(struct rig *rig)
{
    rig_done(rig, 0);
}

static void say_nothing(struct rig *rig)
{
    assert_true(rig->armed == ota_default_timing.data_wait);
    rig_timer(rig);
}

static void trickle(struct rig *rig)
{
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    uint32_t armed = rig->armed;
    rig->armed = 12345;
    for (uint32_t i = 0; i < 100; i++)
        rig_body(rig, rig->image + rig->request.from + i, 1);
    assert_int_equal(rig->armed, 12345); /* bytes alone put nothing off */
    rig->armed = armed;
    rig_timer(rig);
}

static void start_elsewhere(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.from++;
    head.length--;
    rig_head(rig, &head);
}

static void end_too_far(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.to = rig->request.to + 1;
    head.length++;
    rig_head(rig, &head);
}

static void say_no_total(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.has_total = false; /* B6 */
    rig_head(rig, &head);
}

static void say_no_range(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.has_range = false;
    rig_head(rig, &head);
}

static void say_no_length(struct rig *rig)
{
    const struct http_head head = {.status = 200};
    rig_head(rig, &head);
}

static void lie_about_length(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.length--;
    rig_head(rig, &head);
}

static void send_too_much(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.to = head.from + 9;
    head.length = 10;
    rig_head(rig, &head);
    rig_body(rig, rig->image, 11);
}

static void send_a_little(struct rig *rig)
{
    struct http_head head = rig_honest(rig);
    head.to = head.from + 99; /* an honest range, but never a chunk */
    head.length = 100;
    rig_head(rig, &head);
    rig_body(rig, rig->image + head.from, 100);
    rig_done(rig, 0);
}

static const struct {
    void (*answer)(struct rig *rig);
    const char *word;
} lies[] = {
    {answer_404, "http-status"},
    {answer_503, "http-status"},
    {answer_302, "http-status"},
    {break_off, "disconnected"},
    {end_without_a_word, "disconnected"},
    {say_nothing, "timeout"},
    {trickle, "timeout"},
    {start_elsewhere, "http-range"},
    {end_too_far, "http-range"},
    {say_no_total, "http-range"},
    {say_no_range, "http-range"},
    {lie_about_length, "http-range"},
    {send_too_much, "http-range"},
    {send_a_little, "http-range"},
    {say_no_length, "http-range"},
};

/* TRAN-02 … 05, 07, 08, RESM-07, B5 … B8, B19: from the first request on. Bounded, with pauses,
 * reported with its own reason, and nothing was erased or written. */
static void a_useless_server_is_given_up_before_anything_is_written(void **state)
{
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        rig->story[0] = 0;
        rig->told = 0;
        flash_sim_restart_count(rig->sim);
        to_peek(rig);
        fail_until_refused(rig, lies[i].answer, lies[i].word);
        assert_slot_untouched(rig);
        assert_int_equal(flash_sim_erases_at(rig->sim, rig->config.secondary.address), 0);
        assert_int_equal(rig_count(rig, "> get"), ota_default_timing.connect_tries);
    }
}

/* The same in the middle of a download: what lies in flash stays, and an honest answer in between
 * lets it go on. */
static void a_server_may_fail_between_two_chunks(void **state)
{
    struct rig *rig = *state;
    /* but for the first: what a link that is gone leads to is fetch_renew_test.c's */
    for (size_t i = 1; i < sizeof lies / sizeof lies[0] - 1; i++) {
        rig->story[0] = 0;
        rig->told = 0;
        assert_int_equal(flash_area_erase_back(&rig->config.journal, 0, RIG_JOURNAL), 0);
        to_fetch(rig);
        for (unsigned tries = 1; tries < ota_default_timing.connect_tries; tries++) {
            lies[i].answer(rig);
            assert_string_equal(ota_state_name(&rig->agent), "pause");
            rig_timer(rig);
            rig_expect(rig, "> get /v2.bin 4096-");
        }
        rig_serve_all(rig);
        rig_expect(rig, "pending 2.0.0");
        assert_slot_is_image(rig);
    }
}

/* RESM-07: the size of an image whose tag is the same does not change. */
static void another_total_is_not_believed(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    struct http_head head = rig_honest(rig);
    head.total++;
    rig_head(rig, &head);
    assert_string_equal(ota_state_name(&rig->agent), "pause");
    rig_timer(rig);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
}

static void a_network_that_fails_backs_off(void **state)
{
    struct rig *rig = *state;
    uint32_t most = ota_default_timing.retry_first;
    to_peek(rig);
    for (unsigned i = 1; i < ota_default_timing.connect_tries; i++) {
        rig_done(rig, OTA_E_CONNECT);
        assert_true(rig->armed <= most && rig->armed >= most / 2);
        most *= 2;
        rig->http_error = i == 2 ? OTA_E_BUSY : 0; /* the port itself fails */
        rig_timer(rig);
        if (i == 2) {
            assert_string_equal(ota_state_name(&rig->agent), "pause");
            return;
        }
    }
}

/* ---- resuming ------------------------------------------------------------------------------ */

/* RESM-01, RESM-11, TRAN-09, B10: the rest, from the last whole chunk, after each break. */
static void a_broken_body_is_taken_up_again(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 40000, 3);
    to_fetch(rig);
    for (uint32_t chunk = 1; chunk < 9; chunk++) {
        char line[64];
        snprintf(line, sizeof line, "> get /v2.bin %u-", chunk * 4096);
        rig_expect(rig, line);
        for (unsigned i = 1; i < ota_default_timing.connect_tries - 1; i++) {
            rig_done(rig, OTA_E_DISCONNECTED);
            rig_timer(rig);
        }
        const struct http_head head = rig_honest(rig);
        rig_head(rig, &head);
        rig_bytes_of(rig, chunk * 4096, (chunk + 1) * 4096 + 100, 1000);
        assert_int_equal(rig->agent.tries, 0);
        rig_done(rig, OTA_E_DISCONNECTED);
        rig_timer(rig);
    }
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
    assert_true(rig->agent.fetched < rig->image_size + 10 * 4096);
}

/* RESM-02, RESM-03: a reset costs what was begun, and no more. */
static void a_reset_goes_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 40000, 3);
    to_fetch(rig);
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 20000, 1000);
    rig_boot(rig);
    rig_to_ask(rig);
    flash_sim_restart_count(rig->sim);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_expect(rig, "progress 16384 ");
    rig_erase(rig);
    rig_expect(rig, "> get /v2.bin 16384-");
    assert_non_null(strstr(rig->story, " if \"one\"\n"));
    assert_int_equal(flash_sim_erases_at(rig->sim, rig->config.secondary.address), 1);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* … over the other transport as well, when the job says so. */
static void a_reset_may_change_the_transport(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 40000, 3);
    to_fetch(rig);
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 20000, 1000);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, "\"Connection\": \"MQTT\", \"File\": \"/v2.bin\"");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST_DATA);
    for (uint32_t i = 4; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* RESM-09, RESM-12: another file or another image is fetched from its beginning. */
static void another_job_resumes_nothing(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, "\"Connection\": \"HTTP\", \"File\": \"/other.bin\"");
    rig_expect(rig, "> get /other.bin 0-4095\n");
    rig_boot(rig);
    to_fetch(rig);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, "\"Connection\": \"HTTP\", \"Server\": \"other\", \"File\": \"/v2.bin\"");
    rig_expect(rig, "> get other:80/v2.bin 0-4095\n");
    rig_boot(rig);
    to_fetch(rig);
    rig_offer(rig, 3, 9800, 4);
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_expect(rig, "> get /v2.bin 0-4095\n");
    rig_serve_all(rig);
    rig_expect(rig, "pending 3.0.0");
    assert_slot_is_image(rig);
}

/* ---- sizes and sums ------------------------------------------------------------------------ */

/* INTG-07, TRAN-04, B3: refused at once and before a single byte is erased. */
static void a_size_that_cannot_be_is_refused(void **state)
{
    struct rig *rig = *state;
    static const uint64_t totals[] = {RIG_MAX_END + OTA_TAR_AROUND + 1, 0, UINT64_MAX, 1ull << 32};
    for (size_t i = 0; i < 4; i++) {
        struct http_head head = {.status = 200, .has_length = true, .length = totals[i]};
        to_peek(rig);
        rig_head(rig, &head);
        rig_fails(rig, "bad-size");
        assert_slot_untouched(rig);
    }
    struct http_head head = {0};
    to_peek(rig);
    head = rig_honest(rig);
    head.total = 1ull << 33;
    rig_head(rig, &head);
    rig_fails(rig, "bad-size");
    rig_offer(rig, 2, RIG_MAX_END, 0); /* an archive's size, and the first chunk is none's */
    to_peek(rig);
    rig_serve(rig);
    rig_fails(rig, "bad-size");
    assert_slot_untouched(rig);
}

/* RESM-15: a server that breaks off after every chunk and a half cannot have us fetch for ever. */
static void bytes_are_counted(void **state)
{
    struct rig *rig = *state;
    rig_offer(rig, 2, 55000, 3);
    to_fetch(rig);
    rig->agent.fetched = rig->image_size * 4ull + OTA_HTTP_STEP - 1000;
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 8192, 999);
    rig_fails(rig, "too-much-data");
}

/* A line that is lost while HTTP fetches is of no concern until it is needed. */
static void the_broker_may_go_while_the_server_serves(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    assert_string_equal(ota_state_name(&rig->agent), "fetch");
    rig->image[5000] ^= 1;
    rig_serve_all(rig);
    rig_expect(rig, "refused bad-hash");
    rig_expect(rig, "> connect");
    rig_link(rig);
    rig_expect(rig, RIG_FAILURE);
}

static void a_job_that_needs_http_is_refused_without_it(void **state)
{
    struct rig *rig = *state;
    rig->ports.http = NULL;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_fails(rig, "unsupported");
}

/* Nor is a job that asks for HTTPS fetched from a server without it. */
static void a_job_for_https_is_not_fetched_in_clear_text(void **state)
{
    static const char here[] =
        "\"Connection\": \"HTTPS\", \"Server\": \"\", \"Port\": \"443\", \"File\": \"/v2.bin\"";
    static const char there[] = "\"Connection\": \"HTTPS\", \"Server\": \"10.0.0.9\", \"Port\": "
                                "\"443\", \"File\": \"/v2.bin\"";
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, here);
    rig_fails(rig, "unsupported");
    assert_int_equal(rig->requests, 0);
    rig_to_ask(rig);
    rig_job_at(rig, there);
    rig_expect(rig, "> get tls 10.0.0.9:443/v2.bin");
    rig->config.server_tls = true;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, here);
    rig_expect(rig, "> get tls /v2.bin");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(mqtt_job_http_data),
        TEST(sizes_and_slices),
        TEST(steps_are_fixed),
        TEST(a_useless_server_is_given_up_before_anything_is_written),
        TEST(a_server_may_fail_between_two_chunks),
        TEST(another_total_is_not_believed),
        TEST(a_network_that_fails_backs_off),
        TEST(a_broken_body_is_taken_up_again),
        TEST(a_reset_goes_on_where_it_was),
        TEST(a_reset_may_change_the_transport),
        TEST(another_job_resumes_nothing),
        TEST(a_size_that_cannot_be_is_refused),
        TEST(bytes_are_counted),
        TEST(the_broker_may_go_while_the_server_serves),
        TEST(a_job_that_needs_http_is_refused_without_it),
        TEST(a_job_for_https_is_not_fetched_in_clear_text),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

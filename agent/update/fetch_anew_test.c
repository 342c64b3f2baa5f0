/* Fetching over HTTP: when the image on the server is another one, and so begins anew. */
#include "agent/update/fetch_rig.h"

/* ---- beginning anew ------------------------------------------------------------------------ */

static void restarted(struct rig *rig)
{
    rig_expect(rig, "state peek");
    rig_expect(rig, "> get /v2.bin 0-4095\n");
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

/* RESM-04: the rest of the old image is never joined to the beginning of a new one. */
static void a_whole_body_instead_of_a_range_begins_anew(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_offer(rig, 2, 9800, 9);
    const struct http_head head = {.status = 200, .has_length = true, .length = rig->image_size};
    rig_head(rig, &head);
    rig_expect(rig, "> cancel");
    restarted(rig);
}

/* RESM-05. */
static void another_tag_begins_anew(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_offer(rig, 2, 12000, 9);
    rig->etag = "\"two\"";
    rig_serve(rig);
    restarted(rig);
    assert_string_equal(rig->agent.progress.etag, ""); /* cleared for the loader */
}

/* Copies of one image on several servers: a weak tag says nothing of bytes. */
static void weak_tags_may_differ(void **state)
{
    static const char *const tags[] = {"W/\"1\"", "W/\"2\"", "", "W/\"3\""};
    struct rig *rig = *state;
    rig_offer(rig, 2, 58000, 2);
    rig->etag = "W/\"0\"";
    to_fetch(rig);
    for (size_t i = 0; rig->requested; i++) {
        rig->etag = tags[i % 4];
        const struct http_head head = rig_honest(rig);
        uint32_t from = rig->request.from;
        rig_head(rig, &head);
        if (rig_bytes_of(rig, from, from + 4096, 1000)) { /* one chunk each */
            rig_done(rig, OTA_E_DISCONNECTED);
            rig_timer(rig);
        }
    }
    rig_expect(rig, "pending 2.0.0");
    assert_int_equal(rig->agent.restarts, 0);
    assert_null(strstr(rig->story, " if "));
}

/* RESM-05: a server without tags has dates. */
static void another_date_begins_anew(void **state)
{
    struct rig *rig = *state;
    rig->etag = "";
    rig->modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    to_fetch(rig);
    assert_non_null(strstr(rig->story, " if Sun, 06 Nov 1994 08:49:37 GMT\n"));
    rig_offer(rig, 2, 9800, 9); /* of the same size */
    rig->modified = "Sun, 06 Nov 1994 08:49:38 GMT";
    rig_serve(rig);
    restarted(rig);
}

/* RESM-08. */
static void a_failed_precondition_begins_anew(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_status(rig, 412);
    restarted(rig);
}

/* RESM-06: once; the second time it is an error like others. */
static void a_range_that_does_not_exist_begins_anew_once(void **state)
{
    struct rig *rig = *state;
    to_fetch(rig);
    rig_status(rig, 416);
    rig_expect(rig, "state peek");
    rig_serve(rig);
    rig_erase(rig);
    rig_status(rig, 416);
    assert_string_equal(ota_state_name(&rig->agent), "pause");
    rig_timer(rig);
    rig_serve_all(rig);
    rig_expect(rig, "pending 2.0.0");
}

static void an_image_that_changes_all_the_time_is_given_up(void **state)
{
    struct rig *rig = *state;
    static const char *const tags[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "\"f\""};
    to_fetch(rig);
    for (size_t i = 0; i < 4; i++) {
        rig->etag = tags[i];
        rig_serve(rig);
        if (i < 3) {
            rig_serve(rig);
            rig_erase(rig);
        }
    }
    rig_fails(rig, "changed");
}

/* A server that knows no ranges is good for an image in one go. */
static void a_server_without_ranges_sends_everything_at_once(void **state)
{
    struct rig *rig = *state;
    to_peek(rig);
    const struct http_head head = {.status = 200, .has_length = true, .length = rig->image_size};
    rig_head(rig, &head);
    rig_bytes_of(rig, 0, rig->image_size, 5000);
    rig_expect(rig, "> cancel");
    rig_erase(rig);
    rig_expect(rig, "> get /v2.bin 0-");
    rig_head(rig, &head);
    rig_bytes_of(rig, 0, rig->image_size, 5000);
    rig_expect(rig, "pending 2.0.0");
    assert_slot_is_image(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_body_instead_of_a_range_begins_anew),
        TEST(another_tag_begins_anew),
        TEST(weak_tags_may_differ),
        TEST(another_date_begins_anew),
        TEST(a_failed_precondition_begins_anew),
        TEST(a_range_that_does_not_exist_begins_anew_once),
        TEST(an_image_that_changes_all_the_time_is_given_up),
        TEST(a_server_without_ranges_sends_everything_at_once),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}

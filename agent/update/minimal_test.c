/* A device that is put together from less: it speaks MQTT only, knows no archives, asks nobody, and
 * has a program unit of working memory. */
#include "agent/update/session_rig.h"

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.parts.by_http = NULL;
    rig->config.parts.direct = NULL;
    rig->config.parts.archive = NULL;
    rig->config.parts.say = NULL;
    rig->config.piece_size = 8;
    rig->ports.http = NULL;
    rig->config.progress.size = RIG_PROGRESS;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* The whole of it: job, chunks, reset, confirmation, report. */
static void updates(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_download(rig);
    rig_expect(rig, "pending 2.0.0");
    rig_swap(rig, true);
    rig_boot(rig);
    rig_link(rig);
    rig_expect(rig, "confirmed 2.0.0");
    rig_expect(rig, RIG_SUCCESS);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_expect(rig, "reported ok");
    rig_closes(rig, "idle ok");
}

/* A reset in the middle: only what is missing is asked for. */
static void resumes(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 0);
    rig_expect(rig, "progress 4096 ");
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job(rig);
    rig_expect(rig, "progress 4096 ");
    rig_erase(rig);
    rig_expect(rig, RIG_REQUEST_DATA);
    rig_chunk(rig, 1);
    rig_chunk(rig, 2);
    rig_expect(rig, "pending 2.0.0");
}

/* What it does not speak is refused, not tried. */
static void refuses_a_job_by_http(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_fails(rig, "unsupported");
    assert_int_equal(rig->requests, 0);
}

/* An archive is bytes that are no image. */
static void takes_an_archive_for_no_image(void **state)
{
    struct rig *rig = *state;
    memcpy(rig->image + 257, "ustar", 5);
    rig_boot(rig);
    rig_download(rig);
    rig_fails(rig, "bad-hash");
}

/* What a configuration asks for must be there. */
static void needs_what_it_is_told_to_do(void **state)
{
    struct rig *rig = *state;
    const struct ota_config good = rig->config;
    assert_int_equal(ota_init(&rig->agent, &good, &rig->ports), 0);
    struct ota_config bad = good;
    bad.flow = OTA_FLOW_DIRECT;
    assert_int_equal(ota_init(&rig->agent, &bad, &rig->ports), OTA_E_ARGUMENT);
    bad = good;
    bad.connection = OTA_BY_HTTP;
    assert_int_equal(ota_init(&rig->agent, &bad, &rig->ports), OTA_E_ARGUMENT);
    bad = good;
    bad.piece_size = 7;
    assert_int_equal(ota_init(&rig->agent, &bad, &rig->ports), OTA_E_NO_SPACE);
    bad = good;
    bad.parts.by_http = &ota_by_http; /* … whose chunks come in pieces */
    assert_int_equal(ota_init(&rig->agent, &bad, &rig->ports), OTA_E_NO_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(updates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_job_by_http, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_an_archive_for_no_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(needs_what_it_is_told_to_do, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A device without archives reads JSON in the memory that its pieces of an image go through: no
 * document is read while a piece waits there. */
#include "agent/update/session_rig.h"

#include "agent/crc32.h"
#include "agent/protocol/json_arena.h"

static union {
    max_align_t align;
    uint8_t bytes[OTA_CHUNK_SIZE];
} shared;

const struct ota_program ota_program = {
    .crc32 = ota_crc32_by_nibbles, .json = shared.bytes, .json_size = sizeof shared.bytes};

#define OTHER_LINK "\"Connection\": \"HTTP\", \"Server\": \"store\", \"File\": \"/other.bin\""

static int set_up(void **state)
{
    struct rig *rig = rig_new();
    rig->config.parts.archive = NULL;
    rig->config.piece = shared.bytes;
    rig->config.piece_size = sizeof shared.bytes;
    rig->config.progress.size = RIG_PROGRESS;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

static void assert_handed_over(struct rig *rig)
{
    static uint8_t slot[RIG_SLOT];
    rig_expect(rig, "pending 2.0.0");
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_memory_equal(slot, rig->image, rig->image_size);
}

static void updates_by_mqtt(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_receive(rig);
    rig_chunk(rig, 2); /* its last bytes wait for their unit in that memory */
    rig_job(rig);      /* the publisher's document, once more */
    rig_chunk(rig, 0);
    rig_chunk(rig, 1);
    assert_handed_over(rig);
}

/* Documents come while the first chunk waits for the erase, and in the middle of another one. */
static void fetches_by_http(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_serve(rig);
    assert_string_equal(ota_state_name(&rig->agent), "erase");
    rig_job_at(rig, OTHER_LINK);
    rig_erase(rig);
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 6000, 1000);
    rig_job_at(rig, OTHER_LINK);
    rig_bytes_of(rig, 6000, rig->image_size, 1000);
    assert_handed_over(rig);
}

/* A link expires in the middle of a chunk: what came of it is fetched again by the new job. */
static void goes_on_with_a_new_job(void **state)
{
    struct rig *rig = *state;
    rig_boot(rig);
    rig_to_ask(rig);
    rig_job_at(rig, RIG_BY_HTTP);
    rig_serve(rig);
    rig_erase(rig);
    const struct http_head head = rig_honest(rig);
    rig_head(rig, &head);
    rig_bytes_of(rig, 4096, 9000, 1000);
    rig_done(rig, OTA_E_DISCONNECTED);
    rig_timer(rig);
    rig_expect(rig, "> get /v2.bin 8192-");
    rig_status(rig, 403);
    rig_timer(rig);
    rig_expect(rig, RIG_ASK);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    rig_job_at(rig, OTHER_LINK);
    rig_expect(rig, "> get store:80/other.bin 8192-");
    rig_serve_all(rig);
    assert_handed_over(rig);
}

static void job_by_http(void **state)
{
    struct rig *rig = *state;
    rig->config.connection = OTA_BY_HTTP;
    rig_boot(rig);
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_serve_job(rig, RIG_BY_HTTP);
    rig_serve_all(rig);
    assert_handed_over(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(updates_by_mqtt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fetches_by_http, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_on_with_a_new_job, set_up, tear_down),
        cmocka_unit_test_setup_teardown(job_by_http, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

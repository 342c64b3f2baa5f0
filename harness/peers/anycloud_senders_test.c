/* The cloud side: its senders, one a device topic, and the faults that it plays. */
#include "harness/peers/anycloud_cloud_rig.h"

/* ---- senders ----------------------------------------------------------------------------- */

static void window_is_bounded(void **state)
{
    struct bench *bench = *state;
    const struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .chunk_size = 500};
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, REQUEST_UPDATE);
    assert_int_equal(bench->sent_count, 8);
    deliver(bench, OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
    assert_int_equal(bench->sent_count, 9);
    bench->acknowledged = 1;
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 20);
}

static void newer_request_replaces(void **state)
{
    struct bench *bench = *state;
    const struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .chunk_size = 500};
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, REQUEST_UPDATE);
    assert_int_equal(bench->sent_count, 8);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    /* eight of the first sender, then one whole image: never two interleaved */
    assert_int_equal(bench->sent_count, 28);
    for (size_t i = 8; i < 28; i++)
        assert_int_equal(bench->sent[i].data[30], i - 8);
    forget(bench);
    say(bench, REQUEST_UPDATE);
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 9); /* a new session ends the sender, too */
}

static void sessions_are_apart(void **state)
{
    struct bench *bench = *state;
    char text[300];
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    forget(bench);
    const struct anycloud_offer newer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {3, 1, 7, 0}, .chunk_size = 4096};
    anycloud_cloud_offer(bench->cloud, &newer);
    for (int i = 0; i < 40; i++) { /* more than there are sessions; this one is kept in use */
        snprintf(text, sizeof text,
                 "{\"Message\":\"Update Availability\",\"Version\":\"1.0.0\","
                 "\"UniqueTopicName\":\"t%d\"}",
                 i);
        say(bench, text);
        say(bench, "{\"Message\":\"Failure\",\"UniqueTopicName\":\"" TOPIC "\"}");
    }
    forget(bench);
    say(bench, REQUEST_UPDATE); /* gets the version it was offered */
    say(bench, "{\"Message\":\"Request Update\",\"UniqueTopicName\":\"t39\"}");
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 6);
    for (size_t i = 0; i < 6; i++) {
        bool first = strcmp(bench->sent[i].topic, TOPIC) == 0;
        assert_int_equal(bench->sent[i].data[12], first ? 2 : 3);
        assert_int_equal(bench->sent[i].data[14], first ? 0 : 1);
        assert_int_equal(bench->sent[i].data[16], first ? 0 : 7);
    }
}

static void lost_connection(void **state)
{
    struct bench *bench = *state;
    const struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .chunk_size = 500};
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, REQUEST_UPDATE);
    assert_int_equal(bench->sent_count, 8); /* never to be acknowledged */
    deliver(bench, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED);
    assert_false(anycloud_cloud_ready(bench->cloud));
    assert_non_null(strstr(bench->lines, "closed disconnected\n"));
    assert_int_equal(bench->arms, 1);
    bench->acknowledged = bench->sent_count;
    deliver(bench, OTA_EVENT_TIMER, OTA_OK);
    assert_int_equal(bench->connects, 2);
    deliver(bench, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT);
    assert_int_equal(bench->arms, 2);
    deliver(bench, OTA_EVENT_TIMER, OTA_OK);
    deliver(bench, OTA_EVENT_MQTT_CONNECTED, OTA_OK);
    deliver(bench, OTA_EVENT_MQTT_SUBSCRIBED, OTA_OK);
    forget(bench);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 20);
}

static void publish_fails(void **state)
{
    struct bench *bench = *state;
    bench->publish_result = OTA_E_IO;
    say(bench, REQUEST_UPDATE);
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    assert_null(strstr(bench->lines, "sent"));
    assert_null(strstr(bench->lines, "offered"));
    bench->publish_result = OTA_OK;
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 3);
}

/* ---- faults ------------------------------------------------------------------------------ */

static void arm(struct bench *bench, enum anycloud_fault_kind kind, uint32_t index, const char *raw)
{
    const struct anycloud_fault fault = {.kind = kind,
                                         .index = index,
                                         .count = 1,
                                         .raw = (const uint8_t *)raw,
                                         .raw_size = raw != NULL ? strlen(raw) : 0};
    assert_int_equal(anycloud_cloud_fault(bench->cloud, &fault), OTA_OK);
}

static void chunk_faults(void **state)
{
    struct bench *bench = *state;
    arm(bench, ANYCLOUD_DROP_CHUNK, 0, NULL);
    arm(bench, ANYCLOUD_REPEAT_CHUNK, 1, NULL);
    arm(bench, ANYCLOUD_RAW_CHUNK, 2, "nonsense");
    arm(bench, ANYCLOUD_CORRUPT_CHUNK, 1, NULL);
    assert_int_equal(anycloud_cloud_unfired(bench->cloud), 4);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(anycloud_cloud_unfired(bench->cloud), 0);
    assert_int_equal(bench->sent_count, 3);
    assert_int_equal(bench->sent[0].data[30], 1);
    assert_int_equal(bench->sent[1].data[30], 1);
    assert_memory_not_equal(bench->sent[0].data + 32, bench->image + 4096, 4096);
    assert_memory_equal(bench->sent[1].data + 32, bench->image + 4096, 4096);
    assert_string_equal((char *)bench->sent[2].data, "nonsense");
    assert_string_equal(bench->lines, "request " TOPIC "\nfault drop 0\nfault corrupt 1\n"
                                      "fault repeat 1\nchunk 1 4096 4096\nchunk 1 4096 4096\n"
                                      "fault raw-chunk 2\nsent " TOPIC "\n");
    forget(bench);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 3); /* each fault fired once */
    assert_memory_equal(bench->sent[1].data + 32, bench->image + 4096, 4096);
}

static void patched_chunk(void **state)
{
    struct bench *bench = *state;
    const struct anycloud_fault fault = {.kind = ANYCLOUD_PATCH_CHUNK,
                                         .index = 1,
                                         .count = 1,
                                         .at = 7,
                                         .raw = (const uint8_t *)"X",
                                         .raw_size = 1};
    assert_int_equal(anycloud_cloud_fault(bench->cloud, &fault), OTA_OK);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(anycloud_cloud_unfired(bench->cloud), 0);
    assert_memory_equal(bench->sent[0].data, "OTAImage", 8);
    assert_memory_equal(bench->sent[1].data, "OTAImagX", 8);
    assert_memory_equal(bench->sent[1].data + 32, bench->image + 4096, 4096);
}

static void job_faults(void **state)
{
    struct bench *bench = *state;
    arm(bench, ANYCLOUD_SILENT_JOB, 0, NULL);
    arm(bench, ANYCLOUD_RAW_JOB, 0, "{\"Message\"");
    arm(bench, ANYCLOUD_JOB_BEFORE_CHUNK, 1, "{}");
    arm(bench, ANYCLOUD_REVERSE, 0, NULL);
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    assert_int_equal(bench->sent_count, 0);
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    expect_sent(bench, 0, TOPIC, "{\"Message\"");
    forget(bench);
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 4);
    expect_sent(bench, 1, TOPIC, "{}");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(bench->sent[i > 0 ? i + 1 : 0].data[30], 2 - i);
    assert_int_equal(anycloud_cloud_unfired(bench->cloud), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(window_is_bounded),  CASE(newer_request_replaces),
        CASE(sessions_are_apart), CASE(lost_connection),
        CASE(publish_fails),      CASE(chunk_faults),
        CASE(patched_chunk),      CASE(job_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "harness/peers/anycloud_cloud.h"

#include "harness/peers/anycloud_documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTIFY     "anycloud/CY8CPROTO_062_4343W/publish_notify"
#define TOPIC      "anycloud/CY8CPROTO_062_4343W/OTAImage/40568"
#define IMAGE_SIZE 10000u
#define MAX_SENT   256

/* ---- a broker that only listens ---------------------------------------------------------- */

struct sent {
    char topic[300];
    uint8_t *data;
    size_t size;
};

struct bench {
    struct mqtt_port mqtt;
    struct clock_port clock;
    struct anycloud_cloud *cloud;
    uint8_t image[IMAGE_SIZE];
    struct sent sent[MAX_SENT];
    size_t sent_count;
    size_t acknowledged;
    char lines[8192]; /* what the cloud said, a line each */
    char subscribed[300];
    int publish_result;
    unsigned connects;
    unsigned arms;
};

static int bench_connect(void *context, const struct mqtt_connect *options)
{
    struct bench *bench = context;
    assert_true(options->clean_session);
    assert_null(options->will_topic);
    bench->connects++;
    return OTA_OK;
}

static int bench_subscribe(void *context, const char *topic, int qos)
{
    struct bench *bench = context;
    assert_int_equal(qos, 1);
    snprintf(bench->subscribed, sizeof bench->subscribed, "%s", topic);
    return OTA_OK;
}

static int bench_unsubscribe(void *context, const char *topic)
{
    (void)context, (void)topic;
    return OTA_OK;
}

static int bench_publish(void *context, const char *topic, const void *payload, size_t length,
                         int qos)
{
    struct bench *bench = context;
    assert_int_equal(qos, 1);
    if (bench->publish_result != OTA_OK)
        return bench->publish_result;
    assert_true(bench->sent_count < MAX_SENT);
    struct sent *sent = &bench->sent[bench->sent_count++];
    snprintf(sent->topic, sizeof sent->topic, "%s", topic);
    sent->data = malloc(length + 1);
    assert_non_null(sent->data);
    memcpy(sent->data, payload, length);
    sent->data[length] = '\0';
    sent->size = length;
    return OTA_OK;
}

static int bench_disconnect(void *context)
{
    (void)context;
    return OTA_OK;
}

static uint64_t bench_now(void *context)
{
    (void)context;
    return 1000;
}

static int bench_arm(void *context, unsigned id, uint32_t ms)
{
    struct bench *bench = context;
    assert_int_equal(id, 0);
    assert_true(ms > 0);
    bench->arms++;
    return OTA_OK;
}

static void bench_disarm(void *context, unsigned id)
{
    (void)context, (void)id;
}

static void on_line(void *context, const char *line)
{
    struct bench *bench = context;
    size_t used = strlen(bench->lines);
    snprintf(bench->lines + used, sizeof bench->lines - used, "%s\n", line);
}

static void deliver(struct bench *bench, enum ota_event_type type, int code)
{
    const struct ota_event event = {.type = type, .code = code};
    anycloud_cloud_event(bench->cloud, &event);
}

/* Acknowledges everything, and what is sent on that, until nothing is left. */
static void acknowledge(struct bench *bench)
{
    while (bench->acknowledged < bench->sent_count) {
        bench->acknowledged++;
        deliver(bench, OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
    }
}

static void say_bytes(struct bench *bench, const void *data, size_t length)
{
    const struct ota_event event = {
        .type = OTA_EVENT_MQTT_MESSAGE, .topic = NOTIFY, .data = data, .length = length};
    anycloud_cloud_event(bench->cloud, &event);
}

static void say(struct bench *bench, const char *text)
{
    say_bytes(bench, text, strlen(text));
}

static void forget(struct bench *bench)
{
    acknowledge(bench);
    for (size_t i = 0; i < bench->sent_count; i++)
        free(bench->sent[i].data);
    bench->sent_count = 0;
    bench->acknowledged = 0;
    bench->lines[0] = '\0';
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->mqtt = (struct mqtt_port){
        bench, bench_connect, bench_subscribe, bench_unsubscribe, bench_publish, bench_disconnect};
    bench->clock = (struct clock_port){bench, bench_now, bench_arm, bench_disarm};
    for (size_t i = 0; i < IMAGE_SIZE; i++)
        bench->image[i] = (uint8_t)(i * 31 + i / 251);
    bench->cloud = anycloud_cloud_new(&bench->mqtt, &bench->clock, "anycloud",
                                      "CY8CPROTO_062_4343W", on_line, bench);
    assert_non_null(bench->cloud);
    const struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .chunk_size = 4096};
    anycloud_cloud_offer(bench->cloud, &offer);
    assert_int_equal(anycloud_cloud_start(bench->cloud), OTA_OK);
    deliver(bench, OTA_EVENT_MQTT_CONNECTED, OTA_OK);
    assert_false(anycloud_cloud_ready(bench->cloud));
    deliver(bench, OTA_EVENT_MQTT_SUBSCRIBED, OTA_OK);
    assert_true(anycloud_cloud_ready(bench->cloud));
    assert_string_equal(bench->subscribed, NOTIFY);
    forget(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    forget(bench);
    anycloud_cloud_free(bench->cloud);
    free(bench);
    return 0;
}

/* ---- the interface, byte by byte --------------------------------------------------------- */

#define AVAILABILITY(board, version)                                                               \
    "{\"Message\":\"Update Availability\", \"Manufacturer\": \"Express Widgits Corporation\", "    \
    "\"ManufacturerID\": \"EWCO\", \"ProductID\": \"Easy Widgit\", "                               \
    "\"SerialNumber\": \"ABC213450001\", \"BoardName\": \"" board "\", \"Version\": \"" version    \
    "\", \"UniqueTopicName\": \"" TOPIC "\"}"

#define JOB(message)                                                                               \
    "{\"Message\": \"" message "\", \"Manufacturer\": \"Express Widgits Corporation\", "           \
    "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "                                 \
    "\"SerialNumber\": \"ABC213450001\", \"Board\": \"CY8CPROTO_062_4343W\", "                     \
    "\"Version\": \"2.0.0\", \"Connection\": \"MQTT\", \"Broker\": \"\", \"Port\": \"1883\", "     \
    "\"UniqueTopicName\": \"" TOPIC "\"}"

#define REQUEST_UPDATE "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"" TOPIC "\"}"

static void expect_sent(const struct bench *bench, size_t index, const char *topic,
                        const char *text)
{
    assert_true(index < bench->sent_count);
    assert_string_equal(bench->sent[index].topic, topic);
    assert_string_equal((const char *)bench->sent[index].data, text);
}

static void job_document(void **state)
{
    struct bench *bench = *state;
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    assert_int_equal(bench->sent_count, 1);
    expect_sent(bench, 0, TOPIC, JOB("Update Available"));
    assert_string_equal(bench->lines, "available 1.0.0 " TOPIC "\noffered 2.0.0 " TOPIC "\n");
}

static void chunks(void **state)
{
    static const uint8_t headers[3][32] = {
        {0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0, 0,    0,    2, 0, 0, 0,
         0,    0,    0x10, 0x27, 0,    0,    0,    0,    0,    0, 0x00, 0x10, 3, 0, 0, 0},
        {0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0, 0,    0,    2, 0, 0, 0,
         0,    0,    0x10, 0x27, 0,    0,    0,    0x10, 0,    0, 0x00, 0x10, 3, 0, 1, 0},
        {0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0, 0,    0,    2, 0, 0, 0,
         0,    0,    0x10, 0x27, 0,    0,    0,    0x20, 0,    0, 0x10, 0x07, 3, 0, 2, 0},
    };
    static const size_t sizes[] = {4128, 4128, 1840};
    struct bench *bench = *state;
    say(bench, REQUEST_UPDATE);
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(bench->sent[i].topic, TOPIC);
        assert_int_equal(bench->sent[i].size, sizes[i]);
        assert_memory_equal(bench->sent[i].data, headers[i], 32);
        assert_memory_equal(bench->sent[i].data + 32, bench->image + i * 4096, sizes[i] - 32);
    }
    assert_string_equal(bench->lines, "request " TOPIC "\nchunk 0 0 4096\nchunk 1 4096 4096\n"
                                      "chunk 2 8192 1808\nsent " TOPIC "\n");
}

static void result_received(void **state)
{
    struct bench *bench = *state;
    say(bench, "{\"Message\":\"Success\", \"UniqueTopicName\": \"" TOPIC "\"}");
    say(bench, "{\"Message\":\"Failure\", \"UniqueTopicName\": \"" TOPIC "\"}");
    assert_int_equal(bench->sent_count, 2);
    expect_sent(bench, 0, TOPIC, JOB("Result Received"));
    expect_sent(bench, 1, TOPIC, JOB("Result Received"));
    assert_string_equal(bench->lines, "result success " TOPIC "\nresult failure " TOPIC "\n");
}

static void direct_update(void **state)
{
    struct bench *bench = *state;
    say(bench, "{\"Message\":\"Send Direct Update\"}");
    acknowledge(bench);
    assert_int_equal(bench->sent_count, 3);
    assert_string_equal(bench->sent[0].topic, "anycloud/CY8CPROTO_062_4343W/OTAImage");
}

static void no_update(void **state)
{
    static const char *const running[] = {
        AVAILABILITY("CY8CPROTO_062_4343W", "2.0.0"),
        AVAILABILITY("CY8CPROTO_062_4343W", "2.0.1"),
        AVAILABILITY("CY8CPROTO_062_4343W", "3"),
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < 3; i++) {
        say(bench, running[i]);
        assert_int_equal(bench->sent_count, 1);
        expect_sent(bench, 0, TOPIC, "{\"Message\": \"No Update Available\"}");
        forget(bench);
    }
    struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .board = "OTHER"};
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    expect_sent(bench, 0, TOPIC, ANYCLOUD_NO_UPDATE);
    forget(bench);
    offer.image = NULL;
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, AVAILABILITY("OTHER", "1.0.0"));
    say(bench, REQUEST_UPDATE);
    say(bench, "{\"Message\":\"Request Data Chunk\",\"Offset\":\"0\",\"Size\":\"1\","
               "\"UniqueTopicName\":\"" TOPIC "\"}");
    assert_int_equal(bench->sent_count, 3);
    for (size_t i = 0; i < 3; i++)
        expect_sent(bench, i, TOPIC, ANYCLOUD_NO_UPDATE);
}

/* ---- chunk requests ---------------------------------------------------------------------- */

static void chunk_requests(void **state)
{
    static const struct {
        const char *fields;
        uint32_t offset, size, total, index; /* size 0: refused */
    } rows[] = {
        {"\"Offset\":\"0\",\"Size\":\"4096\"", 0, 4096, 3, 0},
        {"\"Offset\":\"4096\",\"Size\":\"4096\"", 4096, 4096, 3, 1},
        {"\"Offset\":8192,\"Size\":4096", 8192, 1808, 3, 2},
        {"\"Offset\":\"8192\",\"Size\":\"-1\"", 8192, 1808, 3, 2},
        {"\"Offset\":0,\"Size\":-1", 0, 10000, 3, 0},
        {"\"Offset\":\"100\",\"Size\":\"4096\"", 100, 4096, 3, 0},
        {"\"Offset\":\"0\",\"Size\":\"100000\"", 0, 10000, 1, 0},
        {"\"Offset\":\"9999\",\"Size\":\"1\"", 9999, 1, 10000, 9999},
        {"\"Offset\":\"10000\",\"Size\":\"4096\"", 0, 0, 0, 0},
        {"\"Offset\":\"4294967295\",\"Size\":\"4096\"", 0, 0, 0, 0},
        {"\"Offset\":\"-1\",\"Size\":\"4096\"", 0, 0, 0, 0},
        {"\"Offset\":\"0\",\"Size\":\"0\"", 0, 0, 0, 0},
        {"\"Offset\":\"0\",\"Size\":\"-2\"", 0, 0, 0, 0},
        {"\"Offset\":\"0\"", 0, 0, 0, 0},
        {"\"Size\":\"4096\"", 0, 0, 0, 0},
        {"\"Offset\":\"0x10\",\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":\"\",\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":1.5,\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":1e300,\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":\"99999999999999999999\",\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":null,\"Size\":\"1\"", 0, 0, 0, 0},
        {"\"Offset\":[0],\"Size\":\"1\"", 0, 0, 0, 0},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "{\"Message\":\"Request Data Chunk\",%s,\"UniqueTopicName\":\"" TOPIC "\"}",
                 rows[i].fields);
        forget(bench);
        say(bench, text);
        if (rows[i].size == 0) {
            assert_int_equal(bench->sent_count, 0);
            if (strncmp(bench->lines, "bad ", 4) != 0)
                fail_msg("%s: %s", rows[i].fields, bench->lines);
            continue;
        }
        assert_int_equal(bench->sent_count, 1);
        const uint8_t *data = bench->sent[0].data;
        if (bench->sent[0].size != 32 + rows[i].size)
            fail_msg("%s: %zu bytes", rows[i].fields, bench->sent[0].size);
        assert_int_equal(data[22] | data[23] << 8 | data[24] << 16, rows[i].offset);
        assert_int_equal(data[26] | data[27] << 8, rows[i].size);
        assert_int_equal(data[28] | data[29] << 8, rows[i].total);
        assert_int_equal(data[30] | data[31] << 8, rows[i].index);
        assert_memory_equal(data + 32, bench->image + rows[i].offset, rows[i].size);
    }
}

static void rest_is_what_fits(void **state)
{
    struct bench *bench = *state;
    uint8_t *large = calloc(1, 100000);
    assert_non_null(large);
    const struct anycloud_offer offer = {
        .image = large, .size = 100000, .version = {2, 0, 0, 0}, .chunk_size = 4096};
    anycloud_cloud_offer(bench->cloud, &offer);
    say(bench, "{\"Message\":\"Request Data Chunk\",\"Offset\":\"0\",\"Size\":\"-1\","
               "\"UniqueTopicName\":\"" TOPIC "\"}");
    assert_int_equal(bench->sent_count, 1);
    assert_int_equal(bench->sent[0].size, 32 + 65535);
    forget(bench);
    say(bench, "{\"Message\":\"Request Data Chunk\",\"Offset\":\"0\",\"Size\":\"1\","
               "\"UniqueTopicName\":\"" TOPIC "\"}"); /* 100,000 chunks: not countable */
    assert_int_equal(bench->sent_count, 0);
    assert_int_equal(strncmp(bench->lines, "bad ", 4), 0);
    free(large);
}

/* ---- what would kill the original -------------------------------------------------------- */

static void survives(void **state)
{
    static const struct {
        const char *text;
        size_t length; /* 0: to the NUL */
    } rows[] = {
        {"{\"Message\":\"Update Availability\"", 0}, /* broken JSON */
        {"\xff\xfe\x00", 3},
        {"{\"Message\":\"Success\",\"UniqueTopicName\":\"a\xff\"}", 0},
        {"{\"Message\":\"Success\",\"UniqueTopicName\":\"a\xed\xa0\x80\"}", 0},
        {"{\"Message\":\"Success\",\"UniqueTopicName\":\"a\xc0\x80\"}", 0},
        {"{\"UniqueTopicName\":\"a\"}", 0},
        {"{\"Message\":\"Success\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a/#\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a/+/b\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a\\nb\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"$SYS/x\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a\\u0085\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a\\uFFFF\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"a\\uFDD0\"}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":7}", 0},
        {"{\"Message\":\"Request Update\",\"UniqueTopicName\":\"" NOTIFY "\"}", 0},
        {"{\"Message\":7,\"UniqueTopicName\":\"a\"}", 0},
        {"{\"Message\":\"Update Available\",\"UniqueTopicName\":\"a\"}", 0},
        {"{\"Message\":\"Update Availability\",\"Version\":\"abc\",\"UniqueTopicName\":\"a\"}", 0},
        {"{\"Message\":\"Update Availability\",\"Version\":\"1.256.0\",\"UniqueTopicName\":\"a\"}",
         0},
        {"[]", 0},
        {"\"Success\"", 0},
        {"null", 0},
        {"{}", 0},
    };
    struct bench *bench = *state;
    say_bytes(bench, "", 0);
    assert_string_equal(bench->lines, "bad empty message\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = rows[i].length != 0 ? rows[i].length : strlen(rows[i].text);
        forget(bench);
        say_bytes(bench, rows[i].text, length);
        if (strncmp(bench->lines, "bad ", 4) != 0 || bench->sent_count != 0)
            fail_msg("row %zu '%s': %s", i, rows[i].text, bench->lines);
    }
    char *deep = malloc(20000);
    assert_non_null(deep);
    memset(deep, '[', 20000);
    say_bytes(bench, deep, 4000);
    say_bytes(bench, deep, 20000);
    free(deep);
    forget(bench);
    job_document(state); /* and it still works */
}

static void long_topics(void **state)
{
    struct bench *bench = *state;
    char topic[300];
    char text[500];
    memset(topic, 'a', sizeof topic);
    topic[256] = '\0';
    snprintf(text, sizeof text, "{\"Message\":\"Success\",\"UniqueTopicName\":\"%s\"}", topic);
    say(bench, text);
    assert_int_equal(bench->sent_count, 1);
    forget(bench);
    topic[256] = 'a';
    topic[257] = '\0';
    snprintf(text, sizeof text, "{\"Message\":\"Success\",\"UniqueTopicName\":\"%s\"}", topic);
    say(bench, text);
    assert_int_equal(bench->sent_count, 0);
    forget(bench);
    say(bench, "{\"Message\":\"Success\",\"UniqueTopicName\":\"a\\\"b\\\\c\"}");
    assert_non_null(strstr((char *)bench->sent[0].data, "\"UniqueTopicName\": \"a\\\"b\\\\c\"}"));
}

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
        CASE(job_document),
        CASE(chunks),
        CASE(result_received),
        CASE(direct_update),
        CASE(no_update),
        CASE(chunk_requests),
        CASE(rest_is_what_fits),
        CASE(survives),
        CASE(long_topics),
        CASE(window_is_bounded),
        CASE(newer_request_replaces),
        CASE(sessions_are_apart),
        CASE(lost_connection),
        CASE(publish_fails),
        CASE(chunk_faults),
        CASE(patched_chunk),
        CASE(job_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

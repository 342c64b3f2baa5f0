#include "harness/peers/anycloud_cloud_rig.h"

/* ---- the interface, byte by byte --------------------------------------------------------- */

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

static void what_is_remembered_is_recalled(void **state)
{
    struct bench *bench = *state;
    struct anycloud_memory memory;
    struct anycloud_memory again;
    anycloud_cloud_memory(bench->cloud, &memory);
    assert_int_equal(memory.topics[0].topic[0], '\0');
    say(bench, AVAILABILITY("CY8CPROTO_062_4343W", "1.0.0"));
    say(bench, "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"a/topic/before\"}");
    anycloud_cloud_memory(bench->cloud, &memory);
    assert_string_equal(memory.topics[0].topic, "a/topic/before");
    assert_false(memory.topics[0].offered);
    assert_string_equal(memory.topics[1].topic, TOPIC);
    assert_true(memory.topics[1].offered);
    assert_int_equal(memory.topics[1].version.major, 2);
    assert_int_equal(memory.topics[2].topic[0], '\0');
    const struct anycloud_memory none = {0};
    anycloud_cloud_recall(bench->cloud, &none);
    anycloud_cloud_memory(bench->cloud, &again);
    assert_memory_equal(&again, &none, sizeof none);
    anycloud_cloud_recall(bench->cloud, &memory);
    anycloud_cloud_memory(bench->cloud, &again);
    assert_memory_equal(&again, &memory, sizeof memory);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(job_document),    CASE(chunks),
        CASE(result_received), CASE(what_is_remembered_is_recalled),
        CASE(direct_update),   CASE(no_update),
        CASE(chunk_requests),  CASE(rest_is_what_fits),
        CASE(survives),        CASE(long_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

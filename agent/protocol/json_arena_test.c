#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/protocol/json_arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads exactly these bytes: the sanitizers watch both ends. */
static int read_bytes(const char *text, size_t length)
{
    cJSON *root;
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, text, length);
    int error = json_read(copy, length, JSON_DEPTH_FLAT, &root);
    if (error == 0)
        json_release();
    else
        assert_null(root);
    free(copy);
    return error;
}

static int read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void one_object_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(read_text("{}"), 0);
    assert_int_equal(read_text(" \r\n\t{\"a\": [1, {\"b\": [2]}]}\r\n "), 0);
    assert_int_equal(read_text(""), OTA_E_JSON);
    assert_int_equal(read_text("[]"), OTA_E_JSON);
    assert_int_equal(read_text("\"text\""), OTA_E_JSON);
    assert_int_equal(read_text("{} {}"), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": 1"), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": 1}}"), OTA_E_JSON);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char deep[1000];
    assert_int_equal(read_text("{\"a\": [[[1]]]}"), 0);
    assert_int_equal(read_text("{\"a\": [[[[1]]]]}"), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": \"[[[[[[[[{{{{{{{\"}"), 0);
    assert_int_equal(read_text("{\"a\": \"\\\"[[[[[[[[\"}"), 0);
    memset(deep, '[', sizeof deep);
    assert_int_equal(read_bytes(deep, sizeof deep), OTA_E_JSON);
}

static void a_hidden_end_of_text_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_bytes("{\"a\": \"x\0y\"}", 12), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": \"x\\u0000y\"}"), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": \"x\\\\u0000y\"}"), 0); /* a backslash, then text */
    assert_int_equal(read_text("{\"a\": \"x\\u00"), OTA_E_JSON);
    assert_int_equal(read_text("{\"a\": \"x\\"), OTA_E_JSON);
}

/* RSRC-01: more than there is room for is refused, and the next document is read. */
static void the_arena_ends_and_starts_anew(void **state)
{
    (void)state;
    char text[1024] = "{\"a\": [0";
    while (strlen(text) < 1000)
        strcat(text, ",0");
    strcat(text, "]}");
    assert_int_equal(read_text(text), OTA_E_NO_SPACE);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(read_text("{\"a\": \"b\", \"c\": [1, 2, 3]}"), 0);
}

/* A job document with as many unknown members again is read. */
static void there_is_room_for_a_job_and_more(void **state)
{
    (void)state;
    char text[2048] = "{";
    for (int i = 0; i < 40; i++)
        sprintf(text + strlen(text), "\"name %d\": \"value %d\", ", i, i);
    strcat(text, "\"end\": 0}");
    assert_int_equal(read_text(text), 0);
}

/* The world's own allocator is back when a document is released, and after a refusal. */
static void others_may_use_json_in_between(void **state)
{
    (void)state;
    cJSON *root;
    const uint8_t text[] = "{\"a\": 1}";
    assert_int_equal(json_read(text, sizeof text - 1, JSON_DEPTH_FLAT, &root), 0);
    json_release();
    cJSON *mine = cJSON_CreateString("mine");
    assert_int_equal(read_text("{"), OTA_E_JSON);
    assert_int_equal(read_text("{\"b\": [1, 2, 3, 4, 5, 6, 7, 8]}"), 0);
    assert_string_equal(mine->valuestring, "mine");
    cJSON_Delete(mine);
}

static void what_is_written_is_escaped(void **state)
{
    (void)state;
    char out[128];
    struct json_writer writer;
    json_begin(&writer, out, sizeof out, "Message", "a\"b\\c\n\x01");
    json_member(&writer, "Empty", NULL);
    json_member_number(&writer, "Number", 4294967295u);
    int length = json_end(&writer);
    assert_string_equal(out, "{\"Message\":\"a\\\"b\\\\c\\u000a\\u0001\", \"Empty\": \"\", "
                             "\"Number\": \"4294967295\"}");
    assert_int_equal(length, strlen(out));
    assert_int_equal(read_text(out), 0);
}

/* RSRC-05: one byte too little, and far too little, for any document. */
static void an_overflow_is_told_and_not_written(void **state)
{
    (void)state;
    static const char whole[] = "{\"a\":\"b\\u0001\", \"c\": \"d\"}";
    for (size_t size = 1; size <= sizeof whole; size++) {
        char *out = malloc(size);
        struct json_writer writer;
        json_begin(&writer, out, size, "a", "b\x01");
        json_member(&writer, "c", "d");
        int length = json_end(&writer);
        assert_int_equal(length, size == sizeof whole ? (int)size - 1 : OTA_E_NO_SPACE);
        assert_true(strlen(out) < size);
        free(out);
    }
}

static void decimals(void **state)
{
    (void)state;
    char digits[11];
    assert_int_equal(json_decimal(digits, 0), 1);
    assert_string_equal(digits, "0");
    assert_int_equal(json_decimal(digits, UINT32_MAX), 10);
    assert_string_equal(digits, "4294967295");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object_and_nothing_else),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_hidden_end_of_text_is_refused),
        cmocka_unit_test(the_arena_ends_and_starts_anew),
        cmocka_unit_test(there_is_room_for_a_job_and_more),
        cmocka_unit_test(others_may_use_json_in_between),
        cmocka_unit_test(what_is_written_is_escaped),
        cmocka_unit_test(an_overflow_is_told_and_not_written),
        cmocka_unit_test(decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "sim/app_tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEADER 32u
#define SIZE   8192u

static uint8_t slot_bytes[SIZE];

static int slot_read(void *context, uint32_t address, void *data, uint32_t length)
{
    (void)context;
    assert_true(address <= SIZE && length <= SIZE - address);
    memcpy(data, slot_bytes + address, length);
    return OTA_OK;
}

static const struct flash_port port = {.read = slot_read};
static const struct flash_area slot = {&port, 0, SIZE};

/* What is read when the only tag lies at `at` of a payload of `payload` bytes. */
static enum app_behaviour read_at(enum app_behaviour behaviour, uint32_t at, uint32_t payload)
{
    struct img_header header = {.hdr_size = HEADER, .img_size = payload};

    memset(slot_bytes, 0x5A, sizeof slot_bytes);
    app_tag_write(behaviour, slot_bytes + HEADER + at);
    return app_tag_read(&slot, &header);
}

static void test_words(void **state)
{
    (void)state;
    for (enum app_behaviour b = APP_GOOD; b < APP_BEHAVIOURS; b++) {
        assert_int_equal(app_behaviour_from_word(app_behaviour_word(b)), b);
    }
    assert_string_equal(app_behaviour_word(APP_FORGETS), "forgets");
    assert_int_equal(app_behaviour_from_word(""), APP_BEHAVIOURS);
    assert_int_equal(app_behaviour_from_word("Good"), APP_BEHAVIOURS);
}

static void test_bytes(void **state)
{
    static const uint8_t expected[APP_TAG_SIZE] = "nobrick-app-tag\0hangs";
    uint8_t tag[APP_TAG_SIZE];

    (void)state;
    app_tag_write(APP_HANGS, tag);
    assert_memory_equal(tag, expected, sizeof expected);
}

static void test_found_anywhere(void **state)
{
    (void)state;
    for (uint32_t at = 0; at + APP_TAG_SIZE <= 4096; at += 16) {
        assert_int_equal(read_at(APP_CRASHES, at, 8000), APP_CRASHES);
    }
    assert_int_equal(read_at(APP_CRASHES, 0, APP_TAG_SIZE), APP_CRASHES);
}

static void test_not_found(void **state)
{
    (void)state;
    assert_int_equal(read_at(APP_CRASHES, 4096, 8000), APP_GOOD);
    assert_int_equal(read_at(APP_CRASHES, 8, 8000), APP_GOOD);
    assert_int_equal(read_at(APP_CRASHES, 64, 64 + APP_TAG_SIZE - 1), APP_GOOD);
    assert_int_equal(read_at(APP_CRASHES, 0, 0), APP_GOOD);
}

static void test_unknown_word_is_no_tag(void **state)
{
    struct img_header header = {.hdr_size = HEADER, .img_size = 4096};

    (void)state;
    memset(slot_bytes, 0xFF, sizeof slot_bytes);
    app_tag_write(APP_HANGS, slot_bytes + HEADER + 512);
    memset(slot_bytes + HEADER + 512 + 16, 'x', 16);
    assert_int_equal(app_tag_read(&slot, &header), APP_GOOD);
    app_tag_write(APP_OFFLINE, slot_bytes + HEADER + 1024);
    assert_int_equal(app_tag_read(&slot, &header), APP_OFFLINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_found_anywhere),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_unknown_word_is_no_tag),
    };
    return cmocka_run_group_tests_name("sim/app_tag", tests, NULL, NULL);
}

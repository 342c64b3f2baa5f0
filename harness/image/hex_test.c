/* Intel HEX: there and back, and what is wrong with a file is said with its line. */
#include "harness/image/hex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define END ":00000001FF\n"

static int add(struct nb_hex *hex, const char *text, const char *from, char reason[160])
{
    reason[0] = '\0';
    return nb_hex_add(hex, text, strlen(text), from, reason, 160);
}

/* The example of the format's own description: 16 bytes at 0x0100. */
static void known_file_is_read(void **state)
{
    struct nb_hex hex = {0};
    char reason[160];
    uint8_t bytes[18];
    (void)state;
    assert_int_equal(add(&hex,
                         ":020000041000EA\r\n:10010000214601360121470136007EFE09D2190140\r\n" END,
                         "a.hex", reason),
                     0);
    assert_int_equal(hex.count, 1);
    assert_int_equal(hex.pieces[0].address, 0x10000100);
    assert_int_equal(hex.pieces[0].size, 16);
    assert_int_equal(nb_hex_fill(&hex, 0x100000FF, 18, bytes), 0);
    assert_memory_equal(
        bytes, "\xFF\x21\x46\x01\x36\x01\x21\x47\x01\x36\x00\x7E\xFE\x09\xD2\x19\x01\xFF", 18);
    assert_int_equal(nb_hex_fill(&hex, 0x10000100, 8, bytes), 1);
    nb_hex_free(&hex);
}

static void bytes_come_back_over_every_boundary(void **state)
{
    static uint8_t data[70000];
    static uint8_t back[sizeof data];
    struct nb_hex hex = {0};
    struct nb_hex again = {0};
    char reason[160];
    char *text = NULL;
    size_t length = 0;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 13u);
    assert_int_equal(nb_hex_add_bytes(&hex, 0x1001FFF9, data, sizeof data, "b", reason, 160), 0);
    assert_int_equal(nb_hex_add_bytes(&hex, 0x1FC03FC0, data, 4, "b", reason, 160), 0);
    assert_int_equal(nb_hex_print(&hex, &text, &length), 0);
    assert_int_equal(nb_hex_add(&again, text, length, "c", reason, 160), 0);
    assert_int_equal(again.count, 2);
    assert_int_equal(nb_hex_fill(&again, 0x1001FFF9, sizeof back, back), 1);
    assert_memory_equal(back, data, sizeof data);
    assert_int_equal(again.pieces[1].address, 0x1FC03FC0);
    assert_int_equal(again.pieces[1].size, 4);
    free(text);
    nb_hex_free(&hex);
    nb_hex_free(&again);
}

static void overlap_is_refused_by_name(void **state)
{
    struct nb_hex hex = {0};
    char reason[160];
    (void)state;
    assert_int_equal(add(&hex, ":04002000AABBCCDDCE\n" END, "loader.hex", reason), 0);
    assert_int_equal(add(&hex,
                         ":0400230011223344"
                         "2F\n" END,
                         "app.hex", reason),
                     OTA_E_ARGUMENT);
    assert_string_equal(reason, "app.hex: 0x00000023 to 0x00000026 overlaps loader.hex: 0x00000020 "
                                "to 0x00000023");
    assert_int_equal(add(&hex,
                         ":04001D0011223344"
                         "35\n" END,
                         "app.hex", reason),
                     OTA_E_ARGUMENT);
    assert_int_equal(add(&hex, ":04001C001122334436\n" END, "app.hex", reason), 0);
    assert_int_equal(add(&hex, ":040100001122334451\n:0101030055A6\n" END, "twice.hex", reason),
                     OTA_E_ARGUMENT);
    assert_string_equal(reason, "twice.hex: 0x00000103 to 0x00000103 overlaps twice.hex: "
                                "0x00000100 to 0x00000103");
    assert_int_equal(hex.count, 2);
    nb_hex_free(&hex);
}

static void wrong_lines_are_named(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } bad[] = {
        {"", "x:0: the record that ends the file is missing"},
        {":04002000AABBCCDDCE\n", "x:1: the record that ends the file is missing"},
        {":04002000AABBCCDDCF\n" END, "x:1: the checksum is wrong"},
        {"04002000AABBCCDDCE\n" END, "x:1: expected ':' and pairs of hexadecimal digits"},
        {":04002000AABBCCDGCE\n" END, "x:1: expected ':' and pairs of hexadecimal digits"},
        {"\n:05002000AABBCCDDCD\n" END, "x:2: the line is shorter or longer than it says"},
        {":04FFFE00AABBCCDDF1\n" END, "x:1: the record runs over a 64 KiB boundary"},
        {":0000000AF6\n" END, "x:1: the type of the record is none of 00 to 05"},
        {":0100000400FB\n" END, "x:1: an upper address has two bytes"},
        {END ":04002000AABBCCDDCE\n", "x:2: something follows the end of the file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct nb_hex hex = {0};
        char reason[160];
        assert_int_equal(add(&hex, bad[i].text, "x", reason), OTA_E_ARGUMENT);
        assert_string_equal(reason, bad[i].reason);
        nb_hex_free(&hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_file_is_read),
        cmocka_unit_test(bytes_come_back_over_every_boundary),
        cmocka_unit_test(overlap_is_refused_by_name),
        cmocka_unit_test(wrong_lines_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

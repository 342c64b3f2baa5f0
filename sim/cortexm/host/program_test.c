#include "sim/cortexm/host/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void put(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Two builds of a program of three words: a constant, an address in it, an address elsewhere. */
static void make(uint8_t a[12], uint8_t b[12])
{
    put(a, 0x12345678);
    put(b, 0x12345678);
    put(a + 4, CORTEXM_LINKED_A + 0x101);
    put(b + 4, CORTEXM_LINKED_B + 0x101);
    put(a + 8, 0x00080001);
    put(b + 8, 0x00080001);
}

static void moves_addresses(void **state)
{
    uint8_t a[12];
    uint8_t b[12];
    uint8_t moved[12];
    uint8_t expected[12];
    (void)state;
    make(a, b);
    make(expected, expected);
    put(expected + 4, 0x21018400 + 0x101);
    assert_int_equal(cortexm_program_move(a, b, sizeof a, 0x21018400, moved), OTA_OK);
    assert_memory_equal(moved, expected, sizeof moved);
    /* Below where it was linked, in place. */
    put(expected + 4, 0x21000000 + 0x101);
    assert_int_equal(cortexm_program_move(a, b, sizeof a, 0x21000000, a), OTA_OK);
    assert_memory_equal(a, expected, sizeof a);
}

static void refuses_two_programs(void **state)
{
    uint8_t a[12];
    uint8_t b[12];
    uint8_t moved[12];
    (void)state;
    make(a, b);
    assert_int_equal(cortexm_program_move(a, b, sizeof a, 0x21000004, moved), OTA_E_ARGUMENT);
    assert_int_equal(cortexm_program_move(a, b, 10, 0x21000000, moved), OTA_E_ARGUMENT);
    b[8] ^= 1;
    assert_int_equal(cortexm_program_move(a, b, sizeof a, 0x21000000, moved), OTA_E_ARGUMENT);
}

static void names_what_is_missing(void **state)
{
    uint8_t *program;
    size_t size;
    (void)state;
    assert_int_equal(cortexm_program_load("/nonexistent", 0x8020, &program, &size), OTA_E_IO);
    assert_null(program);
}

static void copies_the_entry(void **state)
{
    char dir[] = "/tmp/nobrick-entry-XXXXXX";
    char flash[64];
    char entry[64];
    uint8_t words[9] = {0};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(flash, sizeof flash, "%s/flash", dir);
    snprintf(entry, sizeof entry, "%s/entry", dir);
    FILE *file = fopen(flash, "w");
    assert_non_null(file);
    assert_true(fputs("headstackgo!rest", file) >= 0);
    fclose(file);
    assert_int_equal(cortexm_program_entry(flash, 4, entry), OTA_OK);
    file = fopen(entry, "r");
    assert_non_null(file);
    assert_int_equal(fread(words, 1, sizeof words, file), 8);
    fclose(file);
    assert_memory_equal(words, "stackgo!", 8);
    assert_int_equal(cortexm_program_entry(flash, 9, entry), OTA_E_IO);
    assert_int_equal(cortexm_program_entry("/nonexistent/flash", 0, entry), OTA_E_IO);
    unlink(flash);
    unlink(entry);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_addresses),
        cmocka_unit_test(refuses_two_programs),
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(copies_the_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

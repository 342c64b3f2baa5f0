#include "sim/virtual/choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void options_below_two_are_no_choice(void **state)
{
    struct choice choice;
    (void)state;
    choice_init(&choice);
    choice_seed(&choice, 1);
    assert_int_equal(choose(&choice, 0), 0);
    assert_int_equal(choose(&choice, 1), 0);
    assert_int_equal(choice.count, 0);
    choice_free(&choice);
}

/* A history whose second choice depends on its first. */
static void tell(struct choice *choice, char *out)
{
    uint32_t first = choose(choice, 3);
    *out++ = (char)('0' + first);
    if (first == 1)
        *out++ = (char)('0' + choose(choice, 2));
    *out++ = (char)('a' + choose(choice, 2));
    *out = '\0';
}

static void every_list_in_depth_first_order(void **state)
{
    static const char *const expected[] = {"0a", "0b", "10a", "10b", "11a", "11b", "2a", "2b"};
    const size_t all = sizeof expected / sizeof expected[0];
    struct choice choice;
    char told[8];
    size_t count = 0;
    (void)state;
    choice_init(&choice);
    do {
        tell(&choice, told);
        assert_true(count < all);
        assert_string_equal(told, expected[count]);
        count++;
    } while (choice_next(&choice));
    assert_int_equal(count, all);
    assert_false(choice.strayed || choice.failed);
    tell(&choice, told); /* from the beginning again */
    assert_string_equal(told, "0a");
    choice_free(&choice);
}

/* These numbers are part of every replay id: they must never change. */
static void a_seed_is_the_same_everywhere(void **state)
{
    static const uint32_t of_seed_1[] = {465, 519, 590, 235, 761, 48, 45, 533};
    static const uint32_t of_seed_max[] = {0, 1, 0, 6};
    static const uint8_t bytes_of_seed_1[] = {0x21, 0xa8, 0xf4, 0x39, 0x90, 0x3e,
                                              0x20, 0xf3, 0xe9, 0xf9, 0xdc, 0x15};
    struct choice choice;
    uint8_t bytes[12];
    (void)state;
    choice_init(&choice);
    choice_seed(&choice, 1);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(choose(&choice, 1000), of_seed_1[i]);
    choice_bytes(&choice, bytes, sizeof bytes);
    assert_memory_equal(bytes, bytes_of_seed_1, sizeof bytes);
    choice_seed(&choice, UINT64_MAX);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(choose(&choice, 7), of_seed_max[i]);
    choice_free(&choice);
}

static void a_rewound_seed_repeats_itself(void **state)
{
    struct choice choice;
    uint32_t first[40];
    uint8_t bytes[2][9];
    (void)state;
    choice_init(&choice);
    choice_seed(&choice, 77);
    for (size_t i = 0; i < 40; i++)
        first[i] = choose(&choice, 10 + (uint32_t)i);
    choice_bytes(&choice, bytes[0], sizeof bytes[0]);
    choice_seed(&choice, 77);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(choose(&choice, 10 + (uint32_t)i), first[i]);
    choice_rewind(&choice); /* with half of the choices made: the other half is the same, too */
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(choose(&choice, 10 + (uint32_t)i), first[i]);
    choice_bytes(&choice, bytes[1], sizeof bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    assert_false(choice.strayed);
    choice_free(&choice);
}

static void a_plan_is_followed_then_the_first_option(void **state)
{
    static const struct choice_made made[] = {{3, 2}, {5, 4}};
    static const struct choice_made wrong[] = {{3, 2}, {5, 5}};
    struct choice choice;
    (void)state;
    choice_init(&choice);
    choice_seed(&choice, 5);
    assert_int_equal(choice_plan(&choice, made, 2), OTA_OK);
    assert_int_equal(choose(&choice, 3), 2);
    assert_int_equal(choose(&choice, 5), 4);
    for (int i = 0; i < 100; i++) /* the log grows */
        assert_int_equal(choose(&choice, 9), 0);
    assert_int_equal(choice.count, 102);
    assert_false(choice.strayed);
    assert_int_equal(choice_plan(&choice, wrong, 2), OTA_E_ARGUMENT);
    assert_int_equal(choice_plan(&choice, NULL, 0), OTA_OK);
    assert_int_equal(choose(&choice, 3), 0);
    choice_free(&choice);
}

static void a_plan_that_does_not_fit_is_given_up(void **state)
{
    static const struct choice_made made[] = {{3, 2}, {5, 4}, {3, 1}};
    struct choice choice;
    (void)state;
    choice_init(&choice);
    assert_int_equal(choice_plan(&choice, made, 3), OTA_OK);
    assert_int_equal(choose(&choice, 3), 2);
    assert_int_equal(choose(&choice, 4), 0); /* planned for five */
    assert_true(choice.strayed);
    assert_int_equal(choose(&choice, 3), 0);
    assert_int_equal(choice.count, 3);
    assert_int_equal(choice.log[1].options, 4);
    assert_int_equal(choice_plan(&choice, made, 3), OTA_OK);
    assert_false(choice.strayed);
    choice_free(&choice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_below_two_are_no_choice),
        cmocka_unit_test(every_list_in_depth_first_order),
        cmocka_unit_test(a_seed_is_the_same_everywhere),
        cmocka_unit_test(a_rewound_seed_repeats_itself),
        cmocka_unit_test(a_plan_is_followed_then_the_first_option),
        cmocka_unit_test(a_plan_that_does_not_fit_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

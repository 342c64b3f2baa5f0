/* Chains of runs as replay ids name them: what is printed is what is parsed, and nothing else is.
 */
#include "harness/prove/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_words(void **state)
{
    static const struct {
        struct nb_cut cut;
        const char *text;
    } rows[] = {
        {{.action = NB_ACTION_BOOT}, "boot"},
        {{.op = 9, .action = NB_ACTION_BOOT}, "boot"}, /* a whole run has no operation */
        {{.action = NB_ACTION_PENDING}, "pending"},
        {{.action = NB_ACTION_CONFIRM}, "confirm"},
        {{.op = 37, .tear = FLASH_TEAR_HALF}, "37.half"},
        {{.op = 37, .fails = true}, "37.fail"},
        {{.op = 0, .tear = FLASH_TEAR_FIRST, .action = NB_ACTION_CONFIRM}, "confirm@0.first"},
        {{.op = 2, .tear = FLASH_TEAR_AFTER, .action = NB_ACTION_PENDING}, "pending@2.after"},
        {{.op = UINT32_MAX, .tear = FLASH_TEAR_TAIL128}, "4294967295.tail128"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[NB_CUT_TEXT];
        nb_cut_print(&rows[i].cut, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (int action = NB_ACTION_BOOT; action <= NB_ACTION_CONFIRM; action++)
        for (int tear = FLASH_TEAR_NONE; tear < FLASH_TEAR_COUNT; tear++) {
            const struct nb_cut cut = {.op = tear == FLASH_TEAR_NONE ? 0 : 4711,
                                       .tear = (enum flash_tear)tear,
                                       .action = (enum nb_action)action};
            struct nb_cut back;
            char text[NB_CUT_TEXT];
            nb_cut_print(&cut, text);
            assert_true(nb_cut_parse(text, &back));
            assert_int_equal(back.op, cut.op);
            assert_int_equal(back.tear, cut.tear);
            assert_int_equal(back.action, cut.action);
            assert_false(back.fails);
        }
    struct nb_cut fails;
    assert_true(nb_cut_parse("5.fail", &fails));
    assert_true(fails.fails);
    assert_int_equal(fails.op, 5);
    assert_int_equal(fails.tear, FLASH_TEAR_NONE);
}

static void test_not_a_cut(void **state)
{
    static const char *const texts[] = {
        "",
        "37",
        ".half",
        "37.",
        "37.none",
        "37.halves",
        "37 .half",
        "-1.half",
        "+1.half",
        " 1.half",
        "0x10.half",
        "boot@3.half",
        "boot3.half",
        "pending3.half",
        "pending@",
        "confirm@.first",
        "confirm@0.fail",
        "confirm@x.first",
        "boots",
        "reboot",
        "4294967296.half",
        "99999999999999999999999.half",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct nb_cut cut;
        if (nb_cut_parse(texts[i], &cut))
            fail_msg("'%s' passes for a cut", texts[i]);
    }
}

static void test_chains(void **state)
{
    static const struct nb_cut cuts[] = {
        {.op = 302, .tear = FLASH_TEAR_FIRST_ODD},
        {.op = 5, .tear = FLASH_TEAR_TAIL48},
        {.action = NB_ACTION_BOOT},
    };
    char text[80];
    (void)state;
    nb_chain_print(cuts, 3, text, sizeof text);
    assert_string_equal(text, "302.first-odd+5.tail48+boot");
    nb_chain_print(cuts, 1, text, sizeof text);
    assert_string_equal(text, "302.first-odd");
    nb_chain_print(cuts, 0, text, sizeof text);
    assert_string_equal(text, "");
}

/* A list that does not fit is cut off where the room ends, and nothing behind it is touched. */
static void test_chain_that_does_not_fit(void **state)
{
    static const struct nb_cut cuts[NB_CUTS] = {{.op = 1000, .tear = FLASH_TEAR_HALF}};
    char text[16];
    (void)state;
    memset(text, '#', sizeof text);
    nb_chain_print(cuts, NB_CUTS, text, 12);
    assert_string_equal(text, "1000.half+b");
    assert_memory_equal(text + 12, "####", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_not_a_cut),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_chain_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "sim/cortexm/host/plugin/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_WORDS 8

static char parts[512];

/* The arguments in `text`, between commas, after parts=DIR. */
static int parse(const char *text, struct plugin_options *options, char *why, size_t size)
{
    static char copy[512];
    char *words[MAX_WORDS] = {parts};
    int count = 1;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, ","); word != NULL; word = strtok(NULL, ",")) {
        assert_true(count < MAX_WORDS);
        words[count++] = word;
    }
    return plugin_options_parse(options, count, words, why, size);
}

static void test_everything(void **state)
{
    struct plugin_options options;
    char why[400] = "";
    (void)state;
    int result = parse("flash=f,part=stm32l4,part=w25q128:0x100000,base=0x20000000,fixed=0:0x8000,"
                       "doorbell=0x203FFFF8,cut=op:7:first-odd",
                       &options, why, sizeof why);
    assert_string_equal(why, "");
    assert_int_equal(result, 0);
    assert_int_equal(options.chip_count, 2);
    assert_int_equal(options.chips[1].start, 0x100000);
    assert_int_equal(options.chips[1].part.size, 0x100000);
    assert_int_equal(options.base, 0x20000000);
    assert_int_equal(options.fixed_count, 1);
    assert_int_equal(options.fixed[0].address, 0);
    assert_int_equal(options.fixed[0].size, 0x8000);
    assert_true(options.has_doorbell);
    assert_int_equal(options.doorbell, 0x203FFFF8);
    assert_int_equal(options.cut, PLUGIN_CUT_OPERATION);
    assert_int_equal(options.cut_number, 7);
    assert_int_equal(options.cut_tear, FLASH_TEAR_FIRST_ODD);
    assert_int_equal(
        parse("flash=f,part=stm32l4,first=12,cut=store:9,journal=j,events=e,marks=0xFFF000",
              &options, why, sizeof why),
        0);
    assert_int_equal(options.base, PLUGIN_WINDOW_BASE);
    assert_int_equal(options.first, 12);
    assert_int_equal(options.marks, 0xFFF000);
    assert_int_equal(options.cut, PLUGIN_CUT_STORE);
    assert_int_equal(options.cut_number, 9);
    assert_false(options.fails);
    assert_int_equal(parse("flash=f,part=stm32l4,doorbell=4,marks=0xFFF000,fail=3:partial",
                           &options, why, sizeof why),
                     0);
    assert_true(options.fails);
    assert_int_equal(options.fail_number, 3);
    assert_int_equal(options.failure, FLASH_FAIL_PARTIAL);
}

static void test_texts(void **state)
{
    struct plugin_options options;
    char why[400] = "";
    (void)state;
    assert_int_equal(parse("flash=f,part=stm32l4,journal=j,events=e", &options, why, sizeof why),
                     0);
    assert_string_equal(options.journal, "j");
    assert_string_equal(options.events, "e");
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"part=stm32l4", "flash=FILE is missing"},
        {"flash=f", "part=NAME is missing"},
        {"flash=f,part=none-such", "part=none-such: cannot open: No such file or directory"},
        {"flash=f,part=stm32l4:1000", "part=stm32l4:1000: 1000 bytes are not whole sectors of the "
                                      "part's 1048576"},
        {"flash=f,part=w25q128,part=stm32l4", "part=stm32l4: the parts do not fit into the window "
                                              "of 16777216 bytes"},
        {"flash=f,part=stm32l4,cut=7", "cut=7: expected store:NUMBER or op:NUMBER:TEAR"},
        {"flash=f,part=stm32l4,cut=op:7", "cut=op:7: expected store:NUMBER or op:NUMBER:TEAR"},
        {"flash=f,part=stm32l4,cut=op:7:torn", "cut=op:7:torn: flashsim has no tear 'torn'"},
        {"flash=f,part=stm32l4,cut=op:7:none", "cut=op:7:none: flashsim has no tear 'none'"},
        {"flash=f,part=stm32l4,cut=store:-1", "cut=store:-1: expected a number"},
        {"flash=f,part=stm32l4,first=0x100000000", "first=0x100000000: expected a number"},
        {"flash=f,part=stm32l4,fixed=4", "fixed=4: expected ADDRESS:SIZE"},
        {"flash=f,part=stm32l4,marks=0x100800", "marks=0x100800: expected a multiple of 4096"},
        {"flash=f,part=stm32l4,marks=0xFF000", "marks=0xFF000: does not lie between the chips and "
                                               "the window's end"},
        {"flash=f,part=stm32l4,marks=0x1000000", "marks=0x1000000: does not lie between the chips "
                                                 "and the window's end"},
        {"flash=f,part=stm32l4,fail=7", "fail=7: expected NUMBER:KIND"},
        {"flash=f,part=stm32l4,fail=7:loud",
         "fail=7:loud: no such kind; there are error, silent and partial"},
        {"flash=f,part=stm32l4,fail=7:error,marks=0xFFF000",
         "fail=7: without doorbell= and marks= no driver is told"},
        {"flash=f,part=stm32l4,flush=4", "flush=4: no such argument"},
        {"flash=f,part=stm32l4,flas=4", "flas=4: no such argument"},
        {"flash=f,part=stm32l4,base", "base: no such argument"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plugin_options options;
        char why[400] = "";
        assert_int_equal(parse(rows[i].text, &options, why, sizeof why), OTA_E_ARGUMENT);
        assert_string_equal(why, rows[i].why);
    }
}

int main(void)
{
    const char *data = getenv("NOBRICK_DATA");
    snprintf(parts, sizeof parts, "parts=%s/parts", data != NULL ? data : "scenarios");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

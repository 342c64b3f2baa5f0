#include "sim/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void pieces(void **state)
{
    struct sim_line line;
    (void)state;
    sim_line_begin(&line, "boot ");
    sim_line_number(&line, 0);
    sim_line_text(&line, ".");
    sim_line_number(&line, UINT32_MAX);
    sim_line_text(&line, " at ");
    sim_line_hex(&line, 0x1A2B3C4D);
    assert_string_equal(line.text, "boot 0.4294967295 at 0x1a2b3c4d");
}

static void what_does_not_fit(void **state)
{
    struct sim_line line;
    (void)state;
    sim_line_begin(&line, "");
    for (int i = 0; i < SIM_LINE; i++)
        sim_line_text(&line, "ab");
    assert_int_equal(line.length, SIM_LINE - 1);
    assert_int_equal(strlen(line.text), SIM_LINE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces),
        cmocka_unit_test(what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

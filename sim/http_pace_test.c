#include "sim/http_pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void defaults_and_choices(void **state)
{
    struct sim_http_pace pace;
    (void)state;
    sim_http_pace_init(&pace, 0, 0);
    assert_int_equal(sim_http_pace_start(&pace), 40000);
    sim_http_pace_init(&pace, 100, 2000);
    assert_int_equal(pace.connect_ms, 100);
    assert_int_equal(sim_http_pace_start(&pace), 2100);
}

/* 16 bytes a second: 32 in two of them. */
static void a_trickle_is_no_progress(void **state)
{
    struct sim_http_pace pace;
    (void)state;
    sim_http_pace_init(&pace, 100, 2000);
    assert_false(sim_http_pace_note(&pace, 31));
    assert_true(sim_http_pace_note(&pace, 1));
    assert_false(sim_http_pace_note(&pace, 31));
    assert_int_equal(sim_http_pace_start(&pace), 2100); /* another request begins with nothing */
    assert_false(sim_http_pace_note(&pace, 31));
    assert_int_equal(pace.received, 94);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_choices),
        cmocka_unit_test(a_trickle_is_no_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "sim/power_on.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void boot_lines(void **state)
{
    static const struct {
        enum img_swap_type performed;
        bool trial, resumed;
        const char *line;
    } rows[] = {
        {IMG_SWAP_NONE, false, false, "boot 1.2.3 confirmed"},
        {IMG_SWAP_NONE, true, false, "boot 1.2.3 trial"},
        {IMG_SWAP_TEST, true, true, "boot 1.2.3 trial test resumed"},
        {IMG_SWAP_PERM, false, false, "boot 1.2.3 confirmed permanent"},
        {IMG_SWAP_REVERT, false, true, "boot 1.2.3 confirmed revert resumed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_line line;
        struct boot_result result = {
            .performed = rows[i].performed, .trial = rows[i].trial, .resumed = rows[i].resumed};
        result.image.header.version = (struct img_version){1, 2, 3, 4};
        sim_boot_line(&result, &line);
        assert_string_equal(line.text, rows[i].line);
    }
}

/* Only a check has enough of crashes at some time. */
static void crashes_end_a_check(void **state)
{
    struct sim_past checking = {0};
    struct sim_past living = {0};
    (void)state;
    for (unsigned i = 1; i < SIM_MAX_CRASHES; i++)
        assert_true(sim_past_begins_anew(&checking, true));
    assert_false(sim_past_begins_anew(&checking, true));
    for (unsigned i = 0; i < 2 * SIM_MAX_CRASHES; i++)
        assert_true(sim_past_begins_anew(&living, false));
    assert_int_equal(living.crashes, 2 * SIM_MAX_CRASHES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_lines),
        cmocka_unit_test(crashes_end_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

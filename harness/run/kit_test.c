#include "harness/run/kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void a_patch_is_made_once(void **state)
{
    static const uint8_t old[] = "what the device runs, and a little more of it";
    static const uint8_t new[] = "what the device is to run, and a little more of it";
    const struct nb_blob images[] = {{.data = old, .size = sizeof old},
                                     {.data = new, .size = sizeof new}};
    struct nb_bytes first;
    struct nb_bytes again;
    struct nb_bytes back;
    char reason[200];
    uint8_t *made;
    size_t size;
    const char *fault;
    (void)state;
    struct nb_kit *kit = nb_kit_new(reason, sizeof reason);
    assert_non_null(kit);
    assert_int_equal(nb_kit_patch(kit, &images[0], &images[1], &first), 0);
    assert_int_equal(nb_kit_patch(kit, &images[1], &images[0], &back), 0);
    assert_int_equal(nb_kit_patch(kit, &images[0], &images[1], &again), 0);
    assert_ptr_equal(again.data, first.data);
    assert_ptr_not_equal(back.data, first.data);
    assert_int_equal(nb_jojodiff_apply((struct nb_bytes){old, sizeof old}, again, sizeof new, &made,
                                       &size, &fault),
                     0);
    assert_int_equal(size, sizeof new);
    assert_memory_equal(made, new, sizeof new);
    free(made);
    nb_kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_patch_is_made_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Swap using move: every state that power cuts can reach, any number of them, on small slots. */
#include "agent/boot/swap_rig.h"

#define K 256u /* a sector */

static const struct rig_shape shapes[] = {
    {"ecc",
     &boot_swap_move,
     K,
     K,
     8,
     0xFF,
     8,
     8 * K,
     K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"single bytes",
     &boot_swap_move,
     K,
     K,
     1,
     0xFF,
     0,
     8 * K,
     K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"two sectors of trailer",
     &boot_swap_move,
     K,
     K,
     16,
     0x00,
     16,
     10 * K,
     K,
     0,
     {.align = 16, .write_size = 16, .max_sectors = 10}},
};

static void close_all(bool torn)
{
    static const uint32_t sizes[][2] = {{500, 0}, {300, 700}, {0, 500}, {500, 500}, {700, 300}};
    size_t count = torn ? 2 : 5;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        rig_close_sizes(&shapes[i], torn, 1, sizes, count);
}

static void test_clean_cuts(void **state)
{
    (void)state;
    close_all(false);
}

static void test_torn_cuts(void **state)
{
    (void)state;
    close_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_cuts),
        cmocka_unit_test(test_torn_cuts),
    };
    return cmocka_run_group_tests_name("swap-move", tests, NULL, NULL);
}

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

static void test_clean_cuts(void **state)
{
    (void)state;
    rig_close_all(shapes, sizeof shapes / sizeof shapes[0], false);
}

static void test_torn_cuts(void **state)
{
    (void)state;
    rig_close_all(shapes, sizeof shapes / sizeof shapes[0], true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_cuts),
        cmocka_unit_test(test_torn_cuts),
    };
    return cmocka_run_group_tests_name("swap-move", tests, NULL, NULL);
}

/* What an update costs: the bound by hand, and that no loader is below it. */
#include "harness/prove/costs.h"

#include "harness/run/kit_rig.h"

#include <string.h>

#define SECTOR 4096u

/* Sectors of 4 KiB; a program of 1 KiB takes 1 us for each 256 bytes, an erase 100 us. */
static struct sim_device device_of(const struct boot_scheme *scheme)
{
    static const struct flash_part part = {.name = "p",
                                           .size = 64 * SECTOR,
                                           .runs = {{64, SECTOR}},
                                           .run_count = 1,
                                           .unit = 4,
                                           .erased = 0xFF,
                                           .programs = 1,
                                           .t_program_us = 1,
                                           .program_per = 256,
                                           .t_erase_us = 100};
    struct sim_device device = {.chip_count = 1, .scheme = scheme};
    device.chips[0].part = part;
    device.primary = (struct sim_region){0, 16 * SECTOR};
    device.secondary = (struct sim_region){16 * SECTOR, 16 * SECTOR};
    return device;
}

/* Old: sectors A B blank blank; new: C B D blank. */
static void test_bound_by_hand(void **state)
{
    static uint8_t old[4 * SECTOR];
    static uint8_t new[4 * SECTOR];
    (void)state;
    memset(old, 0xFF, sizeof old);
    memset(new, 0xFF, sizeof new);
    memset(old, 1, 2 * SECTOR);
    memset(new, 2, SECTOR);
    memset(new + SECTOR, 1, SECTOR);
    memset(new + 2 * SECTOR, 3, 512); /* one program, of two steps */
    struct sim_device device = device_of(&boot_overwrite);
    struct nb_cost bound = nb_costs_bound(&device, old, new, sizeof old);
    assert_int_equal(bound.erases, 1);
    assert_int_equal(bound.programs, 4 + 1);
    assert_int_equal(bound.us, 100 + 16 + 2);
    assert_int_equal(bound.wear, 1);
    device = device_of(&boot_swap_move);
    bound = nb_costs_bound(&device, old, new, sizeof old);
    assert_int_equal(bound.erases, 3 + 1); /* a pair, and the sector that D leaves */
    assert_int_equal(bound.programs, 3 * 4 + 1);
    assert_int_equal(bound.us, 400 + 3 * 16 + 2);
    assert_int_equal(bound.wear, 1);
    device = device_of(&boot_swap_scratch);
    device.scratch = (struct sim_region){32 * SECTOR, SECTOR};
    memset(old + 2 * SECTOR, 1, SECTOR);
    bound = nb_costs_bound(&device, old, new, sizeof old);
    assert_int_equal(bound.erases, 6);
    assert_int_equal(bound.wear, 2); /* scratch takes both pairs */
}

static void test_no_loader_is_below(void **state)
{
    static const char text[] = "title t\nreq STOR-02\nflash slot0 v1 size=100K\n"
                               "flash slot1 v2 size=100K pending\ndevice boot\nexpect boot v2\n";
    static const char *const schemes[] = {"overwrite", "swap-move", "swap-scratch", "swap-status"};
    static const char *const parts[] = {"nrf52840", "w25q128", "stm32l4", "erase00-synth"};
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(nb_script_parse(text, strlen(text), "t.ota", &script, &error), 0);
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t s = 0; s < sizeof schemes / sizeof schemes[0]; s++) {
            struct nb_cell cell = {.world = "virtual", .kit = kit};
            struct nb_costs costs;
            snprintf(cell.part, sizeof cell.part, "%s", parts[p]);
            snprintf(cell.scheme, sizeof cell.scheme, "%s", schemes[s]);
            assert_int_equal(nb_costs_measure(&script, &cell, &costs), 0);
            assert_true(costs.bound.erases > 0);
            assert_true(costs.update.erases >= costs.bound.erases);
            assert_true(costs.update.programs >= costs.bound.programs);
            assert_true(costs.update.us >= costs.bound.us);
            assert_true(costs.update.wear >= costs.bound.wear);
            assert_true(costs.update.us < costs.bound.us * 3 / 2);
            if (s == 0) {
                assert_int_equal(costs.revert.erases, 0);
                continue;
            }
            assert_true(costs.revert.erases >= costs.bound.erases);
            assert_true(costs.revert.us >= costs.bound.us);
        }
    }
    nb_script_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_by_hand),
        cmocka_unit_test(test_no_loader_is_below),
    };
    return cmocka_run_group_tests(tests, kit_rig_set_up, kit_rig_tear_down);
}

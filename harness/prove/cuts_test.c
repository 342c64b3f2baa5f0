/* The list of the ways to cut a step, and the sweep over it in the virtual world. */
#include "harness/prove/cuts.h"
#include "harness/prove/play_rig.h"

#define UPDATE "title T\ncloud offer v2 size=4K\n@flash:* cut\ndevice check\n"

static struct flash_sim *make_flash(void)
{
    static const struct flash_part part = {
        .name = "toy",
        .size = 1024,
        .runs = {{4, 256}},
        .run_count = 1,
        .unit = 8,
        .erased = 0xFF,
        .programs = 1,
    };
    const struct flash_chip chip = {part, 0};
    struct flash_sim *sim = flash_sim_memory(&chip, 1);
    assert_non_null(sim);
    return sim;
}

/* Each operation with every way to cut it that makes sense, under its number. */
static void test_list(void **state)
{
    static const uint8_t data[32] = {0};
    static const struct flash_op ops[] = {
        {.kind = FLASH_OP_PROGRAM, .address = 8, .length = sizeof data, .data = data},
        {.kind = FLASH_OP_ERASE, .address = 256, .length = 256},
    };
    struct flash_sim *sim = make_flash();
    struct nb_cut_list list = {0};
    size_t at = 0;
    (void)state;
    for (uint32_t i = 0; i < 40; i++)
        nb_cut_list_add(&list, sim, &ops[i % 2], i, false, FLASH_TEARS_CLEAN);
    assert_false(list.failed);
    assert_int_equal(list.operations, 40);
    for (uint32_t i = 0; i < 40; i++) {
        enum flash_tear tears[FLASH_TEAR_COUNT];
        size_t count = flash_sim_tears_of(sim, &ops[i % 2], FLASH_TEARS_CLEAN, tears);
        assert_true(count >= 2);
        for (size_t j = 0; j < count; j++, at++) {
            assert_int_equal(list.cuts[at].op, i);
            assert_int_equal(list.cuts[at].tear, tears[j]);
            assert_int_equal(list.cuts[at].action, NB_ACTION_BOOT);
            assert_false(list.cuts[at].fails);
        }
    }
    assert_int_equal(list.count, at);
    nb_cut_list_free(&list);
    flash_sim_close(sim);
}

/* An operation fails in one way. */
static void test_list_of_errors(void **state)
{
    static const struct flash_op op = {.kind = FLASH_OP_ERASE, .address = 256, .length = 256};
    struct flash_sim *sim = make_flash();
    struct nb_cut_list list = {0};
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        nb_cut_list_add(&list, sim, &op, i + 10, true, FLASH_TEARS_CLEAN);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.operations, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(list.cuts[i].op, i + 10);
        assert_true(list.cuts[i].fails);
        assert_int_equal(list.cuts[i].tear, FLASH_TEAR_NONE);
    }
    nb_cut_list_free(&list);
    flash_sim_close(sim);
}

/* Each N-th of them, the first one always. */
static void test_every_nth(void **state)
{
    struct nb_cell cell = {.sample = 400};
    (void)state;
    struct nb_outcome *some =
        play_text(nb_cuts_sweep, UPDATE "until stable boot v1|v2\n", &cell, 0);
    cell.sample = 200;
    struct nb_outcome *more =
        play_text(nb_cuts_sweep, UPDATE "until stable boot v1|v2\n", &cell, 0);
    assert_int_equal(some->verdict, NB_PASS);
    assert_int_equal(more->verdict, NB_PASS);
    assert_string_equal(some->cuts, "");
    assert_true(some->points > 2);
    assert_in_range(more->points, 2 * some->points - 1, 2 * some->points);
    cell.sample = 1000000;
    struct nb_outcome *one = play_text(nb_cuts_sweep, UPDATE "until stable boot v1|v2\n", &cell, 0);
    assert_int_equal(one->points, 1);
    free(some);
    free(more);
    free(one);
}

/* The first cut that fails is kept, with its story, and fails again when the cell names it: without
 * one the update takes less than 5 KiB. */
static void test_failure_repeats(void **state)
{
    static const char text[] = UPDATE "expect traffic 5K\n";
    struct nb_cell cell = {.sample = 40}; /* several fail */
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    struct nb_outcome *outcome = play_text(nb_cuts_sweep, text, &cell, 0);
    assert_int_equal(outcome->verdict, NB_FAIL);
    assert_true(outcome->points > 2);
    assert_string_equal(outcome->cuts, "0.before");
    assert_true(outcome->story_count > 0);
    struct nb_outcome *again = calloc(1, sizeof *again);
    assert_non_null(again);
    assert_true(nb_cut_parse(outcome->cuts, &cell.cuts[0]));
    cell.cut_count = 1;
    assert_int_equal(nb_script_parse(text, strlen(text), "t.ota", &script, &error), 0);
    assert_int_equal(nb_virtual_run(&script, &cell, again), 0);
    nb_script_free(&script);
    assert_int_equal(again->verdict, NB_FAIL);
    assert_string_equal(again->reason, outcome->reason);
    free(again);
    free(outcome);
}

/* A script that fails without any cut is not swept. */
static void test_fails_without_cuts(void **state)
{
    struct nb_cell cell = {.sample = 400};
    (void)state;
    struct nb_outcome *outcome =
        play_text(nb_cuts_sweep, UPDATE "until stable boot v1\n", &cell, 0);
    assert_int_equal(outcome->verdict, NB_FAIL);
    assert_int_equal(outcome->points, 0);
    assert_string_equal(outcome->cuts, "");
    free(outcome);
}

static void test_stopped(void **state)
{
    struct nb_cell cell = {.sample = 400};
    (void)state;
    nb_run_stop = 2;
    struct nb_outcome *outcome =
        play_text(nb_cuts_sweep, UPDATE "until stable boot v1|v2\n", &cell, OTA_E_CANCELLED);
    nb_run_stop = 0;
    assert_int_equal(outcome->points, 0);
    free(outcome);
}

/* A step that leaves flash alone cannot be cut: that is not a pass. */
static void test_nothing_to_cut(void **state)
{
    struct nb_cell cell = {0};
    (void)state;
    struct nb_outcome *outcome = play_text(
        nb_cuts_sweep, "title T\ncloud offer none\n@flash:* cut\ndevice check\nexpect boot v1\n",
        &cell, 0);
    assert_int_equal(outcome->points, 0);
    assert_int_equal(outcome->verdict, NB_VACUOUS);
    assert_non_null(strstr(outcome->reason, "does nothing to the flash"));
    free(outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_of_errors),
        cmocka_unit_test(test_every_nth),
        cmocka_unit_test(test_failure_repeats),
        cmocka_unit_test(test_fails_without_cuts),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_nothing_to_cut),
    };
    return cmocka_run_group_tests(tests, kit_rig_set_up, kit_rig_tear_down);
}

/* Status records: the bytes, two copies, and old or new under every cut. */
#include "agent/image/status.h"

#include "flashsim/flashsim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

struct world {
    struct flash_sim *sim;
    struct flash_area area;
};

/* `sectors` of `size` bytes; with a unit as large, each is a row. */
static struct world open_world(uint32_t sectors, uint32_t size, uint32_t unit, uint8_t erased,
                               uint32_t ecc)
{
    const struct flash_chip chip = {.part = {.name = "rows",
                                             .size = sectors * size,
                                             .runs = {{sectors, size}},
                                             .run_count = 1,
                                             .unit = unit,
                                             .erased = erased,
                                             .programs = 1,
                                             .ecc = ecc}};
    struct world world = {.sim = flash_sim_memory(&chip, 1)};
    assert_non_null(world.sim);
    world.area = (struct flash_area){flash_sim_port(world.sim), 0, sectors * size};
    return world;
}

static int put(const struct world *world, const struct img_status *status)
{
    struct ota_twin log;
    assert_int_equal(img_status_open(&world->area, &log), 0);
    return img_status_put(&log, status);
}

static int mend(const struct world *world)
{
    struct ota_twin log;
    assert_int_equal(img_status_open(&world->area, &log), 0);
    return ota_twin_mend(&log);
}

static struct img_status read_status(const struct world *world)
{
    struct img_status status;
    assert_int_equal(img_status_read(&world->area, &status), 0);
    return status;
}

static bool is(const struct img_status *a, const struct img_status *b)
{
    return a->request == b->request && a->trial == b->trial && a->swap == b->swap &&
           a->larger_end == b->larger_end && a->steps == b->steps;
}

static const struct img_status under_way = {IMG_SWAP_NONE, false, IMG_SWAP_REVERT, 0x012345, 7};

static void test_bytes(void **state)
{
    static const uint8_t wanted[32] = {'N', 'B',  'S',  'W',  1, 0, 0,    0,    1,    0,   4,
                                       0,   0x45, 0x23, 0x01, 0, 7, 0,    0,    0,    0,   0,
                                       0,   0,    0,    0,    0, 0, 0x91, 0x24, 0xF0, 0xE0};
    struct world world = open_world(6, 512, 512, 0x00, 0);
    uint8_t raw[32];
    (void)state;
    struct img_status blank = read_status(&world);
    assert_true(is(&blank, &(struct img_status){IMG_SWAP_NONE, false, IMG_SWAP_NONE, 0, 0}));
    assert_int_equal(put(&world, &under_way), 0);
    for (uint32_t copy = 0; copy < 2; copy++) { /* the same bytes in both halves */
        assert_int_equal(flash_sim_peek(world.sim, copy * 3 * 512, raw, sizeof raw), 0);
        assert_memory_equal(raw, wanted, sizeof raw);
    }
    struct img_status back = read_status(&world);
    assert_true(is(&back, &under_way));
    flash_sim_close(world.sim);
}

static void test_layouts(void **state)
{
    struct img_status status;
    (void)state;
    for (uint32_t sectors = 2; sectors < 7; sectors++) {
        struct world world = open_world(sectors, 512, 512, 0x00, 0);
        assert_int_equal(img_status_read(&world.area, &status), sectors < 4 ? OTA_E_LAYOUT : 0);
        flash_sim_close(world.sim);
    }
}

/* Either copy is enough, whatever happened to the other one; mending brings it back. */
static void test_one_copy_is_enough(void **state)
{
    (void)state;
    for (uint32_t lost = 0; lost < 2; lost++) {
        struct world world = open_world(6, 512, 512, 0x00, 0);
        assert_int_equal(img_status_ask(&world.area, IMG_SWAP_TEST), 0);
        assert_int_equal(put(&world, &under_way), 0);
        assert_int_equal(flash_sim_break_unit(world.sim, (lost * 3 + 1) * 512), 0);
        struct img_status status = read_status(&world);
        assert_true(is(&status, &under_way));
        assert_int_equal(mend(&world), 0);
        flash_sim_restart_count(world.sim);
        assert_int_equal(mend(&world), 0);
        assert_int_equal(flash_sim_op_count(world.sim), 0);
        for (uint32_t row = 0; row < 3; row++) /* the whole other copy may go now */
            assert_int_equal(flash_sim_break_unit(world.sim, ((1 - lost) * 3 + row) * 512), 0);
        status = read_status(&world);
        assert_true(is(&status, &under_way));
        flash_sim_close(world.sim);
    }
}

struct cut {
    uint32_t op;
    size_t tear; /* the how-manieth of those that make sense there */
    bool fired;
    bool was_last; /* there is no further tear of that operation */
};

static enum flash_tear cut_there(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct cut *cut = context;
    enum flash_tear tears[FLASH_TEAR_COUNT];
    if (op->index != cut->op)
        return FLASH_TEAR_NONE;
    size_t count = flash_sim_tears(sim, op, tears);
    cut->fired = true;
    cut->was_last = cut->tear + 1 >= count;
    return tears[cut->tear];
}

/* The number behind the highest is 1, and 1 is later than it. */
static void test_numbers_wrap(void **state)
{
    (void)state;
    struct world world = open_world(6, 512, 512, 0x00, 0);
    struct ota_twin log;
    assert_int_equal(img_status_open(&world.area, &log), 0);
    log.sequence = UINT32_MAX - 3;
    for (uint32_t n = 1; n < 9; n++) {
        const struct img_status next = {IMG_SWAP_NONE, false, IMG_SWAP_TEST, 100, n};
        assert_int_equal(img_status_put(&log, &next), 0);
        assert_int_equal(read_status(&world).steps, n);
        assert_int_equal(img_status_open(&world.area, &log), 0);
        flash_sim_restart_count(world.sim);
        assert_int_equal(ota_twin_mend(&log), 0);
        assert_int_equal(flash_sim_op_count(world.sim), 0);
    }
    assert_int_equal(log.sequence, 5);
    flash_sim_close(world.sim);
    world = open_world(6, 512, 512, 0x00, 0);
    assert_int_equal(img_status_open(&world.area, &log), 0);
    log.sequence = UINT32_MAX - 1;
    assert_int_equal(img_status_put(&log, &under_way), 0);
    struct cut cut = {.op = 2}; /* the erase for the second copy of the next record */
    const struct img_status next = {IMG_SWAP_NONE, false, IMG_SWAP_TEST, 100, 9};
    flash_sim_restart_count(world.sim);
    flash_sim_observe(world.sim, cut_there, &cut);
    assert_int_equal(img_status_put(&log, &next), OTA_E_POWER);
    flash_sim_observe(world.sim, NULL, NULL);
    flash_sim_power_on(world.sim);
    assert_int_equal(read_status(&world).steps, 9);
    flash_sim_close(world.sim);
}

static void test_only_changes_are_written(void **state)
{
    struct world world = open_world(4, 512, 512, 0x00, 0);
    (void)state;
    assert_int_equal(img_status_ask(&world.area, IMG_SWAP_NONE), 0);
    assert_int_equal(img_status_confirm(&world.area), 0);
    assert_int_equal(flash_sim_op_count(world.sim), 0);
    const struct img_status trial = {IMG_SWAP_NONE, true, IMG_SWAP_NONE, 0, 0};
    assert_int_equal(put(&world, &trial), 0);
    assert_int_equal(img_status_ask(&world.area, IMG_SWAP_PERM), 0);
    struct img_status status = read_status(&world);
    assert_true(status.trial && status.request == IMG_SWAP_PERM);
    assert_int_equal(img_status_confirm(&world.area), 0);
    status = read_status(&world);
    assert_true(!status.trial && status.request == IMG_SWAP_PERM);
    flash_sim_close(world.sim);
}

/* ---- cuts -------------------------------------------------------------------------------- */

/* Counts up: record n says n steps. Cut in every way, the old or the new one is read; and when the
 * device goes on after a cut, a second time. */
static void sweep(uint32_t sectors, uint32_t size, uint32_t unit, uint8_t erased, uint32_t ecc)
{
    struct world world = open_world(sectors, size, unit, erased, ecc);
    for (uint32_t n = 1; n < 40; n++) {
        struct flash_snapshot *before = flash_sim_snapshot(world.sim);
        const struct img_status next = {IMG_SWAP_NONE, false, IMG_SWAP_TEST, 100, n};
        struct cut cut = {0};
        do {
            flash_sim_restore(world.sim, before);
            flash_sim_restart_count(world.sim);
            cut.fired = false;
            flash_sim_observe(world.sim, cut_there, &cut);
            int err = put(&world, &next);
            flash_sim_observe(world.sim, NULL, NULL);
            flash_sim_power_on(world.sim);
            assert_int_equal(err, cut.fired ? OTA_E_POWER : 0);
            uint32_t steps = read_status(&world).steps;
            assert_true(steps == n || (cut.fired && steps == n - 1));
            assert_int_equal(mend(&world), 0);
            assert_int_equal(read_status(&world).steps, steps);
            assert_int_equal(put(&world, &next), 0);
            assert_int_equal(read_status(&world).steps, n);
            cut.op += cut.was_last;
            cut.tear = cut.was_last ? 0 : cut.tear + 1;
            cut.was_last = false;
        } while (cut.fired);
        assert_true(cut.op >= 2); /* a program in each half, and now and then an erase */
        assert_string_equal(flash_sim_violation(world.sim), "");
        flash_snapshot_free(world.sim, before);
    }
    flash_sim_close(world.sim);
}

static void test_old_or_new(void **state)
{
    (void)state;
    sweep(4, 512, 512, 0x00, 0);
    sweep(9, 512, 512, 0x00, 0);
    sweep(4, 256, 8, 0xFF, 8);
    sweep(5, 256, 1, 0xFF, 0);
    sweep(4, 1024, 32, 0xFF, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_one_copy_is_enough),
        cmocka_unit_test(test_numbers_wrap),
        cmocka_unit_test(test_only_changes_are_written),
        cmocka_unit_test(test_old_or_new),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}

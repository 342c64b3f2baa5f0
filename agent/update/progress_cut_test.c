/* Progress of a download under power cuts: true, monotone, and it ends. */
#include "agent/update/progress_rig.h"

/* ---- under cuts -------------------------------------------------------------------------- */

/* Cuts operation `at` of a download, resumes, cuts operation `again` of that, and lets the third
 * session finish. Bits of `*done` of the first are in the second's: progress does not go back.
 * False: the first cut was never reached. */
static bool cut_and_resume(const struct shape *shape, enum order order, uint32_t at,
                           enum flash_tear tear, uint32_t again)
{
    struct bench bench;
    bench_new(&bench, shape);
    bench.cut_at = at;
    bench.cut = tear;
    bool reached = session(&bench, key_a, order) != 0;
    assert_int_equal(reached, flash_sim_is_off(bench.sim));
    if (bench.misfit) { /* another tear has this outcome, or none */
        bench_free(&bench);
        return true;
    }
    uint32_t known = bench.progress.complete;
    uint32_t recorded = bench.records;
    reopen(&bench);
    uint32_t first = bench.progress.complete;
    assert_int_equal(first & ~known, 0);
    bench.cut_at = flash_sim_op_count(bench.sim) + again;
    bench.cut = tear;
    int error = session(&bench, key_a, order);
    assert_int_equal(error != 0, flash_sim_is_off(bench.sim));
    assert_int_equal(bench.progress.complete & first, first); /* RESM-02: monotone */
    flash_sim_power_on(bench.sim);
    assert_true_progress(&bench);
    if (error != 0) {
        reopen(&bench);
        assert_int_equal(bench.progress.complete & first, first);
        assert_int_equal(ota_progress_start(&bench.progress, key_a, &v2), 0);
        assert_true_progress(&bench);
        assert_int_equal(session(&bench, key_a, order), 0);
    }
    assert_whole(&bench);
    assert_int_equal(ota_progress_done(&bench.progress), bench.total);
    assert_true(recorded == 0 || bench.records >= recorded);
    bench_free(&bench);
    return reached;
}

/* Every operation of a download in that order; with every tear, or a few of them. */
static void cut_everywhere(const struct shape *shape, enum order order, bool every_tear)
{
    uint32_t operations = 0;
    while (cut_and_resume(shape, order, operations, FLASH_TEAR_AFTER, UINT32_MAX / 2))
        operations++;
    assert_true(operations > 15);
    for (uint32_t at = 0; at < operations; at++)
        for (enum flash_tear tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++)
            if (every_tear || tear == FLASH_TEAR_HALF || tear == FLASH_TEAR_FAULT)
                assert_true(cut_and_resume(shape, order, at, tear, UINT32_MAX / 2));
}

/* RESM-03, RESM-13: every operation, every tear, every kind of part. */
static void true_and_monotone_under_any_cut(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++)
        for (enum order order = FORWARD; order < ORDERS; order++)
            cut_everywhere(&shapes[s], order, order == MIXED);
}

/* A second cut while the damage of the first is mended. */
static void true_and_monotone_under_two_cuts(void **state)
{
    (void)state;
    static const enum flash_tear tears[] = {FLASH_TEAR_HALF, FLASH_TEAR_FAULT, FLASH_TEAR_LOWER,
                                            FLASH_TEAR_BITS_ODD};
    static const size_t chosen[] = {1, 3, 4, 6, 7};
    for (size_t s = 0; s < sizeof chosen / sizeof chosen[0]; s++)
        for (size_t t = 0; t < sizeof tears / sizeof tears[0]; t++)
            for (uint32_t at = 1; cut_and_resume(&shapes[chosen[s]], MIXED, at, tears[t], at % 29);)
                at += 3;
}

/* Power that fails again and again, each time a few operations later: the download ends, and not
 * much more than the image is programmed. */
static void a_download_ends_under_many_cuts(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        uint64_t programmed = 0;
        uint32_t largest = 0; /* piece */
        int cuts = 0;
        bench_new(&bench, &shapes[s]);
        for (int error = -1; error != 0; cuts++) {
            assert_true(cuts < 400);
            bench.cut_at = flash_sim_op_count(bench.sim) + 90 + (uint32_t)cuts % 40;
            bench.cut = cuts % 2 != 0 ? FLASH_TEAR_HALF : FLASH_TEAR_AFTER;
            error = session(&bench, key_a, FORWARD);
            largest = bench.progress.ends[0] > largest ? bench.progress.ends[0] : largest;
            programmed += bench.programmed;
            flash_sim_power_on(bench.sim);
            assert_true_progress(&bench);
            reopen(&bench);
        }
        assert_whole(&bench);
        assert_true(programmed <=
                    bench.total + bench.unit + (uint64_t)cuts * (largest + bench.unit));
        bench_free(&bench);
    }
}

/* Starting over is under the same rule: never the old record with the new bytes. `start` has a
 * whole download, and `before` is its flash. False: the cut was never reached. */
static bool start_over(const struct bench *start, const struct flash_snapshot *before, uint32_t at,
                       enum flash_tear tear)
{
    struct bench bench = *start;
    flash_sim_restore(bench.sim, before);
    flash_sim_observe(bench.sim, observe, &bench);
    for (uint32_t i = 0; i < bench.total; i++)
        bench.image[i] ^= 0x5A; /* another image, as large */
    reopen(&bench);
    bench.cut_at = flash_sim_op_count(bench.sim) + at;
    bench.cut = tear;
    bool reached = session(&bench, key_a, FORWARD) != 0;
    reopen(&bench);
    assert_int_equal(ota_progress_start(&bench.progress, key_a, &v2), 0);
    assert_true_progress(&bench);
    assert_int_equal(session(&bench, key_a, FORWARD), 0);
    assert_whole(&bench);
    assert_string_equal(flash_sim_violation(bench.sim), "");
    return reached;
}

static void starting_over_is_safe_under_any_cut(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        bench_new(&bench, &shapes[s]);
        assert_int_equal(session(&bench, key_b, FORWARD), 0);
        struct flash_snapshot *before = flash_sim_snapshot(bench.sim);
        assert_non_null(before);
        bool reached = true;
        for (uint32_t at = 0; reached; at++)
            for (enum flash_tear tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++)
                reached = start_over(&bench, before, at, tear);
        flash_snapshot_free(bench.sim, before);
        bench_free(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_and_monotone_under_any_cut),
        cmocka_unit_test(true_and_monotone_under_two_cuts),
        cmocka_unit_test(a_download_ends_under_many_cuts),
        cmocka_unit_test(starting_over_is_safe_under_any_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

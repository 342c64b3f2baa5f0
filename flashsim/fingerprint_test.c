#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_follows_content(void **state)
{
    (void)state;
    uint8_t data[16] = {1, 2, 3};
    struct flash_sim *sim = one_chip(&part_large);
    struct flash_sim *other = one_chip(&part_large);
    uint64_t empty = flash_sim_fingerprint(sim, 0, 131072);
    assert_true(empty == flash_sim_fingerprint(other, 0, 131072));
    assert_int_equal(sim_program(sim, 65520, data, 16), 0);
    uint64_t one = flash_sim_fingerprint(sim, 0, 131072);
    assert_true(one != empty);
    /* By another way to the same content. */
    assert_int_equal(flash_sim_put(other, 65520, data, 3), 0);
    assert_true(flash_sim_fingerprint(other, 0, 131072) != one);
    assert_int_equal(flash_sim_put(other, 65523, data + 3, 13), 0);
    assert_true(flash_sim_fingerprint(other, 0, 131072) == one);
    assert_int_equal(sim_erase(sim, 49152), 0);
    assert_true(flash_sim_fingerprint(sim, 0, 131072) == empty);
    /* The same bytes elsewhere are something else. */
    assert_int_equal(sim_erase(other, 49152), 0);
    assert_int_equal(flash_sim_put(other, 65536, data, 16), 0);
    assert_true(flash_sim_fingerprint(other, 0, 131072) != one);
    flash_sim_close(other);
    flash_sim_close(sim);
}

static void test_every_byte_counts(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    uint64_t seen[257];
    seen[256] = flash_sim_fingerprint(sim, 3, 250);
    for (uint32_t at = 0; at < 256; at++) {
        uint8_t byte = 0x7F;
        assert_int_equal(flash_sim_put(sim, at, &byte, 1), 0);
        seen[at] = flash_sim_fingerprint(sim, 3, 250);
        bool inside = at >= 3 && at < 253;
        assert_int_equal(seen[at] != seen[256], inside);
        for (uint32_t k = 3; inside && k < at; k++) {
            assert_true(seen[at] != seen[k]);
        }
        byte = 0xFF;
        assert_int_equal(flash_sim_put(sim, at, &byte, 1), 0);
    }
    assert_true(flash_sim_fingerprint(sim, 3, 250) == seen[256]);
    assert_true(flash_sim_fingerprint(sim, 3, 249) != seen[256]);
    assert_true(flash_sim_fingerprint(sim, 4, 250) != seen[256]);
    flash_sim_close(sim);
}

static void test_counts_faults(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_ecc);
    uint64_t whole = flash_sim_fingerprint(sim, 4, 400);
    assert_int_equal(flash_sim_break_unit(sim, 0), 0);
    uint64_t edge = flash_sim_fingerprint(sim, 4, 400); /* its code word reaches inside */
    assert_true(edge != whole);
    assert_true(flash_sim_fingerprint(sim, 8, 396) == flash_sim_fingerprint(sim, 8, 396));
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_true(flash_sim_fingerprint(sim, 4, 400) == whole);
    assert_int_equal(flash_sim_break_unit(sim, 8), 0);
    assert_true(flash_sim_fingerprint(sim, 4, 400) != edge);
    assert_true(flash_sim_fingerprint(sim, 4, 400) != whole);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(flash_sim_break_unit(sim, 408), 0); /* outside */
    assert_true(flash_sim_fingerprint(sim, 4, 400) == whole);
    flash_sim_close(sim);
}

static void test_follows_snapshots(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    uint64_t empty = flash_sim_fingerprint(sim, 0, 100);
    struct flash_snapshot *old = flash_sim_snapshot(sim);
    assert_int_equal(sim_program(sim, 70, "\x01", 1), 0);
    uint64_t full = flash_sim_fingerprint(sim, 0, 100);
    struct flash_snapshot *new = flash_sim_snapshot(sim);
    assert_int_equal(sim_program(sim, 71, "\x01", 1), 0);
    assert_true(flash_sim_fingerprint(sim, 0, 100) != full);
    flash_sim_restore(sim, old);
    assert_true(flash_sim_fingerprint(sim, 0, 100) == empty);
    flash_sim_restore(sim, new);
    assert_true(flash_sim_fingerprint(sim, 0, 100) == full);
    flash_snapshot_free(sim, old);
    flash_snapshot_free(sim, new);
    flash_sim_close(sim);
}

/* What was asked before makes no difference. */
static void test_order_of_questions(void **state)
{
    (void)state;
    static const uint32_t ranges[][2] = {{8, 40}, {0, 48}, {8, 48}, {0, 40}, {0, 64}, {16, 100}};
    enum { COUNT = sizeof ranges / sizeof ranges[0] };
    struct flash_sim *sim = one_chip(&part_any);
    assert_int_equal(sim_program(sim, 4, "12345678", 8), 0);
    uint64_t prints[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        struct flash_sim *fresh = one_chip(&part_any);
        assert_int_equal(sim_program(fresh, 4, "12345678", 8), 0);
        prints[i] = flash_sim_fingerprint(fresh, ranges[i][0], ranges[i][1] - ranges[i][0]);
        flash_sim_close(fresh);
    }
    for (size_t n = 0; n < 100; n++) {
        size_t i = n * 7 % 11 % COUNT;
        assert_true(flash_sim_fingerprint(sim, ranges[i][0], ranges[i][1] - ranges[i][0]) ==
                    prints[i]);
    }
    /* Equal bytes at another address are not the same state. */
    assert_true(flash_sim_fingerprint(sim, 64, 64) != flash_sim_fingerprint(sim, 128, 64));
    flash_sim_close(sim);
}

static void test_any_range_is_safe(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    uint64_t all = flash_sim_fingerprint(sim, 0, 256);
    assert_true(flash_sim_fingerprint(sim, 0, UINT32_MAX) == all); /* ends with the device */
    assert_true(flash_sim_fingerprint(sim, 300, 10) != all);
    assert_true(flash_sim_fingerprint(sim, 5, 0) == flash_sim_fingerprint(sim, 5, 0));
    flash_sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_content),    cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_counts_faults),      cmocka_unit_test(test_follows_snapshots),
        cmocka_unit_test(test_order_of_questions), cmocka_unit_test(test_any_range_is_safe),
    };
    return cmocka_run_group_tests_name("flashsim/fingerprint", tests, NULL, NULL);
}

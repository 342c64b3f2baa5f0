#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t data[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void test_restore(void **state)
{
    (void)state;
    uint8_t now[64];
    struct flash_sim *sim = one_chip(&part_large);
    struct flash_snapshot *empty = flash_sim_snapshot(sim);
    assert_true(flash_sim_equals(sim, empty));
    assert_int_equal(sim_program(sim, 4096, data, 64), 0);
    assert_false(flash_sim_equals(sim, empty));
    struct flash_snapshot *full = flash_sim_snapshot(sim);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_true(flash_sim_equals(sim, empty)); /* the same by content, not by history */
    assert_false(flash_sim_equals(sim, full));
    flash_sim_restore(sim, full);
    assert_true(flash_sim_equals(sim, full));
    assert_int_equal(sim_read(sim, 4096, now, 64), 0);
    assert_memory_equal(now, data, 64);
    /* Changing the simulator leaves the snapshot alone, also the second time. */
    assert_int_equal(sim_program(sim, 4096 + 64, data, 64), 0);
    flash_sim_restore(sim, full);
    assert_int_equal(sim_program(sim, 4096 + 64, data, 64), 0);
    flash_sim_restore(sim, full);
    assert_int_equal(sim_read(sim, 4096 + 64, now, 64), 0);
    assert_int_equal(now[0], 0xFF);
    flash_sim_restore(sim, empty);
    assert_true(flash_sim_equals(sim, empty));
    flash_snapshot_free(sim, empty);
    flash_sim_restore(sim, full);
    assert_int_equal(sim_read(sim, 4096, now, 64), 0);
    assert_memory_equal(now, data, 64);
    flash_snapshot_free(sim, full);
    assert_int_equal(sim_read(sim, 4096, now, 64), 0);
    assert_memory_equal(now, data, 64);
    flash_snapshot_free(sim, NULL);
    flash_sim_close(sim);
}

static void test_restores_faults_and_counts(void **state)
{
    (void)state;
    uint8_t now[64];
    uint8_t ones[8];
    memset(ones, 0xFF, sizeof ones);
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_int_equal(sim_program(sim, 8, ones, 8), 0); /* used, reads erased */
    assert_int_equal(flash_sim_break_unit(sim, 16), 0);
    struct flash_snapshot *broken = flash_sim_snapshot(sim);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_false(flash_sim_equals(sim, broken)); /* readability is content */
    struct flash_snapshot *whole = flash_sim_snapshot(sim);
    assert_int_equal(sim_program(sim, 8, ones, 8), 0);
    assert_true(flash_sim_equals(sim, whole)); /* counts are not */
    assert_int_equal(sim_program(sim, 8, ones, 8), OTA_E_FLASH_PROGRAM);
    flash_sim_restore(sim, whole);
    assert_int_equal(sim_program(sim, 8, ones, 8), 0); /* but they come back */
    flash_sim_restore(sim, broken);
    assert_int_equal(sim_read(sim, 16, now, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_program(sim, 8, ones, 8), OTA_E_FLASH_PROGRAM);
    /* A change elsewhere in the block copies it with all that is known of it. */
    assert_int_equal(sim_program(sim, 32, data, 8), 0);
    assert_int_equal(sim_read(sim, 16, now, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_program(sim, 8, ones, 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 40, ones, 8), 0);
    flash_sim_restore(sim, broken);
    assert_int_equal(flash_sim_break_unit(sim, 24), 0);
    assert_false(flash_sim_equals(sim, broken)); /* other faults in the same block */
    flash_sim_restore(sim, broken);
    assert_int_equal(sim_read(sim, 24, now, 8), 0);
    flash_sim_restore(sim, whole);
    assert_int_equal(sim_read(sim, 16, now, 8), 0);
    assert_int_equal(flash_sim_erases_at(sim, 0), 1); /* wear never comes back */
    flash_snapshot_free(sim, broken);
    flash_snapshot_free(sim, whole);
    flash_sim_close(sim);
}

/* Against a plain array: random operations, snapshots and restores on uneven sectors, two chips. */
static void test_against_plain_copy(void **state)
{
    (void)state;
    enum { SIZE = 160 + 8192 * 40, KEEP = 6, STEPS = 20000 };
    struct flash_chip chips[2] = {{.part = part_twice, .start = 0}, {.start = 160}};
    chips[1].part = part_any;
    chips[1].part.size = 8192 * 40;
    chips[1].part.runs[0] = (struct flash_sector_run){40, 8192};
    struct flash_sim *sim = flash_sim_memory(chips, 2);
    uint8_t *plain = malloc(SIZE * (KEEP + 1));
    uint8_t *now = malloc(SIZE);
    assert_true(sim != NULL && plain != NULL && now != NULL);
    struct flash_snapshot *kept[KEEP] = {NULL};
    memset(plain, 0xFF, SIZE);
    uint32_t random = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t pick = random >> 28;
        uint32_t at = (random >> 8) % SIZE;
        unsigned slot = (random >> 4) % KEEP;
        if (pick < 12) {
            uint8_t byte = (uint8_t)random;
            plain[at] = byte;
            assert_int_equal(flash_sim_put(sim, at, &byte, 1), 0);
        } else if (pick < 13) {
            at = 160 + (at % 40) * 8192;
            memset(plain + at, 0xFF, 8192);
            assert_int_equal(sim_erase(sim, at), 0);
        } else if (pick < 14 || kept[slot] == NULL) {
            flash_snapshot_free(sim, kept[slot]);
            kept[slot] = flash_sim_snapshot(sim);
            memcpy(plain + SIZE * (slot + 1), plain, SIZE);
        } else {
            bool same = memcmp(plain, plain + SIZE * (slot + 1), SIZE) == 0;
            assert_int_equal(flash_sim_equals(sim, kept[slot]), same);
            flash_sim_restore(sim, kept[slot]);
            memcpy(plain, plain + SIZE * (slot + 1), SIZE);
        }
        if (step % 64 == 0) {
            assert_int_equal(flash_sim_peek(sim, 0, now, SIZE), 0);
            assert_memory_equal(now, plain, SIZE);
        }
    }
    for (size_t i = 0; i < KEEP; i++) {
        flash_snapshot_free(sim, kept[i]);
    }
    free(now);
    free(plain);
    flash_sim_close(sim);
}

/* Pieces differ in content, in readability, or in what may still be programmed. */
static void test_difference(void **state)
{
    (void)state;
    uint8_t ones[8];
    uint32_t length;
    memset(ones, 0xFF, sizeof ones);
    struct flash_sim *sim = one_chip(&part_ecc);
    struct flash_snapshot *empty = flash_sim_snapshot(sim);
    uint64_t print = flash_sim_state_print(sim, 0, 512);
    assert_int_equal(flash_sim_difference(sim, empty, 0, &length), 512);
    assert_int_equal(sim_program(sim, 128 + 8, ones, 8), 0); /* used, reads erased */
    assert_true(flash_sim_equals(sim, empty));
    assert_true(flash_sim_state_print(sim, 0, 512) != print);
    assert_true(flash_sim_fingerprint(sim, 128, 128) != flash_sim_state_print(sim, 128, 128));
    assert_int_equal(flash_sim_difference(sim, empty, 0, &length), 128);
    assert_int_equal(length, 128);
    assert_false(flash_sim_same(sim, empty, 128 + 8, 8));
    assert_true(flash_sim_same(sim, empty, 128 + 16, 112));
    assert_int_equal(flash_sim_break_unit(sim, 256 + 16), 0);
    assert_int_equal(flash_sim_difference(sim, empty, 256, &length), 256);
    assert_false(flash_sim_same(sim, empty, 256 + 16, 8));
    assert_true(flash_sim_same(sim, empty, 256 + 24, 8));
    assert_int_equal(sim_program(sim, 384, data, 8), 0);
    assert_int_equal(flash_sim_difference(sim, empty, 384, &length), 384);
    flash_sim_restore(sim, empty);
    assert_int_equal(flash_sim_difference(sim, empty, 0, &length), 512);
    assert_true(flash_sim_state_print(sim, 0, 512) == print);
    flash_snapshot_free(sim, empty);
    flash_sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_restores_faults_and_counts),
        cmocka_unit_test(test_against_plain_copy),
        cmocka_unit_test(test_difference),
    };
    return cmocka_run_group_tests_name("flashsim/memory", tests, NULL, NULL);
}

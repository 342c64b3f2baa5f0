#include "flashsim/failing.h"
#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct flash_sim *sim, uint32_t address, uint8_t value, uint32_t length)
{
    uint8_t data[64];
    memset(data, value, sizeof data);
    for (uint32_t at = 0; at < length; at += 16)
        assert_int_equal(sim_program(sim, address + at, data, 16), 0);
}

/* Each read of a weak unit gives another answer, in a fixed order; its neighbours do not change. */
static void test_weak_units_take_turns(void **state)
{
    static const uint8_t expected[] = {0x00, 0x55, 0xFF, 0xAA, 0x00};
    struct flash_sim *sim = one_chip(&part_any);
    uint8_t bytes[2];
    (void)state;
    fill(sim, 0, 0x00, 16);
    assert_true(flash_sim_is_steady(sim, 0, 256));
    assert_int_equal(flash_sim_weaken_unit(sim, 3), 0);
    assert_false(flash_sim_is_steady(sim, 0, 4));
    assert_true(flash_sim_is_steady(sim, 4, 252));
    for (size_t i = 0; i < sizeof expected; i++) {
        assert_int_equal(sim_read(sim, 3, bytes, 2), 0);
        assert_int_equal(bytes[0], expected[i]);
        assert_int_equal(bytes[1], 0x00);
        assert_int_equal(sim_read(sim, 4, bytes, 1), 0); /* is no turn */
    }
    assert_int_equal(flash_sim_weaken_unit(sim, 256), OTA_E_FLASH_BOUNDS);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_true(flash_sim_is_steady(sim, 0, 256));
    flash_sim_close(sim);
}

static void test_weak_words_with_ecc_fail(void **state)
{
    struct flash_sim *sim = one_chip(&part_ecc);
    uint8_t bytes[8];
    (void)state;
    fill(sim, 0, 0x00, 16);
    assert_int_equal(flash_sim_weaken_unit(sim, 8), 0);
    assert_int_equal(sim_read(sim, 8, bytes, 8), 0);
    assert_int_equal(sim_read(sim, 8, bytes, 8), OTA_E_FLASH_READ);
    /* The chip takes no second program, but who read it as erased broke no rule. */
    assert_int_equal(sim_program(sim, 8, "abcdefg", 8), OTA_E_FLASH_PROGRAM);
    assert_string_equal(flash_sim_violation(sim), "");
    flash_sim_close(sim);
}

static void test_what_cannot_be_read_is_found(void **state)
{
    struct flash_sim *sim = one_chip(&part_ecc);
    uint32_t length;
    (void)state;
    assert_int_equal(flash_sim_unreadable(sim, 0, &length), 512);
    assert_int_equal(length, 0);
    fill(sim, 0, 0x00, 16);
    assert_int_equal(flash_sim_weaken_unit(sim, 0), 0); /* can be read, sometimes */
    assert_int_equal(flash_sim_break_unit(sim, 12), 0);
    for (uint32_t at = 120; at < 144; at += 8) /* over the end of a sector */
        assert_int_equal(flash_sim_break_unit(sim, at), 0);
    assert_int_equal(flash_sim_break_unit(sim, 511), 0);
    assert_int_equal(flash_sim_unreadable(sim, 0, &length), 8);
    assert_int_equal(length, 8);
    assert_int_equal(flash_sim_unreadable(sim, 16, &length), 120);
    assert_int_equal(length, 24);
    assert_int_equal(flash_sim_unreadable(sim, 144, &length), 504);
    assert_int_equal(length, 8);
    assert_int_equal(sim_erase(sim, 384), 0);
    assert_int_equal(flash_sim_unreadable(sim, 144, &length), 512);
    assert_int_equal(length, 0);
    flash_sim_close(sim);
}

static void test_weak_marks_and_turns_are_state(void **state)
{
    struct flash_sim *sim = one_chip(&part_any);
    uint8_t byte;
    (void)state;
    fill(sim, 0, 0x00, 16);
    uint64_t steady = flash_sim_fingerprint(sim, 0, 256);
    struct flash_snapshot *before = flash_sim_snapshot(sim);
    assert_int_equal(flash_sim_weaken_unit(sim, 3), 0);
    assert_true(flash_sim_fingerprint(sim, 0, 256) != steady);
    assert_false(flash_sim_equals(sim, before));
    struct flash_snapshot *weak = flash_sim_snapshot(sim);
    uint64_t marks = flash_sim_marks(sim);
    assert_int_equal(sim_read(sim, 3, &byte, 1), 0);
    assert_true(flash_sim_marks(sim) != marks);
    flash_sim_restore(sim, weak);
    assert_true(flash_sim_marks(sim) == marks);
    assert_int_equal(sim_read(sim, 3, &byte, 1), 0);
    assert_int_equal(byte, 0x00); /* its first turn again */
    flash_sim_restore(sim, before);
    assert_true(flash_sim_equals(sim, before));
    assert_true(flash_sim_fingerprint(sim, 0, 256) == steady);
    flash_snapshot_free(sim, before);
    flash_snapshot_free(sim, weak);
    flash_sim_close(sim);
}

static void test_weak_tears(void **state)
{
    struct flash_sim *sim = one_chip(&part_any);
    enum flash_tear tear = FLASH_TEAR_FIRST_WEAK;
    enum flash_tear found[FLASH_TEAR_COUNT];
    uint8_t data[16] = {0};
    uint8_t byte;
    (void)state;
    const struct flash_op op = {
        .kind = FLASH_OP_PROGRAM, .address = 16, .length = 16, .data = data};
    assert_int_equal(flash_sim_tears_of(sim, &op, FLASH_TEARS_WEAK, found), 2);
    assert_int_equal(flash_sim_tears_of(sim, &op, FLASH_TEARS_DISTURB, found), 0);
    flash_sim_observe(sim, tear_at_once, &tear);
    assert_int_equal(sim_program(sim, 16, data, 16), OTA_E_POWER);
    flash_sim_power_on(sim);
    assert_false(flash_sim_is_steady(sim, 16, 1));
    assert_true(flash_sim_is_steady(sim, 17, 239));
    assert_int_equal(sim_read(sim, 17, &byte, 1), 0);
    assert_int_equal(byte, 0xFF); /* what was behind the cut */
    tear = FLASH_TEAR_ERASE_WEAK;
    assert_int_equal(sim_erase(sim, 0), OTA_E_POWER);
    flash_sim_power_on(sim);
    assert_false(flash_sim_is_steady(sim, 0, 1));
    assert_false(flash_sim_is_steady(sim, 63, 1));
    assert_true(flash_sim_is_steady(sim, 64, 192));
    flash_sim_close(sim);
}

static void test_disturb_hits_the_window(void **state)
{
    struct flash_part part = part_any;
    enum flash_tear tear = FLASH_TEAR_DISTURB;
    uint8_t data[4] = {0};
    uint8_t bytes[64];
    (void)state;
    part.disturb = 32;
    struct flash_sim *sim = one_chip(&part);
    flash_sim_observe(sim, tear_at_once, &tear);
    assert_int_equal(sim_program(sim, 36, data, 4), OTA_E_POWER);
    flash_sim_power_on(sim);
    assert_int_equal(flash_sim_peek(sim, 31, bytes, 34), 0);
    assert_int_equal(bytes[0], 0xFF);  /* before the window */
    assert_int_equal(bytes[1], 0xEF);  /* its first byte */
    assert_int_equal(bytes[5], 0x55);  /* the torn unit: its odd bits */
    assert_int_equal(bytes[6], 0xFF);  /* of the program's own, but never reached */
    assert_int_equal(bytes[32], 0xEF); /* the window's last byte */
    assert_int_equal(bytes[33], 0xFF);
    flash_sim_close(sim);
}

static void test_stuck_sector_keeps_its_bits(void **state)
{
    struct flash_sim *sim = one_chip(&part_any);
    uint8_t data = 0xF0;
    uint8_t byte;
    (void)state;
    fill(sim, 64, 0x0F, 16);
    struct flash_snapshot *before = flash_sim_snapshot(sim);
    assert_int_equal(flash_sim_stick_sector(sim, 100), 0);
    assert_false(flash_sim_equals(sim, before));
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(flash_sim_erases_at(sim, 64), 1);
    assert_int_equal(sim_read(sim, 64, &byte, 1), 0);
    assert_int_equal(byte, 0x0F);
    assert_int_equal(sim_program(sim, 64, &data, 1), 0); /* no rule is broken knowingly */
    assert_int_equal(sim_read(sim, 64, &byte, 1), 0);
    assert_int_equal(byte, 0x00);
    assert_int_equal(sim_erase(sim, 64), 0); /* for good */
    assert_int_equal(sim_read(sim, 64, &byte, 1), 0);
    assert_int_equal(byte, 0x00);
    assert_string_equal(flash_sim_violation(sim), "");
    flash_sim_restore(sim, before);
    assert_true(flash_sim_equals(sim, before));
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(sim_read(sim, 64, &byte, 1), 0);
    assert_int_equal(byte, 0xFF);
    flash_snapshot_free(sim, before);
    flash_sim_close(sim);
}

static void test_used_word_is_lost_on_a_stuck_sector_with_ecc(void **state)
{
    struct flash_sim *sim = one_chip(&part_ecc);
    uint8_t bytes[8];
    (void)state;
    fill(sim, 0, 0x0F, 16);
    assert_int_equal(flash_sim_miss_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 0, "abcdefg", 8), 0);
    assert_int_equal(sim_read(sim, 0, bytes, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_erase(sim, 0), 0); /* this one has its effect */
    assert_int_equal(sim_read(sim, 0, bytes, 8), 0);
    assert_int_equal(bytes[0], 0xFF);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(flash_sim_stick_sector(sim, i * 128), 0);
    assert_int_equal(flash_sim_stick_sector(sim, 512), OTA_E_FLASH_BOUNDS);
    flash_sim_close(sim);
}

static void test_failures(void **state)
{
    struct flash_failing failing;
    uint8_t data[16] = {0};
    uint8_t bytes[16];
    (void)state;
    for (int kind = FLASH_FAIL_ERROR; kind <= FLASH_FAIL_PARTIAL; kind++) {
        struct flash_sim *sim = one_chip(&part_any);
        flash_failing_init(&failing, sim);
        const struct flash_port *port = &failing.port;
        fill(sim, 64, 0x00, 16);
        flash_failing_arm(&failing, 1, (enum flash_failure)kind);
        assert_int_equal(port->program(port->context, 0, data, 16),
                         kind == FLASH_FAIL_ERROR ? OTA_E_FLASH_PROGRAM : 0);
        assert_true(failing.fired);
        assert_int_equal(sim_read(sim, 0, bytes, 16), 0);
        assert_int_equal(bytes[0], kind == FLASH_FAIL_PARTIAL ? 0x00 : 0xFF);
        assert_int_equal(bytes[8], 0xFF);
        flash_failing_arm(&failing, flash_sim_op_count(sim), (enum flash_failure)kind);
        assert_int_equal(port->erase(port->context, 64),
                         kind == FLASH_FAIL_ERROR ? OTA_E_FLASH_ERASE : 0);
        assert_int_equal(sim_read(sim, 64, bytes, 1), 0);
        assert_int_equal(bytes[0], 0x00);
        assert_int_equal(port->erase(port->context, 64), 0);
        assert_int_equal(sim_read(sim, 64, bytes, 1), 0);
        assert_int_equal(bytes[0], 0xFF);
        flash_sim_close(sim);
    }
}

static void test_rows_count_programs(void **state)
{
    struct flash_part part = part_any;
    uint8_t data = 0x00;
    (void)state;
    part.programs = 3;
    part.row = 32;
    struct flash_sim *sim = one_chip(&part);
    for (uint32_t at = 0; at < 3; at++)
        assert_int_equal(sim_program(sim, at, &data, 1), 0);
    assert_int_equal(sim_program(sim, 31, &data, 1), OTA_E_FLASH_PROGRAM);
    assert_non_null(strstr(flash_sim_violation(sim), "this row was programmed 3 times"));
    assert_int_equal(sim_program(sim, 32, &data, 1), 0);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 31, &data, 1), 0);
    flash_sim_close(sim);
}

static void test_overstress(void **state)
{
    struct flash_part part = part_any;
    uint8_t data = 0xFE;
    uint8_t erased = 0xFF;
    (void)state;
    part.overstress = true;
    struct flash_sim *sim = one_chip(&part);
    assert_int_equal(sim_program(sim, 0, &erased, 1), 0);
    assert_int_equal(sim_program(sim, 0, &data, 1), 0);
    assert_int_equal(sim_program(sim, 0, &data, 1), OTA_E_FLASH_PROGRAM); /* other parts allow it */
    assert_non_null(strstr(flash_sim_violation(sim), "programs bits again"));
    assert_int_equal(sim_program(sim, 1, &data, 1), 0);
    flash_sim_close(sim);
}

static void test_maximum_times(void **state)
{
    struct flash_part part = part_any;
    struct flash_stats stats;
    (void)state;
    part.t_program_max_us = 300;
    struct flash_sim *sim = one_chip(&part);
    fill(sim, 0, 0x00, 32);
    assert_int_equal(sim_erase(sim, 0), 0); /* no maximum is known: the typical time */
    flash_sim_stats(sim, &stats);
    assert_int_equal(stats.modelled_us, 2 * 100 + 1000);
    assert_int_equal(stats.modelled_max_us, 2 * 300 + 1000);
    flash_sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weak_units_take_turns),
        cmocka_unit_test(test_weak_words_with_ecc_fail),
        cmocka_unit_test(test_what_cannot_be_read_is_found),
        cmocka_unit_test(test_weak_marks_and_turns_are_state),
        cmocka_unit_test(test_weak_tears),
        cmocka_unit_test(test_disturb_hits_the_window),
        cmocka_unit_test(test_stuck_sector_keeps_its_bits),
        cmocka_unit_test(test_used_word_is_lost_on_a_stuck_sector_with_ecc),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_rows_count_programs),
        cmocka_unit_test(test_overstress),
        cmocka_unit_test(test_maximum_times),
    };
    return cmocka_run_group_tests_name("flashsim/weak", tests, NULL, NULL);
}

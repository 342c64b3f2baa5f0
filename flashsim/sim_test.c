#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint8_t zeros[512];
static uint8_t ones[512];

static uint64_t violations(const struct flash_sim *sim)
{
    struct flash_stats stats;
    flash_sim_stats(sim, &stats);
    return stats.violations;
}

/* One refused call: right code, nothing changed, counted, no operation, and said in words. */
static void assert_refused(struct flash_sim *sim, int error, int expected, uint64_t before,
                           const char *words)
{
    assert_int_equal(error, expected);
    assert_int_equal(violations(sim), before + 1);
    assert_int_equal(flash_sim_op_count(sim), 0);
    if (strstr(flash_sim_violation(sim), words) == NULL) {
        fail_msg("'%s' lacks '%s'", flash_sim_violation(sim), words);
    }
}

static void test_starts_erased(void **state)
{
    (void)state;
    const struct flash_part *parts[] = {&part_any, &part_ecc, &part_twice, &part_zero, &part_row};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        struct flash_sim *sim = one_chip(parts[p]);
        assert_int_equal(flash_sim_size(sim), parts[p]->size);
        for (uint32_t at = 0; at < parts[p]->size; at++) {
            uint8_t byte = 0x5A;
            assert_int_equal(sim_read(sim, at, &byte, 1), 0);
            assert_int_equal(byte, parts[p]->erased);
        }
        assert_string_equal(flash_sim_violation(sim), "");
        flash_sim_close(sim);
    }
}

static void test_bad_chips(void **state)
{
    (void)state;
    struct flash_chip chips[2] = {{part_any, 0}, {part_any, 255}};
    assert_null(flash_sim_memory(chips, 0));
    assert_null(flash_sim_memory(chips, 2));
    chips[1].start = 256;
    struct flash_sim *sim = flash_sim_memory(chips, 2);
    assert_non_null(sim);
    const struct flash_chip *out;
    assert_int_equal(flash_sim_chips(sim, &out), 2);
    assert_int_equal(out[1].start, 256);
    flash_sim_close(sim);
    /* A chip has to begin on a multiple of its own page. */
    chips[0].part = part_twice;
    chips[1].start = 160;
    chips[1].part.page = 64;
    assert_null(flash_sim_memory(chips, 2));
}

static void test_bounds(void **state)
{
    (void)state;
    struct flash_chip chips[2] = {{part_any, 0}, {part_twice, 256}};
    struct flash_sim *sim = flash_sim_memory(chips, 2);
    uint8_t data[512] = {0};
    assert_int_equal(sim_read(sim, 0, data, 416), 0);
    assert_int_equal(sim_read(sim, 416, data, 0), 0);
    assert_refused(sim, sim_read(sim, 0, data, 417), OTA_E_FLASH_BOUNDS, 0, "outside");
    assert_refused(sim, sim_read(sim, UINT32_MAX, data, 2), OTA_E_FLASH_BOUNDS, 1, "outside");
    assert_refused(sim, sim_program(sim, 416, data, 4), OTA_E_FLASH_BOUNDS, 2, "outside");
    assert_refused(sim, sim_program(sim, 412, data, 8), OTA_E_FLASH_BOUNDS, 3, "outside");
    assert_refused(sim, sim_erase(sim, 416), OTA_E_FLASH_BOUNDS, 4, "outside");
    assert_refused(sim, sim_program(sim, 255, data, 2), OTA_E_FLASH_BOUNDS, 5, "end of its chip");
    assert_refused(sim, sim_program(sim, 4, data, 0), OTA_E_ARGUMENT, 6, "0 bytes");
    struct flash_sector sector;
    const struct flash_port *port = flash_sim_port(sim);
    assert_int_equal(port->sector(port->context, 416, &sector), OTA_E_FLASH_BOUNDS);
    assert_int_equal(port->sector(port->context, 415, &sector), 0);
    assert_int_equal(sector.start, 320);
    assert_int_equal(sector.size, 96);
    assert_int_equal(sector.unit, 4);
    assert_int_equal(sector.page, 0);
    assert_int_equal(port->sector(port->context, 255, &sector), 0);
    assert_int_equal(sector.start, 192);
    assert_int_equal(sector.page, 16);
    assert_int_equal(sector.erased, 0xFF);
    flash_sim_close(sim);
}

static void test_alignment_and_pages(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_refused(sim, sim_program(sim, 4, zeros, 8), OTA_E_FLASH_ALIGN, 0, "units of 8");
    assert_refused(sim, sim_program(sim, 8, zeros, 12), OTA_E_FLASH_ALIGN, 1, "units of 8");
    assert_refused(sim, sim_erase(sim, 8), OTA_E_FLASH_ALIGN, 2, "start of a sector");
    assert_refused(sim, sim_erase(sim, 127), OTA_E_FLASH_ALIGN, 3, "start of a sector");
    assert_int_equal(sim_program(sim, 120, zeros, 16), 0); /* over a sector's end */
    flash_sim_close(sim);

    sim = one_chip(&part_any);
    assert_refused(sim, sim_program(sim, 15, zeros, 2), OTA_E_FLASH_ALIGN, 0, "page of 16");
    assert_refused(sim, sim_program(sim, 0, zeros, 17), OTA_E_FLASH_ALIGN, 1, "page of 16");
    assert_int_equal(sim_program(sim, 16, zeros, 16), 0);
    flash_sim_close(sim);
}

static void test_bits_move_one_way(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    uint8_t old[11] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0, 0xFF, 0x0F, 0xFF};
    uint8_t new[11] = {0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF8, 0xFF, 0x0F, 0xFF};
    uint8_t now[11];
    assert_int_equal(flash_sim_put(sim, 3, old, sizeof old), 0);
    assert_refused(sim, sim_program(sim, 3, new, sizeof new), OTA_E_FLASH_PROGRAM, 0,
                   "0x0000000a: 0xf8 over 0xf0");
    assert_int_equal(sim_read(sim, 3, now, sizeof now), 0);
    assert_memory_equal(now, old, sizeof old);
    new[7] = 0xC0;
    new[9] = 0x1F; /* in the tail that is no whole word */
    assert_refused(sim, sim_program(sim, 3, new, sizeof new), OTA_E_FLASH_PROGRAM, 1,
                   "0x0000000c: 0x1f over 0x0f");
    new[9] = 0x08;
    assert_int_equal(sim_program(sim, 3, new, sizeof new), 0);
    assert_int_equal(sim_read(sim, 3, now, sizeof now), 0);
    assert_memory_equal(now, new, sizeof new);
    flash_sim_close(sim);

    sim = one_chip(&part_zero);
    const uint8_t first[8] = {0x01, 0, 0, 0, 0, 0, 0, 0x80};
    const uint8_t less[8] = {0x01, 0, 0, 0, 0, 0, 0, 0x00};
    assert_int_equal(flash_sim_put(sim, 64, first, 4), 0);
    assert_int_equal(sim_program(sim, 68, first + 4, 4), 0);
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 68, less + 4, 4), OTA_E_FLASH_PROGRAM, 0, "1 times");
    flash_sim_close(sim);
}

static void test_zero_part_bits(void **state)
{
    (void)state;
    struct flash_part part = part_zero;
    part.programs = FLASH_PROGRAMS_ANY;
    struct flash_sim *sim = one_chip(&part);
    const uint8_t first[8] = {0x11, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t more[8] = {0x31, 0xFF, 3, 4, 5, 6, 7, 8};
    const uint8_t less[8] = {0x31, 0xFF, 3, 0, 5, 6, 7, 8};
    assert_int_equal(sim_program(sim, 0, first, 8), 0);
    assert_int_equal(sim_program(sim, 0, more, 8), 0);
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 0, less, 8), OTA_E_FLASH_PROGRAM, 0,
                   "0x00000003: 0x00 over 0x04");
    flash_sim_close(sim);
}

static void test_programs_are_counted(void **state)
{
    (void)state;
    uint8_t data[32];
    memset(data, 0xF0, sizeof data);
    struct flash_sim *sim = one_chip(&part_twice);
    assert_int_equal(sim_program(sim, 0, data, 32), 0);
    assert_int_equal(sim_program(sim, 4, ones, 4), OTA_E_FLASH_PROGRAM); /* brings bits back */
    assert_int_equal(sim_program(sim, 4, data, 4), 0);
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 4, data, 4), OTA_E_FLASH_PROGRAM, 1,
                   "0x00000004: this unit was programmed 2 times since its erase, twice allows 2");
    assert_refused(sim, sim_program(sim, 0, data, 32), OTA_E_FLASH_PROGRAM, 2, "0x00000004");
    assert_int_equal(sim_program(sim, 8, data, 24), 0);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 0, data, 32), 0);
    flash_sim_close(sim);
}

/* The STM32L4's trap: all ones use a double word up although it still reads erased. */
static void test_write_once(void **state)
{
    (void)state;
    uint8_t data[128];
    memset(data, 0xF0, sizeof data);
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_int_equal(sim_program(sim, 0, data, 128), 0);
    assert_int_equal(sim_program(sim, 136, ones, 8), 0);
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 136, data, 8), OTA_E_FLASH_PROGRAM, 0, "1 times");
    assert_refused(sim, sim_program(sim, 8, data, 8), OTA_E_FLASH_PROGRAM, 1, "1 times");
    /* All zero is accepted, again and again, and for that unit only. */
    assert_int_equal(sim_program(sim, 8, zeros, 8), 0);
    assert_int_equal(sim_program(sim, 8, zeros, 8), 0);
    flash_sim_restart_count(sim);
    memset(data + 8, 0, 8);
    assert_refused(sim, sim_program(sim, 8, data, 16), OTA_E_FLASH_PROGRAM, 2, "0x00000008");
    assert_refused(sim, sim_program(sim, 8, data + 8, 16), OTA_E_FLASH_PROGRAM, 3, "0x00000010");
    for (int i = 0; i < 300; i++) {
        assert_int_equal(sim_program(sim, 0, zeros, 128), 0);
    }
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 24, data, 8), OTA_E_FLASH_PROGRAM, 4,
                   "programmed 127 times"); /* the count stands still there */
    flash_sim_close(sim);

    sim = one_chip(&part_row);
    assert_int_equal(sim_program(sim, 64, zeros, 64), 0); /* the erased value counts as well */
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 64, ones, 64), OTA_E_FLASH_PROGRAM, 0, "1 times");
    assert_refused(sim, sim_program(sim, 0, ones, 32), OTA_E_FLASH_ALIGN, 1, "units of 64");
    flash_sim_close(sim);
}

static void test_faults(void **state)
{
    (void)state;
    uint8_t data[128];
    memset(data, 0x12, sizeof data);
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_int_equal(sim_program(sim, 0, data, 24), 0);
    assert_int_equal(flash_sim_break_unit(sim, 13), 0);
    assert_int_equal(flash_sim_break_unit(sim, 512), OTA_E_FLASH_BOUNDS);
    assert_int_equal(sim_read(sim, 0, data, 8), 0);
    assert_int_equal(sim_read(sim, 0, data, 9), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 15, data, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 16, data, 112), 0);
    assert_int_equal(sim_read(sim, 0, data, 128), OTA_E_FLASH_READ);
    assert_int_equal(flash_sim_peek(sim, 0, data, 24), 0);
    assert_int_equal(data[12], 0x12);
    flash_sim_restart_count(sim);
    assert_refused(sim, sim_program(sim, 8, zeros, 8), OTA_E_FLASH_PROGRAM, 0, "cannot be read");
    assert_int_equal(sim_erase(sim, 128), 0);
    assert_int_equal(sim_read(sim, 8, data, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_read(sim, 0, data, 128), 0);
    assert_memory_equal(data, ones, 128);
    flash_sim_close(sim);

    sim = one_chip(&part_twice); /* no ECC: the program unit */
    assert_int_equal(flash_sim_break_unit(sim, 66), 0);
    assert_int_equal(sim_read(sim, 0, data, 64), 0);
    assert_int_equal(sim_read(sim, 67, data, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 68, data, 92), 0);
    flash_sim_close(sim);
}

static void test_put(void **state)
{
    (void)state;
    uint8_t data[16];
    memset(data, 0xFF, sizeof data);
    data[15] = 0;
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_int_equal(flash_sim_put(sim, 505, data, 8), OTA_E_FLASH_BOUNDS);
    assert_int_equal(flash_sim_put(sim, 0, data, 16), 0);
    assert_int_equal(flash_sim_op_count(sim), 0);
    assert_int_equal(sim_program(sim, 8, ones, 8), OTA_E_FLASH_PROGRAM); /* holds a byte */
    assert_int_equal(sim_program(sim, 0, ones, 8), 0);                   /* was put erased */
    /* Over what cannot be read, and over an edge of units and sectors. */
    assert_int_equal(flash_sim_break_unit(sim, 128), 0);
    assert_int_equal(flash_sim_put(sim, 125, zeros, 11), 0);
    assert_int_equal(sim_read(sim, 120, data, 16), 0);
    assert_int_equal(data[4], 0xFF);
    assert_int_equal(data[5], 0x00);
    assert_int_equal(data[15], 0x00);
    assert_int_equal(sim_program(sim, 120, ones, 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(flash_sim_erases_at(sim, 0), 0);
    flash_sim_close(sim);
}

struct log {
    struct flash_op ops[8];
    size_t count;
    uint32_t cut_at;
    enum flash_tear tear;
    uint8_t seen; /* first byte of data or of old content, read during the call */
};

static enum flash_tear observe(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct log *log = context;
    log->ops[log->count++] = *op;
    assert_int_equal(flash_sim_peek(sim, op->address, &log->seen, 1), 0);
    return op->index == log->cut_at ? log->tear : FLASH_TEAR_NONE;
}

static void test_observer_and_power(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    struct log log = {.cut_at = 2, .tear = FLASH_TEAR_AFTER};
    const uint8_t data[2] = {0x11, 0x22};
    uint8_t now[2];
    flash_sim_observe(sim, observe, &log);
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(sim_program(sim, 3, data, 2), 0);
    assert_int_equal(log.seen, 0xFF); /* before it takes effect */
    assert_int_equal(sim_program(sim, 1, data, 100), OTA_E_FLASH_ALIGN);
    assert_int_equal(sim_program(sim, 70, data, 2), OTA_E_POWER);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.ops[0].kind, FLASH_OP_ERASE);
    assert_int_equal(log.ops[0].address, 64);
    assert_int_equal(log.ops[0].length, 64);
    assert_int_equal(log.ops[1].kind, FLASH_OP_PROGRAM);
    assert_int_equal(log.ops[1].address, 3);
    assert_int_equal(log.ops[1].length, 2);
    assert_int_equal(log.ops[2].index, 2);
    assert_int_equal(flash_sim_op_count(sim), 3);
    assert_true(flash_sim_is_off(sim));

    const struct flash_port *port = flash_sim_port(sim);
    struct flash_sector sector;
    uint64_t before = violations(sim);
    assert_int_equal(sim_read(sim, 0, now, 2), OTA_E_POWER);
    assert_int_equal(sim_program(sim, 1, data, 100), OTA_E_POWER);
    assert_int_equal(sim_erase(sim, 1), OTA_E_POWER);
    assert_int_equal(port->sync(port->context), OTA_E_POWER);
    assert_int_equal(port->sector(port->context, 0, &sector), OTA_E_POWER);
    assert_int_equal(violations(sim), before);
    assert_int_equal(flash_sim_op_count(sim), 3);

    flash_sim_power_on(sim);
    assert_false(flash_sim_is_off(sim));
    assert_int_equal(port->sync(port->context), 0);
    assert_int_equal(sim_read(sim, 70, now, 2), 0);
    assert_memory_equal(now, data, 2);
    flash_sim_restart_count(sim);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(log.ops[3].index, 0);
    flash_sim_close(sim);
}

static void test_stats(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    assert_int_equal(sim_program(sim, 0, zeros, 16), 0); /* 100 us */
    assert_int_equal(sim_program(sim, 17, zeros, 1), 0); /* 100 us */
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(sim_erase(sim, 192), 0);
    assert_int_equal(sim_erase(sim, 192), 0);
    struct log log = {.cut_at = 5, .tear = FLASH_TEAR_BEFORE};
    flash_sim_observe(sim, observe, &log);
    assert_int_equal(sim_erase(sim, 192), OTA_E_POWER); /* never begun: no wear */
    flash_sim_power_on(sim);
    log = (struct log){.cut_at = 6, .tear = FLASH_TEAR_LOWER};
    assert_int_equal(sim_erase(sim, 192), OTA_E_POWER);
    struct flash_stats stats;
    flash_sim_stats(sim, &stats);
    assert_int_equal(stats.programs, 2);
    assert_int_equal(stats.program_bytes, 17);
    assert_int_equal(stats.erases, 4);
    assert_int_equal(stats.modelled_us, 200 + 4000);
    assert_int_equal(stats.violations, 0);
    assert_int_equal(stats.most_erases, 3);
    assert_int_equal(stats.most_erases_at, 192);
    assert_int_equal(flash_sim_erases_at(sim, 255), 3);
    assert_int_equal(flash_sim_erases_at(sim, 127), 1);
    assert_int_equal(flash_sim_erases_at(sim, 0), 0);
    assert_int_equal(flash_sim_erases_at(sim, 256), 0);
    flash_sim_close(sim);
}

/* A program over blocks and an erase of a sector that is several blocks. */
static void test_large_sectors(void **state)
{
    (void)state;
    static uint8_t data[20000 / 16 * 16];
    static uint8_t now[sizeof data];
    struct flash_sim *sim = one_chip(&part_large);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 7 % 251);
    }
    assert_int_equal(sim_program(sim, 16384 + 4080, data, sizeof data), 0);
    assert_int_equal(sim_read(sim, 16384 + 4080, now, sizeof now), 0);
    assert_memory_equal(now, data, sizeof data);
    assert_int_equal(sim_program(sim, 2 * 16384, data, 16), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_erase(sim, 16384), 0);
    assert_int_equal(sim_read(sim, 16384, now, 16384), 0);
    for (size_t i = 0; i < 16384; i++) {
        assert_int_equal(now[i], 0xFF);
    }
    assert_int_equal(sim_read(sim, 2 * 16384, now, 16), 0);
    assert_memory_equal(now, data + 16384 - 4080, 16);
    assert_int_equal(sim_program(sim, 16384, data, 16384), 0);
    flash_sim_close(sim);
}

int main(void)
{
    memset(ones, 0xFF, sizeof ones);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_erased),
        cmocka_unit_test(test_bad_chips),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_alignment_and_pages),
        cmocka_unit_test(test_bits_move_one_way),
        cmocka_unit_test(test_zero_part_bits),
        cmocka_unit_test(test_programs_are_counted),
        cmocka_unit_test(test_write_once),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_observer_and_power),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_large_sectors),
    };
    return cmocka_run_group_tests_name("flashsim/sim", tests, NULL, NULL);
}

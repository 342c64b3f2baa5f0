#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Does one operation with that tear, and turns the power on again. */
static void torn_program(struct flash_sim *sim, enum flash_tear tear, uint32_t address,
                         const void *data, uint32_t length)
{
    flash_sim_observe(sim, tear_at_once, &tear);
    assert_int_equal(sim_program(sim, address, data, length), OTA_E_POWER);
    assert_true(flash_sim_is_off(sim));
    flash_sim_power_on(sim);
    flash_sim_observe(sim, NULL, NULL);
}

static void torn_erase(struct flash_sim *sim, enum flash_tear tear, uint32_t address)
{
    flash_sim_observe(sim, tear_at_once, &tear);
    assert_int_equal(sim_erase(sim, address), OTA_E_POWER);
    flash_sim_power_on(sim);
    flash_sim_observe(sim, NULL, NULL);
}

static void assert_content(struct flash_sim *sim, uint32_t address, const char *bytes,
                           uint32_t length)
{
    uint8_t now[512];
    assert_int_equal(flash_sim_peek(sim, address, now, length), 0);
    assert_memory_equal(now, bytes, length);
}

static void assert_tears(struct flash_sim *sim, const struct flash_op *op, const char *words)
{
    enum flash_tear tears[FLASH_TEAR_COUNT];
    char text[160] = "";
    size_t count = flash_sim_tears(sim, op, tears);
    for (size_t i = 0; i < count; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, flash_tear_word(tears[i]));
    }
    assert_string_equal(text, words);
}

static void test_words(void **state)
{
    (void)state;
    for (int tear = 0; tear < FLASH_TEAR_COUNT; tear++) {
        const char *word = flash_tear_word((enum flash_tear)tear);
        assert_int_equal(flash_tear_from_word(word, strlen(word)), tear);
    }
    assert_string_equal(flash_tear_word(FLASH_TEAR_BITS_ODD), "bits-odd");
    assert_null(flash_tear_word(FLASH_TEAR_COUNT));
    assert_int_equal(flash_tear_from_word("bits", 4), FLASH_TEAR_COUNT);
    assert_int_equal(flash_tear_from_word("afterwards", 5), FLASH_TEAR_AFTER);
}

/* What a program of 4 units (of 1 byte, over 0xFF and partly programmed) leaves. */
static void test_program_on_ff(void **state)
{
    (void)state;
    static const struct {
        enum flash_tear tear;
        const char *left;
    } cases[] = {
        {FLASH_TEAR_BEFORE, "\xFF\xF0\xFF\xFF"},      {FLASH_TEAR_FIRST, "\x11\xF0\xFF\xFF"},
        {FLASH_TEAR_HALF, "\x11\x20\xFF\xFF"},        {FLASH_TEAR_LAST, "\x11\x20\x33\xFF"},
        {FLASH_TEAR_BITS_ODD, "\x11\x20\x77\xFF"},    {FLASH_TEAR_BITS_EVEN, "\x11\x20\xBB\xFF"},
        {FLASH_TEAR_BIT0, "\x11\x20\x33\xFF"},        {FLASH_TEAR_AFTER, "\x11\x20\x33\x44"},
        {FLASH_TEAR_FAULT, "\xFF\xF0\xFF\xFF"},       {FLASH_TEAR_LOWER, "\xFF\xF0\xFF\xFF"},
        {FLASH_TEAR_ERASE_FAULT, "\xFF\xF0\xFF\xFF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flash_sim *sim = one_chip(&part_any);
        assert_int_equal(sim_program(sim, 9, "\xF0", 1), 0);
        torn_program(sim, cases[i].tear, 8, "\x11\x20\x33\x44", 4);
        assert_content(sim, 7, "\xFF", 1);
        assert_content(sim, 8, cases[i].left, 4);
        assert_content(sim, 12, "\xFF", 1);
        flash_sim_close(sim);
    }
}

/* Units of 4 over 0x00; an odd number of them: 1 whole, the second torn. */
static void test_program_on_zero(void **state)
{
    (void)state;
    static const struct {
        enum flash_tear tear;
        const char *left;
    } cases[] = {
        {FLASH_TEAR_BEFORE, "\0\0\0\0\0\0\0\0\0\0\0\0"},
        {FLASH_TEAR_FIRST, "\x12\x34\x56\x78\0\0\0\0\0\0\0\0"},
        {FLASH_TEAR_HALF, "\x12\x34\x56\x78\0\0\0\0\0\0\0\0"},
        {FLASH_TEAR_LAST, "\x12\x34\x56\x78\xFF\x0F\x03\x01\0\0\0\0"},
        {FLASH_TEAR_BITS_ODD, "\x12\x34\x56\x78\xAA\x0A\x02\x00\0\0\0\0"},
        {FLASH_TEAR_BITS_EVEN, "\x12\x34\x56\x78\x55\x05\x01\x01\0\0\0\0"},
        {FLASH_TEAR_BIT0, "\x12\x34\x56\x78\xFE\x0E\x02\x00\0\0\0\0"},
        {FLASH_TEAR_AFTER, "\x12\x34\x56\x78\xFF\x0F\x03\x01\x9A\xBC\xDE\xF0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flash_sim *sim = one_chip(&part_zero);
        torn_program(sim, cases[i].tear, 64, "\x12\x34\x56\x78\xFF\x0F\x03\x01\x9A\xBC\xDE\xF0",
                     12);
        assert_content(sim, 64, cases[i].left, 12);
        uint8_t now[12];
        assert_int_equal(sim_read(sim, 64, now, 12), 0);
        flash_sim_close(sim);
    }
}

/* A whole row of 64 is one unit: it can only be torn inside. */
static void test_program_row(void **state)
{
    (void)state;
    uint8_t row[64];
    memset(row, 0xC3, sizeof row);
    struct flash_sim *sim = one_chip(&part_row);
    struct flash_op op = {.kind = FLASH_OP_PROGRAM, .address = 64, .length = 64, .data = row};
    assert_tears(sim, &op, "before bits-odd bits-even bit0 after");
    torn_program(sim, FLASH_TEAR_BITS_ODD, 64, row, 64);
    uint8_t now[64];
    assert_int_equal(sim_read(sim, 64, now, 64), 0);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(now[i], 0x82);
    }
    flash_sim_close(sim);
}

/* The torn unit's code word cannot be read; with a code word of two units neither can the other. */
static void test_program_fault(void **state)
{
    (void)state;
    uint8_t now[32];
    const char *data = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10";
    struct flash_sim *sim = one_chip(&part_zero);
    torn_program(sim, FLASH_TEAR_FAULT, 4, data, 12); /* units at 4, 8, 12; torn: 8 */
    assert_int_equal(sim_read(sim, 0, now, 8), 0);
    assert_memory_equal(now, "\0\0\0\0\x01\x02\x03\x04", 8);
    assert_int_equal(sim_read(sim, 8, now, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 15, now, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 16, now, 16), 0);
    assert_int_equal(sim_program(sim, 12, data, 4), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 16, data, 4), 0);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 8, data, 4), 0);
    flash_sim_close(sim);
}

/* What landed counts as programmed; a torn unit does when its bytes changed. */
static void test_counts_after_tears(void **state)
{
    (void)state;
    const uint8_t data[32] = {0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE,
                              0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE};
    struct flash_sim *sim = one_chip(&part_ecc);
    torn_program(sim, FLASH_TEAR_HALF, 0, data, 32); /* units 0, 1 */
    assert_int_equal(sim_program(sim, 8, data, 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 16, data, 8), 0);
    /* 0xFE differs from 0xFF in bit 0 only: without it nothing changes. */
    torn_program(sim, FLASH_TEAR_BIT0, 32, data, 8);
    assert_int_equal(sim_program(sim, 32, data, 8), 0);
    torn_program(sim, FLASH_TEAR_BITS_EVEN, 40, data, 8);
    assert_int_equal(sim_program(sim, 40, data, 8), OTA_E_FLASH_PROGRAM);
    torn_program(sim, FLASH_TEAR_BEFORE, 48, data, 8);
    assert_int_equal(sim_program(sim, 48, data, 8), 0);
    torn_program(sim, FLASH_TEAR_AFTER, 56, data, 8);
    assert_int_equal(sim_program(sim, 56, data, 8), OTA_E_FLASH_PROGRAM);
    flash_sim_close(sim);
}

static void test_erase_halves(void **state)
{
    (void)state;
    const struct flash_part *parts[] = {&part_any, &part_zero, &part_row};
    static const struct {
        enum flash_tear tear;
        bool lower; /* erased */
        bool upper;
    } cases[] = {
        {FLASH_TEAR_BEFORE, false, false},
        {FLASH_TEAR_LOWER, true, false},
        {FLASH_TEAR_UPPER, false, true},
        {FLASH_TEAR_AFTER, true, true},
    };
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct flash_sim *sim = one_chip(parts[p]);
            uint8_t old[192];
            uint8_t now[192];
            memset(old, 0x5A, sizeof old);
            assert_int_equal(flash_sim_put(sim, 0, old, sizeof old), 0);
            torn_erase(sim, cases[i].tear, 64);
            assert_int_equal(sim_read(sim, 0, now, sizeof now), 0);
            memset(old + 64, cases[i].lower ? parts[p]->erased : 0x5A, 32);
            memset(old + 96, cases[i].upper ? parts[p]->erased : 0x5A, 32);
            assert_memory_equal(now, old, sizeof now);
            flash_sim_close(sim);
        }
    }
}

/* Units of the erased half are free again; a row that was erased by half is not. */
static void test_counts_after_torn_erase(void **state)
{
    (void)state;
    uint8_t data[128] = {0};
    struct flash_sim *sim = one_chip(&part_zero);
    memset(data, 0x77, sizeof data);
    assert_int_equal(flash_sim_put(sim, 0, data, 64), 0);
    torn_erase(sim, FLASH_TEAR_UPPER, 0);
    assert_int_equal(sim_program(sim, 28, data, 4), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 32, data, 32), 0);
    flash_sim_close(sim);

    sim = one_chip(&part_row);
    assert_int_equal(flash_sim_put(sim, 0, data, 64), 0);
    torn_erase(sim, FLASH_TEAR_LOWER, 0);
    assert_int_equal(sim_program(sim, 0, data, 64), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 0, data, 64), 0);
    flash_sim_close(sim);
}

static void test_erase_fault(void **state)
{
    (void)state;
    uint8_t data[128];
    uint8_t now[128];
    memset(data, 0x77, sizeof data);
    struct flash_sim *sim = one_chip(&part_ecc);
    assert_int_equal(sim_program(sim, 128, data, 128), 0);
    torn_erase(sim, FLASH_TEAR_ERASE_FAULT, 128);
    assert_int_equal(sim_read(sim, 128, now, 64), 0);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(now[i], 0xFF);
    }
    for (uint32_t at = 192; at < 256; at++) {
        assert_int_equal(sim_read(sim, at, now, 1), OTA_E_FLASH_READ);
    }
    assert_int_equal(sim_read(sim, 256, now, 128), 0);
    assert_int_equal(flash_sim_erases_at(sim, 128), 1);
    /* Half an erase makes its half readable. */
    torn_erase(sim, FLASH_TEAR_UPPER, 128);
    assert_int_equal(sim_read(sim, 128, now, 128), 0);
    assert_int_equal(sim_program(sim, 128, data, 128), 0);
    flash_sim_close(sim);

    sim = one_chip(&part_large); /* several blocks */
    assert_int_equal(flash_sim_put(sim, 16384, data, 128), 0);
    torn_erase(sim, FLASH_TEAR_ERASE_FAULT, 16384);
    assert_int_equal(sim_read(sim, 16384 + 8191, now, 1), 0);
    assert_int_equal(sim_read(sim, 16384 + 8192, now, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 32767, now, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 32768, now, 1), 0);
    flash_sim_close(sim);
}

static void test_list_program(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    struct flash_op op = {.kind = FLASH_OP_PROGRAM, .address = 0, .length = 4};
    op.data = (const uint8_t *)"\x10\x22\x32\x44";
    assert_tears(sim, &op, "before first half last bits-odd bits-even bit0 after");
    op.length = 3; /* half is the same as first, unit 1 torn */
    assert_tears(sim, &op, "before first last bits-odd bits-even bit0 after");
    op.length = 2; /* last is the same as first */
    assert_tears(sim, &op, "before first bits-odd bits-even bit0 after");
    op.length = 1;
    assert_tears(sim, &op, "before bits-odd bits-even bit0 after");
    op.data = (const uint8_t *)"\xFE"; /* bit 0 only: odd bits and bit0 leave the old */
    assert_tears(sim, &op, "before after");
    op.data = (const uint8_t *)"\xFD"; /* bit 1 only */
    assert_tears(sim, &op, "before after");
    op.data = (const uint8_t *)"\xFC"; /* odd leaves FD, even FE, bit0 FD as well */
    assert_tears(sim, &op, "before bits-odd bits-even after");
    op.data = (const uint8_t *)"\xFF";
    assert_tears(sim, &op, "before after");
    op.length = 4; /* only the last unit changes anything */
    op.data = (const uint8_t *)"\xFF\xFF\xFF\x00";
    assert_tears(sim, &op, "before after");
    op.data = (const uint8_t *)"\x00\xFF\xFF\xFF";
    assert_tears(sim, &op, "before after");
    op.data = (const uint8_t *)"\xFF\xFF\x00\xFF";
    assert_tears(sim, &op, "before bits-odd bits-even bit0 after");
    /* The present content counts, not the erased value. */
    assert_int_equal(sim_program(sim, 2, "\x0E", 1), 0);
    assert_tears(sim, &op, "before bits-odd bits-even after");
    flash_sim_close(sim);

    sim = one_chip(&part_ecc);
    uint8_t data[32] = {0};
    op = (struct flash_op){.kind = FLASH_OP_PROGRAM, .address = 120, .length = 32, .data = data};
    assert_tears(sim, &op, "before first half last bits-odd bits-even bit0 fault after");
    op.address = 508; /* no such operation: nothing to tear */
    assert_tears(sim, &op, "before after");
    flash_sim_close(sim);
}

static void test_list_erase(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_any);
    struct flash_op op = {.kind = FLASH_OP_ERASE, .address = 64, .length = 64};
    assert_tears(sim, &op, "before after");
    assert_int_equal(flash_sim_put(sim, 127, "\x7F", 1), 0);
    assert_tears(sim, &op, "before after"); /* lower is before, upper is after */
    assert_int_equal(flash_sim_put(sim, 64, "\x7F", 1), 0);
    assert_tears(sim, &op, "before lower upper after");
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(flash_sim_put(sim, 65, "\x7F", 1), 0);
    assert_tears(sim, &op, "before after");
    assert_int_equal(flash_sim_break_unit(sim, 100), 0); /* readability is an outcome, too */
    assert_tears(sim, &op, "before lower upper after");
    flash_sim_close(sim);

    sim = one_chip(&part_ecc);
    op = (struct flash_op){.kind = FLASH_OP_ERASE, .address = 128, .length = 128};
    assert_tears(sim, &op, "before erase-fault after");
    assert_int_equal(sim_program(sim, 128, "12345678", 8), 0);
    torn_erase(sim, FLASH_TEAR_ERASE_FAULT, 128);
    assert_tears(sim, &op, "before after"); /* all of it is broken already */
    assert_int_equal(sim_program(sim, 128, "12345678", 8), 0);
    assert_tears(sim, &op, "before lower upper after");
    flash_sim_close(sim);
}

/* Every listed outcome really differs from every other one. */
static void test_listed_outcomes_differ(void **state)
{
    (void)state;
    const struct flash_part *parts[] = {&part_any, &part_ecc, &part_twice, &part_zero};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        struct flash_sim *sim = one_chip(parts[p]);
        uint8_t data[16];
        memset(data, parts[p]->erased ^ 0x3C, sizeof data);
        data[5] = parts[p]->erased;
        struct flash_op op = {.kind = FLASH_OP_PROGRAM, .length = 16, .data = data};
        struct flash_snapshot *old = flash_sim_snapshot(sim);
        struct flash_snapshot *after[FLASH_TEAR_COUNT];
        enum flash_tear tears[FLASH_TEAR_COUNT];
        size_t count = flash_sim_tears(sim, &op, tears);
        assert_true(count > 4);
        for (size_t i = 0; i < count; i++) {
            flash_sim_restore(sim, old);
            torn_program(sim, tears[i], 0, data, 16);
            for (size_t k = 0; k < i; k++) {
                assert_false(flash_sim_equals(sim, after[k]));
            }
            after[i] = flash_sim_snapshot(sim);
        }
        for (size_t i = 0; i < count; i++) {
            flash_snapshot_free(sim, after[i]);
        }
        flash_snapshot_free(sim, old);
        flash_sim_close(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),           cmocka_unit_test(test_program_on_ff),
        cmocka_unit_test(test_program_on_zero), cmocka_unit_test(test_program_row),
        cmocka_unit_test(test_program_fault),   cmocka_unit_test(test_counts_after_tears),
        cmocka_unit_test(test_erase_halves),    cmocka_unit_test(test_counts_after_torn_erase),
        cmocka_unit_test(test_erase_fault),     cmocka_unit_test(test_list_program),
        cmocka_unit_test(test_list_erase),      cmocka_unit_test(test_listed_outcomes_differ),
    };
    return cmocka_run_group_tests_name("flashsim/tear", tests, NULL, NULL);
}

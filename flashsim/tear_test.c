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
    char text[400] = "";
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
    assert_string_equal(flash_tear_word(FLASH_TEAR_TAIL160), "tail160");
    assert_int_equal(flash_tear_from_word("tail1", 5), FLASH_TEAR_COUNT);
}

/* What a program of 4 units (of 1 byte, over 0xFF and partly programmed) leaves. */
static void test_program_on_ff(void **state)
{
    (void)state;
    static const struct {
        enum flash_tear tear;
        const char *left;
    } cases[] = {
        {FLASH_TEAR_BEFORE, "\xFF\xF0\xFF\xFF"},     {FLASH_TEAR_FIRST, "\x11\xF0\xFF\xFF"},
        {FLASH_TEAR_HALF, "\x11\x20\xFF\xFF"},       {FLASH_TEAR_LAST, "\x11\x20\x33\xFF"},
        {FLASH_TEAR_BITS_ODD, "\x11\x20\x77\xFF"},   {FLASH_TEAR_BITS_EVEN, "\x11\x20\xBB\xFF"},
        {FLASH_TEAR_BIT0, "\x11\x20\x33\xFF"},       {FLASH_TEAR_AFTER, "\x11\x20\x33\x44"},
        {FLASH_TEAR_FIRST_ODD, "\x55\xF0\xFF\xFF"},  {FLASH_TEAR_FIRST_EVEN, "\xBB\xF0\xFF\xFF"},
        {FLASH_TEAR_FIRST_BIT0, "\x11\xF0\xFF\xFF"},
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

/* The first unit that changes: what lies before it is the same already. */
static void test_first_change(void **state)
{
    (void)state;
    struct flash_sim *sim = one_chip(&part_twice);
    uint8_t now[16];
    assert_int_equal(sim_program(sim, 64, "\x01\x02\x03\x04", 4), 0);
    const char *data = "\x01\x02\x03\x04\xFF\xFF\xFF\xFF\xFE\xFF\xFF\xFC\0\0\0\0";
    torn_program(sim, FLASH_TEAR_FIRST_EVEN, 64, data, 16);
    assert_content(sim, 64, "\x01\x02\x03\x04\xFF\xFF\xFF\xFF\xFE\xFF\xFF\xFE\xFF", 13);
    /* Bit 0 is there: the first change is in the same unit still. */
    torn_program(sim, FLASH_TEAR_FIRST_BIT0, 72, data + 8, 4);
    assert_content(sim, 72, "\xFE\xFF\xFF\xFC", 4);
    assert_int_equal(sim_program(sim, 76, data, 4), 0);
    flash_sim_close(sim);

    sim = one_chip(&part_ecc);
    uint8_t flag[32];
    memset(flag, 0xFF, sizeof flag);
    flag[8] = 1;
    torn_program(sim, FLASH_TEAR_FIRST_FAULT, 128, flag, 32);
    assert_int_equal(sim_read(sim, 128, now, 8), 0);
    assert_int_equal(sim_read(sim, 136, now, 1), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 144, now, 16), 0);
    flash_sim_close(sim);
}

/* A tear that cannot happen cuts nothing, is done, and is told until the count starts again. */
static void test_misfit(void **state)
{
    (void)state;
    static const struct {
        const struct flash_part *part;
        enum flash_tear tear;
        const char *data; /* NULL: an erase */
        uint32_t length;
    } cases[] = {
        {&part_any, FLASH_TEAR_FAULT, "\x11\x22", 2},
        {&part_any, FLASH_TEAR_FIRST_FAULT, "\x11\x22", 2},
        {&part_any, FLASH_TEAR_HALF, "\x11\x22", 2},
        {&part_any, FLASH_TEAR_FIRST, "\x11", 1},
        {&part_any, FLASH_TEAR_FIRST_ODD, "\xFF\xFF", 2},
        {&part_any, FLASH_TEAR_LOWER, "\x11\x22", 2},
        {&part_any, FLASH_TEAR_TAIL16, "\x11\x22", 2},
        {&part_any, FLASH_TEAR_HALF, NULL, 0},
        {&part_any, FLASH_TEAR_FIRST_ODD, NULL, 0},
        {&part_any, FLASH_TEAR_ERASE_FAULT, NULL, 0},
        {&part_any, FLASH_TEAR_ERASE_FAULT_LOW, NULL, 0},
        {&part_any, FLASH_TEAR_TAIL64, NULL, 0},
        {&part_row, FLASH_TEAR_TAIL16, NULL, 0},
        {&part_row, FLASH_TEAR_HEAD160, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flash_sim *sim = one_chip(cases[i].part);
        enum flash_tear tear = cases[i].tear;
        uint8_t now;
        assert_int_equal(flash_sim_put(sim, 70, "\x5A", 1), 0);
        flash_sim_observe(sim, tear_at_once, &tear);
        assert_int_equal(cases[i].data != NULL ? sim_program(sim, 8, cases[i].data, cases[i].length)
                                               : sim_erase(sim, 64),
                         0);
        assert_false(flash_sim_is_off(sim));
        assert_int_equal(flash_sim_misfit(sim), tear);
        if (cases[i].data != NULL) {
            assert_content(sim, 8, cases[i].data, cases[i].length);
        } else {
            assert_int_equal(sim_read(sim, 70, &now, 1), 0);
            assert_int_equal(now, cases[i].part->erased);
        }
        flash_sim_restart_count(sim);
        assert_int_equal(flash_sim_misfit(sim), FLASH_TEAR_NONE);
        tear = FLASH_TEAR_BEFORE;
        assert_int_equal(sim_erase(sim, 0), OTA_E_POWER);
        assert_int_equal(flash_sim_misfit(sim), FLASH_TEAR_NONE);
        flash_sim_close(sim);
    }
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

/* An erase that stops, or starts, near the sector's end. */
static void test_erase_near_end(void **state)
{
    (void)state;
    static const struct {
        const struct flash_part *part;
        enum flash_tear tear;
        uint32_t distance; /* as rounded to units and code words */
        bool head;
    } cases[] = {
        {&part_any, FLASH_TEAR_TAIL16, 16, false},    {&part_any, FLASH_TEAR_TAIL48, 48, false},
        {&part_any, FLASH_TEAR_HEAD24, 24, true},     {&part_zero, FLASH_TEAR_TAIL40, 40, false},
        {&part_ecc, FLASH_TEAR_HEAD96, 96, true},     {&part_large, FLASH_TEAR_TAIL24, 32, false},
        {&part_large, FLASH_TEAR_HEAD160, 160, true}, {&part_large, FLASH_TEAR_HEAD40, 48, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t size = cases[i].part->runs[0].size;
        uint32_t frontier = size - cases[i].distance;
        static uint8_t bytes[16384];
        struct flash_sim *sim = one_chip(cases[i].part);
        memset(bytes, 0x5A, sizeof bytes);
        assert_int_equal(flash_sim_put(sim, 0, bytes, size), 0);
        assert_int_equal(flash_sim_put(sim, size, bytes, size), 0);
        torn_erase(sim, cases[i].tear, size);
        assert_int_equal(sim_read(sim, size, bytes, size), 0);
        for (uint32_t at = 0; at < size; at++) {
            bool erased = cases[i].head ? at >= frontier : at < frontier;
            assert_int_equal(bytes[at], erased ? cases[i].part->erased : 0x5A);
        }
        assert_int_equal(sim_read(sim, 0, bytes, size), 0);
        assert_int_equal(bytes[size - 1], 0x5A);
        flash_sim_close(sim);
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

    sim = one_chip(&part_ecc);
    assert_int_equal(sim_program(sim, 128, data, 128), 0);
    torn_erase(sim, FLASH_TEAR_ERASE_FAULT_LOW, 128);
    for (uint32_t at = 128; at < 192; at++) {
        assert_int_equal(sim_read(sim, at, now, 1), OTA_E_FLASH_READ);
    }
    assert_int_equal(sim_read(sim, 64, now, 64), 0);
    assert_int_equal(sim_read(sim, 192, now, 64), 0);
    assert_int_equal(now[0], 0xFF);
    assert_int_equal(now[63], 0xFF);
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
    assert_tears(sim, &op,
                 "before first half last bits-odd bits-even bit0 first-odd first-even first-bit0 "
                 "after");
    op.length = 3; /* half is the same as first, unit 1 torn */
    assert_tears(sim, &op,
                 "before first last bits-odd bits-even bit0 first-odd first-even first-bit0 after");
    op.length = 2; /* last is the same as first */
    assert_tears(sim, &op,
                 "before first bits-odd bits-even bit0 first-odd first-even first-bit0 after");
    op.length = 1; /* the middle unit is the first one */
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
    assert_tears(sim, &op, "before first-odd first-even first-bit0 after");
    op.data = (const uint8_t *)"\x00\xFF\xFF\xFF";
    assert_tears(sim, &op, "before first-odd first-even first-bit0 after");
    op.length = 8; /* a flag: without bit 0 of the others it is complete */
    op.data = (const uint8_t *)"\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    assert_tears(sim, &op, "before first-odd first-even after");
    op.length = 4;
    op.data = (const uint8_t *)"\xFF\xFF\x00\xFF";
    assert_tears(sim, &op, "before bits-odd bits-even bit0 after");
    /* The present content counts, not the erased value. */
    assert_int_equal(sim_program(sim, 2, "\x0E", 1), 0);
    assert_tears(sim, &op, "before bits-odd bits-even after");
    flash_sim_close(sim);

    sim = one_chip(&part_ecc);
    uint8_t data[32] = {0};
    op = (struct flash_op){.kind = FLASH_OP_PROGRAM, .address = 120, .length = 32, .data = data};
    assert_tears(sim, &op,
                 "before first half last bits-odd bits-even bit0 fault first-odd first-even "
                 "first-bit0 first-fault after");
    op.length = 8; /* the torn unit is the first one */
    assert_tears(sim, &op, "before bits-odd bits-even bit0 fault after");
    op.address = 508; /* no such operation: nothing to tear */
    assert_tears(sim, &op, "before after");
    flash_sim_close(sim);

    sim = one_chip(&part_zero); /* both units lie in one code word */
    memset(data, 0x3D, sizeof data);
    op = (struct flash_op){.kind = FLASH_OP_PROGRAM, .address = 8, .length = 8, .data = data};
    assert_tears(sim, &op,
                 "before first bits-odd bits-even bit0 fault first-odd first-even first-bit0 "
                 "after");
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
    assert_tears(sim, &op, "before erase-fault erase-fault-low after");
    assert_int_equal(sim_program(sim, 128, "12345678", 8), 0);
    torn_erase(sim, FLASH_TEAR_ERASE_FAULT, 128);
    assert_tears(sim, &op,
                 "before erase-fault-low tail16 tail24 tail32 tail40 tail48 head16 head24 "
                 "head32 head40 head48 after"); /* the upper half is broken already */
    assert_int_equal(sim_program(sim, 128, "12345678", 8), 0);
    assert_tears(sim, &op,
                 "before lower upper erase-fault-low tail16 tail24 tail32 tail40 tail48 "
                 "head16 head24 head32 head40 head48 after");
    flash_sim_close(sim);
}

/* Trailers of all alignments: one byte of each record (magic, image_ok, copy_done, swap_info,
 * swap_size, a status entry), by its distance from the sector's end. Listed cuts leave exactly the
 * last records, and exactly the first ones, for every number of them. */
static void test_trailer_records_part(void **state)
{
    (void)state;
    enum { RECORDS = 6 };
    static const uint32_t trailers[][RECORDS] = {
        {16, 24, 32, 40, 48, 56}, {16, 32, 48, 64, 80, 88}, {16, 64, 96, 128, 160, 192}};
    for (size_t t = 0; t < sizeof trailers / sizeof trailers[0]; t++) {
        struct flash_part part = part_any;
        part.size = 2048;
        part.runs[0] = (struct flash_sector_run){2, 1024};
        struct flash_sim *sim = one_chip(&part);
        struct flash_op op = {.kind = FLASH_OP_ERASE, .address = 1024, .length = 1024};
        for (size_t i = 0; i < RECORDS; i++) {
            assert_int_equal(flash_sim_put(sim, 2048 - trailers[t][i], "\x01", 1), 0);
        }
        struct flash_snapshot *old = flash_sim_snapshot(sim);
        enum flash_tear tears[FLASH_TEAR_COUNT];
        size_t count = flash_sim_tears(sim, &op, tears);
        unsigned left[1u << RECORDS] = {0};
        for (size_t i = 0; i < count; i++) {
            unsigned there = 0;
            flash_sim_restore(sim, old);
            torn_erase(sim, tears[i], 1024);
            for (unsigned n = 0; n < RECORDS; n++) {
                uint8_t now;
                assert_int_equal(sim_read(sim, 2048 - trailers[t][n], &now, 1), 0);
                there |= (unsigned)(now == 1) << n;
            }
            left[there]++;
        }
        for (unsigned n = 0; n <= RECORDS; n++) {
            unsigned last = (1u << n) - 1;
            assert_int_equal(left[last], 1);
            assert_int_equal(left[((1u << RECORDS) - 1) & ~last], 1);
        }
        assert_int_equal(count, 2 * RECORDS); /* and nothing else */
        flash_snapshot_free(sim, old);
        flash_sim_close(sim);
    }
}

static void test_erase_of_full_sector(void **state)
{
    (void)state;
    uint8_t data[128];
    memset(data, 0x77, sizeof data);
    struct flash_sim *sim = one_chip(&part_any);
    struct flash_op op = {.kind = FLASH_OP_ERASE, .address = 64, .length = 64};
    assert_int_equal(flash_sim_put(sim, 64, data, 64), 0);
    assert_tears(sim, &op,
                 "before lower upper tail16 tail24 tail40 tail48 head16 head24 head40 "
                 "head48 after"); /* 32 is the half */
    assert_int_equal(sim_erase(sim, 64), 0);
    assert_int_equal(flash_sim_put(sim, 64, data, 16), 0); /* with its tail erased */
    assert_tears(sim, &op, "before after");
    flash_sim_close(sim);

    sim = one_chip(&part_row);
    assert_int_equal(flash_sim_put(sim, 64, data, 64), 0);
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

static void test_torn_extent(void **state)
{
    static const struct {
        enum flash_tear tear;
        bool fits;
        uint32_t from;
        uint32_t to;
    } rows[] = {
        {FLASH_TEAR_LOWER, true, 0, 64},   {FLASH_TEAR_UPPER, true, 64, 128},
        {FLASH_TEAR_TAIL16, true, 0, 112}, {FLASH_TEAR_HEAD16, true, 112, 128},
        {FLASH_TEAR_BEFORE, true, 0, 0},   {FLASH_TEAR_AFTER, true, 0, 128},
        {FLASH_TEAR_TAIL128, false, 0, 0}, {FLASH_TEAR_HALF, false, 0, 0},
    };
    const struct flash_op op = {.kind = FLASH_OP_ERASE, .address = 128, .length = 128};
    struct flash_sim *sim = one_chip(&part_ecc);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t from = 1;
        uint32_t to = 1;
        assert_int_equal(flash_sim_torn_extent(sim, &op, rows[i].tear, &from, &to), rows[i].fits);
        assert_int_equal(from, rows[i].from);
        assert_int_equal(to, rows[i].to);
    }
    flash_sim_close(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_program_on_ff),
        cmocka_unit_test(test_program_on_zero),
        cmocka_unit_test(test_program_row),
        cmocka_unit_test(test_program_fault),
        cmocka_unit_test(test_counts_after_tears),
        cmocka_unit_test(test_erase_halves),
        cmocka_unit_test(test_counts_after_torn_erase),
        cmocka_unit_test(test_erase_fault),
        cmocka_unit_test(test_list_program),
        cmocka_unit_test(test_first_change),
        cmocka_unit_test(test_misfit),
        cmocka_unit_test(test_erase_near_end),
        cmocka_unit_test(test_trailer_records_part),
        cmocka_unit_test(test_erase_of_full_sector),
        cmocka_unit_test(test_list_erase),
        cmocka_unit_test(test_listed_outcomes_differ),
        cmocka_unit_test(test_torn_extent),
    };
    return cmocka_run_group_tests_name("flashsim/tear", tests, NULL, NULL);
}

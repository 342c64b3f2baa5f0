/* The trailer on a write-once NOR model: every operation is recorded, and any of them can be the
 * last. */
#include "agent/image/trailer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SLOT_AT   0x2000u
#define SLOT_SIZE 4096u
#define OPS_MAX   16

struct op {
    uint32_t offset;
    uint32_t length;
};

struct world {
    uint8_t bytes[SLOT_SIZE];
    bool programmed[SLOT_SIZE]; /* by unit */
    uint32_t unit;
    uint8_t erased;
    uint32_t unreadable; /* offset; UINT32_MAX: none */
    struct op ops[OPS_MAX];
    int op_count;
    int ops_left; /* then the power is gone; -1: never */
    struct flash_port port;
    struct flash_area slot;
};

static int nor_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct world *w = context;

    assert_true(address >= SLOT_AT && length <= SLOT_AT + SLOT_SIZE - address);
    uint32_t offset = address - SLOT_AT;
    if (w->unreadable >= offset && w->unreadable - offset < length) {
        return OTA_E_FLASH_READ;
    }
    memcpy(data, w->bytes + offset, length);
    return OTA_OK;
}

static int nor_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct world *w = context;
    uint32_t offset = address - SLOT_AT;

    assert_true(address >= SLOT_AT && length <= SLOT_AT + SLOT_SIZE - address);
    assert_int_equal(offset % w->unit, 0);
    assert_int_equal(length % w->unit, 0);
    assert_true(w->op_count < OPS_MAX);
    if (w->ops_left == 0) {
        return OTA_E_POWER;
    }
    w->ops_left--;
    for (uint32_t i = 0; i < length; i += w->unit) {
        assert_false(w->programmed[(offset + i) / w->unit]);
        w->programmed[(offset + i) / w->unit] = true;
    }
    memcpy(w->bytes + offset, data, length);
    w->ops[w->op_count++] = (struct op){offset, length};
    return OTA_OK;
}

static int nor_sector(void *context, uint32_t address, struct flash_sector *out)
{
    struct world *w = context;

    (void)address;
    *out = (struct flash_sector){SLOT_AT, SLOT_SIZE, w->unit, 0, w->erased};
    return OTA_OK;
}

static void start(struct world *w, uint32_t unit, uint8_t erased)
{
    memset(w, 0, sizeof *w);
    memset(w->bytes, erased, sizeof w->bytes);
    w->unit = unit;
    w->erased = erased;
    w->unreadable = UINT32_MAX;
    w->ops_left = -1;
    w->port = (struct flash_port){
        .context = w, .read = nor_read, .program = nor_program, .sector = nor_sector};
    w->slot = (struct flash_area){&w->port, SLOT_AT, SLOT_SIZE};
}

static const struct img_trailer_format format_8 = {.align = 8, .write_size = 8, .max_sectors = 128};
static const struct img_trailer_format format_16 = {
    .align = 16, .write_size = 16, .max_sectors = 128};
static const struct img_trailer_format format_32 = {
    .align = 32, .write_size = 32, .max_sectors = 128};
static const struct img_trailer_record full = {IMG_SWAP_PERM, true, true, true, 0x00012345};

/* The operations, as distances of their first byte from the slot's end. */
static void assert_ops(const struct world *w, int count, const struct op *expected)
{
    assert_int_equal(w->op_count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(SLOT_SIZE - w->ops[i].offset, expected[i].offset);
        assert_int_equal(w->ops[i].length, expected[i].length);
    }
}

static void test_distances(void **state)
{
    static const struct {
        const struct img_trailer_format *format;
        uint32_t image_ok, copy_done, swap_info, swap_size, size;
    } rows[] = {
        {&format_8, 24, 32, 40, 48, 3120},
        {&format_16, 32, 48, 64, 80, 6224},
        {&format_32, 64, 96, 128, 160, 12448},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(img_trailer_image_ok(rows[i].format), rows[i].image_ok);
        assert_int_equal(img_trailer_copy_done(rows[i].format), rows[i].copy_done);
        assert_int_equal(img_trailer_swap_info(rows[i].format), rows[i].swap_info);
        assert_int_equal(img_trailer_swap_size(rows[i].format), rows[i].swap_size);
        assert_int_equal(img_trailer_size(rows[i].format), rows[i].size);
    }
    struct img_trailer_format no_status = {.align = 8, .write_size = 8, .max_sectors = 0};
    assert_int_equal(img_trailer_size(&no_status), 40);
}

static void test_magic_bytes(void **state)
{
    (void)state;
    assert_memory_equal(img_trailer_magic(8), "\x77\xc2\x95\xf3\x60\xd2\xef\x7f", 8);
    assert_memory_equal(img_trailer_magic(8) + 8, "\x35\x52\x50\x0f\x2c\xb6\x79\x80", 8);
    assert_memory_equal(img_trailer_magic(16), "\x10\x00\x2d\xe1\x5d\x29\x41\x0b", 8);
    assert_memory_equal(img_trailer_magic(32), "\x20\x00\x2d\xe1\x5d\x29\x41\x0b", 8);
    assert_memory_equal(img_trailer_magic(16) + 8, img_trailer_magic(32) + 8, 8);
    assert_memory_equal(img_trailer_magic(32) + 8, "\x8d\x77\x67\x9c\x11\x0f\x1f\x8a", 8);
}

static void test_write_operations(void **state)
{
    static const struct {
        struct img_trailer_format format;
        uint32_t unit;
        uint8_t erased;
        int count;
        struct op ops[5]; /* distance from the end, length */
    } rows[] = {
        {{.align = 8, .write_size = 8, .max_sectors = 128},
         8,
         0xFF,
         5,
         {{48, 8}, {40, 8}, {32, 8}, {24, 8}, {16, 16}}},
        {{.align = 8, .write_size = 4, .max_sectors = 128},
         4,
         0xFF,
         5,
         {{48, 4}, {40, 4}, {32, 4}, {24, 4}, {16, 16}}},
        {{.align = 8, .write_size = 1, .max_sectors = 128},
         1,
         0xFF,
         5,
         {{48, 4}, {40, 1}, {32, 1}, {24, 1}, {16, 16}}},
        {{.align = 8, .write_size = 8, .max_sectors = 128},
         1,
         0xFF,
         5,
         {{48, 8}, {40, 8}, {32, 8}, {24, 8}, {16, 16}}},
        {{.align = 8, .write_size = 16, .max_sectors = 128},
         8,
         0xFF,
         5,
         {{48, 8}, {40, 8}, {32, 8}, {24, 8}, {16, 16}}},
        {{.align = 16, .write_size = 16, .max_sectors = 128},
         16,
         0xFF,
         5,
         {{80, 16}, {64, 16}, {48, 16}, {32, 16}, {16, 16}}},
        {{.align = 32, .write_size = 32, .max_sectors = 128},
         32,
         0xFF,
         5,
         {{160, 32}, {128, 32}, {96, 32}, {64, 32}, {32, 32}}},
        /* swap_size and swap_info share a unit, copy_done and image_ok another */
        {{.align = 8, .write_size = 16, .max_sectors = 128},
         16,
         0xFF,
         3,
         {{48, 16}, {32, 16}, {16, 16}}},
        {{.align = 8, .write_size = 512, .max_sectors = 128}, 512, 0x00, 1, {{512, 512}}},
    };
    struct world w;
    struct img_trailer trailer;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start(&w, rows[i].unit, rows[i].erased);
        assert_int_equal(img_trailer_write(&w.slot, &rows[i].format, &full), OTA_OK);
        assert_ops(&w, rows[i].count, rows[i].ops);
        img_trailer_read(&w.slot, &rows[i].format, &trailer);
        assert_int_equal(trailer.magic, IMG_MAGIC_GOOD);
        assert_int_equal(trailer.image_ok, IMG_FLAG_SET);
        assert_int_equal(trailer.copy_done, IMG_FLAG_SET);
        assert_int_equal(trailer.swap_type, IMG_SWAP_PERM);
        assert_true(trailer.has_swap_size);
        assert_int_equal(trailer.swap_size, 0x00012345);
    }
}

static void test_write_exact_bytes(void **state)
{
    static const uint8_t expected[48] = {
        0x45, 0x23, 0x01, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x03, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x77, 0xC2, 0x95, 0xF3,
        0x60, 0xD2, 0xEF, 0x7F, 0x35, 0x52, 0x50, 0x0F, 0x2C, 0xB6, 0x79, 0x80,
    };
    struct world w;

    (void)state;
    start(&w, 8, 0xFF);
    assert_int_equal(img_trailer_write(&w.slot, &format_8, &full), OTA_OK);
    assert_memory_equal(w.bytes + SLOT_SIZE - sizeof expected, expected, sizeof expected);
    assert_int_equal(w.bytes[SLOT_SIZE - sizeof expected - 1], 0xFF);

    start(&w, 32, 0xFF);
    assert_int_equal(img_trailer_write(&w.slot, &format_32, &full), OTA_OK);
    for (uint32_t i = SLOT_SIZE - 32; i < SLOT_SIZE - 16; i++) {
        assert_int_equal(w.bytes[i], 0xFF);
    }
}

static void test_write_only_what_is_given(void **state)
{
    static const struct op magic_only[] = {{16, 16}};
    struct img_trailer_record record = {.swap_type = IMG_SWAP_NONE};
    struct img_trailer trailer;
    struct world w;

    (void)state;
    start(&w, 8, 0xFF);
    assert_int_equal(img_trailer_write(&w.slot, &format_8, &record), OTA_OK);
    assert_ops(&w, 1, magic_only);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_int_equal(trailer.image_ok, IMG_FLAG_UNSET);
    assert_int_equal(trailer.copy_done, IMG_FLAG_UNSET);
    assert_int_equal(trailer.swap_type, IMG_SWAP_NONE);
    assert_false(trailer.has_swap_size);
}

static void test_unit_too_large(void **state)
{
    struct world w;
    struct img_trailer trailer;

    (void)state;
    start(&w, 1024, 0xFF);
    assert_int_equal(img_trailer_write(&w.slot, &format_8, &full), OTA_E_LAYOUT);
    assert_int_equal(w.op_count, 0);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_int_equal(trailer.magic, IMG_MAGIC_BAD);
    w.unit = 8;
    w.slot.size = 47;
    assert_int_equal(img_trailer_write(&w.slot, &format_8, &full), OTA_E_LAYOUT);
}

static void test_read_states(void **state)
{
    static const uint8_t erased_values[] = {0xFF, 0x00};
    struct world w;
    struct img_trailer trailer;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        start(&w, 8, erased_values[i]);
        img_trailer_read(&w.slot, &format_8, &trailer);
        assert_int_equal(trailer.magic, IMG_MAGIC_UNSET);
        assert_int_equal(trailer.image_ok, IMG_FLAG_UNSET);
        assert_int_equal(trailer.copy_done, IMG_FLAG_UNSET);
        assert_int_equal(trailer.swap_type, IMG_SWAP_NONE);
        assert_int_equal(trailer.image_number, 0);
        assert_false(trailer.has_swap_size);
    }
    start(&w, 8, 0xFF);
    w.bytes[SLOT_SIZE - 1] = 0x7F;
    w.bytes[SLOT_SIZE - 24] = 0x03;
    w.bytes[SLOT_SIZE - 32] = 0x01;
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_int_equal(trailer.magic, IMG_MAGIC_BAD);
    assert_int_equal(trailer.image_ok, IMG_FLAG_BAD);
    assert_int_equal(trailer.copy_done, IMG_FLAG_SET);
    assert_true(img_flag_on(IMG_FLAG_BAD) && img_flag_on(IMG_FLAG_SET));
    assert_false(img_flag_on(IMG_FLAG_UNSET));
}

static void test_read_swap_info(void **state)
{
    struct world w;
    struct img_trailer trailer;

    (void)state;
    for (unsigned value = 0; value <= 0xFF; value++) {
        start(&w, 8, 0xFF);
        w.bytes[SLOT_SIZE - 40] = (uint8_t)value;
        img_trailer_read(&w.slot, &format_8, &trailer);
        bool known = (value & 0xF) >= 1 && (value & 0xF) <= 4;
        assert_int_equal(trailer.swap_type, known ? (value & 0xF) : IMG_SWAP_NONE);
        assert_int_equal(trailer.image_number, known ? value >> 4 : 0);
    }
}

static void test_read_unreadable(void **state)
{
    struct world w;
    struct img_trailer trailer;

    (void)state;
    start(&w, 8, 0xFF);
    assert_int_equal(img_trailer_write(&w.slot, &format_8, &full), OTA_OK);
    for (uint32_t distance = 1; distance <= 48; distance++) {
        w.unreadable = SLOT_SIZE - distance;
        img_trailer_read(&w.slot, &format_8, &trailer);
        assert_int_equal(trailer.magic, distance <= 16 ? IMG_MAGIC_BAD : IMG_MAGIC_GOOD);
        assert_int_equal(trailer.image_ok, distance == 24 ? IMG_FLAG_BAD : IMG_FLAG_SET);
        assert_int_equal(trailer.copy_done, distance == 32 ? IMG_FLAG_BAD : IMG_FLAG_SET);
        assert_int_equal(trailer.swap_type, distance == 40 ? IMG_SWAP_NONE : IMG_SWAP_PERM);
        assert_int_equal(trailer.has_swap_size, !(distance > 44 && distance <= 48));
    }
}

static void test_set_flags(void **state)
{
    static const struct op expected[] = {{64, 32}, {96, 32}};
    struct world w;

    (void)state;
    start(&w, 32, 0xFF);
    assert_int_equal(img_trailer_set_image_ok(&w.slot, &format_32), OTA_OK);
    assert_int_equal(img_trailer_set_copy_done(&w.slot, &format_32), OTA_OK);
    assert_int_equal(img_trailer_set_image_ok(&w.slot, &format_32), OTA_OK);
    assert_int_equal(img_trailer_set_copy_done(&w.slot, &format_32), OTA_OK);
    assert_ops(&w, 2, expected);
    assert_int_equal(w.bytes[SLOT_SIZE - 64], 0x01);
    assert_int_equal(w.bytes[SLOT_SIZE - 96], 0x01);
    /* A torn flag is on: nobody programs its unit twice. */
    start(&w, 32, 0xFF);
    w.bytes[SLOT_SIZE - 64] = 0x55;
    assert_int_equal(img_trailer_set_image_ok(&w.slot, &format_32), OTA_OK);
    w.unreadable = SLOT_SIZE - 96;
    assert_int_equal(img_trailer_set_copy_done(&w.slot, &format_32), OTA_OK);
    assert_int_equal(w.op_count, 0);
}

static void test_set_flag_in_shared_unit(void **state)
{
    static const struct img_trailer_format row = {.align = 8, .write_size = 512, .max_sectors = 0};
    struct world w;

    (void)state;
    start(&w, 512, 0x00);
    assert_int_equal(img_trailer_set_image_ok(&w.slot, &row), OTA_E_UNSUPPORTED);
    assert_int_equal(img_trailer_set_copy_done(&w.slot, &row), OTA_E_UNSUPPORTED);
    start(&w, 16, 0xFF);
    assert_int_equal(img_trailer_set_image_ok(&w.slot, &format_8), OTA_E_UNSUPPORTED);
    assert_int_equal(w.op_count, 0);
}

static void test_set_pending(void **state)
{
    static const struct op test_ops[] = {{40, 8}, {16, 16}};
    static const struct op permanent_ops[] = {{40, 8}, {24, 8}, {16, 16}};
    struct world w;
    struct img_trailer trailer;

    (void)state;
    start(&w, 8, 0xFF);
    assert_int_equal(img_set_pending(&w.slot, &format_8, false), OTA_OK);
    assert_ops(&w, 2, test_ops);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_int_equal(trailer.swap_type, IMG_SWAP_TEST);
    assert_int_equal(trailer.image_ok, IMG_FLAG_UNSET);
    assert_int_equal(img_set_pending(&w.slot, &format_8, true), OTA_OK);
    assert_int_equal(w.op_count, 2);

    start(&w, 8, 0xFF);
    assert_int_equal(img_set_pending(&w.slot, &format_8, true), OTA_OK);
    assert_ops(&w, 3, permanent_ops);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_int_equal(trailer.swap_type, IMG_SWAP_PERM);
    assert_int_equal(trailer.image_ok, IMG_FLAG_SET);
}

/* Cut anywhere, a permanent request is either made or not; it never becomes a trial. */
static void test_set_pending_cut(void **state)
{
    struct world w;
    struct img_trailer trailer;

    (void)state;
    for (int cut = 0; cut < 3; cut++) {
        start(&w, 8, 0xFF);
        w.ops_left = cut;
        assert_int_equal(img_set_pending(&w.slot, &format_8, true), OTA_E_POWER);
        img_trailer_read(&w.slot, &format_8, &trailer);
        assert_int_equal(trailer.magic, IMG_MAGIC_UNSET);
        w.ops_left = -1;
        int again = img_set_pending(&w.slot, &format_8, true);
        assert_int_equal(again, cut == 0 ? OTA_OK : OTA_E_TRAILER);
        assert_int_equal(w.op_count, cut == 0 ? 3 : cut);
    }
}

static void test_set_pending_on_dirty_trailer(void **state)
{
    struct world w;

    (void)state;
    for (uint32_t distance = 1; distance <= 48; distance++) {
        start(&w, 8, 0xFF);
        w.bytes[SLOT_SIZE - distance] = 0xFE;
        assert_int_equal(img_set_pending(&w.slot, &format_8, false), OTA_E_TRAILER);
        assert_int_equal(w.op_count, 0);
    }
    start(&w, 8, 0xFF);
    w.unreadable = SLOT_SIZE - 17;
    assert_int_equal(img_set_pending(&w.slot, &format_8, false), OTA_E_TRAILER);
}

static void test_confirm(void **state)
{
    static const struct op image_ok[] = {{24, 8}};
    struct img_trailer_record swapped = {.swap_type = IMG_SWAP_TEST, .copy_done = true};
    struct img_trailer trailer;
    struct world w;

    (void)state;
    start(&w, 8, 0xFF);
    assert_int_equal(img_confirm(&w.slot, &format_8), OTA_OK);
    assert_int_equal(w.op_count, 0);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_false(img_is_trial(&trailer));

    assert_int_equal(img_trailer_write(&w.slot, &format_8, &swapped), OTA_OK);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_true(img_is_trial(&trailer));
    w.op_count = 0;
    assert_int_equal(img_confirm(&w.slot, &format_8), OTA_OK);
    assert_ops(&w, 1, image_ok);
    img_trailer_read(&w.slot, &format_8, &trailer);
    assert_false(img_is_trial(&trailer));
    assert_int_equal(img_confirm(&w.slot, &format_8), OTA_OK);
    assert_int_equal(w.op_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_magic_bytes),
        cmocka_unit_test(test_write_operations),
        cmocka_unit_test(test_write_exact_bytes),
        cmocka_unit_test(test_write_only_what_is_given),
        cmocka_unit_test(test_unit_too_large),
        cmocka_unit_test(test_read_states),
        cmocka_unit_test(test_read_swap_info),
        cmocka_unit_test(test_read_unreadable),
        cmocka_unit_test(test_set_flags),
        cmocka_unit_test(test_set_flag_in_shared_unit),
        cmocka_unit_test(test_set_pending),
        cmocka_unit_test(test_set_pending_cut),
        cmocka_unit_test(test_set_pending_on_dirty_trailer),
        cmocka_unit_test(test_confirm),
    };
    return cmocka_run_group_tests_name("agent/image/trailer", tests, NULL, NULL);
}

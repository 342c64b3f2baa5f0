/* Swap using scratch: the format it leaves, what other loaders began, and every state that power
 * cuts can reach, any number of them, on small slots. */
#include "agent/boot/swap_rig.h"

#define K 256u /* a sector */

static const struct rig_shape shapes[] = {
    {"one sector",
     &boot_swap_scratch,
     K,
     K,
     8,
     0xFF,
     8,
     8 * K,
     K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"two sectors of scratch",
     &boot_swap_scratch,
     K,
     K,
     8,
     0xFF,
     0,
     8 * K,
     2 * K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"two to one",
     &boot_swap_scratch,
     K,
     2 * K,
     8,
     0xFF,
     8,
     8 * K,
     2 * K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"trailer of two sectors",
     &boot_swap_scratch,
     K,
     K,
     8,
     0x00,
     0,
     8 * K,
     K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 10}},
    {"align 16",
     &boot_swap_scratch,
     K,
     K,
     16,
     0xFF,
     16,
     8 * K,
     2 * K,
     0,
     {.align = 16, .write_size = 16, .max_sectors = 8}},
    {"align 32",
     &boot_swap_scratch,
     2 * K,
     K,
     32,
     0xFF,
     32,
     8 * K,
     2 * K,
     0,
     {.align = 32, .write_size = 32, .max_sectors = 4}},
    {"one group",
     &boot_swap_scratch,
     K,
     K,
     8,
     0xFF,
     0,
     8 * K,
     8 * K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
    {"single bytes",
     &boot_swap_scratch,
     K,
     K,
     1,
     0xFF,
     0,
     8 * K,
     K,
     0,
     {.align = 8, .write_size = 8, .max_sectors = 8}},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static const struct boot_scheme *const scheme = &boot_swap_scratch;

/* ---- layout and format ------------------------------------------------------------------- */

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        assert_int_equal(rig_refused(shapes[i], ""), 0);
    struct rig_shape shape = shapes[0];
    shape.format.max_sectors = 7;
    assert_int_equal(rig_refused(shape, "max-sectors"), OTA_E_LAYOUT);
    shape = shapes[2];
    shape.format.max_sectors = 4; /* groups of two sectors: four entries do */
    assert_int_equal(rig_refused(shape, ""), 0);
    shape.scratch = K;
    assert_int_equal(rig_refused(shape, "scratch is smaller"), OTA_E_LAYOUT);
    shape = shapes[0];
    shape.format.write_size = 4;
    assert_int_equal(rig_refused(shape, "larger units"), OTA_E_LAYOUT);
    struct rig *rig = rig_new(&shapes[0]);
    const char *reason;
    rig->config.scratch.size = 0;
    assert_int_equal(boot_check_config(&rig->config, &reason), OTA_E_LAYOUT);
    assert_non_null(strstr(reason, "needs a scratch"));
    rig_free(rig);
}

/* The largest image leaves room for the scratch trailer beside the group that reaches the slot's.
 */
static void test_largest_image(void **state)
{
    static const uint32_t ends[] = {8 * K - 240, 8 * K - 240, 8 * K - 240, 8 * K - 328,
                                    8 * K - 464, 8 * K - 768, 8 * K - 240, 8 * K - 240};
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct rig *rig = rig_new(&shapes[i]);
        assert_int_equal(scheme->max_end(&rig->config), ends[i]);
        rig_pend(rig, 600, ends[i], true);
        assert_int_equal(rig_boot(rig, 2).performed, IMG_SWAP_PERM);
        assert_true(rig_holds(rig, &rig->config.secondary, 1));
        rig_free(rig);
        rig = rig_new(&shapes[i]);
        rig_put_image(rig, &rig->config.primary, 1, 600);
        rig_put_image(rig, &rig->config.secondary, 2, ends[i] + shapes[i].unit);
        assert_int_equal(img_set_pending(&rig->config.secondary, &rig->config.format, true), 0);
        assert_int_equal(rig_boot(rig, 1).refused, OTA_E_IMG_SIZE);
        rig_free(rig);
    }
}

static void test_leaves_the_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        for (int maximal = 0; maximal < 2; maximal++) {
            struct rig *rig = rig_new(&shapes[i]);
            const struct img_trailer_format *format = &rig->config.format;
            struct img_trailer trailer;
            uint32_t end = maximal ? scheme->max_end(&rig->config) : 700;
            uint32_t step = shapes[i].sector > shapes[i].other ? shapes[i].sector : shapes[i].other;
            uint32_t moved = (end + step - 1) / step * step;
            uint32_t groups = (moved + shapes[i].scratch - 1) / shapes[i].scratch;
            bool set;
            rig_pend(rig, 500, end, false);
            assert_true(rig_boot(rig, 2).trial);
            assert_true(rig_holds(rig, &rig->config.secondary, 1));
            img_trailer_read(&rig->config.primary, format, &trailer);
            assert_int_equal(trailer.magic, IMG_MAGIC_GOOD);
            assert_int_equal(trailer.image_ok, IMG_FLAG_UNSET);
            assert_int_equal(trailer.copy_done, IMG_FLAG_SET);
            assert_int_equal(trailer.swap_type, IMG_SWAP_TEST);
            assert_int_equal(trailer.swap_size, end);
            for (uint32_t entry = 0; entry < 3 * format->max_sectors; entry++) {
                uint8_t byte;
                uint32_t at =
                    shapes[i].slot - img_trailer_size(format) + entry * format->write_size;
                assert_int_equal(img_entry_is_set(&rig->config.primary, format, entry, &set), 0);
                assert_int_equal(set, entry < 3 * groups);
                assert_int_equal(flash_sim_peek(rig->sim, at, &byte, 1), 0);
                assert_int_equal(byte, set ? 1 + entry % 3 : shapes[i].erased);
            }
            img_trailer_read(&rig->config.secondary, format, &trailer); /* nothing is asked for */
            assert_int_equal(trailer.magic, IMG_MAGIC_UNSET);
            const struct img_trailer_format one = {format->align, format->write_size, 1, {0}, NULL};
            img_trailer_read(&rig->config.scratch, &one, &trailer);
            assert_int_not_equal(trailer.magic, IMG_MAGIC_GOOD);
            assert_int_equal(rig_boot(rig, 1).performed, IMG_SWAP_REVERT);
            assert_false(rig_boot(rig, 1).trial);
            rig_free(rig);
        }
    }
}

/* ---- what another loader of this format began -------------------------------------------- */

static const struct img_trailer_format scratch_format = {
    .align = 8, .write_size = 8, .max_sectors = 1};

static void put_owner(const struct flash_area *area, const struct img_trailer_format *format,
                      enum img_swap_type type, uint32_t end)
{
    const struct img_trailer_record record = {.swap_type = type,
                                              .image_ok = type != IMG_SWAP_TEST,
                                              .with_swap_size = true,
                                              .swap_size = end};
    assert_int_equal(img_trailer_write(area, format, &record), 0);
}

/* The published lost revert: the type stands in scratch, the primary trailer is erased already. */
static void test_revert_that_only_scratch_knows(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&shapes[0]);
    size_t states;
    rig_put_image(rig, &rig->config.primary, 2, 700);
    rig_put_image(rig, &rig->config.secondary, 1, 600);
    put_owner(&rig->config.scratch, &scratch_format, IMG_SWAP_REVERT, 700);
    struct flash_snapshot *begin = flash_sim_snapshot(rig->sim);
    struct boot_result result = rig_boot(rig, 1);
    assert_int_equal(result.performed, IMG_SWAP_REVERT);
    assert_true(result.resumed);
    flash_sim_restore(rig->sim, begin);
    assert_int_equal(rig_close(rig, false, 1, &states), 1);
    flash_snapshot_free(rig->sim, begin);
    rig_free(rig);
}

/* The published stale scratch: the first group is done, the erase of scratch was torn. */
static void test_stale_scratch(void **state)
{
    (void)state;
    for (int torn = 0; torn < 2; torn++) {
        struct rig *rig = rig_new(&shapes[0]);
        uint32_t end = scheme->max_end(&rig->config);
        uint8_t sector[K];
        rig_put_image(rig, &rig->config.primary, 1, end);
        rig_put_image(rig, &rig->config.secondary, 2, end);
        uint32_t old = rig->config.primary.address + 7 * K;
        uint32_t new = rig->config.secondary.address + 7 * K;
        uint8_t other[K];
        assert_int_equal(flash_sim_peek(rig->sim, old, sector, K), 0);
        assert_int_equal(flash_sim_peek(rig->sim, new, other, K), 0);
        assert_int_equal(flash_sim_put(rig->sim, old, other, K), 0);
        assert_int_equal(flash_sim_put(rig->sim, new, sector, K), 0);
        if (!torn)
            assert_int_equal(flash_sim_put(rig->sim, rig->config.scratch.address, other, K), 0);
        put_owner(&rig->config.scratch, &scratch_format, IMG_SWAP_PERM, end);
        for (uint32_t entry = 0; entry < 3; entry++) {
            assert_int_equal(img_entry_write(&rig->config.primary, &rig->config.format, entry,
                                             (uint8_t)(entry + 1)),
                             0);
            if (entry < 2)
                assert_int_equal(img_entry_write(&rig->config.scratch, &scratch_format, entry,
                                                 (uint8_t)(entry + 1)),
                                 0);
        }
        put_owner(&rig->config.primary, &rig->config.format, IMG_SWAP_PERM, end);
        assert_true(rig_boot(rig, 2).resumed);
        assert_true(rig_holds(rig, &rig->config.secondary, 1));
        assert_int_equal(rig_boot(rig, 2).performed, IMG_SWAP_NONE);
        rig_free(rig);
    }
}

/* A bad image that scratch asks for, with nothing begun, is refused once. */
static void test_bad_image_that_scratch_asks_for(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&shapes[0]);
    uint8_t wrong = 0;
    rig_pend(rig, 600, 700, true);
    put_owner(&rig->config.scratch, &scratch_format, IMG_SWAP_PERM, 700);
    assert_int_equal(flash_sim_put(rig->sim, rig->config.secondary.address + 100, &wrong, 1), 0);
    assert_int_equal(rig_boot(rig, 1).refused, OTA_E_IMG_HASH);
    flash_sim_restart_count(rig->sim);
    assert_int_equal(rig_boot(rig, 1).refused, 0);
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    rig_free(rig);
}

/* A confirmation that reads so or so, in a sector that the image reaches into: what it would go
 * back to is gone, and the image stays as it is. */
static void test_unstable_confirmation_beside_the_image(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&shapes[1]);
    const struct flash_area *primary = &rig->config.primary;
    uint32_t end = scheme->max_end(&rig->config);
    uint32_t flag = primary->size - img_trailer_image_ok(&rig->config.format);
    rig_pend(rig, end, end, false);
    assert_true(rig_boot(rig, 2).trial);
    assert_int_equal(img_confirm(primary, &rig->config.format), 0);
    assert_int_equal(flash_sim_weaken_unit(rig->sim, primary->address + flag), 0);
    assert_true(rig_holds(rig, &rig->config.secondary, 1));
    assert_false(rig_boot(rig, 2).trial);
    assert_false(rig_holds(rig, &rig->config.secondary, 1));
    flash_sim_restart_count(rig->sim);
    assert_false(rig_boot(rig, 2).trial);
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    rig_free(rig);
}

/* ---- any number of cuts ------------------------------------------------------------------ */

static void test_clean_cuts(void **state)
{
    (void)state;
    rig_close_all(shapes, SHAPES, false);
}

static void test_torn_cuts(void **state)
{
    (void)state;
    rig_close_all(shapes, SHAPES, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_largest_image),
        cmocka_unit_test(test_leaves_the_format),
        cmocka_unit_test(test_revert_that_only_scratch_knows),
        cmocka_unit_test(test_stale_scratch),
        cmocka_unit_test(test_bad_image_that_scratch_asks_for),
        cmocka_unit_test(test_unstable_confirmation_beside_the_image),
        cmocka_unit_test(test_clean_cuts),
        cmocka_unit_test(test_torn_cuts),
    };
    return cmocka_run_group_tests_name("swap-scratch", tests, NULL, NULL);
}

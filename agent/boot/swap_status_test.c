/* Swap with a status area: the records it leaves, what it refuses, and every state that power cuts
 * can reach, any number of them, on small slots. */
#include "agent/boot/swap_rig.h"
#include "agent/image/status.h"

#define ROW 64u

static const struct rig_shape shapes[] = {
    {"rows", &boot_swap_status, ROW, ROW, ROW, 0x00, 0, 24 * ROW, 4 * ROW, 6 * ROW, {.align = 8}},
    {"few rows",
     &boot_swap_status,
     ROW,
     ROW,
     ROW,
     0x00,
     0,
     24 * ROW,
     4 * ROW,
     4 * ROW,
     {.align = 8}},
    {"ecc",
     &boot_swap_status,
     4 * ROW,
     4 * ROW,
     8,
     0xFF,
     8,
     24 * ROW,
     4 * ROW,
     16 * ROW,
     {.align = 8}},
    {"two to one",
     &boot_swap_status,
     ROW,
     2 * ROW,
     ROW,
     0xFF,
     ROW,
     24 * ROW,
     6 * ROW,
     8 * ROW,
     {.align = 8}},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static struct img_status status_of(const struct rig *rig)
{
    struct img_status status;
    assert_int_equal(img_status_read(&rig->config.format.status, &status), 0);
    return status;
}

static void test_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++)
        assert_int_equal(rig_refused(shapes[i], ""), 0);
    struct rig_shape shape = shapes[0];
    shape.status = 3 * ROW;
    assert_int_equal(rig_refused(shape, "four erase sectors"), OTA_E_LAYOUT);
    shape = shapes[0];
    shape.format.max_sectors = 8;
    assert_int_equal(rig_refused(shape, "max-sectors"), OTA_E_LAYOUT);
    shape = shapes[3];
    shape.scratch = ROW;
    assert_int_equal(rig_refused(shape, "scratch is smaller"), OTA_E_LAYOUT);
}

static void test_life_of_an_image(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        struct rig *rig = rig_new(&shapes[i]);
        const struct flash_area *primary = &rig->config.primary;
        const struct flash_area *secondary = &rig->config.secondary;
        const struct img_trailer_format *format = &rig->config.format;
        rig_pend(rig, 24 * ROW, 500, false); /* the whole slot is an image's */
        assert_int_equal(img_requested(secondary, format), IMG_SWAP_TEST);
        flash_sim_restart_count(rig->sim);
        assert_int_equal(img_set_pending(secondary, format, true), 0); /* asked for already */
        assert_int_equal(flash_sim_op_count(rig->sim), 0);
        struct boot_result result = rig_boot(rig, 2);
        assert_int_equal(result.performed, IMG_SWAP_TEST);
        assert_true(result.trial && img_on_trial(primary, format));
        assert_true(rig_holds(rig, secondary, 1));
        result = rig_boot(rig, 1);
        assert_int_equal(result.performed, IMG_SWAP_REVERT);
        assert_false(result.trial || img_on_trial(primary, format));
        assert_true(rig_holds(rig, secondary, 2));
        assert_int_equal(img_set_pending(secondary, format, false), 0);
        assert_true(rig_boot(rig, 2).trial);
        assert_int_equal(img_confirm(primary, format), 0);
        flash_sim_restart_count(rig->sim);
        assert_int_equal(img_confirm(primary, format), 0); /* confirmed already */
        assert_int_equal(rig_boot(rig, 2).performed, IMG_SWAP_NONE);
        assert_int_equal(flash_sim_op_count(rig->sim), 0);
        rig_free(rig);
    }
}

static void test_refused_and_withdrawn(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&shapes[0]);
    const struct flash_area *secondary = &rig->config.secondary;
    const struct img_trailer_format *format = &rig->config.format;
    uint8_t wrong = 0xEE;
    rig_pend(rig, 600, 700, true);
    assert_int_equal(flash_sim_put(rig->sim, secondary->address + 100, &wrong, 1), 0);
    assert_int_equal(rig_boot(rig, 1).refused, OTA_E_IMG_HASH);
    flash_sim_restart_count(rig->sim);
    assert_int_equal(rig_boot(rig, 1).refused, 0);
    assert_int_equal(flash_sim_op_count(rig->sim), 0);
    rig_pend(rig, 600, 700, true);
    assert_int_equal(img_prepare_erase(secondary, format), 0);
    assert_int_equal(img_requested(secondary, format), IMG_SWAP_NONE);
    assert_int_equal(rig_boot(rig, 1).performed, IMG_SWAP_NONE);
    rig_free(rig);
}

/* On trial, and the other image is gone: there is no way back. */
static void test_nothing_to_go_back_to(void **state)
{
    (void)state;
    struct rig *rig = rig_new(&shapes[0]);
    uint8_t wrong = 0xEE;
    rig_pend(rig, 600, 700, false);
    assert_true(rig_boot(rig, 2).trial);
    assert_int_equal(flash_sim_put(rig->sim, rig->config.secondary.address + 100, &wrong, 1), 0);
    assert_int_equal(rig_boot(rig, 2).refused, OTA_E_IMG_HASH);
    assert_false(status_of(rig).trial);
    assert_int_equal(rig_boot(rig, 2).refused, 0);
    rig_free(rig);
}

static void close_all(bool torn)
{
    for (size_t i = 0; i < SHAPES; i++)
        if (!torn || shapes[i].ecc != 8) /* torn places of sectors with many are too many states */
            rig_close_all(&shapes[i], 1, torn);
}

static void test_clean_cuts(void **state)
{
    (void)state;
    close_all(false);
}

static void test_torn_cuts(void **state)
{
    (void)state;
    close_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_life_of_an_image),
        cmocka_unit_test(test_refused_and_withdrawn),
        cmocka_unit_test(test_nothing_to_go_back_to),
        cmocka_unit_test(test_clean_cuts),
        cmocka_unit_test(test_torn_cuts),
    };
    return cmocka_run_group_tests_name("swap-status", tests, NULL, NULL);
}

/* The loader against a flash of its own in RAM: decisions, on-flash format, refusals, recovery.
 * What power cuts do to it is swept by the scenarios in scenarios/boot. */
#include "agent/boot/boot_rig.h"

/* ---- decisions --------------------------------------------------------------------------- */

static void test_decisions(void **state)
{
    enum { U = 0xFF, SET = 1, BAD = 0x55 };
    static const struct {
        bool p_magic;
        uint8_t p_ok, p_done;
        bool s_magic;
        uint8_t s_ok, s_info;
        uint8_t boots;
        enum img_swap_type performed;
        bool trial;
    } rows[] = {
        {false, U, U, false, U, U, 1, IMG_SWAP_NONE, false},
        {false, U, U, true, U, U, 2, IMG_SWAP_TEST, true},
        {false, U, U, true, U, 2, 2, IMG_SWAP_TEST, true},
        {false, U, U, true, SET, 3, 2, IMG_SWAP_PERM, false},
        {false, U, U, true, BAD, 3, 2, IMG_SWAP_PERM, false},   /* begun counts as written */
        {false, U, U, true, SET, 4, 2, IMG_SWAP_REVERT, false}, /* a revert that began */
        {true, U, SET, false, U, U, 2, IMG_SWAP_REVERT, false}, /* unconfirmed trial */
        {true, U, BAD, false, U, U, 2, IMG_SWAP_REVERT, false}, /* torn copy_done: still */
        {true, SET, SET, false, U, U, 1, IMG_SWAP_NONE, false}, /* confirmed */
        {true, BAD, SET, false, U, U, 1, IMG_SWAP_NONE, false}, /* torn confirm: confirmed */
        {true, SET, U, false, U, U, 1, IMG_SWAP_NONE, false},   /* factory image */
        {true, SET, SET, true, U, 2, 2, IMG_SWAP_TEST, true},
        {false, U, U, false, SET, 3, 1, IMG_SWAP_NONE, false}, /* request without its magic */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_up(state);
        put_image(0, 1, 3000, 0);
        put_image(1, 2, 3000, 0);
        if (rows[i].p_magic)
            put_field(0, MAGIC, 0);
        put_field(0, IMAGE_OK, rows[i].p_ok);
        put_field(0, COPY_DONE, rows[i].p_done);
        if (rows[i].s_magic)
            put_field(1, MAGIC, 0);
        put_field(1, IMAGE_OK, rows[i].s_ok);
        put_field(1, SWAP_INFO, rows[i].s_info);
        struct boot_result result = boot_to(rows[i].boots);
        assert_int_equal(result.performed, rows[i].performed);
        assert_int_equal(result.trial, rows[i].trial);
        assert_int_equal(result.refused, 0);
    }
}

static void test_overwrite_has_no_trial(void **state)
{
    (void)state;
    use_overwrite();
    put_image(0, 1, 3000, 0);
    uint32_t end = put_image(1, 2, 5000, 0);
    uint8_t image[6000];
    memcpy(image, world.bytes + SLOT, end);
    put_field(1, MAGIC, 0);
    struct boot_result result = boot_to(2);
    assert_int_equal(result.performed, IMG_SWAP_TEST);
    assert_false(result.trial);
    assert_memory_equal(world.bytes, image, end);
    world.operations = 0;
    boot_to(2);
    assert_int_equal(world.operations, 0);
}

/* ---- on-flash format --------------------------------------------------------------------- */

static void test_swap_leaves_the_format(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0); /* 3 sectors */
    put_image(1, 2, 4000, 0); /* 4 sectors: 4032 + 40 is more than 3 and less than 4 */
    uint8_t old[SLOT], new[SLOT];
    memcpy(old, world.bytes, SLOT);
    memcpy(new, world.bytes + SLOT, SLOT);
    put_field(1, MAGIC, 0);
    put_field(1, SWAP_INFO, IMG_SWAP_TEST);
    boot_to(2);
    assert_memory_equal(world.bytes, new, 4 * SECTOR);
    assert_memory_equal(world.bytes + SLOT, old, 4 * SECTOR);

    const uint8_t *end = world.bytes + SLOT;
    assert_memory_equal(end - 16, img_trailer_magic(8), 16);
    assert_int_equal(end[-24], 0xFF);
    assert_int_equal(end[-32], 0x01);
    assert_int_equal(end[-40], IMG_SWAP_TEST);
    assert_int_equal(end[-48] | end[-47] << 8, 4000 + 32 + 40);
    const uint8_t *status = end - TRAILER;
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(status[8 * i], i < 4 ? 1 : 0xFF);
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(status[8 * (16 + i)], i < 8 ? 1 + i % 2 : 0xFF);
    for (uint32_t i = 0; i < SECTOR; i++) /* nothing is asked for any more */
        assert_int_equal(world.bytes[2 * SLOT - 1 - i], 0xFF);
}

/* A swap that another loader of this format began: two moves of three done. */
static void test_goes_on_from_entries(void **state)
{
    (void)state;
    put_image(0, 1, 2800, 0);
    put_image(1, 2, 2800, 0);
    uint8_t new[SLOT];
    memcpy(new, world.bytes + SLOT, SLOT);
    memcpy(world.bytes + 3 * SECTOR, world.bytes + 2 * SECTOR, SECTOR);
    memcpy(world.bytes + 2 * SECTOR, world.bytes + 1 * SECTOR, SECTOR);
    uint8_t *end = world.bytes + SLOT;
    end[-(int)TRAILER] = 1;
    end[-(int)TRAILER + 8] = 1;
    put32(end - 48, 2800 + 32 + 40);
    memset(end - 44, 0xFF, 4);
    put_field(0, SWAP_INFO, IMG_SWAP_PERM);
    put_field(0, IMAGE_OK, 1);
    put_field(0, MAGIC, 0);
    struct boot_result result = boot_to(2);
    assert_true(result.resumed);
    assert_int_equal(result.performed, IMG_SWAP_PERM);
    assert_memory_equal(world.bytes, new, 3 * SECTOR);
}

static void test_largest_image(void **state)
{
    (void)state;
    assert_int_equal(boot_swap_move.max_end(&world.config), SLOT - 2 * SECTOR);
    uint32_t payload = SLOT - 2 * SECTOR - IMG_HEADER_SIZE - 40;
    put_image(0, 1, 3000, 0);
    assert_int_equal(put_image(1, 2, payload, 0), SLOT - 2 * SECTOR);
    put_field(1, MAGIC, 0);
    boot_to(2);
    set_up(state);
    put_image(0, 1, 3000, 0);
    put_image(1, 2, payload + 1, 0);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_SIZE);
    set_up(state);
    use_overwrite();
    assert_int_equal(boot_overwrite.max_end(&world.config), SLOT - 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_decisions, set_up),
        cmocka_unit_test_setup(test_overwrite_has_no_trial, set_up),
        cmocka_unit_test_setup(test_swap_leaves_the_format, set_up),
        cmocka_unit_test_setup(test_goes_on_from_entries, set_up),
        cmocka_unit_test_setup(test_largest_image, set_up),
    };
    return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}

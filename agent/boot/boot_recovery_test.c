/* The loader: what it refuses, how it recovers, when its counter rises. */
#include "agent/boot/boot_rig.h"

/* ---- refusals, recovery, counters -------------------------------------------------------- */

static void test_refuses_and_leaves_primary_alone(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 3000, 0);
    put_field(1, MAGIC, 0);
    world.bytes[SLOT + 100] ^= 1;
    uint8_t old[SLOT];
    memcpy(old, world.bytes, SLOT);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_HASH);
    assert_memory_equal(world.bytes, old, SLOT);
    world.operations = 0;
    assert_int_equal(boot_to(1).refused, 0); /* asked once, answered once */
    assert_int_equal(world.operations, 0);
}

static void test_refuses_older(void **state)
{
    (void)state;
    world.config.refuse_older_version = true;
    for (uint8_t ok = 0; ok < 2; ok++) { /* for a trial and for good */
        set_up(state);
        world.config.refuse_older_version = true;
        put_image(0, 2, 3000, 0);
        put_image(1, 1, 3000, 0);
        put_field(1, MAGIC, 0);
        if (ok)
            put_field(1, IMAGE_OK, 1);
        assert_int_equal(boot_to(2).refused, OTA_E_IMG_VERSION);
    }
}

static void test_counter_rises_only_when_confirmed(void **state)
{
    (void)state;
    world.config.use_counter = true;
    world.counter = 3;
    put_image(0, 1, 3000, 3);
    put_image(1, 2, 3000, 5);
    put_field(1, MAGIC, 0);
    assert_true(boot_to(2).trial);
    assert_int_equal(world.counter, 3);
    put_field(0, IMAGE_OK, 1);
    boot_to(2);
    assert_int_equal(world.counter, 5);
    put_image(1, 3, 3000, 4);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(2).refused, OTA_E_IMG_COUNTER);
    put_image(1, 3, 3000, 0);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(2).refused, OTA_E_IMG_COUNTER);
}

static void test_damaged_primary_is_replaced(void **state)
{
    (void)state;
    for (int overwrite = 0; overwrite < 2; overwrite++) {
        set_up(state);
        if (overwrite)
            use_overwrite();
        put_image(0, 2, 3000, 0);
        put_image(1, 1, 3000, 0);
        world.bytes[200] ^= 1;
        assert_int_equal(boot_to(1).performed, IMG_SWAP_REVERT);
        assert_int_equal(boot_to(1).performed, IMG_SWAP_NONE);
    }
    set_up(state);
    struct boot_result result;
    put_image(0, 2, 3000, 0);
    world.bytes[200] ^= 1;
    assert_int_equal(boot_go(&world.config, &result), OTA_E_NO_IMAGE);
}

static void test_nothing_to_go_back_to(void **state)
{
    (void)state;
    put_image(0, 2, 3000, 0);
    put_field(0, MAGIC, 0);
    put_field(0, COPY_DONE, 1);
    struct boot_result result = boot_to(2);
    assert_int_equal(result.refused, OTA_E_IMG_MAGIC);
    assert_false(result.trial);
    assert_int_equal(boot_to(2).refused, 0);
}

/* The handover: the primary trailer is complete, the erase of the request stopped anywhere. */
static void put_owner(uint8_t type, uint32_t larger_end)
{
    uint8_t *end = world.bytes + SLOT;
    put32(end - 48, larger_end);
    put_field(0, SWAP_INFO, type);
    if (type != IMG_SWAP_TEST)
        put_field(0, IMAGE_OK, 1);
    put_field(0, MAGIC, 0);
}

static void test_owner_decides_over_a_rest_of_the_request(void **state)
{
    for (uint8_t type = IMG_SWAP_TEST; type <= IMG_SWAP_REVERT; type++) {
        set_up(state);
        put_image(0, 1, 3000, 0);
        uint32_t end = put_image(1, 2, 3000, 0);
        put_owner(type, end);
        put_field(1, MAGIC, 0); /* and nothing else of it */
        struct boot_result result = boot_to(2);
        assert_true(result.resumed);
        assert_int_equal(result.performed, type);
        assert_int_equal(result.trial, type == IMG_SWAP_TEST);
    }
}

static void test_owner_checks_the_secondary_before_it_begins(void **state)
{
    (void)state;
    world.config.validate_primary = false; /* nobody would look afterwards */
    put_image(0, 1, 3000, 0);
    uint32_t end = put_image(1, 2, 3000, 0);
    put_owner(IMG_SWAP_PERM, end);
    world.bytes[SLOT + 100] ^= 1;
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_HASH);
    world.operations = 0;
    assert_int_equal(boot_to(1).refused, 0);
    assert_int_equal(world.operations, 0);
}

/* A torn copy_done, and later the erase of that trailer stops above its entries: it owns nothing
 * any more, and what was asked for since is not done by its sizes. */
static void test_rest_of_an_owner_that_was_done(void **state)
{
    (void)state;
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 5000, 0);
    put_owner(IMG_SWAP_PERM, 1000);
    put_field(0, COPY_DONE, 0x55);
    put_field(1, MAGIC, 0);
    put_field(1, IMAGE_OK, 1);
    assert_false(boot_to(2).resumed);
    assert_int_equal(boot_to(2).performed, IMG_SWAP_NONE);
}

static void test_damaged_primary_saves_the_secondary(void **state)
{
    (void)state;
    world.config.refuse_older_version = true;
    put_image(0, 2, 3000, 0);
    put_image(1, 1, 3000, 0);
    put_field(1, MAGIC, 0);
    world.bytes[200] ^= 1;
    assert_int_equal(boot_to(1).refused, 0); /* older, and yet the only one */

    set_up(state);
    put_image(0, 2, SLOT - 2000, 0); /* larger than a swap could keep, and damaged */
    put_image(1, 1, 3000, 0);
    world.bytes[200] ^= 1;
    boot_to(1);
}

static void test_counter_without_validation(void **state)
{
    (void)state;
    world.config.use_counter = true;
    world.config.validate_primary = false;
    world.counter = 3;
    put_image(0, 1, 3000, 9);
    boot_to(1);
    assert_int_equal(world.counter, 9);
    put_image(1, 2, 3000, 4);
    put_field(1, MAGIC, 0);
    assert_int_equal(boot_to(1).refused, OTA_E_IMG_COUNTER);
    put_image(0, 1, 3000, 12); /* a counter that nothing proves does not count */
    world.bytes[200] ^= 1;
    boot_to(1);
    assert_int_equal(world.counter, 9);
    put_image(0, 1, 3000, 12);
    world.nv_fails = true; /* no reason not to run a good image */
    boot_to(1);
}

static void test_unreadable_rest_is_not_copied(void **state)
{
    (void)state;
    put_image(0, 1, 6000, 0);
    put_image(1, 2, 2000, 0);
    put_field(1, MAGIC, 0);
    put_field(1, IMAGE_OK, 1);
    world.broken = SLOT + 4 * SECTOR + 40; /* behind v2, in a sector that the swap moves */
    boot_to(2);
    assert_int_equal(boot_to(2).performed, IMG_SWAP_NONE);
}

/* Nothing validates, so an interrupted recovery must leave a request behind. */
static void test_recovery_by_overwrite_is_done_again(void **state)
{
    for (uint32_t at = 2;; at++) {
        struct boot_result result;
        uint8_t image[SLOT];
        set_up(state);
        use_overwrite();
        world.config.validate_primary = false;
        put_image(0, 1, 3000, 0);
        uint32_t end = put_image(1, 2, 3000, 0);
        memcpy(image, world.bytes + SLOT, end);
        world.bytes[0] ^= 1;
        world.fail_at = at;
        int err = boot_go(&world.config, &result);
        boot_to(2);
        assert_memory_equal(world.bytes, image, end);
        if (err == 0)
            return;
    }
}

static void test_flash_error_is_healed(void **state)
{
    (void)state;
    for (uint32_t at = 1;; at++) {
        struct boot_result result;
        set_up(state);
        put_image(0, 1, 2000, 0);
        put_image(1, 2, 2000, 0);
        put_field(1, MAGIC, 0);
        put_field(1, IMAGE_OK, 1);
        world.fail_at = at;
        int err = boot_go(&world.config, &result);
        if (world.operations < at) {
            assert_true(err == 0 && at > 20);
            return;
        }
        boot_to(2);
    }
}

static void test_primary_not_validated(void **state)
{
    (void)state;
    world.config.validate_primary = false;
    put_image(0, 1, 3000, 0);
    world.bytes[200] ^= 1;
    boot_to(1);
    assert_int_equal(world.hashes, 0);
}

static void test_layouts(void **state)
{
    const char *reason;
    struct boot_result result;
    (void)state;
    assert_int_equal(boot_check_config(&world.config, &reason), 0);
    world.config.format.max_sectors = 15;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    assert_non_null(strstr(reason, "max-sectors"));
    put_image(0, 1, 3000, 0);
    put_image(1, 2, 3000, 0);
    put_field(1, MAGIC, 0);
    boot_to(1); /* nothing is installed, but what is there runs */
    set_up(state);
    world.config.secondary.size = SLOT - 2 * SECTOR;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    world.config.secondary.size = SLOT - SECTOR; /* one sector more in the primary: fits */
    assert_int_equal(boot_check_config(&world.config, &reason), 0);
    set_up(state);
    world.config.format.write_size = 4;
    assert_int_equal(boot_check_config(&world.config, &reason), OTA_E_LAYOUT);
    set_up(state);
    assert_int_equal(boot_go(&world.config, &result), OTA_E_NO_IMAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_refuses_and_leaves_primary_alone, set_up),
        cmocka_unit_test_setup(test_refuses_older, set_up),
        cmocka_unit_test_setup(test_counter_rises_only_when_confirmed, set_up),
        cmocka_unit_test_setup(test_damaged_primary_is_replaced, set_up),
        cmocka_unit_test_setup(test_nothing_to_go_back_to, set_up),
        cmocka_unit_test_setup(test_owner_decides_over_a_rest_of_the_request, set_up),
        cmocka_unit_test_setup(test_owner_checks_the_secondary_before_it_begins, set_up),
        cmocka_unit_test_setup(test_rest_of_an_owner_that_was_done, set_up),
        cmocka_unit_test_setup(test_damaged_primary_saves_the_secondary, set_up),
        cmocka_unit_test_setup(test_counter_without_validation, set_up),
        cmocka_unit_test_setup(test_unreadable_rest_is_not_copied, set_up),
        cmocka_unit_test_setup(test_recovery_by_overwrite_is_done_again, set_up),
        cmocka_unit_test_setup(test_flash_error_is_healed, set_up),
        cmocka_unit_test_setup(test_primary_not_validated, set_up),
        cmocka_unit_test_setup(test_layouts, set_up),
    };
    return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}

/* Ranked: what runs after what, and what it costs. The closure under any cuts is the prover's. */
#include "agent/boot/boot.h"
#include "agent/store/store_rig.h"

struct device {
    struct rig rig;
    struct boot_config config;
    uint8_t buffer[512];
};

static void set_up(struct device *device)
{
    rig_open(&device->rig);
    const struct store_config *store = &device->rig.config;
    device->config = (struct boot_config){
        .scheme = &boot_ranked,
        .primary = store->execution,
        .secondary = store->images,
        .factory = store->factory,
        .attempts = store->attempts,
        .format = {.align = 8, .write_size = 8, .status = store->directory},
        .keys = store->keys,
        .key_count = store->key_count,
        .validate_primary = true,
        .buffer = device->buffer,
        .buffer_size = sizeof device->buffer,
        .crypto = store->crypto,
    };
}

static void tear_down(struct device *device)
{
    flash_sim_close(device->rig.sim);
}

static struct boot_result boot_to(struct device *device, uint8_t version)
{
    struct boot_result result;
    assert_int_equal(boot_go(&device->config, &result), 0);
    assert_int_equal(result.image.header.version.major, version);
    uint8_t image[EXECUTION];
    uint8_t there[EXECUTION];
    const struct img_row row = rig_image(version, image);
    assert_int_equal(flash_sim_peek(device->rig.sim, 0, there, row.size), 0);
    assert_memory_equal(there, image, row.size);
    return result;
}

static void confirm(struct device *device)
{
    assert_int_equal(store_open(&device->rig.store, &device->rig.config), 0);
    assert_int_equal(store_confirm(&device->rig.store), 0);
}

static void update_to(struct device *device, uint8_t version)
{
    assert_int_equal(rig_insert(&device->rig, version, false), 0);
    assert_true(boot_to(device, version).trial);
    confirm(device);
    assert_false(boot_to(device, version).trial);
}

/* Flips a bit of the stored image of `version`, or of the execution area (0). */
static void damage(struct device *device, uint32_t version)
{
    uint32_t at = 100;
    uint8_t byte;
    if (version != 0) {
        assert_int_equal(store_open(&device->rig.store, &device->rig.config), 0);
        uint8_t place = version == 1 ? STORE_FACTORY : store_find(&device->rig.store, version);
        at += store_place(&device->rig.store, place).address;
    }
    assert_int_equal(flash_sim_peek(device->rig.sim, at, &byte, 1), 0);
    byte ^= 1;
    assert_int_equal(flash_sim_put(device->rig.sim, at, &byte, 1), 0);
}

static void factory_image_is_kept_at_the_first_boot(void **state)
{
    struct device device;
    struct img_row row;
    (void)state;
    set_up(&device);
    assert_false(boot_to(&device, 1).trial);
    assert_int_equal(store_open(&device.rig.store, &device.rig.config), 0);
    assert_int_equal(store_verify(&device.rig.store, STORE_FACTORY, &row), 0);
    flash_sim_restart_count(device.rig.sim);
    boot_to(&device, 1);
    assert_int_equal(flash_sim_op_count(device.rig.sim), 0);
    tear_down(&device);
}

static void confirmed_update_stays_and_costs_nothing(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    flash_sim_restart_count(device.rig.sim);
    boot_to(&device, 2);
    assert_int_equal(flash_sim_op_count(device.rig.sim), 0);
    tear_down(&device);
}

/* B7 of the original: from 100 on it installs what runs once more, at every boot. */
static void no_version_is_installed_twice(void **state)
{
    static const uint32_t versions[] = {9, 10, 16, 99, 100, 255, 256, 1000, 65535, 65536};
    struct device device;
    struct boot_result result;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        const struct img_version version = img_harmony_version(versions[i]);
        assert_int_equal(rig_insert(&device.rig, versions[i], false), 0);
        assert_int_equal(boot_go(&device.config, &result), 0);
        assert_true(result.trial);
        confirm(&device);
        flash_sim_restart_count(device.rig.sim);
        for (int boot = 0; boot < 3; boot++) {
            assert_int_equal(boot_go(&device.config, &result), 0);
            assert_memory_equal(&result.image.header.version, &version, sizeof version);
        }
        assert_int_equal(flash_sim_op_count(device.rig.sim), 0);
    }
    tear_down(&device);
}

static void image_that_never_confirms_gets_its_starts(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    assert_int_equal(rig_insert(&device.rig, 3, false), 0);
    assert_true(boot_to(&device, 3).trial);
    assert_true(boot_to(&device, 3).trial);
    assert_int_equal(boot_to(&device, 2).performed, IMG_SWAP_REVERT);
    assert_int_equal(rig_status(&device.rig, 3), IMG_ROW_DISABLED);
    boot_to(&device, 2);
    tear_down(&device);
}

static void ranks_lead_down_to_the_factory_image(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    for (uint8_t version = 2; version <= 4; version++)
        update_to(&device, version);
    damage(&device, 0);
    damage(&device, 4);
    assert_int_equal(boot_to(&device, 3).refused, OTA_E_IMG_HASH);
    damage(&device, 0);
    damage(&device, 3);
    damage(&device, 2);
    boot_to(&device, 1);
    tear_down(&device);
}

static void damaged_installation_is_done_again(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    damage(&device, 0);
    boot_to(&device, 2);
    tear_down(&device);
}

/* The running image is not touched for a stored one that is bad. */
static void bad_stored_image_costs_the_running_one_nothing(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    assert_int_equal(rig_insert(&device.rig, 3, true), 0);
    damage(&device, 3);
    damage(&device, 1); /* and there is nothing to fall back to */
    assert_int_equal(boot_to(&device, 2).refused, OTA_E_IMG_HASH);
    boot_to(&device, 2);
    tear_down(&device);
}

static void factory_reset_forgets_all_or_is_refused(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    damage(&device, 1);
    assert_int_equal(store_open(&device.rig.store, &device.rig.config), 0);
    assert_int_equal(store_factory_reset(&device.rig.store), 0);
    assert_int_equal(boot_to(&device, 2).refused, OTA_E_IMG_HASH);
    damage(&device, 1); /* the same bit: it is as it was */
    assert_int_equal(store_open(&device.rig.store, &device.rig.config), 0);
    assert_int_equal(store_factory_reset(&device.rig.store), 0);
    boot_to(&device, 1);
    assert_int_equal(rig_status(&device.rig, 2), IMG_ROW_FREE);
    assert_int_equal(store_roll_back(&device.rig.store), OTA_E_NO_IMAGE);
    tear_down(&device);
}

/* B17 of the original: without a signature it crashes, and runs the image after the next reset. */
static void factory_image_that_nobody_signed_is_not_gone_back_to(void **state)
{
    struct device device;
    struct img_row row;
    uint8_t raw[IMG_ROW_SIZE];
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    assert_int_equal(store_row(&device.rig.store, STORE_FACTORY, &row), 0);
    row.is_signed = false;
    img_row_encode(&row, raw);
    assert_int_equal(flash_sim_put(device.rig.sim, FACTORY, raw, sizeof raw), 0);
    assert_int_equal(store_open(&device.rig.store, &device.rig.config), 0);
    assert_int_equal(store_factory_reset(&device.rig.store), 0);
    assert_int_equal(boot_to(&device, 2).refused, OTA_E_IMG_NO_SIGNATURE);
    assert_int_equal(boot_to(&device, 2).refused, 0);
    tear_down(&device);
}

static void rolled_back_image_does_not_come_again(void **state)
{
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    update_to(&device, 3);
    assert_int_equal(store_open(&device.rig.store, &device.rig.config), 0);
    assert_int_equal(store_roll_back(&device.rig.store), 0);
    boot_to(&device, 2);
    boot_to(&device, 2);
    tear_down(&device);
}

/* What the factory vouches for is not what lies there. */
static void tampered_factory_image_never_runs(void **state)
{
    struct device device;
    struct boot_result result;
    (void)state;
    set_up(&device);
    damage(&device, 0);
    assert_int_equal(boot_go(&device.config, &result), OTA_E_NO_IMAGE);
    assert_int_equal(boot_go(&device.config, &result), OTA_E_NO_IMAGE);
    damage(&device, 0);
    boot_to(&device, 1);
    tear_down(&device);
}

/* B18 of the original: type 2 is started without a look at it. */
static void debug_image_is_refused(void **state)
{
    struct device device;
    struct store *store = &device.rig.store;
    struct img_row row;
    uint8_t raw[IMG_ROW_SIZE];
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    assert_int_equal(rig_insert(&device.rig, 3, true), 0);
    uint8_t place = store_find(store, 3);
    assert_int_equal(store_row(store, place, &row), 0);
    row.type = IMG_ROW_DEBUG;
    img_row_encode(&row, raw);
    uint32_t head = store_place(store, place).address - store->head;
    assert_int_equal(flash_sim_put(device.rig.sim, head, raw, sizeof raw), 0);
    store->state.entries[place].row = ota_crc32(0, raw, sizeof raw);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(boot_to(&device, 2).refused, OTA_E_IMG_HEADER);
    assert_int_equal(rig_status(&device.rig, 3), IMG_ROW_DISABLED);
    tear_down(&device);
}

static void lost_directory_leads_to_the_factory_image(void **state)
{
    uint8_t erased[4 * SECTOR];
    struct device device;
    (void)state;
    set_up(&device);
    boot_to(&device, 1);
    update_to(&device, 2);
    memset(erased, 0xFF, sizeof erased);
    assert_int_equal(flash_sim_put(device.rig.sim, DIRECTORY, erased, sizeof erased), 0);
    boot_to(&device, 1);
    tear_down(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factory_image_is_kept_at_the_first_boot),
        cmocka_unit_test(confirmed_update_stays_and_costs_nothing),
        cmocka_unit_test(no_version_is_installed_twice),
        cmocka_unit_test(image_that_never_confirms_gets_its_starts),
        cmocka_unit_test(ranks_lead_down_to_the_factory_image),
        cmocka_unit_test(damaged_installation_is_done_again),
        cmocka_unit_test(bad_stored_image_costs_the_running_one_nothing),
        cmocka_unit_test(factory_reset_forgets_all_or_is_refused),
        cmocka_unit_test(factory_image_that_nobody_signed_is_not_gone_back_to),
        cmocka_unit_test(rolled_back_image_does_not_come_again),
        cmocka_unit_test(tampered_factory_image_never_runs),
        cmocka_unit_test(debug_image_is_refused),
        cmocka_unit_test(lost_directory_leads_to_the_factory_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The store: who gets which place, what is refused before anything is erased, and a directory that
 * is old or new under every cut. */
#include "agent/store/store_rig.h"

static void areas_must_fit(void **state)
{
    struct rig rig;
    const char *reason = "";
    (void)state;
    rig_open(&rig);
    assert_int_equal(store_check(&rig.config, &reason), 0);
    struct store_config config = rig.config;
    config.images.size = 2 * PLACE;
    assert_int_equal(store_check(&config, &reason), OTA_E_LAYOUT);
    assert_non_null(strstr(reason, "three images"));
    config = rig.config;
    config.directory.size = 3 * SECTOR;
    assert_int_equal(store_check(&config, &reason), OTA_E_LAYOUT);
    config = rig.config;
    config.factory.size = 0;
    assert_int_equal(store_check(&config, &reason), OTA_E_LAYOUT);
    config = rig.config;
    config.attempts = 0;
    assert_int_equal(store_check(&config, &reason), OTA_E_LAYOUT);
    flash_sim_close(rig.sim);
}

/* The loader's part of a first boot, as far as the store can see it. */
static void know_the_factory_image(struct rig *rig)
{
    struct store_state *state = &rig->store.state;
    state->entries[STORE_FACTORY] = (struct store_entry){IMG_ROW_VALID, 0, 1, 0};
    state->whole = true;
    assert_int_equal(store_commit(&rig->store), 0);
}

static void run(struct rig *rig, uint32_t version, uint8_t status)
{
    assert_int_equal(store_open(&rig->store, &rig->config), 0);
    struct store_state *state = &rig->store.state;
    state->installed = store_find(&rig->store, version);
    assert_int_not_equal(state->installed, STORE_PLACES);
    state->whole = true;
    state->entries[state->installed].status = status;
    assert_int_equal(store_commit(&rig->store), 0);
}

static void full_store_gives_up_the_lowest_rank_alone(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig);
    know_the_factory_image(&rig);
    for (uint32_t version = 2; version <= 4; version++)
        assert_int_equal(rig_insert(&rig, version, true), 0);
    run(&rig, 2, IMG_ROW_UNBOOTED);
    assert_int_equal(store_confirm(&rig.store), 0); /* the lowest version, and the last good one */
    run(&rig, 4, IMG_ROW_UNBOOTED);
    assert_int_equal(rig_insert(&rig, 5, false), 0);
    assert_int_equal(rig_status(&rig, 3), IMG_ROW_FREE);
    assert_int_equal(rig_status(&rig, 2), IMG_ROW_VALID);
    assert_int_equal(rig_status(&rig, 4), IMG_ROW_UNBOOTED);
    assert_int_equal(rig_status(&rig, 5), IMG_ROW_DOWNLOADED);
    assert_int_equal(rig_insert(&rig, 2, false), OTA_E_IMG_VERSION);
    assert_int_equal(rig_insert(&rig, 4, false), OTA_E_IMG_VERSION);
    assert_int_equal(rig_insert(&rig, 5, false), 0); /* the same again: its own place */
    flash_sim_close(rig.sim);
}

static void disabled_goes_before_older(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig);
    know_the_factory_image(&rig);
    for (uint32_t version = 2; version <= 4; version++)
        assert_int_equal(rig_insert(&rig, version, true), 0);
    run(&rig, 4, IMG_ROW_VALID);
    assert_int_equal(store_roll_back(&rig.store), 0);
    run(&rig, 3, IMG_ROW_VALID);
    assert_int_equal(rig_status(&rig, 4), IMG_ROW_DISABLED);
    assert_int_equal(rig_insert(&rig, 5, false), 0);
    assert_int_equal(rig_status(&rig, 4), IMG_ROW_FREE);
    assert_int_equal(rig_status(&rig, 2), IMG_ROW_VALID);
    flash_sim_close(rig.sim);
}

static void bad_size_costs_nothing(void **state)
{
    struct rig rig;
    uint8_t image[EXECUTION];
    uint8_t place;
    struct img_row row = rig_image(2, image);
    (void)state;
    rig_open(&rig);
    know_the_factory_image(&rig);
    uint32_t before = flash_sim_op_count(rig.sim);
    row.size = EXECUTION + 1;
    assert_int_equal(store_reserve(&rig.store, &row, &place), OTA_E_IMG_SIZE);
    row.size = UINT32_MAX;
    assert_int_equal(store_reserve(&rig.store, &row, &place), OTA_E_IMG_SIZE);
    row.size = 0;
    assert_int_equal(store_reserve(&rig.store, &row, &place), OTA_E_IMG_SIZE);
    assert_int_equal(flash_sim_op_count(rig.sim), before);
    row.size = EXECUTION;
    assert_int_equal(store_reserve(&rig.store, &row, &place), 0);
    flash_sim_close(rig.sim);
}

static void what_stands_already_is_not_written(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig);
    know_the_factory_image(&rig);
    uint32_t before = flash_sim_op_count(rig.sim);
    assert_int_equal(store_commit(&rig.store), 0);
    assert_int_equal(store_confirm(&rig.store), 0);
    assert_int_equal(store_settle(&rig.store, &rig.config), 0);
    assert_int_equal(flash_sim_op_count(rig.sim), before);
    flash_sim_close(rig.sim);
}

static void only_what_was_checked_gets_a_row(void **state)
{
    struct rig rig;
    uint8_t image[EXECUTION];
    uint8_t place;
    struct img_row row = rig_image(2, image);
    (void)state;
    rig_open(&rig);
    know_the_factory_image(&rig);
    assert_int_equal(store_reserve(&rig.store, &row, &place), 0);
    uint32_t before = flash_sim_op_count(rig.sim);
    assert_int_equal(store_insert(&rig.store, place, &row, false), OTA_E_IMG_HASH);
    assert_int_equal(flash_sim_op_count(rig.sim), before);
    assert_int_equal(rig_insert(&rig, 2, false), 0);
    assert_int_equal(store_erase(&rig.store, 3), OTA_E_NO_IMAGE);
    run(&rig, 2, IMG_ROW_VALID);
    assert_int_equal(store_erase(&rig.store, 2), OTA_E_BUSY);
    flash_sim_close(rig.sim);
}

static void versions_are_numbers(void **state)
{
    static const uint32_t versions[] = {9, 10, 16, 99, 100, 255, 256, 1000, 65535, 65536};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct rig rig;
        uint8_t image[EXECUTION] = {0};
        uint8_t place;
        rig_open(&rig);
        know_the_factory_image(&rig);
        struct img_row row = rig_image(2, image);
        row.version = versions[i];
        assert_int_equal(rig_insert(&rig, 2, true), 0);
        assert_int_equal(store_reserve(&rig.store, &row, &place), 0);
        const struct flash_area area = store_place(&rig.store, place);
        assert_int_equal(flash_sim_put(rig.sim, area.address, image, row.size), 0);
        assert_int_equal(store_insert(&rig.store, place, &row, true), 0);
        assert_int_equal(rig_status(&rig, versions[i]), IMG_ROW_VALID);
        assert_int_equal(store_first(&rig.store), place);
        assert_int_equal(store_erase(&rig.store, versions[i]), 0);
        assert_int_equal(rig_status(&rig, versions[i]), IMG_ROW_FREE);
        assert_int_equal(rig_status(&rig, 2), IMG_ROW_VALID);
        flash_sim_close(rig.sim);
    }
}

/* ---- cuts -------------------------------------------------------------------------------- */

struct cut {
    uint32_t op;
    enum flash_tear tear;
};

static enum flash_tear cut_at(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    const struct cut *cut = context;
    (void)sim;
    return op->index == cut->op ? cut->tear : FLASH_TEAR_NONE;
}

/* An insertion into a full store, cut at every operation: 3 or 5 is there, never half of one, and
 * nothing else changes. */
static void insertion_is_old_or_new_under_every_cut(void **state)
{
    static const enum flash_tear tears[] = {FLASH_TEAR_BEFORE, FLASH_TEAR_HALF, FLASH_TEAR_AFTER};
    uint32_t cuts = 0;
    bool complete = false;
    (void)state;
    for (uint32_t op = 0; !complete; op++) {
        for (size_t t = 0; t < 3; t++) {
            struct rig rig;
            struct cut cut = {op, tears[t]};
            struct img_row row;
            rig_open(&rig);
            know_the_factory_image(&rig);
            for (uint32_t version = 2; version <= 4; version++)
                assert_int_equal(rig_insert(&rig, version, true), 0);
            run(&rig, 4, IMG_ROW_VALID);
            flash_sim_restart_count(rig.sim);
            flash_sim_observe(rig.sim, cut_at, &cut);
            int err = rig_insert(&rig, 5, false);
            flash_sim_observe(rig.sim, NULL, NULL);
            complete = err == 0;
            cuts += err == OTA_E_POWER;
            flash_sim_power_on(rig.sim);
            assert_int_equal(store_settle(&rig.store, &rig.config), 0);
            assert_int_equal(rig_status(&rig, 3), IMG_ROW_VALID);
            assert_int_equal(rig_status(&rig, 4), IMG_ROW_VALID);
            uint8_t place = store_find(&rig.store, 5);
            assert_true(!complete || place != STORE_PLACES);
            if (place != STORE_PLACES)
                assert_int_equal(store_verify(&rig.store, place, &row), 0);
            flash_sim_close(rig.sim);
        }
    }
    assert_true(cuts > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_must_fit),
        cmocka_unit_test(full_store_gives_up_the_lowest_rank_alone),
        cmocka_unit_test(disabled_goes_before_older),
        cmocka_unit_test(bad_size_costs_nothing),
        cmocka_unit_test(what_stands_already_is_not_written),
        cmocka_unit_test(only_what_was_checked_gets_a_row),
        cmocka_unit_test(versions_are_numbers),
        cmocka_unit_test(insertion_is_old_or_new_under_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

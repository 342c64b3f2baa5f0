/* The one form of rings: what means the same to the agent becomes the same, and stays what it is.
 */
#include "agent/store/store.h"
#include "agent/update/journal.h"
#include "harness/prove/rings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "harness/cli/paths.h"

static struct sim_device device;
static struct flash_sim *sim;

static int open_flash(void **state)
{
    (void)state;
    if (nb_device_load("test", "anycloud-small-rows", &device) != 0)
        return -1;
    sim = flash_sim_memory(device.chips, device.chip_count);
    return sim == NULL;
}

static int close_flash(void **state)
{
    (void)state;
    flash_sim_close(sim);
    sim_device_free(&device);
    return 0;
}

static struct flash_area area(void)
{
    return (struct flash_area){flash_sim_port(sim), device.journal.address, device.journal.size};
}

static enum flash_tear tear(void *context, struct flash_sim *torn, const struct flash_op *op)
{
    (void)torn;
    return op->kind == FLASH_OP_PROGRAM ? *(const enum flash_tear *)context : FLASH_TEAR_NONE;
}

/* Writes `count` records, the last of them of `phase`, then one that is torn (NONE: none is). */
static void write_records(unsigned count, enum ota_phase phase, enum flash_tear torn)
{
    struct ota_journal journal;
    struct ota_record record;
    struct flash_area journal_area = area();
    assert_int_equal(ota_journal_open(&journal, &journal_area, &record), 0);
    for (unsigned i = 0; i < count; i++) {
        record.phase = i + 1 == count ? phase : OTA_PHASE_IDLE;
        assert_int_equal(ota_journal_write(&journal, &record), 0);
    }
    if (torn == FLASH_TEAR_NONE)
        return;
    flash_sim_observe(sim, tear, &torn);
    assert_int_not_equal(ota_journal_write(&journal, &record), 0);
    flash_sim_observe(sim, NULL, NULL);
    flash_sim_power_on(sim);
}

static uint64_t normal_form(void)
{
    assert_int_equal(nb_rings_normalise(sim, &device), 0);
    return flash_sim_state_print(sim, device.journal.address, device.journal.size);
}

static uint64_t form_of(unsigned count, enum ota_phase phase, enum flash_tear torn)
{
    void *state = NULL;
    close_flash(&state);
    assert_int_equal(open_flash(&state), 0);
    write_records(count, phase, torn);
    return normal_form();
}

static void what_means_the_same_becomes_the_same(void **state)
{
    (void)state;
    uint64_t one = form_of(1, OTA_PHASE_INSTALL, FLASH_TEAR_NONE);
    assert_true(normal_form() == one);
    assert_true(form_of(3, OTA_PHASE_INSTALL, FLASH_TEAR_NONE) == one);
    assert_true(form_of(9, OTA_PHASE_INSTALL, FLASH_TEAR_NONE) == one);
    assert_true(form_of(1, OTA_PHASE_INSTALL, FLASH_TEAR_BITS_ODD) == one);
    assert_true(form_of(5, OTA_PHASE_INSTALL, FLASH_TEAR_BIT0) == one);
    /* Another record, another place, or none. */
    assert_true(form_of(1, OTA_PHASE_SUCCEEDED, FLASH_TEAR_NONE) != one);
    assert_true(form_of(2, OTA_PHASE_INSTALL, FLASH_TEAR_NONE) != one);
    assert_true(form_of(0, OTA_PHASE_IDLE, FLASH_TEAR_NONE) != one);
    assert_true(form_of(0, OTA_PHASE_IDLE, FLASH_TEAR_BITS_ODD) ==
                form_of(0, OTA_PHASE_IDLE, FLASH_TEAR_NONE));
}

static void the_ring_stays_what_it_is(void **state)
{
    (void)state;
    for (unsigned count = 0; count < 6; count++) {
        struct flash_area journal_area = area();
        struct ota_journal before;
        struct ota_journal after;
        struct ota_record record;
        struct ota_record again;
        write_records(1, OTA_PHASE_SUCCEEDED, count % 2 ? FLASH_TEAR_BITS_EVEN : FLASH_TEAR_NONE);
        assert_int_equal(ota_journal_open(&before, &journal_area, &record), 0);
        (void)normal_form();
        assert_int_equal(ota_journal_open(&after, &journal_area, &again), 0);
        assert_memory_equal(&record, &again, sizeof record);
        assert_int_equal(after.ring.sequence, 1);
        assert_int_equal(after.ring.next, before.ring.next);
        assert_int_equal(after.ring.turn, before.ring.turn);
    }
}

/* ---- a store's directory ----------------------------------------------------------------- */

static int open_store(void **state)
{
    (void)state;
    if (nb_device_load("test", "harmony-small-rows", &device) != 0)
        return -1;
    sim = flash_sim_memory(device.chips, device.chip_count);
    return sim == NULL;
}

static void read_store(struct store *store, struct store_config *config)
{
    const struct flash_port *port = flash_sim_port(sim);
    *config = (struct store_config){
        .images = {port, device.secondary.address, device.secondary.size},
        .directory = {port, device.status.address, device.status.size},
        .execution = {port, device.primary.address, device.primary.size},
    };
    assert_int_equal(store_open(store, config), 0);
}

static enum flash_tear tear_nth(void *context, struct flash_sim *torn, const struct flash_op *op)
{
    unsigned *left = context;
    (void)torn;
    return op->kind == FLASH_OP_PROGRAM && (*left)-- == 0 ? FLASH_TEAR_BITS_ODD : FLASH_TEAR_NONE;
}

/* `count` records, the last one about the version; then one more, torn in a half (2: none). */
static void commit(unsigned count, uint32_t version, unsigned torn)
{
    struct store store;
    struct store_config config;
    void *state = NULL;
    close_flash(&state);
    assert_int_equal(open_store(&state), 0);
    read_store(&store, &config);
    for (unsigned i = 1; i <= count; i++) {
        store.state.entries[1].version = i == count ? version : 1000 + i;
        assert_int_equal(store_commit(&store), 0);
    }
    if (torn == 2)
        return;
    flash_sim_observe(sim, tear_nth, &torn);
    store.state.entries[1].version = 77;
    assert_int_not_equal(store_commit(&store), 0);
    flash_sim_observe(sim, NULL, NULL);
    flash_sim_power_on(sim);
}

static uint64_t directory_of(unsigned count, uint32_t version, unsigned torn)
{
    commit(count, version, torn);
    assert_int_equal(nb_rings_normalise(sim, &device), 0);
    return flash_sim_state_print(sim, device.status.address, device.status.size);
}

static void directories_that_mean_the_same_become_the_same(void **state)
{
    (void)state;
    uint64_t one = directory_of(1, 5, 2);
    assert_true(directory_of(3, 5, 2) == one);
    assert_true(directory_of(9, 5, 2) == one);
    assert_true(directory_of(3, 5, 0) == one); /* torn in the sector that is erased next */
    /* Another record, another place, or halves that differ. */
    assert_true(directory_of(1, 6, 2) != one);
    assert_true(directory_of(2, 5, 2) != one);
    assert_true(directory_of(3, 5, 1) != one);
    assert_true(directory_of(3, 5, 1) == directory_of(5, 5, 1));
    assert_true(directory_of(0, 5, 2) != one);
}

static void the_directory_stays_what_it_is(void **state)
{
    (void)state;
    for (unsigned torn = 0; torn <= 2; torn++) {
        struct store_config config;
        struct store before;
        struct store after;
        commit(4, 5, torn);
        read_store(&before, &config);
        assert_int_equal(nb_rings_normalise(sim, &device), 0);
        read_store(&after, &config);
        assert_memory_equal(&before.state, &after.state, sizeof before.state);
        assert_int_equal(after.twin.sequence, torn == 1 ? 2 : 1);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(after.twin.halves[i].next, before.twin.halves[i].next);
            assert_int_equal(after.twin.halves[i].turn, before.twin.halves[i].turn);
            assert_int_equal(after.twin.sequence - after.twin.halves[i].sequence,
                             before.twin.sequence - before.twin.halves[i].sequence);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_means_the_same_becomes_the_same, open_flash,
                                        close_flash),
        cmocka_unit_test_setup_teardown(the_ring_stays_what_it_is, open_flash, close_flash),
        cmocka_unit_test_setup_teardown(directories_that_mean_the_same_become_the_same, open_store,
                                        close_flash),
        cmocka_unit_test_setup_teardown(the_directory_stays_what_it_is, open_store, close_flash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The one form of rings: what means the same to the agent becomes the same, and stays what it is.
 */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_means_the_same_becomes_the_same, open_flash,
                                        close_flash),
        cmocka_unit_test_setup_teardown(the_ring_stays_what_it_is, open_flash, close_flash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One record in two rings: old or new under every cut, and there when a sector is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/twin.h"
#include "flashsim/cut_rig.h"

#include <string.h>

#define SECTOR  256u
#define SECTORS 5u /* the first half has three */
#define RECORD  24u

/* Bytes that are programmed at once: several a record, or, as a record can only then be there
 * whole and read unstably, one. */
static uint32_t unit = 8;

static bool accept_all(const uint8_t *record)
{
    (void)record;
    return true;
}

/* As the store has it: one record a sector, so that each turn erases. */
static const struct ota_ring_kind kind = {
    .magic = 0x27182818u, .size = RECORD, .most = 1, .accept = accept_all};

static struct flash_sim *open_flash(struct flash_area *area)
{
    const struct flash_chip chip = {.part = {.name = "twin",
                                             .size = SECTORS * SECTOR,
                                             .runs = {{SECTORS, SECTOR}},
                                             .run_count = 1,
                                             .unit = unit,
                                             .erased = 0xFF,
                                             .programs = 1}};
    struct flash_sim *sim = flash_sim_memory(&chip, 1);
    assert_non_null(sim);
    *area = (struct flash_area){flash_sim_port(sim), 0, SECTORS * SECTOR};
    return sim;
}

static int put_number(struct ota_twin *twin, uint32_t number)
{
    ota_put32(twin->newest + OTA_RING_HEAD, number);
    return ota_twin_put(twin);
}

static uint32_t number_in(const struct ota_twin *twin)
{
    return twin->sequence != 0 ? ota_get32(twin->newest + OTA_RING_HEAD) : 0;
}

static uint32_t newest(const struct flash_area *area)
{
    struct ota_twin twin;
    assert_int_equal(ota_twin_open(&twin, &kind, area), 0);
    return number_in(&twin);
}

/* A twin whose newest record is `number`, the ones before it written, too. Its sequence number is
 * the last before they wrap, or the first after that. */
static struct flash_sim *with_numbers(struct flash_area *area, struct ota_twin *twin,
                                      uint32_t number)
{
    struct flash_sim *sim = open_flash(area);
    assert_int_equal(ota_twin_open(twin, &kind, area), 0);
    assert_int_equal(number_in(twin), 0);
    twin->sequence = number > 0 ? UINT32_MAX - number + (number & 1) : 0;
    for (uint32_t i = 1; i <= number; i++)
        assert_int_equal(put_number(twin, i), 0);
    return sim;
}

static void areas_must_fit(void **state)
{
    const struct ota_ring_kind large = {
        .magic = 1, .size = OTA_TWIN_RECORD_MAX + 1, .accept = accept_all};
    struct flash_area area;
    struct ota_twin twin;
    (void)state;
    struct flash_sim *sim = open_flash(&area);
    assert_int_equal(ota_twin_open(&twin, &large, &area), OTA_E_NO_SPACE);
    area.size = 3 * SECTOR;
    assert_int_equal(ota_twin_open(&twin, &kind, &area), OTA_E_LAYOUT);
    area.size = OTA_TWIN_SECTORS * SECTOR;
    assert_int_equal(ota_twin_open(&twin, &kind, &area), 0);
    assert_int_equal(twin.halves[1].area.address, 2 * SECTOR);
    area.size = SECTORS * SECTOR;
    assert_int_equal(ota_twin_open(&twin, &kind, &area), 0);
    assert_int_equal(twin.halves[1].area.address, 3 * SECTOR);
    assert_int_equal(twin.halves[0].area.size + twin.halves[1].area.size, area.size);
    flash_sim_close(sim);
}

/* Whichever sector goes, the newest record stays, and mending gives the other half its own again.
 */
static void loss_of_a_sector_takes_nothing_away(void **state)
{
    (void)state;
    for (uint32_t number = 1; number <= 7; number++) {
        for (uint32_t lost = 0; lost < SECTORS; lost++) {
            uint8_t junk[SECTOR] = {0};
            struct flash_area area;
            struct ota_twin twin;
            struct flash_sim *sim = with_numbers(&area, &twin, number);
            assert_int_equal(flash_sim_put(sim, lost * SECTOR, junk, SECTOR), 0);
            assert_int_equal(newest(&area), number);
            assert_int_equal(ota_twin_settle(&twin, &kind, &area), 0);
            for (unsigned half = 0; half < 2; half++)
                assert_int_equal(twin.halves[half].sequence, twin.sequence);
            for (uint32_t again = 0; again < SECTORS; again++) {
                if (again / 3 == lost / 3)
                    continue; /* the half that was mended is now the one that has it */
                assert_int_equal(flash_sim_put(sim, again * SECTOR, junk, SECTOR), 0);
            }
            assert_int_equal(newest(&area), number);
            flash_sim_close(sim);
        }
    }
}

static void loss_of_a_half_takes_nothing_away(void **state)
{
    static const uint32_t from[] = {0, 3 * SECTOR, SECTORS * SECTOR};
    uint8_t junk[3 * SECTOR] = {0};
    (void)state;
    for (unsigned half = 0; half < 2; half++) {
        struct flash_area area;
        struct ota_twin twin;
        struct flash_sim *sim = with_numbers(&area, &twin, 5);
        assert_int_equal(flash_sim_put(sim, from[half], junk, from[half + 1] - from[half]), 0);
        assert_int_equal(ota_twin_settle(&twin, &kind, &area), 0);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(twin.halves[i].sequence, 1);
        assert_int_equal(flash_sim_put(sim, from[1 - half], junk, from[2 - half] - from[1 - half]),
                         0);
        assert_int_equal(newest(&area), 5);
        flash_sim_close(sim);
    }
}

static void mending_what_is_whole_writes_nothing(void **state)
{
    struct flash_area area;
    struct ota_twin twin;
    (void)state;
    struct flash_sim *sim = with_numbers(&area, &twin, 4);
    uint32_t before = flash_sim_op_count(sim);
    assert_int_equal(ota_twin_mend(&twin), 0);
    assert_int_equal(ota_twin_settle(&twin, &kind, &area), 0);
    assert_int_equal(flash_sim_op_count(sim), before);
    flash_sim_close(sim);
}

static enum flash_tear no_erase(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    (void)context, (void)sim;
    assert_int_equal(op->kind, FLASH_OP_PROGRAM);
    return FLASH_TEAR_NONE;
}

static void what_is_prepared_is_not_erased_again(void **state)
{
    struct flash_area area;
    struct ota_twin twin;
    (void)state;
    for (uint32_t number = 0; number <= 6; number++) {
        struct flash_sim *sim = with_numbers(&area, &twin, number);
        assert_int_equal(ota_twin_prepare(&twin), 0);
        assert_int_equal(newest(&area), number);
        uint32_t before = flash_sim_op_count(sim);
        assert_int_equal(ota_twin_prepare(&twin), 0);
        assert_int_equal(flash_sim_op_count(sim), before);
        flash_sim_observe(sim, no_erase, NULL);
        assert_int_equal(put_number(&twin, number + 1), 0);
        flash_sim_observe(sim, NULL, NULL);
        assert_int_equal(newest(&area), number + 1);
        flash_sim_close(sim);
    }
}

/* 0 stands for no record: the number before it is followed by 1, in both halves. */
static void records_go_on_where_the_number_wraps(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < 8; before++) {
        struct flash_area area;
        struct ota_twin twin;
        struct flash_sim *sim = with_numbers(&area, &twin, 0);
        twin.sequence = UINT32_MAX - before;
        for (uint32_t number = 1; number <= 12; number++) {
            assert_int_equal(put_number(&twin, number), 0);
            assert_int_not_equal(twin.sequence, 0);
            assert_int_equal(newest(&area), number);
            if (number % 5 == 0) /* a reset */
                assert_int_equal(ota_twin_settle(&twin, &kind, &area), 0);
        }
        assert_true(twin.sequence <= 12);
        flash_sim_close(sim);
    }
}

/* ---- cuts -------------------------------------------------------------------------------- */

/* What the loader settled on stays: for every later read, and when the half that had it is lost. */
static void stays_settled(struct flash_sim *sim, const struct flash_area *area, uint32_t old)
{
    uint8_t junk[3 * SECTOR] = {0};
    struct ota_twin twin;
    assert_int_equal(ota_twin_settle(&twin, &kind, area), 0);
    uint32_t settled = number_in(&twin);
    assert_true(settled == old || settled == old + 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(newest(area), settled);
    assert_int_equal(flash_sim_put(sim, 0, junk, 3 * SECTOR), 0);
    assert_int_equal(newest(area), settled);
}

/* A write that was cut anywhere, a settling that was cut again, and what comes of it. Before it is
 * settled flash is read `reads` times: what is weak reads otherwise each time. */
static uint32_t cut_everywhere(uint32_t old, enum flash_tears tears, uint32_t again, uint32_t reads)
{
    uint32_t cuts = 0;
    bool complete = false;
    for (uint32_t op = 0; !complete; op++) {
        struct cut cut = {.op = op, .kind = tears, .tears = 1};
        for (cut.tear = 0; cut.tear < cut.tears; cut.tear++) {
            struct flash_area area;
            struct ota_twin twin;
            struct flash_sim *sim = with_numbers(&area, &twin, old);
            assert_int_equal(ota_twin_open(&twin, &kind, &area), 0);
            flash_sim_restart_count(sim);
            flash_sim_observe(sim, cut_at, &cut);
            int err = put_number(&twin, old + 1);
            assert_true(err == 0 || err == OTA_E_POWER);
            complete = err == 0 && op >= flash_sim_op_count(sim);
            cuts += err != 0;
            if (err != 0 && again > 0) {
                struct cut second = {
                    .op = flash_sim_op_count(sim) + again - 1, .tear = 1, .kind = tears};
                flash_sim_power_on(sim);
                flash_sim_observe(sim, cut_at, &second);
                err = ota_twin_settle(&twin, &kind, &area);
                assert_true(err == 0 || err == OTA_E_POWER);
            }
            flash_sim_observe(sim, NULL, NULL);
            flash_sim_power_on(sim);
            for (uint32_t i = 0; i < reads; i++) {
                uint8_t all[SECTORS * SECTOR];
                assert_int_equal(flash_area_read(&area, 0, all, sizeof all), 0);
            }
            stays_settled(sim, &area, old);
            flash_sim_close(sim);
        }
    }
    return cuts;
}

static void every_cut_leaves_the_old_record_or_the_new(void **state)
{
    uint32_t cuts = 0;
    (void)state;
    for (uint32_t old = 0; old <= 6; old++)
        for (uint32_t again = 0; again <= 2; again++) {
            unit = 8;
            cuts += cut_everywhere(old, FLASH_TEARS_CLEAN, again, 0);
            unit = 32;
            for (uint32_t reads = 0; reads < 4; reads++)
                cuts += cut_everywhere(old, FLASH_TEARS_WEAK, again, reads);
        }
    assert_true(cuts > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_must_fit),
        cmocka_unit_test(loss_of_a_sector_takes_nothing_away),
        cmocka_unit_test(loss_of_a_half_takes_nothing_away),
        cmocka_unit_test(mending_what_is_whole_writes_nothing),
        cmocka_unit_test(what_is_prepared_is_not_erased_again),
        cmocka_unit_test(records_go_on_where_the_number_wraps),
        cmocka_unit_test(every_cut_leaves_the_old_record_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

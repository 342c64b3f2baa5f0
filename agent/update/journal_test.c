#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/update/journal.h"
#include "flashsim/flashsim.h"

#include <stdlib.h>
#include <string.h>

/* A part of a few sectors: every kind of program unit, erased value and write-once rule. */
struct shape {
    uint32_t unit;
    uint32_t sector;
    uint32_t sectors;
    uint32_t page;
    uint8_t erased;
    uint32_t programs;
    uint32_t ecc;
};

static const struct shape shapes[] = {
    {1, 1024, 2, 64, 0xFF, FLASH_PROGRAMS_ANY, 0},
    {1, 512, 3, 0, 0x00, FLASH_PROGRAMS_ANY, 0},
    {2, 512, 2, 0, 0xFF, 1, 0},
    {4, 1024, 2, 256, 0xFF, 2, 0},
    {8, 512, 2, 0, 0xFF, 1, 8},
    {16, 1024, 3, 0, 0xFF, 1, 16},
    {32, 512, 2, 0, 0xFF, 1, 32},
    {64, 512, 2, 128, 0xFF, 1, 0},
    {256, 512, 2, 256, 0xFF, 1, 0},
    {512, 512, 2, 512, 0x00, FLASH_PROGRAMS_ANY, 0},
    {512, 512, 5, 512, 0x00, 1, 0},
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

struct bench {
    struct flash_sim *sim;
    struct flash_area area;
    struct ota_journal journal;
    struct ota_record record;
    uint32_t cut_at;
    enum flash_tear cut;
};

static enum flash_tear observe(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct bench *bench = context;
    (void)sim;
    return op->index == bench->cut_at ? bench->cut : FLASH_TEAR_NONE;
}

static void bench_open(struct bench *bench, const struct shape *shape)
{
    memset(bench, 0, sizeof *bench);
    struct flash_chip chip = {.part = {.name = "shape",
                                       .size = shape->sector * shape->sectors,
                                       .runs = {{shape->sectors, shape->sector}},
                                       .run_count = 1,
                                       .unit = shape->unit,
                                       .page = shape->page,
                                       .erased = shape->erased,
                                       .programs = shape->programs,
                                       .ecc = shape->ecc}};
    bench->sim = flash_sim_memory(&chip, 1);
    assert_non_null(bench->sim);
    bench->area = (struct flash_area){flash_sim_port(bench->sim), 0, chip.part.size};
    bench->cut_at = UINT32_MAX;
    flash_sim_observe(bench->sim, observe, bench);
    assert_int_equal(ota_journal_open(&bench->journal, &bench->area, &bench->record), 0);
}

/* A record in which every field depends on `n`. */
static struct ota_record sample(uint32_t n)
{
    struct ota_record record;
    memset(&record, 0, sizeof record);
    record.phase = (enum ota_phase)(n % 5);
    record.target = (struct img_version){(uint8_t)n, (uint8_t)(n + 1), (uint16_t)(n * 300), n * n};
    record.reason = -(int)n;
    for (uint32_t i = 0; i < OTA_FAILED_MAX; i++)
        record.failed[i] = (struct ota_failed){{(uint8_t)(n + i), 255, (uint16_t)(65535 - n), 0},
                                               (uint8_t)(n + 7 * i),
                                               {(uint8_t)n, (uint8_t)i, 255}};
    memset(record.path, 'a' + (int)(n % 26), n % OTA_PATH_MAX);
    return record;
}

static bool same(const struct ota_record *a, const struct ota_record *b)
{
    return a->phase == b->phase && a->reason == b->reason &&
           memcmp(&a->target, &b->target, sizeof a->target) == 0 &&
           memcmp(a->failed, b->failed, sizeof a->failed) == 0 && strcmp(a->path, b->path) == 0;
}

static void assert_newest(struct bench *bench, uint32_t n)
{
    struct ota_journal journal;
    struct ota_record found;
    struct ota_record wanted = sample(n);
    assert_int_equal(ota_journal_open(&journal, &bench->area, &found), 0);
    assert_true(same(&found, &wanted));
}

static void an_empty_area_owes_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, &shapes[0]);
    assert_int_equal(bench.record.phase, OTA_PHASE_IDLE);
    assert_int_equal(bench.record.failed[0].count, 0);
    flash_sim_close(bench.sim);
}

/* STOR-10, STOR-11, STOR-14: on every kind of part, many times around, no rule of it broken, all
 * sectors worn alike. */
static void the_newest_record_is_found_on_every_part(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        bench_open(&bench, &shapes[s]);
        for (uint32_t n = 1; n <= 60; n++) {
            struct ota_record record = sample(n);
            if (n % 3 == 0) /* as after a reset */
                assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &bench.record), 0);
            assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
            assert_newest(&bench, n);
        }
        assert_string_equal(flash_sim_violation(bench.sim), "");
        uint32_t first = flash_sim_erases_at(bench.sim, 0);
        uint32_t last = flash_sim_erases_at(bench.sim, bench.area.size - 1);
        assert_true(first - last <= 1);
        flash_sim_close(bench.sim);
    }
}

/* Cuts operation `at` of ten writes with `tear`. The old or the new record is found, and writing
 * goes on. False: there is no such operation. */
static bool cut_once(const struct shape *shape, uint32_t at, enum flash_tear tear)
{
    struct bench bench;
    struct ota_record found;
    struct ota_record record;
    uint32_t n;
    int error = 0;
    bench_open(&bench, shape);
    bench.cut_at = at;
    bench.cut = tear;
    for (n = 1; n <= 10 && error == 0; n++) {
        record = sample(n);
        error = ota_journal_write(&bench.journal, &record);
    }
    bool off = flash_sim_is_off(bench.sim);
    bool reached = off || flash_sim_misfit(bench.sim) != FLASH_TEAR_NONE;
    assert_int_equal(off, error != 0);
    flash_sim_power_on(bench.sim);
    bench.cut_at = UINT32_MAX;
    n--; /* the one that was cut, or the last */
    assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &found), 0);
    struct ota_record newer = sample(n);
    struct ota_record older = sample(n - 1);
    if (n == 1)
        memset(&older, 0, sizeof older);
    assert_true(same(&found, &newer) || (reached && same(&found, &older)));
    for (uint32_t next = 100; next < 110; next++) {
        record = sample(next);
        assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
        assert_newest(&bench, next);
    }
    assert_string_equal(flash_sim_violation(bench.sim), "");
    flash_sim_close(bench.sim);
    return reached;
}

/* RESM-13, STOR-18: every operation, every tear, every kind of part. */
static void old_or_new_under_any_cut(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        uint32_t operations = 0;
        for (uint32_t at = 0; cut_once(&shapes[s], at, FLASH_TEAR_AFTER); at++)
            operations++;
        assert_true(operations >= 11);
        for (uint32_t at = 0; at < operations; at++)
            for (enum flash_tear tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++)
                assert_true(cut_once(&shapes[s], at, tear));
    }
}

/* A second cut while the first one's damage is being passed over. */
static void old_or_new_under_two_cuts(void **state)
{
    (void)state;
    const struct shape *shape = &shapes[4];
    for (uint32_t first = 0; first < 12; first++) {
        for (uint32_t second = 0; second < 6; second++) {
            struct bench bench;
            struct ota_record found;
            bench_open(&bench, shape);
            bench.cut_at = first;
            bench.cut = FLASH_TEAR_HALF;
            uint32_t n = 1;
            for (int error = 0; error == 0 && n < 30; n++) {
                struct ota_record record = sample(n);
                error = ota_journal_write(&bench.journal, &record);
            }
            flash_sim_power_on(bench.sim);
            assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &found), 0);
            uint32_t kept = found.failed[0].count;
            bench.cut_at = flash_sim_op_count(bench.sim) + second;
            bench.cut = FLASH_TEAR_FAULT;
            for (n = kept + 1; n < kept + 30; n++) {
                struct ota_record record = sample(n);
                if (ota_journal_write(&bench.journal, &record) != 0)
                    break;
            }
            flash_sim_power_on(bench.sim);
            assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &found), 0);
            assert_true(found.failed[0].count == n || found.failed[0].count == n - 1);
            flash_sim_close(bench.sim);
        }
    }
}

/* A program that fails without a cut: the next write takes another place, and on a part whose
 * sectors hold one record each the only good one is not erased for it. */
static void a_failed_write_does_not_cost_the_record_before(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        struct ota_record record = sample(1);
        bench_open(&bench, &shapes[s]);
        assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
        for (unsigned i = 0; i < 8; i++) {
            bench.cut_at = flash_sim_op_count(bench.sim);
            if (bench.journal.ring.next == bench.area.size)
                bench.cut_at++; /* the program after the erase */
            bench.cut = FLASH_TEAR_FIRST_ODD;
            record = sample(2);
            assert_int_not_equal(ota_journal_write(&bench.journal, &record), 0);
            flash_sim_power_on(bench.sim); /* the agent did not notice any reset */
            struct ota_journal journal;
            assert_int_equal(ota_journal_open(&journal, &bench.area, &record), 0);
            assert_true(record.failed[0].count == 1 || record.failed[0].count == 2);
        }
        record = sample(3);
        bench.cut_at = UINT32_MAX;
        assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
        assert_newest(&bench, 3);
        flash_sim_close(bench.sim);
    }
}

static int forget_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    (void)context;
    (void)address;
    (void)data;
    (void)length;
    return 0;
}

/* STOR-12: flash that says it has written, and has not. */
static void a_silent_write_failure_is_noticed(void **state)
{
    (void)state;
    struct bench bench;
    struct ota_record record = sample(1);
    bench_open(&bench, &shapes[0]);
    struct flash_port silent = *bench.area.flash;
    silent.program = forget_program;
    bench.journal.ring.area.flash = &silent;
    assert_int_equal(ota_journal_write(&bench.journal, &record), OTA_E_FLASH_PROGRAM);
    flash_sim_close(bench.sim);
}

/* Any bit of a record flipped: it counts as absent. */
static void a_damaged_record_counts_as_absent(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < OTA_RECORD_SIZE * 8; bit++) {
        struct bench bench;
        uint8_t byte;
        bench_open(&bench, &shapes[0]);
        for (uint32_t n = 1; n <= 2; n++) {
            struct ota_record record = sample(n);
            assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
        }
        uint32_t at = OTA_RECORD_SIZE + bit / 8;
        assert_int_equal(flash_sim_peek(bench.sim, at, &byte, 1), 0);
        byte ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(flash_sim_put(bench.sim, at, &byte, 1), 0);
        assert_newest(&bench, 1);
        flash_sim_close(bench.sim);
    }
}

static void an_area_without_room_is_refused(void **state)
{
    (void)state;
    const struct shape tiny = {1, 64, 4, 0, 0xFF, FLASH_PROGRAMS_ANY, 0};
    struct bench bench;
    bench_open(&bench, &shapes[0]);
    bench.area.size = shapes[0].sector;
    assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &bench.record), OTA_E_LAYOUT);
    flash_sim_close(bench.sim);
    struct flash_chip chip = {.part = {.size = 256,
                                       .runs = {{tiny.sectors, tiny.sector}},
                                       .run_count = 1,
                                       .unit = 1,
                                       .erased = 0xFF}};
    bench.sim = flash_sim_memory(&chip, 1);
    bench.area = (struct flash_area){flash_sim_port(bench.sim), 0, 256};
    assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &bench.record), OTA_E_LAYOUT);
    flash_sim_close(bench.sim);
}

/* What an agent of the format before left: its one failed image is known. */
static void the_older_format_is_read(void **state)
{
    (void)state;
    static const uint8_t head[] = {0x4F, 0x54, 0x41, 0x4A, 0x01, 0x00, 0x00, 0x00, 0x02,
                                   0x00, 0x02, 0x00, 0x01, 0x02, 0x03, 0x00, 0x04, 0x00,
                                   0x00, 0x00, 0x19, 0xFC, 0xFF, 0xFF, 0x02, 0x00, 0x00,
                                   0x00, 0x05, 0x06, 0x07, 0x00, 0x08, 0x00, 0x00, 0x00};
    static const uint8_t crc[] = {0x59, 0x8E, 0xBB, 0x93};
    static const struct img_version failed = {5, 6, 7, 0};
    uint8_t raw[OTA_RECORD_SIZE] = {0};
    struct bench bench;
    memcpy(raw, head, sizeof head);
    memset(raw + 36, 0xAA, 32);
    memcpy(raw + 68, "/v2.bin", 7);
    memcpy(raw + 324, crc, sizeof crc);
    bench_open(&bench, &shapes[0]);
    assert_int_equal(flash_sim_put(bench.sim, 0, raw, sizeof raw), 0);
    assert_int_equal(ota_journal_open(&bench.journal, &bench.area, &bench.record), 0);
    assert_int_equal(bench.record.phase, OTA_PHASE_INSTALL);
    assert_string_equal(bench.record.path, "/v2.bin");
    assert_int_equal(ota_record_failures(&bench.record, &failed), 2);
    assert_int_equal(bench.record.failed[0].digest[2], 0xAA);
    assert_int_equal(bench.record.failed[1].count, 0);
    flash_sim_close(bench.sim);
}

/* The record as it lies in flash: a change of format must be a decision. */
static void the_format_is_what_it_was(void **state)
{
    (void)state;
    static const uint8_t head[] = {0x4F, 0x54, 0x41, 0x4A, 0x01, 0x00, 0x00, 0x00, 0x03, 0x00,
                                   0x02, 0x00, 0x01, 0x02, 0x03, 0x00, 0x04, 0x00, 0x00, 0x00,
                                   0x19, 0xFC, 0xFF, 0xFF, 0x05, 0x06, 0x07, 0x00, 0x02, 0xAA,
                                   0xBB, 0xCC, 0x09, 0x00, 0x01, 0x02, 0xFF, 0x01, 0x02, 0x03};
    static const uint8_t crc[] = {0x6E, 0xEC, 0x83, 0x79};
    uint8_t golden[OTA_RECORD_SIZE] = {0};
    uint8_t raw[OTA_RECORD_SIZE];
    struct bench bench;
    struct ota_record record = {
        .phase = OTA_PHASE_INSTALL,
        .target = {1, 2, 3, 4},
        .reason = -999,
        .failed = {{{5, 6, 7, 0}, 2, {0xAA, 0xBB, 0xCC}}, {{9, 0, 513, 0}, 255, {1, 2, 3}}},
        .path = "/v2.bin"};
    memcpy(golden, head, sizeof head);
    memcpy(golden + 68, "/v2.bin", 7);
    memcpy(golden + 324, crc, sizeof crc);
    bench_open(&bench, &shapes[0]);
    assert_int_equal(ota_journal_write(&bench.journal, &record), 0);
    assert_int_equal(flash_sim_peek(bench.sim, 0, raw, sizeof raw), 0);
    assert_memory_equal(raw, golden, OTA_RECORD_SIZE);
    flash_sim_close(bench.sim);
}

/* ---- images that failed ------------------------------------------------------------------ */

static void stage(struct ota_record *record, uint8_t major, uint8_t build)
{
    const struct img_version version = {major, 0, 0, build};
    const uint8_t digest[CRYPTO_SHA256_SIZE] = {major, build};
    ota_record_stage(record, &version, digest);
}

static unsigned failures(const struct ota_record *record, uint8_t major)
{
    return ota_record_failures(record, &(struct img_version){.major = major});
}

static void each_image_has_its_own_count(void **state)
{
    (void)state;
    struct ota_record record = {.phase = OTA_PHASE_IDLE};
    for (unsigned turn = 1; turn <= 2; turn++)
        for (uint8_t major = 2; major <= 4; major++) {
            stage(&record, major, 1);
            ota_record_reverted(&record);
            assert_int_equal(failures(&record, major), turn);
        }
    stage(&record, 3, 2); /* another build of it */
    assert_int_equal(failures(&record, 3), 0);
    assert_int_equal(failures(&record, 2), 2);
    record.failed[0].count = UINT8_MAX;
    ota_record_reverted(&record);
    assert_int_equal(failures(&record, 3), UINT8_MAX);
    ota_record_confirmed(&record, &(struct img_version){.major = 3});
    assert_int_equal(failures(&record, 2), 0);
    assert_int_equal(failures(&record, 3), 0);
    assert_int_equal(failures(&record, 4), 2);
}

static void what_failed_longest_ago_makes_room(void **state)
{
    (void)state;
    struct ota_record record = {.phase = OTA_PHASE_IDLE};
    for (uint8_t major = 1; major <= OTA_FAILED_MAX; major++) {
        stage(&record, major, 1);
        if (major != 3)
            ota_record_reverted(&record);
    }
    stage(&record, 8, 1); /* in the place of 3, which never failed */
    ota_record_reverted(&record);
    assert_int_equal(failures(&record, 1), 1);
    stage(&record, 9, 1);
    assert_int_equal(failures(&record, 1), 0);
    assert_int_equal(failures(&record, 2), 1);
    assert_int_equal(failures(&record, 8), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_area_owes_nothing),
        cmocka_unit_test(the_newest_record_is_found_on_every_part),
        cmocka_unit_test(old_or_new_under_any_cut),
        cmocka_unit_test(old_or_new_under_two_cuts),
        cmocka_unit_test(a_failed_write_does_not_cost_the_record_before),
        cmocka_unit_test(a_silent_write_failure_is_noticed),
        cmocka_unit_test(a_damaged_record_counts_as_absent),
        cmocka_unit_test(an_area_without_room_is_refused),
        cmocka_unit_test(the_older_format_is_read),
        cmocka_unit_test(the_format_is_what_it_was),
        cmocka_unit_test(each_image_has_its_own_count),
        cmocka_unit_test(what_failed_longest_ago_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

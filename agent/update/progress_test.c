#include "agent/sha256_rig.h"
#include "agent/update/progress_rig.h"

/* ---- without cuts ------------------------------------------------------------------------ */

static void a_download_is_recorded_piece_by_piece(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (enum order order = FORWARD; order < ORDERS; order++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            assert_int_equal(session(&bench, key_a, order), 0);
            assert_whole(&bench);
            assert_int_equal(ota_progress_done(&bench.progress), bench.total);
            reopen(&bench);
            assert_false(ota_progress_has(&bench.progress, 0)); /* not yet known to be true */
            assert_int_equal(session(&bench, key_a, order), 0);
            assert_int_equal(bench.programmed, 0);
            assert_string_equal(bench.progress.etag, "\"tag\"");
            assert_whole(&bench);
            bench_free(&bench);
        }
    }
}

/* The cost: no more records than pieces, and one that ends it. */
static void few_records_are_written(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        bench_new(&bench, &shapes[s]);
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        uint32_t pieces = 0;
        for (uint32_t i = 0; i < OTA_PROGRESS_PIECES; i++)
            pieces += i == 0 || bench.progress.ends[i] > bench.progress.ends[i - 1];
        assert_int_equal(bench.progress.ring.sequence, pieces);
        assert_int_equal(ota_progress_clear(&bench.progress), 0);
        assert_int_equal(ota_progress_clear(&bench.progress), 0);
        assert_int_equal(bench.progress.ring.sequence, pieces + 1);
        bench_free(&bench);
    }
}

static void assert_starts_over(struct bench *bench, const uint8_t *key,
                               const struct img_version *version)
{
    reopen(bench);
    assert_int_equal(ota_progress_start(&bench->progress, key, version), 0);
    assert_int_equal(bench->progress.total, 0);
    assert_false(ota_progress_has(&bench->progress, 0));
    assert_int_equal(ota_progress_done(&bench->progress), 0);
    reopen(bench); /* and so it is after the next reset, for whoever asks */
    assert_int_equal(bench->progress.total, 0);
    assert_int_equal(ota_progress_start(&bench->progress, key_a, &v2), 0);
    assert_false(ota_progress_has(&bench->progress, 0));
    assert_int_equal(session(bench, key_a, FORWARD), 0);
    assert_whole(bench);
}

/* RESM-05, RESM-09, RESM-12 */
static void another_image_starts_over(void **state)
{
    (void)state;
    static const struct img_version others[] = {{3, 0, 0, 0}, {2, 1, 0, 0}, {2, 0, 1, 0}};
    struct bench bench;
    bench_new(&bench, &shapes[4]);
    assert_int_equal(session(&bench, key_a, FORWARD), 0);
    assert_starts_over(&bench, key_b, &v2);
    for (size_t i = 0; i < 3; i++)
        assert_starts_over(&bench, key_a, &others[i]);
    bench_free(&bench);
}

static void another_size_or_tag_is_told(void **state)
{
    (void)state;
    struct bench bench;
    char tag[OTA_ETAG_MAX + 1];
    bench_new(&bench, &shapes[0]);
    struct ota_progress *progress = &bench.progress;
    assert_int_equal(session(&bench, key_a, FORWARD), 0);
    reopen(&bench);
    assert_int_equal(ota_progress_start(progress, key_a, &v2), 0);
    assert_int_equal(ota_progress_expect(progress, bench.total + 1, "\"tag\""), OTA_E_CHANGED);
    assert_int_equal(ota_progress_expect(progress, bench.total, "\"tug\""), OTA_E_CHANGED);
    assert_int_equal(ota_progress_expect(progress, bench.total, ""), 0); /* not said: no other */
    assert_int_equal(ota_progress_expect(progress, bench.total, "Sun, 06 Nov 1994 08:49:37 GMT"),
                     0);
    assert_int_equal(ota_progress_expect(progress, 0, ""), OTA_E_IMG_SIZE);
    assert_int_equal(ota_progress_expect(progress, bench.slot.size + 1, ""), OTA_E_IMG_SIZE);
    memset(tag, 'x', sizeof tag);
    tag[OTA_ETAG_MAX] = 0;
    assert_int_equal(ota_progress_expect(progress, bench.total, tag), OTA_E_NO_SPACE);
    assert_int_equal(ota_progress_expect(progress, bench.total, "\"tag\""), 0);
    assert_int_equal(ota_progress_restart(progress), 0);
    assert_int_equal(ota_progress_note(progress, 0, 1), OTA_E_BUSY);
    assert_int_equal(erase_all(&bench), 0);
    assert_int_equal(flash_area_is_erased(&bench.slot, 0, bench.slot.size), 1);
    assert_int_equal(ota_progress_note(progress, 0, 1), OTA_E_BUSY);
    tag[OTA_ETAG_MAX - 1] = 0;
    assert_int_equal(ota_progress_expect(progress, 5000, tag), 0);
    bench.total = 5000;
    assert_int_equal(fetch(&bench, 0), 0);
    reopen(&bench);
    assert_int_equal(ota_progress_start(progress, key_a, &v2), 0);
    assert_string_equal(progress->etag, tag);
    assert_int_equal(progress->total, 5000);
    assert_true(ota_progress_has(progress, 0));
    assert_false(ota_progress_has(progress, 4096));
    assert_int_equal(ota_progress_restart(progress), 0);
    assert_int_equal(ota_progress_expect(progress, 5000, "x"), 0);
    assert_string_equal(progress->etag, "x"); /* nothing of the longer one */
    bench_free(&bench);
}

/* Of an image in an archive the archive's size is recorded as well, and goes with the rest. */
static void the_archive_is_recorded(void **state)
{
    struct bench bench;
    struct ota_progress *progress = &bench.progress;
    (void)state;
    bench_new(&bench, &shapes[0]);
    bench.total = 5000;
    assert_int_equal(ota_progress_start(progress, key_a, &v2), 0);
    assert_int_equal(erase_all(&bench), 0);
    assert_int_equal(ota_progress_expect(progress, 5000, ""), 0);
    ota_progress_pack(progress, 7168);
    assert_int_equal(fetch(&bench, 0), 0);
    reopen(&bench);
    assert_int_equal(ota_progress_start(progress, key_a, &v2), 0);
    assert_int_equal(progress->total, 5000);
    assert_int_equal(progress->archive, 7168);
    assert_int_equal(ota_progress_restart(progress), 0);
    assert_int_equal(progress->archive, 0);
    reopen(&bench);
    assert_int_equal(progress->archive, 0);
    bench_free(&bench);
}

/* A loader swaps, or somebody else writes to the slot, and the record was not cleared. */
static void progress_without_its_bytes_is_not_believed(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 3; n++) {
        struct bench bench;
        uint8_t byte;
        bench_new(&bench, &shapes[4]);
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        uint32_t at = n * (bench.total - 1) / 2;
        if (n == 1) { /* unreadable */
            assert_int_equal(flash_sim_break_unit(bench.sim, at / 8 * 8), 0);
        } else {
            assert_int_equal(flash_sim_peek(bench.sim, at, &byte, 1), 0);
            byte ^= 0x10;
            assert_int_equal(flash_sim_put(bench.sim, at, &byte, 1), 0);
        }
        assert_starts_over(&bench, key_a, &v2);
        bench_free(&bench);
    }
}

static void bytes_count_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[0]);
    struct ota_progress *progress = &bench.progress;
    assert_int_equal(ota_progress_erase(progress), OTA_E_BUSY);
    assert_int_equal(ota_progress_start(progress, key_a, &v2), 0);
    assert_int_equal(ota_progress_expect(progress, bench.total, ""), 0);
    assert_int_equal(ota_progress_note(progress, 0, 1), OTA_E_BUSY);
    assert_int_equal(erase_all(&bench), 0);
    assert_int_equal(ota_progress_note(progress, bench.total, 1), OTA_E_ARGUMENT);
    assert_int_equal(ota_progress_note(progress, 1, bench.total), OTA_E_ARGUMENT);
    assert_int_equal(ota_progress_note(progress, UINT32_MAX, 2), OTA_E_ARGUMENT);
    assert_int_equal(program(&bench, 0, CHUNK), 0);
    for (uint32_t i = 0; i < CHUNK; i++) {
        assert_false(ota_progress_has(progress, 0));
        assert_int_equal(ota_progress_note(progress, i, 1), 0);
    }
    assert_true(ota_progress_has(progress, 0));
    assert_true(ota_progress_has(progress, CHUNK - 1));
    assert_false(ota_progress_has(progress, CHUNK));
    assert_false(ota_progress_has(progress, UINT32_MAX));
    assert_int_equal(ota_progress_note(progress, 0, 1), OTA_E_ARGUMENT);
    assert_int_equal(program(&bench, CHUNK, CHUNK), 0); /* one range over two pieces */
    assert_int_equal(program(&bench, 2 * CHUNK, CHUNK), 0);
    assert_int_equal(ota_progress_note(progress, CHUNK, 2 * CHUNK), 0);
    assert_int_equal(ota_progress_done(progress), 3 * CHUNK);
    bench_free(&bench);
}

/* What lies behind the image was erased before its first byte came: not once more, unless somebody
 * has been there. */
static void the_rest_of_the_slot_is_left_alone(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        uint8_t byte = (uint8_t)~shapes[s].erased;
        bench_new(&bench, &shapes[s]);
        bench.total = 3 * CHUNK + 1;
        uint32_t last = bench.slot.size - 1;
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        assert_int_equal(flash_sim_erases_at(bench.sim, last), 1);
        reopen(&bench);
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        assert_int_equal(flash_sim_erases_at(bench.sim, last), 1);
        assert_int_equal(flash_sim_put(bench.sim, last, &byte, 1), 0);
        reopen(&bench);
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        assert_int_equal(flash_sim_erases_at(bench.sim, last), 2);
        assert_int_equal(flash_sim_erases_at(bench.sim, 0), 1);
        assert_whole(&bench);
        bench_free(&bench);
    }
}

/* A flash that keeps what it was told to itself until it is told to sync. */
struct lazy {
    struct bench *bench;
    bool dirty; /* data is not safe yet */
    unsigned syncs;
};

static int lazy_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct flash_port *flash = flash_sim_port(((struct lazy *)context)->bench->sim);
    return flash->read(flash->context, address, data, length);
}

static int lazy_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct lazy *lazy = context;
    const struct flash_port *flash = flash_sim_port(lazy->bench->sim);
    if (address < lazy->bench->slot.size)
        lazy->dirty = true;
    else
        assert_false(lazy->dirty); /* a record of data that is not safe */
    return flash->program(flash->context, address, data, length);
}

static int lazy_erase(void *context, uint32_t address)
{
    const struct flash_port *flash = flash_sim_port(((struct lazy *)context)->bench->sim);
    return flash->erase(flash->context, address);
}

static int lazy_sync(void *context)
{
    struct lazy *lazy = context;
    lazy->dirty = false;
    lazy->syncs++;
    return 0;
}

static int lazy_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct flash_port *flash = flash_sim_port(((struct lazy *)context)->bench->sim);
    return flash->sector(flash->context, address, out);
}

static void data_is_synced_before_it_is_recorded(void **state)
{
    (void)state;
    struct bench bench;
    struct lazy lazy = {.bench = &bench};
    const struct flash_port port = {&lazy,      lazy_read, lazy_program,
                                    lazy_erase, lazy_sync, lazy_sector};
    bench_new(&bench, &shapes[0]);
    bench.slot.flash = &port;
    bench.area.flash = &port;
    reopen(&bench);
    assert_int_equal(session(&bench, key_a, MIXED), 0);
    assert_true(lazy.syncs >= 10);
    bench_free(&bench);
}

static void without_an_area_nothing_is_kept(void **state)
{
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[0]);
    bench.area.size = 0;
    for (int i = 0; i < 2; i++) {
        reopen(&bench);
        assert_int_equal(session(&bench, key_a, FORWARD), 0);
        assert_whole(&bench);
        assert_int_equal(ota_progress_clear(&bench.progress), 0);
        assert_true(bench.programmed >= bench.total);
    }
    assert_int_equal(bench.records, 0);
    bench_free(&bench);
}

static void an_area_of_one_sector_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[0]);
    bench.area.size = 4096;
    assert_int_equal(ota_progress_open(&bench.progress, &bench.area, &bench.slot), OTA_E_LAYOUT);
    bench_free(&bench);
}

static void the_key_tells_fields_apart(void **state)
{
    (void)state;
    static const char *const jobs[][2] = {{"host", "/file"}, {"host/", "file"}, {"host/file", ""},
                                          {"", "host/file"}, {"/file", "host"}, {"host", "/filf"},
                                          {"host", NULL},    {NULL, NULL}};
    const struct crypto_port crypto = {.sha256 = rig_sha256};
    uint8_t keys[8][32] = {{0}};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(ota_progress_key(&crypto, keys[i], jobs[i][0]), 0);
        assert_int_equal(ota_progress_key(&crypto, keys[i], jobs[i][1]), 0);
        for (size_t other = 0; other < i; other++)
            assert_memory_not_equal(keys[i], keys[other], 32);
    }
}

/* ---- format ------------------------------------------------------------------------------ */

/* The record as it lies in flash: a change of format must be a decision. */
static void the_format_is_what_it_was(void **state)
{
    (void)state;
    static const uint8_t golden[32] = {'O', 'T', 'A', 'P', 1, 0, 0,    0,    1, 0, 0, 0, 2, 3,
                                       4,   0,   5,   0,   0, 0, 0x88, 0x13, 0, 0, 1, 0, 0, 0};
    const struct img_version version = {2, 3, 4, 5};
    struct bench bench;
    uint8_t raw[OTA_PROGRESS_RECORD];
    bench_new(&bench, &shapes[0]);
    bench.total = 5000;
    assert_int_equal(ota_progress_start(&bench.progress, key_a, &version), 0);
    assert_int_equal(erase_all(&bench), 0);
    assert_int_equal(ota_progress_expect(&bench.progress, 5000, "W/\"1\""), 0);
    assert_int_equal(fetch(&bench, 0), 0);
    assert_int_equal(flash_sim_peek(bench.sim, bench.area.address, raw, sizeof raw), 0);
    assert_memory_equal(raw, golden, 28);
    assert_memory_equal(raw + 32, key_a, 32);
    assert_string_equal((const char *)raw + 64, "W/\"1\"");
    assert_int_equal(ota_get32(raw + 128), 0);
    assert_int_equal(ota_get32(raw + 132), ota_crc32(0, raw, 132));
    uint8_t piece[4 + CHUNK] = {0};
    memcpy(piece + 4, bench.image, CHUNK);
    assert_int_equal(ota_get32(raw + 28), ota_crc32(0, piece, sizeof piece));
    bench_free(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_download_is_recorded_piece_by_piece),
        cmocka_unit_test(few_records_are_written),
        cmocka_unit_test(another_image_starts_over),
        cmocka_unit_test(another_size_or_tag_is_told),
        cmocka_unit_test(the_archive_is_recorded),
        cmocka_unit_test(progress_without_its_bytes_is_not_believed),
        cmocka_unit_test(bytes_count_once),
        cmocka_unit_test(the_rest_of_the_slot_is_left_alone),
        cmocka_unit_test(data_is_synced_before_it_is_recorded),
        cmocka_unit_test(without_an_area_nothing_is_kept),
        cmocka_unit_test(an_area_of_one_sector_is_refused),
        cmocka_unit_test(the_key_tells_fields_apart),
        cmocka_unit_test(the_format_is_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "flashsim/test_parts.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[256];
static char path[300];
static char state_path[310];
static char fresh_path[310];

static int make_dir(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/flashsim.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/flash", dir);
    snprintf(state_path, sizeof state_path, "%s.state", path);
    snprintf(fresh_path, sizeof fresh_path, "%s.new", path);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    unlink(state_path);
    unlink(fresh_path);
    return rmdir(dir);
}

static struct flash_sim *open_chip(const struct flash_part *part, bool expect_created)
{
    struct flash_chip chip = {.part = *part, .start = 0};
    struct flash_sim *sim;
    struct flash_text_error error;
    bool created;
    int result = flash_sim_file(path, &chip, 1, &created, &sim, &error);
    if (result != 0) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(created, expect_created);
    return sim;
}

static int open_error(const struct flash_part *part, const char *words)
{
    struct flash_chip chip = {.part = *part, .start = 0};
    struct flash_sim *sim = (struct flash_sim *)&chip;
    struct flash_text_error error = {0};
    bool created = true;
    int result = flash_sim_file(path, &chip, 1, &created, &sim, &error);
    assert_null(sim);
    assert_false(created);
    if (strstr(error.message, words) == NULL) {
        fail_msg("'%s' lacks '%s'", error.message, words);
    }
    return result;
}

static off_t file_size(const char *name)
{
    struct stat status;
    return stat(name, &status) == 0 ? status.st_size : -1;
}

static void test_bytes_lie_in_the_file(void **state)
{
    (void)state;
    struct flash_chip chips[2] = {{.part = part_any, .start = 0}, {.part = part_row, .start = 256}};
    struct flash_sim *sim;
    struct flash_text_error error;
    bool created;
    assert_int_equal(flash_sim_file(path, chips, 2, &created, &sim, &error), 0);
    assert_true(created);
    assert_int_equal(sim_program(sim, 17, "\x12\x34", 2), 0);
    uint8_t row[64];
    memset(row, 0x99, sizeof row);
    assert_int_equal(sim_program(sim, 256 + 128, row, 64), 0);

    uint8_t expected[512];
    memset(expected, 0xFF, 256);
    memset(expected + 256, 0x00, 256);
    memcpy(expected + 17, "\x12\x34", 2);
    memcpy(expected + 256 + 128, row, 64);
    uint8_t bytes[513];
    FILE *file = fopen(path, "rb"); /* while it is still open there */
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 512);
    fclose(file);
    assert_memory_equal(bytes, expected, 512);
    assert_null(flash_sim_snapshot(sim));
    flash_sim_close(sim);
}

static int open_shadow(struct flash_sim **out, struct flash_text_error *error)
{
    const struct flash_chip chip = {.part = part_ecc, .start = 0};
    return flash_sim_shadow(path, &chip, 1, out, error);
}

/* A shadow keeps its bytes to itself and shares the state. */
static void test_a_shadow(void **state)
{
    (void)state;
    uint8_t bytes[8];
    struct flash_text_error error;
    struct flash_sim *shadow;
    assert_int_equal(open_shadow(&shadow, &error), OTA_E_IO);
    assert_string_equal(error.message, "cannot open the flash file: No such file or directory");
    assert_int_not_equal(access(path, F_OK), 0);
    struct flash_sim *sim = open_chip(&part_ecc, true);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), 0);
    assert_int_equal(open_shadow(&shadow, &error), OTA_E_BUSY);
    flash_sim_close(sim);
    assert_int_equal(truncate(path, 511), 0);
    assert_int_equal(open_shadow(&shadow, &error), OTA_E_IO);
    assert_string_equal(error.message, "the file has 511 bytes, the device's chips have 512");
    assert_int_equal(truncate(path, 1024), 0);
    assert_int_equal(open_shadow(&shadow, &error), 0);
    assert_int_equal(sim_read(shadow, 8, bytes, 8), 0);
    assert_memory_equal(bytes, "ABCDEFGH", 8);
    assert_int_equal(sim_program(shadow, 8, "ABCDEFGH", 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(shadow, 0, "ABCDEFGH", 8), 0);
    assert_int_equal(flash_sim_break_unit(shadow, 128), 0);
    flash_sim_close(shadow);
    assert_int_equal(truncate(path, 512), 0);
    sim = open_chip(&part_ecc, false);
    assert_int_equal(flash_sim_peek(sim, 0, bytes, 8), 0);
    assert_int_not_equal(memcmp(bytes, "ABCDEFGH", 8), 0);
    assert_int_equal(sim_program(sim, 0, "ABCDEFGH", 8), OTA_E_FLASH_PROGRAM); /* is counted */
    assert_int_equal(sim_read(sim, 128, bytes, 8), OTA_E_FLASH_READ);
    flash_sim_close(sim);
}

static void test_state_persists(void **state)
{
    (void)state;
    uint8_t now[8];
    struct flash_sim *sim = open_chip(&part_ecc, true);
    assert_int_equal(sim_program(sim, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), 0);
    assert_int_equal(sim_erase(sim, 256), 0);
    assert_int_equal(sim_erase(sim, 256), 0);
    assert_int_equal(flash_sim_break_unit(sim, 384), 0);
    assert_int_equal(flash_sim_break_unit(sim, 136), 0);
    uint64_t print = flash_sim_fingerprint(sim, 0, 512);
    flash_sim_close(sim);

    sim = open_chip(&part_ecc, false);
    assert_true(flash_sim_fingerprint(sim, 0, 512) == print);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 16, "ABCDEFGH", 8), 0);
    assert_int_equal(flash_sim_erases_at(sim, 256), 2);
    assert_int_equal(sim_read(sim, 384, now, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 136, now, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_erase(sim, 384), 0);
    flash_sim_close(sim);

    sim = open_chip(&part_ecc, false);
    assert_int_equal(sim_read(sim, 384, now, 8), 0);
    assert_int_equal(sim_read(sim, 136, now, 8), OTA_E_FLASH_READ);
    assert_int_equal(sim_read(sim, 16, now, 8), 0);
    assert_memory_equal(now, "ABCDEFGH", 8);
    flash_sim_close(sim);
}

static void assert_state_is_rebuilt(void)
{
    struct flash_sim *sim = open_chip(&part_ecc, false);
    /* Not erased: counts as programmed once. Erased: as free. */
    assert_int_equal(sim_program(sim, 8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8),
                     OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 16, "ABCDEFGH", 8), 0);
    assert_int_equal(flash_sim_erases_at(sim, 256), 0);
    assert_int_equal(sim_erase(sim, 0), 0);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), 0);
    assert_int_equal(sim_erase(sim, 256), 0);
    flash_sim_close(sim);
}

static void test_state_missing_or_wrong(void **state)
{
    (void)state;
    struct flash_sim *sim = open_chip(&part_ecc, true);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), 0);
    assert_int_equal(sim_erase(sim, 256), 0);
    flash_sim_close(sim);

    assert_int_equal(unlink(state_path), 0);
    assert_state_is_rebuilt();
    assert_int_equal(truncate(state_path, 70), 0); /* cut short */
    assert_state_is_rebuilt();
    FILE *file = fopen(state_path, "r+b"); /* no magic: was never finished */
    assert_non_null(file);
    fputc(0, file);
    fclose(file);
    assert_state_is_rebuilt();
    struct flash_part other = part_ecc; /* the same bytes as another part */
    other.runs[0] = (struct flash_sector_run){2, 256};
    flash_sim_close(open_chip(&other, false));
    assert_state_is_rebuilt();
}

/* A new flash file beside the .state of a former one. */
static void test_stale_state(void **state)
{
    (void)state;
    struct flash_sim *sim = open_chip(&part_ecc, true);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), 0);
    flash_sim_close(sim);
    assert_int_equal(unlink(path), 0);
    sim = open_chip(&part_ecc, true);
    assert_int_equal(sim_program(sim, 8, "ABCDEFGH", 8), 0);
    flash_sim_close(sim);
}

/* Bytes that somebody put into the file without counting. */
static void test_counts_what_it_finds(void **state)
{
    (void)state;
    flash_sim_close(open_chip(&part_ecc, true));
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fputc('x', file);
    fclose(file);
    struct flash_sim *sim = open_chip(&part_ecc, false);
    assert_int_equal(sim_program(sim, 0, "xxxxxxxx", 8), OTA_E_FLASH_PROGRAM);
    assert_int_equal(sim_program(sim, 8, "xxxxxxxx", 8), 0);
    flash_sim_close(sim);
}

static void test_wrong_files(void **state)
{
    (void)state;
    flash_sim_close(open_chip(&part_any, true));
    assert_int_equal(open_error(&part_ecc, "has 256 bytes, the device's chips have 512"), OTA_E_IO);
    assert_int_equal(file_size(path), 256);
    unlink(path);
    unlink(state_path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(open_error(&part_any, "Is a directory"), OTA_E_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(open_error(&part_any, "not a regular file"), OTA_E_IO);
    assert_int_equal(unlink(path), 0);
    struct flash_part bad = part_any;
    bad.unit = 3;
    assert_int_equal(open_error(&bad, "do not fit"), OTA_E_ARGUMENT);
    assert_int_equal(file_size(path), -1);
}

/* A file that may not grow any more stands for a full disk: the half-made file goes away. */
static void test_full_disk(void **state)
{
    (void)state;
    struct flash_part part = part_large;
    part.size = 4 * 1024 * 1024;
    part.runs[0] = (struct flash_sector_run){256, 16384};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 1024 * 1024 + 512, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = open_error(&part, "File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(result, OTA_E_IO);
    assert_int_equal(file_size(path), -1);
    assert_int_equal(file_size(state_path), -1);
    flash_sim_close(open_chip(&part, true));
    assert_int_equal(file_size(path), part.size);
}

static void test_second_process_is_locked_out(void **state)
{
    (void)state;
    struct flash_sim *sim = open_chip(&part_any, true);
    pid_t child = fork();
    if (child == 0) {
        struct flash_chip chip = {.part = part_any, .start = 0};
        struct flash_sim *mine;
        struct flash_text_error error;
        bool created;
        int result = flash_sim_file(path, &chip, 1, &created, &mine, &error);
        _exit(result == OTA_E_BUSY && strstr(error.message, "in use") != NULL ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    flash_sim_close(sim);
    flash_sim_close(open_chip(&part_any, false));
}

/* A process that is killed while it works leaves files that the next one can use. */
static void test_killed_while_writing(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct flash_chip chip = {.part = part_ecc, .start = 0};
            struct flash_sim *sim;
            struct flash_text_error error;
            bool created;
            int result = flash_sim_file(path, &chip, 1, &created, &sim, &error);
            if (result == 0) {
                result = sim_erase(sim, 0);
            }
            while (result == 0) {
                result = sim_program(sim, 0, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", 32);
                result = result != 0 ? result : sim_erase(sim, 0);
            }
            _exit(1);
        }
        usleep(3000 + (useconds_t)round * 700);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct flash_chip chip = {.part = part_ecc, .start = 0};
        struct flash_sim *sim;
        struct flash_text_error error;
        bool created;
        assert_int_equal(flash_sim_file(path, &chip, 1, &created, &sim, &error), 0);
        uint8_t now[32];
        assert_int_equal(sim_read(sim, 0, now, 32), 0);
        for (uint32_t unit = 0; unit < 4; unit++) {
            bool erased = memcmp(now + 8 * unit, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8) == 0;
            int result = sim_program(sim, 8 * unit, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
            assert_true(erased || result == OTA_E_FLASH_PROGRAM);
        }
        assert_int_equal(sim_erase(sim, 0), 0);
        assert_int_equal(sim_program(sim, 0, "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", 32), 0);
        flash_sim_close(sim);
    }
}

/* Operations, tears and faults give the same on a file as in memory. */
static void test_same_as_memory(void **state)
{
    (void)state;
    const struct flash_part *parts[] = {&part_any, &part_ecc, &part_twice, &part_zero, &part_large};
    static uint8_t data[96];
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        struct flash_sim *file = open_chip(parts[p], true);
        struct flash_sim *memory = one_chip(parts[p]);
        struct flash_sector sector;
        uint32_t random = 7;
        for (int step = 0; step < 3000; step++) {
            random = random * 1664525u + 1013904223u;
            enum flash_tear tear = (enum flash_tear)((random >> 8) % FLASH_TEAR_COUNT);
            uint32_t at = (random >> 12) % parts[p]->size;
            uint32_t length = (random >> 4) % 6 * parts[p]->unit;
            flash_sim_observe(file, tear_at_once, &tear);
            flash_sim_observe(memory, tear_at_once, &tear);
            memset(data, (int)(random >> 24), sizeof data);
            const struct flash_port *port = flash_sim_port(memory);
            assert_int_equal(port->sector(port->context, at, &sector), 0);
            if (random >> 30 == 0) {
                assert_int_equal(sim_erase(file, sector.start), sim_erase(memory, sector.start));
            } else {
                at -= at % parts[p]->unit;
                assert_int_equal(sim_program(file, at, data, length),
                                 sim_program(memory, at, data, length));
            }
            flash_sim_power_on(file);
            flash_sim_power_on(memory);
            assert_true(flash_sim_fingerprint(file, 0, parts[p]->size) ==
                        flash_sim_fingerprint(memory, 0, parts[p]->size));
        }
        struct flash_stats stats;
        flash_sim_stats(memory, &stats);
        assert_true(stats.programs > 100 && stats.erases > 100 && stats.violations > 10);
        flash_sim_close(memory);
        flash_sim_close(file);
        unlink(path);
        unlink(state_path);
    }
}

/* What a new file is filled with before it has its name. */
static int fill(void *context, struct flash_sim *sim)
{
    int *result = context;
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(flash_sim_put(sim, 16, "factory", 7), 0);
    if (*result > 0) {
        kill(getpid(), SIGKILL);
    }
    return *result;
}

static int make_filled(int result, bool *created, struct flash_sim **sim)
{
    struct flash_chip chip = {.part = part_any, .start = 0};
    struct flash_text_error error;
    return flash_sim_file_filled(path, &chip, 1, fill, &result, created, sim, &error);
}

static void test_no_name_before_it_is_filled(void **state)
{
    (void)state;
    struct flash_sim *sim;
    bool created;
    int status;
    char text[7];
    assert_int_equal(make_filled(OTA_E_IMG_SIZE, &created, &sim), OTA_E_IMG_SIZE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(fresh_path, F_OK), -1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)make_filled(1, &created, &sim);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(access(path, F_OK), -1);
    /* Half-written, as a kill may leave it; other bytes must not shine through. */
    FILE *file = fopen(fresh_path, "w");
    assert_non_null(file);
    fputs("left over", file);
    fclose(file);
    assert_int_equal(make_filled(0, &created, &sim), 0);
    assert_true(created);
    assert_int_equal(access(fresh_path, F_OK), -1);
    assert_int_equal(flash_sim_peek(sim, 0, text, 7), 0);
    assert_memory_equal(text, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 7);
    assert_int_equal(flash_sim_peek(sim, 16, text, 7), 0);
    assert_memory_equal(text, "factory", 7);
    flash_sim_close(sim);
    assert_int_equal(make_filled(1, &created, &sim), 0); /* there already: not filled again */
    assert_false(created);
    flash_sim_close(sim);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_bytes_lie_in_the_file),
        FILE_TEST(test_a_shadow),
        FILE_TEST(test_state_persists),
        FILE_TEST(test_state_missing_or_wrong),
        FILE_TEST(test_stale_state),
        FILE_TEST(test_counts_what_it_finds),
        FILE_TEST(test_wrong_files),
        FILE_TEST(test_full_disk),
        FILE_TEST(test_second_process_is_locked_out),
        FILE_TEST(test_killed_while_writing),
        FILE_TEST(test_no_name_before_it_is_filled),
        FILE_TEST(test_same_as_memory),
    };
    return cmocka_run_group_tests_name("flashsim/file", tests, NULL, NULL);
}

/* The board in QEMU without a network: the real loader starts real programs, installs what a host
 * put into the second slot, and goes back. Skipped where QEMU or the board's programs are missing.
 */
#include "harness/files/files.h"
#include "harness/run/board_rig.h"
#include "sim/crypto_openssl.h"

/* ---- stories ----------------------------------------------------------------------------- */

static void boots_what_is_signed(void **state)
{
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    run_loader("boot 1.0.0 confirmed\nexit 0\n");
    assert_int_equal(bench.code, 0);
    print_message("from QEMU's start to the boot line: %u ms\n", bench.took_ms);
}

/* The lines of a run, less those that tell of its search for a broker. */
static const char *story(void)
{
    static char out[TEXT];
    size_t length = 0;
    for (const char *line = bench.lines; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (strncmp(line, "state ", 6) != 0) {
            memcpy(out + length, line, n + 1);
            length += n + 1;
        }
        line += n + (line[n] == '\n');
    }
    out[length] = '\0';
    return out;
}

struct way {
    const char *part;
    const char *scheme;
    uint32_t slot;
};

static const struct way ways[] = {
    {"nrf52840", "swap-move", SLOT},
    {"stm32l4", "swap-scratch", SLOT},
    {"psoc6-internal", "swap-status", SLOT},
};

/* v2, which a host put into the second slot, behaves so: it is tried once, and v1 comes back. */
static void tries_and_reverts(enum app_behaviour behaviour, const char *expected)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        make_device(ways[i].part, ways[i].scheme, ways[i].slot);
        put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
        put_image(&bench.device.secondary, 2, behaviour, file("key.pem"));
        run("revert\n");
        assert_string_equal(story(), expected);
        run_loader("boot 1.0.0 confirmed\nexit 0\n");
    }
}

static void crash_reverts(void **state)
{
    (void)state;
    tries_and_reverts(APP_CRASHES, "boot 2.0.0 trial test\napp crashes\nreset crash\n"
                                   "boot 1.0.0 confirmed revert\n");
}

static void hang_reverts(void **state)
{
    (void)state;
    tries_and_reverts(APP_HANGS, "boot 2.0.0 trial test\napp hangs\nreset watchdog\n"
                                 "boot 1.0.0 confirmed revert\n");
}

static void rsa_loader(void **state)
{
    struct flash_text_error error = {0};
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    assert_int_equal(nb_image_make_key(file("rsa"), CRYPTO_RSA2048_PSS), OTA_OK);
    assert_int_equal(sim_device_add_key(&bench.device, file("rsa.pub.pem"), &error), OTA_OK);
    bench.rsa = true;
    put_image(&bench.device.primary, 1, APP_GOOD, file("rsa.pem"));
    bench.forged = true;
    put_image(&bench.device.secondary, 2, APP_GOOD, file("rsa.pem"));
    run_loader("refused bad-signature\nboot 1.0.0 confirmed\nexit 0\n");
    bench.forged = false;
    put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
    run_loader("boot 2.0.0 trial test\nexit 0\n");
}

/* ---- the same as on the host ------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(nb_read_file(from, CORTEXM_FLASH_SIZE, &bytes, &size), OTA_OK);
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(out);
    free(bytes);
}

/* One boot of the host's loader on the flash file `name`. */
static void boot_on_host(const char *name)
{
    struct flash_sim *sim;
    struct flash_text_error error = {0};
    struct boot_config config;
    struct boot_result result;
    uint8_t buffer[SIM_COPY_BUFFER];
    bool created;
    assert_int_equal(flash_sim_file(file(name), bench.device.chips, bench.device.chip_count,
                                    &created, &sim, &error),
                     OTA_OK);
    struct crypto_openssl *crypto = crypto_openssl_new(sim, false);
    assert_non_null(crypto);
    sim_device_boot_config(&bench.device, flash_sim_port(sim), crypto_openssl_port(crypto), NULL,
                           NULL, buffer, sizeof buffer, &config);
    assert_int_equal(boot_go(&config, &result), OTA_OK);
    crypto_openssl_free(crypto);
    flash_sim_close(sim);
}

static void same_flash_as_on_the_host(void **state)
{
    static const struct way overwrite = {"psoc6-internal", "overwrite", SLOT};
    (void)state;
    for (size_t i = 0; i <= sizeof ways / sizeof ways[0]; i++) {
        const struct way *way = i < sizeof ways / sizeof ways[0] ? &ways[i] : &overwrite;
        make_device(way->part, way->scheme, way->slot);
        put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
        put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
        copy_file(file("flash"), file("host"));
        copy_file(file("flash.state"), file("host.state"));
        bench.life.boot_only = true;
        for (int boot = 0; boot < 2; boot++) { /* there, and back where the scheme goes back */
            uint8_t *board;
            uint8_t *host;
            size_t size;
            run(NULL);
            boot_on_host("host");
            assert_int_equal(nb_read_file(file("flash"), CORTEXM_FLASH_SIZE, &board, &size), 0);
            assert_int_equal(nb_read_file(file("host"), CORTEXM_FLASH_SIZE, &host, &size), 0);
            size_t at = 0;
            while (at < size && board[at] == host[at])
                at++;
            if (at < size)
                fail_msg("%s, boot %d: flash differs at 0x%zx", way->scheme, boot, at);
            free(board);
            free(host);
        }
    }
}

/* Signed, but not a program for this board: it goes as a crash does. */
static void no_program_reverts(void **state)
{
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    bench.filler = true;
    put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
    run("revert\n");
    assert_string_equal(story(), "boot 2.0.0 trial test\nreset crash\n"
                                 "boot 1.0.0 confirmed revert\n");
}

static void stranger_is_refused(void **state)
{
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    put_image(&bench.device.secondary, 2, APP_GOOD, file("other.pem"));
    run_loader("refused unknown-key\nboot 1.0.0 confirmed\nexit 0\n");
    bench.forged = true;
    put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
    run_loader("refused bad-signature\nboot 1.0.0 confirmed\nexit 0\n");
    bench.forged = false;
    put_image(&bench.device.primary, 1, APP_GOOD, file("other.pem"));
    run_loader("boot none no-image\nexit 1\n");
    assert_int_equal(bench.code, 1);
}

static void overwrite_installs(void **state)
{
    (void)state;
    make_device("psoc6-internal", "overwrite", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
    run_loader("boot 2.0.0 confirmed test\nexit 0\n");
    run_loader("boot 2.0.0 confirmed\nexit 0\n");
}

/* A crashing image that nobody takes back: a check has enough of it at some time. */
static void crashes_end(void **state)
{
    (void)state;
    make_device("nrf52840", "overwrite", SLOT);
    put_image(&bench.device.primary, 1, APP_CRASHES, file("key.pem"));
    run(NULL);
    const char *at = bench.lines;
    for (int i = 0; i < SIM_MAX_CRASHES; i++) {
        const char *life = "boot 1.0.0 confirmed\napp crashes\nreset crash\n";
        assert_memory_equal(at, life, strlen(life));
        at += strlen(life);
    }
    assert_string_equal(at, "exit 1\n");
    assert_int_equal(bench.code, 1);
}

/* The counter outlives the board, and keeps an image out that comes below it. */
static void counter_holds(void **state)
{
    char nv[PATH];
    char text[8] = "";
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    snprintf(nv, sizeof nv, "%s", file("nv"));
    bench.device.use_counter = true;
    bench.settings.nv = nv;
    bench.counter = 7;
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    run_loader("boot 1.0.0 confirmed\nexit 0\n");
    FILE *kept = fopen(nv, "r");
    assert_non_null(kept);
    assert_non_null(fgets(text, sizeof text, kept));
    fclose(kept);
    assert_string_equal(text, "7\n");
    bench.counter = 6;
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    run_loader("boot none no-image\nexit 1\n");
}

/* An operator asks for a check and, later, turns the device off. */
static void operator_commands(void **state)
{
    struct cortexm_board board;
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    bench.life.once = false;
    uint32_t start = now_ms();
    start_board(&board);
    read_lines(&board, start, "idle connect\n");
    assert_int_equal(write(board.in, "check\n", 6), 6);
    read_lines(&board, start, "state connect\n");
    assert_non_null(strstr(bench.lines, "state connect\n"));
    assert_int_equal(write(board.in, "stop\n", 5), 5);
    read_lines(&board, start, NULL);
    assert_non_null(strstr(bench.lines, "exit 143\n"));
    end_board(&board, 1000);
    assert_int_equal(bench.code, 143);
}

/* ---- power ------------------------------------------------------------------------------- */

static unsigned number_of(const char *variable, unsigned usual)
{
    const char *text = getenv(variable);
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : usual;
}

/* kill -9 anywhere in swap and revert: always one of the two runs. */
static void killed_at_random(void **state)
{
    unsigned kills = number_of("NOBRICK_BOARD_KILLS", 6);
    unsigned seed = number_of("NOBRICK_SEED", 7);
    unsigned cut = 0;
    (void)state;
    srandom(seed);
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    bench.life.boot_only = true;
    run(NULL);
    uint32_t usual = bench.took_ms;
    for (unsigned i = 0; i < kills; i++) {
        struct cortexm_board board;
        put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
        put_image(&bench.device.secondary, 2, APP_GOOD, file("key.pem"));
        start_board(&board);
        uint32_t wait = usual / 2 + (uint32_t)random() % (usual + 100);
        usleep(wait * 1000);
        end_board(&board, 0);
        cut += bench.code == 128 + 9;
        run(NULL);
        if (bench.code != 0 || strstr(bench.lines, "boot none") != NULL)
            fail_msg("seed %u, kill %u after %u ms: %s", seed, i, wait, bench.lines);
    }
    assert_true(cut > 0);
    print_message("%u of %u were killed while they ran\n", cut, kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boots_what_is_signed), cmocka_unit_test(crash_reverts),
        cmocka_unit_test(hang_reverts),         cmocka_unit_test(no_program_reverts),
        cmocka_unit_test(stranger_is_refused),  cmocka_unit_test(rsa_loader),
        cmocka_unit_test(overwrite_installs),   cmocka_unit_test(crashes_end),
        cmocka_unit_test(counter_holds),        cmocka_unit_test(operator_commands),
        cmocka_unit_test(killed_at_random),     cmocka_unit_test(same_flash_as_on_the_host),
    };
    return cmocka_run_group_tests(tests, board_set_up, board_tear_down);
}

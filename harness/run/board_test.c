/* The board in QEMU without a network: the real loader starts real programs, installs what a host
 * put into the second slot, and goes back. Skipped where QEMU or the board's programs are missing.
 */
#include "harness/cli/paths.h"
#include "harness/image/image.h"
#include "sim/cortexm/host/program.h"
#include "sim/cortexm/host/qemu.h"
#include "sim/cortexm/host/settings.h"
#include "sim/device_layout.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH    400
#define TEXT    4096
#define WAIT_MS 20000
#define PAYLOAD 0x10000u /* as most scenarios offer */
#define SLOT    0x20000u

struct bench {
    char dir[PATH / 2];
    char programs[PATH];
    struct sim_device device;
    struct sim_life_config life;
    struct cortexm_settings settings;
    char lines[TEXT]; /* event lines of the last run */
    uint32_t took_ms; /* until the first of them, from the start of QEMU */
    int code;         /* of the last run */
};

static struct bench bench;

static const char *file(const char *name)
{
    static char paths[4][PATH];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH, "%s/%s", bench.dir, name);
    return path;
}

static uint32_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* ---- device and flash -------------------------------------------------------------------- */

static void make_device(const char *part_name, const char *scheme, uint32_t slot)
{
    struct flash_part part;
    struct flash_text_error error = {0};
    sim_device_free(&bench.device);
    assert_int_equal(flash_part_load(nb_parts_dir(), part_name, &part, &error), OTA_OK);
    assert_int_equal(
        sim_device_generic(&part, sim_scheme_find(scheme), slot, &bench.device, &error), OTA_OK);
    assert_int_equal(sim_device_add_key(&bench.device, file("key.pub.pem"), &error), OTA_OK);
    bench.device.watchdog_ms = 1000;
    bench.life =
        (struct sim_life_config){.device = &bench.device, .timing = SIM_TIMING_FAST, .once = true};
    bench.settings = (struct cortexm_settings){.life = &bench.life, .log_level = OTA_LOG_INFO};
    unlink(file("flash"));
    unlink(file("flash.state"));
    unlink(file("log"));
}

static struct flash_sim *open_flash(void)
{
    struct flash_sim *sim;
    struct flash_text_error error = {0};
    bool created;
    assert_int_equal(flash_sim_file(file("flash"), bench.device.chips, bench.device.chip_count,
                                    &created, &sim, &error),
                     OTA_OK);
    return sim;
}

static uint32_t flash_size(void)
{
    const struct flash_chip *last = &bench.device.chips[bench.device.chip_count - 1];
    return last->start + last->part.size;
}

/* Puts the program, behaving so, into a slot, and asks for its installation there if it is the
 * second. */
static void put_image(const struct sim_region *slot, uint8_t major, enum app_behaviour behaviour,
                      const char *key)
{
    char reason[200] = "";
    uint8_t *program;
    uint8_t *image;
    size_t program_size;
    size_t size;
    const uint32_t entry = bench.device.primary.address + bench.device.header_size;
    assert_int_equal(cortexm_program_load(bench.programs, entry, &program, &program_size), OTA_OK);
    const struct nb_image_spec spec = {.payload_size = PAYLOAD,
                                       .program = program,
                                       .program_size = program_size,
                                       .seed = major,
                                       .with_tag = true,
                                       .behaviour = behaviour,
                                       .version = {.major = major},
                                       .header_size = (uint16_t)bench.device.header_size,
                                       .key_path = key};
    if (nb_image_create(&spec, &image, &size, reason, sizeof reason) != OTA_OK)
        fail_msg("%s", reason);
    struct flash_sim *sim = open_flash();
    const struct flash_port *port = flash_sim_port(sim);
    const struct flash_area area = {port, slot->address, slot->size};
    const struct img_trailer_format format = sim_device_format(&bench.device, port);
    assert_int_equal(flash_sim_put(sim, slot->address, image, (uint32_t)size), OTA_OK);
    if (slot == &bench.device.secondary)
        assert_int_equal(img_set_pending(&area, &format, false), OTA_OK);
    flash_sim_close(sim);
    free(image);
    free(program);
}

/* ---- runs -------------------------------------------------------------------------------- */

/* What the board says until it ends, or until `until` is among it: then the power is cut. */
static void read_lines(struct cortexm_board *board, uint32_t start, const char *until)
{
    size_t length = 0;
    bench.took_ms = 0;
    bench.lines[0] = '\0';
    while (now_ms() - start < WAIT_MS && (until == NULL || strstr(bench.lines, until) == NULL)) {
        struct pollfd poll_fd = {.fd = board->out, .events = POLLIN};
        if (poll(&poll_fd, 1, 100) <= 0)
            continue;
        ssize_t got = read(board->out, bench.lines + length, TEXT - 1 - length);
        if (got <= 0)
            return;
        length += (size_t)got;
        bench.lines[length] = '\0';
        if (bench.took_ms == 0 && strchr(bench.lines, '\n') != NULL)
            bench.took_ms = now_ms() - start;
    }
}

static void run(const char *until)
{
    char paths[3][PATH];
    struct cortexm_board board;
    snprintf(paths[0], PATH, "%s", file("flash"));
    snprintf(paths[1], PATH, "%s", file("settings"));
    snprintf(paths[2], PATH, "%s", file("log"));
    const struct cortexm_board_config config = {.programs = bench.programs,
                                                .scheme = bench.device.scheme->name,
                                                .flash = paths[0],
                                                .settings = paths[1],
                                                .log = paths[2]};
    assert_int_equal(cortexm_settings_write(&bench.settings, config.settings), OTA_OK);
    assert_int_equal(cortexm_flash_widen(config.flash), OTA_OK);
    uint32_t start = now_ms();
    assert_int_equal(cortexm_board_start(&config, &board), OTA_OK);
    read_lines(&board, start, until);
    bench.code = cortexm_board_end(&board, until == NULL ? 1000 : 0);
    assert_int_equal(cortexm_flash_narrow(config.flash, flash_size()), OTA_OK);
}

/* ---- stories ----------------------------------------------------------------------------- */

static void boots_what_is_signed(void **state)
{
    (void)state;
    make_device("nrf52840", "swap-move", SLOT);
    put_image(&bench.device.primary, 1, APP_GOOD, file("key.pem"));
    bench.life.boot_only = true;
    run(NULL);
    assert_string_equal(bench.lines, "boot 1.0.0 confirmed\nexit 0\n");
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
        bench.life.boot_only = true;
        run(NULL);
        assert_string_equal(bench.lines, "boot 1.0.0 confirmed\nexit 0\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boots_what_is_signed),
        cmocka_unit_test(crash_reverts),
        cmocka_unit_test(hang_reverts),
    };
    const char *missing = cortexm_missing();
    if (missing != NULL) {
        print_message("skipped: %s\n", missing);
        return 77;
    }
    const char *tmp = getenv("TMPDIR");
    snprintf(bench.dir, sizeof bench.dir, "%s/nobrick-board-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(bench.dir) == NULL || !cortexm_programs(bench.programs, sizeof bench.programs) ||
        nb_image_derive_key(file("key"), "nobrick test key: trusted") != OTA_OK ||
        nb_image_derive_key(file("other"), "nobrick test key: other") != OTA_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

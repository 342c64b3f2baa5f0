/* The board in QEMU on a bench of its own: a directory with its flash, images for its slots, and
 * what it says. Made for one group of tests: board_set_up and board_tear_down. */
#ifndef NOBRICK_HARNESS_RUN_BOARD_RIG_H
#define NOBRICK_HARNESS_RUN_BOARD_RIG_H

#include "harness/cli/paths.h"
#include "harness/image/image.h"
#include "harness/run/slot.h"
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

#define PATH    500
#define TEXT    4096
#define WAIT_MS 20000
#define PAYLOAD 0x10000u /* as most scenarios offer */
#define SLOT    0x20000u

struct bench {
    char dir[200];
    char programs[PATH];
    struct sim_device device;
    struct sim_life_config life;
    struct cortexm_settings settings;
    char lines[TEXT]; /* event lines of the last run */
    uint32_t took_ms; /* until the first of them, from the start of QEMU */
    int code;         /* of the last run */
    bool network;
    uint32_t payload; /* of images, in bytes */
    uint32_t counter; /* of images; 0: they have none */
    bool rsa;         /* the device trusts an RSA key */
    bool forged;      /* their signature is wrong in its last bit */
    bool filler;      /* they are signed, but no programs */
};

static struct bench bench;

static inline const char *file(const char *name)
{
    static char paths[4][PATH];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH, "%s/%s", bench.dir, name);
    return path;
}

static inline uint32_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* ---- device and flash -------------------------------------------------------------------- */

static inline void make_device(const char *part_name, const char *scheme, uint32_t slot)
{
    struct flash_part part;
    struct flash_text_error error = {0};
    const char *missing = cortexm_missing();
    if (missing != NULL) {
        print_message("skipped: %s\n", missing);
        skip();
    }
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
    unlink(file("nv"));
    bench.counter = 0;
    bench.rsa = false;
    bench.forged = false;
    bench.filler = false;
    bench.network = false;
    bench.payload = PAYLOAD;
    bench.filler = false;
}

static inline struct flash_sim *open_flash(void)
{
    struct flash_sim *sim;
    struct flash_text_error error = {0};
    bool created;
    assert_int_equal(flash_sim_file(file("flash"), bench.device.chips, bench.device.chip_count,
                                    &created, &sim, &error),
                     OTA_OK);
    return sim;
}

static inline uint32_t flash_size(void)
{
    const struct flash_chip *last = &bench.device.chips[bench.device.chip_count - 1];
    return last->start + last->part.size;
}

/* The program, behaving so, as an image for the primary slot. The caller frees it. */
static inline uint8_t *make_image(uint8_t major, enum app_behaviour behaviour, const char *key,
                                  size_t *size)
{
    char reason[200] = "";
    uint8_t *program;
    uint8_t *image;
    size_t program_size;
    const uint32_t entry = bench.device.primary.address + bench.device.header_size;
    assert_int_equal(cortexm_program_load(bench.programs, entry, &program, &program_size), OTA_OK);
    const struct nb_image_spec spec = {.payload_size = bench.payload,
                                       .program = bench.filler ? NULL : program,
                                       .program_size = bench.filler ? 0 : program_size,
                                       .seed = major,
                                       .with_tag = true,
                                       .behaviour = behaviour,
                                       .version = {.major = major},
                                       .header_size = (uint16_t)bench.device.header_size,
                                       .with_counter = bench.counter != 0,
                                       .counter = bench.counter,
                                       .key_path = key};
    if (nb_image_create(&spec, &image, size, reason, sizeof reason) != OTA_OK)
        fail_msg("%s", reason);
    image[*size - 1] ^= bench.forged;
    free(program);
    return image;
}

/* Puts an image into a slot, and asks for its installation there if it is the second. */
static inline void put_image(const struct sim_region *slot, uint8_t major,
                             enum app_behaviour behaviour, const char *key)
{
    size_t size;
    uint8_t *image = make_image(major, behaviour, key, &size);
    struct flash_sim *sim = open_flash();
    const struct flash_port *port = flash_sim_port(sim);
    const struct flash_area area = {port, slot->address, slot->size};
    const struct img_trailer_format format = sim_device_format(&bench.device, port);
    assert_int_equal(nb_slot_fill(sim, slot, image, (uint32_t)size), OTA_OK);
    assert_int_equal(nb_slot_forget(sim, &bench.device, slot == &bench.device.secondary), OTA_OK);
    if (slot == &bench.device.secondary)
        assert_int_equal(img_set_pending(&area, &format, false), OTA_OK);
    flash_sim_close(sim);
    free(image);
}

/* ---- runs -------------------------------------------------------------------------------- */

/* What the board says until it ends, or up to `until`: then the power is cut. */
static inline void read_lines(struct cortexm_board *board, uint32_t start, const char *until)
{
    size_t length = 0;
    bench.took_ms = 0;
    bench.lines[0] = '\0';
    while (now_ms() - start < WAIT_MS) {
        char *found = until != NULL ? strstr(bench.lines, until) : NULL;
        if (found != NULL) {
            found[strlen(until)] = '\0';
            return;
        }
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

static inline void start_board(struct cortexm_board *board)
{
    char paths[3][PATH];
    snprintf(paths[0], PATH, "%s", file("flash"));
    snprintf(paths[1], PATH, "%s", file("settings"));
    snprintf(paths[2], PATH, "%s", file("log"));
    const struct cortexm_board_config config = {.programs = bench.programs,
                                                .scheme = bench.device.scheme->name,
                                                .rsa = bench.rsa,
                                                .flash = paths[0],
                                                .settings = paths[1],
                                                .log = paths[2],
                                                .more =
                                                    bench.network ? cortexm_user_network : NULL};
    assert_int_equal(cortexm_settings_write(&bench.settings, config.settings), OTA_OK);
    assert_int_equal(cortexm_flash_widen(config.flash), OTA_OK);
    assert_int_equal(cortexm_board_start(&config, board), OTA_OK);
}

static inline void end_board(struct cortexm_board *board, uint32_t ms)
{
    bench.code = cortexm_board_end(board, ms);
    assert_int_equal(cortexm_flash_narrow(file("flash"), flash_size()), OTA_OK);
}

static inline void run(const char *until)
{
    struct cortexm_board board;
    uint32_t start = now_ms();
    start_board(&board);
    read_lines(&board, start, until);
    end_board(&board, until == NULL ? 1000 : 0);
}

static inline void run_loader(const char *expected)
{
    bench.life.boot_only = true;
    run(NULL);
    assert_string_equal(bench.lines, expected);
}

/* ---- the group --------------------------------------------------------------------------- */

static inline int board_set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(bench.dir, sizeof bench.dir, "%s/nobrick-board-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(bench.dir) == NULL ||
        nb_image_derive_key(file("key"), "nobrick test key: trusted") != OTA_OK ||
        nb_image_derive_key(file("other"), "nobrick test key: other") != OTA_OK)
        return -1;
    (void)cortexm_programs(bench.programs, sizeof bench.programs);
    return 0;
}

static inline int board_tear_down(void **state)
{
    static const char *const names[] = {"key.pem",   "rsa.pem",       "rsa.pub.pem", "key.pub.pem",
                                        "other.pem", "other.pub.pem", "flash",       "flash.state",
                                        "settings",  "log",           "nv",          "host",
                                        "host.state"};
    (void)state;
    sim_device_free(&bench.device);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(file(names[i]));
    return rmdir(bench.dir);
}

#endif

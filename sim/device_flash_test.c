/* The journal's lines, and that both worlds write the same ones. */
#include "sim/device_flash.h"

#include "harness/image/image.h"
#include "sim/posix/device.h"
#include "sim/virtual/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOT 0x8000u
#define TEXT 65536u

struct bench {
    struct sim_device device;
    struct flash_sim *sim;
    char dir[256];
    char flash[300];
    char journal[300];
    char events[2][TEXT]; /* of the posix and the virtual world */
    char lines[2][TEXT];
};

static void append(char *text, const char *line)
{
    size_t length = strlen(text);
    int n = snprintf(text + length, TEXT - length, "%s\n", line);
    assert_true(n > 0 && (size_t)n < TEXT - length);
}

static void put(const struct bench *bench, const struct sim_region *slot, uint8_t major)
{
    const struct nb_image_spec spec = {
        .payload_size = 9000, .seed = major, .version = {.major = major}, .header_size = 32};
    uint8_t *image = NULL;
    size_t size = 0;
    char reason[160];
    assert_int_equal(nb_image_create(&spec, &image, &size, reason, sizeof reason), 0);
    assert_int_equal(flash_sim_put(bench->sim, slot->address, image, (uint32_t)size), 0);
    free(image);
}

static int set_up(void **state)
{
    static const struct flash_part part = {.name = "test",
                                           .size = 0x20000,
                                           .runs = {{32, 0x1000}},
                                           .run_count = 1,
                                           .unit = 4,
                                           .erased = 0xFF};
    struct flash_text_error error = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    assert_int_equal(sim_device_generic(&part, &boot_swap_move, SLOT, &bench->device, &error), 0);
    bench->sim = flash_sim_memory(bench->device.chips, 1);
    assert_non_null(bench->sim);
    put(bench, &bench->device.primary, 1);
    put(bench, &bench->device.secondary, 2);
    const struct flash_area secondary = {flash_sim_port(bench->sim),
                                         bench->device.secondary.address, SLOT};
    assert_int_equal(img_set_pending(&secondary, &bench->device.format, false), 0);
    const char *tmp = getenv("TMPDIR");
    snprintf(bench->dir, sizeof bench->dir, "%s/journal.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(bench->dir));
    snprintf(bench->flash, sizeof bench->flash, "%s/flash", bench->dir);
    snprintf(bench->journal, sizeof bench->journal, "%s/journal", bench->dir);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    static const char *const suffixes[] = {"", ".state", ".nv"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char path[320];
        snprintf(path, sizeof path, "%s%s", bench->flash, suffixes[i]);
        unlink(path);
    }
    unlink(bench->journal);
    int result = rmdir(bench->dir);
    flash_sim_close(bench->sim);
    sim_device_free(&bench->device);
    free(bench);
    return result;
}

static void journal_lines(void **state)
{
    static const uint8_t data[] = {'a'};
    char line[SIM_JOURNAL_LINE];
    (void)state;
    sim_journal_line(&(struct flash_op){FLASH_OP_ERASE, 7, 0x1F000, 4096, NULL}, 12, line);
    assert_string_equal(line, "12 erase 0x1F000 4096");
    sim_journal_line(&(struct flash_op){FLASH_OP_PROGRAM, 0, 0x10, 1, data}, 0, line);
    assert_string_equal(line, "0 program 0x10 1 e40c292c"); /* FNV-1a's own example */
    assert_true(sim_journal_hash(0, "a") == 0x89bdc07b544e7b2u);
    assert_true(sim_journal_hash(sim_journal_hash(0, "a"), "b") !=
                sim_journal_hash(sim_journal_hash(0, "b"), "a"));
}

/* ---- both worlds ------------------------------------------------------------------------- */

/* The flash file as the flash in memory is. */
static void write_flash(const struct bench *bench)
{
    uint32_t size = flash_sim_size(bench->sim);
    uint8_t *bytes = malloc(size);
    FILE *file = fopen(bench->flash, "w");
    assert_non_null(bytes);
    assert_non_null(file);
    assert_int_equal(flash_sim_peek(bench->sim, 0, bytes, size), 0);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
}

static void posix_event(void *context, const char *line, int code)
{
    (void)code;
    append(((struct bench *)context)->events[0], line);
}

static void run_posix(struct bench *bench)
{
    const struct posix_device_config config = {.life = {.device = &bench->device,
                                                        .boot_only = true,
                                                        .event = posix_event,
                                                        .context = bench},
                                               .flash_path = bench->flash,
                                               .broker = {.host = "127.0.0.1", .port = 1},
                                               .journal_path = bench->journal};
    struct sim_past past = {0};
    struct sim_life_end end;
    write_flash(bench);
    assert_int_equal(posix_device_run(&config, &past, &end), 0);
    FILE *file = fopen(bench->journal, "r");
    assert_non_null(file);
    bench->lines[0][fread(bench->lines[0], 1, TEXT - 1, file)] = '\0';
    fclose(file);
}

static void virtual_event(void *context, const char *line, int code)
{
    (void)code;
    append(((struct bench *)context)->events[1], line);
}

static void virtual_journal(void *context, const char *line)
{
    append(((struct bench *)context)->lines[1], line);
}

/* The network of a device that only boots. */
static void *no_create(void *context, void (*deliver)(void *owner, const struct ota_event *event),
                       void *owner)
{
    (void)deliver, (void)owner;
    return context;
}

static void no_more(void *client)
{
    (void)client;
}

static const struct mqtt_port *no_port(void *client)
{
    (void)client;
    return NULL;
}

static void run_virtual(struct bench *bench)
{
    struct virtual_world *world = virtual_world_new();
    uint32_t counter = 0;
    struct sim_life_end end;
    assert_non_null(world);
    const struct virtual_device_config config = {
        .device = &bench->device,
        .sim = bench->sim,
        .counter = &counter,
        .world = world,
        .mqtt = {.create = no_create, .drop = no_more, .destroy = no_more, .context = bench},
        .mqtt_port = no_port,
        .boot_only = true,
        .journal = virtual_journal,
        .event = virtual_event,
        .context = bench,
    };
    assert_int_equal(virtual_device_run(&config, UINT32_MAX, &end), 0);
    virtual_world_free(world);
}

static void both_worlds_write_the_same(void **state)
{
    struct bench *bench = *state;
    run_posix(bench); /* first: the other one changes the flash that this one copies */
    run_virtual(bench);
    assert_string_equal(bench->events[0], "boot 2.0.0 trial test\nexit 0\n");
    assert_string_equal(bench->events[1], bench->events[0]);
    assert_non_null(strstr(bench->lines[0], " erase "));
    assert_non_null(strstr(bench->lines[0], " program "));
    assert_string_equal(bench->lines[1], bench->lines[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journal_lines),
        cmocka_unit_test_setup_teardown(both_worlds_write_the_same, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

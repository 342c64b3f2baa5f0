/* The bench's device as a machine: all that a run looks at is told, what is remembered as well. */
#include "harness/prove/device.h"

#include "harness/run/kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const char text[] = "title T\nreq STOR-02\nslot 20K\nflash slot0 v1 size=4K\n"
                           "flash slot1 v2 size=6K pending\nprove boot v1|v2\n";

/* What a run was seen to read: through the port, and told past it. */
struct seen {
    struct flash_sim *sim;
    uint8_t *read; /* a byte for each of the flash */
    uint8_t *told;
};

struct rig {
    struct nb_kit *kit;
    struct nb_script script;
    struct nb_cell cell;
    struct nb_bench bench;
    struct nb_prove_device device;
    struct seen seen;
    uint32_t size;
};

static int see_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct seen *seen = context;
    const struct flash_port *port = flash_sim_port(seen->sim);
    memset(seen->read + address, 1, length);
    return port->read(port->context, address, data, length);
}

static int refuse_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    (void)context;
    (void)address;
    (void)data;
    (void)length;
    return OTA_E_POWER;
}

static int refuse_erase(void *context, uint32_t address)
{
    (void)context;
    (void)address;
    return OTA_E_POWER;
}

static int sync(void *context)
{
    (void)context;
    return 0;
}

static int sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct seen *seen = context;
    const struct flash_port *port = flash_sim_port(seen->sim);
    return port->sector(port->context, address, out);
}

static void be_told(void *context, uint32_t address, uint32_t length)
{
    struct seen *seen = context;
    memset(seen->told + address, 1, length);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    char reason[NB_LINE] = "";
    struct flash_text_error error;
    *state = rig;
    rig->kit = nb_kit_new(reason, sizeof reason);
    rig->cell.kit = rig->kit;
    snprintf(rig->cell.scheme, sizeof rig->cell.scheme, "swap-move");
    struct nb_bench *bench = &rig->bench;
    bench->script = &rig->script;
    bench->cell = &rig->cell;
    if (rig->kit == NULL ||
        nb_script_parse(text, sizeof text - 1, "t.ota", &rig->script, &error) != 0 ||
        nb_cell_device(&rig->script, &rig->cell, &bench->device, &error) != 0)
        return -1;
    bench->sim = flash_sim_memory(bench->device.chips, bench->device.chip_count);
    bench->crypto = crypto_openssl_new(bench->sim, true);
    sim_device_boot_config(&bench->device, flash_sim_port(bench->sim),
                           crypto_openssl_port(bench->crypto), &bench->nv, NULL, bench->buffer,
                           sizeof bench->buffer, &bench->config);
    nb_oracle_init(&bench->state.oracle, bench->device.scheme->reverts, true);
    for (size_t i = 0; i < 2; i++) {
        const struct nb_step *step = &rig->script.steps[i];
        if (nb_bench_put(bench, step->slot, &rig->script.images[step->image], step, &error) != 0)
            return -1;
    }
    rig->size = flash_sim_size(bench->sim);
    rig->seen = (struct seen){bench->sim, malloc(rig->size), malloc(rig->size)};
    return nb_prove_device_init(&rig->device, bench, &rig->script.steps[2], NULL, reason);
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    free(rig->seen.read);
    free(rig->seen.told);
    crypto_openssl_free(rig->bench.crypto);
    flash_sim_close(rig->bench.sim);
    sim_device_free(&rig->bench.device);
    nb_script_free(&rig->script);
    nb_kit_free(rig->kit);
    free(rig);
    return 0;
}

/* One run, which the first operation ends. */
static struct nb_end play(struct rig *rig, enum nb_action action)
{
    const struct flash_port port = {&rig->seen,   see_read, refuse_program,
                                    refuse_erase, sync,     sector};
    const struct nb_seam seam = {&port, be_told, &rig->seen};
    struct nb_end end = {0};
    memset(rig->seen.read, 0, rig->size);
    memset(rig->seen.told, 0, rig->size);
    rig->device.machine.run(rig->device.machine.context, action, &seam, &end);
    return end;
}

static bool all(const uint8_t *seen, uint32_t from, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (!seen[from + i])
            return false;
    return true;
}

/* The digest of what is to be installed is known after the first run: it is a read all the same. */
static void test_remembered_digest_is_a_read(void **state)
{
    struct rig *rig = *state;
    uint32_t at = rig->bench.device.secondary.address;
    for (int i = 0; i < 2; i++) {
        struct nb_end end = play(rig, NB_ACTION_BOOT);
        assert_int_equal(end.runs, NB_RUNS_ERROR);
        assert_true(all(rig->seen.told, at, 6 * 1024));
    }
    assert_false(all(rig->seen.read, at, 6 * 1024)); /* it did not go through the port */
}

/* What runs is told from its bytes, all of them, whether or not the loader looked at them. */
static void test_what_runs_is_a_read(void **state)
{
    struct rig *rig = *state;
    uint32_t at = rig->bench.device.primary.address;
    struct flash_text_error error;
    rig->bench.config.validate_primary = false;
    assert_int_equal(img_withdraw(&rig->bench.config.secondary, &rig->bench.config.format), 0);
    struct nb_end end = play(rig, NB_ACTION_BOOT);
    assert_int_equal(end.runs, NB_RUNS_OLD);
    assert_false(all(rig->seen.read, at, 4 * 1024));
    assert_true(all(rig->seen.told, at, 4 * 1024));
    const struct nb_step *other = &rig->script.steps[1];
    assert_int_equal(nb_bench_put(&rig->bench, 0, &rig->script.images[other->image], NULL, &error),
                     0);
    assert_int_equal(play(rig, NB_ACTION_BOOT).runs, NB_RUNS_NEW);
    const uint8_t byte = 0;
    assert_int_equal(flash_sim_put(rig->bench.sim, at + 3000, &byte, 1), 0);
    assert_int_equal(play(rig, NB_ACTION_BOOT).runs, NB_RUNS_OTHER);
}

/* The run goes through the seam that it is given, and the bench is as it was afterwards. */
static void test_nothing_is_kept(void **state)
{
    struct rig *rig = *state;
    const struct boot_config before = rig->bench.config;
    struct nb_end end = play(rig, NB_ACTION_CONFIRM);
    assert_false(end.refused); /* there is nothing to confirm */
    play(rig, NB_ACTION_PENDING);
    assert_true(all(rig->seen.read,
                    rig->bench.device.secondary.address + rig->bench.device.secondary.size - 16,
                    16));
    assert_memory_equal(&rig->bench.config, &before, sizeof before);
}

/* From the first slot to the last area; the entries are those of the primary's trailer. */
static void test_window(void **state)
{
    const struct rig *rig = *state;
    const struct nb_machine *machine = &rig->device.machine;
    const struct sim_device *device = &rig->bench.device;
    assert_int_equal(machine->from, device->primary.address);
    assert_true(machine->to >= device->secondary.address + device->secondary.size);
    assert_int_equal(machine->entries_end - machine->entries, 3 * 5 * 8); /* 5 sectors */
    assert_int_equal(machine->entries_end, device->primary.address + device->primary.size - 48);
    assert_int_equal(rig->device.phase, NB_PHASE_ASKED);
    assert_false(machine->demand.permanent);
    assert_int_equal(machine->demand.boots, NB_RUNS_OLD | NB_RUNS_NEW);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_remembered_digest_is_a_read),
        CASE(test_what_runs_is_a_read),
        CASE(test_nothing_is_kept),
        CASE(test_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the bench does with a device that asks its flash for what the part forbids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/bench.h"

#include <stdlib.h>
#include <string.h>

#define TEXT "title T\nflash slot1 v2 pending\ndevice boot\nexpect boot v2\n"

struct rig {
    struct nb_bench bench;
    struct nb_script script;
    struct nb_cell cell;
};

static const struct flash_port *real;

/* A device with a slip: it programs one byte beside where it means to, between two units. */
static int program_beside(void *context, uint32_t address, const void *data, uint32_t length)
{
    return real->program(context, address + 1, data, length);
}

static struct flash_port slipping(struct nb_bench *bench)
{
    struct flash_port port = *flash_sim_port(bench->sim);
    real = flash_sim_port(bench->sim);
    port.program = program_beside;
    return port;
}

/* A bench with v1 in the primary slot, set up as a run does it. */
static struct rig *make_rig(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct flash_text_error error;
    assert_non_null(rig);
    struct nb_bench *bench = &rig->bench;
    assert_int_equal(nb_script_parse(TEXT, strlen(TEXT), "t.ota", &rig->script, &error), 0);
    char reason[200];
    rig->cell.kit = nb_kit_new(reason, sizeof reason);
    assert_non_null(rig->cell.kit);
    bench->script = &rig->script;
    bench->cell = &rig->cell;
    assert_int_equal(nb_cell_device(bench->script, bench->cell, &bench->device, &error), 0);
    bench->sim = flash_sim_memory(bench->device.chips, bench->device.chip_count);
    assert_non_null(bench->sim);
    bench->crypto = crypto_openssl_new(bench->sim, true);
    assert_non_null(bench->crypto);
    sim_device_boot_config(&bench->device, flash_sim_port(bench->sim),
                           crypto_openssl_port(bench->crypto), NULL, NULL, bench->buffer,
                           sizeof bench->buffer, &bench->config);
    bench->loader_fingerprint =
        flash_sim_fingerprint(bench->sim, bench->device.loader.address, bench->device.loader.size);
    nb_oracle_init(&bench->state.oracle, true, true);
    const struct nb_image *v1 = nb_script_factory(&rig->script);
    assert_int_equal(nb_bench_put(bench, 0, v1, NULL, &error), 0);
    return rig;
}

static void free_rig(struct rig *rig)
{
    crypto_openssl_free(rig->bench.crypto);
    flash_sim_close(rig->bench.sim);
    sim_device_free(&rig->bench.device);
    nb_kit_free(rig->cell.kit);
    nb_script_free(&rig->script);
    free(rig);
}

static void check_told(const struct rig *rig)
{
    const char *said = nb_oracle_violation(&rig->bench.state.oracle);
    assert_non_null(said);
    assert_int_equal(strncmp(said, "the flash forbids what the device does: ", 40), 0);
    assert_non_null(strstr(said, flash_sim_violation(rig->bench.sim)));
}

static void violation_in_an_act_is_told(void **state)
{
    const struct nb_step pending = {.kind = NB_DEVICE_PENDING};
    struct rig *rig = make_rig();
    (void)state;
    const struct flash_port port = slipping(&rig->bench);
    rig->bench.config.secondary.flash = &port;
    assert_int_equal(nb_bench_act(&rig->bench, &pending), 0);
    check_told(rig);
    free_rig(rig);
}

/* The loader is not started again as if the flash had failed: once is enough to know. */
static void violation_in_a_boot_is_told_and_not_retried(void **state)
{
    const struct nb_step put = {.kind = NB_FLASH_IMAGE, .pending = true};
    const struct nb_step boot = {.kind = NB_DEVICE_BOOT};
    struct rig *rig = make_rig();
    struct flash_text_error error;
    struct flash_stats stats;
    (void)state;
    assert_int_equal(nb_bench_put(&rig->bench, 1, nb_script_image(&rig->script, 2), &put, &error),
                     0);
    const struct flash_port port = slipping(&rig->bench);
    rig->bench.config.primary.flash = &port;
    rig->bench.config.secondary.flash = &port;
    assert_int_equal(nb_bench_act(&rig->bench, &boot), 0);
    check_told(rig);
    flash_sim_stats(rig->bench.sim, &stats);
    assert_int_equal(stats.violations, 1);
    free_rig(rig);
}

/* A sweep's last step has nothing behind it that would look: the end of the script does. */
static void violation_in_the_last_step_is_judged(void **state)
{
    struct nb_outcome outcome = {0};
    char reason[NB_LINE] = "";
    struct rig *rig = make_rig();
    (void)state;
    nb_bench_event(&rig->bench, "violation too many programs");
    assert_int_equal(nb_bench_steps(&rig->bench, rig->script.step_count, reason, &outcome),
                     NB_FAIL);
    assert_string_equal(reason,
                        "line 4: the flash forbids what the device does: too many programs");
    free_rig(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(violation_in_an_act_is_told),
        cmocka_unit_test(violation_in_a_boot_is_told_and_not_retried),
        cmocka_unit_test(violation_in_the_last_step_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

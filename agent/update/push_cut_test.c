/* A push under power cuts and flash errors: the device boots, and takes the next one. */
#include "agent/update/push_rig.h"

/* ---- cuts -------------------------------------------------------------------------------- */

/* Cuts operation `at` of a push. Whatever runs then, it runs, and can be updated. False: there is
 * no such operation. */
static bool cut_once(const struct shape *shape, uint32_t at, enum flash_tear tear)
{
    struct bench bench;
    bench_new(&bench, shape);
    bench.cut_at = at;
    bench.cut = tear;
    bool reached = push_all(&bench, 1500) != 0;
    bool misfit = flash_sim_misfit(bench.sim) != FLASH_TEAR_NONE; /* cuts nothing */
    assert_int_equal(reached, flash_sim_is_off(bench.sim));
    if (reached)
        assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
    unsigned runs = boot(&bench);
    assert_true(runs == 2 || (reached && runs == 1));
    assert_int_equal(img_confirm(&bench.config.primary, &bench.config.format), 0);
    make_image(&bench, 3, 6000);
    assert_int_equal(push_all(&bench, 1500), 0);
    assert_int_equal(boot(&bench), 3);
    bench_free(&bench);
    return reached || misfit;
}

static void a_cut_at_any_operation(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        uint32_t operations = 0;
        while (cut_once(&shapes[s], operations, FLASH_TEAR_AFTER))
            operations++;
        assert_true(operations > 18);
        for (uint32_t at = 0; at < operations; at++)
            for (enum flash_tear tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++)
                assert_true(cut_once(&shapes[s], at, tear));
    }
}

/* Power fails while a pending image is withdrawn: the old version or the new one runs. */
static void a_cut_while_withdrawing(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (enum flash_tear tear = FLASH_TEAR_BEFORE; tear < FLASH_TEAR_COUNT; tear++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            assert_int_equal(push_all(&bench, 1500), 0);
            bench.cut_at = flash_sim_op_count(bench.sim);
            bench.cut = tear;
            int aborted = ota_push_abort(&bench.push);
            if (flash_sim_misfit(bench.sim) == FLASH_TEAR_NONE) {
                assert_int_equal(aborted, OTA_E_POWER);
                assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
            }
            unsigned runs = boot(&bench);
            assert_true(runs == 1 || runs == 2);
            bench_free(&bench);
        }
    }
}

/* The flash refuses once, without a cut: FAILED, and the next try works, without a reset. */
static void an_error_of_the_flash_is_survived(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        bool reached = true;
        for (uint32_t at = 0; reached; at++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            bench.cut_at = at;
            bench.cut = FLASH_TEAR_FIRST;
            reached = push_all(&bench, 1500) != 0;
            flash_sim_power_on(bench.sim);
            if (reached) {
                assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
                if (at % 2 != 0)
                    assert_int_equal(ota_push_abort(&bench.push), 0);
                assert_int_equal(push_all(&bench, 1500), 0);
            }
            assert_int_equal(boot(&bench), 2);
            bench_free(&bench);
        }
    }
}

static int program_and_complain(void *context, uint32_t address, const void *data, uint32_t length)
{
    const struct flash_port *flash = context;
    int error = flash->program(flash->context, address, data, length);
    return error != 0 ? error : OTA_E_FLASH_PROGRAM;
}

static int other_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct flash_port *flash = context;
    return flash->read(flash->context, address, data, length);
}

static int other_erase(void *context, uint32_t address)
{
    const struct flash_port *flash = context;
    return flash->erase(flash->context, address);
}

static int other_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct flash_port *flash = context;
    return flash->sector(flash->context, address, out);
}

static int refuse_sync(void *context)
{
    (void)context;
    return OTA_E_IO;
}

/* The trailer was written, but nobody can be sure: the image is withdrawn at once, and once. */
static void an_unsure_request_is_withdrawn(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        struct bench bench;
        bench_new(&bench, &shapes[s]);
        reach(&bench, OTA_PUSH_VERIFIED);
        const struct flash_port unsure = {.context = (void *)flash_sim_port(bench.sim),
                                          .read = other_read,
                                          .program = program_and_complain,
                                          .erase = other_erase,
                                          .sync = refuse_sync,
                                          .sector = other_sector};
        bench.push.config.secondary.flash = &unsure;
        assert_int_equal(ota_push_set_pending(&bench.push), OTA_E_FLASH_PROGRAM);
        assert_int_equal(bench.push.error, OTA_E_FLASH_PROGRAM);
        uint32_t operations = flash_sim_op_count(bench.sim);
        assert_int_equal(ota_push_abort(&bench.push), 0);
        assert_int_equal(flash_sim_op_count(bench.sim), operations);
        assert_usable(&bench);
        bench_free(&bench);
    }
}

/* Withdrawing failed: the next prepare does it, and then it is done. */
static void a_failed_withdrawal_is_made_up_for(void **state)
{
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[0]);
    assert_int_equal(push_all(&bench, 1000), 0);
    bench.cut_at = flash_sim_op_count(bench.sim);
    bench.cut = FLASH_TEAR_BEFORE;
    assert_int_equal(ota_push_abort(&bench.push), OTA_E_POWER);
    flash_sim_power_on(bench.sim);
    assert_int_equal(ota_push_prepare(&bench.push), 1);
    uint32_t operations = flash_sim_op_count(bench.sim);
    assert_int_equal(ota_push_abort(&bench.push), 0);
    assert_int_equal(flash_sim_op_count(bench.sim), operations);
    assert_usable(&bench);
    bench_free(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_at_any_operation),
        cmocka_unit_test(a_cut_while_withdrawing),
        cmocka_unit_test(an_error_of_the_flash_is_survived),
        cmocka_unit_test(an_unsure_request_is_withdrawn),
        cmocka_unit_test(a_failed_withdrawal_is_made_up_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

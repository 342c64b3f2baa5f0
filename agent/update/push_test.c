#include "agent/update/push_rig.h"

/* ---- what should work -------------------------------------------------------------------- */

static void an_update_is_pushed_in_any_pieces(void **state)
{
    static const uint32_t steps[] = {1, 3, 7, 8, 9, 511, 512, 513, 4096, 5000, SLOT};
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            assert_int_equal(push_all(&bench, steps[i]), 0);
            assert_int_equal(bench.push.state, OTA_PUSH_PENDING);
            assert_int_equal(bench.push.info.header.version.major, 2);
            assert_int_equal(boot(&bench), 2);
            bench_free(&bench);
        }
    }
}

static void every_size_of_image_is_stored(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (uint32_t payload = 4000; payload < 4000 + 514; payload += s == 2 ? 1 : 31) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            make_image(&bench, 2, payload);
            assert_int_equal(push_all(&bench, 100), 0);
            uint32_t unit = shapes[s].unit; /* filled up with the erased value */
            uint32_t behind = (bench.size + unit - 1) / unit * unit;
            assert_int_equal(
                flash_area_is_erased(&bench.config.secondary, bench.size, behind - bench.size), 1);
            assert_int_equal(boot(&bench), 2);
            bench_free(&bench);
        }
    }
}

/* On trial the slot holds the way back: not before it is confirmed. */
static void the_way_back_is_not_erased(void **state)
{
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[0]);
    assert_int_equal(push_all(&bench, 777), 0);
    assert_int_equal(boot(&bench), 2);
    uint64_t before = flash_sim_fingerprint(bench.sim, 0, 2 * SLOT);
    assert_int_equal(ota_push_prepare(&bench.push), OTA_E_UNCONFIRMED);
    assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
    assert_int_equal(bench.push.error, OTA_E_UNCONFIRMED);
    assert_int_equal(ota_push_abort(&bench.push), 0);
    assert_true(flash_sim_fingerprint(bench.sim, 0, 2 * SLOT) == before);
    assert_int_equal(img_confirm(&bench.config.primary, &bench.config.format), 0);
    make_image(&bench, 3, 7000);
    assert_int_equal(push_all(&bench, 777), 0);
    assert_int_equal(boot(&bench), 3);
    assert_int_equal(boot(&bench), 2); /* v3 did not confirm */
    bench_free(&bench);
}

/* A session's download in the slot is over as soon as somebody else fills it. */
static void a_session_does_not_resume_behind_a_push(void **state)
{
    static const uint8_t key[32] = {7};
    const struct img_version v2 = {2, 0, 0, 0};
    (void)state;
    struct bench bench;
    bench_new(&bench, &shapes[1]);
    assert_int_equal(ota_progress_start(&bench.progress, key, &v2), 0);
    while (ota_progress_erase(&bench.progress) == 1)
        continue;
    assert_int_equal(ota_progress_expect(&bench.progress, bench.size, ""), 0);
    assert_int_equal(flash_area_program(&bench.config.secondary, 0, bench.image, 4096), 0);
    assert_int_equal(ota_progress_note(&bench.progress, 0, 4096), 0);
    assert_int_equal(boot(&bench), 1);
    assert_int_equal(bench.progress.total, bench.size);
    assert_int_equal(ota_push_prepare(&bench.push), 1);
    assert_int_equal(boot(&bench), 1);
    assert_int_equal(bench.progress.total, 0);
    bench_free(&bench);
}

/* ---- what should not --------------------------------------------------------------------- */

enum call { PREPARE, START, WRITE, VERIFY, SET_PENDING, CALLS };

static int do_call(struct bench *bench, enum call call)
{
    switch (call) {
    case PREPARE:
        return ota_push_prepare(&bench->push);
    case START:
        return ota_push_start(&bench->push, bench->size);
    case WRITE:
        return ota_push_write(&bench->push, bench->image, 1);
    case VERIFY:
        return ota_push_verify(&bench->push, crc_of(bench));
    case SET_PENDING:
    default:
        return ota_push_set_pending(&bench->push);
    }
}

static void calls_out_of_order_change_nothing(void **state)
{
    static const bool allowed[OTA_PUSH_FAILED + 1][CALLS] = {
        [OTA_PUSH_IDLE] = {[PREPARE] = true},
        [OTA_PUSH_PREPARING] = {[PREPARE] = true},
        [OTA_PUSH_PREPARED] = {[START] = true},
        [OTA_PUSH_WRITING] = {[WRITE] = true, [VERIFY] = true},
        [OTA_PUSH_VERIFIED] = {[SET_PENDING] = true},
        [OTA_PUSH_PENDING] = {false},
        [OTA_PUSH_FAILED] = {[PREPARE] = true},
    };
    (void)state;
    for (enum ota_push_state at = OTA_PUSH_IDLE; at <= OTA_PUSH_FAILED; at++) {
        for (enum call call = PREPARE; call < CALLS; call++) {
            struct bench bench;
            bench_new(&bench, &shapes[0]);
            reach(&bench, at);
            assert_int_equal(bench.push.state, at);
            struct ota_push before = bench.push;
            uint32_t operations = flash_sim_op_count(bench.sim);
            int error = do_call(&bench, call);
            if (allowed[at][call]) {
                assert_int_not_equal(error, OTA_E_BUSY);
            } else {
                assert_int_equal(error, OTA_E_BUSY);
                assert_memory_equal(&bench.push, &before, sizeof before);
                assert_int_equal(flash_sim_op_count(bench.sim), operations);
            }
            bench_free(&bench);
        }
    }
}

static void abort_at_any_point(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (enum ota_push_state at = OTA_PUSH_IDLE; at <= OTA_PUSH_FAILED; at++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            reach(&bench, at);
            assert_int_equal(ota_push_abort(&bench.push), 0);
            assert_int_equal(bench.push.state, OTA_PUSH_IDLE);
            assert_int_equal(ota_push_write(&bench.push, "x", 1), OTA_E_BUSY);
            assert_usable(&bench);
            bench_free(&bench);
        }
    }
}

/* And without a reset in between. */
static void a_push_after_an_abort(void **state)
{
    (void)state;
    for (enum ota_push_state at = OTA_PUSH_IDLE; at <= OTA_PUSH_FAILED; at++) {
        struct bench bench;
        bench_new(&bench, &shapes[0]);
        reach(&bench, at);
        assert_int_equal(ota_push_abort(&bench.push), 0);
        make_image(&bench, 3, 6000);
        assert_int_equal(push_all(&bench, 500), 0);
        assert_int_equal(boot(&bench), 3);
        bench_free(&bench);
    }
}

static void sizes_are_checked(void **state)
{
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        const uint32_t sizes[] = {0, 0, UINT32_MAX}; /* the second: one more than fits */
        for (size_t i = 0; i < 3; i++) {
            struct bench bench;
            bench_new(&bench, &shapes[s]);
            assert_int_equal(prepare(&bench), 0);
            uint32_t size = i == 1 ? bench.config.max_end + 1 : sizes[i];
            assert_int_equal(ota_push_start(&bench.push, size), OTA_E_IMG_SIZE);
            assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
            assert_int_equal(bench.push.error, OTA_E_IMG_SIZE);
            assert_usable(&bench);
            bench_free(&bench);
        }
    }
}

static void more_or_less_than_announced_is_refused(void **state)
{
    (void)state;
    for (int difference = -2; difference <= 2; difference++) {
        struct bench bench;
        bench_new(&bench, &shapes[1]);
        uint32_t announced = bench.size + (uint32_t)difference;
        assert_int_equal(prepare(&bench), 0);
        assert_int_equal(ota_push_start(&bench.push, announced), 0);
        int error = write_all(&bench, 500);
        assert_int_equal(error, difference < 0 ? OTA_E_IMG_SIZE : 0);
        error = ota_push_verify(&bench.push, crc_of(&bench));
        assert_int_equal(error, difference < 0    ? OTA_E_BUSY
                                : difference == 0 ? 0
                                                  : OTA_E_IMG_TRUNCATED);
        if (difference > 0) { /* announced and written, and the image ends earlier */
            assert_int_equal(prepare(&bench), 0);
            assert_int_equal(ota_push_start(&bench.push, announced), 0);
            assert_int_equal(write_all(&bench, 500), 0);
            assert_int_equal(ota_push_write(&bench.push, "xx", (size_t)difference), 0);
            memcpy(bench.image + bench.size, "xx", 2);
            uint32_t crc = crc_over(bench.image, announced);
            assert_int_equal(ota_push_verify(&bench.push, crc), OTA_E_IMG_SIZE);
        }
        assert_usable(&bench);
        bench_free(&bench);
    }
}

/* Whatever bit of the sum is wrong, and whatever byte in flash is another than was handed over. */
static void a_wrong_crc_is_refused(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= 40; n++) {
        struct bench bench;
        bench_new(&bench, &shapes[n % SHAPES]);
        assert_int_equal(prepare(&bench), 0);
        assert_int_equal(ota_push_start(&bench.push, bench.size), 0);
        assert_int_equal(write_all(&bench, 700), 0);
        uint32_t crc = crc_of(&bench);
        if (n < 32)
            crc ^= 1u << n;
        uint8_t wrong = bench.image[n * 200] ^ 4;
        if (n > 32)
            assert_int_equal(flash_sim_put(bench.sim, SLOT + n * 200, &wrong, 1), 0);
        assert_int_equal(ota_push_verify(&bench.push, crc), n == 32 ? 0 : OTA_E_CHECKSUM);
        if (n != 32)
            assert_int_equal(ota_push_set_pending(&bench.push), OTA_E_BUSY);
        assert_usable(&bench);
        bench_free(&bench);
    }
}

/* B20, B28: a failed check is final, and the loader is not asked. */
static void a_failed_verify_stays_failed(void **state)
{
    (void)state;
    for (int n = 0; n < 4; n++) {
        static const int errors[] = {OTA_E_IMG_HASH, OTA_E_IMG_SIGNATURE, OTA_E_IMG_VERSION,
                                     OTA_E_IMG_MAGIC};
        struct bench bench;
        bench_new(&bench, &shapes[0]);
        if (n == 2)
            make_image(&bench, 1, 4000);
        if (n == 0 || n == 3)
            bench.image[n == 0 ? 100 : 0] ^= 1;
        bench.verdict = n == 1 ? OTA_E_IMG_SIGNATURE : 0;
        assert_int_equal(push_all(&bench, 999), errors[n]);
        bench.verdict = 0;
        for (enum call call = START; call < CALLS; call++)
            assert_int_equal(do_call(&bench, call), OTA_E_BUSY);
        assert_int_equal(bench.push.state, OTA_PUSH_FAILED);
        assert_int_equal(bench.push.error, errors[n]);
        assert_usable(&bench);
        bench_free(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_is_pushed_in_any_pieces),
        cmocka_unit_test(every_size_of_image_is_stored),
        cmocka_unit_test(the_way_back_is_not_erased),
        cmocka_unit_test(a_session_does_not_resume_behind_a_push),
        cmocka_unit_test(calls_out_of_order_change_nothing),
        cmocka_unit_test(abort_at_any_point),
        cmocka_unit_test(a_push_after_an_abort),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(more_or_less_than_announced_is_refused),
        cmocka_unit_test(a_wrong_crc_is_refused),
        cmocka_unit_test(a_failed_verify_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

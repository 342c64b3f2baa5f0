/* Patches that real encoders made, what is malformed, and going on after a cut. */
#include "agent/delta/jojodiff_rig.h"
#include "agent/delta/jojodiff_vectors_rig.h"

/* ---- what real encoders make --------------------------------------------------------------- */

static void check_vector(const struct vector *vector, const char *hex, bool later, size_t step)
{
    uint8_t patch[64];
    uint8_t target[SOURCE + 16];
    struct rig rig = {.target_size = 0};
    size_t size = from_hex(hex, patch);
    rig_begin(&rig, source, SOURCE, later);
    assert_int_equal(rig_apply(&rig, patch, size, step), OTA_OK);
    assert_int_equal(rig.target_size, apply_edit(&vector->edit, target));
    assert_memory_equal(rig.target, target, rig.target_size);
    assert_int_equal(rig.delta.at.patch_at, size);
}

static void vectors_of_both_formats(void **state)
{
    (void)state;
    assert_int_equal(source[300] ^ 1, 0x27); /* the last vector changes bytes 300 and 305 */
    assert_int_equal(source[305] ^ 1, 0xdd);
    for (size_t i = 0; i < COUNT(vectors); i++)
        for (size_t step = 1; step < 9; step++) {
            check_vector(&vectors[i], vectors[i].patch, false, step);
            check_vector(&vectors[i], vectors[i].patch, true, step);
            if (vectors[i].later != NULL)
                check_vector(&vectors[i], vectors[i].later, true, step);
        }
}

/* Who pauses the decoder at each write gets as much at a time as it has room for, and all of it. */
static void pauses_lose_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++)
        for (size_t step = 1; step < 20; step++) {
            uint8_t patch[64];
            uint8_t target[SOURCE + 16];
            struct rig rig = {.pauses = true};
            const struct ota_jojodiff_point *at = &rig.delta.at;
            uint32_t pauses = 0;
            int err = 0;
            size_t size = from_hex(vectors[i].patch, patch);
            rig_begin(&rig, source, SOURCE, false);
            while (at->patch_at < size) {
                size_t left = size - at->patch_at;
                uint32_t before = rig.target_size;
                err =
                    ota_jojodiff_write(&rig.delta, patch + at->patch_at, left < step ? left : step);
                assert_true(err == OTA_OK || err == OTA_DELTA_PAUSE);
                pauses += err == OTA_DELTA_PAUSE;
                assert_true(rig.target_size - before <= sizeof rig.buffer);
            }
            while ((err = ota_jojodiff_finish(&rig.delta)) == OTA_DELTA_PAUSE)
                pauses++;
            assert_int_equal(err, OTA_OK);
            assert_true(pauses >= rig.target_size / sizeof rig.buffer);
            assert_int_equal(rig.target_size, apply_edit(&vectors[i].edit, target));
            assert_memory_equal(rig.target, target, rig.target_size);
        }
}

/* 0.8.5 only: the halves change places. */
static void goes_back(void **state)
{
    uint8_t patch[64];
    struct rig rig = {.target_size = 0};
    (void)state;
    size_t size = from_hex("a7a4fd0200 a7a3fd0200 a7a2fd0400 a7a3fd0200", patch);
    rig_begin(&rig, source, SOURCE, false);
    assert_int_equal(rig_apply(&rig, patch, size, 3), OTA_OK);
    assert_int_equal(rig.target_size, SOURCE);
    assert_memory_equal(rig.target, source + 512, 512);
    assert_memory_equal(rig.target + 512, source, 512);
}

static void every_form_of_a_length(void **state)
{
    static const struct {
        const char *patch;
        uint32_t size;
    } forms[] = {
        {"a7a300", 1},
        {"a7a3fb", 252},
        {"a7a3fc00", 253},
        {"a7a3fcff", 508},
        {"a7a3fd0001", 1},
        {"a7a3fd01fd", 509},
        {"a7a3fe00000001", 1},
        {"a7a3fe00000400", SOURCE},
        {"a7a3ff0000000000000003", 3},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        uint8_t patch[16];
        struct rig rig = {.target_size = 0};
        size_t size = from_hex(forms[i].patch, patch);
        rig_begin(&rig, source, SOURCE, false);
        assert_int_equal(rig_apply(&rig, patch, size, 1), OTA_OK);
        assert_int_equal(rig.target_size, forms[i].size);
        assert_memory_equal(rig.target, source, forms[i].size);
    }
}

static void an_escape_in_data(void **state)
{
    static const struct {
        const char *patch;
        const char *target;
    } cases[] = {
        {"a7a5 a741", "a741"},
        {"a7a5 a7a7 41", "a741"},
        {"a7a5 a7a7 a3", "a7a3"},
        {"a7a5 a7a7 a7a7 00", "a7a700"},
        {"a7a5 a700 a7ff a7a1", "a700a7ffa7a1"},
        {"a7a5 41 a7a6 42", "4142"},
        {"a7a5", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t step = 1; step < 4; step++) {
            uint8_t patch[16], target[16];
            struct rig rig = {.target_size = 0};
            size_t size = from_hex(cases[i].patch, patch);
            rig_begin(&rig, source, SOURCE, false);
            assert_int_equal(rig_apply(&rig, patch, size, step), OTA_OK);
            assert_int_equal(rig.target_size, from_hex(cases[i].target, target));
            assert_memory_equal(rig.target, target, rig.target_size);
        }
}

/* ---- what is refused ----------------------------------------------------------------------- */

static void malformed(void **state)
{
    static const struct {
        const char *patch;
        int error;
        const char *fault;
    } cases[] = {
        {"a7a309", OTA_E_PATCH, "beyond the source"},
        {"a7a409", OTA_E_PATCH, "beyond the source"},
        {"a7a6 4142434445 a7a300", OTA_E_PATCH, "beyond the source"},
        {"a7", OTA_E_PATCH, "ends inside"},
        {"a7a6 41 a7", OTA_E_PATCH, "ends inside"},
        {"a7a3", OTA_E_PATCH, "ends inside"},
        {"a7a3fc", OTA_E_PATCH, "ends inside"},
        {"a7a3fe000000", OTA_E_PATCH, "ends inside"},
        {"a7a204 a7a301", OTA_E_PATCH, "before the source"},
        {"a7a302 a7a203", OTA_E_PATCH, "before the source"},
        {"a7a3fd0000", OTA_E_PATCH, "length of 0"},
        {"a7a2ff0000000000000000", OTA_E_PATCH, "length of 0"},
        {"a7a3ff0000000100000001", OTA_E_PATCH, "beyond the source"},
        {"a7a3ffffffffffffffffff", OTA_E_PATCH, "beyond the source"},
        {"68", OTA_E_UNSUPPORTED, "0.8.4"},
        {"a7a7", OTA_E_UNSUPPORTED, "0.8.4"},
        {"a7a300 41", OTA_E_UNSUPPORTED, "0.8.4"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t step = 1; step < 16; step += 7) {
            uint8_t patch[16];
            struct rig rig = {.target_size = 0};
            size_t size = from_hex(cases[i].patch, patch);
            rig_begin(&rig, (const uint8_t *)"hello", 5, false);
            assert_int_equal(rig_apply(&rig, patch, size, step), cases[i].error);
            assert_non_null(strstr(rig.delta.fault, cases[i].fault));
            /* and it stays refused */
            assert_int_equal(ota_jojodiff_write(&rig.delta, "\xa7\xa3", 2), cases[i].error);
            assert_int_equal(ota_jojodiff_finish(&rig.delta), cases[i].error);
        }
}

static void a_target_has_a_limit(void **state)
{
    static const char *const patches[] = {"a7a304 a7a300", "a7a304 a7a541", "a7a304 a7a641"};
    (void)state;
    for (size_t i = 0; i < COUNT(patches); i++) {
        uint8_t patch[16];
        struct rig rig = {.target_size = 0};
        size_t size = from_hex(patches[i], patch);
        rig_begin(&rig, (const uint8_t *)"hello!", 6, false);
        rig.delta.ends.target_limit = 5;
        assert_int_equal(rig_apply(&rig, patch, size, 16), OTA_E_IMG_SIZE);
        assert_int_equal(rig.target_size, 5);
    }
}

/* ---- cut off and resumed -------------------------------------------------------------------- */

static const char *const long_patch =
    "a7a3fc2f a7a5a7a7a741 a7a210 a7a6 010203a704 a7a404 a7a3fc00 "
    "a7a2fd0010 a7a3fe00000100 a7a5a7a7";

/* After each write to the target the power goes; another decoder continues with the record. */
static void resumes_after_any_write(void **state)
{
    uint8_t patch[64];
    struct rig whole = {.target_size = 0};
    size_t size = from_hex(long_patch, patch);
    (void)state;
    rig_begin(&whole, source, SOURCE, false);
    assert_int_equal(rig_apply(&whole, patch, size, size), OTA_OK);
    for (size_t step = 1; step <= size; step += 5) {
        uint32_t cuts = 0;
        for (bool is_cut = true; is_cut; cuts++) {
            struct rig rig = {.stop_after = cuts + 1};
            rig_begin(&rig, source, SOURCE, false);
            int err = rig_apply(&rig, patch, size, step);
            is_cut = err == OTA_E_POWER;
            if (is_cut) {
                rig_begin(&rig, source, SOURCE, false);
                assert_int_equal(ota_jojodiff_resume(&rig.delta, rig.point), OTA_OK);
                assert_int_equal(rig.delta.at.target_at, rig.target_size);
                err = rig_apply(&rig, patch, size, step);
            }
            assert_int_equal(err, OTA_OK);
            assert_int_equal(rig.target_size, whole.target_size);
            assert_memory_equal(rig.target, whole.target, whole.target_size);
        }
        assert_true(cuts > 20);
    }
}

/* Between any two bytes of the patch, too. */
static void resumes_between_any_bytes(void **state)
{
    uint8_t patch[64];
    struct rig whole = {.target_size = 0};
    size_t size = from_hex(long_patch, patch);
    (void)state;
    rig_begin(&whole, source, SOURCE, false);
    assert_int_equal(rig_apply(&whole, patch, size, size), OTA_OK);
    for (size_t cut = 0; cut <= size; cut++) {
        struct rig rig = {.target_size = 0};
        rig_begin(&rig, source, SOURCE, false);
        assert_int_equal(ota_jojodiff_write(&rig.delta, patch, cut), OTA_OK);
        ota_jojodiff_save(&rig.delta, rig.point);
        rig_begin(&rig, source, SOURCE, false);
        assert_int_equal(ota_jojodiff_resume(&rig.delta, rig.point), OTA_OK);
        assert_int_equal(rig.delta.at.patch_at, cut);
        assert_int_equal(rig_apply(&rig, patch, size, 7), OTA_OK);
        assert_int_equal(rig.target_size, whole.target_size);
        assert_memory_equal(rig.target, whole.target, whole.target_size);
    }
}

static void senseless_points(void **state)
{
    static const struct {
        uint8_t at;
        uint8_t value;
    } changes[] = {
        {7, 1},                 /* target beyond its limit */
        {27, 1},                /* a copy beyond the source's end */
        {28, 0xA1},             /* no such operator */
        {28, 0xA7}, {28, 0xA3}, /* wants a length, and none is to come */
        {29, 2},    {30, 9},    {30, 0xFD}, {31, 1},
    };
    struct rig rig = {.target_size = 0};
    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        uint8_t record[OTA_JOJODIFF_POINT] = {0};
        rig_begin(&rig, source, SOURCE, false);
        assert_int_equal(ota_jojodiff_resume(&rig.delta, record), OTA_OK);
        record[changes[i].at] = changes[i].value;
        assert_int_equal(ota_jojodiff_resume(&rig.delta, record), OTA_E_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_both_formats),
        cmocka_unit_test(pauses_lose_nothing),
        cmocka_unit_test(goes_back),
        cmocka_unit_test(every_form_of_a_length),
        cmocka_unit_test(an_escape_in_data),
        cmocka_unit_test(malformed),
        cmocka_unit_test(a_target_has_a_limit),
        cmocka_unit_test(resumes_after_any_write),
        cmocka_unit_test(resumes_between_any_bytes),
        cmocka_unit_test(senseless_points),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Patches in flash: the right image or an error, the base as it was, and a cut that costs what came
 * after the last point. */
#include "agent/delta/apply_rig.h"
#include "flashsim/cut_rig.h"
#include "flashsim/failing.h"

#include <stdio.h>

static void any_patch_makes_its_target(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct rig rig;
        struct sample sample;
        sample_make(&sample, seed);
        rig_open(&rig);
        rig.job.buffer_size = UNIT * (1 + seed % 4) + seed % 3; /* a part of a unit is not used */
        if (rig.job.buffer_size > sizeof rig.buffer)
            rig.job.buffer_size = sizeof rig.buffer;
        rig.job.every = seed % 5 * 200;
        rig_put(&rig, &sample);
        assert_int_equal(rig_apply(&rig), 0);
        assert_int_equal(rig.apply.written, sample.target_size);
        assert_true(rig_holds(&rig, TARGET, sample.target, sample.target_size));
        rig_is_sound(&rig, &sample);
        flash_sim_close(rig.sim);
    }
}

/* ---- refusals ------------------------------------------------------------------------------ */

static const struct malformed {
    const char *name;
    const char *patch;
    size_t size;
    int error;
} malformed[] = {
    {"more than the base has", "\xA7\xA3\x09", 3, OTA_E_PATCH},
    {"a lone escape", "\xA7", 1, OTA_E_PATCH},
    {"data, then a lone escape", "\xA7\xA6zz\xA7", 5, OTA_E_PATCH},
    {"data before any operator", "zz", 2, OTA_E_UNSUPPORTED},
    {"back before the beginning", "\xA7\xA2\x04\xA7\xA3\x01", 6, OTA_E_PATCH},
    {"a length cut short", "\xA7\xA3\xFD\x00", 4, OTA_E_PATCH},
    {"a length of nothing", "\xA7\xA3\xFD\x00\x00", 5, OTA_E_PATCH},
    {"nothing at all comes of it", "\xA7\xA4\x01", 3, OTA_E_IMG_SIZE},
    {"another image comes of it", "\xA7\xA3\x04", 3, OTA_E_IMG_HASH},
    {"a length of nine bytes", "\xA7\xA5!\xA7\xA3\xFF\0\0\0\0\0\0\0\x05", 14, 0},
};

static void malformed_patches_cost_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct rig rig;
        struct sample sample = {
            .base = "hello", .base_size = 5, .target = "!hello", .target_size = 6};
        sample.patch_size = (uint32_t)malformed[i].size;
        memcpy(sample.patch, malformed[i].patch, malformed[i].size);
        rig_open(&rig);
        rig_put(&rig, &sample);
        int err = rig_apply(&rig);
        if (err != malformed[i].error)
            fail_msg("%s: %s", malformed[i].name, ota_err_word(err));
        assert_int_equal(err != 0, rig.apply.fault != NULL);
        rig_is_sound(&rig, &sample);
        flash_sim_close(rig.sim);
    }
}

static void takes_the_later_format_when_asked_to(void **state)
{
    struct rig rig;
    struct sample sample = {.base = "hello",
                            .base_size = 5,
                            .target = "jello",
                            .target_size = 5,
                            .patch = "j\xA7\xA3\x03",
                            .patch_size = 4};
    (void)state;
    rig_open(&rig);
    rig_put(&rig, &sample);
    assert_int_equal(rig_apply(&rig), OTA_E_UNSUPPORTED);
    rig.job.takes_later_format = true;
    assert_int_equal(rig_apply(&rig), 0);
    flash_sim_close(rig.sim);
}

/* Digests come before the first erase. */
static void other_bytes_than_promised_cost_nothing(void **state)
{
    struct rig rig;
    struct sample sample;
    (void)state;
    sample_make(&sample, 7);
    rig_open(&rig);
    rig_put(&rig, &sample);
    rig.job.base_digest[31] ^= 1;
    assert_int_equal(rig_apply(&rig), OTA_E_PATCH);
    assert_non_null(strstr(rig.apply.fault, "base"));
    rig.job.base_digest[31] ^= 1;
    rig.job.patch_digest[0] ^= 1;
    assert_int_equal(rig_apply(&rig), OTA_E_IMG_HASH);
    assert_non_null(strstr(rig.apply.fault, "patch"));
    rig.job.patch_digest[0] ^= 1;
    rig.job.base_size = 0;
    assert_int_equal(rig_apply(&rig), OTA_E_IMG_SIZE);
    rig.job.base_size = sample.base_size;
    rig.job.patch_size = PATCH_MAX + 1;
    assert_int_equal(rig_apply(&rig), OTA_E_IMG_SIZE);
    rig.job.patch_size = sample.patch_size;
    assert_int_equal(flash_sim_op_count(rig.sim), 0);
    rig.job.target_digest[0] ^= 1;
    assert_int_equal(rig_apply(&rig), OTA_E_IMG_HASH);
    assert_non_null(strstr(rig.apply.fault, "new image"));
    rig_is_sound(&rig, &sample);
    flash_sim_close(rig.sim);
}

static void areas_must_fit(void **state)
{
    struct rig rig;
    struct sample sample;
    (void)state;
    sample_make(&sample, 8);
    rig_open(&rig);
    rig_put(&rig, &sample);
    const struct ota_apply_job good = rig.job;
    rig.job.target.address = SECTOR;
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    rig.job = good;
    rig.job.points.address = SECTOR;
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    rig.job.points.address = PATCH + SECTOR;
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    rig.job = good;
    rig.job.points.address = TARGET; /* nothing is left of the target */
    assert_int_equal(rig_apply(&rig), OTA_E_IMG_SIZE);
    assert_int_equal(flash_sim_op_count(rig.sim), 0);
    rig.job = good;
    rig.job.points.size = SECTOR;
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    rig.job = good;
    rig.job.target.address = PATCH + SECTOR; /* the patch begins before it */
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    rig.job = good;
    rig.job.buffer_size = UNIT - 1;
    assert_int_equal(rig_apply(&rig), OTA_E_LAYOUT);
    assert_int_equal(flash_sim_op_count(rig.sim), 0);
    flash_sim_close(rig.sim);
}

/* The image that still fits ends where the first sector of the points, or of the patch above them,
 * begins; one more byte does not. */
static void target_may_not_reach_what_lies_above_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct rig rig;
        bool more = i % 2 > 0;
        bool apart = i / 2 == 1; /* that is where the points lie */
        uint32_t size = apart ? IMAGE_MAX + POINT_SIZE : IMAGE_MAX;
        struct sample sample = {.base_size = size, .target_size = size};
        memset(sample.base, 0x33, size);
        memset(sample.target, 0x33, size);
        put_length(&sample, 0xA3, size);
        if (more)
            memcpy(sample.patch + sample.patch_size, "\xA7\xA5!", 3);
        sample.patch_size += more ? 3 : 0;
        rig_open(&rig);
        rig_put(&rig, &sample);
        if (apart)
            rig.job.points.address = APART;
        if (i / 2 == 2) { /* the other way round: the points above the patch */
            rig.job.patch.address = POINTS;
            rig.job.points.address = PATCH + SECTOR;
            assert_int_equal(flash_sim_put(rig.sim, POINTS, sample.patch, sample.patch_size), 0);
            rig.job.patch.size = POINT_SIZE;
        }
        for (int again = 0; again < 2; again++) {
            assert_int_equal(rig_apply(&rig), more ? OTA_E_IMG_SIZE : 0);
            assert_int_equal(rig.apply.written, size);
            rig_is_sound(&rig, &sample);
        }
        assert_int_equal(ota_apply_open(&rig.apply, &rig.job), 0);
        assert_int_equal(rig.apply.written, more ? size : size - SECTOR); /* the last point */
        flash_sim_close(rig.sim);
    }
}

/* ---- cuts ---------------------------------------------------------------------------------- */

static struct rig *rig_with(const struct sample *sample)
{
    static struct rig rig;
    rig_open(&rig);
    rig.job.every = 2 * SECTOR;
    rig_put(&rig, sample);
    return &rig;
}

/* Each operation is cut in each way that there is, the way back up is cut once more a little later,
 * and what is there then is the target. */
static uint32_t cut_everywhere(const struct sample *sample, enum flash_tears kind, uint32_t again)
{
    uint32_t cuts = 0;
    bool complete = false;
    for (uint32_t op = 0; !complete; op++) {
        struct cut cut = {.op = op, .kind = kind, .tears = 1};
        for (cut.tear = 0; cut.tear < cut.tears; cut.tear++) {
            struct rig *rig = rig_with(sample);
            flash_sim_observe(rig->sim, cut_at, &cut);
            int err = rig_apply(rig);
            complete = err == 0 && op >= flash_sim_op_count(rig->sim);
            assert_true(err == 0 || err == OTA_E_POWER);
            cuts += err != 0;
            flash_sim_power_on(rig->sim);
            if (err != 0 && again > 0) {
                struct cut second = {.op = flash_sim_op_count(rig->sim) + again, .kind = kind};
                flash_sim_observe(rig->sim, cut_at, &second);
                err = rig_apply(rig);
                assert_true(err == 0 || err == OTA_E_POWER);
                flash_sim_power_on(rig->sim);
            }
            flash_sim_observe(rig->sim, NULL, NULL);
            assert_int_equal(rig_apply(rig), 0);
            assert_int_equal(rig->apply.written, sample->target_size);
            assert_true(rig_holds(rig, TARGET, sample->target, sample->target_size));
            rig_is_sound(rig, sample);
            flash_sim_close(rig->sim);
        }
    }
    return cuts;
}

static void every_cut_ends_in_the_target(void **state)
{
    struct sample sample;
    (void)state;
    sample_make(&sample, 11);
    assert_true(sample.target_size > 6 * SECTOR);
    assert_true(cut_everywhere(&sample, FLASH_TEARS_CLEAN, 0) > 300);
    assert_true(cut_everywhere(&sample, FLASH_TEARS_CLEAN, 1) > 300);
    assert_true(cut_everywhere(&sample, FLASH_TEARS_CLEAN, 7) > 300);
    assert_true(cut_everywhere(&sample, FLASH_TEARS_WEAK, 3) > 30);
}

/* Power goes again and again, anywhere: as long as a point comes in between, it ends. */
static void any_number_of_cuts_ends_in_the_target(void **state)
{
    struct sample sample;
    uint32_t random = 88172645u;
    uint32_t cuts = 0;
    (void)state;
    for (uint32_t seed = 20; seed < 120; seed++) {
        sample_make(&sample, seed);
        struct rig *rig = rig_with(&sample);
        rig->job.every = seed % 3 * SECTOR;
        int err = OTA_E_POWER;
        for (uint32_t tries = 0; err == OTA_E_POWER; tries++) {
            struct cut cut = {.op = flash_sim_op_count(rig->sim) + below(&random, 20),
                              .tear = below(&random, 2),
                              .kind = below(&random, 3) > 0 ? FLASH_TEARS_CLEAN : FLASH_TEARS_WEAK};
            assert_true(tries < 100);
            flash_sim_observe(rig->sim, cut_at, &cut);
            err = rig_apply(rig);
            cuts += err == OTA_E_POWER;
            flash_sim_power_on(rig->sim);
        }
        flash_sim_observe(rig->sim, NULL, NULL);
        assert_int_equal(err, 0);
        assert_true(rig_holds(rig, TARGET, sample.target, sample.target_size));
        rig_is_sound(rig, &sample);
        flash_sim_close(rig->sim);
    }
    assert_true(cuts > 400);
}

/* A program or erase that fails, with a word or without: an error where it happens, or a record
 * less; never another image, and the next try goes well. */
static void a_flash_error_is_noticed(void **state)
{
    static const enum flash_failure failures[] = {FLASH_FAIL_ERROR, FLASH_FAIL_SILENT,
                                                  FLASH_FAIL_PARTIAL};
    struct sample sample;
    uint32_t errors = 0;
    (void)state;
    sample_make(&sample, 11);
    for (size_t i = 0; i < 3; i++) {
        bool complete = false;
        for (uint32_t op = 0; !complete; op++) {
            struct flash_failing failing;
            struct rig *rig = rig_with(&sample);
            flash_failing_init(&failing, rig->sim);
            flash_failing_arm(&failing, op, failures[i]);
            rig->job.base.flash = rig->job.patch.flash = &failing.port;
            rig->job.target.flash = rig->job.points.flash = &failing.port;
            int err = rig_apply(rig);
            complete = !failing.fired;
            errors += err != 0;
            assert_true(err == 0 || err == OTA_E_FLASH_PROGRAM || err == OTA_E_FLASH_ERASE);
            if (err != 0)
                assert_int_equal(rig_apply(rig), 0);
            assert_true(rig_holds(rig, TARGET, sample.target, sample.target_size));
            rig_is_sound(rig, &sample);
            flash_sim_close(rig->sim);
        }
    }
    assert_true(errors > 100);
}

/* Power goes just before the end: what was done up to the last point is not done again. */
static void goes_on_at_the_last_point(void **state)
{
    struct sample sample;
    (void)state;
    sample_make(&sample, 11);
    struct rig *rig = rig_with(&sample);
    assert_int_equal(rig_apply(rig), 0);
    uint32_t whole = flash_sim_op_count(rig->sim);
    flash_sim_close(rig->sim);

    struct cut cut = {.op = whole - 1, .kind = FLASH_TEARS_CLEAN};
    rig = rig_with(&sample);
    flash_sim_observe(rig->sim, cut_at, &cut);
    assert_int_equal(rig_apply(rig), OTA_E_POWER);
    flash_sim_power_on(rig->sim);
    assert_int_equal(ota_apply_open(&rig->apply, &rig->job), 0);
    assert_true(rig->apply.written >= sample.target_size - 3 * SECTOR);
    assert_int_equal(rig->apply.written % SECTOR, 0);

    /* A point of another job says nothing about this one. */
    rig->job.target_digest[0] ^= 1;
    assert_int_equal(ota_apply_open(&rig->apply, &rig->job), 0);
    assert_int_equal(rig->apply.written, 0);
    rig->job.target_digest[0] ^= 1;

    /* Nor does one whose bytes are gone. */
    assert_int_equal(flash_sim_put(rig->sim, TARGET + 100, "?", 1), 0);
    assert_int_equal(ota_apply_open(&rig->apply, &rig->job), 0);
    assert_int_equal(rig->apply.written, 0);
    assert_int_equal(flash_sim_put(rig->sim, TARGET + 100, sample.target + 100, 1), 0);
    assert_int_equal(ota_apply_open(&rig->apply, &rig->job), 0);
    assert_int_not_equal(rig->apply.written, 0);

    /* And a cleared one is none. */
    assert_int_equal(ota_apply_clear(&rig->apply), 0);
    uint32_t before = flash_sim_op_count(rig->sim);
    assert_int_equal(ota_apply_open(&rig->apply, &rig->job), 0);
    assert_int_equal(rig->apply.written, 0);
    assert_int_equal(ota_apply_clear(&rig->apply), 0);
    assert_int_equal(flash_sim_op_count(rig->sim), before);
    flash_sim_close(rig->sim);
}

static enum flash_tear count_records(void *context, struct flash_sim *sim,
                                     const struct flash_op *op)
{
    (void)sim;
    *(uint32_t *)context +=
        op->kind == FLASH_OP_PROGRAM && op->address >= POINTS && op->address < PATCH;
    return FLASH_TEAR_NONE;
}

static void points_lie_as_far_apart_as_asked(void **state)
{
    static const uint32_t every[][2] = {{0, 7}, {SECTOR + 1, 3}, {3 * SECTOR, 2}, {AREA, 0}};
    struct sample sample = {.base_size = IMAGE_MAX, .target_size = IMAGE_MAX};
    (void)state;
    put_length(&sample, 0xA3, IMAGE_MAX);
    assert_int_equal(IMAGE_MAX, 8 * SECTOR); /* the end of the last one needs no point */
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        struct rig rig;
        uint32_t records = 0;
        rig_open(&rig);
        rig_put(&rig, &sample);
        rig.job.every = every[i][0];
        flash_sim_observe(rig.sim, count_records, &records);
        assert_int_equal(rig_apply(&rig), 0);
        assert_int_equal(records, every[i][1]);
        flash_sim_close(rig.sim);
    }
    struct rig rig;
    rig_open(&rig);
    rig_put(&rig, &sample);
    rig.job.points.size = 0;
    assert_int_equal(rig_apply(&rig), 0);
    assert_int_equal(ota_apply_clear(&rig.apply), 0);
    flash_sim_close(rig.sim);
}

/* One step is at most one erase, one program or one record, however long a copy is. */
static void a_step_is_small(void **state)
{
    struct rig rig;
    struct sample sample = {.base_size = IMAGE_MAX};
    (void)state;
    memcpy(sample.target, sample.base, IMAGE_MAX);
    sample.target_size = IMAGE_MAX;
    put_length(&sample, 0xA3, IMAGE_MAX);
    rig_open(&rig);
    rig_put(&rig, &sample);
    assert_int_equal(ota_apply_open(&rig.apply, &rig.job), 0);
    uint32_t steps = 0;
    for (int err = 1; err != 0; steps++) {
        uint32_t before = flash_sim_op_count(rig.sim);
        err = ota_apply_step(&rig.apply);
        assert_true(err >= 0);
        assert_in_range(flash_sim_op_count(rig.sim) - before, 0,
                        2); /* a record, its sector first */
    }
    assert_true(steps > IMAGE_MAX / sizeof rig.buffer);
    flash_sim_close(rig.sim);
}

/* ---- mutations ----------------------------------------------------------------------------- */

/* Bytes are changed, left out, put in and cut off, operators most of all. */
static void mutate(struct sample *sample, uint32_t *random)
{
    uint8_t *patch = sample->patch;
    for (uint32_t n = 1 + below(random, 3); n > 0; n--) {
        uint32_t at = below(random, sample->patch_size);
        uint32_t length = 1 + below(random, 4);
        uint32_t rest = sample->patch_size - at;
        switch (below(random, 6)) {
        case 0:
            patch[at] ^= (uint8_t)(1u << below(random, 8));
            break;
        case 1:
            patch[at] = (uint8_t)(0xA2 + below(random, 6));
            break;
        case 2:
            patch[at] = (uint8_t)(252 + below(random, 4));
            break;
        case 3:
            length = length < rest ? length : rest;
            memmove(patch + at, patch + at + length, rest - length);
            sample->patch_size -= sample->patch_size > length ? length : 0;
            break;
        case 4:
            length =
                length < PATCH_MAX - sample->patch_size ? length : PATCH_MAX - sample->patch_size;
            memmove(patch + at + length, patch + at, rest);
            sample->patch_size += length;
            break;
        default:
            sample->patch_size = at + 1;
        }
    }
}

/* Ten thousand patches that no encoder made, with the digest of what they are: what is accepted is
 * the target, everything else an error, and neither base nor patch is touched. */
static void mutations_make_the_target_or_an_error(void **state)
{
    uint32_t random = 2463534242u;
    uint32_t accepted = 0;
    uint32_t refused[3] = {0};
    struct rig rig;
    struct sample whole = {.base_size = 0};
    (void)state;
    rig_open(&rig);
    for (uint32_t i = 0; i < 10000; i++) {
        if (i % 100 == 0)
            sample_make(&whole, 1000 + i / 100);
        struct sample sample = whole;
        mutate(&sample, &random);
        rig.job.takes_later_format = i % 2 == 0;
        rig_put(&rig, &sample);
        int err = rig_apply(&rig);
        accepted += err == 0;
        refused[0] += err == OTA_E_PATCH;
        refused[1] += err == OTA_E_IMG_HASH;
        refused[2] += err == OTA_E_UNSUPPORTED || err == OTA_E_IMG_SIZE;
        if (err == 0)
            assert_true(rig_holds(&rig, TARGET, whole.target, whole.target_size));
        else
            assert_true(err == OTA_E_PATCH || err == OTA_E_IMG_HASH || err == OTA_E_UNSUPPORTED ||
                        err == OTA_E_IMG_SIZE);
        rig_is_sound(&rig, &sample);
    }
    printf("  10000 mutations: %u the same, %u malformed, %u other images, %u too large or later\n",
           accepted, refused[0], refused[1], refused[2]);
    assert_true(accepted < 1000 && refused[0] > 1000 && refused[1] > 1000 && refused[2] > 100);
    flash_sim_close(rig.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_patch_makes_its_target),
        cmocka_unit_test(malformed_patches_cost_nothing),
        cmocka_unit_test(takes_the_later_format_when_asked_to),
        cmocka_unit_test(other_bytes_than_promised_cost_nothing),
        cmocka_unit_test(areas_must_fit),
        cmocka_unit_test(target_may_not_reach_what_lies_above_it),
        cmocka_unit_test(every_cut_ends_in_the_target),
        cmocka_unit_test(any_number_of_cuts_ends_in_the_target),
        cmocka_unit_test(a_flash_error_is_noticed),
        cmocka_unit_test(goes_on_at_the_last_point),
        cmocka_unit_test(points_lie_as_far_apart_as_asked),
        cmocka_unit_test(a_step_is_small),
        cmocka_unit_test(mutations_make_the_target_or_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

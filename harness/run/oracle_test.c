/* Every rule of the oracle, once kept and once broken, as lists of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/oracle.h"

#include <string.h>

static const uint8_t v1_bytes[64] = {1, 1, 1};
static const uint8_t v2_bytes[64] = {2, 2, 2};
static const uint8_t v3_bytes[64] = {3, 3, 3};

static const struct nb_oracle_image v1 = {
    .version = {.major = 1}, .data = v1_bytes, .size = 64, .genuine = true};
static const struct nb_oracle_image v2 = {
    .version = {.major = 2}, .data = v2_bytes, .size = 64, .genuine = true};
static const struct nb_oracle_image v3_forged = {
    .version = {.major = 3}, .data = v3_bytes, .size = 64, .genuine = false};

enum start {
    FACTORY, /* v1 in the primary, nothing offered */
    OFFERED, /* … and the cloud offers v2 */
    FORGED,  /* … and the cloud offers a v3 that is not genuine */
    PENDING, /* … and v2 pending in the secondary */
    FORGED_PENDING,
    DAMAGED,     /* the harness damaged the primary */
    FLASH_ERROR, /* an operation of the flash has failed */
    TAMPERED,    /* as OFFERED, and it is changed on its way */
    UNKEPT,      /* … or the flash did not keep it */
    OWN_CHECKS,  /* … or the application has a say of its own */
    NO_SWAP,     /* as OFFERED, with a scheme that does not revert */
};

static void begin(struct nb_oracle *oracle, enum start start)
{
    nb_oracle_init(oracle, start != NO_SWAP, true);
    nb_oracle_put(oracle, 0, &v1, false, true);
    if (start == OFFERED || start == NO_SWAP || start == TAMPERED || start == UNKEPT ||
        start == OWN_CHECKS)
        nb_oracle_offer(oracle, &v2);
    if (start == TAMPERED)
        nb_oracle_tampered(oracle);
    if (start == UNKEPT)
        nb_oracle_unkept(oracle);
    oracle->own_checks = start == OWN_CHECKS;
    if (start == FORGED)
        nb_oracle_offer(oracle, &v3_forged);
    if (start == PENDING)
        nb_oracle_put(oracle, 1, &v2, true, false);
    if (start == FORGED_PENDING)
        nb_oracle_put(oracle, 1, &v3_forged, true, false);
    if (start == FLASH_ERROR)
        nb_oracle_flash_error(oracle);
    if (start == DAMAGED)
        nb_oracle_damage(oracle, 0);
}

static const struct {
    enum start start;
    const char *events[14];
    const char *violation; /* NULL: all is well */
} runs[] = {
    /* a whole update */
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "progress 64 64", "pending 2.0.0", "reset install",
      "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "idle ok",
      "boot 2.0.0 confirmed"},
     NULL},
    {NO_SWAP,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "reset install",
      "boot 2.0.0 confirmed permanent", "reported success"},
     NULL},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "boot 2.0.0 trial test", "reset crash",
      "boot 1.0.0 confirmed revert", "reported failure reverted"},
     NULL},
    /* 1: no image */
    {FACTORY, {"boot none no-image"}, "a boot finds no image"},
    {DAMAGED, {"boot none bad-hash"}, NULL},
    {FLASH_ERROR, {"boot none flash-erase", "boot 1.0.0 confirmed"}, NULL},
    {FLASH_ERROR, {"boot none flash-erase", "boot none flash-erase"}, "a boot finds no image"},
    {FLASH_ERROR, {"boot 1.0.0 confirmed", "boot none flash-erase"}, "a boot finds no image"},
    /* 2: unknown, or not genuine */
    {FACTORY, {"boot 7.0.0 confirmed"}, "7.0.0 runs, but nobody put it down or offered it"},
    {FORGED_PENDING, {"boot 3.0.0 trial test"}, "3.0.0 runs, but it is not genuine"},
    {FORGED_PENDING, {"refused bad-hash", "boot 1.0.0 confirmed"}, NULL},
    /* 3: the confirmed one stays */
    {OFFERED,
     {"boot 1.0.0 confirmed", "boot 2.0.0 trial test"},
     "2.0.0 runs in place of the confirmed image, and nobody asked for it"},
    {PENDING,
     {"boot 2.0.0 trial test", "confirmed 2.0.0", "boot 1.0.0 confirmed"},
     "1.0.0 runs in place of the confirmed image, and nobody asked for it"},
    {PENDING, {"boot 2.0.0 trial test", "boot 1.0.0 confirmed revert"}, NULL},
    /* 4: one trial */
    {PENDING,
     {"boot 2.0.0 trial test", "boot 2.0.0 trial"},
     "2.0.0 runs again without having confirmed itself"},
    {PENDING,
     {"boot 2.0.0 trial test", "boot 2.0.0 confirmed"},
     "2.0.0 counts as confirmed, and nobody confirmed it"},
    {PENDING,
     {"boot 2.0.0 trial test", "cut 7 half", "boot 2.0.0 confirmed"},
     "2.0.0 counts as confirmed, and nobody confirmed it"},
    {PENDING, {"boot 2.0.0 trial test", "confirmed 2.0.0", "boot 2.0.0 confirmed"}, NULL},
    {FACTORY,
     {"boot 1.0.0 confirmed", "confirmed 2.0.0"},
     "2.0.0 confirms itself, but is not what runs"},
    /* 5: what was refused */
    {PENDING, {"refused bad-counter", "boot 2.0.0 trial test"}, "2.0.0 runs, but it was refused"},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "boot 2.0.0 trial test"},
     "2.0.0 runs, but it was refused"},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "reported failure bad-hash",
      "job 2.0.0", "pending 2.0.0", "boot 2.0.0 trial test"},
     NULL},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "job 2.0.0", "state install",
      "cut 61 after", "boot 2.0.0 trial test"},
     NULL},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "state install", "cut 61 after",
      "boot 2.0.0 trial test"},
     "2.0.0 runs, but it was refused"},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "pending 2.0.0",
      "boot 2.0.0 trial test"},
     "2.0.0 runs, but it was refused"},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "refused bad-counter",
      "boot 1.0.0 confirmed", "pending 2.0.0", "boot 2.0.0 trial test"},
     "2.0.0 runs, but it was refused"},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "boot 2.0.0 trial test",
      "confirmed 2.0.0", "reported success", "reject json", "boot 2.0.0 confirmed"},
     NULL},
    /* 6: reports */
    {FACTORY,
     {"boot 1.0.0 confirmed", "reported success"},
     "Success is reported, and there was no job"},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "reported success"},
     "Success is reported, but the new image does not run confirmed"},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "boot 2.0.0 trial test",
      "reported success"},
     "Success is reported, but the new image does not run confirmed"},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "boot 2.0.0 trial test",
      "confirmed 2.0.0", "reported failure reverted"},
     "Failure is reported, but the new image runs and is confirmed"},
    /* 11: genuine, and rejected for what it is */
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash"},
     "the image is rejected as bad-hash, and is genuine"},
    {OFFERED, {"boot 1.0.0 confirmed", "job 2.0.0", "reject timeout"}, NULL},
    {OFFERED, {"boot 1.0.0 confirmed", "job 5.0.0", "reject bad-hash"}, NULL},
    {TAMPERED, {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash"}, NULL},
    {UNKEPT, {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash"}, NULL},
    {OWN_CHECKS, {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash"}, NULL},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject bad-hash", "job 2.0.0", "reject bad-hash"},
     "the image is rejected as bad-hash, and is genuine"},
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "reject timeout", "job 2.0.0", "reject bad-hash"},
     NULL},
    /* 12: handed over, and refused */
    {TAMPERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "reset install", "refused bad-hash"},
     "the loader refuses as bad-hash what the agent handed over as good"},
    {OFFERED, {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "refused bad-counter"}, NULL},
    {OFFERED,
     {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "cut 7 half", "refused bad-hash"},
     NULL},
    {UNKEPT, {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "refused bad-hash"}, NULL},
    {OWN_CHECKS, {"boot 1.0.0 confirmed", "job 2.0.0", "pending 2.0.0", "refused bad-hash"}, NULL},
    /* 10: the flash's rules */
    {FACTORY,
     {"boot 1.0.0 confirmed", "violation unit at 0x10 programmed twice"},
     "the flash forbids what the device does: unit at 0x10 programmed twice"},
};

static void event_rules_hold_and_are_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct nb_oracle oracle;
        begin(&oracle, runs[i].start);
        for (size_t k = 0; runs[i].events[k]; k++)
            nb_oracle_event(&oracle, runs[i].events[k]);
        const char *found = nb_oracle_violation(&oracle);
        if (runs[i].violation)
            assert_string_equal(found ? found : "(none)", runs[i].violation);
        else
            assert_string_equal(found ? found : "(none)", "(none)");
    }
}

/* Only a cut that may have come after the confirmation leaves open what boots next. */
static void cut_excuses_a_confirmation_that_may_have_been(void **state)
{
    static const struct {
        enum nb_oracle_confirms confirms;
        bool boots_first; /* the trial begins in the step that is cut */
        bool excused;
    } rows[] = {
        {NB_CONFIRMS_NOTHING, false, false},    {NB_CONFIRMS_NOTHING, true, false},
        {NB_CONFIRMS_AT_ONCE, false, true},     {NB_CONFIRMS_AFTER_BOOT, true, true},
        {NB_CONFIRMS_AFTER_BOOT, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_oracle oracle;
        begin(&oracle, PENDING);
        if (rows[i].boots_first)
            nb_oracle_step(&oracle, rows[i].confirms);
        nb_oracle_event(&oracle, "boot 2.0.0 trial test");
        if (!rows[i].boots_first)
            nb_oracle_step(&oracle, rows[i].confirms);
        nb_oracle_event(&oracle, "cut 7 half");
        nb_oracle_step(&oracle, NB_CONFIRMS_NOTHING);
        nb_oracle_event(&oracle, "boot 2.0.0 confirmed");
        assert_int_equal(nb_oracle_violation(&oracle) == NULL, rows[i].excused);
    }
}

/* The agent says `pending` once the trailer is written: a cut may come between the two, but only
 * while it is at it, for a job that nobody refused. */
static void cut_may_hide_a_request(void **state)
{
    static const struct {
        const char *before[4];
        bool excused;
    } rows[] = {
        {{"job 2.0.0", "progress 64 64", "state install", NULL}, true},
        {{"job 2.0.0", "progress 64 64", "state verify", NULL}, false},
        {{"job 2.0.0", "progress 64 64", NULL, NULL}, false},
        {{"progress 64 64", "state install", NULL, NULL}, false},
        {{"job 2.0.0", "state install", "reject bad-hash", NULL}, false},
        {{"job 2.0.0", "state install", "state leave", "idle cancelled"}, false},
        {{"job 2.0.0", "state install", "state report", "reported failure x"}, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_oracle oracle;
        begin(&oracle, OFFERED);
        nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
        for (size_t k = 0; k < 4 && rows[i].before[k]; k++)
            nb_oracle_event(&oracle, rows[i].before[k]);
        nb_oracle_event(&oracle, "cut 90 after");
        nb_oracle_event(&oracle, "boot 2.0.0 trial test");
        assert_int_equal(nb_oracle_violation(&oracle) == NULL, rows[i].excused);
    }
}

/* ---- what lies in flash ------------------------------------------------------------------ */

static const char *look(struct nb_oracle *oracle, const uint8_t *primary, const uint8_t *secondary,
                        bool loader_changed)
{
    const struct nb_oracle_view view = {primary, 64, secondary, 64, loader_changed};
    nb_oracle_flash(oracle, &view);
    const char *found = nb_oracle_violation(oracle);
    return found ? found : "(none)";
}

static void loader_region_must_not_change(void **state)
{
    struct nb_oracle oracle;
    (void)state;
    begin(&oracle, FACTORY);
    nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
    assert_string_equal(look(&oracle, v1_bytes, v2_bytes, false), "(none)");
    assert_string_equal(look(&oracle, v1_bytes, v2_bytes, true),
                        "the bootloader's region was written");
}

static void progress_must_lie_in_flash(void **state)
{
    struct nb_oracle oracle;
    uint8_t torn[64];
    (void)state;
    memcpy(torn, v2_bytes, sizeof torn);
    torn[40] ^= 1;
    begin(&oracle, OFFERED);
    nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
    nb_oracle_event(&oracle, "job 2.0.0");
    nb_oracle_event(&oracle, "progress 63 64");
    assert_string_equal(look(&oracle, v1_bytes, torn, false), "(none)");
    nb_oracle_event(&oracle, "progress 64 64");
    assert_string_equal(look(&oracle, v1_bytes, torn, false),
                        "progress says 64 bytes, but 63 lie in flash");
    /* of an archive it is another thing that lies there */
    struct nb_oracle_image packed = v2;
    packed.packed = true;
    begin(&oracle, FACTORY);
    nb_oracle_offer(&oracle, &packed);
    nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
    nb_oracle_event(&oracle, "job 2.0.0");
    nb_oracle_event(&oracle, "progress 1088 1088");
    assert_string_equal(look(&oracle, v1_bytes, torn, false), "(none)");
}

/* Bytes that were changed on their way count as progress all the same, until they are rejected. */
static void tampered_bytes_are_not_compared(void **state)
{
    struct nb_oracle oracle;
    (void)state;
    begin(&oracle, OFFERED);
    nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
    nb_oracle_event(&oracle, "job 2.0.0");
    nb_oracle_tampered(&oracle);
    nb_oracle_event(&oracle, "progress 64 64");
    assert_string_equal(look(&oracle, v1_bytes, v3_bytes, false), "(none)");
    nb_oracle_event(&oracle, "reject bad-hash");
    nb_oracle_event(&oracle, "job 2.0.0");
    nb_oracle_event(&oracle, "progress 64 64");
    assert_string_equal(look(&oracle, v1_bytes, v3_bytes, false),
                        "progress says 64 bytes, but 61 lie in flash");
}

/* The claim ends when the loader takes over, and when the agent gives the image up. */
static void old_progress_claims_nothing(void **state)
{
    static const char *const ends[] = {"reset install", "reject timeout", "job 2.0.0"};
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct nb_oracle oracle;
        begin(&oracle, OFFERED);
        nb_oracle_event(&oracle, "boot 1.0.0 confirmed");
        nb_oracle_event(&oracle, "progress 64 64");
        nb_oracle_event(&oracle, ends[i]);
        assert_string_equal(look(&oracle, v1_bytes, v1_bytes, false), "(none)");
    }
}

static void what_boots_must_lie_there(void **state)
{
    struct nb_oracle oracle;
    (void)state;
    begin(&oracle, PENDING);
    nb_oracle_event(&oracle, "boot 2.0.0 trial test");
    assert_string_equal(look(&oracle, v2_bytes, v1_bytes, false), "(none)");
    assert_string_equal(look(&oracle, v1_bytes, v2_bytes, false),
                        "the primary slot does not hold the image that runs, byte for byte");
}

static void after_a_cut_the_next_boot_says_what_lies_there(void **state)
{
    struct nb_oracle oracle;
    (void)state;
    begin(&oracle, PENDING);
    nb_oracle_event(&oracle, "boot 2.0.0 trial test");
    nb_oracle_event(&oracle, "cut 12 half");
    assert_string_equal(look(&oracle, v3_bytes, v1_bytes, false), "(none)");
}

/* A golden slot that ends with a trailer's magic is a request for installation. */
static void slot_with_trailer_asks_by_itself(void **state)
{
    uint8_t slot[128] = {9};
    struct nb_oracle_image golden = {
        .version = {.major = 9}, .data = slot, .size = sizeof slot, .end = 64, .genuine = true};
    struct nb_oracle oracle;
    (void)state;
    memcpy(slot + sizeof slot - IMG_TRAILER_MAGIC_SIZE, img_trailer_magic(8),
           IMG_TRAILER_MAGIC_SIZE);
    begin(&oracle, FACTORY);
    nb_oracle_put(&oracle, 1, &golden, false, false);
    nb_oracle_event(&oracle, "boot 9.0.0 trial test");
    assert_null(nb_oracle_violation(&oracle));
}

/* A copy goes its own way: engines branch by copying. */
static void copies_are_independent(void **state)
{
    struct nb_oracle oracle;
    struct nb_oracle copy;
    (void)state;
    begin(&oracle, PENDING);
    copy = oracle;
    nb_oracle_event(&copy, "boot none no-image");
    assert_non_null(nb_oracle_violation(&copy));
    assert_null(nb_oracle_violation(&oracle));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_rules_hold_and_are_broken),
        cmocka_unit_test(cut_excuses_a_confirmation_that_may_have_been),
        cmocka_unit_test(cut_may_hide_a_request),
        cmocka_unit_test(tampered_bytes_are_not_compared),
        cmocka_unit_test(loader_region_must_not_change),
        cmocka_unit_test(progress_must_lie_in_flash),
        cmocka_unit_test(old_progress_claims_nothing),
        cmocka_unit_test(what_boots_must_lie_there),
        cmocka_unit_test(after_a_cut_the_next_boot_says_what_lies_there),
        cmocka_unit_test(slot_with_trailer_asks_by_itself),
        cmocka_unit_test(copies_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

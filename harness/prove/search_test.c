/* The search on toy loaders of some thirty lines, each with one planted fault, and one without. */
#include "harness/prove/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECTOR 256u
#define UNIT   8u

/* Sectors: the loader, what runs, what is to run, the flags, what ran before. */
enum { LOADER, ACTIVE, NEXT, FLAGS, KEPT, SECTORS };
/* Flags: a unit each. */
enum { ASKED, BEGUN, TRIAL, FLAG_COUNT };

enum fault {
    NO_FAULT,
    TWO_CUTS,      /* a resumed copy forgets its request before it has copied */
    LOST_REQUEST,  /* every copy does */
    LOST_REVERT,   /* a revert does */
    NEVER_RESTS,   /* every boot writes something */
    NO_END,        /* a boot erases for ever */
    FORBIDDEN,     /* a unit is programmed that is not erased */
    OWN_REGION,    /* the loader's own sector is erased */
    LATE_LOSS,     /* what is kept is rewritten, and a resumed copy does not look whether it was */
    READS_TOO_FAR, /* what is kept is believed without looking at it */
    LOOKS_ERASED,  /* a sector that begins erased is not erased again */
    HALF_ENTRY,    /* a status entry that is torn makes it forget the request */
    FAULTS
};

struct toy {
    struct flash_sim *sim;
    uint32_t counter;
    enum fault fault;
    const struct flash_port *flash;
    struct nb_machine machine;
};

static struct toy toy;

/* ---- the toy loader ---------------------------------------------------------------------- */

static int read(uint32_t sector, uint32_t offset, void *data, uint32_t length)
{
    return toy.flash->read(toy.flash->context, sector * SECTOR + offset, data, length);
}

static int erase(uint32_t sector)
{
    return toy.flash->erase(toy.flash->context, sector * SECTOR);
}

static int program(uint32_t sector, uint32_t offset, const void *data, uint32_t length)
{
    return toy.flash->program(toy.flash->context, sector * SECTOR + offset, data, length);
}

static bool flag(uint32_t number)
{
    uint8_t bytes[UNIT];
    return read(FLAGS, number * UNIT, bytes, sizeof bytes) == 0 && bytes[0] != 0xFF;
}

static bool half_flag(uint32_t number)
{
    uint8_t bytes[UNIT];
    return read(FLAGS, number * UNIT, bytes, sizeof bytes) == 0 && bytes[0] != 0xFF && bytes[0];
}

static int set_flag(uint32_t number)
{
    static const uint8_t set[UNIT] = {0};
    return program(FLAGS, number * UNIT, set, sizeof set);
}

/* The version of the image in the sector: every byte of it is its version; 0: none. */
static uint8_t version(uint32_t sector)
{
    uint8_t bytes[SECTOR];
    for (uint32_t i = 0; i < SECTOR; i += sizeof bytes / 8) /* piece by piece, as loaders do */
        if (read(sector, i, bytes + i, sizeof bytes / 8) != 0)
            return 0;
    for (uint32_t i = 1; i < SECTOR; i++)
        if (bytes[i] != bytes[0])
            return 0;
    return bytes[0] == 0xFF ? 0 : bytes[0];
}

static int copy(uint32_t from, uint32_t to)
{
    uint8_t half[SECTOR / 2];
    uint8_t first;
    bool believed = toy.fault == LOOKS_ERASED && read(to, 0, &first, 1) == 0 && first == 0xFF;
    int err = believed ? 0 : erase(to);
    for (uint32_t at = 0; err == 0 && at < SECTOR; at += sizeof half) {
        err = read(from, at, half, sizeof half);
        if (err == 0)
            err = program(to, at, half, sizeof half);
    }
    return err;
}

/* Puts the bytes of the kept image down once more. */
static int rewrite(void)
{
    uint8_t bytes[SECTOR];
    int err = read(KEPT, 0, bytes, sizeof bytes);
    if (err == 0)
        err = erase(KEPT);
    return err == 0 ? program(KEPT, 0, bytes, sizeof bytes) : err;
}

static int install(bool resumed)
{
    bool forgets =
        toy.fault == LOST_REQUEST || (toy.fault == TWO_CUTS && resumed && version(ACTIVE) == 0);
    int err = resumed ? 0 : copy(ACTIVE, KEPT);
    if (err == 0 && !resumed)
        err = set_flag(BEGUN);
    if (err == 0 && forgets)
        err = erase(FLAGS);
    if (err == 0)
        err = copy(NEXT, ACTIVE);
    if (err == 0 && !resumed && toy.fault == LATE_LOSS)
        err = rewrite();
    if (err == 0 && !forgets)
        err = toy.machine.demand.permanent ? erase(FLAGS) : set_flag(TRIAL);
    return err;
}

static int revert(void)
{
    int err = toy.fault == LOST_REVERT ? erase(FLAGS) : 0;
    if (err == 0)
        err = copy(KEPT, ACTIVE);
    return err == 0 && toy.fault != LOST_REVERT ? erase(FLAGS) : err;
}

static int do_harm(void)
{
    int err = 0;
    if (toy.fault == NEVER_RESTS)
        err = copy(ACTIVE, KEPT);
    while (toy.fault == NO_END && err == 0)
        err = erase(KEPT);
    if (toy.fault == FORBIDDEN)
        err = program(ACTIVE, 0, (const uint8_t[UNIT]){0x55}, UNIT);
    if (toy.fault == OWN_REGION)
        err = erase(LOADER);
    return err;
}

static void boot(struct nb_end *end)
{
    bool reverts = flag(TRIAL);
    int err = do_harm();
    if (err == 0 && toy.fault == HALF_ENTRY && half_flag(BEGUN))
        err = erase(FLAGS);
    if (err == 0 && reverts)
        err = revert();
    else if (err == 0 && flag(ASKED))
        err = install(flag(BEGUN));
    if (err == 0 && version(ACTIVE) == 0 && toy.fault == READS_TOO_FAR)
        err = copy(KEPT, ACTIVE);
    uint8_t runs = version(ACTIVE);
    end->runs = err != 0    ? NB_RUNS_ERROR
                : runs == 1 ? NB_RUNS_OLD
                : runs == 2 ? NB_RUNS_NEW
                            : NB_RUNS_NOTHING;
    end->trial = flag(TRIAL);
}

static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    (void)context;
    toy.flash = seam->flash;
    if (action == NB_ACTION_PENDING)
        end->refused = set_flag(ASKED) != 0;
    else
        boot(end);
}

/* ---- the tests --------------------------------------------------------------------------- */

static void put(uint32_t sector, uint8_t byte)
{
    uint8_t bytes[SECTOR];
    memset(bytes, byte, sizeof bytes);
    assert_int_equal(flash_sim_put(toy.sim, sector * SECTOR, bytes, SECTOR), 0);
}

static void set_up(enum fault fault, bool permanent)
{
    static const struct flash_part part = {
        .name = "toy",
        .size = SECTORS * SECTOR,
        .runs = {{SECTORS, SECTOR}},
        .run_count = 1,
        .unit = UNIT,
        .erased = 0xFF,
        .programs = 1,
    };
    const struct flash_chip chip = {part, 0};
    memset(&toy, 0, sizeof toy);
    toy.sim = flash_sim_memory(&chip, 1);
    assert_non_null(toy.sim);
    toy.fault = fault;
    toy.machine = (struct nb_machine){
        .context = &toy,
        .sim = toy.sim,
        .counter = &toy.counter,
        .from = ACTIVE * SECTOR,
        .to = SECTORS * SECTOR,
        .loader = 0,
        .loader_end = SECTOR,
        .entries = FLAGS * SECTOR + BEGUN * UNIT,
        .entries_end = FLAGS * SECTOR + (BEGUN + 1) * UNIT,
        .demand = {.reverts = true,
                   .permanent = permanent,
                   .boots = NB_RUNS_OLD | NB_RUNS_NEW,
                   .rests = NB_RUNS_OLD | NB_RUNS_NEW},
        .run = run,
    };
    put(ACTIVE, 1);
    put(NEXT, 2);
    put(KEPT, 7); /* whatever lay there */
}

static struct nb_proof prove(enum fault fault, bool permanent, bool unmasked, enum nb_tears tears)
{
    struct nb_proof proof;
    struct nb_search *search;
    const struct nb_search_options options = {.tears = tears, .unmasked = unmasked, .max_ops = 200};
    set_up(fault, permanent);
    assert_int_equal(nb_search_run(&toy.machine, NB_PHASE_ASKING, &options, NULL, &search, &proof),
                     0);
    nb_search_free(search);
    flash_sim_close(toy.sim);
    return proof;
}

static unsigned cuts_of(const struct nb_proof *proof)
{
    unsigned cuts = 0;
    for (size_t i = 0; i < proof->chain_length; i++)
        cuts += proof->chain[i].tear != FLASH_TEAR_NONE;
    return cuts;
}

static void test_good_loader_closes(void **state)
{
    (void)state;
    for (int permanent = 0; permanent < 2; permanent++) {
        struct nb_proof proof = prove(NO_FAULT, permanent != 0, false, NB_TEARS_ALL);
        assert_true(proof.closed);
        assert_int_equal(proof.failures, 0);
        assert_int_equal(proof.rests, NB_RUNS_OLD | NB_RUNS_NEW * (unsigned)permanent);
        assert_true(proof.states > 10 && proof.masked > proof.states && proof.depth > 0);
    }
}

static void test_finds_the_fewest_cuts(void **state)
{
    static const struct {
        enum fault fault;
        bool permanent;
        unsigned cuts;
        const char *reason;
    } rows[] = {
        {TWO_CUTS, true, 2, "no image boots"},
        {LOST_REQUEST, true, 1, "the request is lost: the old image stays"},
        {LOST_REVERT, false, 1, "the new image counts as confirmed, and nobody confirmed it"},
        {LATE_LOSS, false, 1, "no image boots"},
        {NEVER_RESTS, true, 0, "boots go on changing flash for ever"},
        {NO_END, true, 0, "the run changes flash without end"},
        {FORBIDDEN, true, 0, "the device does what its flash forbids"},
        {OWN_REGION, true, 0, "the bootloader's region is written"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_proof proof = prove(rows[i].fault, rows[i].permanent, false, NB_TEARS_NONE);
        assert_true(proof.failures > 0);
        assert_true(proof.closed == (rows[i].fault == NEVER_RESTS)); /* else it need not be */
        assert_int_equal(cuts_of(&proof), rows[i].cuts);
        assert_string_equal(proof.reason, rows[i].reason);
    }
}

static enum flash_tear cut_there(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    const struct nb_cut *cut = context;
    (void)sim;
    return cut->tear != FLASH_TEAR_NONE && op->index == cut->op ? cut->tear : FLASH_TEAR_NONE;
}

/* The chain played by hand, on flash made anew, with nothing of the search. */
static void test_chain_repeats(void **state)
{
    (void)state;
    struct nb_proof proof = prove(TWO_CUTS, true, false, NB_TEARS_NONE);
    set_up(TWO_CUTS, true);
    for (size_t i = 0; i < proof.chain_length; i++) {
        struct nb_cut cut;
        const struct nb_seam seam = {.flash = flash_sim_port(toy.sim)};
        struct nb_end end = {0};
        bool last = i + 1 == proof.chain_length;
        cut = proof.chain[i];
        flash_sim_restart_count(toy.sim);
        flash_sim_observe(toy.sim, cut_there, &cut);
        run(NULL, cut.action, &seam, &end);
        assert_int_equal(flash_sim_is_off(toy.sim), cut.tear != FLASH_TEAR_NONE);
        flash_sim_power_on(toy.sim);
        if (last)
            assert_int_equal(end.runs, NB_RUNS_NOTHING);
    }
    flash_sim_close(toy.sim);
}

/* What only a torn erase leaves behind, and no clean cut. */
static void test_torn_erase(void **state)
{
    (void)state;
    for (int unmasked = 0; unmasked < 2; unmasked++) {
        struct nb_proof clean = prove(LOOKS_ERASED, true, unmasked != 0, NB_TEARS_NONE);
        struct nb_proof torn = prove(LOOKS_ERASED, true, unmasked != 0, NB_TEARS_PREFIX);
        assert_true(clean.closed);
        assert_int_equal(clean.failures, 0);
        assert_true(torn.failures > 0);
        assert_int_equal(cuts_of(&torn), 1);
        assert_int_equal(torn.chain[torn.chain_length - 2].tear, FLASH_TEAR_LOWER);
        assert_string_equal(torn.reason, "the device does what its flash forbids");
    }
}

/* A torn status entry counts as the complete one only while the loader takes it so. */
static void test_torn_entry(void **state)
{
    (void)state;
    struct nb_proof clean = prove(HALF_ENTRY, true, false, NB_TEARS_NONE);
    struct nb_proof torn = prove(HALF_ENTRY, true, false, NB_TEARS_ALL);
    assert_true(clean.closed);
    assert_int_equal(clean.failures, 0);
    assert_true(torn.failures > 0);
    assert_int_equal(cuts_of(&torn), 1);
    assert_string_equal(torn.reason, "the request is lost: the old image stays");
}

/* Masking must not change the verdict, nor how many cuts it takes. */
static void test_masked_as_unmasked(void **state)
{
    (void)state;
    for (unsigned fault = NO_FAULT; fault < FAULTS; fault++)
        for (int permanent = 0; permanent < 2; permanent++)
            for (int tears = NB_TEARS_PREFIX; tears <= NB_TEARS_NONE; tears++) {
                struct nb_proof masked =
                    prove((enum fault)fault, permanent != 0, false, (enum nb_tears)tears);
                struct nb_proof plain =
                    prove((enum fault)fault, permanent != 0, true, (enum nb_tears)tears);
                assert_true(masked.closed == plain.closed);
                assert_true(masked.closed || masked.failures > 0);
                assert_int_equal(masked.failures > 0, plain.failures > 0);
                assert_int_equal(cuts_of(&masked), cuts_of(&plain));
                assert_true(masked.reason == plain.reason);
                if (masked.failures == 0)
                    assert_int_equal(masked.rests, plain.rests);
                assert_true(masked.states <= plain.states);
                assert_int_equal(plain.masked, 0);
            }
}

static void test_never_proved_after_a_limit(void **state)
{
    struct nb_proof proof;
    struct nb_search *search;
    const struct nb_search_options options = {.max_states = 5};
    const volatile int stop = 1;
    (void)state;
    set_up(NO_FAULT, true);
    assert_int_equal(nb_search_run(&toy.machine, NB_PHASE_ASKING, &options, NULL, &search, &proof),
                     0);
    assert_false(proof.closed);
    assert_non_null(proof.stopped);
    nb_search_free(search);
    assert_int_equal(nb_search_run(&toy.machine, NB_PHASE_ASKING, &(struct nb_search_options){0},
                                   &stop, &search, &proof),
                     0);
    assert_false(proof.closed);
    nb_search_free(search);
    flash_sim_close(toy.sim);
}

/* A flag counts as set or not, however its unit was torn. */
static int tidy_flags(void *context)
{
    const struct toy *own = context;
    for (uint32_t i = 0; i < FLAG_COUNT; i++) {
        uint8_t unit[UNIT];
        int rc = flash_sim_peek(own->sim, FLAGS * SECTOR + i * UNIT, unit, sizeof unit);
        memset(unit, unit[0] != 0xFF ? 0 : 0xFF, sizeof unit);
        if (rc == 0)
            rc = flash_sim_put(own->sim, FLAGS * SECTOR + i * UNIT, unit, sizeof unit);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* This promises that flags do not matter. */
static int clear_flags(void *context)
{
    const struct toy *own = context;
    uint8_t erased[SECTOR];
    memset(erased, 0xFF, sizeof erased);
    return flash_sim_put(own->sim, FLAGS * SECTOR, erased, sizeof erased);
}

static struct nb_proof prove_formal(int (*normalise)(void *context))
{
    struct nb_proof proof;
    struct nb_search *search;
    const struct nb_search_options options = {.max_ops = 200};
    set_up(NO_FAULT, true);
    toy.machine.context = &toy;
    toy.machine.normalise = normalise;
    toy.machine.formal[0] = (struct nb_formal){FLAGS * SECTOR, (FLAGS + 1) * SECTOR};
    assert_int_equal(nb_search_run(&toy.machine, NB_PHASE_ASKING, &options, NULL, &search, &proof),
                     0);
    nb_search_free(search);
    flash_sim_close(toy.sim);
    return proof;
}

static void test_what_counts_in_one_form(void **state)
{
    (void)state;
    struct nb_proof plain = prove(NO_FAULT, true, false, NB_TEARS_ALL);
    struct nb_proof tidy = prove_formal(tidy_flags);
    assert_true(tidy.closed && !tidy.informal);
    assert_int_equal(tidy.rests, plain.rests);
    assert_int_equal(tidy.failures, 0);
    assert_true(tidy.states < plain.states);
    struct nb_proof wrong = prove_formal(clear_flags);
    assert_true(wrong.informal);
    assert_false(wrong.closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_loader_closes),
        cmocka_unit_test(test_finds_the_fewest_cuts),
        cmocka_unit_test(test_chain_repeats),
        cmocka_unit_test(test_torn_erase),
        cmocka_unit_test(test_torn_entry),
        cmocka_unit_test(test_masked_as_unmasked),
        cmocka_unit_test(test_never_proved_after_a_limit),
        cmocka_unit_test(test_what_counts_in_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

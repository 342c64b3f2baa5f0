/* `prove` on the real loader: verdicts, what is masked, and that what failed repeats. */
#include "harness/prove/play_rig.h"
#include "harness/prove/prove.h"

#define HEAD "title T\nreq STOR-02\nslot 20K\nflash slot0 v1 size=4K\nflash slot1 v2 size=6K"

static struct nb_outcome *play(const char *text, struct nb_cell *cell)
{
    return play_text(nb_bench_run, text, cell, 0);
}

static void test_masked_as_unmasked(void **state)
{
    static const struct {
        const char *text;
        enum nb_verdict verdict;
    } rows[] = {
        {HEAD " pending\nprove confirm boot v1|v2\nuntil stable boot v1|v2\n", NB_PASS},
        {HEAD " pending permanent\nprove boot v1|v2\nuntil stable boot v2\n", NB_PASS},
        {HEAD "\nprove pending boot v1|v2\n", NB_PASS},
        {HEAD " tamper=payload pending\nprove boot v1\n", NB_PASS},
        {HEAD " pending permanent\nprove boot v1|v2\nuntil stable boot v1\n", NB_FAIL},
        {HEAD " pending\nprove boot v1\n", NB_FAIL},
    };
    static const char *const schemes[] = {"overwrite", "swap-move", "swap-scratch", "swap-status"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t s = 0; s < sizeof schemes / sizeof schemes[0]; s++) {
            struct nb_cell cell = {.tears = NB_TEARS_PREFIX};
            snprintf(cell.scheme, sizeof cell.scheme, "%s", schemes[s]);
            snprintf(cell.part, sizeof cell.part, "nrf52840");
            struct nb_outcome *masked = play(rows[i].text, &cell);
            cell.unmasked = true;
            struct nb_outcome *plain = play(rows[i].text, &cell);
            assert_int_equal(masked->verdict, rows[i].verdict);
            assert_int_equal(plain->verdict, rows[i].verdict);
            assert_string_equal(masked->cuts, plain->cuts);
            assert_int_equal(masked->proof.rests, plain->proof.rests);
            assert_true(masked->proof.closed == (rows[i].verdict == NB_PASS));
            assert_true(plain->proof.closed == (rows[i].verdict == NB_PASS));
            assert_true(masked->proof.states <= plain->proof.states);
            assert_true(plain->proof.masked == 0);
            assert_true(!masked->proof.closed || masked->proof.masked > 0);
            free(masked);
            free(plain);
        }
    }
}

/* Torn status records stay in their ring; without what they mean their states have no end. */
static void test_torn_records_close(void **state)
{
    static const char *const parts[] = {"nrf52840", "w25q128", "erase00-synth", "psoc6-internal"};
    static const char text[] = HEAD " pending\nprove confirm boot v1|v2\nuntil stable boot v1|v2\n";
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct nb_cell cell = {.scheme = "swap-status", .tears = NB_TEARS_NONE};
        snprintf(cell.part, sizeof cell.part, "%s", parts[i]);
        struct nb_outcome *clean = play(text, &cell);
        cell.tears = NB_TEARS_ALL;
        struct nb_outcome *torn = play(text, &cell);
        assert_int_equal(clean->verdict, NB_PASS);
        assert_int_equal(torn->verdict, NB_PASS);
        assert_true(torn->proof.closed);
        assert_true(torn->proof.edges > 2 * clean->proof.edges);
        assert_true(torn->proof.states < 20 * clean->proof.states);
        free(clean);
        free(torn);
    }
}

/* What the script demands is what fails: its chain fails again, another chain does not. */
static void test_chain_repeats(void **state)
{
    static const char text[] = HEAD "\nprove pending permanent boot v1|v2\nuntil stable boot v1\n";
    struct nb_cell cell = {.tears = NB_TEARS_NONE};
    (void)state;
    struct nb_outcome *outcome = play(text, &cell);
    assert_int_equal(outcome->verdict, NB_FAIL);
    assert_string_equal(outcome->cuts, "pending+boot+boot");
    assert_true(outcome->story_count >= 4);
    cell.cut_count = 3;
    for (size_t i = 0; i < 3; i++)
        cell.cuts[i] = outcome->proof.chain[i];
    struct nb_outcome *again = play(text, &cell);
    assert_int_equal(again->verdict, NB_FAIL);
    assert_non_null(strstr(again->reason, "the new image stays, and must not"));
    assert_true(nb_cut_parse("pending@0.before", &cell.cuts[0]));
    cell.cut_count = 1;
    struct nb_outcome *other = play(text, &cell);
    assert_int_equal(other->verdict, NB_PASS);
    assert_true(nb_cut_parse("5.before", &cell.cuts[0]));
    struct nb_outcome *wrong = play(text, &cell);
    assert_int_equal(wrong->verdict, NB_VACUOUS);
    free(outcome);
    free(again);
    free(other);
    free(wrong);
}

static void test_nothing_to_prove(void **state)
{
    struct nb_cell cell = {0};
    (void)state;
    struct nb_outcome *outcome = play(HEAD "\nprove boot v1\n", &cell);
    assert_int_equal(outcome->verdict, NB_VACUOUS);
    free(outcome);
    outcome = play(HEAD " pending\nprove boot v1|1.5.0\n", &cell);
    assert_int_equal(outcome->verdict, NB_ERROR);
    assert_non_null(strstr(outcome->reason, "neither the running image nor the one in slot1"));
    free(outcome);
}

static void test_stopped_is_not_proved(void **state)
{
    struct nb_cell cell = {0};
    (void)state;
    nb_run_stop = 2;
    struct nb_outcome *outcome = play(HEAD " pending\nprove boot v1|v2\n", &cell);
    nb_run_stop = 0;
    assert_int_equal(outcome->verdict, NB_ERROR);
    assert_non_null(strstr(outcome->reason, "not proved"));
    assert_false(outcome->proof.closed);
    free(outcome);
}

/* A trial that began before the proof: it goes on from there. */
static void test_begins_where_the_script_stands(void **state)
{
    struct nb_cell cell = {0};
    (void)state;
    struct nb_outcome *outcome =
        play(HEAD " pending\ndevice boot\nprove boot v1\nuntil stable boot v1\n", &cell);
    assert_int_equal(outcome->verdict, NB_PASS);
    assert_int_equal(outcome->proof.rests, NB_RUNS_OLD);
    assert_true(outcome->proof.states > 10);
    free(outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_as_unmasked),
        cmocka_unit_test(test_torn_records_close),
        cmocka_unit_test(test_chain_repeats),
        cmocka_unit_test(test_nothing_to_prove),
        cmocka_unit_test(test_stopped_is_not_proved),
        cmocka_unit_test(test_begins_where_the_script_stands),
    };
    return cmocka_run_group_tests(tests, kit_rig_set_up, kit_rig_tear_down);
}

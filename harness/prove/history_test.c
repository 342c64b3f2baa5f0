/* Histories as text, faults as lines, and what explorers and shrinkers make of them. */
#include "harness/prove/history.h"
#include "harness/prove/shrink.h"
#include "harness/run/kit_rig.h"
#include "harness/run/matrix.h"
#include "harness/run/virtual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT                                                                                     \
    "title x\nvia http\ndata http\n\ncloud offer v2 size=8K\n@job silent\ndevice check\n"          \
    "  expect boot v2\nnever job v1\ncloud offer v3 size=8K\ndevice  boot\ndevice check\nuntil "   \
    "stable boot v3\n"
#define HEALED "device  check\ndevice  check\ndevice  check\n"

/* ---- text -------------------------------------------------------------------------------- */

static void histories_have_faults_and_an_end(void **state)
{
    static const struct nb_drawn drawn[] = {{3, "@net reset"}, {1, "@flash:3 cut"}};
    static const struct nb_ending ending = {"3.0.0", "success"};
    struct nb_history history;
    unsigned lines[2] = {0};
    (void)state;
    assert_int_equal(nb_history_new(SCRIPT, strlen(SCRIPT), &history), 0);
    assert_int_equal(history.steps, 3);
    assert_true(nb_history_networked(&history, 1));
    assert_false(nb_history_networked(&history, 2));
    char *text = nb_history_text(&history, drawn, 2, 0, &ending, lines);
    assert_string_equal(text, "title x\nvia http\ndata http\n\ncloud offer v2 size=8K\n"
                              "@flash:3 cut\ndevice check\ncloud offer v3 size=8K\ndevice  boot\n"
                              "@net reset\ndevice check\n" HEALED
                              "until   reported success\nuntil   stable boot 3.0.0\n");
    assert_int_equal(lines[0], 10);
    assert_int_equal(lines[1], 6);
    free(text);
    text = nb_history_text(&history, NULL, 0, 1u << 0 | 1u << 2, &(struct nb_ending){0}, NULL);
    assert_string_equal(text, "title x\nvia http\ndata http\n\ncloud offer v2 size=8K\n"
                              "cloud offer v3 size=8K\ndevice  boot\n" HEALED
                              "until   stable boot 0.0.0\n");
    free(text);
    nb_history_free(&history);
}

/* Whatever is drawn for a fault's verb is understood by the parser as that verb. */
static void drawn_lines_are_the_language(void **state)
{
    static const struct nb_draw_room room = {.operations = 300, .chunks = 17};
    struct choice choice;
    (void)state;
    choice_init(&choice);
    choice_seed(&choice, 1);
    size_t kinds = 0;
    for (size_t i = 0; i < nb_script_verb_count; i++) {
        char line[NB_TEXT];
        bool drawable = false;
        for (int k = 0; k < 50; k++) {
            char text[400];
            struct nb_script script;
            struct flash_text_error error;
            if (!nb_draw_line(&choice, &nb_script_verbs[i], &room, line))
                break;
            drawable = true;
            snprintf(text, sizeof text,
                     "title x\ncloud offer v2\n%s\ndevice check\nexpect boot v2\n", line);
            int rc = nb_script_parse(text, strlen(text), "x", &script, &error);
            /* so many copies would never end: the only thing that is drawn and not understood */
            if (rc != 0 && strstr(error.message, "never end"))
                continue;
            if (rc != 0)
                print_error("%s: %s\n", line, error.message);
            assert_int_equal(rc, 0);
            assert_int_equal(script.steps[1].kind, nb_script_verbs[i].kind);
            nb_script_free(&script);
        }
        kinds += drawable;
        assert_true(drawable || nb_script_verbs[i].group != NB_GROUP_FAULT ||
                    strchr(nb_script_verbs[i].pattern, '*'));
    }
    assert_true(kinds > 40);
    choice_free(&choice);
}

/* ---- playing ----------------------------------------------------------------------------- */

static struct nb_explorer *explorer_of(const char *text, struct nb_cell *cell)
{
    struct nb_outcome outcome = {0};
    struct nb_explorer *explorer;
    *cell = (struct nb_cell){.kit = kit, .world = "virtual", .hash = true};
    snprintf(cell->via, sizeof cell->via, "http");
    snprintf(cell->data, sizeof cell->data, "http");
    explorer = nb_explorer_new(text, "x.ota", cell, &outcome);
    if (!explorer)
        print_error("%s\n", outcome.reason);
    assert_non_null(explorer);
    return explorer;
}

/* What was played before leaves nothing behind: the tenth play is as the first. */
static void seeds_repeat_themselves(void **state)
{
    struct nb_cell cell;
    struct nb_explorer *explorer = explorer_of(SCRIPT, &cell);
    char notes[10][NB_LINE];
    bool some_differ = false;
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (uint64_t seed = 0; seed < 10; seed++) {
            struct nb_drawn drawn[NB_DRAWN];
            struct nb_outcome outcome = {0};
            (void)nb_explorer_draw(explorer, seed, drawn);
            nb_explorer_play(explorer, seed, &outcome);
            assert_int_equal(outcome.verdict, NB_PASS);
            assert_int_equal(outcome.note_count, 1);
            if (round == 0)
                memcpy(notes[seed], outcome.notes[0], NB_LINE);
            assert_string_equal(notes[seed], outcome.notes[0]);
            some_differ = some_differ || strcmp(notes[seed], notes[0]) != 0;
        }
    }
    assert_true(some_differ);
    nb_explorer_free(explorer);
}

static void tally_counts_what_fired(void **state)
{
    static const struct nb_drawn drawn[] = {{1, "@flash:3 cut"}, {3, "@flash:100000 fail"}};
    struct nb_cell cell;
    struct nb_explorer *explorer = explorer_of(SCRIPT, &cell);
    struct nb_tally *tally = calloc(1, sizeof *tally);
    struct nb_outcome outcome = {0};
    struct flash_text_error error;
    uint64_t armed = 0;
    uint64_t fired = 0;
    (void)state;
    assert_non_null(tally);
    assert_int_equal(nb_explorer_arm(explorer, drawn, 2, &error), 0);
    nb_explorer_play(explorer, 0, &outcome);
    assert_int_equal(outcome.verdict, NB_PASS);
    nb_explorer_tally(explorer, tally);
    for (size_t i = 0; i < NB_VERBS_MAX; i++) {
        armed += tally->armed[i];
        fired += tally->fired[i];
    }
    assert_int_equal(tally->histories, 1);
    assert_int_equal(armed, 2);
    assert_int_equal(fired, 1);
    assert_int_equal(tally->cuts, 1);
    assert_true(tally->boots > 3 && tally->resets > 0);
    free(tally);
    nb_explorer_free(explorer);
}

/* A server that refuses a result for good: the report never comes. Two faults have no part in it.
 */
static void failures_are_made_small(void **state)
{
    static const struct nb_drawn drawn[] = {
        {1, "@net latency 1"}, {3, "@flash:90000 cut"}, {3, "@http status 404 result always"}};
    struct nb_cell cell;
    struct nb_explorer *explorer = explorer_of(SCRIPT, &cell);
    struct nb_shrunk shrunk;
    struct nb_script script;
    struct flash_text_error error;
    (void)state;
    assert_int_equal(nb_shrink(explorer, SCRIPT, 9, drawn, 3, &shrunk), 0);
    assert_int_equal(shrunk.count, 1);
    assert_int_equal(shrunk.seed, 0);
    assert_int_equal(strncmp(shrunk.drawn[0].line, "@http status 4", 14), 0);
    assert_int_equal(shrunk.outcome.verdict, NB_FAIL);
    assert_non_null(strstr(shrunk.outcome.reason, "do not report success"));
    assert_non_null(strstr(shrunk.script, "size=2K"));
    assert_non_null(strstr(shrunk.script, "slot    16K"));
    assert_int_equal(nb_script_parse(shrunk.script, strlen(shrunk.script), "x", &script, &error),
                     0);
    nb_script_free(&script);
    nb_shrunk_free(&shrunk);
    assert_int_equal(nb_shrink(explorer, SCRIPT, 9, drawn, 1, &shrunk), OTA_E_ARGUMENT);
    nb_explorer_free(explorer);
}

static void reasons_are_the_same_but_for_numbers(void **state)
{
    (void)state;
    assert_true(nb_same_reason("line 3: 2.0.0 runs", "line 12: 2.0.0 runs"));
    assert_false(nb_same_reason("line 3: 2.0.0 runs", "line 3: 2.0.0 runs again"));
    assert_false(nb_same_reason("7 bytes", "bytes"));
}

static void faults_for_no_step_are_refused(void **state)
{
    static const struct nb_drawn none = {4, "@net reset"};
    static const struct nb_drawn boot = {2, "@net reset"};
    static const struct nb_drawn misplaced = {1, "@connect:1 http close"};
    const struct nb_drawn *rows[] = {&none, &boot, &misplaced};
    struct nb_cell cell;
    struct nb_explorer *explorer = explorer_of(SCRIPT, &cell);
    struct flash_text_error error;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(nb_explorer_arm(explorer, rows[i], 1, &error), OTA_E_ARGUMENT);
        assert_true(error.message[0] != '\0');
    }
    nb_explorer_free(explorer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_have_faults_and_an_end),
        cmocka_unit_test(drawn_lines_are_the_language),
        cmocka_unit_test(seeds_repeat_themselves),
        cmocka_unit_test(tally_counts_what_fired),
        cmocka_unit_test(failures_are_made_small),
        cmocka_unit_test(reasons_are_the_same_but_for_numbers),
        cmocka_unit_test(faults_for_no_step_are_refused),
    };
    return cmocka_run_group_tests(tests, kit_rig_set_up, kit_rig_tear_down);
}

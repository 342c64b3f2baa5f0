#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/trace.h"

#include <string.h>

static const struct nb_expect boot_v2 = {
    .kind = NB_EXPECT_BOOT, .versions = {{.major = 2}}, .version_count = 1};

/* ---- one line ---------------------------------------------------------------------------- */

static const struct {
    struct nb_expect expect;
    const char *line;
    bool from_cloud;
    bool meets;
} lines[] = {
    {{.kind = NB_EXPECT_BOOT, .versions = {{1, 0, 0, 0}, {2, 0, 0, 0}}, .version_count = 2},
     "boot 2.0.0 trial test",
     false,
     true},
    {{.kind = NB_EXPECT_BOOT, .versions = {{2, 0, 0, 0}}, .version_count = 1},
     "boot 2.0.1 trial test",
     false,
     false},
    {{.kind = NB_EXPECT_BOOT,
      .versions = {{2, 0, 0, 0}},
      .version_count = 1,
      .status = NB_STATUS_CONFIRMED},
     "boot 2.0.0 trial test",
     false,
     false},
    {{.kind = NB_EXPECT_BOOT,
      .versions = {{2, 0, 0, 0}},
      .version_count = 1,
      .status = NB_STATUS_TRIAL},
     "boot 2.0.0 trial test resumed",
     false,
     true},
    {{.kind = NB_EXPECT_BOOT, .versions = {{2, 0, 0, 0}}, .version_count = 1},
     "boot none no-image",
     false,
     false},
    {{.kind = NB_EXPECT_BOOT, .versions = {{2, 0, 0, 0}}, .version_count = 1},
     "boot 2.0.0 trial test",
     true,
     false},
    {{.kind = NB_EXPECT_NO_IMAGE}, "boot none no-image", false, true},
    {{.kind = NB_EXPECT_NO_IMAGE}, "boot 1.0.0 confirmed", false, false},
    {{.kind = NB_EXPECT_REFUSED, .word = "bad-hash"}, "refused bad-hash", false, true},
    {{.kind = NB_EXPECT_REFUSED, .word = "bad-hash"}, "refused bad-tlv", false, false},
    {{.kind = NB_EXPECT_REFUSED, .word = "bad-hash"}, "reject bad-hash", false, false},
    {{.kind = NB_EXPECT_REPORT, .word = "failure"}, "reported failure timeout", false, true},
    {{.kind = NB_EXPECT_REPORT, .word = "success"}, "reported failure timeout", false, false},
    {{.kind = NB_EXPECT_JOB, .versions = {{2, 1, 0, 0}}, .version_count = 1},
     "job 2.1.0",
     false,
     true},
    {{.kind = NB_EXPECT_RESET, .word = "watchdog"}, "reset watchdog", false, true},
    {{.kind = NB_EXPECT_IDLE, .word = "ok"}, "idle ok", false, true},
    {{.kind = NB_EXPECT_EVENT, .word = "stored"}, "event 25 stored", false, true},
    {{.kind = NB_EXPECT_EVENT, .word = "stored"}, "event 17 download-success", false, false},
    {{.kind = NB_EXPECT_PAUSE}, "state pause", false, true},
    {{.kind = NB_EXPECT_PAUSE}, "state connect", false, false},
    {{.kind = NB_EXPECT_CHUNK_REQUEST, .value = 12288}, "chunk-request 12288 4096", true, true},
    {{.kind = NB_EXPECT_CHUNK_REQUEST, .value = 0}, "chunk-request 12288 4096", true, false},
    {{.kind = NB_EXPECT_CLOUD, .text = "result success"}, "result success a/b", true, true},
    {{.kind = NB_EXPECT_CLOUD, .text = "result success"}, "result failure a/b", true, false},
    {{.kind = NB_EXPECT_CLOUD, .text = "result success"}, "", true, false},
};

static void line_meets_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        bool meets = nb_expect_matches(&lines[i].expect, lines[i].line, lines[i].from_cloud);
        if (meets != lines[i].meets)
            print_error("row %zu: %s\n", i, lines[i].line);
        assert_int_equal(meets, lines[i].meets);
    }
}

static void boot_event_reads_as_the_contract_says(void **state)
{
    struct boot_result result = {.performed = IMG_SWAP_NONE};
    char line[NB_LINE];
    (void)state;
    result.image.header.version = (struct img_version){2, 1, 7, 99};
    nb_event_boot(&result, line, sizeof line);
    assert_string_equal(line, "boot 2.1.7 confirmed");
    result.performed = IMG_SWAP_TEST;
    result.trial = true;
    result.resumed = true;
    nb_event_boot(&result, line, sizeof line);
    assert_string_equal(line, "boot 2.1.7 trial test resumed");
}

/* ---- traces ------------------------------------------------------------------------------ */

static void add(struct nb_trace *trace, bool cloud, const char *text)
{
    assert_int_equal(nb_trace_add(trace, cloud, text), 0);
}

/* Each side from its own cursor on, in the present step only; and looking uses nothing up. */
static void what_never_comes_is_looked_for_behind_the_cursor(void **state)
{
    struct nb_trace trace = {0};
    const struct nb_expect asked = {.kind = NB_EXPECT_CLOUD, .text = "available"};
    (void)state;
    add(&trace, true, "available 1.0.0 a");
    nb_trace_step(&trace);
    assert_null(nb_trace_find(&trace, &asked));
    assert_int_equal(nb_trace_topics(&trace), 0);
    add(&trace, false, "boot 2.0.0 trial test");
    add(&trace, true, "available 1.0.0 b");
    add(&trace, true, "available 2.0.0 c");
    add(&trace, true, "available 2.0.0 b");
    add(&trace, true, "offered 2.0.0 d");
    assert_int_equal(nb_trace_topics(&trace), 2);
    assert_string_equal(nb_trace_find(&trace, &boot_v2), "boot 2.0.0 trial test");
    assert_string_equal(nb_trace_find(&trace, &asked), "available 1.0.0 b");
    assert_true(nb_trace_meets(&trace, &asked));
    assert_string_equal(nb_trace_find(&trace, &asked), "available 2.0.0 c");
    assert_string_equal(nb_trace_find(&trace, &boot_v2), "boot 2.0.0 trial test");
    assert_true(nb_trace_meets(&trace, &boot_v2));
    assert_null(nb_trace_find(&trace, &boot_v2));
    nb_trace_free(&trace);
}

static void expectations_are_met_in_order(void **state)
{
    struct nb_trace trace = {0};
    const struct nb_expect boot_v1 = {
        .kind = NB_EXPECT_BOOT, .versions = {{.major = 1}}, .version_count = 1};
    (void)state;
    add(&trace, false, "boot 1.0.0 confirmed");
    add(&trace, false, "boot 2.0.0 trial test");
    assert_true(nb_trace_meets(&trace, &boot_v2));
    assert_false(nb_trace_meets(&trace, &boot_v1)); /* it came before */
    assert_false(nb_trace_meets(&trace, &boot_v2)); /* it is used up */
    nb_trace_free(&trace);
}

static void events_of_an_earlier_step_meet_nothing(void **state)
{
    struct nb_trace trace = {0};
    (void)state;
    add(&trace, false, "boot 2.0.0 trial test");
    nb_trace_step(&trace);
    assert_false(nb_trace_meets(&trace, &boot_v2));
    assert_false(nb_trace_has(&trace, "boot"));
    add(&trace, false, "boot 2.0.0 confirmed");
    assert_true(nb_trace_has(&trace, "boot"));
    assert_string_equal(nb_trace_latest(&trace, "boot"), "boot 2.0.0 confirmed");
    assert_true(nb_trace_meets(&trace, &boot_v2));
    nb_trace_free(&trace);
}

/* Two processes: the order between their lines is chance. */
static void device_and_cloud_have_their_own_order(void **state)
{
    struct nb_trace trace = {0};
    const struct nb_expect result = {.kind = NB_EXPECT_CLOUD, .text = "result success"};
    const struct nb_expect report = {.kind = NB_EXPECT_REPORT, .word = "success"};
    (void)state;
    add(&trace, true, "result success a/b");
    add(&trace, false, "reported success");
    assert_true(nb_trace_meets(&trace, &report));
    assert_true(nb_trace_meets(&trace, &result));
    nb_trace_free(&trace);
}

static void story_is_the_end_with_progress_folded(void **state)
{
    struct nb_trace trace = {0};
    struct nb_outcome outcome = {0};
    (void)state;
    add(&trace, false, "boot 1.0.0 confirmed");
    for (int i = 0; i < 30; i++) {
        add(&trace, true, "chunk 1 4096 4096");
        add(&trace, false, i == 29 ? "progress 64 64" : "progress 1 64");
        add(&trace, false, "state receive");
    }
    nb_trace_tell(&trace, &outcome);
    assert_int_equal(outcome.story_count, 3);
    assert_string_equal(outcome.story[0], "device  boot 1.0.0 confirmed");
    assert_string_equal(outcome.story[1], "cloud   chunk 1 4096 4096");
    assert_string_equal(outcome.story[2], "device  progress 64 64");
    nb_trace_free(&trace);
}

/* ---- outcomes ---------------------------------------------------------------------------- */

static void worse_verdict_wins_and_the_first_of_its_kind_stays(void **state)
{
    struct nb_outcome outcome = {0};
    (void)state;
    nb_outcome_set(&outcome, NB_VACUOUS, "a fault never fired");
    nb_outcome_set(&outcome, NB_FAIL, "bricked");
    nb_outcome_set(&outcome, NB_FAIL, "bricked again");
    nb_outcome_set(&outcome, NB_VACUOUS, "another fault never fired");
    assert_int_equal(outcome.verdict, NB_FAIL);
    assert_string_equal(outcome.reason, "bricked");
    assert_string_equal(outcome.story[outcome.story_count - 1], ">> bricked");
}

static void story_keeps_its_last_lines(void **state)
{
    struct nb_outcome outcome = {0};
    (void)state;
    for (int i = 0; i < NB_STORY_LINES + 5; i++)
        nb_story_add(&outcome, "line %d", i);
    assert_int_equal(outcome.story_count, NB_STORY_LINES);
    assert_string_equal(outcome.story[0], "line 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_meets_what_it_should),
        cmocka_unit_test(boot_event_reads_as_the_contract_says),
        cmocka_unit_test(what_never_comes_is_looked_for_behind_the_cursor),
        cmocka_unit_test(expectations_are_met_in_order),
        cmocka_unit_test(events_of_an_earlier_step_meet_nothing),
        cmocka_unit_test(device_and_cloud_have_their_own_order),
        cmocka_unit_test(story_is_the_end_with_progress_folded),
        cmocka_unit_test(worse_verdict_wins_and_the_first_of_its_kind_stays),
        cmocka_unit_test(story_keeps_its_last_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

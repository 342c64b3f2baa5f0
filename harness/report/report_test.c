#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/report/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct written {
    struct nb_report report;
    char *text;
    size_t size;
    FILE *out;
};

static void begin(struct written *w, const char *junit)
{
    w->out = open_memstream(&w->text, &w->size);
    assert_non_null(w->out);
    assert_int_equal(nb_report_open(&w->report, w->out, false, junit), 0);
}

static int end(struct written *w)
{
    assert_int_equal(nb_report_close(&w->report), 0);
    fclose(w->out);
    return nb_report_exit_code(&w->report);
}

static struct nb_outcome outcome_of(enum nb_verdict verdict, const char *reason)
{
    struct nb_outcome outcome = {0};
    if (verdict != NB_PASS)
        nb_outcome_set(&outcome, verdict, "%s", reason);
    return outcome;
}

static void one(struct nb_report *report, const char *path, enum nb_verdict verdict,
                const char *reason)
{
    struct nb_outcome outcome = outcome_of(verdict, reason);
    nb_report_begin(report, path, "a title", 1, 0);
    nb_report_cell(report, "", "id:posix", &outcome);
    nb_report_end(report);
}

static void tap_of_single_scenarios(void **state)
{
    struct written w;
    struct nb_outcome outcome = {0};
    (void)state;
    begin(&w, NULL);
    nb_report_plan(&w.report, 3);
    nb_note_add(&outcome, "12 points");
    nb_report_begin(&w.report, "a.ota", "title with # and \\", 1, 0);
    nb_report_cell(&w.report, "", "a.ota:posix", &outcome);
    nb_report_end(&w.report);
    one(&w.report, "b.ota", NB_SKIP, "no mosquitto");
    nb_story_add(&outcome, "boot none");
    nb_outcome_set(&outcome, NB_FAIL, "bricked\nhere");
    nb_report_begin(&w.report, "c.ota", "t", 1, 0);
    nb_report_cell(&w.report, "", "c.ota:posix", &outcome);
    nb_report_end(&w.report);
    assert_int_equal(end(&w), 1);
    assert_string_equal(w.text, "TAP version 14\n1..3\n"
                                "ok 1 - a.ota title with \\# and \\\\\n"
                                "# 12 points\n"
                                "ok 2 - b.ota a title # SKIP no mosquitto\n"
                                "not ok 3 - c.ota t\n"
                                "# 12 points\n"
                                "# fail: bricked here\n"
                                "#   boot none\n"
                                "#   >> bricked here\n"
                                "# replay: c.ota:posix\n"
                                "# nobrick replay c.ota:posix\n");
    free(w.text);
}

static void tap_of_a_matrix(void **state)
{
    struct written w;
    struct nb_outcome good = {0};
    struct nb_outcome vacuous = outcome_of(NB_VACUOUS, "a fault never fired");
    (void)state;
    begin(&w, NULL);
    nb_report_plan(&w.report, 1);
    nb_report_begin(&w.report, "m.ota", "a matrix", 2, 3);
    nb_report_cell(&w.report, "part=a", "m:posix:part=a", &good);
    nb_report_cell(&w.report, "part=b", "m:posix:part=b", &vacuous);
    nb_report_end(&w.report);
    assert_int_equal(end(&w), 3);
    assert_string_equal(w.text, "TAP version 14\n1..1\n"
                                "# Subtest: m.ota\n"
                                "    1..2\n"
                                "    # 3 combinations do not fit and are left out\n"
                                "    ok 1 - part=a\n"
                                "    not ok 2 - part=b\n"
                                "    # vacuous: a fault never fired\n"
                                "    #   >> a fault never fired\n"
                                "    # replay: m:posix:part=b\n"
                                "    # nobrick replay m:posix:part=b\n"
                                "not ok 1 - m.ota a matrix\n");
    free(w.text);
}

static void combinations_left_out_are_told_on_a_terminal_too(void **state)
{
    struct written w;
    struct nb_outcome good = {0};
    (void)state;
    w.out = open_memstream(&w.text, &w.size);
    assert_non_null(w.out);
    assert_int_equal(nb_report_open(&w.report, w.out, true, NULL), 0);
    nb_report_plan(&w.report, 1);
    nb_report_begin(&w.report, "m.ota", "a matrix", 2, 3);
    nb_report_cell(&w.report, "part=a", "m:posix:part=a", &good);
    nb_report_cell(&w.report, "part=b", "m:posix:part=b", &good);
    nb_report_end(&w.report);
    assert_int_equal(end(&w), 0);
    assert_string_equal(
        w.text,
        "pass    m.ota  a matrix (2 cells), 3 combinations left out: they do not fit, 0.0 s\n"
        "1 passed, 0 failed, 0 skipped\n");
    free(w.text);
}

static void tap_bails_out_when_stopped(void **state)
{
    struct written w;
    (void)state;
    begin(&w, NULL);
    nb_report_plan(&w.report, 2);
    one(&w.report, "a.ota", NB_PASS, "");
    nb_report_bail(&w.report, "stopped");
    assert_int_equal(end(&w), 0);
    assert_string_equal(w.text, "TAP version 14\n1..2\nok 1 - a.ota a title\nBail out! stopped\n");
    free(w.text);
}

static void colour_is_only_for_terminals_that_want_it(void **state)
{
    static const struct {
        const char *term;
        const char *no_colour;
        bool wants;
    } rows[] = {{"xterm", NULL, true}, {"xterm", "", true}, {"xterm", "1", false},
                {"dumb", NULL, false}, {"", NULL, false},   {NULL, NULL, false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].term)
            setenv("TERM", rows[i].term, 1);
        else
            unsetenv("TERM");
        if (rows[i].no_colour)
            setenv("NO_COLOR", rows[i].no_colour, 1);
        else
            unsetenv("NO_COLOR");
        assert_int_equal(nb_report_wants_colour(), rows[i].wants);
    }
}

/* A script that cannot be run has no replay id. */
static void junit_of_a_bad_script_has_no_replay_line(void **state)
{
    char path[] = "/tmp/nobrick-junit-XXXXXX";
    char text[4096];
    struct written w;
    struct nb_outcome outcome = outcome_of(NB_ERROR, "3:1: bad");
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    begin(&w, path);
    nb_report_begin(&w.report, "bad.ota", "", 1, 0);
    nb_report_cell(&w.report, "", "", &outcome);
    nb_report_end(&w.report);
    assert_int_equal(end(&w), 2);
    ssize_t size = read(fd, text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_non_null(strstr(text, "3:1: bad"));
    assert_null(strstr(text, "replay"));
    close(fd);
    unlink(path);
    free(w.text);
}

static void exit_code_is_the_worst(void **state)
{
    static const struct {
        enum nb_verdict verdicts[3];
        int code;
    } rows[] = {
        {{NB_PASS, NB_PASS, NB_PASS}, 0},    {{NB_PASS, NB_SKIP, NB_PASS}, 0},
        {{NB_SKIP, NB_SKIP, NB_SKIP}, 77},   {{NB_PASS, NB_VACUOUS, NB_SKIP}, 3},
        {{NB_FAIL, NB_VACUOUS, NB_PASS}, 1}, {{NB_FAIL, NB_ERROR, NB_PASS}, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct written w;
        begin(&w, NULL);
        for (size_t k = 0; k < 3; k++)
            one(&w.report, "x.ota", rows[i].verdicts[k], "why");
        assert_int_equal(end(&w), rows[i].code);
        free(w.text);
    }
}

static void junit_is_well_formed(void **state)
{
    char path[] = "/tmp/nobrick-junit-XXXXXX";
    char text[4096];
    struct written w;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    begin(&w, path);
    one(&w.report, "a.ota", NB_PASS, "");
    one(&w.report, "b.ota", NB_SKIP, "no <mosquitto> & \"co\"");
    one(&w.report, "c.ota", NB_FAIL, "bytes \x01 \xff \xc3\xa9 end");
    one(&w.report, "d.ota", NB_ERROR, "bad");
    assert_int_equal(end(&w), 2);
    ssize_t size = read(fd, text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_string_equal(
        text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
              "  <testsuite name=\"nobrick\" tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\" "
              "time=\"0.000\">\n"
              "    <testcase classname=\"a.ota\" name=\"a title\" time=\"0.000\"/>\n"
              "    <testcase classname=\"b.ota\" name=\"a title\" time=\"0.000\">\n"
              "      <skipped message=\"no &lt;mosquitto&gt; &amp; &quot;co&quot;\"/>\n"
              "    </testcase>\n"
              "    <testcase classname=\"c.ota\" name=\"a title\" time=\"0.000\">\n"
              "      <failure message=\"bytes ? ? \xc3\xa9 end\" type=\"fail\">"
              "&gt;&gt; bytes ? ? \xc3\xa9 end\n"
              "replay: id:posix\nnobrick replay id:posix\n</failure>\n"
              "    </testcase>\n"
              "    <testcase classname=\"d.ota\" name=\"a title\" time=\"0.000\">\n"
              "      <error message=\"bad\" type=\"error\">&gt;&gt; bad\n"
              "replay: id:posix\nnobrick replay id:posix\n</error>\n"
              "    </testcase>\n"
              "  </testsuite>\n</testsuites>\n");
    close(fd);
    unlink(path);
    free(w.text);
}

static void junit_that_cannot_be_written_is_said(void **state)
{
    struct nb_report report;
    (void)state;
    assert_int_equal(nb_report_open(&report, stdout, false, "/nonexistent/x.xml"), OTA_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tap_of_single_scenarios),
        cmocka_unit_test(tap_of_a_matrix),
        cmocka_unit_test(combinations_left_out_are_told_on_a_terminal_too),
        cmocka_unit_test(tap_bails_out_when_stopped),
        cmocka_unit_test(colour_is_only_for_terminals_that_want_it),
        cmocka_unit_test(junit_of_a_bad_script_has_no_replay_line),
        cmocka_unit_test(exit_code_is_the_worst),
        cmocka_unit_test(junit_is_well_formed),
        cmocka_unit_test(junit_that_cannot_be_written_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

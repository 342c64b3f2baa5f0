/* Tales with and without faults: what may differ, and what must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/prove/tale.h"

#include <stdio.h>
#include <string.h>

#define LINES 10

static const char *const usual[LINES] = {"job 2.0.0",
                                         "progress 4096 8192",
                                         "progress 8192 8192",
                                         "pending 2.0.0",
                                         "boot 2.0.0 trial test",
                                         "confirmed 2.0.0",
                                         "reported success",
                                         "bytes 9000"};

static void fill(struct nb_trace *trace, const char *const lines[LINES])
{
    *trace = (struct nb_trace){0};
    nb_trace_step(trace);
    for (size_t i = 0; i < LINES && lines[i]; i++)
        assert_int_equal(nb_trace_add(trace, false, lines[i]), 0);
}

static void only_what_is_to_be_borne_is_compared(void **state)
{
    static const struct {
        const char *faults;
        const char *lines[LINES];
        const char *reason; /* NULL: all is well */
    } rows[] = {
        {"@net reset",
         {"job 2.0.0", "progress 4096 8192", "state pause", "progress 8192 8192", "pending 2.0.0",
          "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "bytes 9500"},
         NULL},
        {"@net reset", {"job 2.0.0", "reject bad-hash"}, "shows: `reject bad-hash; `"},
        {"@net reset 2", {"job 2.0.0", "reject bad-hash"}, NULL},
        {"@net reset\n@chunk:1 drop", {"job 2.0.0", "reject bad-hash"}, NULL},
        {"@job silent", {"idle timeout"}, NULL},
        {"@http status 204 job", {"reject bad-json"}, NULL},
        {"@http status 503 job", {"reject bad-json"}, "shows: `reject bad-json; `"},
        {"@http status 404 job", {"reject bad-json"}, "shows: `reject bad-json; `"},
        {"@flash:3 cut", {"cut 3 before"}, NULL},
        {"@net slice 100", {"idle timeout"}, "shows: `idle timeout; `"},
        {"@net slice 100",
         {"job 2.0.0", "state pause", "progress 8192 8192", "pending 2.0.0",
          "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "bytes 9000"},
         "costs the device a try"},
        {"@net reset",
         {"job 2.0.0", "progress 4096 8192", "progress 0 0", "progress 8192 8192", "pending 2.0.0",
          "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "bytes 9000"},
         "costs what was fetched: progress 0 0"},
        {"@http status 412 data",
         {"job 2.0.0", "progress 4096 8192", "progress 0 0", "progress 8192 8192", "pending 2.0.0",
          "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "bytes 9000"},
         NULL},
        {"@http status 404 data",
         {"job 2.0.0", "progress 4096 8192", "progress 0 0", "progress 8192 8192", "pending 2.0.0",
          "boot 2.0.0 trial test", "confirmed 2.0.0", "reported success", "bytes 9000"},
         "costs what was fetched: progress 0 0"},
        {"@net reset", /* the image, after a patch that was bad */
         {"job 2.0.0", "progress 6000 6000", "patch bad-patch", "progress 4096 8192",
          "progress 8192 8192", "pending 2.0.0", "boot 2.0.0 trial test", "confirmed 2.0.0",
          "reported success"},
         NULL},
        {"@chunk:1 repeat",
         {"job 2.0.0", "progress 8192 8192", "pending 2.0.0", "boot 2.0.0 trial test",
          "confirmed 2.0.0", "reported success", "bytes 99000"},
         "cost 99000 bytes"},
        {"@chunk:1 patch 7:58", {"reject bad-chunk"}, "shows: `reject bad-chunk; `"},
        {"@chunk:0 patch 18:0100", {"reject bad-chunk"}, NULL}, /* the first is believed */
        {"@chunk:0 patch 18:00000000", {"reject bad-size"}, "shows: `reject bad-size; `"},
        {"@chunk:1 patch 40:58", {"reject bad-hash"}, NULL}, /* the image's own bytes */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        struct nb_script script;
        struct flash_text_error error;
        struct nb_outcome outcome = {0};
        struct nb_trace trace;
        struct nb_tale told;
        snprintf(text, sizeof text, "title x\ncloud offer v2\n%s\ndevice check\nexpect boot v2\n",
                 rows[i].faults);
        assert_int_equal(nb_script_parse(text, strlen(text), "x", &script, &error), 0);
        fill(&trace, usual);
        assert_int_equal(nb_tale_take(&trace, &told), 0);
        nb_trace_free(&trace);
        fill(&trace, rows[i].lines);
        assert_int_equal(nb_tale_judge(&script, &trace, &told, &outcome), 0);
        if (rows[i].reason ? !strstr(outcome.reason, rows[i].reason) : outcome.reason[0] != '\0')
            print_error("%s: %s\n", rows[i].faults, outcome.reason);
        assert_int_equal(outcome.verdict, rows[i].reason ? NB_FAIL : NB_PASS);
        assert_true(!rows[i].reason || strstr(outcome.reason, rows[i].reason));
        nb_tale_free(&told);
        nb_trace_free(&trace);
        nb_script_free(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_is_to_be_borne_is_compared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

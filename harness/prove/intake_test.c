/* Jobs that are none, and traces in which a device took in what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/prove/intake.h"

#include <stdio.h>
#include <string.h>

#define BOARD "B"
#define GOOD                                                                                       \
    "{\"Message\":\"Update "                                                                       \
    "Available\",\"Board\":\"B\",\"Version\":\"2.0.0\",\"Connection\":\"MQTT\"}"

static void flaws_of_jobs_are_seen(void **state)
{
    static const struct {
        const char *text;
        const char *flaw;
    } rows[] = {
        {GOOD, NULL},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"255.0.65535\","
         "\"Connection\":\"https\",\"Port\":\"443\",\"File\":\"/a\"}",
         NULL},
        {"{\"Message\":", "it is no JSON object"},
        {"[]", "it is no JSON object"},
        {"{\"Message\":\"No Update Available\",\"Board\":\"B\",\"Version\":\"2.0.0\"}",
         "it says nothing of an update"},
        {"{\"Message\":\"Update Available\",\"Board\":\"C\",\"Version\":\"2.0.0\"}",
         "it is for another board"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2\"}",
         "its version is none"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2.0.65536\"}",
         "its version is none"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2.0.0\","
         "\"Connection\":\"FTP\"}",
         "it names no connection"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2.0.0\","
         "\"Connection\":\"HTTP\",\"Port\":\"70000\",\"File\":\"/a\"}",
         "its port is none"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2.0.0\","
         "\"Connection\":\"HTTP\",\"Port\":70000,\"File\":\"/a\"}",
         "its port is none"},
        {"{\"Message\":\"Update Available\",\"Board\":\"B\",\"Version\":\"2.0.0\","
         "\"Connection\":\"HTTP\"}",
         "it names no file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *flaw = nb_job_flaw(rows[i].text, BOARD);
        assert_string_equal(flaw ? flaw : "(none)", rows[i].flaw ? rows[i].flaw : "(none)");
    }
}

static void traces_are_judged(void **state)
{
    static const struct {
        const char *fault;
        const char *lines[8]; /* "+": of the cloud */
        bool good;
    } rows[] = {
        {"@job raw []", {"+fault raw-job 0", "reject bad-json"}, true},
        {"@job raw []", {"+fault raw-job 0", "job 2.0.0"}, false},
        {"@job raw " GOOD, {"+fault raw-job 0", "job 2.0.0"}, true},
        {"@job raw []", {"+fault raw-job 0", "+available 1.0.0 t", "job 2.0.0"}, true},
        {"@chunk:1 patch 7:58",
         {"+fault patch-chunk 1", "+header patched 1", "+chunk 1 4096 4096", "pending 2.0.0"},
         false},
        {"@chunk:1 patch 7:58",
         {"+fault patch-chunk 1", "+header patched 1", "+chunk 1 4096 4096", "+chunk 1 4096 4096",
          "pending 2.0.0"},
         true},
        {"@chunk:1 patch 7:58",
         {"+fault patch-chunk 1", "+header patched 1", "+chunk 1 4096 4096", "reject timeout"},
         true},
        {"@chunk:1 patch 7:65",
         {"+fault patch-chunk 1", "+chunk 1 4096 4096", "pending 2.0.0"},
         true},
        {"cloud offer v3 lie=no-url", {"reject bad-job"}, true},
        {"cloud offer v3 lie=no-url", {"job 3.0.0"}, false},
        {"cloud offer v3 lie=bad-json", {"job 3.0.0"}, false},
        {"cloud offer v3 lie=other-case", {"job 3.0.0", "pending 3.0.0"}, true},
        {"cloud offer v3 lie=wrong-digest", {"job 3.0.0", "reject bad-hash"}, true},
        {"cloud offer v3 lie=wrong-digest", {"job 3.0.0", "pending 3.0.0"}, false},
        {"cloud offer v3 lie=patch-no-url patch=v2", {"job 3.0.0", "pending 3.0.0"}, true},
        {"cloud offer v3 lie=no-url\ncloud offer v4", {"job 4.0.0"}, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        struct nb_script script;
        struct flash_text_error error;
        struct nb_outcome outcome = {0};
        struct nb_trace trace = {0};
        snprintf(text, sizeof text, "title x\ncloud offer v2\n%s\ndevice check\nexpect boot v2\n",
                 rows[i].fault);
        assert_int_equal(nb_script_parse(text, strlen(text), "x", &script, &error), 0);
        nb_trace_step(&trace);
        for (size_t k = 0; k < 8 && rows[i].lines[k]; k++) {
            bool cloud = rows[i].lines[k][0] == '+';
            assert_int_equal(nb_trace_add(&trace, cloud, rows[i].lines[k] + cloud), 0);
        }
        nb_intake_judge(&script, &trace, BOARD, &outcome);
        assert_int_equal(outcome.verdict == NB_PASS, rows[i].good);
        nb_trace_free(&trace);
        nb_script_free(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flaws_of_jobs_are_seen),
        cmocka_unit_test(traces_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/report/coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FINDINGS 8

/* A catalogue, two scripts and a directory of sources. */
struct rig {
    struct nb_coverage coverage;
    struct nb_covering scripts[2];
    char sources[64];
    char findings[FINDINGS][256];
    size_t count;
};

static void note(void *context, const char *text)
{
    struct rig *rig = context;
    assert_true(rig->count < FINDINGS);
    snprintf(rig->findings[rig->count++], sizeof rig->findings[0], "%s", text);
}

static void source(const struct rig *rig, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->sources, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    char path[128];
    assert_non_null(rig);
    snprintf(rig->sources, sizeof rig->sources, "/tmp/nobrick-coverage-XXXXXX");
    assert_non_null(mkdtemp(rig->sources));
    source(rig, "x_test.c", "static void good(void **state)\n{\n}\n");
    source(rig, "x_fuzz.c", "int x;\n");
    source(rig, "lonely_fuzz.c", "int x;\n");
    snprintf(path, sizeof path, "%s/x_fuzz.corpus", rig->sources);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(rig->scripts[0].path, sizeof rig->scripts[0].path, "a.ota");
    snprintf(rig->scripts[0].worlds, sizeof rig->scripts[0].worlds, "virtual posix");
    rig->scripts[0].req = (struct nb_list){.items = {"BOOT-01", "BOOT-02"}, .count = 2, .line = 3};
    snprintf(rig->scripts[1].path, sizeof rig->scripts[1].path, "b.ota");
    rig->scripts[1].req = (struct nb_list){.items = {"BOOT-03"}, .count = 1, .line = 2};
    rig->coverage.scripts = rig->scripts;
    rig->coverage.count = 2;
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"x_test.c", "x_fuzz.c", "lonely_fuzz.c", "x_fuzz.corpus"};
    struct rig *rig = *state;
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", rig->sources, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(rig->sources), 0);
    nb_requirements_free(&rig->coverage.requirements);
    free(rig);
    return 0;
}

static size_t check(struct rig *rig, const char *rows)
{
    char text[1024];
    struct flash_text_error error;
    snprintf(text, sizeof text, NB_REQUIREMENTS_HEADING "\n%s", rows);
    nb_requirements_free(&rig->coverage.requirements);
    assert_int_equal(nb_requirements_parse(text, strlen(text), &rig->coverage.requirements, &error),
                     0);
    rig->count = 0;
    size_t findings = nb_coverage_check(&rig->coverage, rig->sources, note, rig);
    assert_int_equal(findings, rig->count);
    return findings;
}

#define NAMED "BOOT-01,M,a,b,,\nBOOT-02,S,a,b,,\n"

static void all_is_shown_or_explained(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(check(rig, NAMED "BOOT-03,M,a,b,Later.,\n"
                                      "BOOT-04,M,a,b,,test:x_test.c:good fuzz:x_fuzz.c\n"),
                     0);
}

static void each_fault_is_named(void **state)
{
    static const struct {
        const char *rows;
        const char *finding;
    } cases[] = {
        {NAMED "BOOT-03,M,a,b,Later.,\nBOOT-04,M,a,b,,\n",
         "requirements.csv:5: BOOT-04: no scenario or evidence shows it, and no reason"},
        /* b.ota names it, and runs in no world */
        {NAMED "BOOT-03,O,a,b,,\n", "requirements.csv:4: BOOT-03: no scenario or evidence"},
        {"BOOT-01,M,a,b,Never.,\nBOOT-02,M,a,b,,\nBOOT-03,M,a,b,Later.,\n",
         "requirements.csv:2: BOOT-01: says why nothing shows it, but a.ota does"},
        {"BOOT-01,M,a,b,,\nBOOT-03,M,a,b,Later.,\n", "a.ota:3: BOOT-02: requirements.csv has no"},
        {NAMED, "b.ota:2: BOOT-03: requirements.csv has no such requirement"},
        {NAMED "BOOT-03,M,a,b,,test:x_test.c:other\n",
         "requirements.csv:4: BOOT-03: test:x_test.c:other: has no such test"},
        {NAMED "BOOT-03,M,a,b,,test:x_test.c:goo\n", "has no such test"},
        {NAMED "BOOT-03,M,a,b,,test:y_test.c:good\n", "No such file"},
        {NAMED "BOOT-03,M,a,b,,test:x_fuzz.c:good\n", "is no file of unit tests"},
        {NAMED "BOOT-03,M,a,b,,fuzz:y_fuzz.c\n", "No such file"},
        {NAMED "BOOT-03,M,a,b,,fuzz:lonely_fuzz.c\n", "has no corpus"},
        {NAMED "BOOT-03,M,a,b,,fuzz:x_test.c\n", "is no fuzz target"},
        {NAMED "BOOT-03,M,a,b,,test:x_test.c\n", "is not understood"},
        {NAMED "BOOT-03,M,a,b,,fuzz:x_fuzz.c:x\n", "is not understood"},
        {NAMED "BOOT-03,M,a,b,,word\n", "is not understood"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(check(rig, cases[i].rows), 1);
        assert_non_null(strstr(rig->findings[0], cases[i].finding));
    }
}

static void scripts_are_found_one_after_another(void **state)
{
    struct rig *rig = *state;
    size_t at = 9;
    snprintf(rig->scripts[1].worlds, sizeof rig->scripts[1].worlds, "bench");
    memcpy(rig->scripts[1].req.items[0], "BOOT-02", 8);
    assert_ptr_equal(nb_coverage_next(&rig->coverage, "BOOT-02", 0, &at), &rig->scripts[0]);
    assert_int_equal(at, 0);
    assert_ptr_equal(nb_coverage_next(&rig->coverage, "BOOT-02", 1, &at), &rig->scripts[1]);
    assert_int_equal(at, 1);
    assert_null(nb_coverage_next(&rig->coverage, "BOOT-02", 2, &at));
    assert_null(nb_coverage_next(&rig->coverage, "BOOT-03", 0, &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_shown_or_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_fault_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_are_found_one_after_another, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

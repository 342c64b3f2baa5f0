#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/tape.h"
#include "sim/posix/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char shown[8192];

/* A script's name says what its child does. */
static void play_dead_or_alive(void *context, const struct nb_teller *teller, const char *path)
{
    struct nb_outcome outcome = {0};
    (void)context;
    if (strcmp(path, "stuck") == 0)
        pause();
    if (strcmp(path, "slow") == 0)
        usleep(200000);
    if (strcmp(path, "talks") == 0)
        fprintf(stderr, "a word on stderr\n");
    if (strcmp(path, "dies-early") == 0)
        raise(SIGKILL);
    nb_tell_begin(teller, path, "title", 2, 0);
    nb_tell_cell(teller, "one", "id", &outcome);
    if (strcmp(path, "dies-late") == 0)
        raise(SIGKILL);
    nb_outcome_set(&outcome, strcmp(path, "fails") == 0 ? NB_FAIL : NB_PASS, "wrong");
    nb_tell_cell(teller, "two", "id", &outcome);
    nb_tell_end(teller);
}

/* Runs these scripts and keeps what the report shows; its exit code. */
static int run(const char *const *paths, size_t count, size_t jobs, const volatile int *stop)
{
    char *items[8];
    struct nb_report report;
    FILE *out = tmpfile();
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        items[i] = strdup(paths[i]);
    assert_int_equal(nb_report_open(&report, out, false, NULL), 0);
    assert_int_equal(nb_tapes_run(&report, items, count, jobs, play_dead_or_alive, NULL, stop), 0);
    assert_int_equal(nb_report_close(&report), 0);
    rewind(out);
    shown[fread(shown, 1, sizeof shown - 1, out)] = '\0';
    fclose(out);
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    return nb_report_exit_code(&report);
}

static void order_is_that_of_the_scripts(void **state)
{
    static const char *const paths[] = {"slow", "a", "b", "slow", "c", "d"};
    char alone[sizeof shown];
    const volatile int stop = 0;
    (void)state;
    assert_int_equal(run(paths, 6, 1, &stop), 0);
    memcpy(alone, shown, sizeof shown);
    assert_non_null(strstr(alone, "ok 6 - d title"));
    assert_int_equal(run(paths, 6, 4, &stop), 0);
    assert_string_equal(shown, alone);
}

static void they_run_side_by_side(void **state)
{
    static const char *const paths[] = {"slow", "slow", "slow", "slow"};
    const volatile int stop = 0;
    (void)state;
    uint64_t from = posix_now_ms();
    assert_int_equal(run(paths, 4, 4, &stop), 0);
    assert_true(posix_now_ms() - from < 600);
}

static void failure_is_told(void **state)
{
    static const char *const paths[] = {"a", "fails", "b"};
    const volatile int stop = 0;
    (void)state;
    assert_int_equal(run(paths, 3, 2, &stop), 1);
    assert_non_null(strstr(shown, "not ok 2 - fails title"));
    assert_non_null(strstr(shown, "ok 3 - b title"));
}

static void death_of_a_child_is_an_error(void **state)
{
    static const char *const paths[] = {"dies-early", "dies-late", "a"};
    const volatile int stop = 0;
    (void)state;
    assert_int_equal(run(paths, 3, 2, &stop), 2);
    assert_non_null(strstr(shown, "not ok 1 - dies-early"));
    assert_non_null(strstr(shown, "its process died of signal 9"));
    assert_non_null(strstr(shown, "not ok 2 - dies-late"));
    assert_non_null(strstr(shown, "ok 3 - a title"));
}

static volatile int asked_to_stop;

static void on_alarm(int number)
{
    asked_to_stop = number;
}

static void stop_ends_the_children(void **state)
{
    static const char *const paths[] = {"stuck", "stuck", "stuck"};
    struct sigaction action = {.sa_handler = on_alarm};
    (void)state;
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    run(paths, 3, 2, &asked_to_stop);
    assert_int_equal(asked_to_stop, SIGALRM);
    assert_null(strstr(shown, "ok "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_the_scripts),
        cmocka_unit_test(they_run_side_by_side),
        cmocka_unit_test(failure_is_told),
        cmocka_unit_test(death_of_a_child_is_an_error),
        cmocka_unit_test(stop_ends_the_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

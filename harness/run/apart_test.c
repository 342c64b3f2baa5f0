/* What a play does to its process is its outcome. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/apart.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static int left_behind;

/* In a child: whatever the context says. */
static int play(void *context, struct nb_outcome *outcome)
{
    const char *how = context;
    signal(SIGSEGV, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    left_behind++;
    nb_apart_note("1.half");
    nb_apart_note("37.half");
    if (strcmp(how, "dies") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "hangs") == 0)
        raise(SIGALRM); /* as the alarm does when it is time */
    if (strcmp(how, "exits") == 0)
        _exit(7);
    nb_outcome_set(outcome, NB_VACUOUS, "it was played %d times", left_behind);
    return strcmp(how, "fails") == 0 ? OTA_E_IO : 0;
}

static void outcomes_come_back(void **state)
{
    static const struct {
        const char *how;
        int rc;
        enum nb_verdict verdict;
        const char *reason;
        const char *cuts;
    } rows[] = {
        {"plays", 0, NB_VACUOUS, "it was played 1 times", ""},
        {"fails", OTA_E_IO, NB_VACUOUS, "it was played 1 times", ""},
        {"dies", 0, NB_FAIL, "the program itself dies: signal 11", "37.half"},
        {"hangs", 0, NB_FAIL, "the program itself goes on for ever", "37.half"},
        {"exits", 0, NB_FAIL, "the program itself ends with 7", "37.half"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nb_outcome outcome = {0};
        char how[8];
        strcpy(how, rows[i].how);
        assert_int_equal(nb_apart(play, how, &outcome), rows[i].rc);
        assert_int_equal(outcome.verdict, rows[i].verdict);
        assert_int_equal(strncmp(outcome.reason, rows[i].reason, strlen(rows[i].reason)), 0);
        assert_string_equal(outcome.cuts, rows[i].cuts);
        assert_int_equal(left_behind, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(outcomes_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

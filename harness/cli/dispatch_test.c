/* Standard output that cannot be written, for everything that prints to it. */
#include "harness/cli/verbs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs the program with its output going to `path`, and what it says on stderr into `said`. */
static int run_into(const char *path, char **argv, char *said, size_t size)
{
    char name[] = "/tmp/nobrick-dispatch-XXXXXX";
    int argc = 0;
    int status;
    int errors = mkstemp(name);
    assert_true(errors >= 0);
    unlink(name);
    while (argv[argc] != NULL)
        argc++;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int out = open(path, O_WRONLY);
        if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0)
            _exit(126);
        exit(nb_main(argc, argv));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    ssize_t length = pread(errors, said, size - 1, 0);
    assert_true(length >= 0);
    said[length] = '\0';
    close(errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect_both(const char *first, const char *second)
{
    char said[1024];
    char program[] = "nobrick";
    char words[2][32];
    char *argv[] = {program, words[0], second != NULL ? words[1] : NULL, NULL};
    snprintf(words[0], sizeof words[0], "%s", first);
    snprintf(words[1], sizeof words[1], "%s", second != NULL ? second : "");
    int code = run_into("/dev/null", argv, said, sizeof said);
    if (code != 0)
        fail_msg("%s %s: ends with %d: %s", first, words[1], code, said);
    code = run_into("/dev/full", argv, said, sizeof said);
    const char *end = strchr(said, '\n');
    if (code != 2 || strstr(said, "standard output cannot be written") == NULL || end == NULL ||
        end[1] != '\0')
        fail_msg("%s %s >/dev/full: ends with %d and says: %s", first, words[1], code, said);
}

static void help_of_every_verb(void **state)
{
    (void)state;
    expect_both("--help", NULL);
    expect_both("--version", NULL);
    for (const struct nb_verb *verb = nb_verbs; verb->name != NULL; verb++)
        expect_both(verb->name, "--help");
}

static void every_list(void **state)
{
    static const char *const lists[] = {"systems", "devices",   "parts", "schemes",
                                        "states",  "scenarios", "verbs", "faults"};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        expect_both("list", lists[i]);
}

/* Results, too: a scenario that passes, and nobody will read that it did. */
static void a_run(void **state)
{
    (void)state;
    expect_both("run", "boot/confirm.ota");
}

int main(void)
{
    setenv("NOBRICK_DATA", "scenarios", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_of_every_verb),
        cmocka_unit_test(every_list),
        cmocka_unit_test(a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

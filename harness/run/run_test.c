/* The verb `run` from end to end: exit codes, and that nothing stays behind. This program is its
 * own device: the posix engine starts /proc/self/exe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/cli/verbs.h"
#include "harness/run/broker.h"
#include "harness/run/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/nobrick-run-test-XXXXXX";
static char output[16384]; /* of the last run, both streams */

static void path_in(const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", dir, name);
}

/* Sends both streams into a file while `run` runs. */
static int run_captured(int (*verb)(int, char **), int argc, char **argv)
{
    char path[200];
    path_in("output", path, sizeof path);
    fflush(NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    assert_true(fd >= 0 && out >= 0 && err >= 0);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    int code = verb(argc, argv);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    ssize_t size = pread(fd, output, sizeof output - 1, 0);
    output[size > 0 ? size : 0] = '\0';
    close(out);
    close(err);
    close(fd);
    return code;
}

static int run_script(const char *text)
{
    char path[200];
    char verb[] = "run";
    char *argv[] = {verb, path, NULL};
    path_in("test.ota", path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return run_captured(nb_cmd_run, 2, argv);
}

static size_t kits_left(void)
{
    size_t count = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strncmp(entry->d_name, "nobrick-", 8) == 0;
    closedir(entries);
    return count;
}

static void need_mosquitto(void)
{
    struct nb_broker broker;
    char reason[200];
    if (nb_broker_start(&broker, dir, NULL, reason, sizeof reason) == 0)
        nb_broker_stop(&broker);
    else
        skip();
}

static const struct {
    const char *text;
    int code;
    const char *says;
    bool cloud;
} rows[] = {
    {"title T\nflash slot1 v2 pending\ndevice boot\nexpect boot v2 trial\n", 0, "\nok 1 - ", false},
    {"title T\nflash slot1 v2 pending\ndevice boot\nexpect boot v1\n", 1,
     "# fail: line 4: nothing met `expect boot v1`", false},
    {"title T\ndevice bot\n", 2, "test.ota:3:1: the script checks nothing", false},
    {"title T\ndevice boot\nexpect bot v1\n", 2, "test.ota:3:8: 'bot' is not understood here",
     false},
    {"title T\npart nosuch\ndevice boot\nexpect boot v1\n", 2, "part nosuch", false},
    {"title T\nflash slot1 v2 pending\n@flash:60000 cut\ndevice boot\nexpect boot v2\n", 3,
     "# vacuous: ", false},
    {"title T\nworld cortexm\ndevice boot\nexpect boot v1\n", 77,
     "# SKIP the cortexm world is not built yet", false},
    {"title T\ncloud offer none\ndevice check\nexpect idle no-update\n", 0, "\nok 1 - ", true},
    {"title T\ncloud offer none\ndevice check\nexpect job 2.0.0\n", 1,
     "# fail: line 4: nothing met `expect job 2.0.0`", true},
    {"title T\ncloud offer none\n@chunk:3 drop\ndevice check\nexpect idle no-update\n", 3,
     "# vacuous: line 4: a fault of the cloud armed for it never fired", true},
    {"title T\ncloud offer none\n@flash:9 cut\ndevice check\nexpect idle no-update\n", 3,
     "# vacuous: line 4: the power cut armed for it never fired", true},
    {"title T\ncloud offer v2\n@flash:* cut\ndevice check\nexpect boot v1\n", 2,
     "sweeps need a script without a cloud", true},
};

static void exit_code_and_words_are_right(bool cloud)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].cloud != cloud)
            continue;
        int code = run_script(rows[i].text);
        if (code != rows[i].code || !strstr(output, rows[i].says))
            print_error("%s--- exit %d\n%s", rows[i].text, code, output);
        assert_int_equal(code, rows[i].code);
        assert_non_null(strstr(output, rows[i].says));
        assert_int_equal(kits_left(), 0);
    }
}

static void bench_runs_end_as_they_should(void **state)
{
    (void)state;
    exit_code_and_words_are_right(false);
}

static void posix_runs_end_as_they_should(void **state)
{
    (void)state;
    need_mosquitto();
    exit_code_and_words_are_right(true);
}

static void missing_mosquitto_is_a_visible_skip(void **state)
{
    (void)state;
    setenv("NOBRICK_MOSQUITTO", "/nonexistent", 1);
    int code = run_script("title T\ncloud offer none\ndevice check\nexpect idle no-update\n");
    unsetenv("NOBRICK_MOSQUITTO");
    assert_int_equal(code, 77);
    assert_non_null(strstr(output, "# SKIP no mosquitto: apt-get install mosquitto"));
}

/* What a failure prints repeats it. */
static void replay_repeats_a_failure(void **state)
{
    char id[400] = "";
    char verb[] = "replay";
    char *argv[] = {verb, id, NULL};
    (void)state;
    int code = run_script("title T\npart nrf52840\nflash slot1 v2 pending\n@flash:* cut\n"
                          "device boot\nexpect boot v2\nuntil stable boot v2\n");
    assert_int_equal(code, 1);
    const char *at = strstr(output, "# nobrick replay ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "# nobrick replay %399s", id), 1);
    assert_int_equal(run_captured(nb_cmd_replay, 2, argv), 1);
    assert_non_null(strstr(output, id));
}

static void usage_errors_are_one_line(void **state)
{
    char verb[] = "run";
    char bad[] = "--nonsense";
    char missing[] = "no-such-scenario.ota";
    char *bad_option[] = {verb, bad, NULL};
    char *no_file[] = {verb, missing, NULL};
    (void)state;
    assert_int_equal(run_captured(nb_cmd_run, 1, bad_option), 2);
    assert_int_equal(run_captured(nb_cmd_run, 2, bad_option), 2);
    assert_string_equal(output, "nobrick run: unknown option: --nonsense (nobrick run --help)\n");
    assert_int_equal(run_captured(nb_cmd_run, 2, no_file), 2);
    assert_string_equal(output, "nobrick run: no-such-scenario.ota: no such scenario\n");
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) && setenv("TMPDIR", dir, 1) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"output", "test.ota", "mosquitto.conf", "mosquitto.log"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200];
        path_in(names[i], path, sizeof path);
        unlink(path);
    }
    return rmdir(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_runs_end_as_they_should),
        cmocka_unit_test(posix_runs_end_as_they_should),
        cmocka_unit_test(missing_mosquitto_is_a_visible_skip),
        cmocka_unit_test(replay_repeats_a_failure),
        cmocka_unit_test(usage_errors_are_one_line),
    };
    if (argc > 1 && strcmp(argv[1], "device") == 0)
        return nb_cmd_device(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

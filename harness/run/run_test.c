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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MISDEED "NOBRICK_RUN_TEST_MISDEED" /* what the device of this program does wrong */

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

/* In that world; "": in the script's own. */
static int run_script_in(const char *where, const char *text)
{
    char path[200];
    char verb[] = "run";
    char option[] = "--world";
    char world[NB_WORD];
    char *argv[] = {verb, path, option, world, NULL};
    snprintf(world, sizeof world, "%s", where);
    path_in("test.ota", path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return run_captured(nb_cmd_run, *where ? 4 : 2, argv);
}

static int run_script(const char *text)
{
    return run_script_in("", text);
}

static void interrupt_self(int number)
{
    (void)number;
    raise(SIGINT);
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
    if (nb_broker_start(&broker, dir, NULL, NB_BROKER_WAITING, reason, sizeof reason) == 0)
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
    {"title T\npart nrf52840\nflash slot1 v2 pending\n@flash:0 cut half\ndevice boot\n"
     "until stable boot v2\n",
     3, "# vacuous: line 5: the tear `half` does not fit operation 0", false},
    {"title T\nflash slot1 v2 pending permanent\n@flash:* fail\ndevice boot\nexpect boot v2\n"
     "until stable boot v2\n",
     0, " flash errors in ", false},
    {"title T\nflash slot1 v2 pending\ndevice boot\n@flash:* fail\ndevice confirm\n"
     "expect confirmed v2\n",
     1, ":cuts=0.fail\n", false},
    {"title T\n@flash:* fail\ndevice boot\nexpect boot v1\n", 3,
     "the swept step does nothing to the flash", false},
    {"title T\nworld posix\ndevice boot\nexpect boot v1\n", 0, "\nok 1 - ", false},
    {"title T\ncloud offer none\ndevice check\nexpect idle no-update\n", 0, "\nok 1 - ", true},
    {"title T\ncloud offer none\ndevice check\nexpect job 2.0.0\n", 1,
     "# fail: line 4: nothing met `expect job 2.0.0`", true},
    {"title T\ncloud offer none\n@chunk:3 drop\ndevice check\nexpect idle no-update\n", 3,
     "# vacuous: line 4: a fault of the cloud armed for it never fired", true},
    {"title T\ncloud offer none\n@flash:9 cut\ndevice check\nexpect idle no-update\n", 3,
     "# vacuous: line 4: the power cut armed for it never fired", true},
    {"title T\ncloud offer v2\n@flash:0 cut fault\ndevice check\nexpect boot v2\n", 3,
     "# vacuous: line 4: the tear `fault` does not fit operation 0", true},
    {"title T\nflash slot1 v2 pending\nflash slot0 flip 999999999\ndevice boot\nexpect boot v1\n",
     2, "# error: line 3: offset 999999999 lies outside the slot", false},
    {"title T\nflash slot1 v2 pending\n@flash:* cut\ndevice boot\nflash slot0 flip 999999999\n"
     "expect boot v1\n",
     2, "# error: line 5: offset 999999999 lies outside the slot", false},
};

static void exit_code_and_words_are_right(bool cloud, const char *world)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].cloud != cloud)
            continue;
        int code = run_script_in(world, rows[i].text);
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
    exit_code_and_words_are_right(false, "");
}

static void virtual_runs_end_as_they_should(void **state)
{
    (void)state;
    exit_code_and_words_are_right(true, "virtual");
}

/* What is on offer, and what comes of it: a cloud says what it cannot offer, and where it stands.
 */
static void what_no_cloud_can_offer_is_told(void **state)
{
#define HARMONY "title T\nsystem harmony\n"
#define CHECK   "device check\nexpect boot v1\n"
    static const char *const offers[][2] = {
        {"title T\ncloud add v2\n" CHECK,
         "line 2: `cloud add v2`: is about a manifest, and AnyCloud's cloud has none"},
        {"title T\ncloud offer v2 lie=empty\n" CHECK,
         "line 2: `cloud offer v2 lie=empty`: is about a manifest"},
        {"title T\ncloud erase v1\n" CHECK, "line 2: `cloud erase v1`: is about a manifest"},
        {HARMONY "cloud offer v2\n@chunk:1 drop\n" CHECK,
         "line 4: `@chunk:1 drop`: is about messages of a broker"},
        {HARMONY "cloud offer v2\n@http expire 403\n" CHECK,
         "line 4: `@http expire 403`: links to Harmony's files do not expire"},
        {HARMONY "cloud offer v2 tar=good\n" CHECK,
         "line 3: `cloud offer v2 tar=good`: Harmony's manifest has no"},
        {HARMONY "cloud offer v2 connection=mqtt\n" CHECK,
         "line 3: `cloud offer v2 connection=mqtt`: needs a broker"},
        {HARMONY "via mqtt\ncloud offer v2\n" CHECK, "harmony's cloud has no broker"},
        {HARMONY "device anycloud-nrf52840\ncloud offer v2\n" CHECK,
         "line 2: the device is one of anycloud, not of harmony"},
        {HARMONY "cloud offer v2 lie=patch-newer\n" CHECK, "this lie is about a patch"},
        {HARMONY "cloud offer v2 lie=empty\ncloud add v3\n" CHECK,
         "line 4: a lie is told of the last entry"},
        {HARMONY "cloud offer v2 manifest=200\n" CHECK,
         "line 3: the manifest is longer than manifest=200"},
        {HARMONY "cloud offer v2 file=/version-two.bin url=30\n" CHECK,
         "line 3: a URL of 30 characters is too short"},
        {HARMONY "cloud offer v2 key=none lie=bad-signature\n" CHECK,
         "line 3: lie=bad-signature: there is nothing in the manifest to tell it of"},
        {HARMONY "cloud offer v2\ncloud add v3\ncloud add v4\ncloud add v5\ncloud add v6\n" CHECK,
         "line 7: there are four entries already"},
        {HARMONY "cloud offer v2 file=/ota.json\n" CHECK,
         "line 3: /ota.json is another file already"},
        {HARMONY "cloud offer v2 size=9K\ncloud add v2 size=10K\n" CHECK,
         "line 4: /v2.bin is another file already"},
        {"title T\nconformance nginx\nvia http\ndata http\ncloud offer v2\n" CHECK,
         "line 2: nginx serves images only"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        int code = run_script_in("virtual", offers[i][0]);
        if (code != 2 || !strstr(output, offers[i][1]))
            print_error("%s--- exit %d\n%s", offers[i][0], code, output);
        assert_int_equal(code, 2);
        assert_non_null(strstr(output, offers[i][1]));
    }
#undef HARMONY
#undef CHECK
}

static void posix_runs_end_as_they_should(void **state)
{
    (void)state;
    need_mosquitto();
    exit_code_and_words_are_right(true, "posix");
}

/* Every cut of an update: tried in the virtual world, which finds the cuts that are not survived
 * as the script wants it; left out, and said so, on a wall clock. */
static void every_cut_of_an_update_is_tried(void **state)
{
    static const char *const scripts[] = {
        "title T\ncloud offer v2 size=4K\n@flash:* cut\ndevice check\nuntil stable boot v1|v2\n",
        "title T\ncloud offer v2 size=4K\n@flash:* cut\ndevice check\nuntil stable boot v1\n",
        "title T\ncloud offer none\n@flash:* cut\ndevice check\nexpect boot v1\n",
    };
    (void)state;
    assert_int_equal(run_script(scripts[0]), 0);
    assert_non_null(strstr(output, " power cuts in "));
    assert_non_null(strstr(output, " 0 failed\n"));
    assert_int_equal(run_script(scripts[1]), 1);
    assert_non_null(strstr(output, "stable, but not as `until stable boot v1` says"));
    assert_int_equal(run_script(scripts[2]), 3);
    assert_non_null(strstr(output, "the swept step does nothing to the flash"));
    assert_int_equal(run_script_in("posix", scripts[0]), 77);
    assert_non_null(strstr(output, "trying every cut takes too long on a wall clock"));
}

/* One of two devices gets its job, the other one does not: whatever is said of both is wrong. */
static void what_is_expected_is_expected_of_every_device(void **state)
{
    static const char *const wrong[] = {"expect job v2\n",         "expect idle timeout\n",
                                        "expect flash slot0 v2\n", "expect flash slot1 erased\n",
                                        "never job v2\n",          "until stable boot v1\n",
                                        "until stable boot v2\n"};
    char script[200];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(script, sizeof script,
                 "title T\ndevices 2\ncloud offer v2\n@mqtt drop-publish 1\ndevice check\n%s",
                 wrong[i]);
        if (run_script(script) != 1)
            fail_msg("%s%s", script, output);
    }
    assert_int_equal(run_script("title T\ndevices 2\ncloud offer v2\n@mqtt drop-publish 1\n"
                                "device check\nexpect topics 2\nuntil stable boot v1|v2\n"),
                     0);
    assert_int_equal(run_script_in("posix", "title T\ndevices 2\ncloud offer v2\ndevice check\n"
                                            "expect job v2\n"),
                     77);
    assert_non_null(strstr(output, "need the virtual world"));
}

static void missing_mosquitto_is_a_visible_skip(void **state)
{
    (void)state;
    setenv("NOBRICK_MOSQUITTO", "/nonexistent", 1);
    int code =
        run_script_in("posix", "title T\ncloud offer none\ndevice check\nexpect idle no-update\n");
    unsetenv("NOBRICK_MOSQUITTO");
    assert_int_equal(code, 77);
    assert_non_null(strstr(output, "# SKIP no mosquitto: apt-get install mosquitto"));
}

static void missing_nginx_is_a_visible_skip(void **state)
{
    (void)state;
    need_mosquitto();
    setenv("NOBRICK_NGINX", "/nonexistent", 1);
    int code = run_script(
        "title T\nworld posix\ndata http\nconformance nginx\ncloud offer none\ndevice check\n"
        "expect idle no-update\n");
    unsetenv("NOBRICK_NGINX");
    assert_int_equal(code, 77);
    assert_non_null(strstr(output, "# SKIP no nginx: apt-get install nginx-light"));
}

/* A device that lies about its end, dies, or breaks its flash's rules: whatever it did before. */
static void end_and_violations_of_the_device_are_looked_at(void **state)
{
    static const char *const misdeeds[][2] = {
        {"exit-2", "# fail: line 3: the device ends with 2 and says exit 0"},
        {"exit-1", "# fail: line 3: the device ends with 1 and says exit 0"},
        {"signal", "# fail: line 3: the device ends with 134 and says nothing of it"},
        {"violation", "# fail: line 3: the flash forbids what the device does: too many programs"},
    };
    (void)state;
    need_mosquitto();
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        setenv(MISDEED, misdeeds[i][0], 1);
        int code = run_script_in(
            "posix", "title T\ncloud offer none\ndevice check\nexpect idle no-update\n");
        unsetenv(MISDEED);
        if (!strstr(output, misdeeds[i][1]))
            print_error("%s", output);
        assert_non_null(strstr(output, misdeeds[i][1]));
        assert_int_equal(code, 1);
    }
}

/* What a disk without room says: where, and the system's own reason. */
static void unwritable_directory_is_an_error_with_its_reason(void **state)
{
    struct rlimit before;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 16384, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int code = run_script("title T\ndevice boot\nflash slot1 v2 pending\ndevice boot\n"
                          "expect boot v2\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(code, 2);
    assert_non_null(strstr(output, "# error: cannot write "));
    assert_non_null(strstr(output, ".img: File too large"));
}

/* Ctrl-C in the middle of a long sweep: it ends at once, in order, and TAP says so. */
static void signal_ends_a_sweep(void **state)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 400000}};
    struct timespec begin;
    struct timespec end;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    signal(SIGALRM, interrupt_self);
    setitimer(ITIMER_REAL, &soon, NULL);
    int code = run_script("title T\npart psoc6-internal\nscheme overwrite\nslot 896K\n"
                          "flash slot1 v2 size=800K pending permanent\n@flash:* cut\ndevice boot\n"
                          "until stable boot v2\n");
    clock_gettime(CLOCK_MONOTONIC, &end);
    nb_run_stop = 0;
    assert_int_equal(code, 128 + SIGINT);
    assert_true(end.tv_sec - begin.tv_sec < 5);
    assert_non_null(strstr(output, "# error: line 7: stopped"));
    assert_non_null(strstr(output, "\nBail out! "));
    assert_int_equal(kits_left(), 0);
}

/* nohup: what was ignored before stays so. */
static void ignored_signals_stay_ignored(void **state)
{
    struct sigaction now;
    (void)state;
    signal(SIGHUP, SIG_IGN);
    assert_int_equal(run_script("title T\ndevice boot\nexpect boot v1\n"), 0);
    assert_int_equal(sigaction(SIGHUP, NULL, &now), 0);
    signal(SIGHUP, SIG_DFL);
    assert_true(now.sa_handler == SIG_IGN);
}

/* An id must speak of the script that it names. */
static void replay_of_what_the_script_does_not_have_is_refused(void **state)
{
    static const char *const wrong[][3] = {
        {"device boot\nexpect boot v1\n", ":posix:cuts=3.half",
         "the id has cuts, and the script neither a '@flash:*' nor a 'prove' line"},
        {"flash slot1 v2 pending\n@flash:* cut\ndevice boot\nexpect boot v1|v2\n",
         ":posix:cuts=3.half+4.half", "the id has more cuts than the script has '@flash:*' lines"},
        {"flash slot1 v2 pending\n@flash:* fail\ndevice boot\nexpect boot v1|v2\n",
         ":posix:cuts=3.half",
         "the id has a cut where the script has errors, or the other way round"},
        {"flash slot1 v2 pending\n@flash:* cut\ndevice boot\nexpect boot v1|v2\n",
         ":posix:cuts=boot", "the id has runs that only a 'prove' line knows"},
        {"device boot\nexpect boot v1\n", ":moon",
         "no such world: expected virtual, posix or cortexm"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[300];
        char id[300];
        char verb[] = "replay";
        char *argv[] = {verb, id, NULL};
        snprintf(text, sizeof text, "title T\n%s", wrong[i][0]);
        (void)run_script(text);
        snprintf(id, sizeof id, "%s/test.ota%s", dir, wrong[i][1]);
        assert_int_equal(run_captured(nb_cmd_replay, 2, argv), 2);
        assert_non_null(strstr(output, wrong[i][2]));
        assert_string_equal(strchr(output, '\n'), "\n");
    }
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

static void without_a_scratch_directory_it_says_which(void **state)
{
    const char *usual = getenv("TMPDIR");
    char path[200];
    char kept[200];
    char verb[] = "run";
    char *argv[] = {verb, path, NULL};
    (void)state;
    snprintf(kept, sizeof kept, "%s", usual);
    assert_int_equal(run_script("title x\ndevice boot\nexpect boot v1\n"), 0);
    path_in("test.ota", path, sizeof path);
    assert_int_equal(setenv("TMPDIR", "/nonexistent", 1), 0);
    int code = run_captured(nb_cmd_run, 2, argv);
    assert_int_equal(setenv("TMPDIR", kept, 1), 0);
    assert_int_equal(code, 2);
    assert_non_null(
        strstr(output, "# error: cannot make a directory in /nonexistent: No such file"));
    assert_null(strstr(output, "0:0"));
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
    char empty[200];
    char *nothing[] = {verb, empty, NULL};
    path_in("empty", empty, sizeof empty);
    assert_int_equal(mkdir(empty, 0700), 0);
    assert_int_equal(run_captured(nb_cmd_run, 2, nothing), 2);
    rmdir(empty);
    assert_non_null(strstr(output, "/empty: no .ota file lies in this directory\n"));
}

static int be_device(int argc, char **argv)
{
    const char *misdeed = getenv(MISDEED);
    if (misdeed && strcmp(misdeed, "violation") == 0)
        dprintf(3, "violation too many programs\n");
    if (misdeed && strcmp(misdeed, "signal") == 0)
        abort();
    int code = nb_cmd_device(argc, argv);
    if (misdeed && strncmp(misdeed, "exit-", 5) == 0)
        return atoi(misdeed + 5);
    return code;
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
        cmocka_unit_test(virtual_runs_end_as_they_should),
        cmocka_unit_test(posix_runs_end_as_they_should),
        cmocka_unit_test(what_no_cloud_can_offer_is_told),
        cmocka_unit_test(every_cut_of_an_update_is_tried),
        cmocka_unit_test(what_is_expected_is_expected_of_every_device),
        cmocka_unit_test(missing_mosquitto_is_a_visible_skip),
        cmocka_unit_test(missing_nginx_is_a_visible_skip),
        cmocka_unit_test(end_and_violations_of_the_device_are_looked_at),
        cmocka_unit_test(unwritable_directory_is_an_error_with_its_reason),
        cmocka_unit_test(signal_ends_a_sweep),
        cmocka_unit_test(ignored_signals_stay_ignored),
        cmocka_unit_test(replay_of_what_the_script_does_not_have_is_refused),
        cmocka_unit_test(replay_repeats_a_failure),
        cmocka_unit_test(without_a_scratch_directory_it_says_which),
        cmocka_unit_test(usage_errors_are_one_line),
    };
    if (argc > 1 && strcmp(argv[1], "device") == 0)
        return be_device(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

/* The device process as users start it: exit codes, event lines, resets, cuts. Without a broker;
 * what needs one is shown by the scenarios. */
#include "harness/cli/verbs.h"
#include "harness/image/image.h"
#include "sim/device.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT 16384

static char dir[256];
static char flash[300];
static char factory[300];
static char pushed[300];
static char journal[300];
static char events_path[300];
static char errors_path[300];
static char events[TEXT]; /* of the last run */
static char errors[TEXT];

static int make_dir(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/device.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(flash, sizeof flash, "%s/flash", dir);
    snprintf(factory, sizeof factory, "%s/factory.img", dir);
    snprintf(pushed, sizeof pushed, "%s/pushed.img", dir);
    snprintf(journal, sizeof journal, "%s/journal", dir);
    snprintf(events_path, sizeof events_path, "%s/events", dir);
    snprintf(errors_path, sizeof errors_path, "%s/errors", dir);
    return 0;
}

static int remove_dir(void **state)
{
    char path[400];
    (void)state;
    static const char *const names[] = {"flash",   "flash.state", "flash.nv", "factory.img",
                                        "journal", "events",      "errors",   "pushed.img"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir); /* fails when the device left something else */
}

/* ---- running ----------------------------------------------------------------------------- */

static void read_text(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(out, 1, TEXT - 1, file);
    out[n] = '\0';
    fclose(file);
}

/* Starts `device --device anycloud-nrf52840 --flash … ARGUMENTS`: this program again, see main. */
static pid_t start(const char *arguments)
{
    char command[1024];
    char *words[40];
    int count = 0;
    snprintf(command, sizeof command,
             "nobrick device --device anycloud-nrf52840 --flash %s --events 3 %s", flash,
             arguments);
    for (char *word = strtok(command, " "); word != NULL && count < 39; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int out = open(events_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int err = open(errors_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int null = open("/dev/null", O_WRONLY);
    if (dup2(out, 3) < 0 || dup2(err, STDERR_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        _exit(126);
    execv("/proc/self/exe", words);
    _exit(127);
}

static int finish(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    read_text(events_path, events);
    read_text(errors_path, errors);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *arguments)
{
    return finish(start(arguments));
}

/* ---- images ------------------------------------------------------------------------------ */

static void make_image(uint8_t major, enum app_behaviour behaviour, uint8_t **image, size_t *size)
{
    char reason[160] = "";
    const struct nb_image_spec spec = {.payload_size = 6000,
                                       .seed = major,
                                       .with_tag = true,
                                       .behaviour = behaviour,
                                       .version = {major, 0, 0, 0},
                                       .header_size = 32};
    if (nb_image_create(&spec, image, size, reason, sizeof reason) != OTA_OK)
        fail_msg("%s", reason);
}

static void write_image(const char *path, uint8_t major, enum app_behaviour behaviour)
{
    uint8_t *image;
    size_t size;
    make_image(major, behaviour, &image, &size);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image, 1, size, file), size);
    fclose(file);
    free(image);
}

static void put_factory(uint8_t major, enum app_behaviour behaviour)
{
    write_image(factory, major, behaviour);
}

/* Version 2 of that behaviour waits in the secondary slot of the flash file. */
static void put_pending(enum app_behaviour behaviour)
{
    char path[4096];
    char parts[4096];
    struct sim_device device;
    struct flash_text_error error = {0};
    struct flash_sim *sim;
    bool created;
    uint8_t *image;
    uint8_t *slot;
    size_t size;
    const char *data = getenv("NOBRICK_DATA");
    snprintf(path, sizeof path, "%s/devices/anycloud-nrf52840.device",
             data != NULL ? data : "scenarios");
    snprintf(parts, sizeof parts, "%s/parts", data != NULL ? data : "scenarios");
    assert_int_equal(sim_device_load(path, parts, &device, &error), OTA_OK);
    assert_int_equal(flash_sim_file(flash, device.chips, device.chip_count, &created, &sim, &error),
                     OTA_OK);
    make_image(2, behaviour, &image, &size);
    assert_int_equal(
        nb_image_pad(image, size, device.secondary.size, &device.format, 0xFF, true, false, &slot),
        OTA_OK);
    assert_int_equal(flash_sim_put(sim, device.secondary.address, slot, device.secondary.size),
                     OTA_OK);
    flash_sim_close(sim);
    sim_device_free(&device);
    free(image);
    free(slot);
}

static void new_device(enum app_behaviour behaviour)
{
    char arguments[400];
    put_factory(1, behaviour);
    snprintf(arguments, sizeof arguments, "--boot-only --factory %s", factory);
    assert_int_equal(run(arguments), 0);
    assert_string_equal(events, "boot 1.0.0 confirmed\nexit 0\n");
}

/* ---- tests ------------------------------------------------------------------------------- */

static void factory_only_when_new(void **state)
{
    char arguments[400];
    (void)state;
    new_device(APP_GOOD);
    put_factory(7, APP_GOOD);
    snprintf(arguments, sizeof arguments, "--boot-only --factory %s", factory);
    assert_int_equal(run(arguments), 0);
    assert_string_equal(events, "boot 1.0.0 confirmed\nexit 0\n");
    char expected[400];
    snprintf(expected, sizeof expected, "nobrick device: %s exists: --factory is not used\n",
             flash);
    assert_string_equal(errors, expected);
}

static void a_flash_file_needs_an_image(void **state)
{
    char arguments[400];
    char expected[700];
    (void)state;
    assert_int_equal(run("--once"), 2);
    snprintf(expected, sizeof expected,
             "nobrick device: %s does not exist, and --factory names no image for it\n", flash);
    assert_string_equal(errors, expected);
    FILE *file = fopen(factory, "w");
    assert_non_null(file);
    fputs("-----BEGIN PUBLIC KEY-----\nand so on, long enough to hold a header\n", file);
    fclose(file);
    snprintf(arguments, sizeof arguments, "--boot-only --factory %s", factory);
    assert_int_equal(run(arguments), 2);
    snprintf(expected, sizeof expected,
             "nobrick device: %s: not an image: header magic is wrong (nobrick image create)\n",
             factory);
    assert_string_equal(errors, expected);
    assert_int_equal(access(flash, F_OK), -1);
    new_device(APP_GOOD); /* nothing is in the way of the right one */
    assert_string_equal(errors, "");
}

static off_t flash_size(void)
{
    struct stat status;
    assert_int_equal(stat(flash, &status), 0);
    return status.st_size;
}

static void nothing_boots(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    off_t size = flash_size();
    assert_int_equal(truncate(flash, 0), 0); /* zeros: no image on this part either */
    assert_int_equal(truncate(flash, size), 0);
    assert_int_equal(run("--once"), 1);
    assert_string_equal(events, "boot none no-image\nexit 1\n");
    assert_string_equal(errors,
                        "nobrick device: nothing boots: no slot holds an image that may boot\n");
}

static void usage_is_two(void **state)
{
    static const char *const rows[][2] = {
        {"--bogus", "unknown option: --bogus"},
        {"--cut", "this option needs a value: --cut"},
        {"--cut 5", "--cut wants N:TEAR, as 17:half: 5"},
        {"--cut 5:sideways", "no such tear: sideways"},
        {"--cut -1:half", "--cut wants N:TEAR, as 17:half: -1:half"},
        {"--events 99", "--events wants an open descriptor: 99"},
        {"--broker localhost", "not a broker URL (mqtt://HOST[:PORT]): localhost"},
        {"--trust /nonexistent.pem", "key /nonexistent.pem: No such file or directory"},
        {"extra", "unexpected argument: extra"},
        {"--system zephyr", "no such system (anycloud or harmony): zephyr"},
        {"--factory-version 0", "--factory-version wants a number from 1 to 4294967295: 0"},
        {"--server localhost:80", "not a server URL (http://HOST[:PORT]): localhost:80"},
        {"--server mqtt://h", "not a server URL (http://HOST[:PORT]): mqtt://h"},
        {"--via https", "--via wants mqtt or http: https"},
        {"--via http", "--via http needs --server"},
        {"--flow both", "--flow wants job or direct: both"},
        {"--via http --server http://127.0.0.1:1 --flow direct",
         "--via http --flow direct needs --file"},
        {"--answer stop=nowhere",
         "--answer wants stop=STEP, done=STEP or fail=STEP, four at most: stop=nowhere"},
        {"--answer halt=write",
         "--answer wants stop=STEP, done=STEP or fail=STEP, four at most: halt=write"},
        {"-c 1000", "--chunk-mode wants 512, 1024, 2048 or a multiple of 4096 up to 65536: 1000"},
        {"-d --via http --server http://127.0.0.1:1", "--direct is for --via mqtt"},
        {"--file image.bin", "--file wants a path that begins with /: image.bin"},
        {"--cert c.pem", "--cert and --key belong together"},
        {"--key k.pem", "--cert and --key belong together"},
        {"--log loud", "--log wants error, warning, notice, info or debug: loud"},
        {"--next-check 0", "not a number of seconds (1 to a year): 0"},
        {"--retry 1.5", "not a number of seconds (1 to a year): 1.5"},
        {"--connect-tries 0", "not a number of tries (1 to 1000): 0"},
        {"--data-tries 1001", "not a number of tries (1 to 1000): 1001"},
        {"--keep-alive 65536", "not a number of seconds (1 to 65535): 65536"},
        {"--data-wait 31536001", "not a number of seconds (1 to a year): 31536001"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[300];
        assert_int_equal(run(rows[i][0]), 2);
        snprintf(line, sizeof line, "nobrick device: %s (nobrick device --help)\n", rows[i][1]);
        assert_string_equal(errors, line);
        assert_int_equal(access(flash, F_OK), -1); /* no half-made device */
    }
}

static void bad_files_are_two(void **state)
{
    assert_int_equal(run("--push /nonexistent.img"), 2);
    assert_string_equal(errors, "nobrick device: /nonexistent.img: No such file or directory\n");
    (void)state;
    assert_int_equal(run("--factory /nonexistent.img"), 2);
    assert_string_equal(errors, "nobrick device: /nonexistent.img: No such file or directory\n");
    static const char *const pems[] = {"--ca /nonexistent.pem", "--cert /nonexistent.pem --key /x",
                                       "--cert /dev/null --key /nonexistent.pem"};
    static const char *const why[] = {"--ca /nonexistent.pem: No such file or directory",
                                      "--cert /nonexistent.pem: No such file or directory",
                                      "--cert /dev/null: there is no PEM in it"};
    for (size_t i = 0; i < 3; i++) {
        char line[200];
        assert_int_equal(run(pems[i]), 2);
        snprintf(line, sizeof line, "nobrick device: %s\n", why[i]);
        assert_string_equal(errors, line);
    }
    put_factory(1, APP_GOOD);
    assert_int_equal(truncate(factory, 0x20001), 0);
    char arguments[400];
    snprintf(arguments, sizeof arguments, "--factory %s", factory);
    assert_int_equal(run(arguments), 2);
    assert_string_equal(
        errors, "nobrick device: factory image of 131073 bytes is larger than the slot (131072)\n");
    assert_int_equal(access(flash, F_OK), -1);
}

static void unreachable_broker(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    assert_int_equal(run("--once --fast --broker mqtt://127.0.0.1:1"), 1);
    assert_string_equal(errors,
                        "nobrick device: cannot connect to 127.0.0.1:1: Connection refused\n");
    assert_non_null(strstr(events, "state pause\n"));
    assert_non_null(strstr(events, "idle connect\nexit 1\n"));
}

/* Each connection of a session may be by HTTP, and says itself why it failed. */
static void unreachable_server(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    assert_int_equal(run("--once --fast --via http --server http://127.0.0.1:1"), 1);
    assert_int_equal(strncmp(errors, "nobrick device: cannot connect to 127.0.0.1:1: ", 47), 0);
    assert_non_null(strstr(errors, "onnect to 127.0.0.1 port 1"));
    assert_non_null(strstr(events, "idle connect\nexit 1\n"));
    assert_null(strstr(events, "bytes "));
}

static void unusable_names(void **state)
{
    static const char *const rows[][2] = {
        {"--board a/+/b", "--board: not usable in a topic: a/+/b"},
        {"--prefix x\"y", "--prefix: not usable in a topic: x\"y"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[300];
        assert_int_equal(run(rows[i][0]), 2);
        snprintf(line, sizeof line, "nobrick device: %s\n", rows[i][1]);
        assert_string_equal(errors, line);
    }
}

/* A flash file that was not finished when its maker was killed is made anew. */
static void half_made_flash(void **state)
{
    char arguments[400];
    char path[400];
    (void)state;
    put_factory(1, APP_GOOD);
    snprintf(path, sizeof path, "%s.new", flash);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("half a flash", file);
    fclose(file);
    snprintf(arguments, sizeof arguments, "--boot-only --factory %s", factory);
    assert_int_equal(run(arguments), 0);
    assert_string_equal(events, "boot 1.0.0 confirmed\nexit 0\n");
}

static void signals_end_it(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    for (int i = 0; i < 2; i++) {
        int number = i == 0 ? SIGINT : SIGTERM;
        pid_t child = start("--broker mqtt://127.0.0.1:1");
        for (int tries = 0; tries < 200; tries++) {
            usleep(10000);
            read_text(events_path, events);
            if (strstr(events, "state pause\n") != NULL)
                break;
        }
        assert_int_equal(kill(child, number), 0);
        assert_int_equal(finish(child), 128 + number);
        assert_non_null(strstr(events, i == 0 ? "exit 130\n" : "exit 143\n"));
    }
    assert_int_equal(run("--boot-only"), 0);
}

static void crash_loop_is_bounded(void **state)
{
    (void)state;
    new_device(APP_CRASHES);
    assert_int_equal(run("--once --fast"), 1);
    assert_string_equal(errors,
                        "nobrick device: 8 resets in a row and no application that stays up\n");
    const char *at = events;
    for (int i = 0; i < 8; i++) {
        at = strstr(at, "boot 1.0.0 confirmed\napp crashes\nreset crash\n");
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at + 1, "boot"));
}

static void crash_on_trial_reverts(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    put_pending(APP_CRASHES);
    assert_int_equal(run("--once --fast --broker mqtt://127.0.0.1:1"), 1);
    assert_int_equal(strncmp(events,
                             "boot 2.0.0 trial test\napp crashes\nreset crash\n"
                             "boot 1.0.0 confirmed revert\napp good\n",
                             strlen("boot 2.0.0 trial test\napp crashes\nreset crash\n"
                                    "boot 1.0.0 confirmed revert\napp good\n")),
                     0);
}

/* Operations in the journal, whose numbers must follow each other from 0 over all resets. */
static unsigned count_operations(void)
{
    char line[120];
    unsigned count = 0;
    FILE *file = fopen(journal, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned number;
        char kind[16];
        unsigned address;
        unsigned length;
        assert_int_equal(sscanf(line, "%u %15s %x %u", &number, kind, &address, &length), 4);
        assert_true(strcmp(kind, "program") == 0 || strcmp(kind, "erase") == 0);
        assert_int_equal(number, count++);
    }
    fclose(file);
    return count;
}

static void cut_in_the_swap(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    put_pending(APP_GOOD);
    assert_int_equal(run("--boot-only --cut 12:half"), 9);
    assert_string_equal(events, "cut 12 half\nexit 9\n");
    assert_int_equal(run("--boot-only"), 0);
    assert_string_equal(events, "boot 2.0.0 trial test resumed\nexit 0\n");
}

/* Operation 0 of the swap erases: half a program cannot be what is left of it. */
static void cut_that_does_not_fit(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    put_pending(APP_GOOD);
    assert_int_equal(run("--boot-only --cut 0:half"), 0);
    assert_string_equal(events, "cut-misfit 0 half\nboot 2.0.0 trial test\nexit 0\n");
}

/* Pushes version `major` of that behaviour to the device as it is. */
static int push(uint8_t major, enum app_behaviour behaviour, const char *more)
{
    char arguments[500];
    write_image(pushed, major, behaviour);
    snprintf(arguments, sizeof arguments, "--push %s %s", pushed, more);
    return run(arguments);
}

/* Without a broker and without a server: prepared, written, verified, installed, confirmed. */
static void a_pushed_image_is_installed(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    assert_int_equal(push(2, APP_GOOD, ""), 0);
    assert_int_equal(strncmp(events,
                             "boot 1.0.0 confirmed\nstate prepare\nstate write\n"
                             "progress 500 ",
                             60),
                     0);
    assert_non_null(strstr(events, "\nstate verify\nstate install\npending 2.0.0\nreset install\n"
                                   "boot 2.0.0 trial test\nconfirmed 2.0.0\nexit 0\n"));
    assert_int_equal(run("--boot-only"), 0);
    assert_string_equal(events, "boot 2.0.0 confirmed\nexit 0\n");
    assert_int_equal(push(3, APP_GOOD, "--stay"), 0);
    assert_non_null(strstr(events, "pending 3.0.0\nexit 0\n"));
    assert_int_equal(run("--boot-only"), 0);
    assert_string_equal(events, "boot 3.0.0 trial test\nexit 0\n");
}

static void a_push_that_fails_is_one(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    assert_int_equal(push(1, APP_GOOD, ""), 1);
    assert_non_null(strstr(events, "reject bad-version\nexit 1\n"));
    assert_string_equal(
        errors, "nobrick device: push failed: image version is not acceptable; 1.0.0 runs\n");
    assert_int_equal(push(2, APP_CRASHES, ""), 1);
    assert_non_null(strstr(events, "boot 2.0.0 trial test\napp crashes\nreset crash\n"
                                   "boot 1.0.0 confirmed revert\nexit 1\n"));
    assert_int_equal(push(3, APP_FORGETS, "--fast"), 1);
    assert_non_null(strstr(events, "idle unconfirmed\nexit 1\n"));
    assert_int_equal(run("--boot-only"), 0);
    assert_string_equal(events, "boot 1.0.0 confirmed revert\nexit 0\n");
}

static void a_push_that_is_cut_is_pushed_again(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    assert_int_equal(push(2, APP_GOOD, "--cut 40:half"), 9);
    assert_non_null(strstr(events, "progress 4000 "));
    assert_int_equal(run("--boot-only"), 0);
    assert_string_equal(events, "boot 1.0.0 confirmed\nexit 0\n");
    assert_int_equal(push(2, APP_GOOD, ""), 0);
    assert_non_null(strstr(events, "confirmed 2.0.0\nexit 0\n"));
}

static void cut_counts_over_resets(void **state)
{
    char arguments[400];
    (void)state;
    new_device(APP_GOOD);
    put_pending(APP_CRASHES);
    snprintf(arguments, sizeof arguments, "--boot-only --journal %s", journal);
    assert_int_equal(run(arguments), 0);
    unsigned swap = count_operations();
    assert_true(swap > 10);
    unlink(journal);
    unlink(flash);
    new_device(APP_GOOD);
    put_pending(APP_CRASHES);
    /* the swap, the crash, and four operations into the revert */
    snprintf(arguments, sizeof arguments, "--once --fast --cut %u:before --journal %s", swap + 4,
             journal);
    assert_int_equal(run(arguments), 9);
    char expected[160];
    snprintf(expected, sizeof expected,
             "boot 2.0.0 trial test\napp crashes\nreset crash\ncut %u before\nexit 9\n", swap + 4);
    assert_string_equal(events, expected);
    assert_int_equal(count_operations(), swap + 5);
    assert_int_equal(run("--boot-only"), 0);
    assert_int_equal(strncmp(events, "boot 1.0.0 confirmed revert", 27), 0);
}

static void foreign_life_is_ignored(void **state)
{
    (void)state;
    new_device(APP_GOOD);
    put_pending(APP_GOOD);
    assert_int_equal(setenv("NOBRICK_DEVICE_LIFE", "1 100000 7 -990", 1), 0);
    assert_int_equal(run("--boot-only --cut 3:before"), 9);
    unsetenv("NOBRICK_DEVICE_LIFE");
}

static void full_journal_is_an_error(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    new_device(APP_GOOD);
    put_pending(APP_GOOD);
    assert_int_equal(run("--boot-only --journal /dev/full"), 2);
    assert_string_equal(errors, "nobrick device: /dev/full: cannot be written\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

/* Started with a verb this program is the device: that is also what a reset executes. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(factory_only_when_new),
        CASE(a_flash_file_needs_an_image),
        CASE(nothing_boots),
        CASE(usage_is_two),
        CASE(bad_files_are_two),
        CASE(unreachable_broker),
        CASE(unreachable_server),
        CASE(unusable_names),
        CASE(half_made_flash),
        CASE(signals_end_it),
        CASE(crash_loop_is_bounded),
        CASE(crash_on_trial_reverts),
        CASE(cut_in_the_swap),
        CASE(cut_that_does_not_fit),
        CASE(cut_counts_over_resets),
        CASE(a_pushed_image_is_installed),
        CASE(a_push_that_fails_is_one),
        CASE(a_push_that_is_cut_is_pushed_again),
        CASE(foreign_life_is_ignored),
        CASE(full_journal_is_an_error),
    };
    if (argc > 1 && strcmp(argv[1], "device") == 0)
        return nb_cmd_device(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

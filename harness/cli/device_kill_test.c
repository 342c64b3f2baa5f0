/* kill -9 of a device at random moments of an update, from the making of its flash file to the
 * report: no brick, and the next start completes the update.
 *
 * NOBRICK_KILLS=N kills (default 20), NOBRICK_SEED=S other moments. */
#include "harness/cli/verbs.h"
#include "harness/image/image.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/run/broker.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT        65536
#define KILLS       20
#define PATIENCE_MS 30000
#define PAYLOAD     90000

static char dir[256];
static char events[TEXT]; /* of the last start */
static struct nb_broker broker;
static pid_t cloud;
static unsigned http_port;
static uint32_t chance;

static const char *file(const char *name)
{
    static char paths[4][300];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static uint32_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

static uint32_t draw(uint32_t below)
{
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance % below;
}

static const char *read_events(const char *name)
{
    int fd = open(file(name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, events, TEXT - 1) : 0;
    events[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return events;
}

/* ---- processes --------------------------------------------------------------------------- */

/* This program again as `VERB WORDS…`, events and output into files. Dies with us. */
static pid_t start(const char *name, const char *words)
{
    char text[2048];
    char *argv[48];
    int count = 0;
    snprintf(text, sizeof text, "nobrick %s", words);
    for (char *save, *word = strtok_r(text, " ", &save); word != NULL && count < 47;
         word = strtok_r(NULL, " ", &save))
        argv[count++] = word;
    argv[count] = NULL;
    unlink(file(name));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int out = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    int log = open(file("log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (dup2(out, 3) < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0)
        _exit(126);
    execv("/proc/self/exe", argv);
    _exit(127);
}

static pid_t start_device(bool over_http, const char *rest)
{
    char words[1024];
    snprintf(words, sizeof words,
             "device --device anycloud-nrf52840 --flash %s --factory %s --fast --events 3 "
             "--broker mqtt://127.0.0.1:%u --server http://127.0.0.1:%u --via %s %s",
             file("flash"), file("v1.img"), broker.port, http_port, over_http ? "http" : "mqtt",
             rest);
    return start("events", words);
}

static int finish(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void start_cloud(void)
{
    char words[1024];
    snprintf(words, sizeof words,
             "cloud --image %s --broker mqtt://127.0.0.1:%u --listen 127.0.0.1 --connection http "
             "--events 3",
             file("v2.img"), broker.port);
    cloud = start("cloud", words);
    for (int tries = 0; tries < 500; tries++) {
        const char *at = strstr(read_events("cloud"), "listening http");
        if (at != NULL && strchr(at, '\n') != NULL && strstr(events, "connected\n") != NULL) {
            assert_int_equal(sscanf(at, "listening http://127.0.0.1:%u", &http_port), 1);
            return;
        }
        usleep(10000);
    }
    fail_msg("the cloud does not come up: %s", events);
}

static void make_image(uint8_t major, const char *name)
{
    char reason[160] = "";
    uint8_t *image;
    size_t size;
    const struct nb_image_spec spec = {.payload_size = PAYLOAD,
                                       .seed = major,
                                       .with_tag = true,
                                       .behaviour = APP_GOOD,
                                       .version = {major, 0, 0, 0},
                                       .header_size = 32};
    if (nb_image_create(&spec, &image, &size, reason, sizeof reason) != OTA_OK)
        fail_msg("%s", reason);
    FILE *out = fopen(file(name), "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(image, 1, size, out), size);
    fclose(out);
    free(image);
}

static void remove_flash(void)
{
    static const char *const names[] = {"flash", "flash.state", "flash.new", "flash.nv"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(file(names[i]));
}

/* ---- what a kill hits -------------------------------------------------------------------- */

static const char *last_of(const char *text, const char *word)
{
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        found = at;
    return found;
}

static const char *const phases[] = {"before the first boot", "before the download",
                                     "in the download",       "in check and swap",
                                     "in the trial",          "after it"};
enum { PHASES = sizeof phases / sizeof phases[0] };

static size_t phase_of(const char *text)
{
    if (strstr(text, "confirmed 2.0.0\n") != NULL)
        return 5;
    if (strstr(text, "boot 2.0.0 trial") != NULL)
        return 4;
    if (strstr(text, "state verify") != NULL)
        return 3;
    if (strstr(text, "progress ") != NULL)
        return 2;
    return strstr(text, "boot 1.0.0") != NULL ? 1 : 0;
}

/* Version 2 runs, is confirmed, and nothing is left to be done. */
static bool is_complete(const char *text)
{
    const char *boot = last_of(text, "boot ");
    const char *idle = last_of(text, "idle ");
    if (boot == NULL || idle == NULL || idle < boot || strncmp(boot, "boot 2.0.0", 10) != 0)
        return false;
    return strncmp(boot, "boot 2.0.0 confirmed", 20) == 0 || strstr(boot, "confirmed 2.0.0\n");
}

/* Starts the device and waits until the update is complete. False: a brick, or nothing comes. */
static bool completes(bool over_http)
{
    pid_t device = start_device(over_http, "");
    uint32_t begin = now_us();
    bool complete = false;
    while (!complete && now_us() - begin < PATIENCE_MS * 1000u &&
           waitpid(device, NULL, WNOHANG) == 0) {
        usleep(5000);
        complete = is_complete(read_events("events"));
    }
    if (complete) {
        kill(device, SIGTERM);
        assert_int_equal(finish(device), 128 + SIGTERM);
        assert_int_equal(finish(start_device(over_http, "--boot-only")), 0);
        return strcmp(read_events("events"), "boot 2.0.0 confirmed\nexit 0\n") == 0;
    }
    kill(device, SIGKILL);
    (void)waitpid(device, NULL, 0);
    return false;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* An update that nobody disturbs, here and now. */
struct course {
    uint32_t us;
    unsigned lines;
};

static struct course measure(bool over_http)
{
    remove_flash();
    uint32_t begin = now_us();
    if (finish(start_device(over_http, "--once")) != 0)
        fail_msg("an update that nobody disturbs fails: %s", read_events("events"));
    return (struct course){now_us() - begin, count_lines(read_events("events"))};
}

/* Either at a random time, or a moment after a random line: time alone would hardly ever meet the
 * download, which is short on loopback. */
static void wait_for_the_moment(const struct course *course)
{
    if (draw(2) == 0) {
        usleep(draw(course->us));
        return;
    }
    unsigned lines = draw(course->lines);
    uint32_t begin = now_us();
    while (count_lines(read_events("events")) < lines && now_us() - begin < 2 * course->us)
        usleep(50);
    usleep(draw(500));
}

static void killed_at_random_moments(void **state)
{
    if (broker.pid == 0) {
        print_message("mosquitto is missing: skipped\n");
        skip();
    }
    const char *wish = getenv("NOBRICK_KILLS");
    const char *seed = getenv("NOBRICK_SEED");
    unsigned kills = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : KILLS;
    unsigned hit[PHASES] = {0};
    unsigned bricks = 0;
    unsigned late = 0;
    const struct course courses[2] = {measure(false), measure(true)};
    (void)state;
    chance = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) * 2654435761u | 1u : 2463534242u;
    for (unsigned done = 0; done < kills && late < 2 * kills + 10;) {
        bool over_http = draw(2) == 1;
        remove_flash();
        pid_t device = start_device(over_http, "--once");
        wait_for_the_moment(&courses[over_http]);
        kill(device, SIGKILL);
        if (finish(device) != -SIGKILL) {
            late++; /* it was faster this time: no kill */
            continue;
        }
        done++;
        size_t phase = phase_of(read_events("events"));
        hit[phase]++;
        if (completes(over_http))
            continue;
        bricks++;
        print_message("killed %s (%s), then:\n%s\n", phases[phase], over_http ? "http" : "mqtt",
                      read_events("events"));
    }
    print_message("%u kills, %u bricks or updates that did not complete\n", kills, bricks);
    for (size_t i = 0; i < PHASES; i++)
        print_message("  %3u %s\n", hit[i], phases[i]);
    assert_int_equal(bricks, 0);
    assert_true(late < 2 * kills + 10);
}

/* ------------------------------------------------------------------------------------------ */

static int before_all(void **state)
{
    char reason[200] = "";
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(dir, sizeof dir, "%s/kill.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    int result = nb_broker_start(&broker, dir, NULL, NB_BROKER_WAITING, reason, sizeof reason);
    if (result == OTA_E_UNSUPPORTED)
        return 0;
    if (result != OTA_OK) {
        print_message("%s\n", reason);
        return -1;
    }
    make_image(1, "v1.img");
    make_image(2, "v2.img");
    start_cloud();
    return 0;
}

static int after_all(void **state)
{
    static const char *const names[] = {"v1.img", "v2.img", "events", "cloud", "log"};
    char command[300];
    (void)state;
    if (cloud > 0) {
        kill(cloud, SIGTERM);
        (void)finish(cloud);
    }
    nb_broker_stop(&broker);
    remove_flash();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(file(names[i]));
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

/* Started with a verb this program is device or cloud: that is also what a reset executes. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_at_random_moments)};
    if (argc > 1 && strcmp(argv[1], "device") == 0)
        return nb_cmd_device(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "cloud") == 0)
        return nb_cmd_cloud(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, before_all, after_all);
}

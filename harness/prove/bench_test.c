/* What `nobrick bench` leaves behind when it is stopped: nothing. And what it makes of a device
 * that ends before all is there, and of a machine that lets it write nothing. */
#include "harness/prove/bench.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES    500
#define GIVES_UP "NOBRICK_BENCH_GIVES_UP" /* in the environment of the device's stand-in */

static void nap(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static unsigned entries(const char *path)
{
    unsigned count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Starts it in a scratch directory of its own, and stops it when it has one and is at work. */
static void stop(const char *what, int number)
{
    char dir[] = "/tmp/nobrick-bench-XXXXXX";
    char verb[] = "bench";
    char word[16];
    char *argv[] = {verb, word, NULL};
    int status;
    snprintf(word, sizeof word, "%s", what);
    assert_non_null(mkdtemp(dir));
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("TMPDIR", dir, 1);
        if (freopen("/dev/null", "w", stdout) == NULL)
            _exit(126);
        exit(nb_cmd_bench(2, argv));
    }
    for (int i = 0; i < TRIES && entries(dir) == 0; i++)
        nap(10);
    assert_int_equal(entries(dir), 1);
    nap(300);
    assert_int_equal(kill(child, number), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + number);
    assert_int_equal(entries(dir), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void a_sweep_that_is_stopped(void **state)
{
    (void)state;
    stop("sweep", SIGINT);
    stop("sweep", SIGTERM);
}

static void a_download_that_is_stopped(void **state)
{
    (void)state;
    stop("download", SIGINT);
}

/* Ends with that code and says this first, when the environment has that variable. */
static void ends(const char *what, const char *variable, const char *value, int code,
                 const char *words)
{
    char verb[] = "bench";
    char word[16];
    char *argv[] = {verb, word, NULL};
    char said[400] = "";
    FILE *file = tmpfile();
    int status;
    snprintf(word, sizeof word, "%s", what);
    assert_non_null(file);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv(variable, value, 1);
        if (freopen("/dev/null", "w", stdout) == NULL || dup2(fileno(file), STDERR_FILENO) < 0)
            _exit(126);
        exit(nb_cmd_bench(2, argv));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
    rewind(file);
    assert_non_null(fgets(said, sizeof said, file));
    assert_non_null(strstr(said, words));
    fclose(file);
}

/* A device that fetches one range and ends has no rate. */
static void a_device_that_gives_up(void **state)
{
    (void)state;
    ends("download", GIVES_UP, "1", 1, "HTTP, ranges of 64 KiB: no end of the download");
}

/* No figure is bad then: none was taken. */
static void a_machine_without_room(void **state)
{
    (void)state;
    ends("sweep", "TMPDIR", "/dev/full", 2, "nobrick bench: cannot make a directory in /dev/full");
}

static void fetch_a_range(int argc, char **argv)
{
    char url[200] = "";
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--server") == 0)
            snprintf(url, sizeof url, "%s/ota-update.bin", argv[i + 1]);
    execlp("curl", "curl", "-q", "-s", "-o", "/dev/null", "-r", "4096-69631", url, NULL);
}

/* Started with a verb this program would be the device, which the bench starts: it is not, so that
 * the bench waits for it until it is stopped, or sees it end too early. */
int main(int argc, char **argv)
{
    if (argc > 1 && getenv(GIVES_UP) != NULL)
        fetch_a_range(argc, argv);
    if (argc > 1)
        nap(20000);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sweep_that_is_stopped),
        cmocka_unit_test(a_download_that_is_stopped),
        cmocka_unit_test(a_device_that_gives_up),
        cmocka_unit_test(a_machine_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

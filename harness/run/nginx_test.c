/* The nginx of a run, by hand: skipped where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run/nginx.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 2000

static char dir[] = "/tmp/nobrick-nginx-test-XXXXXX";
static struct nb_nginx nginx;
static char log_line[NB_NGINX_LINE + 8];

static void on_line(void *context, const char *text)
{
    (void)context;
    snprintf(log_line, sizeof log_line, "%s", text);
}

static int begin(struct posix_loop *loop)
{
    char reason[200];
    nginx = (struct nb_nginx){.loop = loop, .line = on_line};
    return nb_nginx_start(&nginx, dir, NULL, reason, sizeof reason);
}

/* Sends the request and reads until the server closes; the reply has a NUL. */
static void ask(const char *request, char *reply, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(nginx.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    ssize_t got;
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    while (used + 1 < size && (got = read(fd, reply + used, size - used - 1)) > 0)
        used += (size_t)got;
    reply[used] = '\0';
    close(fd);
}

static void expect_log(const char *expected)
{
    uint64_t end = posix_now_ms() + WAIT_MS;
    while (strcmp(log_line, expected) != 0 && posix_now_ms() < end)
        (void)posix_loop_run(nginx.loop, 10);
    assert_string_equal(log_line, expected);
}

static void ranges_are_served_and_logged(void **state)
{
    char reply[2048];
    struct posix_loop *loop = posix_loop_new();
    (void)state;
    if (begin(loop) == OTA_E_UNSUPPORTED) {
        posix_loop_free(loop);
        skip();
    }
    assert_true(nginx.pid > 0);
    assert_int_equal(nb_nginx_serve(&nginx, "/x.bin", "0123456789", 10), 0);
    ask("GET /x.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=2-5\r\nConnection: close\r\n\r\n", reply,
        sizeof reply);
    assert_memory_equal(reply, "HTTP/1.1 206 ", 13);
    assert_non_null(strstr(reply, "Content-Range: bytes 2-5/10\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\n2345"));
    expect_log("nginx GET /x.bin bytes=2-5 206 4");
    assert_int_equal(nb_nginx_serve(&nginx, "/x.bin", NULL, 0), 0);
    assert_int_equal(nb_nginx_serve(&nginx, "/x.bin", NULL, 0), 0); /* gone is gone */
    ask("GET /x.bin HTTP/1.0\r\n\r\n", reply, sizeof reply);
    assert_memory_equal(reply, "HTTP/1.1 404 ", 13);
    nb_nginx_stop(&nginx);
    assert_int_equal(nginx.pid, 0);
    posix_loop_free(loop);
}

/* A process that starts it and is gone without a goodbye. */
static void it_dies_with_its_parent(void **state)
{
    int fds[2];
    pid_t server = 0;
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* its orphans are ours */
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        struct posix_loop *loop = posix_loop_new();
        pid_t pid = begin(loop) == 0 ? nginx.pid : 0;
        ssize_t written = write(fds[1], &pid, sizeof pid);
        raise(written == sizeof pid ? SIGKILL : SIGABRT);
    }
    assert_int_equal(read(fds[0], &server, sizeof server), sizeof server);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    if (server == 0)
        skip();
    int status = 0;
    pid_t ended = 0;
    for (int waited = 0; ended == 0 && waited < WAIT_MS; waited += 10) {
        ended = waitpid(server, &status, WNOHANG);
        usleep(10000);
    }
    if (ended == 0)
        kill(server, SIGKILL);
    assert_int_equal(ended, server);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_missing_nginx_is_named(void **state)
{
    char reason[200] = "";
    struct nb_nginx none = {0};
    (void)state;
    setenv("NOBRICK_NGINX", "/nonexistent", 1);
    assert_int_equal(nb_nginx_start(&none, dir, NULL, reason, sizeof reason), OTA_E_UNSUPPORTED);
    unsetenv("NOBRICK_NGINX");
    assert_string_equal(reason, "no nginx: apt-get install nginx-light");
    nb_nginx_stop(&none);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int clean(void **state)
{
    static const char *const names[] = {"body",  "proxy",     "fastcgi",    "uwsgi",     "scgi",
                                        "files", "nginx.pid", "nginx.conf", "nginx.log", ""};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/nginx/%s", dir, names[i]);
        (void)remove(path); /* some are not there */
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_served_and_logged),
        cmocka_unit_test(it_dies_with_its_parent),
        cmocka_unit_test(a_missing_nginx_is_named),
    };
    return cmocka_run_group_tests(tests, make, clean);
}

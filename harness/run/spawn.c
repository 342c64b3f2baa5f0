#include "harness/run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_FD   3
#define SLICE_MS    100
#define LINE_LENGTH 256
#define END_MS      2000 /* from the end of its lines to its own */

enum { STOPPED_AT_END = 1 };

struct reader {
    const struct nb_spawn *spawn;
    char line[LINE_LENGTH];
    size_t length;
};

static void on_readable(void *context, int fd)
{
    struct reader *reader = context;
    char buffer[4096];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        posix_loop_unwatch(reader->spawn->loop, fd);
        posix_loop_stop(reader->spawn->loop, STOPPED_AT_END);
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (buffer[i] == '\n') {
            reader->line[reader->length] = '\0';
            reader->spawn->line(reader->spawn->context, reader->line);
            reader->length = 0;
        } else if (reader->length + 1 < sizeof reader->line) {
            reader->line[reader->length++] = buffer[i];
        }
    }
}

static void become(const struct nb_spawn *spawn, const char *const *arguments, int events,
                   pid_t parent)
{
    char *argv[NB_SPAWN_ARGUMENTS + 4];
    size_t count = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int log = open(spawn->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (log < 0 || null < 0)
        _exit(127);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    /* dup2 clears the close-on-exec flag, unless both are the same descriptor. */
    if (events == EVENTS_FD ? fcntl(events, F_SETFD, 0) < 0 : dup2(events, EVENTS_FD) < 0)
        _exit(127);
    argv[count++] = (char *)(uintptr_t) "nobrick";
    for (; *arguments && count < NB_SPAWN_ARGUMENTS; arguments++)
        argv[count++] = (char *)(uintptr_t)*arguments;
    argv[count++] = (char *)(uintptr_t) "--events";
    argv[count++] = (char *)(uintptr_t) "3";
    argv[count] = NULL;
    execv("/proc/self/exe", argv);
    _exit(127);
}

/* Waits for the end of a process whose lines have ended; kills it when it does not come. */
static int collect(pid_t pid, bool kill_now)
{
    int status = 0;
    for (int waited = 0; !kill_now && waited < END_MS; waited += 5) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        usleep(5000);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int nb_spawn_read(const struct nb_spawn *spawn, int lines, void (*switch_off)(void *device),
                  void *device, uint32_t limit_ms, const volatile int *stop)
{
    struct reader reader = {.spawn = spawn};
    uint64_t end = posix_now_ms() + limit_ms;
    uint64_t off = spawn->live_ms ? posix_now_ms() + spawn->live_ms : UINT64_MAX;
    bool ended = false;
    int rc = posix_loop_watch(spawn->loop, lines, on_readable, &reader);
    while (rc == 0 && !ended) {
        ended = posix_loop_run(spawn->loop, SLICE_MS) == STOPPED_AT_END;
        if (!ended && *stop)
            rc = OTA_E_CANCELLED;
        else if (!ended && posix_now_ms() >= end)
            rc = OTA_E_TIMEOUT;
        if (rc == 0 && !ended && posix_now_ms() >= off) {
            switch_off(device);
            off = UINT64_MAX;
        }
    }
    posix_loop_unwatch(spawn->loop, lines);
    return rc;
}

static void terminate(void *device)
{
    kill(*(const pid_t *)device, SIGTERM);
}

int nb_spawn_run(const struct nb_spawn *spawn, const char *const *arguments, uint32_t limit_ms,
                 const volatile int *stop, int *exit_code)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return OTA_E_IO;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(spawn, arguments, pipe_fds[1], parent);
    close(pipe_fds[1]);
    int rc =
        pid < 0 ? OTA_E_IO : nb_spawn_read(spawn, pipe_fds[0], terminate, &pid, limit_ms, stop);
    close(pipe_fds[0]);
    if (pid > 0)
        *exit_code = collect(pid, rc != 0);
    return rc;
}

#include "harness/run/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 5000
#define POLL_MS  10

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

bool nb_daemon_find(const char *name, const char *variable, char *out, size_t size)
{
    const char *named = getenv(variable);
    if (named) {
        snprintf(out, size, "%s", named);
        return access(out, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    char places[4096];
    snprintf(places, sizeof places, "%s:/usr/sbin:/usr/local/sbin", path ? path : "/usr/bin");
    for (char *save = NULL, *place = strtok_r(places, ":", &save); place;
         place = strtok_r(NULL, ":", &save)) {
        snprintf(out, size, "%s/%s", place, name);
        if (access(out, X_OK) == 0)
            return true;
    }
    return false;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

uint16_t nb_daemon_free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    uint16_t port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        port = ntohs(address.sin_port);
    close(fd);
    return port;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return good;
}

static void become(const char *program, const char *const *arguments, const char *log, int output,
                   pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (fd >= 0) {
        dup2(output >= 0 ? output : fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    execv(program, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

pid_t nb_daemon_start(const char *program, const char *const *arguments, const char *log,
                      int output)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(program, arguments, log, output, parent);
    return pid > 0 ? pid : 0;
}

static bool all_answer(const uint16_t *ports, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i] != 0 && !answers(ports[i]))
            return false;
    return true;
}

bool nb_daemon_comes_up(pid_t *pid, const uint16_t *ports, size_t count)
{
    for (int waited = 0; *pid > 0 && waited < START_MS; waited += POLL_MS) {
        if (waitpid(*pid, NULL, WNOHANG) == *pid) {
            *pid = 0;
            return false;
        }
        if (all_answer(ports, count))
            return true;
        nap();
    }
    return false;
}

void nb_daemon_stop(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    *pid = 0;
}

#include "harness/prove/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    pid_t pid;
    int fd;
};

static void write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(fd, (const char *)data + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        done += (size_t)put;
    }
}

static bool read_all(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)data + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static int start(const struct nb_crew *crew, size_t index, struct child *child)
{
    int fds[2];
    pid_t parent = getpid();
    if (pipe(fds) != 0)
        return OTA_E_IO;
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        struct nb_outcome *outcome = calloc(1, sizeof *outcome);
        if (outcome != NULL && getppid() == parent) {
            crew->play(crew->context, index, outcome);
            write_all(fds[1], outcome, sizeof *outcome);
        }
        fflush(stderr);
        _exit(0);
    }
    close(fds[1]);
    child->fd = fds[0];
    if (child->pid < 0)
        close(fds[0]);
    return child->pid > 0 ? 0 : OTA_E_IO;
}

/* Waits for the outcome. It is smaller than a pipe, so nobody waits for us meanwhile. */
static void finish(const struct nb_crew *crew, size_t index, const struct child *child,
                   struct nb_outcome *outcome, const volatile int *stop)
{
    int status = 0;
    memset(outcome, 0, sizeof *outcome);
    bool told = read_all(child->fd, outcome, sizeof *outcome);
    close(child->fd);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!told) {
        memset(outcome, 0, sizeof *outcome);
        if (WIFSIGNALED(status))
            nb_outcome_set(outcome, NB_ERROR, "its process died of signal %d", WTERMSIG(status));
        else
            nb_outcome_set(outcome, NB_ERROR, "its process ended early");
    }
    if (*stop == 0)
        crew->tell(crew->context, index, outcome);
}

int nb_crew_run(const struct nb_crew *crew, size_t count, size_t jobs, const volatile int *stop)
{
    struct child *children = calloc(count, sizeof *children);
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    size_t started = 0;
    int err = children != NULL && outcome != NULL ? 0 : OTA_E_NO_SPACE;
    for (size_t i = 0; err == 0 && i < count && *stop == 0; i++) {
        while (err == 0 && started < count && started < i + jobs) {
            err = start(crew, started, &children[started]);
            started += err == 0;
        }
        if (i < started)
            finish(crew, i, &children[i], outcome, stop);
        children[i].pid = 0;
    }
    for (size_t i = 0; i < started; i++) { /* stopped early, or failed */
        if (children[i].pid <= 0)
            continue;
        kill(children[i].pid, SIGKILL);
        close(children[i].fd);
        (void)waitpid(children[i].pid, NULL, 0);
    }
    free(children);
    free(outcome);
    return err;
}

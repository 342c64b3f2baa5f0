#include "harness/run/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 50

/* What parent and child share. */
struct shared {
    int rc;
    bool ended;
    char cuts[NB_LINE]; /* of the present play */
    struct nb_outcome outcome;
};

static struct shared *own; /* of the parent that this process is a child of */

void nb_apart_note(const char *cuts)
{
    if (!own)
        return;
    snprintf(own->cuts, sizeof own->cuts, "%s", cuts);
    alarm(NB_APART_SECONDS);
}

void nb_apart_rest(void)
{
    alarm(0);
}

_Noreturn static void be_child(struct shared *shared, pid_t parent,
                               int (*play)(void *context, struct nb_outcome *outcome),
                               void *context)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGALRM, SIG_DFL);
    own = shared;
    shared->rc = play(context, &shared->outcome);
    shared->ended = true;
    fflush(NULL);
    _exit(0);
}

/* A child that did not end in order has done wrong. */
static void note_death(struct shared *shared, int status)
{
    struct nb_outcome *outcome = &shared->outcome;
    memcpy(outcome->cuts, shared->cuts, sizeof outcome->cuts);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        nb_outcome_set(outcome, NB_FAIL, "the program itself goes on for ever: stopped after %d s",
                       NB_APART_SECONDS);
    else if (WIFSIGNALED(status))
        nb_outcome_set(outcome, NB_FAIL, "the program itself dies: signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        nb_outcome_set(outcome, NB_FAIL, "the program itself ends with %d", WEXITSTATUS(status));
}

/* For a moment, or until it is closed: a signal is never missed for longer. */
static bool is_open(int end)
{
    struct pollfd pollfd = {.fd = end, .events = POLLIN};
    return poll(&pollfd, 1, LOOK_MS) <= 0;
}

int nb_apart(int (*play)(void *context, struct nb_outcome *outcome), void *context,
             struct nb_outcome *outcome)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2]; /* of a pipe that nobody writes to: it closes when the child ends */
    int status = 0;
    bool asked = false;
    if (shared == MAP_FAILED)
        return OTA_E_NO_SPACE;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        munmap(shared, sizeof *shared);
        return OTA_E_IO;
    }
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(shared, parent, play, context);
    close(ends[1]);
    while (child > 0 && is_open(ends[0]))
        if (nb_run_stop && !asked)
            asked = kill(child, SIGTERM) == 0;
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child > 0 && !shared->ended && !nb_run_stop)
        note_death(shared, status);
    *outcome = shared->outcome;
    int rc = child < 0 ? OTA_E_IO : shared->ended ? shared->rc : nb_run_stop ? OTA_E_CANCELLED : 0;
    munmap(shared, sizeof *shared);
    return rc;
}

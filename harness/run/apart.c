#include "harness/run/apart.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

int nb_apart(int (*play)(void *context, struct nb_outcome *outcome), void *context,
             struct nb_outcome *outcome)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    bool asked = false;
    if (shared == MAP_FAILED)
        return OTA_E_NO_SPACE;
    pid_t parent = getpid();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        be_child(shared, parent, play, context);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        if (nb_run_stop && !asked)
            asked = kill(child, SIGTERM) == 0;
    if (child > 0 && !shared->ended && !nb_run_stop)
        note_death(shared, status);
    *outcome = shared->outcome;
    int rc = child < 0 ? OTA_E_IO : shared->ended ? shared->rc : nb_run_stop ? OTA_E_CANCELLED : 0;
    munmap(shared, sizeof *shared);
    return rc;
}

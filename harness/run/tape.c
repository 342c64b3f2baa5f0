#include "harness/run/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_JOBS 64
#define POLL_MS  100

/* ---- records ----------------------------------------------------------------------------- */

enum record_kind { BEGIN, CELL, END };

/* Written whole and read by the same program: no format. */
struct record {
    enum record_kind kind;
    char name[256];   /* path, or the cell's name */
    char text[NB_ID]; /* title, or the cell's id */
    size_t cells;
    size_t left_out;
    struct nb_outcome outcome;
};

static void write_record(const struct nb_teller *teller, const struct record *record)
{
    /* A parent that does not read any more has gone, and has asked us to stop. */
    size_t written = fwrite(record, sizeof *record, 1, teller->tape);
    (void)written;
    (void)fflush(teller->tape);
}

void nb_tell_begin(const struct nb_teller *teller, const char *path, const char *title,
                   size_t cells, size_t left_out)
{
    if (teller->report) {
        nb_report_begin(teller->report, path, title, cells, left_out);
        return;
    }
    struct record record = {.kind = BEGIN, .cells = cells, .left_out = left_out};
    snprintf(record.name, sizeof record.name, "%s", path);
    snprintf(record.text, sizeof record.text, "%s", title);
    write_record(teller, &record);
}

void nb_tell_cell(const struct nb_teller *teller, const char *name, const char *id,
                  const struct nb_outcome *outcome)
{
    if (teller->report) {
        nb_report_cell(teller->report, name, id, outcome);
        return;
    }
    struct record record = {.kind = CELL, .outcome = *outcome};
    snprintf(record.name, sizeof record.name, "%s", name);
    snprintf(record.text, sizeof record.text, "%s", id);
    write_record(teller, &record);
}

void nb_tell_end(const struct nb_teller *teller)
{
    const struct record record = {.kind = END};
    if (teller->report)
        nb_report_end(teller->report);
    else
        write_record(teller, &record);
}

/* ---- children ---------------------------------------------------------------------------- */

struct child {
    size_t index; /* of its script */
    pid_t pid;
    int tape;   /* -1: read to its end */
    int errors; /* what it wrote on stderr */
    uint8_t *data;
    size_t size;
    size_t played;
    bool begun; /* a BEGIN was played, and no END yet */
    bool ended;
    bool asked; /* to stop */
};

struct crew {
    struct nb_report *report;
    char *const *paths;
    struct child children[MAX_JOBS];
    size_t count; /* of children, in the order of their scripts */
};

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static int start(struct crew *crew, size_t index, nb_tape_run run, void *context)
{
    struct child *child = &crew->children[crew->count];
    int fds[2];
    *child = (struct child){.index = index, .tape = -1};
    if (pipe2(fds, O_CLOEXEC) != 0)
        return OTA_E_IO;
    child->errors = memfd_create("stderr", MFD_CLOEXEC);
    fflush(NULL);
    pid_t parent = getpid();
    child->pid = child->errors < 0 ? -1 : fork();
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(1);
        close(fds[0]);
        dup2(child->errors, STDERR_FILENO);
        const struct nb_teller teller = {.tape = fdopen(fds[1], "wb")};
        if (teller.tape)
            run(context, &teller, crew->paths[index]);
        fflush(stderr);
        _exit(0);
    }
    if (child->pid < 0) {
        close_both(fds);
        if (child->errors >= 0)
            close(child->errors);
        return OTA_E_IO;
    }
    close(fds[1]);
    child->tape = fds[0];
    crew->count++;
    return 0;
}

static void read_tape(struct child *child)
{
    uint8_t buffer[65536];
    ssize_t got = read(child->tape, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    uint8_t *grown = got > 0 ? realloc(child->data, child->size + (size_t)got) : NULL;
    if (grown) {
        memcpy(grown + child->size, buffer, (size_t)got);
        child->data = grown;
        child->size += (size_t)got;
        return;
    }
    close(child->tape);
    child->tape = -1;
}

/* Waits for what the children say. */
static void listen_to(struct crew *crew)
{
    struct pollfd polls[MAX_JOBS];
    size_t count = 0;
    for (size_t i = 0; i < crew->count; i++)
        if (crew->children[i].tape >= 0)
            polls[count++] = (struct pollfd){.fd = crew->children[i].tape, .events = POLLIN};
    if (count == 0 || poll(polls, (nfds_t)count, POLL_MS) <= 0)
        return;
    for (size_t i = 0; i < crew->count; i++)
        for (size_t j = 0; j < count; j++)
            if (polls[j].revents && crew->children[i].tape == polls[j].fd) {
                read_tape(&crew->children[i]);
                break;
            }
}

/* ---- playing ----------------------------------------------------------------------------- */

static void play_record(struct crew *crew, struct child *child, const struct record *record)
{
    struct nb_report *report = crew->report;
    switch (record->kind) {
    case BEGIN:
        nb_report_begin(report, record->name, record->text, record->cells, record->left_out);
        child->begun = true;
        break;
    case CELL:
        nb_report_cell(report, record->name, record->text, &record->outcome);
        break;
    default:
        nb_report_end(report);
        child->begun = false;
        child->ended = true;
        break;
    }
}

static void play(struct crew *crew, struct child *child)
{
    struct record record;
    while (child->size - child->played >= sizeof record) {
        memcpy(&record, child->data + child->played, sizeof record);
        child->played += sizeof record;
        play_record(crew, child, &record);
    }
}

/* A child that went without an END: the program is at fault, and says so. */
static void report_death(struct crew *crew, struct child *child, int status)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    if (!outcome)
        return;
    if (WIFSIGNALED(status))
        nb_outcome_set(outcome, NB_ERROR, "its process died of signal %d", WTERMSIG(status));
    else
        nb_outcome_set(outcome, NB_ERROR, "its process ended early");
    if (!child->begun)
        nb_report_begin(crew->report, crew->paths[child->index], "", 1, 0);
    nb_report_cell(crew->report, "", "", outcome);
    nb_report_end(crew->report);
    free(outcome);
}

static void show_errors(int fd)
{
    char buffer[4096];
    off_t at = 0;
    for (ssize_t got; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        fwrite(buffer, 1, (size_t)got, stderr);
}

/* Ends the first child, whose tape was read to its end; `quiet`: nothing is shown. */
static void end_first(struct crew *crew, bool quiet)
{
    struct child *child = &crew->children[0];
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!quiet) {
        show_errors(child->errors);
        play(crew, child);
        if (!child->ended)
            report_death(crew, child, status);
        else if (status != 0)
            fprintf(stderr, "nobrick run: %s: its process did not end well\n",
                    crew->paths[child->index]);
    }
    close(child->errors);
    free(child->data);
    crew->count--;
    memmove(&crew->children[0], &crew->children[1], crew->count * sizeof *child);
}

int nb_tapes_run(struct nb_report *report, char *const *paths, size_t count, size_t jobs,
                 nb_tape_run run, void *context, const volatile int *stop)
{
    struct crew *crew = calloc(1, sizeof *crew);
    size_t next = 0;
    int rc = crew ? 0 : OTA_E_NO_SPACE;
    if (jobs > MAX_JOBS)
        jobs = MAX_JOBS;
    if (crew) {
        crew->report = report;
        crew->paths = paths;
    }
    while (crew && (crew->count || (next < count && rc == 0 && !*stop))) {
        size_t running = 0;
        for (size_t i = 0; i < crew->count; i++) {
            struct child *child = &crew->children[i];
            running += child->tape >= 0;
            if (*stop && !child->asked && child->tape >= 0)
                child->asked = kill(child->pid, SIGTERM) == 0;
        }
        while (rc == 0 && !*stop && next < count && running < jobs && crew->count < MAX_JOBS) {
            rc = start(crew, next, run, context);
            next++;
            running++;
        }
        listen_to(crew);
        if (crew->count && !*stop)
            play(crew, &crew->children[0]);
        while (crew->count && crew->children[0].tape < 0)
            end_first(crew, *stop != 0);
    }
    free(crew);
    return rc;
}

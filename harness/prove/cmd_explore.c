/* The verb `explore`: which scripts, which cells, how many seeds, and what is shown. */
#include "agent/update/session.h"
#include "harness/files/files.h"
#include "harness/prove/shrink.h"
#include "harness/run/apart.h"
#include "harness/run/collect.h"
#include "harness/run/kit.h"
#include "harness/run/matrix.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SCRIPT (256u * 1024u)
#define MAX_JOBS   64u
#define FOUND      4u /* failures of a cell that a child keeps; then it goes on with the next cell */
#define LOOK_US    100000u

#define CHILD_FAILED 3 /* a history failed, and there are more */

static const char *const help =
    "usage: nobrick explore [option...] PATH...\n"
    "\n"
    "Plays histories of scenarios in the virtual world: faults that a seed draws, in front of the\n"
    "script's own device steps. What a device must bear may not show; then everything is healed,\n"
    "and it must come to rest where the script without faults does, and have reported the same.\n"
    "A script without faults must pass as it stands first. Failures are made small.\n"
    "\n"
    "  --seeds N   so many histories of each cell (default: 100)\n"
    "  --seed S    the first seed (default: 1)\n"
    "  --jobs N    processes side by side (default: one a processor)\n"
    "  --json      the summary as JSON\n"
    "\n"
    "exit: 0 nothing found, 1 failures, 2 bad script or usage\n"
    "\n"
    "example:\n"
    "  nobrick explore --seeds 1000 anycloud/first-update.ota\n";

struct options {
    uint64_t seeds;
    uint64_t first;
    unsigned jobs;
    bool json;
};

struct found {
    uint64_t seed;
    enum nb_verdict verdict;
    char reason[NB_LINE];
};

/* What a child has done: in memory that it shares with the parent. */
struct job {
    uint64_t seed; /* being played */
    uint64_t next; /* counted from the first one */
    uint64_t done;
    struct nb_tally tally;
    struct found found[FOUND];
    size_t found_count;
};

struct search {
    struct options options;
    struct nb_kit *kit;
    struct job *jobs;
    struct nb_tally tally;
    size_t cells;
    size_t skipped;
    size_t bad; /* scripts or cells that cannot be explored at all */
    size_t failures;
    double begin;
    bool terminal;
    cJSON *list; /* of failures, under --json */
};

/* ---- one cell ---------------------------------------------------------------------------- */

static void keep(struct job *job, const struct nb_outcome *outcome)
{
    for (size_t i = 0; i < job->found_count; i++)
        if (nb_same_reason(job->found[i].reason, outcome->reason))
            return;
    struct found *found = &job->found[job->found_count++];
    found->seed = job->seed;
    found->verdict = outcome->verdict;
    memcpy(found->reason, outcome->reason, sizeof found->reason);
}

/* The seeds of one child: every jobs-th. It ends with a history that fails: what that one leaves in
 * static memory is nothing to the next. */
static int play_seeds(const struct search *search, struct nb_explorer *explorer, unsigned number)
{
    struct job *job = &search->jobs[number];
    struct nb_drawn drawn[NB_DRAWN];
    while (job->next < search->options.seeds && job->found_count < FOUND && !nb_run_stop) {
        struct nb_outcome outcome = {0};
        job->seed = search->options.first + job->next;
        job->next += search->options.jobs;
        (void)nb_explorer_draw(explorer, job->seed, drawn);
        alarm(NB_APART_SECONDS);
        nb_explorer_play(explorer, job->seed, &outcome);
        nb_explorer_tally(explorer, &job->tally);
        job->done++;
        if (outcome.verdict != NB_PASS && !nb_run_stop) {
            keep(job, &outcome);
            return CHILD_FAILED;
        }
    }
    return 0;
}

static uint64_t histories(const struct search *search)
{
    uint64_t count = search->tally.histories;
    for (unsigned i = 0; i < search->options.jobs; i++)
        count += search->jobs[i].done;
    return count;
}

static void show_progress(const struct search *search, const char *name)
{
    double seconds = nb_seconds() - search->begin;
    uint64_t count = histories(search);
    if (search->terminal)
        fprintf(stderr, "\r\033[K%llu histories, %.0f/s, %zu failures  %.60s",
                (unsigned long long)count, seconds > 0 ? (double)count / seconds : 0.0,
                search->failures, name);
}

static pid_t start_child(const struct search *search, struct nb_explorer *explorer, unsigned number)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(getppid() == parent ? play_seeds(search, explorer, number) : 0);
}

/* A child that died of its history is a failure, too: which, is seen when it is played again. */
static void note_death(struct job *job)
{
    struct nb_outcome outcome = {0};
    nb_outcome_set(&outcome, NB_FAIL, "the program itself dies");
    job->done++;
    keep(job, &outcome);
}

/* A child has ended; its seeds may go on in another one. */
static void child_ended(const struct search *search, struct nb_explorer *explorer, pid_t pids[],
                        unsigned number, int status)
{
    struct job *job = &search->jobs[number];
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    pids[number] = 0;
    if (nb_run_stop || ended)
        return;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != CHILD_FAILED)
        note_death(job);
    if (job->found_count < FOUND && job->next < search->options.seeds)
        pids[number] = start_child(search, explorer, number);
}

static void wait_for(const struct search *search, struct nb_explorer *explorer, pid_t *pids,
                     const char *name)
{
    for (unsigned i = 0; i < search->options.jobs;) {
        int status = 0;
        pid_t ended = pids[i] > 0 ? waitpid(-1, &status, search->terminal ? WNOHANG : 0) : 0;
        if (pids[i] <= 0) {
            i++;
            continue;
        }
        for (unsigned k = 0; ended > 0 && k < search->options.jobs; k++)
            if (pids[k] == ended) {
                child_ended(search, explorer, pids, k, status);
                break;
            }
        if (ended < 0 && errno != EINTR)
            return;
        for (unsigned k = 0; nb_run_stop && k < search->options.jobs; k++)
            if (pids[k] > 0)
                kill(pids[k], SIGTERM);
        show_progress(search, name);
        if (ended == 0)
            usleep(LOOK_US);
    }
}

/* ---- failures ---------------------------------------------------------------------------- */

static void print_story(const struct nb_outcome *outcome)
{
    for (size_t i = 0; i < outcome->story_count; i++)
        printf("    %s\n", outcome->story[i]);
}

static void add_json(struct search *search, const char *id, const char *small,
                     const struct found *found, const char *script)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "replay", id);
    cJSON_AddStringToObject(item, "reason", found->reason);
    cJSON_AddStringToObject(item, "shrunk", small);
    cJSON_AddStringToObject(item, "script", script);
    cJSON_AddItemToArray(search->list, item);
}

/* Played alone, in a process that played nothing else before. */
static void play_again(struct nb_explorer *explorer, struct found *found)
{
    struct nb_drawn drawn[NB_DRAWN];
    struct nb_outcome outcome = {0};
    (void)nb_explorer_draw(explorer, found->seed, drawn);
    nb_explorer_play_apart(explorer, found->seed, &outcome);
    if (outcome.verdict == NB_PASS) {
        snprintf(found->reason, sizeof found->reason,
                 "an earlier history left something in static memory: alone it passes");
        return;
    }
    found->verdict = outcome.verdict;
    memcpy(found->reason, outcome.reason, sizeof found->reason);
}

static void report_failure(struct search *search, struct nb_explorer *explorer, const char *text,
                           const char *path, struct found *found)
{
    char id[NB_ID];
    char small[NB_ID] = "";
    struct nb_shrunk shrunk = {0};
    struct nb_drawn drawn[NB_DRAWN];
    struct nb_cell cell = *nb_explorer_cell(explorer);
    cell.seed = found->seed;
    cell.drawn_given = false;
    nb_replay_id(path, &cell, "", id, sizeof id);
    search->failures++;
    if (search->terminal)
        fputs("\r\033[K", stderr);
    play_again(explorer, found);
    size_t count = nb_explorer_draw(explorer, found->seed, drawn);
    bool smaller = nb_shrink(explorer, text, found->seed, drawn, count, &shrunk) == 0;
    if (smaller) {
        cell.seed = shrunk.seed;
        cell.drawn_given = true;
        memcpy(cell.drawn, shrunk.drawn, sizeof cell.drawn);
        cell.drawn_count = shrunk.count;
        nb_replay_id(path, &cell, "", small, sizeof small);
    }
    if (search->options.json) {
        add_json(search, id, small, found, smaller ? shrunk.script : "");
    } else {
        printf("%s  %s\n", nb_verdict_word(found->verdict), path);
        if (smaller)
            print_story(&shrunk.outcome);
        else
            printf("    >> %s\n", found->reason);
        printf("    nobrick replay '%s'\n", id);
        if (smaller)
            printf("    nobrick replay '%s'\n    shrunk in %u plays, as a script:\n\n%s\n", small,
                   shrunk.plays, shrunk.script);
        fflush(stdout);
    }
    nb_shrunk_free(&shrunk);
}

/* The failures that all children found, each kind once. */
static void report_failures(struct search *search, struct nb_explorer *explorer, const char *text,
                            const char *path)
{
    struct job all = {0};
    for (unsigned i = 0; i < search->options.jobs; i++) {
        const struct job *job = &search->jobs[i];
        for (size_t k = 0; k < job->found_count && all.found_count < FOUND; k++) {
            bool known = false;
            for (size_t n = 0; n < all.found_count; n++)
                known = known || nb_same_reason(all.found[n].reason, job->found[k].reason);
            if (!known)
                all.found[all.found_count++] = job->found[k];
        }
    }
    for (size_t i = 0; i < all.found_count && !nb_run_stop; i++)
        report_failure(search, explorer, text, path, &all.found[i]);
}

struct opening {
    const char *text;
    const char *path;
    const struct nb_cell *cell;
};

static int try_opening(void *context, struct nb_outcome *outcome)
{
    const struct opening *opening = context;
    nb_explorer_free(nb_explorer_new(opening->text, opening->path, opening->cell, outcome));
    return 0;
}

static void explore_cell(struct search *search, const char *text, const char *path,
                         const struct nb_cell *cell)
{
    pid_t pids[MAX_JOBS] = {0};
    char name[256];
    struct nb_outcome outcome = {0};
    struct opening opening = {text, path, cell};
    nb_cell_name(cell, name, sizeof name);
    int rc = nb_apart(try_opening, &opening, &outcome); /* should the program die of it */
    if (rc)
        nb_outcome_set(&outcome, NB_ERROR, "%s", ota_err_text(rc));
    struct nb_explorer *explorer =
        outcome.verdict == NB_PASS ? nb_explorer_new(text, path, cell, &outcome) : NULL;
    if (!explorer) {
        search->skipped += outcome.verdict == NB_SKIP;
        search->failures += outcome.verdict == NB_FAIL;
        search->bad += outcome.verdict == NB_ERROR;
        if (outcome.verdict != NB_SKIP)
            fprintf(stderr, "%snobrick explore: %s %s: %s\n", search->terminal ? "\r\033[K" : "",
                    path, name, outcome.reason);
        return;
    }
    search->cells++;
    memset(search->jobs, 0, search->options.jobs * sizeof *search->jobs);
    fflush(stdout);
    for (unsigned i = 0; i < search->options.jobs; i++) {
        search->jobs[i].next = i;
        pids[i] = start_child(search, explorer, i);
    }
    wait_for(search, explorer, pids, path);
    report_failures(search, explorer, text, path);
    for (unsigned i = 0; i < search->options.jobs; i++)
        nb_tally_add(&search->tally, &search->jobs[i].tally);
    memset(search->jobs, 0, search->options.jobs * sizeof *search->jobs);
    nb_explorer_free(explorer);
}

/* ---- scripts ----------------------------------------------------------------------------- */

static void explore_script(struct search *search, const char *path)
{
    static const struct nb_choice choice = {.world = "virtual"};
    struct nb_script script;
    struct nb_matrix matrix;
    struct flash_text_error error;
    uint8_t *bytes = NULL;
    size_t size = 0;
    char shown[256];
    bool here = false;
    nb_path_shown(path, shown, sizeof shown);
    if (nb_script_load(path, &script, &error) != 0 ||
        nb_read_file(path, MAX_SCRIPT, &bytes, &size) != 0) {
        search->bad++;
        return;
    }
    char *text = strndup((const char *)bytes, size);
    free(bytes);
    for (size_t i = 0; i < script.world.count; i++)
        here = here || strcmp(script.world.items[i], "virtual") == 0;
    if (!text || !here || !script.needs_cloud) {
        search->skipped++;
    } else if (nb_matrix_expand(&script, &choice, &matrix, &error) != 0) {
        fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column, error.message);
        search->bad++;
    } else {
        for (size_t i = 0; i < matrix.count && !nb_run_stop; i++) {
            matrix.cells[i].kit = search->kit;
            explore_cell(search, text, shown, &matrix.cells[i]);
        }
        nb_matrix_free(&matrix);
    }
    free(text);
    nb_script_free(&script);
}

/* ---- summary ----------------------------------------------------------------------------- */

static void print_faults(const struct nb_tally *tally)
{
    puts("\nfaults                                       armed      fired");
    for (size_t i = 0; i < nb_script_verb_count && i < NB_VERBS_MAX; i++)
        if (tally->armed[i] > 0)
            printf("  %-38s %9llu  %9llu\n", nb_script_verbs[i].pattern,
                   (unsigned long long)tally->armed[i], (unsigned long long)tally->fired[i]);
}

static void print_states(const struct nb_tally *tally)
{
    unsigned states = 0;
    unsigned reached = 0;
    unsigned ways = 0;
    unsigned taken = 0;
    puts("\nstates                                     entered");
    for (unsigned s = 0; ota_state_word(s) && s < NB_STATES_MAX; s++) {
        states++;
        reached += tally->states[s] > 0;
        printf("  %-38s %9llu  to", ota_state_word(s), (unsigned long long)tally->states[s]);
        for (unsigned to = 0; ota_state_word(to) && to < NB_STATES_MAX; to++) {
            if (!ota_state_leads_to(s, to))
                continue;
            ways++;
            taken += tally->transitions[s][to] > 0;
            printf(" %s%s%s", tally->transitions[s][to] ? "" : "(", ota_state_word(to),
                   tally->transitions[s][to] ? "" : ")");
        }
        putchar('\n');
    }
    printf("%u of %u states reached; %u of %u transitions that the table allows, others in "
           "brackets\n",
           reached, states, taken, ways);
}

static void print_summary(const struct search *search)
{
    const struct nb_tally *tally = &search->tally;
    double seconds = nb_seconds() - search->begin;
    print_faults(tally);
    print_states(tally);
    printf("\n%llu boots, %llu power cuts, %llu resets\n", (unsigned long long)tally->boots,
           (unsigned long long)tally->cuts, (unsigned long long)tally->resets);
    printf("%llu seeds over %zu cells in %.1f s: %.0f seeds/s; %zu failures, %zu scripts or cells "
           "skipped\n",
           (unsigned long long)tally->histories, search->cells, seconds,
           seconds > 0 ? (double)tally->histories / seconds : 0.0, search->failures,
           search->skipped);
}

static void json_states(const struct nb_tally *tally, cJSON *to)
{
    cJSON *states = cJSON_AddObjectToObject(to, "states");
    cJSON *transitions = cJSON_AddObjectToObject(to, "transitions");
    for (unsigned s = 0; ota_state_word(s) && s < NB_STATES_MAX; s++) {
        cJSON_AddNumberToObject(states, ota_state_word(s), (double)tally->states[s]);
        for (unsigned next = 0; ota_state_word(next) && next < NB_STATES_MAX; next++) {
            char name[80];
            snprintf(name, sizeof name, "%s %s", ota_state_word(s), ota_state_word(next));
            if (ota_state_leads_to(s, next))
                cJSON_AddNumberToObject(transitions, name, (double)tally->transitions[s][next]);
        }
    }
}

static void print_json(struct search *search)
{
    const struct nb_tally *tally = &search->tally;
    cJSON *all = cJSON_CreateObject();
    cJSON *faults = cJSON_AddArrayToObject(all, "faults");
    double seconds = nb_seconds() - search->begin;
    cJSON_AddNumberToObject(all, "seeds", (double)tally->histories);
    cJSON_AddNumberToObject(all, "cells", (double)search->cells);
    cJSON_AddNumberToObject(all, "seconds", seconds);
    cJSON_AddNumberToObject(all, "boots", (double)tally->boots);
    cJSON_AddNumberToObject(all, "cuts", (double)tally->cuts);
    cJSON_AddNumberToObject(all, "resets", (double)tally->resets);
    for (size_t i = 0; i < nb_script_verb_count && i < NB_VERBS_MAX; i++) {
        if (tally->armed[i] == 0)
            continue;
        cJSON *fault = cJSON_CreateObject();
        cJSON_AddStringToObject(fault, "fault", nb_script_verbs[i].pattern);
        cJSON_AddNumberToObject(fault, "armed", (double)tally->armed[i]);
        cJSON_AddNumberToObject(fault, "fired", (double)tally->fired[i]);
        cJSON_AddItemToArray(faults, fault);
    }
    json_states(tally, all);
    cJSON_AddItemToObject(all, "failures", search->list);
    search->list = NULL;
    char *text = cJSON_Print(all);
    if (text)
        puts(text);
    free(text);
    cJSON_Delete(all);
}

/* ---- the verb ---------------------------------------------------------------------------- */

static void on_signal(int number)
{
    nb_run_stop = number;
}

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick explore: %s%s%s (nobrick explore --help)\n", what, value ? ": " : "",
            value ? value : "");
    return 2;
}

static bool number_from(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= least &&
           *out <= most;
}

static int explore_all(struct search *search, const struct nb_paths *paths)
{
    char reason[NB_LINE];
    search->kit = nb_kit_new(reason, sizeof reason);
    if (!search->kit) {
        fprintf(stderr, "nobrick explore: %s\n", reason);
        return 2;
    }
    search->jobs = mmap(NULL, MAX_JOBS * sizeof *search->jobs, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (search->jobs == MAP_FAILED) {
        nb_kit_free(search->kit);
        return 2;
    }
    search->list = cJSON_CreateArray();
    search->terminal = isatty(STDERR_FILENO) == 1;
    search->begin = nb_seconds();
    for (size_t i = 0; i < paths->count && !nb_run_stop; i++)
        explore_script(search, paths->items[i]);
    if (search->terminal)
        fputs("\r\033[K", stderr);
    if (search->options.json)
        print_json(search);
    else
        print_summary(search);
    cJSON_Delete(search->list);
    munmap(search->jobs, MAX_JOBS * sizeof *search->jobs);
    nb_kit_free(search->kit);
    if (nb_run_stop)
        return 128 + nb_run_stop;
    if (search->bad || fflush(stdout) != 0)
        return 2;
    return search->failures ? 1 : search->cells ? 0 : 2;
}

/* 0, or the exit code of bad usage; -1 when the help was wanted. */
static int take_options(int argc, char **argv, struct options *out)
{
    enum { SEEDS = 256, SEED, JOBS, JSON, HELP };
    static const struct option long_options[] = {
        {"seeds", required_argument, NULL, SEEDS}, {"seed", required_argument, NULL, SEED},
        {"jobs", required_argument, NULL, JOBS},   {"json", no_argument, NULL, JSON},
        {"help", no_argument, NULL, HELP},         {NULL, 0, NULL, 0},
    };
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = processors > 0 && processors <= (long)MAX_JOBS ? (uint64_t)processors : 1;
    *out = (struct options){.seeds = 100, .first = 1};
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        if (option == HELP)
            return -1;
        if (option == JSON)
            out->json = true;
        else if (option == SEEDS && !number_from(optarg, 1, UINT32_MAX, &out->seeds))
            return usage("--seeds wants a number", optarg);
        else if (option == SEED && !number_from(optarg, 0, UINT64_MAX, &out->first))
            return usage("--seed wants a number", optarg);
        else if (option == JOBS && !number_from(optarg, 1, MAX_JOBS, &jobs))
            return usage("--jobs wants a number from 1 to 64", optarg);
        else if (option == ':' || option == '?')
            return usage(option == ':' ? "this option needs a value" : "unknown option",
                         argv[optind - 1]);
    }
    out->jobs = (unsigned)jobs;
    return optind == argc ? usage("which scenarios?", NULL) : 0;
}

int nb_cmd_explore(int argc, char **argv)
{
    struct search search = {0};
    struct nb_paths paths = {0};
    int rc = take_options(argc, argv, &search.options);
    if (rc < 0)
        return fputs(help, stdout) < 0 ? 2 : 0;
    for (int i = optind; rc == 0 && i < argc; i++) {
        rc = nb_paths_add(&paths, argv[i]);
        if (rc) {
            nb_paths_free(&paths);
            return usage("no such scenario, or no .ota file in the directory", argv[i]);
        }
    }
    if (rc)
        return rc;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    rc = explore_all(&search, &paths);
    nb_paths_free(&paths);
    return rc;
}

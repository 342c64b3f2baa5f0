/* The verbs `prove` and `replay` for plugins. */
#include "harness/prove/plugin_prove.h"

#include "harness/cli/paths.h"
#include "harness/prove/crew.h"
#include "harness/prove/plugin_object.h"
#include "harness/prove/verdicts.h"
#include "harness/report/report.h"
#include "harness/run/collect.h"
#include "harness/run/matrix.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plan {
    const char *plugin;
    const char *verb;
    struct nb_plugin_device device;
    struct nb_cell cells[NB_PLUGIN_CASES];
    struct nb_verdicts verdicts;
};

/* Is it a plugin? In a child: to load it is to run some of it. 0, or 2 with one line said. */
static int check_plugin(const char *verb, const char *path)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char reason[512];
        struct nb_plugin *plugin;
        int err = nb_plugin_open(path, &plugin, reason, sizeof reason);
        if (err != 0)
            fprintf(stderr, "nobrick %s: %s\n", verb, reason);
        _exit(err != 0 ? 2 : 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        fprintf(stderr, "nobrick %s: no process can be started\n", verb);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "nobrick %s: %s: dies of signal %d while it is loaded\n", verb, path,
                WTERMSIG(status));
    else
        return WEXITSTATUS(status);
    return 2;
}

/* The device file, and that each of its cases can be made. 0, or 2 with one line said. */
static int load_device(struct plan *plan, const char *name)
{
    char path[512];
    struct flash_text_error error;
    int err = nb_device_path(name, path, sizeof path);
    if (err != 0)
        snprintf(path, sizeof path, "%s", name); /* the system says why */
    err = nb_plugin_device_load(path, nb_parts_dir(), &plan->device, &error);
    for (size_t i = 0; err == 0 && i < plan->device.case_count; i++) {
        struct flash_sim *sim;
        struct nb_plugin_image old;
        struct nb_plugin_image new;
        err = nb_plugin_case_make(&plan->device, &plan->device.cases[i], &sim, &old, &new, &error);
        if (err == 0) {
            flash_sim_close(sim);
            free(old.data);
            free(new.data);
        }
    }
    if (err != 0 && error.line != 0)
        fprintf(stderr, "nobrick %s: %s:%u:%u: %s\n", plan->verb, path, error.line, error.column,
                error.message);
    else if (err != 0)
        fprintf(stderr, "nobrick %s: %s: %s\n", plan->verb, path, error.message);
    return err != 0 ? 2 : 0;
}

static void play(void *context, size_t index, struct nb_outcome *outcome)
{
    const struct plan *plan = context;
    nb_plugin_prove(plan->plugin, &plan->device, &plan->cells[index], outcome);
}

static void tell(void *context, size_t index, const struct nb_outcome *outcome)
{
    struct plan *plan = context;
    char name[256];
    char id[NB_ID];
    nb_cell_name(&plan->cells[index], name, sizeof name);
    nb_replay_id(plan->plugin, &plan->cells[index], outcome->cuts, id, sizeof id);
    nb_verdicts_add(&plan->verdicts, plan->plugin, name, &plan->cells[index], id, outcome);
}

int nb_plugin_prove_all(const char *plugin, const struct nb_cell *cell, size_t jobs, bool json)
{
    struct plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        return 2;
    plan->plugin = plugin;
    plan->verb = "prove";
    plan->verdicts = (struct nb_verdicts){.json = json, .out = stdout};
    int code = load_device(plan, cell->device);
    if (code == 0)
        code = check_plugin(plan->verb, plugin);
    if (code == 0) {
        size_t count = plan->device.case_count;
        for (size_t i = 0; i < count; i++) {
            plan->cells[i] = *cell;
            plan->cells[i].map = i == 0 ? cell->map : NULL;
            memcpy(plan->cells[i].plugin_case, plan->device.cases[i].name, NB_WORD);
        }
        nb_run_catch_signals();
        const struct nb_crew crew = {plan, play, tell};
        int err = nb_crew_run(&crew, count, jobs, &nb_run_stop);
        code = err == 0 ? nb_verdicts_end(&plan->verdicts, count) : 2;
    }
    free(plan);
    return nb_run_stop != 0 ? 128 + nb_run_stop : code;
}

static int report(const char *plugin, const struct nb_cell *cell, struct nb_outcome *outcome)
{
    struct nb_report report;
    char name[256];
    char id[NB_ID];
    if (!outcome->cuts[0]) /* a replay that fails is to be repeated with the same cuts */
        nb_cuts_print(cell, outcome->cuts, sizeof outcome->cuts);
    nb_cell_name(cell, name, sizeof name);
    nb_replay_id(plugin, cell, outcome->cuts, id, sizeof id);
    if (nb_report_open(&report, stdout, isatty(STDOUT_FILENO) == 1, NULL) != 0)
        return 2;
    report.colour = report.terminal && nb_report_wants_colour();
    nb_report_plan(&report, 1);
    nb_report_begin(&report, plugin, name, 1, 0);
    nb_report_cell(&report, "", id, outcome);
    nb_report_end(&report);
    return nb_report_close(&report) != 0 ? 2 : nb_report_exit_code(&report);
}

int nb_plugin_replay(const char *plugin, const struct nb_cell *cell)
{
    struct plan *plan = calloc(1, sizeof *plan);
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    int code = plan != NULL && outcome != NULL ? 0 : 2;
    if (code == 0) {
        plan->plugin = plugin;
        plan->verb = "replay";
        code = load_device(plan, cell->device);
    }
    if (code == 0 && nb_plugin_case_find(&plan->device, cell->plugin_case) == NULL) {
        fprintf(stderr, "nobrick replay: %s: no case '%s'\n", cell->device, cell->plugin_case);
        code = 2;
    }
    if (code == 0) {
        double begin = nb_seconds();
        nb_plugin_prove(plugin, &plan->device, cell, outcome);
        outcome->seconds = nb_seconds() - begin;
        if (outcome->verdict == NB_ERROR)
            fprintf(stderr, "nobrick replay: %s\n", outcome->reason);
        code = outcome->verdict == NB_ERROR ? 2 : report(plugin, cell, outcome);
    }
    free(outcome);
    free(plan);
    return code;
}

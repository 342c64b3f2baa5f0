#include "harness/prove/plugin_prove.h"

#include "harness/prove/map.h"
#include "harness/prove/plugin_machine.h"
#include "harness/prove/prove.h"
#include "harness/prove/repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OPS 200000u /* of one boot; more is a loop without end */
#define OLD     "old"
#define NEW     "new"

/* What a child leaves behind, however it ends. */
struct trace {
    struct nb_outcome outcome;
    struct nb_cut chain[NB_CUTS]; /* the runs that led to the present boot */
    size_t chain_length;
    bool boots; /* a boot of the plugin was begun */
    bool done;
};

struct task {
    const char *plugin;
    const struct nb_plugin_device *device;
    const struct nb_cell *cell;
    struct trace *trace;
    struct nb_plugin_machine machine;
};

/* ---- in a child ---- */

static bool open_machine(struct task *task)
{
    struct nb_outcome *outcome = &task->trace->outcome;
    struct flash_text_error error;
    struct nb_plugin *plugin;
    char reason[NB_LINE];
    if (nb_plugin_open(task->plugin, &plugin, reason, sizeof reason) != 0) {
        nb_outcome_set(outcome, NB_ERROR, "%s", reason);
        return false;
    }
    const struct nb_plugin_case *which = nb_plugin_case_find(task->device, task->cell->plugin_case);
    if (nb_plugin_machine_open(&task->machine, task->device, which, plugin, &error) != 0) {
        nb_outcome_set(outcome, NB_ERROR, "line %u: %s", error.line, error.message);
        return false;
    }
    return true;
}

static void led_by(void *context, const struct nb_cut *chain, size_t length)
{
    struct nb_plugin_machine *machine = context;
    struct task *task = machine->owner;
    memcpy(task->trace->chain, chain, sizeof task->trace->chain);
    task->trace->chain_length = length;
    task->trace->boots = true;
    if (nb_run_stop != 0)
        task->machine.hung = nb_run_stop;
}

static int draw(const struct task *task, const struct nb_search *search)
{
    const struct nb_outcome *outcome = &task->trace->outcome;
    struct nb_seen_op *ops = NULL;
    char subtitle[NB_LINE];
    snprintf(subtitle, sizeof subtitle, "on %s%s%s", task->device->device.name,
             task->cell->plugin_case[0] ? ", case " : "", task->cell->plugin_case);
    struct nb_map map = {
        .title = task->plugin,
        .subtitle = subtitle,
        .verdict = outcome->note_count != 0 ? outcome->notes[0] : "",
        .old = OLD,
        .new = NEW,
    };
    for (size_t i = task->device->area_count; i-- > 0;) {
        const struct nb_plugin_area *area = &task->device->areas[i];
        if (!area->read_only)
            map.areas[map.area_count++] =
                (struct nb_map_area){area->name, area->region.address, area->region.size};
    }
    int err = nb_search_ops(search, &ops, &map.op_count);
    map.ops = ops;
    if (err == 0)
        err = nb_map_write(&map, task->cell->map);
    free(ops);
    return err;
}

static void judge(struct nb_outcome *outcome)
{
    const struct nb_proof *proof = &outcome->proof;
    char text[NB_LINE];
    if (proof->failures != 0) {
        nb_prove_failure(proof, outcome, text, sizeof text);
        nb_outcome_set(outcome, NB_FAIL, "%s", text);
    } else if (!proof->closed) {
        nb_outcome_set(outcome, NB_ERROR, "not proved: %s", proof->stopped);
    } else if (proof->states == 1) {
        nb_outcome_set(outcome, NB_VACUOUS, "no flash operation happens that a cut could meet");
    }
}

static void search(struct task *task)
{
    struct nb_outcome *outcome = &task->trace->outcome;
    const struct nb_search_options options = {
        .tears = task->cell->tears, .unmasked = task->cell->unmasked, .max_ops = MAX_OPS};
    struct nb_search *found = NULL;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int fd = STDOUT_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
        (void)dup2(nowhere, fd); /* what a plugin prints in thousands of boots helps nobody */
    if (!open_machine(task))
        return;
    task->machine.owner = task;
    task->machine.machine.led_by = led_by;
    int err = nb_search_run(&task->machine.machine, NB_PHASE_UNKNOWN, &options, &task->machine.hung,
                            &found, &outcome->proof);
    if (err != 0) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(err));
        return;
    }
    nb_prove_figures(task->cell, &outcome->proof, OLD, NEW, outcome);
    outcome->points = outcome->proof.edges;
    judge(outcome);
    if (task->cell->map != NULL && draw(task, found) != 0) {
        char reason[NB_LINE] = "";
        enum nb_verdict verdict = nb_prove_mapless(outcome->verdict, reason, outcome);
        nb_outcome_set(outcome, verdict, "%s", reason);
    }
}

static void tell(void *context, const char *line)
{
    struct task *task = context;
    if (task->machine.detail[0])
        nb_story_add(&task->trace->outcome, "%s", task->machine.detail);
    task->machine.detail[0] = '\0';
    nb_story_add(&task->trace->outcome, "%s", line);
}

static void repeat(struct task *task)
{
    struct nb_outcome *outcome = &task->trace->outcome;
    const char *wrong;
    (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* what it prints is no result of ours */
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!open_machine(task))
        return;
    struct nb_repeat chain = {&task->machine.machine, NB_PHASE_UNKNOWN, OLD, NEW, task, tell};
    task->trace->boots = true;
    enum nb_verdict verdict = nb_repeat(&chain, task->cell->cuts, task->cell->cut_count, &wrong);
    if (verdict != NB_PASS)
        nb_outcome_set(outcome, verdict, "%s", wrong);
}

/* ---- in the parent ---- */

/* Does the work in a child, and fills its trace. */
static int in_child(void (*work)(struct task *task), struct task *task)
{
    int status = 0;
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) {
            work(task);
            task->trace->done = true;
        }
        _exit(0);
    }
    if (pid < 0)
        return OTA_E_IO;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (task->trace->done)
        return 0;
    char how[80];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "the bootloader ends its process (signal %d)", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "the bootloader ends its process (exit %d)", WEXITSTATUS(status));
    nb_outcome_set(&task->trace->outcome, task->trace->boots ? NB_FAIL : NB_ERROR, "%s", how);
    return 0;
}

/* The search ended in a boot that ended the process: its chain, and that boot. */
static void take_last_chain(const struct trace *trace, struct nb_outcome *outcome)
{
    struct nb_proof *proof = &outcome->proof;
    char how[NB_LINE];
    memcpy(how, outcome->reason, sizeof how);
    memcpy(proof->chain, trace->chain, sizeof proof->chain);
    proof->chain_length = trace->chain_length;
    if (proof->chain_length < NB_CUTS)
        proof->chain[proof->chain_length++] =
            (struct nb_cut){.tear = FLASH_TEAR_NONE, .action = NB_ACTION_BOOT};
    proof->reason = how;
    proof->failures = 1;
    nb_prove_failure(proof, outcome, outcome->reason, sizeof outcome->reason);
    proof->reason = NULL;
}

/* The failure of `outcome` happens in another process, too: its story. Else the verdict is that
 * nothing was found out. */
static void confirm(struct task *task, struct nb_outcome *outcome)
{
    struct nb_cell cell = *task->cell;
    struct trace *trace = task->trace;
    memcpy(cell.cuts, outcome->proof.chain, sizeof cell.cuts);
    cell.cut_count = outcome->proof.chain_length;
    memset(trace, 0, sizeof *trace);
    task->cell = &cell;
    int err = in_child(repeat, task);
    outcome->story_count = 0;
    if (err == 0 && trace->outcome.verdict == NB_FAIL) {
        for (size_t i = 0; i < trace->outcome.story_count; i++)
            if (strncmp(trace->outcome.story[i], ">>", 2) != 0)
                nb_story_add(outcome, "%s", trace->outcome.story[i]);
        nb_story_add(outcome, ">> %.190s", outcome->reason);
        return;
    }
    char before[120];
    snprintf(before, sizeof before, "%.110s", outcome->reason);
    nb_outcome_set(outcome, NB_ERROR,
                   "%s; but not when it is repeated: does it depend on more than flash?", before);
}

void nb_plugin_prove(const char *plugin, const struct nb_plugin_device *device,
                     const struct nb_cell *cell, struct nb_outcome *outcome)
{
    struct task *task = calloc(1, sizeof *task);
    struct trace *trace =
        mmap(NULL, sizeof *trace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (task == NULL || trace == MAP_FAILED) {
        nb_outcome_set(outcome, NB_ERROR, "memory ran out");
        free(task);
        return;
    }
    *task = (struct task){.plugin = plugin, .device = device, .cell = cell, .trace = trace};
    bool once = cell->cut_count != 0;
    int err = in_child(once ? repeat : search, task);
    *outcome = trace->outcome;
    if (err != 0)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(err));
    if (!once && !trace->done && trace->boots)
        take_last_chain(trace, outcome);
    if (!once && outcome->verdict == NB_FAIL)
        confirm(task, outcome);
    munmap(trace, sizeof *trace);
    free(task);
}

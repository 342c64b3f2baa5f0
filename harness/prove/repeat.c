#include "harness/prove/repeat.h"

#include "harness/run/bench.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OPS 2000000u /* of one run; more is a loop without end */

/* The device's flash with one cut in it. */
struct cutter {
    const struct nb_cut *cut;
    struct flash_op op; /* that was cut */
};

static enum flash_tear cut_there(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct cutter *cutter = context;
    (void)sim;
    if (op->index == MAX_OPS)
        return FLASH_TEAR_BEFORE;
    if (cutter->cut->tear == FLASH_TEAR_NONE || op->index != cutter->cut->op)
        return FLASH_TEAR_NONE;
    cutter->op = *op;
    return cutter->cut->tear;
}

static void ignore(void *context, uint32_t address, uint32_t length)
{
    (void)context;
    (void)address;
    (void)length;
}

__attribute__((format(printf, 2, 3))) static void tell(const struct nb_repeat *repeat,
                                                       const char *format, ...)
{
    char line[NB_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    repeat->tell(repeat->context, line);
}

/* One run from the present flash. True when it was cut. */
static bool play(const struct nb_repeat *repeat, const struct nb_cut *cut, struct nb_end *end)
{
    struct nb_machine *machine = repeat->machine;
    struct flash_sim *sim = machine->sim;
    struct cutter cutter = {.cut = cut};
    const struct nb_seam seam = {flash_sim_port(sim), ignore, NULL};
    struct flash_stats before;
    struct flash_stats after;
    flash_sim_stats(sim, &before);
    flash_sim_restart_count(sim);
    flash_sim_observe(sim, cut_there, &cutter);
    memset(end, 0, sizeof *end);
    machine->run(machine->context, cut->action, &seam, end);
    flash_sim_observe(sim, NULL, NULL);
    flash_sim_stats(sim, &after);
    bool is_cut = flash_sim_is_off(sim) && cut->tear != FLASH_TEAR_NONE;
    if (flash_sim_is_off(sim) && !is_cut)
        end->wrong = "the run changes flash without end";
    if (after.violations != before.violations)
        end->wrong = "the device does what its flash forbids";
    flash_sim_power_on(sim);
    if (is_cut)
        tell(repeat, "%s, power cut %s operation %u: %s %u bytes at 0x%06x",
             nb_action_word(cut->action),
             cut->tear == FLASH_TEAR_BEFORE  ? "before"
             : cut->tear == FLASH_TEAR_AFTER ? "after"
                                             : flash_tear_word(cut->tear),
             cut->op, cutter.op.kind == FLASH_OP_ERASE ? "erase" : "program", cutter.op.length,
             cutter.op.address);
    return is_cut;
}

static void tell_end(const struct nb_repeat *repeat, enum nb_action action,
                     const struct nb_end *end)
{
    const char *what = end->runs == NB_RUNS_OLD     ? repeat->old
                       : end->runs == NB_RUNS_NEW   ? repeat->new
                       : end->runs == NB_RUNS_OTHER ? "something else"
                       : end->runs == NB_RUNS_ERROR ? "nothing: an error"
                                                    : "nothing";
    if (end->wrong != NULL)
        tell(repeat, "%s: %s, after %u operations", nb_action_word(action), end->wrong,
             flash_sim_op_count(repeat->machine->sim));
    else if (action == NB_ACTION_BOOT)
        tell(repeat, "%s starts%s, after %u operations", what, end->trial ? " on trial" : "",
             flash_sim_op_count(repeat->machine->sim));
    else
        tell(repeat, "%s: %s", nb_action_word(action), end->refused ? "not possible" : "done");
}

static const char *judge_end(struct nb_repeat *repeat, const struct nb_end *end,
                             enum nb_action follows)
{
    enum nb_phase next[2];
    const char *wrong;
    size_t count = nb_judge_end(&repeat->machine->demand, repeat->phase, end, next, &wrong);
    if (count != 0)
        repeat->phase = count == 2 && follows == NB_ACTION_CONFIRM ? next[1] : next[0];
    return wrong;
}

/* Boots until two in a row have changed nothing. */
static const char *come_to_rest(struct nb_repeat *repeat)
{
    static const struct nb_cut whole = {.tear = FLASH_TEAR_NONE, .action = NB_ACTION_BOOT};
    int quiet = 0;
    struct nb_end end = {0};
    for (int i = 0; i < NB_BENCH_MAX_BOOT && quiet < 2; i++) {
        (void)play(repeat, &whole, &end);
        tell_end(repeat, NB_ACTION_BOOT, &end);
        const char *wrong = judge_end(repeat, &end, NB_ACTION_BOOT);
        if (wrong != NULL)
            return wrong;
        quiet = flash_sim_op_count(repeat->machine->sim) == 0 ? quiet + 1 : 0;
    }
    return quiet < 2 ? "boots go on changing flash for ever"
                     : nb_judge_rest(&repeat->machine->demand, repeat->phase, end.runs);
}

/* True when the chain could be played, with what is wrong; else why it is vacuous. */
static bool play_chain(struct nb_repeat *repeat, const struct nb_cut *cuts, size_t count,
                       const char **wrong)
{
    *wrong = NULL;
    for (size_t i = 0; i < count && *wrong == NULL; i++) {
        struct nb_end end;
        if (nb_phase_action(repeat->phase) != cuts[i].action) {
            *wrong = "the chain does not fit: the device does something else there";
            return false;
        }
        bool is_cut = play(repeat, &cuts[i], &end);
        if (!is_cut && cuts[i].tear != FLASH_TEAR_NONE) {
            *wrong = "a power cut of the chain never fell";
            return false;
        }
        if (is_cut) {
            repeat->phase = nb_phase_cut(repeat->phase);
            continue;
        }
        tell_end(repeat, cuts[i].action, &end);
        *wrong = judge_end(repeat, &end, i + 1 < count ? cuts[i + 1].action : NB_ACTION_BOOT);
    }
    return true;
}

enum nb_verdict nb_repeat(struct nb_repeat *repeat, const struct nb_cut *cuts, size_t count,
                          const char **wrong)
{
    bool fits = play_chain(repeat, cuts, count, wrong);
    if (fits && *wrong == NULL && nb_phase_action(repeat->phase) == NB_ACTION_BOOT)
        *wrong = come_to_rest(repeat);
    return *wrong == NULL ? NB_PASS : fits ? NB_FAIL : NB_VACUOUS;
}

/* ---- in another process ------------------------------------------------------------------ */

static void repeat_and_tell(const struct nb_script *script, const struct nb_cell *cell,
                            const struct nb_proof *proof, int fd)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    struct nb_cell again = *cell;
    if (outcome == NULL)
        return;
    again.compute = true;
    again.replay = true;
    again.map = NULL;
    memcpy(again.cuts, proof->chain, sizeof again.cuts);
    again.cut_count = proof->chain_length;
    if ((script->needs_cloud ? nb_virtual_run : nb_bench_run)(script, &again, outcome) != 0)
        outcome->verdict = NB_ERROR;
    for (size_t done = 0; done < sizeof *outcome;) {
        ssize_t put = write(fd, (const char *)outcome + done, sizeof *outcome - done);
        if (put <= 0)
            return;
        done += (size_t)put;
    }
}

bool nb_repeat_elsewhere(const struct nb_script *script, const struct nb_cell *cell,
                         const struct nb_proof *proof, struct nb_outcome *outcome)
{
    int ends[2];
    struct nb_outcome *told = calloc(1, sizeof *told);
    size_t got = 0;
    if (told == NULL || proof->chain_length == 0 || pipe(ends) != 0) {
        free(told);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        repeat_and_tell(script, cell, proof, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t more = 1; pid > 0 && more > 0 && got < sizeof *told;) {
        more = read(ends[0], (char *)told + got, sizeof *told - got);
        got += more > 0 ? (size_t)more : 0;
    }
    close(ends[0]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    bool fails = got == sizeof *told && told->verdict == NB_FAIL;
    for (size_t i = 0; fails && i < told->story_count; i++)
        if (strncmp(told->story[i], ">>", 2) != 0)
            nb_story_add(outcome, "%s", told->story[i]);
    free(told);
    return fails;
}

#include "harness/prove/sweep.h"
#include "harness/run/apart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW       256u /* operations between two runs of the step */
#define OP_DATA_MAX  SIM_COPY_BUFFER
#define MAX_FAILURES 100u /* then the verdict is clear enough */

/* A moment before an operation, and the ways to cut that operation. */
struct moment {
    struct flash_op op;
    uint8_t data[OP_DATA_MAX];
    struct flash_snapshot *before;
    uint32_t counter;
    enum flash_tear tears[FLASH_TEAR_COUNT];
    size_t tear_count;
};

struct sweep {
    struct nb_bench *bench;
    size_t index;
    struct flash_snapshot *start;
    struct nb_bench_state start_state;
    struct moment *moments; /* WINDOW of them */
    size_t moment_count;
    uint32_t window_from;
    bool complete; /* the step ran to its end in this window */
    int err;       /* a snapshot could not be taken, or somebody asked to stop */
    uint64_t failures;
    uint64_t seen; /* cuts, of which only a sample is tried */
    bool broken;   /* a step behind the cut could not be played: no other point can do better */
    struct nb_outcome *outcome;
};

/* Notes the operations of the window; cuts the run where the window ends. */
static enum flash_tear collect(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    struct sweep *sweep = context;
    if (op->index < sweep->window_from)
        return FLASH_TEAR_NONE;
    if (sweep->moment_count == WINDOW)
        return FLASH_TEAR_BEFORE;
    struct moment *moment = &sweep->moments[sweep->moment_count];
    moment->op = *op;
    if (op->data != NULL) {
        if (op->length > OP_DATA_MAX) {
            sweep->err = OTA_E_NO_SPACE;
            return FLASH_TEAR_BEFORE;
        }
        memcpy(moment->data, op->data, op->length);
        moment->op.data = moment->data;
    }
    moment->tear_count = flash_sim_tears_of(sim, op, sweep->bench->sweep_tears, moment->tears);
    moment->counter = sweep->bench->state.counter;
    moment->before = flash_sim_snapshot(sim);
    if (moment->before == NULL) {
        sweep->err = OTA_E_NO_SPACE;
        return FLASH_TEAR_BEFORE;
    }
    sweep->moment_count++;
    return FLASH_TEAR_NONE;
}

static enum flash_tear force(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    (void)sim;
    (void)op;
    return *(const enum flash_tear *)context;
}

/* Puts flash and state where they were before the operation, then does it, torn. */
static int branch(struct sweep *sweep, const struct moment *moment, enum flash_tear tear)
{
    struct nb_bench *bench = sweep->bench;
    const struct flash_port *port = flash_sim_port(bench->sim);
    bench->state = sweep->start_state;
    bench->state.counter = moment->counter;
    bench->state.cursor = bench->state.event_count;
    flash_sim_restore(bench->sim, moment->before);
    flash_sim_observe(bench->sim, force, &tear);
    int err = moment->op.kind == FLASH_OP_ERASE ? port->erase(port->context, moment->op.address)
                                                : port->program(port->context, moment->op.address,
                                                                moment->op.data, moment->op.length);
    flash_sim_observe(bench->sim, NULL, NULL);
    flash_sim_power_on(bench->sim);
    return err == OTA_E_POWER ? 0 : OTA_E_IO;
}

static void report_failure(struct sweep *sweep, const struct moment *moment, enum flash_tear tear,
                           enum nb_verdict verdict, const char *reason)
{
    struct nb_outcome *outcome = sweep->outcome;
    const struct nb_bench_state *state = &sweep->bench->state;
    /* The first of the worst kind is told. */
    if ((verdict == NB_FAIL && sweep->failures++ != 0) ||
        (verdict != NB_FAIL && outcome->verdict != NB_PASS))
        return;
    snprintf(outcome->cuts, sizeof outcome->cuts, "%u.%s", moment->op.index, flash_tear_word(tear));
    nb_story_add(outcome, "power cut %s operation %u: %s of %u bytes at 0x%06x",
                 tear == FLASH_TEAR_BEFORE  ? "before"
                 : tear == FLASH_TEAR_AFTER ? "after"
                                            : "inside",
                 moment->op.index, moment->op.kind == FLASH_OP_ERASE ? "erase" : "program",
                 moment->op.length, moment->op.address);
    for (size_t i = 0; i < state->event_count; i++)
        nb_story_add(outcome, "%s", state->events[i]);
    nb_outcome_set(outcome, verdict, "%s", reason);
}

/* One cut: the device comes back, and everything that follows in the script must hold. */
static int point(struct sweep *sweep, const struct moment *moment, enum flash_tear tear)
{
    struct nb_bench *bench = sweep->bench;
    char reason[NB_LINE] = "";
    if (nb_run_stop)
        return OTA_E_CANCELLED;
    char cut[NB_WORD];
    snprintf(cut, sizeof cut, "%u.%s", moment->op.index, flash_tear_word(tear));
    nb_apart_note(cut);
    int err = branch(sweep, moment, tear);
    if (err != 0)
        return err;
    sweep->outcome->points++;
    nb_bench_announce(bench, &bench->script->steps[sweep->index]);
    nb_bench_cut(bench, &bench->script->steps[sweep->index], moment->op.index, tear);
    nb_bench_boot(bench);
    enum nb_verdict verdict = nb_bench_steps(bench, sweep->index + 1, reason, sweep->outcome);
    if (verdict != NB_PASS)
        report_failure(sweep, moment, tear, verdict, reason);
    sweep->broken = verdict == NB_ERROR;
    return 0;
}

static void drop_moments(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->moment_count; i++)
        flash_snapshot_free(sweep->bench->sim, sweep->moments[i].before);
    sweep->moment_count = 0;
}

/* Runs the step from its start, collecting the operations from `from` on. */
static int run_window(struct sweep *sweep, uint32_t from)
{
    struct nb_bench *bench = sweep->bench;
    sweep->window_from = from;
    bench->state = sweep->start_state;
    flash_sim_restore(bench->sim, sweep->start);
    flash_sim_power_on(bench->sim);
    flash_sim_restart_count(bench->sim);
    flash_sim_observe(bench->sim, collect, sweep);
    int err = nb_bench_act(bench, &bench->script->steps[sweep->index]);
    flash_sim_observe(bench->sim, NULL, NULL);
    flash_sim_power_on(bench->sim);
    sweep->complete = err != OTA_E_POWER;
    return sweep->err != 0 ? sweep->err : err == OTA_E_POWER ? 0 : err;
}

static int sweep_points(struct sweep *sweep, uint32_t *operations)
{
    const uint32_t sample = sweep->bench->cell->sample;
    int err = 0;
    for (uint32_t from = 0; err == 0; from += WINDOW) {
        err = run_window(sweep, from);
        *operations = from + (uint32_t)sweep->moment_count;
        for (size_t i = 0; err == 0 && i < sweep->moment_count; i++)
            for (size_t t = 0; err == 0 && t < sweep->moments[i].tear_count && !sweep->broken &&
                               sweep->failures < MAX_FAILURES;
                 t++)
                if (sample == 0 || sweep->seen++ % sample == 0)
                    err = point(sweep, &sweep->moments[i], sweep->moments[i].tears[t]);
        drop_moments(sweep);
        if (sweep->complete || sweep->broken)
            break;
    }
    return err;
}

/* Without any cut the scenario must hold as well; afterwards everything is as it was. */
static void uncut_run(struct sweep *sweep)
{
    struct nb_bench *bench = sweep->bench;
    char reason[NB_LINE];
    enum nb_verdict verdict = NB_FAIL;
    nb_bench_announce(bench, &bench->script->steps[sweep->index]);
    int err = nb_bench_act(bench, &bench->script->steps[sweep->index]);
    snprintf(reason, sizeof reason, "the step fails without any cut: %s", ota_err_text(err));
    if (err == 0)
        verdict = nb_bench_steps(bench, sweep->index + 1, reason, sweep->outcome);
    for (size_t i = 0; verdict != NB_PASS && i < bench->state.event_count; i++)
        nb_story_add(sweep->outcome, "%s", bench->state.events[i]);
    nb_outcome_set(sweep->outcome, verdict, "%s", reason);
    flash_sim_restore(bench->sim, sweep->start);
    bench->state = sweep->start_state;
}

int nb_sweep(struct nb_bench *bench, size_t index, struct nb_outcome *outcome)
{
    struct sweep sweep = {.bench = bench, .index = index, .outcome = outcome};
    uint32_t operations = 0;
    double begin = nb_cpu_seconds();
    struct crypto_counts before;
    struct crypto_counts after;
    bench->sweep_armed = false;
    bench->state.cursor = bench->state.event_count;
    sweep.start_state = bench->state;
    sweep.start = flash_sim_snapshot(bench->sim);
    sweep.moments = calloc(WINDOW, sizeof *sweep.moments);
    int err = sweep.start != NULL && sweep.moments != NULL ? 0 : OTA_E_NO_SPACE;
    if (err == 0)
        uncut_run(&sweep);
    crypto_openssl_counts(bench->crypto, &before);
    if (err == 0 && outcome->verdict == NB_PASS)
        err = sweep_points(&sweep, &operations);
    nb_apart_rest();
    crypto_openssl_counts(bench->crypto, &after);
    double seconds = nb_cpu_seconds() - begin;
    if (err == 0 && outcome->verdict == NB_PASS && outcome->points == 0)
        nb_outcome_set(outcome, NB_VACUOUS, "the swept step does nothing to the flash");
    nb_note_add(outcome, "%u operations, %llu power cuts in %.2f s: %.0f points/s, %llu failed",
                operations, (unsigned long long)outcome->points, seconds,
                seconds > 0 ? (double)outcome->points / seconds : 0.0,
                (unsigned long long)sweep.failures);
    nb_note_add(outcome, "%llu image hashes (%llu computed), %llu signatures (%llu computed)",
                (unsigned long long)(after.hashes - before.hashes),
                (unsigned long long)(after.hashes_computed - before.hashes_computed),
                (unsigned long long)(after.verifies - before.verifies),
                (unsigned long long)(after.verifies_computed - before.verifies_computed));
    outcome->seconds += seconds;
    outcome->validations += after.hashes - before.hashes;
    if (sweep.start != NULL)
        flash_snapshot_free(bench->sim, sweep.start);
    free(sweep.moments);
    return err;
}

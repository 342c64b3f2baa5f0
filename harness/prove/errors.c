#include "harness/prove/errors.h"
#include "harness/run/apart.h"

#include <stdio.h>
#include <string.h>

/* Once without an error, then with each in turn, until the step has no such operation any more. */
static enum nb_verdict each(struct nb_bench *bench, size_t index, char reason[NB_LINE],
                            struct nb_outcome *outcome)
{
    const struct nb_bench_state start_state = bench->state;
    struct flash_snapshot *start = flash_sim_snapshot(bench->sim);
    if (start == NULL) {
        snprintf(reason, NB_LINE, "%s", ota_err_text(OTA_E_NO_SPACE));
        return NB_ERROR;
    }
    enum nb_verdict verdict = nb_bench_steps(bench, index, reason, outcome);
    for (uint32_t operation = 0; verdict == NB_PASS && !nb_run_stop; operation++) {
        char name[NB_WORD];
        snprintf(name, sizeof name, "%u.fail", operation);
        nb_apart_note(name);
        flash_sim_restore(bench->sim, start);
        bench->state = start_state;
        flash_failing_arm(&bench->failing, operation, bench->sweep_failure);
        verdict = nb_bench_steps(bench, index, reason, outcome);
        if (!bench->failing.fired) {
            verdict = operation > 0 ? NB_PASS : verdict; /* nothing but what never happened */
            break;
        }
        outcome->points++;
        if (verdict != NB_PASS)
            memcpy(outcome->cuts, name, sizeof name);
    }
    nb_apart_rest();
    flash_snapshot_free(bench->sim, start);
    return verdict;
}

int nb_errors_sweep(struct nb_bench *bench, size_t index, struct nb_outcome *outcome)
{
    char reason[NB_LINE] = "";
    double begin = nb_seconds();
    bench->sweep_armed = false;
    bench->state.cursor = bench->state.event_count;
    enum nb_verdict verdict = each(bench, index, reason, outcome);
    if (verdict == NB_VACUOUS && outcome->points == 0)
        snprintf(reason, sizeof reason, "the swept step does nothing to the flash");
    for (size_t i = 0; verdict != NB_PASS && i < bench->state.event_count; i++)
        nb_story_add(outcome, "%s", bench->state.events[i]);
    nb_outcome_set(outcome, verdict, "%s", reason);
    double seconds = nb_seconds() - begin;
    nb_note_add(outcome, "%llu flash errors in %.2f s", (unsigned long long)outcome->points,
                seconds);
    outcome->seconds += seconds;
    return nb_run_stop ? OTA_E_CANCELLED : 0;
}

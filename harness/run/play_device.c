/* Plays the steps in which devices run: once, until nothing changes, until a result was reported.
 */
#include "harness/run/act.h"
#include "harness/run/play.h"

#include <stdio.h>
#include <string.h>

#define STABLE_BOOTS  8
#define REPORT_CHECKS 8
#define HISTORY_S     (8 * 3600)
#define BROKEN_EXIT   2   /* of a device that could not even start or end in order */
#define SIGNAL_EXIT   128 /* and more: killed by a signal */

/* A device that dies, or ends otherwise than it says, did wrong even when its events look well. */
static bool ended_as_it_said(struct nb_play *play, const struct nb_step *step, int code)
{
    const char *said = nb_trace_last(&play->unit->trace, "exit");
    char words[NB_LINE];
    int told = -1;
    if (play->live_ms && code == NB_SWITCHED_OFF)
        return true;
    if (said && sscanf(said, "exit %d", &told) == 1 && told == code && code != BROKEN_EXIT)
        return true;
    play->stage->last_words(play, words, sizeof words);
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: the device ends with %d%s%s: %.110s",
                   step->line, code, said ? " and says " : " and says nothing of it",
                   said ? said : "", words);
    return false;
}

/* Runs the devices, and after a cut whose power comes back once more: a device that acts boots
 * then. */
static int run_devices(struct nb_play *play, bool boot_only, int codes[NB_DEVICES])
{
    const struct sim_world *world = play->world;
    uint64_t begin = world->now_ms(world->context);
    int rc = play->stage->run_device(play, boot_only, codes);
    play->lasted = world->now_ms(world->context) - begin;
    play->longest = play->lasted > play->longest ? play->lasted : play->longest;
    play->sweep_armed = false;
    if (rc == 0 && codes[0] == SIM_CUT_EXIT && play->cut_returns) {
        play->cut_armed = false;
        boot_only = boot_only || play->act;
        play->act = NULL;
        rc = nb_play_show_flash(play); /* was what it said before the cut true? */
        if (rc == 0)
            rc = play->stage->run_device(play, boot_only, codes);
    }
    (void)world->run(world->context, play->stage->settle_ms);
    return rc ? rc : play->err;
}

/* One device has ended with this code. */
static bool device_ended(struct nb_play *play, const struct nb_step *step, int code)
{
    const struct nb_trace *trace = &play->unit->trace;
    bool silent = true;
    for (size_t i = trace->from; i < trace->count; i++)
        silent = silent && trace->lines[i].cloud;
    if (silent && code < SIGNAL_EXIT) {
        char words[NB_LINE];
        play->stage->last_words(play, words, sizeof words);
        nb_outcome_set(play->outcome, NB_ERROR, "line %u: the device does not start: %.120s",
                       step->line, words);
        return false;
    }
    int rc = nb_play_show_flash(play);
    if (rc) {
        nb_outcome_set(play->outcome, NB_ERROR, "line %u: %s", step->line, ota_err_text(rc));
        return false;
    }
    return ended_as_it_said(play, step, code);
}

/* False: what follows was written for a device that was cut. */
static bool faults_fired(struct nb_play *play, const struct nb_step *step, bool cut_armed)
{
    const struct nb_trace *trace = &play->unit->trace;
    const char *unfired = "the power cut";
    bool misfit = cut_armed && nb_trace_last(trace, "cut-misfit");
    bool vacuous = cut_armed && !nb_trace_has(trace, "cut");
    if (misfit && !play->cell->explored) { /* whoever draws faults counts those that fire */
        nb_outcome_set(play->outcome, NB_VACUOUS,
                       "line %u: the tear `%s` does not fit operation %u", step->line,
                       flash_tear_word(play->cut.tear), play->cut.op);
        return false;
    }
    if (play->fail_armed && !play->fail_fired) {
        vacuous = true;
        unfired = "the flash error";
    }
    play->fail_armed = play->fail_fired = false;
    vacuous = nb_net_end_step(&play->net, &unfired) > 0 || vacuous;
    if (vacuous && !play->cell->explored)
        nb_outcome_set(play->outcome, NB_VACUOUS, "line %u: %s armed for it never fired",
                       step->line, unfired);
    return true;
}

static bool run_step(struct nb_play *play, const struct nb_step *step, bool boot_only)
{
    int codes[NB_DEVICES] = {0};
    bool cut_armed = play->cut_armed;
    const struct sim_act act =
        nb_act_of(step, &play->units[0].staged, step->permanent || play->cell->permanent);
    const enum nb_oracle_confirms confirms = act.kind == SIM_ACT_CONFIRM ? NB_CONFIRMS_AT_ONCE
                                             : act.kind || boot_only     ? NB_CONFIRMS_NOTHING
                                                                         : NB_CONFIRMS_AFTER_BOOT;
    play->act = act.kind ? &act : NULL;
    for (size_t i = 0; i < play->unit_count; i++) {
        nb_trace_step(&play->units[i].trace);
        nb_oracle_step(&play->units[i].oracle, confirms);
    }
    int rc = run_devices(play, boot_only, codes);
    play->act = NULL;
    play->cut_armed = false;
    if (play->fail_fired)
        nb_play_cloud_line(play, "fault fail");
    if (rc == OTA_E_TIMEOUT)
        nb_outcome_set(play->outcome, NB_FAIL, "line %u: the device takes longer than %u s",
                       step->line, nb_play_limit_s(play));
    else if (rc)
        nb_outcome_set(play->outcome, NB_ERROR, "line %u: %s", step->line, ota_err_text(rc));
    if (rc)
        return false;
    for (size_t i = 0; i < play->unit_count; i++) {
        play->unit = &play->units[i];
        if (!device_ended(play, step, codes[i]))
            return false;
    }
    play->unit = &play->units[0];
    return faults_fired(play, step, cut_armed);
}

uint32_t nb_play_limit_s(const struct nb_play *play)
{
    uint32_t most = play->stage->limit_s;
    return play->cell->explored && most > HISTORY_S ? HISTORY_S : most;
}

static bool boots_as_said(struct nb_play *play, const struct nb_step *step)
{
    const char *boot = nb_trace_latest(&play->unit->trace, "boot");
    if (boot && (step->expect.version_count == 0 || nb_expect_matches(&step->expect, boot, false)))
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: " NB_NOT_AS_SAID " `%.90s` says", step->line,
                   step->text);
    return false;
}

static bool until_stable(struct nb_play *play, const struct nb_step *step)
{
    uint64_t before = 0;
    uint64_t after = 0;
    int quiet = 0;
    for (int i = 0; i < STABLE_BOOTS && quiet < 2; i++) {
        int rc = nb_play_fingerprint_all(play, &before);
        if (rc == 0 && !run_step(play, step, true))
            return false;
        if (rc == 0)
            rc = nb_play_fingerprint_all(play, &after);
        if (rc) {
            nb_outcome_set(play->outcome, NB_ERROR, "line %u: %s", step->line, ota_err_text(rc));
            return false;
        }
        quiet = before == after ? quiet + 1 : 0;
    }
    if (quiet < 2)
        nb_outcome_set(play->outcome, NB_FAIL, "line %u: flash still changes after %d boots",
                       step->line, STABLE_BOOTS);
    return quiet == 2 && nb_play_each(play, step, boots_as_said);
}

/* Was it delivered, in whatever step? Success must speak of what confirmed itself last. */
static bool was_reported(const struct nb_play *play, const char *result)
{
    const struct nb_trace *trace = &play->units[0].trace;
    char wanted[NB_WORD + 16];
    int length = snprintf(wanted, sizeof wanted, "reported %s", result);
    for (size_t i = trace->count; i-- > 0;) {
        const char *text = trace->lines[i].text;
        if (trace->lines[i].cloud)
            continue;
        if (strncmp(text, wanted, (size_t)length) == 0)
            return true;
        if (strcmp(result, "success") == 0 && strncmp(text, "confirmed ", 10) == 0)
            return false;
    }
    return false;
}

static bool until_reported(struct nb_play *play, const struct nb_step *step)
{
    const char *result = step->expect.word;
    for (int i = 0; i < REPORT_CHECKS && !was_reported(play, result); i++)
        if (!run_step(play, step, false) || play->outcome->verdict == NB_FAIL)
            return false;
    if (was_reported(play, result))
        return true;
    const char *last = nb_trace_latest(&play->units[0].trace, "reported");
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: %d more checks do not report %s; %s%.60s",
                   step->line, REPORT_CHECKS, result, last ? "last was: " : "nothing was reported",
                   last ? last : "");
    return false;
}

bool nb_play_device_step(struct nb_play *play, const struct nb_step *step)
{
    play->initiate = step->initiate;
    play->live_ms = step->kind == NB_DEVICE_LIVE ? 1000 * step->value : 0;
    switch (step->kind) {
    case NB_UNTIL_STABLE:
        return until_stable(play, step);
    case NB_UNTIL_REPORTED:
        return until_reported(play, step);
    default:
        return run_step(play, step, step->kind == NB_DEVICE_BOOT);
    }
}

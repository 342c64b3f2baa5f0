#include "harness/prove/explore.h"
#include "agent/update/journal.h"
#include "harness/files/files.h"
#include "harness/prove/intake.h"
#include "harness/prove/tale.h"
#include "harness/run/apart.h"
#include "harness/run/virtual.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPT   (256u * 1024u)
#define MOST_MS      (15u * 60u * 1000u) /* that a check may take, beside its images */
#define MASKED_STEPS 4u /* so many device steps are left out in every combination */

struct nb_explorer {
    char path[256];
    struct nb_cell cell;
    struct nb_history history;
    struct nb_script base; /* the history without faults: its header and images are everybody's */
    struct nb_virtual *virtual;
    struct nb_ending ending;
    struct nb_tale tale; /* of the history without faults */
    struct nb_draw_room room;
    char *text; /* what is played next */
    struct nb_script script;
    bool has_script;
    struct choice choice;
};

/* ---- scripts ----------------------------------------------------------------------------- */

static void drop_script(struct nb_explorer *explorer)
{
    if (explorer->has_script)
        nb_script_free(&explorer->script);
    free(explorer->text);
    explorer->text = NULL;
    explorer->has_script = false;
}

/* Makes the history with these faults the one that is played next. */
static int take(struct nb_explorer *explorer, const struct nb_drawn *drawn, size_t count,
                uint32_t left_out, unsigned lines[NB_DRAWN], struct flash_text_error *error)
{
    drop_script(explorer);
    memset(error, 0, sizeof *error);
    explorer->text =
        nb_history_text(&explorer->history, drawn, count, left_out, &explorer->ending, lines);
    if (!explorer->text)
        return OTA_E_NO_SPACE;
    int rc = nb_script_parse(explorer->text, strlen(explorer->text), explorer->path,
                             &explorer->script, error);
    explorer->has_script = rc == 0;
    if (rc == 0 && explorer->ending.versions[0] == '\0')
        explorer->script.steps[explorer->script.step_count - 1].expect.version_count = 0;
    return rc;
}

/* The first step that the cell has no place for, or NULL. */
static const struct nb_step *misplaced(struct nb_explorer *explorer, const char **why)
{
    for (size_t i = 0; i < explorer->script.step_count; i++) {
        *why = nb_virtual_cannot(explorer->virtual, &explorer->script.steps[i]);
        if (*why)
            return &explorer->script.steps[i];
    }
    return NULL;
}

int nb_explorer_arm(struct nb_explorer *explorer, const struct nb_drawn *drawn, size_t count,
                    struct flash_text_error *error)
{
    unsigned lines[NB_DRAWN] = {0};
    const char *why = NULL;
    int rc = take(explorer, drawn, count, 0, lines, error);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (lines[i] == 0) {
            snprintf(error->message, sizeof error->message, "there is no device step %u",
                     drawn[i].step);
            return OTA_E_ARGUMENT;
        }
    const struct nb_step *step = rc == 0 ? misplaced(explorer, &why) : NULL;
    if (!step)
        return rc;
    error->line = step->line;
    snprintf(error->message, sizeof error->message, "`%.60s`: %.80s", step->text, why);
    return OTA_E_ARGUMENT;
}

size_t nb_explorer_draw(struct nb_explorer *explorer, uint64_t seed,
                        struct nb_drawn drawn[NB_DRAWN])
{
    choice_seed(&explorer->choice, seed);
    size_t count = nb_draw(&explorer->choice, &explorer->room, drawn);
    for (;;) {
        unsigned lines[NB_DRAWN] = {0};
        struct flash_text_error error;
        const char *why = NULL;
        unsigned bad = 0;
        int rc = take(explorer, drawn, count, 0, lines, &error);
        const struct nb_step *step = rc == 0 ? misplaced(explorer, &why) : NULL;
        if (rc == 0 && !step)
            return count;
        bad = step ? step->line : error.line;
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (lines[i] != bad)
                drawn[kept++] = drawn[i];
        if (kept == count) /* not a fault's: there is nothing that could be dropped */
            return 0;
        count = kept;
    }
}

/* ---- playing ----------------------------------------------------------------------------- */

/* A check comes to an end, whatever a server does: of the usual timing in minutes. */
static void judge_time(const struct nb_explorer *explorer, struct nb_outcome *outcome)
{
    const struct nb_script *script = &explorer->script;
    uint64_t longest = nb_virtual_longest(explorer->virtual);
    uint64_t most = MOST_MS;
    bool other_timing = false;
    for (size_t i = 0; i < NB_AGENT_TIMINGS; i++)
        other_timing = other_timing || script->agent.seconds[i] != 0;
    for (size_t i = 0; i < script->image_count; i++)
        most += script->images[i].size; /* at a thousand bytes a second */
    for (size_t i = 0; i < script->step_count; i++)
        if (script->steps[i].kind == NB_DEVICE_LIVE ||
            (script->steps[i].kind == NB_FAULT_NET && script->steps[i].fault.kind == NB_CLOCK_JUMP))
            return;
    if (longest > most && !other_timing)
        nb_outcome_set(outcome, NB_FAIL, "a check takes %llu s, more than %llu",
                       (unsigned long long)longest / 1000, (unsigned long long)most / 1000);
}

/* Trials after which another image ran. */
static unsigned falls_back(const struct nb_trace *trace)
{
    char version[NB_WORD] = "";
    bool trial = false;
    unsigned count = 0;
    for (size_t i = 0; i < trace->count; i++) {
        char now[NB_WORD] = "";
        const char *text = trace->lines[i].text;
        if (trace->lines[i].cloud || sscanf(text, "boot %31s", now) != 1)
            continue;
        count += trial && strcmp(now, version) != 0;
        trial = strstr(text, " trial") != NULL;
        memcpy(version, now, sizeof version);
    }
    return count;
}

/* An image that faults kept from confirming itself, twice, is given up, and rightly. */
static void allow_giving_up(const struct nb_explorer *explorer, struct nb_outcome *outcome)
{
    if (outcome->verdict == NB_FAIL && strstr(outcome->reason, NB_NOT_AS_SAID) != NULL &&
        falls_back(nb_virtual_trace(explorer->virtual)) >= OTA_REVERTS_MAX)
        outcome->verdict = NB_PASS;
}

void nb_explorer_play(struct nb_explorer *explorer, uint64_t seed, struct nb_outcome *outcome)
{
    if (!explorer->has_script) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return;
    }
    explorer->cell.seed = seed;
    nb_virtual_script(explorer->virtual, &explorer->script);
    nb_apart_note("");
    nb_virtual_play(explorer->virtual, NULL, outcome);
    allow_giving_up(explorer, outcome);
    if (outcome->verdict == NB_PASS)
        judge_time(explorer, outcome);
    if (outcome->verdict == NB_PASS)
        nb_intake_judge(&explorer->script, nb_explorer_trace(explorer),
                        nb_virtual_board(explorer->virtual), outcome);
    if (outcome->verdict == NB_PASS && nb_tale_judge(&explorer->script, nb_explorer_trace(explorer),
                                                     &explorer->tale, outcome) != 0)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
}

struct turn {
    struct nb_explorer *explorer;
    uint64_t seed;
};

static int take_turn(void *context, struct nb_outcome *outcome)
{
    const struct turn *turn = context;
    nb_explorer_play(turn->explorer, turn->seed, outcome);
    return 0;
}

void nb_explorer_play_apart(struct nb_explorer *explorer, uint64_t seed, struct nb_outcome *outcome)
{
    struct turn turn = {explorer, seed};
    int rc = nb_apart(take_turn, &turn, outcome);
    if (rc)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(rc));
}

/* ---- what is learned first --------------------------------------------------------------- */

struct lesson {
    char versions[NB_ALTERNATIVES][NB_WORD];
    size_t count;
    const char *report;
    bool reports_differ;
};

static void learn(const struct nb_explorer *explorer, struct lesson *lesson)
{
    char version[NB_WORD] = "";
    const struct nb_trace *trace = nb_virtual_trace(explorer->virtual);
    const char *boot = nb_trace_latest(trace, "boot");
    const char *reported = nb_trace_latest(trace, "reported");
    const char *result = !reported                                        ? NULL
                         : strncmp(reported, "reported success", 16) == 0 ? "success"
                                                                          : "failure";
    if (boot)
        sscanf(boot, "boot %31s", version);
    bool known = false;
    for (size_t i = 0; i < lesson->count; i++)
        known = known || strcmp(lesson->versions[i], version) == 0;
    if (!known && lesson->count < NB_ALTERNATIVES)
        memcpy(lesson->versions[lesson->count++], version, NB_WORD);
    if (!lesson->report && !lesson->reports_differ)
        lesson->report = result;
    if (!result || !lesson->report || strcmp(result, lesson->report) != 0)
        lesson->reports_differ = true;
}

/* Plays the script without faults and without the device steps of `left_out`. */
static bool play_base(struct nb_explorer *explorer, uint32_t left_out, struct lesson *lesson,
                      struct nb_outcome *outcome)
{
    struct flash_text_error error;
    struct nb_outcome *one = calloc(1, sizeof *one);
    int rc = one ? take(explorer, NULL, 0, left_out, NULL, &error) : OTA_E_NO_SPACE;
    if (rc)
        nb_outcome_set(outcome, NB_ERROR, "without faults: %.100s",
                       rc == OTA_E_ARGUMENT ? error.message : ota_err_text(rc));
    else
        nb_explorer_play(explorer, 0, one);
    bool good = rc == 0 && one->verdict == NB_PASS;
    if (good)
        learn(explorer, lesson);
    else if (rc == 0) {
        *outcome = *one;
        snprintf(outcome->reason, sizeof outcome->reason, "without faults: %.150s", one->reason);
    }
    free(one);
    return good;
}

static bool learn_ending(struct nb_explorer *explorer, struct nb_outcome *outcome)
{
    struct lesson lesson = {0};
    unsigned steps = explorer->history.steps;
    unsigned masked = steps < MASKED_STEPS ? steps : MASKED_STEPS;
    /* the last ones: what was missed long ago shows least */
    struct nb_tale tale = {0};
    for (uint32_t mask = 0; mask < 1u << masked; mask++) {
        if (!play_base(explorer, mask << (steps - masked), &lesson, outcome))
            return false;
        if (mask == 0 && nb_tale_take(nb_explorer_trace(explorer), &tale) != 0) {
            nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
            return false;
        }
    }
    explorer->tale = tale;
    size_t used = 0;
    struct nb_ending *ending = &explorer->ending;
    for (size_t i = 0; i < lesson.count; i++)
        used += (size_t)snprintf(ending->versions + used, sizeof ending->versions - used, "%s%s",
                                 i ? "|" : "", lesson.versions[i]);
    ending->report = lesson.reports_differ ? NULL : lesson.report;
    return true;
}

static bool networked(const void *context, unsigned step)
{
    return nb_history_networked(context, step);
}

/* Of the largest image that came by MQTT in the latest play. */
static uint32_t chunks_of(const struct nb_trace *trace)
{
    uint32_t count = 1;
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t index = 0;
        if (trace->lines[i].cloud && sscanf(trace->lines[i].text, "chunk %u", &index) == 1 &&
            index >= count)
            count = index + 1;
    }
    return count;
}

/* A kind of fault is usable where its example would be. */
static void learn_room(struct nb_explorer *explorer)
{
    struct nb_draw_room *room = &explorer->room;
    room->operations = nb_virtual_operations(explorer->virtual);
    room->chunks = chunks_of(nb_explorer_trace(explorer));
    room->steps = explorer->history.steps;
    room->networked = networked;
    room->context = &explorer->history;
    unsigned step = 1;
    while (step < room->steps && !nb_history_networked(&explorer->history, step))
        step++;
    for (size_t i = 0; i < nb_script_verb_count && i < NB_VERBS_MAX; i++) {
        const struct nb_script_verb *verb = &nb_script_verbs[i];
        struct nb_drawn drawn = {.step = step};
        struct flash_text_error error;
        bool for_good = verb->kind == NB_FAULT_NET && verb->variant == NB_HTTP_EXPIRE &&
                        explorer->base.agent.direct; /* without a job there is no new link */
        if (for_good || !nb_draw_line(&explorer->choice, verb, room, drawn.line))
            continue;
        snprintf(drawn.line, sizeof drawn.line, "%s", verb->example);
        room->usable[i] = nb_explorer_arm(explorer, &drawn, 1, &error) == 0;
    }
}

/* ---- one script and cell ----------------------------------------------------------------- */

/* What it expects of the way there, of the cloud's lines or of how long it takes, speaks of the
 * faults. */
static bool speaks_of_faults(const struct nb_step *step)
{
    static const bool ends[NB_EXPECT_KINDS] = {
        [NB_EXPECT_BOOT] = true,    [NB_EXPECT_REPORT] = true,    [NB_EXPECT_JOB] = true,
        [NB_EXPECT_PENDING] = true, [NB_EXPECT_CONFIRMED] = true, [NB_EXPECT_REFUSED] = true,
    };
    return nb_is_fault(step) || (step->kind == NB_EXPECT && !ends[step->expect.kind]) ||
           step->kind == NB_EXPECT_TRAFFIC || step->kind == NB_EXPECT_LASTS ||
           step->kind == NB_EXPECT_TOPICS || step->kind == NB_EXPECT_WEAR;
}

/* A script without faults of its own says what is to happen: that must be so before anything is
 * drawn. So must the end of one whose faults are to be borne, without them. What others expect
 * speaks of their faults. False: there is nothing to be said of this one. */
static bool keep_what_holds(struct nb_script *script)
{
    size_t kept = 0;
    bool faults = false;
    for (size_t i = 0; i < script->step_count; i++)
        faults = faults || nb_is_fault(&script->steps[i]);
    if (faults && !nb_tale_is_borne(script))
        return false;
    for (size_t i = 0; i < script->step_count; i++)
        if (!faults || !speaks_of_faults(&script->steps[i]))
            script->steps[kept++] = script->steps[i];
    script->step_count = kept;
    return true;
}

static bool passes_as_it_stands(struct nb_explorer *explorer, const char *text,
                                struct nb_outcome *outcome)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    struct nb_outcome one = {0};
    int rc = nb_script_parse(text, strlen(text), explorer->path, &script, &error);
    if (rc) {
        nb_outcome_set(outcome, NB_ERROR, "line %u: %s", error.line,
                       rc == OTA_E_ARGUMENT ? error.message : ota_err_text(rc));
        return false;
    }
    bool holds = keep_what_holds(&script);
    struct nb_virtual *virtual = holds ? nb_virtual_new(&script, &explorer->cell) : NULL;
    if (virtual)
        nb_virtual_play(virtual, NULL, &one);
    else if (holds)
        nb_outcome_set(&one, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
    nb_virtual_free(virtual);
    nb_script_free(&script);
    if (one.verdict == NB_PASS)
        return true;
    *outcome = one;
    snprintf(outcome->reason, sizeof outcome->reason, "as it stands: %.150s", one.reason);
    return false;
}

static bool open_explorer(struct nb_explorer *explorer, const char *text,
                          struct nb_outcome *outcome)
{
    struct flash_text_error error = {0};
    if (!passes_as_it_stands(explorer, text, outcome))
        return false;
    int rc = nb_history_new(text, strlen(text), &explorer->history);
    if (rc == 0)
        rc = take(explorer, NULL, 0, 0, NULL, &error);
    if (rc) {
        nb_outcome_set(outcome, NB_ERROR, "line %u: %s", error.line,
                       rc == OTA_E_ARGUMENT ? error.message : ota_err_text(rc));
        return false;
    }
    explorer->base = explorer->script;
    explorer->has_script = false;
    if (explorer->history.steps == 0) {
        nb_outcome_set(outcome, NB_SKIP, "no device step that a fault could be drawn for");
        return false;
    }
    if (!explorer->base.needs_cloud) {
        nb_outcome_set(outcome, NB_SKIP, "no cloud: every cut of it is tried by sweeps");
        return false;
    }
    if (explorer->base.devices > 1) {
        nb_outcome_set(outcome, NB_SKIP, "several devices have several ends");
        return false;
    }
    explorer->virtual = nb_virtual_new(&explorer->base, &explorer->cell);
    if (!explorer->virtual) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return false;
    }
    if (!learn_ending(explorer, outcome))
        return false;
    learn_room(explorer);
    return true;
}

struct nb_explorer *nb_explorer_new(const char *text, const char *path, const struct nb_cell *cell,
                                    struct nb_outcome *outcome)
{
    struct nb_explorer *explorer = calloc(1, sizeof *explorer);
    if (!explorer) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return NULL;
    }
    snprintf(explorer->path, sizeof explorer->path, "%s", path);
    explorer->cell = *cell;
    explorer->cell.explored = true;
    choice_init(&explorer->choice);
    if (open_explorer(explorer, text, outcome))
        return explorer;
    nb_explorer_free(explorer);
    return NULL;
}

void nb_explorer_free(struct nb_explorer *explorer)
{
    if (!explorer)
        return;
    nb_virtual_free(explorer->virtual);
    nb_tale_free(&explorer->tale);
    drop_script(explorer);
    nb_script_free(&explorer->base);
    nb_history_free(&explorer->history);
    choice_free(&explorer->choice);
    free(explorer);
}

const char *nb_explorer_script(const struct nb_explorer *explorer)
{
    return explorer->text;
}

const struct nb_script *nb_explorer_parsed(const struct nb_explorer *explorer)
{
    return &explorer->script;
}

const struct nb_trace *nb_explorer_trace(const struct nb_explorer *explorer)
{
    return nb_virtual_trace(explorer->virtual);
}

const struct nb_cell *nb_explorer_cell(const struct nb_explorer *explorer)
{
    return &explorer->cell;
}

uint32_t nb_explorer_operations(const struct nb_explorer *explorer)
{
    return explorer->room.operations;
}

int nb_explore_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct nb_drawn drawn[NB_DRAWN];
    struct flash_text_error error = {0};
    if (nb_read_file(script->path, MAX_SCRIPT, &text, &size) != 0) {
        nb_outcome_set(outcome, NB_ERROR, "%.100s: %s", script->path, strerror(errno));
        return 0;
    }
    char *copy = strndup((const char *)text, size);
    free(text);
    struct nb_explorer *explorer = copy ? nb_explorer_new(copy, script->path, cell, outcome) : NULL;
    free(copy);
    if (!explorer)
        return outcome->verdict == NB_PASS ? OTA_E_NO_SPACE : 0;
    int rc = 0;
    if (cell->drawn_given)
        rc = nb_explorer_arm(explorer, cell->drawn, cell->drawn_count, &error);
    else
        (void)nb_explorer_draw(explorer, cell->seed, drawn);
    if (rc == OTA_E_ARGUMENT)
        nb_outcome_set(outcome, NB_ERROR, "%s", error.message);
    else if (rc == 0)
        nb_explorer_play(explorer, cell->seed, outcome);
    nb_explorer_free(explorer);
    return rc == OTA_E_ARGUMENT ? 0 : rc;
}

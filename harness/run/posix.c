/* The posix engine: real processes, a real broker, wall-clock time. */
#include "harness/run/device_text.h"
#include "harness/run/posix_run.h"
#include "harness/run/spawn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_MS    30000 /* a device step that takes longer hangs */
#define SETTLE_MS    60    /* for messages under way when the device has ended */
#define EXPECT_MS    2000  /* for a line of the cloud that is still to come */
#define STABLE_BOOTS 8
#define BROKEN_EXIT  2   /* of a device that could not even start or end in order */
#define SIGNAL_EXIT  128 /* and more: killed by a signal */

/* ---- events ------------------------------------------------------------------------------ */

static void on_device_line(void *context, const char *text)
{
    struct nb_posix *run = context;
    int rc = nb_trace_add(&run->trace, false, text);
    if (rc)
        run->err = rc;
    nb_oracle_event(&run->oracle, text);
    nb_net_device_line(&run->net, text);
}

static void on_cloud_line(void *context, const char *text)
{
    struct nb_posix *run = context;
    int rc = nb_trace_add(&run->trace, true, text);
    if (rc)
        run->err = rc;
}

/* ---- the cloud side ---------------------------------------------------------------------- */

static int offer(struct nb_posix *run, const struct nb_step *step, struct flash_text_error *error)
{
    if (step->kind == NB_CLOUD_NONE) {
        nb_oracle_offer(&run->oracle, NULL);
        return nb_net_offer(&run->net, NULL, NULL, run->device.board);
    }
    const struct nb_image *image = &run->script->images[step->image];
    struct nb_blob blob;
    int rc =
        nb_kit_image(run->cell->kit, run->script, run->cell, &run->device, image, &blob, error);
    if (rc == 0)
        rc = nb_net_offer(&run->net, image, &blob, run->device.board);
    if (rc)
        return rc;
    struct nb_oracle_image known;
    nb_posix_known(image, &blob, &known);
    nb_oracle_offer(&run->oracle, &known);
    return 0;
}

static int arm_cloud(struct nb_posix *run, const struct nb_step *step)
{
    static const enum anycloud_fault_kind chunk_kinds[] = {
        [NB_CHUNK_DROP] = ANYCLOUD_DROP_CHUNK,       [NB_CHUNK_REPEAT] = ANYCLOUD_REPEAT_CHUNK,
        [NB_CHUNK_CORRUPT] = ANYCLOUD_CORRUPT_CHUNK, [NB_CHUNK_RAW] = ANYCLOUD_RAW_CHUNK,
        [NB_CHUNK_PATCH] = ANYCLOUD_PATCH_CHUNK,
    };
    struct anycloud_fault fault = {.index = step->value, .count = 1};
    switch (step->kind) {
    case NB_FAULT_CHUNK:
        fault.kind = chunk_kinds[step->chunk_fault];
        fault.at = step->patch_at;
        fault.raw = step->raw;
        fault.raw_size = step->raw_size;
        break;
    case NB_FAULT_REVERSE:
        fault.kind = ANYCLOUD_REVERSE;
        break;
    case NB_FAULT_JOB_SILENT:
        fault.kind = ANYCLOUD_SILENT_JOB;
        break;
    default:
        fault.kind = ANYCLOUD_RAW_JOB;
        fault.raw = (const uint8_t *)step->raw_text;
        fault.raw_size = strlen(step->raw_text);
        break;
    }
    return anycloud_cloud_fault(run->net.cloud, &fault);
}

/* ---- device steps ------------------------------------------------------------------------ */

struct timing_text {
    char option[20];
    char value[12];
};

/* The `agent` line, as the device's options; the texts of numbers live in `room`. */
static void add_switches(const struct nb_agent_switches *agent,
                         struct timing_text room[NB_AGENT_TIMINGS + 1], const char **arguments,
                         size_t *count)
{
    if (agent->direct) {
        arguments[(*count)++] = "--flow";
        arguments[(*count)++] = "direct";
        arguments[(*count)++] = "--file";
        arguments[(*count)++] = ANYCLOUD_FILE;
    }
    if (agent->send_direct)
        arguments[(*count)++] = "--direct";
    if (agent->chunk) {
        snprintf(room[NB_AGENT_TIMINGS].value, sizeof room[0].value, "%u", agent->chunk);
        arguments[(*count)++] = "--chunk-mode";
        arguments[(*count)++] = room[NB_AGENT_TIMINGS].value;
    }
    if (agent->no_result)
        arguments[(*count)++] = "--no-result";
    if (agent->permanent)
        arguments[(*count)++] = "--permanent";
    if (agent->stay)
        arguments[(*count)++] = "--stay";
    for (size_t i = 0; i < agent->answers.count; i++) {
        arguments[(*count)++] = "--answer";
        arguments[(*count)++] = agent->answer_words[i];
    }
    for (size_t i = 0; i < NB_AGENT_TIMINGS; i++) {
        if (!agent->seconds[i])
            continue;
        snprintf(room[i].option, sizeof room[i].option, "--%s", nb_agent_timing_words[i]);
        snprintf(room[i].value, sizeof room[i].value, "%u", agent->seconds[i]);
        arguments[(*count)++] = room[i].option;
        arguments[(*count)++] = room[i].value;
    }
}

static int spawn_device(struct nb_posix *run, bool boot_only, int *code)
{
    char cut[48];
    struct nb_net_arguments room;
    struct timing_text timings[NB_AGENT_TIMINGS + 1];
    const char *arguments[NB_SPAWN_ARGUMENTS];
    size_t count = 0;
    int rc = 0;
    snprintf(cut, sizeof cut, "%u:%s", run->cut.op, flash_tear_word(run->cut.tear));
    arguments[count++] = "device";
    arguments[count++] = "--device";
    arguments[count++] = run->device_path;
    arguments[count++] = "--flash";
    arguments[count++] = run->flash_path;
    if (run->script->needs_cloud)
        rc = nb_net_arguments(&run->net, run->cell->kit, &room, arguments, &count);
    add_switches(&run->script->agent, timings, arguments, &count);
    arguments[count++] = "--fast";
    arguments[count++] = boot_only ? "--boot-only" : "--once";
    if (run->cut_armed) {
        arguments[count++] = "--cut";
        arguments[count++] = cut;
    }
    arguments[count] = NULL;
    const struct nb_spawn spawn = {run->loop, on_device_line, run, run->log_path};
    if (rc == 0)
        rc = nb_spawn_run(&spawn, arguments, DEVICE_MS, &nb_run_stop, code);
    (void)posix_loop_run(run->loop, SETTLE_MS);
    return rc ? rc : run->err;
}

/* The last line that the device wrote on its own output, for a device that never began. */
static void last_words(const struct nb_posix *run, char *out, size_t size)
{
    FILE *log = fopen(run->log_path, "r");
    char line[NB_LINE];
    out[0] = '\0';
    while (log && fgets(line, sizeof line, log))
        snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (log)
        fclose(log);
}

/* A device that dies, or ends otherwise than it says, did wrong even when its events look well. */
static bool ended_as_it_said(struct nb_posix *run, const struct nb_step *step, int code)
{
    const char *said = nb_trace_last(&run->trace, "exit");
    char words[NB_LINE];
    int told = -1;
    if (said && sscanf(said, "exit %d", &told) == 1 && told == code && code != BROKEN_EXIT)
        return true;
    last_words(run, words, sizeof words);
    nb_outcome_set(run->outcome, NB_FAIL, "line %u: the device ends with %d%s%s: %.110s",
                   step->line, code, said ? " and says " : " and says nothing of it",
                   said ? said : "", words);
    return false;
}

static bool device_step(struct nb_posix *run, const struct nb_step *step, bool boot_only)
{
    int code = 0;
    nb_trace_step(&run->trace);
    nb_oracle_step(&run->oracle, boot_only ? NB_CONFIRMS_NOTHING : NB_CONFIRMS_AFTER_BOOT);
    int rc = spawn_device(run, boot_only, &code);
    if (rc == OTA_E_TIMEOUT) {
        nb_outcome_set(run->outcome, NB_FAIL, "line %u: the device takes longer than %d s",
                       step->line, DEVICE_MS / 1000);
        return false;
    }
    if (rc == 0 && run->trace.count == run->trace.from && code < SIGNAL_EXIT) {
        char words[NB_LINE];
        last_words(run, words, sizeof words);
        nb_outcome_set(run->outcome, NB_ERROR, "line %u: the device does not start: %.120s",
                       step->line, words);
        return false;
    }
    if (rc == 0)
        rc = nb_posix_show_flash(run);
    if (rc) {
        nb_outcome_set(run->outcome, NB_ERROR, "line %u: %s", step->line, ota_err_text(rc));
        return false;
    }
    if (!ended_as_it_said(run, step, code))
        return false;
    const char *unfired = "the power cut";
    bool misfit = run->cut_armed && nb_trace_last(&run->trace, "cut-misfit");
    bool vacuous = run->cut_armed && !nb_trace_has(&run->trace, "cut");
    run->cut_armed = false;
    if (misfit) {
        nb_outcome_set(run->outcome, NB_VACUOUS, "line %u: the tear `%s` does not fit operation %u",
                       step->line, flash_tear_word(run->cut.tear), run->cut.op);
        return false; /* what follows was written for a device that was cut */
    }
    vacuous = nb_net_end_step(&run->net, &unfired) > 0 || vacuous;
    if (vacuous)
        nb_outcome_set(run->outcome, NB_VACUOUS, "line %u: %s armed for it never fired", step->line,
                       unfired);
    return true;
}

static bool until_stable(struct nb_posix *run, const struct nb_step *step)
{
    uint64_t before = 0;
    uint64_t after = 0;
    int quiet = 0;
    for (int i = 0; i < STABLE_BOOTS && quiet < 2; i++) {
        int rc = nb_posix_fingerprint(run, &before);
        if (rc == 0 && !device_step(run, step, true))
            return false;
        if (rc == 0)
            rc = nb_posix_fingerprint(run, &after);
        if (rc) {
            nb_outcome_set(run->outcome, NB_ERROR, "line %u: %s", step->line, ota_err_text(rc));
            return false;
        }
        quiet = before == after ? quiet + 1 : 0;
    }
    const char *boot = nb_trace_last_boot(&run->trace);
    if (quiet < 2)
        nb_outcome_set(run->outcome, NB_FAIL, "line %u: flash still changes after %d boots",
                       step->line, STABLE_BOOTS);
    else if (!boot || !nb_expect_matches(&step->expect, boot, false))
        nb_outcome_set(run->outcome, NB_FAIL, "line %u: stable, but not as `%.90s` says",
                       step->line, step->text);
    return run->outcome->verdict != NB_FAIL;
}

/* ---- steps ------------------------------------------------------------------------------- */

static bool expect_event(struct nb_posix *run, const struct nb_step *step)
{
    bool cloud =
        step->expect.kind == NB_EXPECT_CLOUD || step->expect.kind == NB_EXPECT_CHUNK_REQUEST;
    uint64_t end = posix_now_ms() + EXPECT_MS;
    while (!nb_trace_meets(&run->trace, &step->expect)) {
        if (!cloud || posix_now_ms() > end || nb_run_stop) {
            nb_outcome_set(run->outcome, NB_FAIL, "line %u: nothing met `%.100s`", step->line,
                           step->text);
            return false;
        }
        (void)posix_loop_run(run->loop, 10);
    }
    return true;
}

static bool expect_traffic(struct nb_posix *run, const struct nb_step *step)
{
    unsigned long long traffic = run->net.traffic;
    nb_note_add(run->outcome, "line %u: %llu bytes went to the device; the image has %u",
                step->line, traffic, run->net.offer.size);
    if (traffic <= step->value && traffic > 0)
        return true;
    nb_outcome_set(run->outcome, NB_FAIL, "line %u: %llu bytes went to the device, not 1 to %u",
                   step->line, traffic, step->value);
    return false;
}

/* A fault of the network that this cell has no place for: other cells of the matrix may. */
static bool out_of_place(struct nb_posix *run)
{
    char reason[NB_LINE] = "";
    if (nb_net_choose(&run->net, run->script, run->cell, reason) != 0) {
        nb_outcome_set(run->outcome, NB_ERROR, "%s", reason);
        return true;
    }
    for (size_t i = 0; i < run->script->step_count; i++) {
        const struct nb_step *step = &run->script->steps[i];
        const char *why =
            step->kind == NB_FAULT_NET ? nb_net_cannot(&run->net, &step->fault) : NULL;
        if (!why)
            continue;
        nb_outcome_set(run->outcome, NB_SKIP, "line %u: `%.60s`: %s", step->line, step->text, why);
        return true;
    }
    return false;
}

/* What this world cannot play, said before anything runs. */
static bool refuse(struct nb_posix *run)
{
    for (size_t i = 0; i < run->script->step_count; i++) {
        const struct nb_step *step = &run->script->steps[i];
        const char *why = NULL;
        if (step->kind == NB_FAULT_CUT && step->all && !run->cell->cut_count)
            why = "sweeps need a script without a cloud, for now";
        else if (step->kind == NB_DEVICE_CONFIRM || step->kind == NB_DEVICE_PENDING)
            why = "only in a script without a cloud: here the application decides itself";
        else if (step->kind == NB_FAULT_FAIL)
            why = "only in a script without a cloud, for now";
        if (!why)
            continue;
        nb_outcome_set(run->outcome, NB_ERROR, "line %u: `%.60s`: %s", step->line, step->text, why);
        return true;
    }
    return false;
}

static void arm_cut(struct nb_posix *run, const struct nb_step *step)
{
    run->cut_armed = true;
    run->cut.op = step->value;
    run->cut.tear = step->tear == FLASH_TEAR_COUNT ? FLASH_TEAR_BEFORE : step->tear;
    if (step->all && run->next_cut < run->cell->cut_count)
        run->cut = run->cell->cuts[run->next_cut++];
}

/* False: the run is over. */
static bool play(struct nb_posix *run, const struct nb_step *step)
{
    struct flash_text_error error = {0};
    char reason[NB_LINE] = "";
    int rc = 0;
    switch (step->kind) {
    case NB_CLOUD_OFFER:
    case NB_CLOUD_NONE:
        rc = offer(run, step, &error);
        break;
    case NB_DEVICE_CHECK:
    case NB_DEVICE_BOOT:
        return device_step(run, step, step->kind == NB_DEVICE_BOOT);
    case NB_UNTIL_STABLE:
        return until_stable(run, step);
    case NB_FAULT_CUT:
        arm_cut(run, step);
        break;
    case NB_FAULT_CHUNK:
    case NB_FAULT_REVERSE:
    case NB_FAULT_JOB_SILENT:
    case NB_FAULT_JOB_RAW:
        rc = arm_cloud(run, step);
        break;
    case NB_FAULT_NET:
        rc = nb_net_arm(&run->net, step);
        break;
    case NB_EXPECT_TRAFFIC:
        return expect_traffic(run, step);
    case NB_EXPECT:
        return expect_event(run, step);
    case NB_EXPECT_FLASH:
        if (nb_posix_expect_flash(run, step, reason))
            return true;
        nb_outcome_set(run->outcome, NB_FAIL, "%s", reason);
        return false;
    default:
        rc = nb_posix_flash_step(run, step, &error);
        break;
    }
    if (rc)
        nb_outcome_set(run->outcome, NB_ERROR, "line %u: %s", step->line,
                       error.message[0] ? error.message : ota_err_text(rc));
    return rc == 0;
}

/* ---- one cell ---------------------------------------------------------------------------- */

static void clear_old_files(const struct nb_posix *run)
{
    static const char *const endings[] = {"", ".state", ".nv"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[NB_PATH + 8];
        snprintf(path, sizeof path, "%s%s", run->flash_path, endings[i]);
        unlink(path);
    }
    unlink(run->log_path);
}

static int start_net(struct nb_posix *run, char reason[NB_LINE])
{
    run->net.loop = run->loop;
    run->net.line = on_cloud_line;
    run->net.context = run;
    return nb_net_start(&run->net, run->script, run->cell, &run->device, reason);
}

static bool set_up(struct nb_posix *run)
{
    struct flash_text_error error = {0};
    char reason[NB_LINE] = "";
    const char *dir = nb_kit_dir(run->cell->kit);
    snprintf(run->device_path, sizeof run->device_path, "%s/cell.device", dir);
    snprintf(run->flash_path, sizeof run->flash_path, "%s/cell.bin", dir);
    snprintf(run->log_path, sizeof run->log_path, "%s/device.log", dir);
    clear_old_files(run);
    int rc = nb_cell_device(run->script, run->cell, &run->device, &error);
    run->has_device = rc == 0;
    if (rc == 0)
        rc = nb_device_write(&run->device, run->device_path);
    if (rc == 0) {
        nb_oracle_init(&run->oracle, run->device.scheme->reverts, run->device.validate_primary);
        rc = nb_posix_make_flash(run, &error);
    }
    run->loop = posix_loop_new();
    if (rc == 0 && !run->loop)
        rc = OTA_E_NO_SPACE;
    if (rc == 0 && run->script->needs_cloud)
        rc = start_net(run, reason);
    if (rc)
        nb_outcome_set(run->outcome, rc == OTA_E_UNSUPPORTED ? NB_SKIP : NB_ERROR, "%s",
                       error.message[0] ? error.message
                       : reason[0]      ? reason
                                        : ota_err_text(rc));
    return rc == 0;
}

static void tear_down(struct nb_posix *run)
{
    nb_net_stop(&run->net);
    posix_loop_free(run->loop);
    if (run->has_device)
        sim_device_free(&run->device);
    free(run->loader_before);
    nb_trace_free(&run->trace);
}

/* Plays the steps until one goes wrong; the oracle looks after each. */
static void play_all(struct nb_posix *run)
{
    struct nb_outcome *outcome = run->outcome;
    for (size_t i = 0; i < run->script->step_count; i++) {
        const struct nb_step *step = &run->script->steps[i];
        bool going_on = play(run, step);
        const char *wrong = nb_oracle_violation(&run->oracle);
        if (wrong)
            nb_outcome_set(outcome, NB_FAIL, "line %u: %.150s", step->line, wrong);
        if (!going_on || outcome->verdict == NB_FAIL)
            return;
        if (nb_run_stop) {
            nb_outcome_set(outcome, NB_ERROR, "stopped");
            return;
        }
    }
}

int nb_posix_run(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome)
{
    struct nb_posix *run = calloc(1, sizeof *run);
    uint64_t begin = posix_now_ms();
    if (!run)
        return OTA_E_NO_SPACE;
    run->script = script;
    run->cell = cell;
    run->outcome = outcome;
    struct nb_outcome told = {0};
    if (!refuse(run) && !out_of_place(run) && set_up(run))
        play_all(run);
    if (outcome->verdict != NB_PASS) { /* what happened comes before what is wrong with it */
        char last[NB_LINE] = "";
        if (outcome->story_count)
            memcpy(last, outcome->story[outcome->story_count - 1], NB_LINE);
        nb_trace_tell(&run->trace, &told);
        memcpy(outcome->story, told.story, sizeof told.story);
        outcome->story_count = told.story_count;
        nb_story_add(outcome, "%s", last);
    }
    outcome->seconds = (double)(posix_now_ms() - begin) / 1000.0;
    tear_down(run);
    free(run);
    return 0;
}

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
#define CLOUD_MS     5000  /* for the cloud side to connect and subscribe */
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
}

static void on_cloud_line(void *context, const char *text)
{
    struct nb_posix *run = context;
    int rc = nb_trace_add(&run->trace, true, text);
    if (rc)
        run->err = rc;
}

static void on_mqtt(void *context, const struct ota_event *event)
{
    struct nb_posix *run = context;
    if (run->cloud)
        anycloud_cloud_event(run->cloud, event);
}

static void on_timer(void *context, unsigned id)
{
    struct nb_posix *run = context;
    const struct ota_event event = {.type = OTA_EVENT_TIMER, .id = id};
    if (run->cloud)
        anycloud_cloud_event(run->cloud, &event);
}

/* ---- the cloud side ---------------------------------------------------------------------- */

static int start_cloud(struct nb_posix *run, char reason[NB_LINE])
{
    struct posix_mqtt_config config = {.port = run->port};
    snprintf(config.host, sizeof config.host, "127.0.0.1");
    run->mqtt = posix_mqtt_new(run->loop, &config, on_mqtt, run);
    run->clock = posix_clock_new(run->loop, on_timer, run);
    if (!run->mqtt || !run->clock)
        return OTA_E_NO_SPACE;
    run->cloud =
        anycloud_cloud_new(posix_mqtt_port(run->mqtt), posix_clock_port(run->clock),
                           run->device.topic_prefix, run->device.board, on_cloud_line, run);
    if (!run->cloud)
        return OTA_E_NO_SPACE;
    int rc = anycloud_cloud_start(run->cloud);
    uint64_t end = posix_now_ms() + CLOUD_MS;
    while (rc == 0 && !anycloud_cloud_ready(run->cloud)) {
        (void)posix_loop_run(run->loop, 5);
        if (nb_run_stop)
            rc = OTA_E_CANCELLED;
        else if (posix_now_ms() > end)
            rc = OTA_E_TIMEOUT;
    }
    if (rc)
        snprintf(reason, NB_LINE, "the cloud side does not get ready: %s", ota_err_text(rc));
    return rc;
}

static int offer(struct nb_posix *run, const struct nb_step *step, struct flash_text_error *error)
{
    if (step->kind == NB_CLOUD_NONE) {
        anycloud_cloud_offer(run->cloud, &(struct anycloud_offer){.chunk_size = 4096});
        nb_oracle_offer(&run->oracle, NULL);
        return 0;
    }
    const struct nb_image *image = &run->script->images[step->image];
    struct anycloud_offer what = {.chunk_size = 4096};
    struct nb_blob blob;
    int rc =
        nb_kit_image(run->cell->kit, run->script, run->cell, &run->device, image, &blob, error);
    if (rc)
        return rc;
    what.image = blob.data;
    what.size = blob.size;
    what.version = image->has_announce ? image->announce : image->version;
    snprintf(what.board, sizeof what.board, "%s",
             image->board[0] ? image->board : run->device.board);
    anycloud_cloud_offer(run->cloud, &what);
    struct nb_oracle_image known;
    nb_posix_known(image, &blob, &known);
    nb_oracle_offer(&run->oracle, &known);
    return 0;
}

static int arm_cloud(struct nb_posix *run, const struct nb_step *step)
{
    static const enum anycloud_fault_kind chunk_kinds[] = {
        [NB_CHUNK_DROP] = ANYCLOUD_DROP_CHUNK,
        [NB_CHUNK_REPEAT] = ANYCLOUD_REPEAT_CHUNK,
        [NB_CHUNK_CORRUPT] = ANYCLOUD_CORRUPT_CHUNK,
        [NB_CHUNK_RAW] = ANYCLOUD_RAW_CHUNK,
    };
    struct anycloud_fault fault = {.index = step->value, .count = 1};
    switch (step->kind) {
    case NB_FAULT_CHUNK:
        fault.kind = chunk_kinds[step->chunk_fault];
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
    return anycloud_cloud_fault(run->cloud, &fault);
}

/* ---- device steps ------------------------------------------------------------------------ */

static int spawn_device(struct nb_posix *run, bool boot_only, int *code)
{
    char broker[64];
    char cut[48];
    const char *arguments[NB_SPAWN_ARGUMENTS];
    size_t count = 0;
    snprintf(broker, sizeof broker, "mqtt://127.0.0.1:%u", run->port);
    snprintf(cut, sizeof cut, "%u:%s", run->cut.op, flash_tear_word(run->cut.tear));
    arguments[count++] = "device";
    arguments[count++] = "--device";
    arguments[count++] = run->device_path;
    arguments[count++] = "--flash";
    arguments[count++] = run->flash_path;
    arguments[count++] = "--broker";
    arguments[count++] = broker;
    arguments[count++] = "--fast";
    arguments[count++] = boot_only ? "--boot-only" : "--once";
    if (run->cut_armed) {
        arguments[count++] = "--cut";
        arguments[count++] = cut;
    }
    arguments[count] = NULL;
    const struct nb_spawn spawn = {run->loop, on_device_line, run, run->log_path};
    int rc = nb_spawn_run(&spawn, arguments, DEVICE_MS, &nb_run_stop, code);
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
    bool fired = !run->cut_armed || nb_trace_has(&run->trace, "cut");
    bool misfit = run->cut_armed && nb_trace_last(&run->trace, "cut-misfit");
    size_t unfired = run->cloud ? anycloud_cloud_unfired(run->cloud) : 0;
    run->cut_armed = false;
    if (misfit) {
        nb_outcome_set(run->outcome, NB_VACUOUS, "line %u: the tear `%s` does not fit operation %u",
                       step->line, flash_tear_word(run->cut.tear), run->cut.op);
        return false; /* what follows was written for a device that was cut */
    }
    if (!fired || unfired)
        nb_outcome_set(run->outcome, NB_VACUOUS, "line %u: %s never fired", step->line,
                       fired ? "a fault of the cloud armed for it" : "the power cut armed for it");
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

static bool set_up(struct nb_posix *run)
{
    struct flash_text_error error = {0};
    char reason[NB_LINE] = "";
    const char *dir = nb_kit_dir(run->cell->kit);
    int rc = nb_kit_broker(run->cell->kit, &run->port, reason, sizeof reason);
    if (rc) {
        nb_outcome_set(run->outcome, rc == OTA_E_UNSUPPORTED ? NB_SKIP : NB_ERROR, "%s", reason);
        return false;
    }
    snprintf(run->device_path, sizeof run->device_path, "%s/cell.device", dir);
    snprintf(run->flash_path, sizeof run->flash_path, "%s/cell.bin", dir);
    snprintf(run->log_path, sizeof run->log_path, "%s/device.log", dir);
    clear_old_files(run);
    rc = nb_cell_device(run->script, run->cell, &run->device, &error);
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
        rc = start_cloud(run, reason);
    if (rc)
        nb_outcome_set(run->outcome, NB_ERROR, "%s",
                       error.message[0] ? error.message
                       : reason[0]      ? reason
                                        : ota_err_text(rc));
    return rc == 0;
}

static void tear_down(struct nb_posix *run)
{
    if (run->cloud)
        anycloud_cloud_free(run->cloud);
    run->cloud = NULL;
    posix_mqtt_free(run->mqtt);
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
    if (!refuse(run) && set_up(run))
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

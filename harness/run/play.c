/* Plays a script, step by step: what is the same in every world. */
#include "harness/run/play.h"
#include "harness/run/act.h"
#include "harness/run/side.h"
#include "sim/device_flash.h"
#include "sim/life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 10

/* ---- devices ----------------------------------------------------------------------------- */

bool nb_play_each(struct nb_play *play, const struct nb_step *step,
                  bool (*look)(struct nb_play *play, const struct nb_step *step))
{
    for (size_t i = 0; i < play->unit_count; i++) {
        play->unit = &play->units[i];
        if (!look(play, step))
            return false;
    }
    play->unit = &play->units[0];
    return true;
}

static void oracle_offer(struct nb_play *play, const struct nb_oracle_image *image)
{
    for (size_t i = 0; i < play->unit_count; i++)
        nb_oracle_offer(&play->units[i].oracle, image);
}

/* ---- events ------------------------------------------------------------------------------ */

static void keep_line(struct nb_play *play, struct nb_unit *unit, bool cloud, const char *text)
{
    int rc = nb_trace_add(&unit->trace, cloud, text);
    if (rc)
        play->err = rc;
}

static void hash_line(struct nb_play *play, bool cloud, const char *text)
{
    if (!play->cell->hash)
        return;
    play->history_hash = sim_journal_hash(play->history_hash, cloud ? "cloud" : "device");
    play->history_hash = sim_journal_hash(play->history_hash, text);
}

void nb_play_device_line(void *context, const char *text)
{
    struct nb_play *play = context;
    struct nb_oracle *oracle = &play->unit->oracle;
    keep_line(play, play->unit, false, text);
    hash_line(play, false, text);
    nb_oracle_event(oracle, text);
    nb_net_device_line(&play->net, text);
    /* What a device believes to have fetched before it was cut must be there already. */
    if (play->stage->live_flash && oracle->progress_untold && strncmp(text, "progress ", 9) == 0) {
        oracle->progress_untold = false;
        int rc = nb_play_show_flash(play);
        if (rc)
            play->err = rc;
    }
}

void nb_play_cloud_line(void *context, const char *text)
{
    static const char *const tampering[] = {"fault corrupt ",     "fault raw-chunk ",
                                            "fault patch-chunk ", "fault other-image ",
                                            "fault etag-change ", "fault raw "};
    struct nb_play *play = context;
    bool tampers = false;
    for (size_t i = 0; i < sizeof tampering / sizeof tampering[0]; i++)
        tampers = tampers || strncmp(text, tampering[i], strlen(tampering[i])) == 0;
    for (size_t i = 0; i < play->unit_count; i++) {
        if (tampers)
            nb_oracle_tampered(&play->units[i].oracle);
        keep_line(play, &play->units[i], true, text);
    }
    hash_line(play, true, text);
}

void nb_play_journal_line(void *context, const char *line)
{
    struct nb_play *play = context;
    play->flash_hash = sim_journal_hash(play->flash_hash, line);
    if (play->journal)
        fprintf(play->journal, "%s\n", line);
}

struct sim_session nb_play_session(const struct nb_play *play)
{
    const struct nb_agent_switches *agent = &play->script->agent;
    return (struct sim_session){.by_http = nb_net_via_http(&play->net),
                                .flow = agent->direct || agent->send_direct ? OTA_FLOW_DIRECT
                                                                            : OTA_FLOW_JOB,
                                .file = agent->direct ? ANYCLOUD_FILE : NULL,
                                .send_direct = agent->send_direct,
                                .chunk_size = agent->chunk,
                                .answers = agent->answers,
                                .no_result = agent->no_result,
                                .permanent = agent->permanent,
                                .stay = agent->stay,
                                .hold = agent->hold,
                                .initiate = play->initiate,
                                .timing = {.keep_alive = 1000 * agent->seconds[NB_KEEP_ALIVE],
                                           .job_wait = 1000 * agent->seconds[NB_JOB_WAIT],
                                           .data_wait = 1000 * agent->seconds[NB_DATA_WAIT],
                                           .connect_wait = 1000 * agent->seconds[NB_CONNECT_WAIT],
                                           .next_check = 1000 * agent->seconds[NB_NEXT_CHECK],
                                           .retry_first = 1000 * agent->seconds[NB_RETRY],
                                           .retry_last = 1000 * agent->seconds[NB_RETRY_LAST],
                                           .connect_tries = agent->seconds[NB_CONNECT_TRIES],
                                           .data_tries = agent->seconds[NB_DATA_TRIES]}};
}

/* ---- the cloud side ---------------------------------------------------------------------- */

/* What the offer tells a lie about must not be taken for the image that it is. */
static void show_offer(struct nb_play *play, const struct nb_image *image,
                       const struct nb_blob *blob)
{
    struct nb_oracle_image known;
    nb_play_known(image, blob, &known);
    known.packed = play->net.offered_size != blob->size;
    if (play->net.side->is_lie && play->net.side->is_lie(image))
        known.genuine = false;
    oracle_offer(play, &known);
}

static int offer(struct nb_play *play, const struct nb_step *step, struct flash_text_error *error)
{
    const struct nb_script *script = play->script;
    const struct nb_image *image = step->image >= 0 ? &script->images[step->image] : NULL;
    struct nb_image bases[NB_BASES];
    struct nb_blob sources[NB_BASES];
    struct nb_bytes patches[NB_BASES];
    struct nb_blob blob;
    char reason[NB_LINE] = "";
    const struct nb_offered offered = {.kind = step->kind,
                                       .erased = step->expect.versions[0],
                                       .image = image,
                                       .blob = &blob,
                                       .bases = bases,
                                       .sources = sources,
                                       .patches = patches,
                                       .board = play->device.board};
    int rc = 0;
    if (image)
        rc = nb_kit_image(play->cell->kit, script, play->cell, &play->device, image, &blob, error);
    for (size_t i = 0; rc == 0 && image && i < image->base_count; i++) {
        bases[i] = script->images[image->bases[i]];
        rc = nb_kit_image(play->cell->kit, script, play->cell, &play->device, &bases[i],
                          &sources[i], error);
        if (rc == 0)
            rc = nb_kit_patch(play->cell->kit, &sources[i], &blob, &patches[i]);
    }
    if (rc == 0)
        rc = nb_net_offer(&play->net, &offered, reason);
    if (reason[0])
        snprintf(error->message, sizeof error->message, "%.150s", reason);
    if (rc == 0 && image)
        show_offer(play, image, &blob);
    else if (rc == 0)
        oracle_offer(play, NULL);
    return rc;
}

/* ---- steps ------------------------------------------------------------------------------- */

static bool expect_event(struct nb_play *play, const struct nb_step *step)
{
    bool cloud =
        step->expect.kind == NB_EXPECT_CLOUD || step->expect.kind == NB_EXPECT_CHUNK_REQUEST;
    const struct sim_world *world = play->world;
    uint64_t end = world->now_ms(world->context) + play->stage->expect_ms;
    while (!nb_trace_meets(&play->unit->trace, &step->expect)) {
        if (!cloud || world->now_ms(world->context) > end || nb_run_stop) {
            nb_outcome_set(play->outcome, NB_FAIL, "line %u: nothing met `%.100s`", step->line,
                           step->text);
            return false;
        }
        (void)world->run(world->context, POLL_MS);
    }
    return true;
}

static bool never_event(struct nb_play *play, const struct nb_step *step)
{
    const char *line = nb_trace_find(&play->unit->trace, &step->expect);
    if (line)
        nb_outcome_set(play->outcome, NB_FAIL, "line %u: `%.60s`, and there is: %.80s", step->line,
                       step->text, line);
    return !line;
}

static bool expect_lasts(struct nb_play *play, const struct nb_step *step)
{
    if (play->lasted >= step->value)
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: the device step took %llu ms, not %u or more",
                   step->line, (unsigned long long)play->lasted, step->value);
    return false;
}

static bool expect_topics(struct nb_play *play, const struct nb_step *step)
{
    size_t topics = nb_trace_topics(&play->units[0].trace);
    if (topics == step->value)
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: jobs were asked for on %zu topics, not %u",
                   step->line, topics, step->value);
    return false;
}

static bool expect_traffic(struct nb_play *play, const struct nb_step *step)
{
    unsigned long long traffic = play->net.traffic;
    nb_note_add(play->outcome, "line %u: %llu bytes went to the device; the image has %u",
                step->line, traffic, play->net.offered_size);
    if (traffic <= step->value && traffic > 0)
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "line %u: %llu bytes went to the device, not 1 to %u",
                   step->line, traffic, step->value);
    return false;
}

/* A fault that this world or cell has no place for: others may. */
static bool out_of_place(struct nb_play *play)
{
    for (size_t i = 0; i < play->script->step_count; i++) {
        const struct nb_step *step = &play->script->steps[i];
        const char *why = play->stage->cannot(play, step);
        if (!why && step->kind == NB_FAULT_NET)
            why = nb_net_cannot(&play->net, &step->fault);
        if (!why)
            continue;
        nb_outcome_set(play->outcome, NB_SKIP, "line %u: `%.60s`: %s", step->line, step->text, why);
        return true;
    }
    return false;
}

/* What no world can play with this cloud, said before anything runs. A fault that the cell names
 * has no place here; the script's own are a mistake. */
static bool refuse(struct nb_play *play)
{
    for (size_t i = 0; i < play->script->step_count; i++) {
        const struct nb_step *step = &play->script->steps[i];
        const char *why = NULL;
        if (play->script->needs_cloud && nb_act_kind(step->kind) != SIM_ACT_NONE)
            why = "only in a script without a cloud: here the application decides itself";
        else if (play->script->needs_cloud)
            why = nb_net_not_for(&play->net, play->script, step);
        if (!why)
            continue;
        bool named =
            play->cell->drawn_given && step->kind >= NB_FAULT_CUT && step->kind <= NB_FAULT_NET;
        nb_outcome_set(play->outcome, named ? NB_SKIP : NB_ERROR, "line %u: `%.60s`: %s",
                       step->line, step->text, why);
        return true;
    }
    return false;
}

static void arm_cut(struct nb_play *play, const struct nb_step *step)
{
    play->cut_returns = step->all;
    play->sweep_armed = step->all && play->next_cut == play->cell->cut_count;
    play->sweep_tears = step->tears;
    play->sweep_fails = false;
    play->cut_armed = !play->sweep_armed;
    play->cut.op = step->value;
    play->cut.tear = step->tear == FLASH_TEAR_COUNT ? FLASH_TEAR_BEFORE : step->tear;
    if (step->all && play->cut_armed)
        play->cut = play->cell->cuts[play->next_cut++];
}

static bool expect_flash(struct nb_play *play, const struct nb_step *step)
{
    char reason[NB_LINE] = "";
    if (nb_play_expect_flash(play, step, reason))
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "%s", reason);
    return false;
}

static bool expect_wear(struct nb_play *play, const struct nb_step *step)
{
    char reason[NB_LINE] = "";
    if (nb_play_expect_wear(play, step, reason))
        return true;
    nb_outcome_set(play->outcome, NB_FAIL, "%s", reason);
    return false;
}

static bool done(struct nb_play *play, const struct nb_step *step, int rc,
                 const struct flash_text_error *error)
{
    if (rc)
        nb_outcome_set(play->outcome, NB_ERROR, "line %u: %s", step->line,
                       error->message[0] ? error->message : ota_err_text(rc));
    return rc == 0;
}

static bool flash_step(struct nb_play *play, const struct nb_step *step)
{
    struct flash_text_error error = {0};
    int rc = nb_play_flash_step(play, step, &error);
    return done(play, step, rc, &error);
}

static void arm_fail(struct nb_play *play, const struct nb_step *step)
{
    play->sweep_armed = step->all && play->next_cut == play->cell->cut_count;
    play->sweep_fails = play->sweep_armed;
    play->fail_armed = !play->sweep_armed;
    play->fail_fired = false;
    play->fail_op = step->value;
    play->failure = step->failure;
    for (size_t i = 0; i < play->unit_count && step->failure != FLASH_FAIL_ERROR; i++)
        nb_oracle_unkept(&play->units[i].oracle);
    if (step->all && play->fail_armed)
        play->fail_op = play->cell->cuts[play->next_cut++].op;
}

/* False: the run is over. */
static bool play_step(struct nb_play *play, const struct nb_step *step)
{
    struct flash_text_error error = {0};
    int rc = 0;
    switch (step->kind) {
    case NB_CLOUD_OFFER:
    case NB_CLOUD_ADD:
    case NB_CLOUD_ERASE:
    case NB_CLOUD_NONE:
        rc = offer(play, step, &error);
        break;
    case NB_DEVICE_LIVE:
    case NB_DEVICE_CHECK:
    case NB_DEVICE_BOOT:
    case NB_DEVICE_CONFIRM:
    case NB_DEVICE_PENDING:
    case NB_DEVICE_ROLL_BACK:
    case NB_DEVICE_FACTORY_RESET:
    case NB_DEVICE_FORGET:
    case NB_UNTIL_STABLE:
    case NB_UNTIL_REPORTED:
        return nb_play_device_step(play, step);
    case NB_FAULT_CUT:
        arm_cut(play, step);
        break;
    case NB_FAULT_FAIL:
        arm_fail(play, step);
        break;
    case NB_FAULT_CHUNK:
    case NB_FAULT_REVERSE:
    case NB_FAULT_JOB_SILENT:
    case NB_FAULT_JOB_RAW:
    case NB_FAULT_NET:
        rc = nb_net_arm(&play->net, step);
        break;
    case NB_EXPECT_TRAFFIC:
        return expect_traffic(play, step);
    case NB_EXPECT_LASTS:
        return expect_lasts(play, step);
    case NB_EXPECT_TOPICS:
        return expect_topics(play, step);
    case NB_EXPECT:
        return nb_play_each(play, step, step->expect.never ? never_event : expect_event);
    case NB_EXPECT_WEAR:
        return nb_play_each(play, step, expect_wear);
    case NB_EXPECT_FLASH:
        return nb_play_each(play, step, expect_flash);
    default:
        return nb_play_each(play, step, flash_step);
    }
    return done(play, step, rc, &error);
}

static enum nb_front front_of(enum nb_step_kind kind)
{
    return kind <= NB_CLOUD_NONE                          ? NB_FRONT_CLOUD
           : kind >= NB_FAULT_CUT && kind <= NB_FAULT_NET ? NB_FRONT_FAULTS
                                                          : NB_FRONT_FLASH;
}

bool nb_play_front(struct nb_play *play, enum nb_front front)
{
    const struct nb_script *script = play->script;
    bool good = true;
    for (size_t i = 0; good && i < script->step_count && script->steps[i].kind != NB_PROVE; i++)
        if (front_of(script->steps[i].kind) == front)
            good = play_step(play, &script->steps[i]);
    return good;
}

/* ---- one cell ---------------------------------------------------------------------------- */

static void cannot_begin(struct nb_play *play, int rc, const char *reason)
{
    nb_outcome_set(play->outcome, rc == OTA_E_UNSUPPORTED ? NB_SKIP : NB_ERROR, "%s",
                   reason[0] ? reason : ota_err_text(rc));
}

/* Can all images of the script be made? What is too small for the board's program is told first. */
static int make_images(struct nb_play *play, struct flash_text_error *error)
{
    const struct nb_script *script = play->script;
    struct nb_blob blob;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < script->image_count && play->cell->programs; i++)
        rc = nb_kit_image(play->cell->kit, script, play->cell, &play->device, &script->images[i],
                          &blob, error);
    return rc;
}

/* The application takes some step over from its agent. */
static bool does_itself(const struct nb_script *script)
{
    for (size_t i = 0; i < APP_ANSWERS; i++)
        if (strncmp(script->agent.answer_words[i], "done=", 5) == 0)
            return true;
    return false;
}

/* The device, and whose cloud it gets. */
static int choose(struct nb_play *play, struct flash_text_error *error)
{
    char reason[NB_LINE] = "";
    int rc = nb_cell_device(play->script, play->cell, &play->device, error);
    play->has_device = rc == 0;
    if (rc == 0 && play->script->needs_cloud)
        rc = nb_net_choose(&play->net, play->script, play->cell, &play->device, reason);
    if (reason[0])
        snprintf(error->message, sizeof error->message, "%.150s", reason);
    return rc;
}

bool nb_play_open(struct nb_play *play)
{
    struct flash_text_error error = {0};
    int rc = choose(play, &error);
    if (rc == 0 && (refuse(play) || out_of_place(play)))
        return false;
    if (rc == 0 && play->device.foreign && strcmp(play->cell->world, "cortexm") != 0) {
        snprintf(error.message, sizeof error.message,
                 "the device's firmware is somebody else's: it needs the cortexm world");
        rc = OTA_E_UNSUPPORTED;
    }
    play->unit_count = play->script->devices;
    play->unit = &play->units[0];
    if (rc == 0)
        rc = make_images(play, &error);
    if (rc == 0)
        rc = play->stage->prepare(play, &error);
    for (size_t i = 0; i < play->unit_count && rc == 0; i++) {
        play->unit = &play->units[i];
        nb_oracle_init(&play->unit->oracle,
                       play->device.scheme->reverts && play->device.attempts == 1,
                       play->device.validate_primary);
        play->unit->oracle.ranks = play->device.scheme->store;
        play->unit->oracle.own_checks = does_itself(play->script);
        rc = nb_play_fill_flash(play, &error);
    }
    play->unit = &play->units[0];
    if (rc)
        cannot_begin(play, rc, error.message);
    return rc == 0;
}

void nb_play_close(struct nb_play *play)
{
    play->stage->clear(play);
    if (play->has_device)
        sim_device_free(&play->device);
    free(play->loader_before);
    for (size_t i = 0; i < play->unit_count; i++)
        nb_trace_free(&play->units[i].trace);
}

static bool keeps_the_rules(struct nb_play *play, const struct nb_step *step)
{
    const char *wrong = nb_oracle_violation(&play->unit->oracle);
    if (wrong)
        nb_outcome_set(play->outcome, NB_FAIL, "line %u: %.150s", step->line, wrong);
    return !wrong;
}

/* Plays the steps until one goes wrong; the oracle looks after each. */
static void play_all(struct nb_play *play)
{
    struct nb_outcome *outcome = play->outcome;
    for (size_t i = 0; i < play->script->step_count; i++) {
        const struct nb_step *step = &play->script->steps[i];
        bool going_on = play_step(play, step);
        struct nb_unit *present = play->unit;
        if (nb_play_each(play, step, keeps_the_rules))
            play->unit = present;
        if (!going_on || outcome->verdict == NB_FAIL)
            return;
        if (nb_run_stop) {
            nb_outcome_set(outcome, NB_ERROR, "stopped");
            return;
        }
    }
}

/* What happened comes before what is wrong with it. */
static void tell_story(struct nb_play *play)
{
    struct nb_outcome told = {0};
    struct nb_outcome *outcome = play->outcome;
    char last[NB_LINE] = "";
    if (outcome->story_count)
        memcpy(last, outcome->story[outcome->story_count - 1], NB_LINE);
    nb_trace_tell(&play->unit->trace, &told);
    memcpy(outcome->story, told.story, sizeof told.story);
    outcome->story_count = told.story_count;
    nb_story_add(outcome, "%s", last);
}

static bool open_journal(struct nb_play *play)
{
    const char *path = play->cell->journal;
    play->journal = path ? fopen(path, "w") : NULL;
    if (!path || play->journal)
        return true;
    nb_outcome_set(play->outcome, NB_ERROR, "%.120s: %s", path, strerror(errno));
    return false;
}

static void close_journal(struct nb_play *play)
{
    if (!play->journal)
        return;
    fprintf(play->journal, "flash %016llx\n", (unsigned long long)play->outcome->flash_hash);
    bool good = !ferror(play->journal);
    if (fclose(play->journal) != 0 || !good)
        nb_outcome_set(play->outcome, NB_ERROR, "%.120s: cannot be written", play->cell->journal);
    play->journal = NULL;
}

static void note_hashes(struct nb_play *play)
{
    struct nb_outcome *outcome = play->outcome;
    int rc = nb_play_fingerprint_all(play, &outcome->flash_hash);
    if (rc)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(rc));
    outcome->journal_hash = play->flash_hash;
    nb_note_add(outcome, "history %016llx flash %016llx", (unsigned long long)play->history_hash,
                (unsigned long long)play->flash_hash);
}

void nb_play_steps(struct nb_play *play)
{
    char reason[NB_LINE] = "";
    int rc = 0;
    if (!open_journal(play))
        return;
    play->net.line = nb_play_cloud_line;
    play->net.context = play;
    if (play->script->needs_cloud)
        rc = nb_net_start(&play->net, play->script, play->cell, &play->device, reason);
    if (rc)
        cannot_begin(play, rc, reason);
    else
        play_all(play);
    nb_net_stop(&play->net);
    if (play->cell->hash)
        note_hashes(play);
    close_journal(play);
    if (play->outcome->verdict != NB_PASS)
        tell_story(play);
}

void nb_play_run(struct nb_play *play)
{
    if (nb_play_open(play))
        nb_play_steps(play);
    nb_play_close(play);
}

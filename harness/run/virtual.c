#include "harness/run/virtual.h"
#include "flashsim/failing.h"
#include "harness/prove/cuts.h"
#include "harness/prove/explore.h"
#include "harness/prove/lives.h"
#include "harness/run/apart.h"
#include "harness/run/net_virtual.h"
#include "harness/run/play.h"
#include "sim/virtual/choice.h"
#include "sim/virtual/device.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE_MS (48u * 3600u * 1000u) /* a device that takes longer hangs */

/* One of the devices. */
struct member {
    struct nb_virtual *of;
    struct nb_unit *unit;
    struct sim_device device; /* the run's, with a serial number of its own */
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct flash_failing failing;
    bool failure_told; /* … the oracle that it failed */
    uint32_t counter;
    struct choice choice; /* several devices draw the same numbers, each for itself */
    struct random_port random;
    struct virtual_device *device_now; /* while it runs */
    struct sim_life_end end;           /* of the last device step */
    int code;
    /* what every play begins with */
    struct flash_snapshot *factory;
    struct nb_oracle oracle;
};

struct nb_virtual {
    struct nb_play play;
    struct nb_net_virtual net;
    struct virtual_world *world;
    struct member members[NB_DEVICES];
    size_t member_count;
    size_t running;
    struct nb_cut_list *cuts; /* to be filled with those of the step that a sweep is for; or NULL */
    uint32_t operations;      /* most flash operations of a device step so far */
    const struct nb_life *life;    /* the present one; NULL: a script is played */
    struct anycloud_memory memory; /* the cloud side's after it */
    bool opened;
    struct nb_outcome refusal; /* why it cannot be played at all */
};

/* The present device of the play. */
static struct member *present(const struct nb_play *play)
{
    struct nb_virtual *own = play->own;
    return &own->members[play->unit - play->units];
}

/* Serial numbers differ in the last character. */
static void name_device(struct sim_device *device, size_t index)
{
    size_t length = strlen(device->serial);
    char *last = length > 0 ? &device->serial[length - 1] : device->serial;
    char digit = (char)('1' + index);
    if (index > 0)
        *last = *last == digit ? '0' : digit;
}

static int draw(void *context, void *out, size_t length)
{
    choice_bytes(context, out, length);
    return OTA_OK;
}

/* ---- flash ------------------------------------------------------------------------------- */

static int prepare(struct nb_play *play, struct flash_text_error *error)
{
    struct nb_virtual *own = play->own;
    (void)error;
    own->member_count = play->unit_count;
    for (size_t i = 0; i < own->member_count; i++) {
        struct member *member = &own->members[i];
        member->of = own;
        member->unit = &play->units[i];
        member->device = play->device;
        name_device(&member->device, i);
        member->random = (struct random_port){&member->choice, draw};
        member->sim = flash_sim_memory(play->device.chips, play->device.chip_count);
        if (member->sim)
            member->crypto = crypto_openssl_new(member->sim, !play->cell->compute);
        if (!member->sim || !member->crypto)
            return OTA_E_NO_SPACE;
    }
    return 0;
}

static void clear(struct nb_play *play)
{
    struct nb_virtual *own = play->own;
    for (size_t i = 0; i < own->member_count; i++) {
        struct member *member = &own->members[i];
        choice_free(&member->choice);
        if (member->crypto)
            crypto_openssl_free(member->crypto);
        if (member->factory)
            flash_snapshot_free(member->sim, member->factory);
        if (member->sim)
            flash_sim_close(member->sim);
    }
}

static int open_flash(struct nb_play *play, struct flash_sim **out, struct flash_text_error *error)
{
    (void)error;
    *out = present(play)->sim;
    return 0;
}

static void close_flash(struct nb_play *play, struct flash_sim *sim)
{
    (void)play;
    (void)sim; /* it stays */
}

static int raise_counter(struct nb_play *play, uint32_t value)
{
    struct member *member = present(play);
    if (value > member->counter)
        member->counter = value;
    return 0;
}

/* ---- the devices ------------------------------------------------------------------------- */

static enum flash_tear on_operation(void *context, const struct flash_op *op, uint32_t number)
{
    struct member *member = context;
    struct nb_play *play = &member->of->play;
    const struct nb_life *life = member->of->life;
    if (number >= member->of->operations)
        member->of->operations = number + 1;
    if (life && life->cut)
        return life->cut(life->context, op, number);
    if (play->sweep_armed && member->of->cuts)
        nb_cut_list_add(member->of->cuts, member->sim, op, number, play->sweep_fails,
                        play->sweep_tears);
    return play->cut_armed && number == play->cut.op ? play->cut.tear : FLASH_TEAR_NONE;
}

static void looked(const struct member *member, uint32_t address, uint32_t length)
{
    const struct nb_life *life = member->of->life;
    if (life && life->looked)
        life->looked(life->context, address, length);
}

static void on_hashed(void *context, uint32_t address, uint32_t length)
{
    looked(context, address, length);
}

/* Of a store any place may have it. */
static void look_for_download(const struct member *member, uint32_t progress)
{
    const struct nb_play *play = &member->of->play;
    const bool store = play->device.scheme->store;
    for (size_t i = 0; i < (store ? STORE_PLACES : 1u); i++) {
        const struct sim_region *place = store ? &play->places[i] : &play->device.secondary;
        looked(member, place->address, progress < place->size ? progress : place->size);
    }
}

/* In a life the oracle looks whenever the device says what lies in its flash. */
static void look(struct member *member, const char *line)
{
    struct nb_play *play = &member->of->play;
    const struct nb_oracle *oracle = &member->unit->oracle;
    bool boots = strncmp(line, "boot ", 5) == 0;
    if (!boots && strncmp(line, "progress ", 9) != 0)
        return;
    for (size_t i = 0; boots && oracle->has_running && i < oracle->image_count; i++)
        if (img_version_compare(&oracle->images[i].version, &oracle->running) == 0)
            looked(member, play->device.primary.address, oracle->images[i].end);
    if (oracle->progress_live)
        look_for_download(member, oracle->progress);
    int rc = nb_play_show_flash(play);
    if (rc)
        play->err = rc;
}

static void on_line(void *context, const char *line, int code)
{
    struct member *member = context;
    struct nb_play *play = &member->of->play;
    (void)code;
    play->unit = member->unit;
    if (member->failing.fired && !member->failure_told)
        nb_oracle_flash_error(&member->unit->oracle);
    member->failure_told = member->failing.fired;
    nb_play_device_line(play, line);
    if (member->of->life)
        look(member, line);
}

static void on_journal(void *context, const char *line)
{
    struct member *member = context;
    nb_play_journal_line(&member->of->play, line);
}

static void on_ended(void *context, struct virtual_device *device, int code)
{
    struct member *member = context;
    struct nb_virtual *own = member->of;
    (void)device;
    member->code = code;
    if (--own->running == 0)
        own->play.world->stop(own->play.world->context, 1);
}

static struct virtual_device *start(struct member *member, bool boot_only)
{
    struct nb_play *play = &member->of->play;
    struct virtual_device_config config = {
        .device = &member->device,
        .sim = member->sim,
        .counter = &member->counter,
        .world = member->of->world,
        .random = play->unit_count > 1 ? &member->random : NULL,
        .session = nb_play_session(play),
        .timing = SIM_TIMING_FAST,
        .once = play->live_ms == 0,
        .boot_only = boot_only,
        .act = play->act,
        .remember = !play->cell->compute,
        .crypto = member->crypto,
        .cut = on_operation,
        .flash = member->of->life ? member->of->life->flash : NULL,
        .hashed = on_hashed,
        .journal = play->cell->hash ? on_journal : NULL,
        .event = on_line,
        .context = member,
    };
    nb_virtual_clients(&play->net, &config);
    flash_failing_init(&member->failing, member->sim);
    member->failure_told = false;
    if (play->fail_armed) {
        flash_failing_arm(&member->failing, play->fail_op, play->failure);
        config.flash = &member->failing.port;
    }
    return virtual_device_start(&config, on_ended, member);
}

/* All are switched on in the same tick. */
static int run_device(struct nb_play *play, bool boot_only, int codes[NB_DEVICES])
{
    struct nb_virtual *own = play->own;
    bool started = true;
    own->running = own->member_count;
    for (size_t i = 0; i < own->member_count; i++) {
        struct member *member = &own->members[i];
        member->code = play->live_ms ? NB_SWITCHED_OFF : OTA_E_TIMEOUT;
        member->device_now = start(member, boot_only);
        started = started && member->device_now;
    }
    if (started)
        (void)play->world->run(play->world->context,
                               play->live_ms ? play->live_ms : 1000 * nb_play_limit_s(play));
    int rc = started ? 0 : OTA_E_NO_SPACE;
    for (size_t i = 0; i < own->member_count; i++) {
        struct member *member = &own->members[i];
        if (member->device_now)
            member->end = *virtual_device_end(member->device_now);
        virtual_device_free(member->device_now);
        member->device_now = NULL;
        codes[i] = member->code;
        if (rc == 0 && member->code == OTA_E_TIMEOUT)
            rc = OTA_E_TIMEOUT;
    }
    play->unit = &play->units[0];
    play->fail_fired = own->members[0].failing.fired;
    return rc;
}

static void last_words(const struct nb_play *play, char *out, size_t size)
{
    snprintf(out, size, "%s", present(play)->end.text);
}

static const char *cannot(const struct nb_play *play, const struct nb_step *step)
{
    (void)play;
    return step->kind == NB_DEVICE_PUSH ? "there is no line for a host that pushes: the bench "
                                          "plays that, in a script without a cloud"
                                        : NULL;
}

static const struct nb_stage virtual_stage = {
    .prepare = prepare,
    .clear = clear,
    .open_flash = open_flash,
    .close_flash = close_flash,
    .raise_counter = raise_counter,
    .run_device = run_device,
    .last_words = last_words,
    .cannot = cannot,
    .live_flash = true,
    .settle_ms = 60,
    .expect_ms = 2000,
    .limit_s = DEVICE_MS / 1000,
};

/* ---- from outside ------------------------------------------------------------------------ */

struct nb_virtual *nb_virtual_new(const struct nb_script *script, const struct nb_cell *cell)
{
    struct nb_virtual *virtual = calloc(1, sizeof *virtual);
    if (!virtual)
        return NULL;
    struct nb_play *play = &virtual->play;
    play->script = script;
    play->cell = cell;
    play->outcome = &virtual->refusal;
    play->stage = &virtual_stage;
    play->own = virtual;
    play->net.makers = &nb_servers_virtual;
    play->net.own = &virtual->net;
    virtual->opened = nb_play_open(play);
    for (size_t i = 0; i < virtual->member_count && virtual->opened; i++) {
        struct member *member = &virtual->members[i];
        member->oracle = member->unit->oracle;
        member->factory = flash_sim_snapshot(member->sim);
        if (!member->factory) {
            nb_outcome_set(&virtual->refusal, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
            virtual->opened = false;
        }
    }
    return virtual;
}

void nb_virtual_free(struct nb_virtual *virtual)
{
    if (!virtual)
        return;
    nb_play_close(&virtual->play);
    virtual_world_free(virtual->world);
    free(virtual);
}

void nb_virtual_script(struct nb_virtual *virtual, const struct nb_script *script)
{
    virtual->play.script = script;
}

const struct nb_trace *nb_virtual_trace(const struct nb_virtual *virtual)
{
    return &virtual->play.units[0].trace;
}

uint32_t nb_virtual_operations(const struct nb_virtual *virtual)
{
    return virtual->operations;
}

uint64_t nb_virtual_longest(const struct nb_virtual *virtual)
{
    return virtual->play.longest;
}

const char *nb_virtual_board(const struct nb_virtual *virtual)
{
    return virtual->play.device.board;
}

const char *nb_virtual_cannot(struct nb_virtual *virtual, const struct nb_step *step)
{
    const struct nb_play *play = &virtual->play;
    const char *why = step->kind == NB_FAULT_NET ? nb_net_cannot(&play->net, &step->fault) : NULL;
    return why ? why : nb_net_not_for(&play->net, play->script, step);
}

/* Every play has a world of its own: what happened in an earlier one, its clock and its chance, is
 * nothing to the next. */
static bool begin_world(struct nb_virtual *virtual)
{
    struct nb_play *play = &virtual->play;
    virtual_world_free(virtual->world);
    virtual->world = virtual_world_new();
    if (!virtual->world)
        return false;
    choice_seed(virtual_world_choice(virtual->world), play->cell->seed);
    play->world = play->net.world = virtual_world_table(virtual->world);
    return true;
}

void nb_virtual_play(struct nb_virtual *virtual, struct nb_cut_list *cuts,
                     struct nb_outcome *outcome)
{
    struct nb_play *play = &virtual->play;
    if (!virtual->opened) {
        *outcome = virtual->refusal;
        return;
    }
    if (!begin_world(virtual)) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return;
    }
    for (size_t i = 0; i < virtual->member_count; i++) {
        struct member *member = &virtual->members[i];
        flash_sim_restore(member->sim, member->factory);
        member->counter = 0;
        member->unit->oracle = member->oracle;
        nb_trace_clear(&member->unit->trace);
        choice_seed(&member->choice, play->cell->seed);
    }
    play->outcome = outcome;
    play->history_hash = play->flash_hash = 0;
    play->next_cut = 0;
    play->longest = 0;
    play->cut_armed = play->fail_armed = play->fail_fired = false;
    play->err = 0;
    virtual->cuts = cuts;
    nb_play_steps(play);
}

/* ---- lives ------------------------------------------------------------------------------- */

struct flash_sim *nb_virtual_flash(struct nb_virtual *virtual)
{
    return virtual->members[0].sim;
}

uint64_t nb_virtual_flash_hash(const struct nb_virtual *virtual)
{
    return virtual->play.flash_hash;
}

uint32_t *nb_virtual_counter(struct nb_virtual *virtual)
{
    return &virtual->members[0].counter;
}

struct nb_oracle *nb_virtual_oracle(struct nb_virtual *virtual)
{
    return &virtual->play.units[0].oracle;
}

const struct sim_device *nb_virtual_device(const struct nb_virtual *virtual)
{
    return &virtual->play.device;
}

void nb_virtual_forget(struct nb_virtual *virtual)
{
    nb_trace_clear(&virtual->play.units[0].trace);
}

void nb_virtual_memory(const struct nb_virtual *virtual, struct anycloud_memory *out)
{
    if (virtual->play.net.cloud)
        nb_net_memory(&virtual->play.net, out);
    else
        *out = virtual->memory;
}

/* A network, and what is on offer. Closed by the caller in any case. */
static bool open_network(struct nb_virtual *virtual, struct nb_outcome *outcome)
{
    struct nb_play *play = &virtual->play;
    char reason[NB_LINE] = "";
    play->outcome = outcome;
    play->err = 0;
    if (!begin_world(virtual)) {
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return false;
    }
    play->net.line = nb_play_cloud_line;
    play->net.context = play;
    int rc = nb_net_start(&play->net, play->script, play->cell, &play->device, reason);
    if (rc == 0)
        return nb_play_front(play, NB_FRONT_CLOUD);
    nb_outcome_set(outcome, NB_ERROR, "%s", reason[0] ? reason : ota_err_text(rc));
    return false;
}

bool nb_virtual_prepare(struct nb_virtual *virtual, struct nb_outcome *outcome)
{
    struct member *member = &virtual->members[0];
    if (!virtual->opened) {
        *outcome = virtual->refusal;
        return false;
    }
    flash_sim_restore(member->sim, member->factory);
    member->counter = 0;
    member->unit->oracle = member->oracle;
    nb_trace_clear(&member->unit->trace);
    bool good = open_network(virtual, outcome) && nb_play_front(&virtual->play, NB_FRONT_FLASH);
    nb_net_stop(&virtual->play.net);
    return good;
}

int nb_virtual_live(struct nb_virtual *virtual, const struct nb_life *life,
                    struct nb_outcome *outcome, int *code, bool *fired)
{
    struct nb_play *play = &virtual->play;
    int codes[NB_DEVICES] = {0};
    const char *unfired = "";
    virtual->life = life;
    nb_trace_step(&play->units[0].trace);
    nb_oracle_step(&play->units[0].oracle, NB_CONFIRMS_AFTER_BOOT);
    play->cut_armed = play->fail_armed = play->fail_fired = play->sweep_armed = false;
    play->live_ms = 0;
    bool good =
        open_network(virtual, outcome) && (!life->trouble || nb_play_front(play, NB_FRONT_FAULTS));
    int rc = good ? 0 : OTA_E_ARGUMENT;
    if (rc == 0) {
        nb_net_recall(&play->net, life->remember);
        rc = run_device(play, false, codes);
        (void)play->world->run(play->world->context, play->stage->settle_ms);
        *fired = nb_net_end_step(&play->net, &unfired) == 0;
    }
    *code = rc == OTA_E_TIMEOUT ? OTA_E_TIMEOUT : codes[0];
    nb_net_memory(&play->net, &virtual->memory);
    nb_net_stop(&play->net);
    virtual->life = NULL;
    rc = rc == OTA_E_TIMEOUT ? 0 : rc;
    return rc ? rc : play->err;
}

static bool proves(const struct nb_script *script)
{
    for (size_t i = 0; i < script->step_count; i++)
        if (script->steps[i].kind == NB_PROVE)
            return true;
    return false;
}

int nb_virtual_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome)
{
    bool sweeps = false;
    if (proves(script))
        return nb_lives_prove(script, cell, outcome);
    if (cell->explored)
        return nb_explore_run(script, cell, outcome);
    for (size_t i = 0; i < script->step_count; i++)
        sweeps = sweeps || script->steps[i].all;
    if (sweeps && !cell->cut_count)
        return nb_cuts_sweep(script, cell, outcome);
    struct nb_virtual *virtual = nb_virtual_new(script, cell);
    if (!virtual)
        return OTA_E_NO_SPACE;
    nb_apart_note("");
    nb_virtual_play(virtual, NULL, outcome);
    nb_virtual_free(virtual);
    return 0;
}

#include "harness/run/virtual.h"
#include "flashsim/failing.h"
#include "harness/prove/cuts.h"
#include "harness/run/net_virtual.h"
#include "harness/run/play.h"
#include "sim/virtual/device.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE_MS (48u * 3600u * 1000u) /* a device that takes longer hangs */

struct nb_virtual {
    struct nb_play play;
    struct nb_net_virtual net;
    struct virtual_world *world;
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct flash_failing failing;
    struct nb_cut_list *cuts; /* to be filled with those of the step that a sweep is for; or NULL */
    uint32_t counter;
    struct sim_life_end end; /* of the last device step */
    /* what every play begins with */
    bool opened;
    struct nb_outcome refusal; /* why it cannot be played at all */
    struct flash_snapshot *factory;
    struct nb_oracle oracle;
};

/* ---- flash ------------------------------------------------------------------------------- */

static int prepare(struct nb_play *play, struct flash_text_error *error)
{
    struct nb_virtual *own = play->own;
    (void)error;
    own->sim = flash_sim_memory(play->device.chips, play->device.chip_count);
    if (own->sim)
        own->crypto = crypto_openssl_new(own->sim, !play->cell->compute);
    return own->sim && own->crypto ? 0 : OTA_E_NO_SPACE;
}

static void clear(struct nb_play *play)
{
    struct nb_virtual *own = play->own;
    if (own->crypto)
        crypto_openssl_free(own->crypto);
    if (own->factory)
        flash_snapshot_free(own->sim, own->factory);
    if (own->sim)
        flash_sim_close(own->sim);
}

static int open_flash(struct nb_play *play, struct flash_sim **out, struct flash_text_error *error)
{
    const struct nb_virtual *own = play->own;
    (void)error;
    *out = own->sim;
    return 0;
}

static void close_flash(struct nb_play *play, struct flash_sim *sim)
{
    (void)play;
    (void)sim; /* it stays */
}

static int raise_counter(struct nb_play *play, uint32_t value)
{
    struct nb_virtual *own = play->own;
    if (value > own->counter)
        own->counter = value;
    return 0;
}

/* ---- the device -------------------------------------------------------------------------- */

static enum flash_tear on_operation(void *context, const struct flash_op *op, uint32_t number)
{
    struct nb_virtual *own = context;
    struct nb_play *play = &own->play;
    if (play->sweep_armed && own->cuts)
        nb_cut_list_add(own->cuts, own->sim, op, number);
    return play->cut_armed && number == play->cut.op ? play->cut.tear : FLASH_TEAR_NONE;
}

static void on_line(void *context, const char *line, int code)
{
    struct nb_virtual *own = context;
    (void)code;
    nb_play_device_line(&own->play, line);
}

static int run_device(struct nb_play *play, bool boot_only, int *code)
{
    struct nb_virtual *own = play->own;
    const struct nb_agent_switches *agent = &play->script->agent;
    struct virtual_device_config config = {
        .device = &play->device,
        .sim = own->sim,
        .counter = &own->counter,
        .world = own->world,
        .session = {.by_http = nb_net_via_http(&play->net),
                    .flow = agent->direct ? OTA_FLOW_DIRECT : OTA_FLOW_JOB,
                    .file = agent->direct ? ANYCLOUD_FILE : NULL,
                    .no_result = agent->no_result,
                    .permanent = agent->permanent,
                    .stay = agent->stay,
                    .timing = {.keep_alive = 1000 * agent->seconds[NB_KEEP_ALIVE],
                               .job_wait = 1000 * agent->seconds[NB_JOB_WAIT],
                               .data_wait = 1000 * agent->seconds[NB_DATA_WAIT]}},
        .timing = SIM_TIMING_FAST,
        .once = true,
        .boot_only = boot_only,
        .remember = !play->cell->compute,
        .crypto = own->crypto,
        .cut = on_operation,
        .event = on_line,
        .context = own,
    };
    nb_virtual_clients(&play->net, &config);
    flash_failing_init(&own->failing, own->sim);
    if (play->fail_armed) {
        flash_failing_arm(&own->failing, play->fail_op);
        config.flash = &own->failing.port;
    }
    *code = virtual_device_run(&config, DEVICE_MS, &own->end);
    play->fail_fired = own->failing.fired;
    return *code == OTA_E_TIMEOUT ? OTA_E_TIMEOUT : 0;
}

static void last_words(const struct nb_play *play, char *out, size_t size)
{
    const struct nb_virtual *own = play->own;
    snprintf(out, size, "%s", own->end.text);
}

static const char *cannot(const struct nb_play *play, const struct nb_step *step)
{
    (void)play;
    (void)step;
    return NULL;
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
    virtual->world = virtual_world_new();
    if (!virtual->world) {
        free(virtual);
        return NULL;
    }
    const struct sim_world *table = virtual_world_table(virtual->world);
    struct nb_play *play = &virtual->play;
    play->script = script;
    play->cell = cell;
    play->outcome = &virtual->refusal;
    play->stage = &virtual_stage;
    play->own = virtual;
    play->world = table;
    play->net.world = table;
    play->net.makers = &nb_servers_virtual;
    play->net.own = &virtual->net;
    virtual->opened = nb_play_open(play);
    virtual->oracle = play->oracle;
    if (virtual->opened)
        virtual->factory = flash_sim_snapshot(virtual->sim);
    if (virtual->opened && !virtual->factory) {
        nb_outcome_set(&virtual->refusal, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        virtual->opened = false;
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

void nb_virtual_play(struct nb_virtual *virtual, struct nb_cut_list *cuts,
                     struct nb_outcome *outcome)
{
    struct nb_play *play = &virtual->play;
    if (!virtual->opened) {
        *outcome = virtual->refusal;
        return;
    }
    flash_sim_restore(virtual->sim, virtual->factory);
    virtual->counter = 0;
    play->oracle = virtual->oracle;
    play->outcome = outcome;
    play->trace.count = 0;
    nb_trace_step(&play->trace);
    play->next_cut = 0;
    play->cut_armed = play->fail_armed = false;
    play->err = 0;
    virtual->cuts = cuts;
    nb_play_steps(play);
}

int nb_virtual_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome)
{
    bool sweeps = false;
    for (size_t i = 0; i < script->step_count; i++)
        sweeps = sweeps || (script->steps[i].kind == NB_FAULT_CUT && script->steps[i].all);
    if (sweeps && !cell->cut_count)
        return nb_cuts_sweep(script, cell, outcome);
    struct nb_virtual *virtual = nb_virtual_new(script, cell);
    if (!virtual)
        return OTA_E_NO_SPACE;
    nb_virtual_play(virtual, NULL, outcome);
    nb_virtual_free(virtual);
    return 0;
}

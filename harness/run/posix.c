/* The posix world: real processes, a real broker, wall-clock time. */
#include "harness/run/posix.h"
#include "harness/run/act.h"
#include "harness/run/device_text.h"
#include "harness/run/spawn.h"
#include "sim/posix/nv.h"
#include "sim/posix/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE_MS    30000 /* a device step that takes longer hangs */
#define JOURNAL_LINE 128

/* ---- files ------------------------------------------------------------------------------- */

static void clear_old_files(const struct nb_posix *own)
{
    static const char *const endings[] = {"", ".state", ".nv"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char path[NB_PATH + 8];
        snprintf(path, sizeof path, "%s%s", own->flash_path, endings[i]);
        unlink(path);
    }
    unlink(own->log_path);
}

static int prepare(struct nb_play *play, struct flash_text_error *error)
{
    struct nb_posix *own = play->own;
    const char *dir = nb_kit_dir(play->cell->kit);
    (void)error;
    snprintf(own->device_path, sizeof own->device_path, "%s/cell.device", dir);
    snprintf(own->flash_path, sizeof own->flash_path, "%s/cell.bin", dir);
    snprintf(own->log_path, sizeof own->log_path, "%s/device.log", dir);
    snprintf(own->journal_path, sizeof own->journal_path, "%s/journal", dir);
    clear_old_files(own);
    return nb_device_write(&play->device, own->device_path);
}

static void clear(struct nb_play *play)
{
    (void)play; /* the files vanish with the kit */
}

static int open_flash(struct nb_play *play, struct flash_sim **out, struct flash_text_error *error)
{
    const struct nb_posix *own = play->own;
    bool created;
    struct flash_text_error inner = {0};
    int rc = flash_sim_file(own->flash_path, play->device.chips, play->device.chip_count, &created,
                            out, &inner);
    if (rc)
        snprintf(error->message, sizeof error->message, "%.70s: %.85s", own->flash_path,
                 inner.message[0] ? inner.message : ota_err_text(rc));
    return rc;
}

static void close_flash(struct nb_play *play, struct flash_sim *sim)
{
    (void)play;
    flash_sim_close(sim);
}

static int raise_counter(struct nb_play *play, uint32_t value)
{
    const struct nb_posix *own = play->own;
    struct posix_nv nv;
    char path[NB_PATH + 8];
    snprintf(path, sizeof path, "%s.nv", own->flash_path);
    int rc = posix_nv_init(&nv, path);
    return rc ? rc : nv.port.raise(nv.port.context, value);
}

/* ---- the device process ------------------------------------------------------------------ */

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
    if (agent->hold)
        arguments[(*count)++] = "--hold";
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

int nb_posix_journal(struct nb_play *play)
{
    const struct nb_posix *own = play->own;
    char line[JOURNAL_LINE];
    FILE *file = fopen(own->journal_path, "r");
    if (!file)
        return OTA_E_IO;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        nb_play_journal_line(play, line);
    }
    fclose(file);
    return unlink(own->journal_path) == 0 ? 0 : OTA_E_IO;
}

static int run_device(struct nb_play *play, bool boot_only, int codes[NB_DEVICES])
{
    struct nb_posix *own = play->own;
    char cut[48];
    struct nb_net_arguments room;
    struct timing_text timings[NB_AGENT_TIMINGS + 1];
    const char *arguments[NB_SPAWN_ARGUMENTS];
    size_t count = 0;
    int rc = 0;
    snprintf(cut, sizeof cut, "%u:%s", play->cut.op, flash_tear_word(play->cut.tear));
    arguments[count++] = "device";
    arguments[count++] = "--device";
    arguments[count++] = own->device_path;
    arguments[count++] = "--flash";
    arguments[count++] = own->flash_path;
    if (play->script->needs_cloud)
        rc = nb_net_arguments(&play->net, play->cell->kit, &room, arguments, &count);
    add_switches(&play->script->agent, timings, arguments, &count);
    arguments[count++] = "--fast";
    if (play->initiate)
        arguments[count++] = "--initiate";
    if (!play->live_ms)
        arguments[count++] = boot_only ? "--boot-only" : "--once";
    if (play->cut_armed) {
        arguments[count++] = "--cut";
        arguments[count++] = cut;
    }
    if (play->cell->hash) {
        arguments[count++] = "--journal";
        arguments[count++] = own->journal_path;
    }
    arguments[count] = NULL;
    const struct nb_spawn spawn = {own->loop, nb_play_device_line, play, own->log_path,
                                   play->live_ms};
    if (rc == 0)
        rc = nb_spawn_run(&spawn, arguments, DEVICE_MS, &nb_run_stop, &codes[0]);
    if (rc == 0 && play->cell->hash)
        rc = nb_posix_journal(play);
    return rc;
}

static void last_words(const struct nb_play *play, char *out, size_t size)
{
    const struct nb_posix *own = play->own;
    FILE *log = fopen(own->log_path, "r");
    char line[NB_LINE];
    out[0] = '\0';
    while (log && fgets(line, sizeof line, log))
        snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
    if (log)
        fclose(log);
}

static const char *cannot(const struct nb_play *play, const struct nb_step *step)
{
    if (play->script->devices > 1)
        return "several devices at once, with the same luck, need the virtual world";
    if (step->kind == NB_FAULT_FAIL)
        return "the flash file of a device process never fails";
    if (nb_act_kind(step->kind) != SIM_ACT_NONE)
        return "a device process decides itself";
    if (step->kind == NB_DEVICE_PUSH)
        return "there is no line for a host that pushes: the bench plays that, in a script without "
               "a cloud";
    if (step->kind == NB_FAULT_CUT && step->all && !play->cell->cut_count)
        return "trying every cut takes too long on a wall clock";
    return NULL;
}

const struct nb_stage nb_posix_stage = {
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

int nb_posix_play(const struct nb_script *script, const struct nb_cell *cell,
                  const struct nb_stage *stage, struct nb_cut_list *cuts,
                  struct nb_outcome *outcome)
{
    struct nb_play *play = calloc(1, sizeof *play);
    struct nb_posix *own = calloc(1, sizeof *own);
    if (own)
        own->loop = posix_loop_new();
    if (own && own->loop)
        own->world = posix_world_new(own->loop);
    bool ready = play && own && own->world;
    if (ready) {
        own->net.loop = own->loop;
        own->cuts = cuts;
        *play = (struct nb_play){.script = script,
                                 .cell = cell,
                                 .outcome = outcome,
                                 .stage = stage,
                                 .own = own,
                                 .world = posix_world_table(own->world),
                                 .net = {.makers = &nb_servers_posix, .own = &own->net}};
        play->net.world = play->world;
        nb_play_run(play);
        outcome->longest = (double)play->longest / 1000;
    }
    if (own) {
        posix_world_free(own->world);
        posix_loop_free(own->loop);
    }
    free(own);
    free(play);
    return ready ? 0 : OTA_E_NO_SPACE;
}

int nb_posix_run(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome)
{
    return nb_posix_play(script, cell, &nb_posix_stage, NULL, outcome);
}

/* The cortexm world: the device is the board in QEMU, around it the posix world's servers and
 * files.
 *
 * The board runs under the plugin that watches its flash, in every scenario: it keeps the journal,
 * holds the board's driver to the part's rules, and cuts the power. Its lines come between the
 * board's own. */
#include "harness/run/cortexm.h"
#include "harness/cli/paths.h"
#include "harness/prove/isa.h"
#include "harness/run/act.h"
#include "harness/run/posix.h"
#include "harness/run/spawn.h"
#include "sim/cortexm/host/elf.h"
#include "sim/cortexm/host/program.h"
#include "sim/cortexm/host/qemu.h"
#include "sim/cortexm/host/settings.h"
#include "sim/cortexm/host/watch.h"
#include "sim/device_flash.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOARD_MS     90000 /* a device step that takes longer hangs; the machine may be busy */
#define JOB_WAIT     6000
#define DATA_WAIT    4000
#define CONNECT_WAIT 8000
#define END_MS       4000 /* from the end of its lines to QEMU's own */

/* ---- files ------------------------------------------------------------------------------- */

/* What the script asks of a device, and this one cannot do; NULL: nothing. */
static const char *beyond(const struct nb_script *script, const struct sim_device *device)
{
    for (size_t i = 0; i < script->step_count; i++) {
        enum nb_step_kind kind = script->steps[i].kind;
        if (device->foreign && nb_act_kind(kind) != SIM_ACT_NONE)
            return "somebody else's firmware takes no orders: what its application does is its own";
        if (device->foreign && kind == NB_FAULT_FAIL)
            return "somebody else's driver does not ask whether its flash has failed";
        if (!cortexm_has_marks(device) && kind == NB_FAULT_FAIL)
            return "flash of nearly 16 MiB leaves no room for its status";
    }
    return NULL;
}

static int prepare(struct nb_play *play, struct flash_text_error *error)
{
    const char *why = beyond(play->script, &play->device);
    if (why) {
        snprintf(error->message, sizeof error->message, "%s", why);
        return OTA_E_UNSUPPORTED;
    }
    const struct sim_foreign *foreign = play->device.foreign;
    const char *flaw = foreign ? cortexm_elf_flaw(foreign->loader) : NULL;
    if (flaw) {
        snprintf(error->message, sizeof error->message, "loader %.80s: %.70s", foreign->loader,
                 flaw);
        return OTA_E_ARGUMENT;
    }
    if (cortexm_flash_end(&play->device) <= CORTEXM_FLASH_SIZE)
        return nb_posix_stage.prepare(play, error);
    snprintf(error->message, sizeof error->message,
             "the board has 16 MiB of flash, the device %u: declare its chips cut",
             cortexm_flash_end(&play->device));
    return OTA_E_UNSUPPORTED;
}

/* Of the log: where QEMU says why it gave up, behind which it shows registers; else the last line.
 */
static void last_words(const struct nb_play *play, char *out, size_t size)
{
    static const char gave_up[] = "qemu: fatal: ";
    const struct nb_posix *own = play->own;
    FILE *log = fopen(own->log_path, "r");
    char line[NB_LINE];
    bool over = false;
    out[0] = '\0';
    while (log && !over && fgets(line, sizeof line, log)) {
        over = strncmp(line, gave_up, strlen(gave_up)) == 0;
        snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
    }
    if (log)
        fclose(log);
}

/* ---- the board --------------------------------------------------------------------------- */

struct board {
    struct nb_play *play;
    struct cortexm_board qemu;
};

static void on_line(void *context, const char *text)
{
    /* The plugin's own: how much it saw, and what a reset or a cut tore. */
    static const char *const figures[] = {"end ", "torn ", "cut-missed ", "fail-missed "};
    struct nb_play *play = context;
    if (text[0] == '\0') /* before each of its lines, in case the board was in one */
        return;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (strncmp(text, figures[i], strlen(figures[i])) == 0)
            return;
    if (strncmp(text, "flash-fail ", 11) == 0) {
        play->fail_fired = true;
        nb_oracle_flash_error(&play->unit->oracle);
        return;
    }
    nb_play_device_line(play, text);
}

static struct cortexm_peer peer_of(const struct nb_door *door)
{
    if (!door || !door->port)
        return (struct cortexm_peer){NULL, 0, false};
    return (struct cortexm_peer){"127.0.0.1", door->port, door->tls};
}

/* The board computes more slowly than this machine, TLS above all: what a script says nothing of
 * waits longer than elsewhere. */
static struct sim_session patient_session(const struct nb_play *play)
{
    struct sim_session session = nb_play_session(play);
    struct ota_timing *timing = &session.timing;
    timing->job_wait = timing->job_wait ? timing->job_wait : JOB_WAIT;
    timing->data_wait = timing->data_wait ? timing->data_wait : DATA_WAIT;
    timing->connect_wait = timing->connect_wait ? timing->connect_wait : CONNECT_WAIT;
    return session;
}

static int write_settings(struct nb_play *play, bool boot_only, const char *path)
{
    struct nb_posix *own = play->own;
    struct nb_net_arguments files = {0};
    char nv[NB_PATH + 8];
    const struct sim_life_config life = {.device = &play->device,
                                         .session = patient_session(play),
                                         .timing = SIM_TIMING_FAST,
                                         .once = play->live_ms == 0,
                                         .boot_only = boot_only,
                                         .act = play->act};
    struct cortexm_settings settings = {.life = &life, .log_level = OTA_LOG_INFO};
    int rc =
        play->script->needs_cloud ? nb_net_certificates(&play->net, play->cell->kit, &files) : 0;
    if (rc)
        return rc;
    snprintf(nv, sizeof nv, "%s.nv", own->flash_path);
    if (play->script->needs_cloud) {
        settings.broker = peer_of(&play->net.broker);
        settings.server = peer_of(nb_net_home_server(&play->net));
    }
    settings.ca = files.ca[0] ? files.ca : NULL;
    settings.certificate = files.cert[0] ? files.cert : NULL;
    settings.private_key = files.key[0] ? files.key : NULL;
    settings.nv = play->device.use_counter ? nv : NULL;
    settings.marks = cortexm_has_marks(&play->device) ? CORTEXM_MARKS : 0;
    memcpy(settings.seed, &own->starts, sizeof own->starts);
    own->starts++;
    return cortexm_settings_write(&settings, path);
}

/* Who has an RSA key needs a loader that can check one. */
static bool needs_rsa(const struct sim_device *device)
{
    bool rsa = false;
    for (size_t i = 0; i < device->key_count; i++)
        rsa = rsa || device->keys[i].scheme != CRYPTO_ECDSA_P256;
    return rsa;
}

static const char *journal_of(const struct nb_play *play)
{
    const struct nb_posix *own = play->own;
    return play->cell->hash || own->cuts ? own->journal_path : NULL;
}

static int watch_words(const struct nb_play *play, char out[CORTEXM_WATCH_SIZE])
{
    const struct nb_posix *own = play->own;
    char plugin[NB_PATH * 2];
    const struct cortexm_watch watch = {.plugin = plugin,
                                        .flash = own->flash_path,
                                        .parts_dir = nb_parts_dir(),
                                        .device = &play->device,
                                        .journal = journal_of(play),
                                        .rings = !play->device.foreign,
                                        .is_cut = play->cut_armed,
                                        .cut_operation = play->cut.op,
                                        .cut_tear = play->cut.tear,
                                        .is_fail = play->fail_armed,
                                        .fail_operation = play->fail_op,
                                        .failure = play->failure};
    if (!cortexm_plugin(plugin, sizeof plugin))
        return OTA_E_UNSUPPORTED;
    return cortexm_watch_words(&watch, out);
}

/* As SIGTERM ends a device process; somebody else's firmware takes no orders, and killed is killed.
 */
static void switch_off(void *device)
{
    const struct board *board = device;
    const struct nb_posix *own = board->play->own;
    if (own->kill_ms)
        kill(board->qemu.pid, SIGKILL);
    else if (board->play->device.foreign)
        kill(board->qemu.pid, SIGTERM);
    else if (write(board->qemu.in, "stop\n", 5) != 5)
        return; /* it has gone already: its lines end now */
}

static int play_board(struct nb_play *play, const struct cortexm_board_config *config, int *code)
{
    struct nb_posix *own = play->own;
    struct board board = {.play = play};
    const struct nb_spawn spawn = {.loop = own->loop,
                                   .line = on_line,
                                   .context = play,
                                   .live_ms = own->kill_ms ? own->kill_ms : play->live_ms};
    int rc = cortexm_flash_widen(own->flash_path);
    if (rc == 0)
        rc = cortexm_board_start(config, &board.qemu);
    if (rc)
        return rc;
    rc = nb_spawn_read(&spawn, board.qemu.out, switch_off, &board, BOARD_MS, &nb_run_stop);
    *code = cortexm_board_end(&board.qemu, rc == 0 ? END_MS : 0);
    if (play->device.foreign && play->live_ms)
        *code = NB_SWITCHED_OFF;
    int narrowed = cortexm_flash_narrow(own->flash_path, cortexm_flash_end(&play->device));
    return rc ? rc : narrowed;
}

/* The ways to cut each operation that the journal names. */
static int list_cuts(struct nb_play *play)
{
    struct nb_posix *own = play->own;
    char line[SIM_JOURNAL_LINE];
    FILE *journal = fopen(own->journal_path, "r");
    int rc = journal ? 0 : OTA_E_IO;
    while (rc == 0 && fgets(line, sizeof line, journal)) {
        char kind[16] = "";
        struct flash_op op = {.kind = FLASH_OP_PROGRAM};
        if (sscanf(line, "%u %15s 0x%x %u", &op.index, kind, &op.address, &op.length) != 4)
            rc = OTA_E_IO;
        if (strcmp(kind, "erase") == 0)
            op.kind = FLASH_OP_ERASE;
        nb_cut_list_add_blind(own->cuts, &op);
    }
    if (journal)
        fclose(journal);
    return rc;
}

static int take_journal(struct nb_play *play)
{
    struct nb_posix *own = play->own;
    int rc = 0;
    if (!journal_of(play) || own->unwatched || access(own->journal_path, F_OK) != 0)
        return 0;
    if (own->cuts && play->sweep_armed)
        rc = list_cuts(play);
    return rc ? rc : nb_posix_journal(play);
}

/* Where the program in the primary slot begins. */
static uint32_t entry_offset(const struct sim_device *device)
{
    return device->primary.address +
           (device->scheme->store ? IMG_HARMONY_BLOCK : device->header_size);
}

static int run_device(struct nb_play *play, bool boot_only, int codes[NB_DEVICES])
{
    struct nb_posix *own = play->own;
    char programs[NB_PATH * 2];
    char settings[NB_PATH + 16];
    char words[CORTEXM_WATCH_SIZE];
    char entry[NB_PATH + 16];
    const struct sim_act *act = play->act;
    if (!cortexm_programs(programs, sizeof programs))
        return OTA_E_UNSUPPORTED;
    snprintf(settings, sizeof settings, "%s/settings", nb_kit_dir(play->cell->kit));
    snprintf(entry, sizeof entry, "%s/entry", nb_kit_dir(play->cell->kit));
    const struct cortexm_board_config config = {
        .programs = programs,
        .scheme = play->device.scheme->name,
        .rsa = needs_rsa(&play->device),
        .loader = play->device.foreign ? play->device.foreign->loader : NULL,
        .flash = own->flash_path,
        .settings = settings,
        .entry = act ? entry : NULL,
        .image = act && act->image ? play->unit->staged.path : NULL,
        .log = own->log_path,
        .plugin = own->unwatched ? NULL : words,
        .more = play->script->needs_cloud ? cortexm_user_network : NULL};
    int rc = write_settings(play, boot_only, settings);
    if (rc == 0 && act)
        rc = cortexm_program_entry(own->flash_path, entry_offset(&play->device), entry);
    if (rc == 0)
        rc = watch_words(play, words);
    if (rc == 0)
        rc = play_board(play, &config, &codes[0]);
    return rc ? rc : take_journal(play);
}

static const char *cannot(const struct nb_play *play, const struct nb_step *step)
{
    if (play->script->devices > 1)
        return "several devices at once, with the same luck, need the virtual world";
    if (step->kind == NB_DEVICE_PUSH)
        return "the board has no line for a host that pushes: the bench plays that, in the virtual "
               "world";
    if (step->kind == NB_PROVE)
        return "a board is no function from flash to flash";
    return NULL;
}

struct nb_stage nb_cortexm_stage(void)
{
    struct nb_stage stage = nb_posix_stage;
    stage.prepare = prepare;
    stage.run_device = run_device;
    stage.last_words = last_words;
    stage.cannot = cannot;
    stage.expect_ms *= 2;
    stage.limit_s = BOARD_MS / 1000;
    return stage;
}

int nb_cortexm_play(const struct nb_script *script, const struct nb_cell *cell,
                    struct nb_cut_list *cuts, struct nb_outcome *outcome)
{
    const struct nb_stage stage = nb_cortexm_stage();
    return nb_posix_play(script, cell, &stage, cuts, outcome);
}

int nb_cortexm_run(const struct nb_script *script, const struct nb_cell *cell,
                   struct nb_outcome *outcome)
{
    struct nb_cell own = *cell;
    const char *missing = cortexm_missing();
    bool sweeps = false;
    if (missing) {
        nb_outcome_set(outcome, NB_SKIP, "%s", missing);
        return 0;
    }
    own.programs = true;
    for (size_t i = 0; i < script->step_count; i++)
        sweeps = sweeps || script->steps[i].all;
    return sweeps && !cell->cut_count ? nb_isa_sweep(script, &own, outcome)
                                      : nb_cortexm_play(script, &own, NULL, outcome);
}

/* The verbs `run` and `replay`: which scripts, which cells, which engine, and what is shown. */
#include "harness/cli/paths.h"
#include "harness/prove/plugin_prove.h"
#include "harness/report/report.h"
#include "harness/run/apart.h"
#include "harness/run/collect.h"
#include "harness/run/kit.h"
#include "harness/run/matrix.h"
#include "harness/run/side.h"
#include "harness/run/tape.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile int nb_run_stop;

static const char *const run_help =
    "usage: nobrick run [option...] PATH...\n"
    "\n"
    "Runs scenarios: files that end in .ota, directories of them, or names below the data\n"
    "directory. A script that names several worlds runs in the virtual one.\n"
    "\n"
    "  --world WORLD   virtual, posix or cortexm\n"
    "  --part PART     this flash part instead of those that the script lists\n"
    "  --device FILE   this device (file or preset) instead of those that the script lists\n"
    "  --junit FILE    write JUnit XML too\n"
    "  --tap           TAP version 14 even on a terminal\n"
    "  --jobs N        so many scenarios side by side (default: two a processor)\n"
    "  --hash          note a hash of all that happened, and of the flash journal; as TAP\n"
    "  --sample N      sweeps try every N-th power cut only\n"
    "  --every-cut     sweeps in the cortexm world try all, not one of each class\n"
    "  --programs      images hold the Cortex-M board's program, as in the cortexm world\n"
    "  --journals DIR  keep each cell's flash journal as a file there\n"
    "  --compute       compute every hash and signature anew; remember none\n"
    "\n"
    "exit: 0 pass, 1 fail, 2 bad script or usage, 3 a fault never fired, 77 all skipped\n"
    "\n"
    "example:\n"
    "  nobrick run anycloud/first-update.ota\n";

static const char *const replay_help =
    "usage: nobrick replay [--hash] ID\n"
    "\n"
    "Repeats one cell of one scenario, with the power cuts or the faults that the id names.\n"
    "\n"
    "  --hash  note a hash of all that happened, and of the flash journal; as TAP\n"
    "\n"
    "example:\n"
    "  nobrick replay anycloud/first-update.ota:virtual\n";

struct options {
    struct nb_choice choice;
    const char *junit;
    bool tap;
    bool hash;
    uint32_t sample;
    bool every;
    bool programs;
    const char *journals;
    bool compute;
    size_t jobs;
};

/* ---- cells ------------------------------------------------------------------------------- */

static bool names_world(const struct nb_script *script, const char *world)
{
    for (size_t i = 0; i < script->world.count; i++)
        if (strcmp(script->world.items[i], world) == 0)
            return true;
    return script->world.count == 0 && strcmp(world, "cortexm") != 0;
}

/* The system of a cell: its own value, or the only one that the script names. */
static const char *system_of(const struct nb_script *script, const struct nb_cell *cell)
{
    const char *system = nb_cell_system(script, cell);
    return system ? system : "anycloud";
}

typedef int nb_engine(const struct nb_script *script, const struct nb_cell *cell,
                      struct nb_outcome *outcome);

/* Without a cloud there is nothing in which virtual and posix differ: the bench plays it. It keeps
 * no journal. */
static nb_engine *engine_of(const struct nb_script *script, const struct nb_cell *cell)
{
    if (strcmp(cell->world, "cortexm") == 0)
        return nb_cortexm_run;
    if (!script->needs_cloud && !cell->journal)
        return nb_bench_run;
    return strcmp(cell->world, "posix") == 0 ? nb_posix_run : nb_virtual_run;
}

struct turn {
    nb_engine *engine;
    const struct nb_script *script;
    const struct nb_cell *cell;
};

static int take_turn(void *context, struct nb_outcome *outcome)
{
    const struct turn *turn = context;
    return turn->engine(turn->script, turn->cell, outcome);
}

/* The engines that play agent and loader in this process do so in a child. */
static int play_cell(const struct nb_script *script, const struct nb_cell *cell,
                     struct nb_outcome *outcome)
{
    struct turn turn = {engine_of(script, cell), script, cell};
    if (turn.engine == nb_posix_run)
        return take_turn(&turn, outcome);
    return nb_apart(take_turn, &turn, outcome);
}

static void run_cell(const struct nb_script *script, const struct nb_cell *cell,
                     struct nb_outcome *outcome)
{
    struct timespec begin;
    struct timespec end;
    if (nb_run_stop) {
        nb_outcome_set(outcome, NB_ERROR, "stopped");
    } else if (!names_world(script, cell->world)) {
        nb_outcome_set(outcome, NB_SKIP, "not a script for the %s world", cell->world);
    } else if (cell->part[0] && script->device.line) {
        nb_outcome_set(outcome, NB_SKIP, "the script names its devices, --part has no say");
    } else if (!nb_side_find(system_of(script, cell))) {
        nb_outcome_set(outcome, NB_SKIP, "the system %s is not built yet", system_of(script, cell));
    } else {
        clock_gettime(CLOCK_MONOTONIC, &begin);
        int rc = play_cell(script, cell, outcome);
        clock_gettime(CLOCK_MONOTONIC, &end);
        outcome->seconds =
            (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
        if (rc)
            nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(rc));
    }
}

static void report_cell(const struct nb_teller *teller, const char *path,
                        const struct nb_script *script, const struct nb_cell *cell)
{
    char name[256];
    char id[NB_ID];
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    if (!outcome)
        return;
    run_cell(script, cell, outcome);
    if (!outcome->cuts[0]) /* a replay that fails is to be repeated with the same cuts */
        nb_cuts_print(cell, outcome->cuts, sizeof outcome->cuts);
    nb_cell_name(cell, name, sizeof name);
    nb_replay_id(path, cell, outcome->cuts, id, sizeof id);
    nb_tell_cell(teller, name, id, outcome);
    free(outcome);
}

/* "DIR/anycloud_first-update.ota.part=nrf52840.ops": the same in every world, to be compared. The
 * cell is named where there are several. */
static void journal_path(const char *dir, const char *shown, const struct nb_cell *cell, char *out,
                         size_t size)
{
    char name[256] = "";
    size_t from = (size_t)snprintf(out, size, "%s/", dir);
    if (cell)
        nb_cell_name(cell, name, sizeof name);
    size_t used =
        from + (size_t)snprintf(out + from, size - from, "%s%s%s", shown, name[0] ? "." : "", name);
    snprintf(out + used, size - used, ".ops");
    for (char *at = out + from; *at; at++)
        if (*at == '/')
            *at = '_';
}

/* ---- scripts ----------------------------------------------------------------------------- */

/* A script that cannot be run is a result, too; what is wrong stands on stderr. */
static void report_bad(const struct nb_teller *teller, const char *path,
                       const struct flash_text_error *error)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    if (!outcome)
        return;
    if (error->line) /* else it is not about a place in the script */
        nb_outcome_set(outcome, NB_ERROR, "%u:%u: %s", error->line, error->column, error->message);
    else
        nb_outcome_set(outcome, NB_ERROR, "%s", error->message);
    nb_tell_begin(teller, path, "", 1, 0);
    nb_tell_cell(teller, "", "", outcome);
    nb_tell_end(teller);
    free(outcome);
}

static void run_script(const struct nb_teller *teller, struct nb_kit *kit,
                       const struct options *options, const char *path)
{
    struct nb_script script;
    struct nb_matrix matrix;
    struct flash_text_error error;
    char shown[256];
    nb_path_shown(path, shown, sizeof shown);
    int rc = nb_script_load(path, &script, &error);
    if (rc) {
        report_bad(teller, shown, &error);
        return;
    }
    rc = nb_matrix_expand(&script, &options->choice, &matrix, &error);
    if (rc) {
        fprintf(stderr, "%s:%u:%u: %s\n", path, error.line, error.column,
                error.message[0] ? error.message : ota_err_text(rc));
        report_bad(teller, shown, &error);
        nb_script_free(&script);
        return;
    }
    nb_tell_begin(teller, shown, script.title, matrix.count, matrix.left_out);
    for (size_t i = 0; i < matrix.count; i++) {
        matrix.cells[i].kit = kit;
        matrix.cells[i].compute = options->compute;
        matrix.cells[i].sample = options->sample;
        matrix.cells[i].every = options->every;
        matrix.cells[i].programs = options->programs;
        char journal[NB_ID];
        if (options->journals) {
            journal_path(options->journals, shown, matrix.count > 1 ? &matrix.cells[i] : NULL,
                         journal, sizeof journal);
            matrix.cells[i].journal = journal;
        }
        matrix.cells[i].hash = options->hash || options->journals;
        report_cell(teller, shown, &script, &matrix.cells[i]);
    }
    nb_tell_end(teller);
    nb_matrix_free(&matrix);
    nb_script_free(&script);
}

/* ---- the verb run ------------------------------------------------------------------------ */

static void on_signal(int number)
{
    nb_run_stop = number;
}

/* The first Ctrl-C ends the run in order; the second one ends it at once. SIGTERM may come twice,
 * to us and to our group, and always means in order. What whoever started us ignores (nohup, a
 * shell's background) stays ignored. */
void nb_run_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct sigaction action = {.sa_handler = on_signal,
                                         .sa_flags = numbers[i] == SIGTERM ? 0 : (int)SA_RESETHAND};
        struct sigaction before;
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

static int usage(const char *verb, const char *what, const char *value)
{
    fprintf(stderr, "nobrick %s: %s%s%s (nobrick %s --help)\n", verb, what, value ? ": " : "",
            value ? value : "", verb);
    return 2;
}

/* Runs one script with a kit of its own: in this process, or in a child. */
static void run_one(void *context, const struct nb_teller *teller, const char *path)
{
    struct flash_text_error error = {0};
    struct nb_kit *kit = nb_kit_new(error.message, sizeof error.message);
    if (kit)
        run_script(teller, kit, context, path);
    else
        report_bad(teller, path, &error);
    nb_kit_free(kit);
}

static int run_all(struct options *options, const struct nb_paths *paths)
{
    struct nb_report report;
    const struct nb_teller teller = {.report = &report};
    bool terminal = isatty(STDOUT_FILENO) == 1 && !options->tap;
    if (nb_report_open(&report, stdout, terminal, options->junit) != 0) {
        fprintf(stderr, "nobrick run: %s: %s\n", options->junit, strerror(errno));
        return 2;
    }
    report.colour = terminal && nb_report_wants_colour();
    nb_run_catch_signals();
    nb_report_plan(&report, paths->count);
    int failed = 0;
    if (options->jobs > 1 && paths->count > 1)
        failed = nb_tapes_run(&report, paths->items, paths->count, options->jobs, run_one, options,
                              &nb_run_stop);
    else
        for (size_t i = 0; i < paths->count && !nb_run_stop; i++)
            run_one(options, &teller, paths->items[i]);
    if (nb_run_stop)
        nb_report_bail(&report, "stopped by a signal");
    int rc = nb_report_close(&report);
    if (failed) {
        fprintf(stderr, "nobrick run: no process can be started: %s\n", strerror(errno));
        return 2;
    }
    if (nb_run_stop) {
        fprintf(stderr, "nobrick run: stopped\n");
        return 128 + nb_run_stop;
    }
    if (rc) {
        fprintf(stderr, "nobrick run: %s: cannot be written\n", options->junit);
        return 2;
    }
    return nb_report_exit_code(&report);
}

static bool take(char *to, size_t size, const char *value)
{
    return snprintf(to, size, "%s", value) < (int)size;
}

/* Scenarios wait more than they compute. */
static size_t usual_jobs(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 && count <= 32 ? (size_t)count * 2 : 2;
}

/* 0: no number, or too many. */
static size_t jobs_from(const char *text)
{
    char *end;
    long count = strtol(text, &end, 10);
    return *text && !*end && count > 0 && count <= 64 ? (size_t)count : 0;
}

int nb_cmd_run(int argc, char **argv)
{
    enum {
        WORLD = 256,
        PART,
        DEVICE,
        JUNIT,
        TAP,
        JOBS,
        HASH,
        SAMPLE,
        EVERY,
        PROGRAMS,
        JOURNALS,
        COMPUTE,
        HELP
    };
    static const struct option long_options[] = {
        {"world", required_argument, NULL, WORLD},
        {"part", required_argument, NULL, PART},
        {"device", required_argument, NULL, DEVICE},
        {"junit", required_argument, NULL, JUNIT},
        {"tap", no_argument, NULL, TAP},
        {"jobs", required_argument, NULL, JOBS},
        {"hash", no_argument, NULL, HASH},
        {"sample", required_argument, NULL, SAMPLE},
        {"every-cut", no_argument, NULL, EVERY},
        {"programs", no_argument, NULL, PROGRAMS},
        {"journals", required_argument, NULL, JOURNALS},
        {"compute", no_argument, NULL, COMPUTE},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.jobs = usual_jobs()};
    bool good = true;
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        if (option == WORLD)
            good = take(options.choice.world, sizeof options.choice.world, optarg);
        else if (option == PART)
            good = take(options.choice.part, sizeof options.choice.part, optarg);
        else if (option == DEVICE)
            good = take(options.choice.device, sizeof options.choice.device, optarg);
        else if (option == JUNIT)
            options.junit = optarg;
        else if (option == TAP)
            options.tap = true;
        else if (option == JOBS)
            options.jobs = jobs_from(optarg);
        else if (option == HASH)
            options.hash = options.tap = true;
        else if (option == COMPUTE)
            options.compute = true;
        else if (option == SAMPLE)
            options.sample = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == EVERY)
            options.every = true;
        else if (option == PROGRAMS)
            options.programs = true;
        else if (option == JOURNALS)
            options.journals = optarg;
        else if (option == HELP) {
            fputs(run_help, stdout);
            return 0;
        } else
            return usage("run", option == ':' ? "this option needs a value" : "unknown option",
                         argv[optind - 1]);
        if (!good)
            return usage("run", "too long", optarg);
        if (options.jobs == 0)
            return usage("run", "--jobs wants a number from 1 to 64", optarg);
    }
    const char *world = options.choice.world;
    if (*world && strcmp(world, "virtual") != 0 && strcmp(world, "posix") != 0 &&
        strcmp(world, "cortexm") != 0)
        return usage("run", "--world wants virtual, posix or cortexm", world);
    if (optind == argc)
        return usage("run", "which scenarios?", NULL);
    struct nb_paths paths = {0};
    for (int i = optind; i < argc; i++) {
        int rc = nb_paths_add(&paths, argv[i]);
        if (rc) {
            fprintf(stderr, "nobrick run: %s: %s\n", argv[i],
                    rc == OTA_E_NO_IMAGE ? "no .ota file lies in this directory"
                    : errno == ENOENT    ? "no such scenario"
                                         : strerror(errno));
            nb_paths_free(&paths);
            return 2;
        }
    }
    int code = run_all(&options, &paths);
    nb_paths_free(&paths);
    return code;
}

/* ---- the verb replay --------------------------------------------------------------------- */

/* What an id says of a script that the script does not have: NULL when there is nothing. */
static const char *not_in_script(const struct nb_script *script, const struct nb_cell *cell)
{
    size_t sweeps = 0;
    for (size_t i = 0; i < script->step_count; i++)
        sweeps += script->steps[i].all;
    if (strcmp(cell->world, "virtual") != 0 && strcmp(cell->world, "posix") != 0 &&
        strcmp(cell->world, "cortexm") != 0)
        return "no such world: expected virtual, posix or cortexm";
    if (cell->explored && strcmp(cell->world, "virtual") != 0)
        return "seeds and faults are for the virtual world";
    if (cell->explored && !script->needs_cloud)
        return "seeds and faults are for a script with a cloud";
    if (nb_script_proves(script))
        return cell->drawn_count && !script->needs_cloud ? "faults are for a script with a cloud"
                                                         : NULL;
    if (cell->cut_count && sweeps == 0)
        return "the id has cuts, and the script neither a '@flash:*' nor a 'prove' line";
    for (size_t i = 0; i < cell->cut_count; i++)
        if (!cell->cuts[i].fails &&
            (cell->cuts[i].tear == FLASH_TEAR_NONE || cell->cuts[i].action != NB_ACTION_BOOT))
            return "the id has runs that only a 'prove' line knows";
    if (cell->cut_count > sweeps)
        return "the id has more cuts than the script has '@flash:*' lines";
    for (size_t i = 0, cut = 0; i < script->step_count && cut < cell->cut_count; i++)
        if (script->steps[i].all &&
            cell->cuts[cut++].fails != (script->steps[i].kind == NB_FAULT_FAIL))
            return "the id has a cut where the script has errors, or the other way round";
    return NULL;
}

static int replay(const struct nb_script *script, const char *shown, struct nb_cell *cell)
{
    struct nb_report report;
    const struct nb_teller teller = {.report = &report};
    struct sim_device device;
    struct flash_text_error error;
    if (nb_cell_device(script, cell, &device, &error) != 0) {
        fprintf(stderr, "nobrick replay: %s\n", error.message);
        return 2;
    }
    sim_device_free(&device);
    cell->kit = nb_kit_new(error.message, sizeof error.message);
    if (!cell->kit) {
        fprintf(stderr, "nobrick replay: %s\n", error.message);
        return 2;
    }
    bool terminal = isatty(STDOUT_FILENO) == 1 && !cell->hash;
    if (nb_report_open(&report, stdout, terminal, NULL) != 0)
        return 2;
    report.colour = report.terminal && nb_report_wants_colour();
    nb_run_catch_signals();
    nb_report_plan(&report, 1);
    nb_report_begin(&report, shown, script->title, 1, 0);
    report_cell(&teller, shown, script, cell);
    nb_report_end(&report);
    if (nb_run_stop)
        nb_report_bail(&report, "stopped by a signal");
    int rc = nb_report_close(&report);
    nb_kit_free(cell->kit);
    return nb_run_stop ? 128 + nb_run_stop : rc ? 2 : nb_report_exit_code(&report);
}

int nb_cmd_replay(int argc, char **argv)
{
    char path[256];
    char shown[256];
    struct nb_cell cell;
    struct nb_script script;
    struct flash_text_error error;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(replay_help, stdout);
        return 0;
    }
    bool hash = argc == 3 && strcmp(argv[1], "--hash") == 0;
    if (argc != 2 + hash || argv[1 + hash][0] == '-')
        return usage("replay", "expected one replay id", NULL);
    if (nb_replay_parse(argv[1 + hash], path, sizeof path, &cell, &error) != 0)
        return usage("replay", error.message, NULL);
    if (strcmp(cell.world, NB_PLUGIN_WORLD) == 0)
        return hash ? usage("replay", "a plugin has no --hash", NULL)
                    : nb_plugin_replay(path, &cell);
    cell.hash = hash;
    struct nb_paths paths = {0};
    int rc = nb_paths_add(&paths, path);
    if (rc || paths.count != 1) {
        nb_paths_free(&paths);
        return usage("replay", "no such scenario", path);
    }
    nb_path_shown(paths.items[0], shown, sizeof shown);
    rc = nb_script_load(paths.items[0], &script, &error);
    nb_paths_free(&paths);
    if (rc)
        return 2;
    if (nb_script_proves(&script))
        cell.explored = false; /* its faults are those of every life */
    const char *wrong = not_in_script(&script, &cell);
    int code = wrong ? usage("replay", wrong, argv[1 + hash]) : replay(&script, shown, &cell);
    nb_script_free(&script);
    return code;
}

/* ---- list scenarios ---------------------------------------------------------------------- */

int nb_list_scenarios(void (*line)(void *context, const char *text), void *context)
{
    struct nb_paths paths = {0};
    int worst = 0;
    if (nb_paths_add(&paths, nb_data_dir()) != 0)
        return OTA_E_IO;
    for (size_t i = 0; i < paths.count; i++) {
        struct nb_script script;
        struct flash_text_error error;
        char text[512];
        char shown[256];
        int rc = nb_script_load(paths.items[i], &script, &error);
        if (rc) {
            worst = rc;
            continue;
        }
        nb_path_shown(paths.items[i], shown, sizeof shown);
        snprintf(text, sizeof text, "%-44s %s", shown, script.title);
        line(context, text);
        nb_script_free(&script);
    }
    nb_paths_free(&paths);
    return worst;
}

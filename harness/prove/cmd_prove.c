#include "harness/prove/cmd_prove.h"

#include "harness/cli/paths.h"
#include "harness/prove/crew.h"
#include "harness/prove/plugin_prove.h"
#include "harness/prove/troubles.h"
#include "harness/prove/verdicts.h"
#include "harness/run/collect.h"
#include "harness/run/kit.h"
#include "harness/run/matrix.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: nobrick prove [option...] [SCRIPT...]\n"
    "\n"
    "Boots every flash state that any number of power cuts can reach, and says that each of them\n"
    "boots a good image, or prints the shortest list of cuts after which one does not.\n"
    "Without a script: updates on trial, confirmed or not, and for good, from before they are "
    "asked\n"
    "for, with good and bad images, in four sizes (boot/prove-*.ota in the data directory).\n"
    "\n"
    "  --scheme SCHEME  this boot scheme instead of all that fit\n"
    "  --part PART      this flash part, or '*': each that fits; without it and --device:\n"
    "                   128 KiB slots, 4 KiB sectors\n"
    "  --device FILE    this device (file or preset)\n"
    "  --plugin SO      a bootloader of yours, on the device that --device FILE describes\n"
    "  --update         whole updates with a network, from the download to the report, of each\n"
    "                   system (anycloud/prove-*.ota, harmony/prove-*.ota)\n"
    "  --faults         such updates under each single fault of cloud and network in turn\n"
    "  --request NAME   test, permanent, confirm, pending or bad only; with a store also "
    "rollback,\n"
    "                   full-store, first-boot or factory-reset\n"
    "  --size SIZE      smaller, equal, larger or maximal only\n"
    "  --tears WHICH    none: clean cuts; prefix: and first parts and half erases; all (default)\n"
    "  --unmasked       take no data for dead: slow, for small slots\n"
    "  --jobs N         so many cells side by side (default: one a processor)\n"
    "  --map FILE       draws the first cell: what a cut in each operation comes to (SVG)\n"
    "  --json           one JSON document\n"
    "  --table          a Markdown table, a row a part and scheme\n"
    "\n"
    "exit: 0 closed and good, 1 a device can be bricked, 2 bad script or usage, or not closed\n"
    "\n"
    "example:\n"
    "  nobrick prove --scheme swap-move --request test\n"
    "bootloaders of yours: scenarios/plugin/README.md\n";

struct options {
    struct nb_choice choice;
    const char *request;
    enum nb_tears tears;
    bool unmasked;
    bool json;
    bool update;
    bool faults;
    bool table;
    const char *map;
    const char *plugin;
    size_t jobs;
};

/* One cell, and the script that it is of. */
struct task {
    const struct nb_script *script;
    const char *path; /* as shown */
    struct nb_cell cell;
    size_t fault; /* of nb_troubles, in a cell that has one */
};

#define MAX_FAULTS 64

struct plan {
    size_t passed_over;      /* cells in which their fault has no place */
    bool struck[MAX_FAULTS]; /* in some cell */
    struct nb_script *scripts;
    char (*shown)[256];
    size_t script_count;
    struct task *tasks;
    size_t task_count;
    bool built_in;
    struct nb_verdicts verdicts;
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "nobrick prove: %s%s%s (nobrick prove --help)\n", what, value ? ": " : "",
            value ? value : "");
    return 2;
}

/* ---- which cells ------------------------------------------------------------------------- */

/* A script of the built-in matrix may be about some schemes only, whatever is chosen. */
static bool suits(const struct nb_script *script, const struct nb_cell *cell)
{
    struct sim_device device;
    struct flash_text_error error;
    const struct nb_list *list = &script->scheme;
    bool found = list->any;
    if (nb_cell_device(script, cell, &device, &error) != 0)
        return true; /* whoever plays it says why it cannot be played */
    for (size_t i = 0; !found && i < list->count; i++)
        found = strcmp(list->items[i], device.scheme->name) == 0;
    sim_device_free(&device);
    return found;
}

static void add_fault(struct task *task, size_t fault)
{
    struct nb_cell *cell = &task->cell;
    task->fault = fault;
    cell->drawn_given = true;
    cell->drawn_count = 1;
    cell->drawn[0].step = 1;
    snprintf(cell->drawn[0].line, sizeof cell->drawn[0].line, "%s", nb_troubles[fault]);
}

static int add_cells(struct plan *plan, const struct options *options,
                     const struct nb_script *script, const char *shown, struct nb_kit *kit)
{
    struct nb_matrix matrix;
    struct flash_text_error error;
    int err = nb_matrix_expand(script, &options->choice, &matrix, &error);
    if (err != 0) {
        fprintf(stderr, "nobrick prove: %s:%u: %s\n", shown, error.line,
                error.message[0] ? error.message : ota_err_text(err));
        return err;
    }
    size_t faults = 0;
    while (options->faults && nb_troubles[faults] != NULL)
        faults++;
    size_t count = matrix.count * (faults != 0 ? faults : 1);
    struct task *grown = realloc(plan->tasks, (plan->task_count + count) * sizeof *plan->tasks);
    for (size_t i = 0; grown != NULL && i < count; i++) {
        if (plan->built_in && !suits(script, &matrix.cells[i % matrix.count]))
            continue;
        struct task *task = &grown[plan->task_count++];
        *task = (struct task){script, shown, matrix.cells[i % matrix.count], 0};
        if (faults != 0)
            add_fault(task, i / matrix.count);
        task->cell.kit = kit;
        task->cell.tears = options->tears;
        task->cell.unmasked = options->unmasked;
        task->cell.map = plan->task_count == 1 ? options->map : NULL;
    }
    if (grown != NULL)
        plan->tasks = grown;
    nb_matrix_free(&matrix);
    return grown != NULL ? 0 : OTA_E_NO_SPACE;
}

static int add_script(struct plan *plan, const struct options *options, const char *path,
                      struct nb_kit *kit)
{
    struct flash_text_error error;
    struct nb_script *script = &plan->scripts[plan->script_count];
    if (nb_script_load(path, script, &error) != 0)
        return OTA_E_ARGUMENT;
    char *shown = plan->shown[plan->script_count++];
    nb_path_shown(path, shown, sizeof *plan->shown);
    if (!nb_script_proves(script)) {
        fprintf(stderr, "nobrick prove: %s: the script has no 'prove' line\n", shown);
        return OTA_E_ARGUMENT;
    }
    if (options->map != NULL && script->needs_cloud) {
        fprintf(stderr, "nobrick prove: %s: --map draws a loader, not a whole update\n", shown);
        return OTA_E_ARGUMENT;
    }
    if (options->faults && !script->needs_cloud) {
        fprintf(stderr, "nobrick prove: %s: --faults are for a script with a cloud\n", shown);
        return OTA_E_ARGUMENT;
    }
    return add_cells(plan, options, script, shown, kit);
}

static int add_built_in(struct nb_paths *paths, const char *name)
{
    char path[640];
    snprintf(path, sizeof path, "%s/%s.ota", nb_data_dir(), name);
    int err = nb_paths_add(paths, path);
    if (err != 0)
        fprintf(stderr, "nobrick prove: %s: %s\n", path, strerror(errno));
    return err;
}

/* The scripts of whole updates; under faults those that are quick. */
static int updates(struct nb_paths *paths, bool faults)
{
    static const struct {
        const char *name;
        bool quick;
    } rows[] = {
        {"anycloud/prove-update", true},        {"anycloud/prove-update-trial", false},
        {"anycloud/prove-update-crash", false}, {"anycloud/prove-update-forged", false},
        {"harmony/prove-update", true},         {"harmony/prove-update-trial", false},
        {"harmony/prove-update-crash", false},  {"harmony/prove-update-forged", false},
        {"harmony/prove-update-patch", false},
    };
    int err = 0;
    for (size_t i = 0; err == 0 && i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].quick || !faults)
            err = add_built_in(paths, rows[i].name);
    return err;
}

/* The scripts of the built-in matrix, or of one request. */
static int built_in(struct nb_paths *paths, const char *request)
{
    static const char *const requests[] = {"test",       "permanent",  "confirm",
                                           "pending",    "bad",        "rollback",
                                           "full-store", "first-boot", "factory-reset"};
    int err = OTA_E_ARGUMENT;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char name[64];
        if (request != NULL && strcmp(request, requests[i]) != 0)
            continue;
        snprintf(name, sizeof name, "boot/prove-%s", requests[i]);
        err = add_built_in(paths, name);
        if (err != 0)
            return err;
    }
    if (err != 0)
        usage("--request wants test, permanent, confirm, pending, bad, rollback, full-store, "
              "first-boot or factory-reset",
              request);
    return err;
}

static int make_plan(struct plan *plan, const struct options *options, char *const *names,
                     size_t count, struct nb_kit *kit)
{
    struct nb_paths paths = {0};
    plan->built_in = count == 0 && !options->update && !options->faults;
    bool update = options->update || (options->faults && count == 0);
    int err = update       ? updates(&paths, options->faults)
              : count == 0 ? built_in(&paths, options->request)
                           : 0;
    for (size_t i = 0; err == 0 && i < count; i++) {
        err = nb_paths_add(&paths, names[i]);
        if (err != 0)
            fprintf(stderr, "nobrick prove: %s: no such scenario\n", names[i]);
    }
    if (err == 0) {
        plan->scripts = calloc(paths.count, sizeof *plan->scripts);
        plan->shown = calloc(paths.count, sizeof *plan->shown);
        err = plan->scripts != NULL && plan->shown != NULL ? 0 : OTA_E_NO_SPACE;
    }
    for (size_t i = 0; err == 0 && i < paths.count; i++)
        err = add_script(plan, options, paths.items[i], kit);
    nb_paths_free(&paths);
    if (err == 0 && plan->task_count == 0) {
        fprintf(stderr, "nobrick prove: the request is not for this scheme\n");
        err = OTA_E_ARGUMENT;
    }
    return err;
}

static void free_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->script_count; i++)
        nb_script_free(&plan->scripts[i]);
    free(plan->scripts);
    free(plan->shown);
    free(plan->tasks);
}

/* ---- playing ----------------------------------------------------------------------------- */

static void play(void *context, size_t index, struct nb_outcome *outcome)
{
    const struct plan *plan = context;
    const struct task *task = &plan->tasks[index];
    int err = (task->script->needs_cloud ? nb_virtual_run : nb_bench_run)(task->script, &task->cell,
                                                                          outcome);
    if (err != 0)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(err));
}

static void tell(void *context, size_t index, const struct nb_outcome *outcome)
{
    struct plan *plan = context;
    const struct task *task = &plan->tasks[index];
    char name[256 + NB_TEXT];
    char id[NB_ID];
    bool placed = outcome->verdict != NB_SKIP && outcome->verdict != NB_VACUOUS;
    if (task->cell.drawn_count != 0 && !placed) {
        plan->passed_over++;
        return;
    }
    plan->struck[task->fault] = true;
    nb_cell_name(&task->cell, name, sizeof name);
    if (task->cell.drawn_count != 0)
        snprintf(name + strlen(name), sizeof name - strlen(name), " %s", task->cell.drawn[0].line);
    nb_replay_id(task->path, &task->cell, outcome->cuts, id, sizeof id);
    nb_verdicts_add(&plan->verdicts, task->path, name, &task->cell, id, outcome);
}

/* 0, or 3 when some fault has no place in any cell. */
static int all_struck(const struct plan *plan)
{
    int code = 0;
    fprintf(stderr, "%zu cells are left out, in which their fault has no place\n",
            plan->passed_over);
    for (size_t i = 0; nb_troubles[i] != NULL && nb_run_stop == 0; i++) {
        if (plan->struck[i])
            continue;
        fprintf(stderr, "nobrick prove: `%s` strikes in no cell\n", nb_troubles[i]);
        code = 3;
    }
    return code;
}

static int prove(struct options *options, char *const *names, size_t count)
{
    struct plan plan = {
        .verdicts = {.json = options->json, .table = options->table, .out = stdout}};
    nb_run_catch_signals();
    char reason[NB_LINE] = "";
    struct nb_kit *kit = nb_kit_new(reason, sizeof reason);
    if (kit == NULL)
        fprintf(stderr, "nobrick prove: %s\n", reason);
    int err = kit != NULL ? make_plan(&plan, options, names, count, kit) : OTA_E_IO;
    const struct nb_crew crew = {&plan, play, tell};
    if (err == 0)
        err = nb_crew_run(&crew, plan.task_count, options->jobs, &nb_run_stop);
    else if (err == OTA_E_NO_SPACE)
        fprintf(stderr, "nobrick prove: %s\n", ota_err_text(err));
    int code = err == 0 ? nb_verdicts_end(&plan.verdicts, plan.task_count - plan.passed_over) : 2;
    if (code == 0 && options->faults)
        code = all_struck(&plan);
    nb_kit_free(kit);
    free_plan(&plan);
    return nb_run_stop != 0 ? 128 + nb_run_stop : code;
}

/* ---- the command line -------------------------------------------------------------------- */

static bool take(char *to, size_t size, const char *value)
{
    return snprintf(to, size, "%s", value) < (int)size;
}

static size_t usual_jobs(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 && count <= 64 ? (size_t)count : 1;
}

static bool take_tears(struct options *options, const char *word)
{
    static const char *const words[] = {"all", "prefix", "none"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            options->tears = (enum nb_tears)i;
            return true;
        }
    }
    return false;
}

static bool take_jobs(struct options *options, const char *word)
{
    char *end;
    long count = strtol(word, &end, 10);
    options->jobs = (size_t)count;
    return *word && !*end && count > 0 && count <= 64;
}

enum {
    SCHEME = 256,
    PART,
    DEVICE,
    UPDATE,
    FAULTS,
    REQUEST,
    SIZE,
    TEARS,
    UNMASKED,
    JOBS,
    MAP,
    JSON,
    TABLE,
    PLUGIN,
    HELP
};

/* False: the value is not good. */
static bool take_option(struct options *options, int option, const char *value)
{
    struct nb_choice *choice = &options->choice;
    switch (option) {
    case SCHEME:
        return take(choice->scheme, sizeof choice->scheme, value);
    case PART:
        choice->every_part = strcmp(value, "*") == 0;
        return choice->every_part || take(choice->part, sizeof choice->part, value);
    case DEVICE:
        return take(choice->device, sizeof choice->device, value);
    case SIZE:
        return take(choice->size, sizeof choice->size, value) && nb_size_is_word(value);
    case TEARS:
        return take_tears(options, value);
    case JOBS:
        return take_jobs(options, value);
    case REQUEST:
        options->request = value;
        return true;
    case MAP:
        options->map = value;
        return true;
    case PLUGIN:
        options->plugin = value;
        return true;
    case JSON:
        options->json = true;
        return true;
    case UPDATE:
        options->update = true;
        return true;
    case FAULTS:
        options->faults = true;
        return true;
    case TABLE:
        options->table = true;
        return true;
    default:
        options->unmasked = true;
        return true;
    }
}

static int prove_plugin(const struct options *options, const char *script)
{
    const struct nb_choice *choice = &options->choice;
    struct nb_cell cell = {
        .tears = options->tears, .unmasked = options->unmasked, .map = options->map};
    if (!choice->device[0])
        return usage("--plugin wants --device FILE: its areas and images", NULL);
    if (choice->scheme[0] || choice->part[0] || choice->every_part || choice->size[0] ||
        options->request != NULL || options->table || options->update || options->faults)
        return usage("a plugin has no --scheme, --part, --request, --size, --table, --update or "
                     "--faults",
                     NULL);
    if (script != NULL)
        return usage("a plugin plays no script", script);
    snprintf(cell.world, sizeof cell.world, "%s", NB_PLUGIN_WORLD);
    snprintf(cell.device, sizeof cell.device, "%s", choice->device);
    return nb_plugin_prove_all(options->plugin, &cell, options->jobs, options->json);
}

int nb_cmd_prove(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"scheme", required_argument, NULL, SCHEME}, {"part", required_argument, NULL, PART},
        {"device", required_argument, NULL, DEVICE}, {"request", required_argument, NULL, REQUEST},
        {"size", required_argument, NULL, SIZE},     {"tears", required_argument, NULL, TEARS},
        {"unmasked", no_argument, NULL, UNMASKED},   {"jobs", required_argument, NULL, JOBS},
        {"map", required_argument, NULL, MAP},       {"json", no_argument, NULL, JSON},
        {"update", no_argument, NULL, UPDATE},       {"faults", no_argument, NULL, FAULTS},
        {"plugin", required_argument, NULL, PLUGIN}, {"table", no_argument, NULL, TABLE},
        {"help", no_argument, NULL, HELP},           {NULL, 0, NULL, 0},
    };
    struct options options = {.jobs = usual_jobs()};
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(help, stdout);
            return 0;
        }
        if (option == ':' || option == '?')
            return usage(option == ':' ? "this option needs a value" : "unknown option",
                         argv[optind - 1]);
        if (!take_option(&options, option, optarg))
            return usage("this option does not know the value", optarg);
    }
    if (options.plugin != NULL)
        return prove_plugin(&options, argv[optind]);
    if (options.choice.scheme[0] && sim_scheme_find(options.choice.scheme) == NULL)
        return usage("no such scheme (nobrick list schemes)", options.choice.scheme);
    if (options.json && options.table)
        return usage("--json or --table, not both", NULL);
    if (options.choice.device[0] &&
        (options.choice.part[0] || options.choice.every_part || options.choice.scheme[0]))
        return usage("a device has its own part and scheme: expected --device alone", NULL);
    if ((options.update || options.faults) &&
        (options.choice.device[0] || options.choice.part[0] || options.choice.every_part))
        return usage("whole updates are proved on the small devices of their scripts: expected no "
                     "--part and no --device",
                     NULL);
    if (options.update && optind < argc)
        return usage("--update has its own scripts: expected none", argv[optind]);
    if (options.request != NULL && (options.update || options.faults))
        return usage("--request is for the loader alone: expected no --update, no --faults", NULL);
    if (options.request != NULL && optind < argc)
        return usage("--request is for the built-in matrix: expected no script", argv[optind]);
    return prove(&options, argv + optind, (size_t)(argc - optind));
}

#include "harness/prove/board_times.h"

#include "harness/run/cortexm.h"
#include "sim/cortexm/host/qemu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define ROUNDS      3
#define BOOT_GOAL   0.3
#define UPDATE_GOAL 5.0

#define BOOT                                                                                       \
    "title A boot\n"                                                                               \
    "world cortexm\n"                                                                              \
    "slot 256K\n"                                                                                  \
    "flash slot0 v1 size=128K\n"                                                                   \
    "device boot\n"                                                                                \
    "expect boot v1 confirmed\n"
#define SWAP                                                                                       \
    "title A trial\n"                                                                              \
    "world cortexm\n"                                                                              \
    "slot 256K\n"                                                                                  \
    "flash slot0 v1 size=128K\n"                                                                   \
    "flash slot1 v2 size=128K pending\n"                                                           \
    "device boot\n"                                                                                \
    "expect boot v2\n"
#define RANK                                                                                       \
    "title A trial out of a store\n"                                                               \
    "world cortexm\n"                                                                              \
    "slot 256K\n"                                                                                  \
    "flash slot0 v1 size=128K\n"                                                                   \
    "flash slot1 v2 size=128K\n"                                                                   \
    "device pending\n"                                                                             \
    "device boot\n"                                                                                \
    "expect boot v2\n"
#define UPDATE                                                                                     \
    "title An update\n"                                                                            \
    "world cortexm\n"                                                                              \
    "slot 256K\n"                                                                                  \
    "cloud offer v2 size=128K\n"                                                                   \
    "device check\n"                                                                               \
    "expect boot v2 trial\n"                                                                       \
    "expect confirmed v2\n"                                                                        \
    "expect report success\n"

struct row {
    const char *name;
    const char *script;
    double goal; /* seconds, of the processor where there is no network to wait for; 0: none */
    struct nb_cell cell;
};

static const struct row rows[] = {
    {"boot, overwrite", BOOT, BOOT_GOAL, {.part = "nrf52840", .scheme = "overwrite"}},
    {"boot, swap-move", BOOT, BOOT_GOAL, {.part = "nrf52840", .scheme = "swap-move"}},
    {"boot, swap-scratch", BOOT, BOOT_GOAL, {.part = "nrf52840", .scheme = "swap-scratch"}},
    {"boot, swap-status", BOOT, BOOT_GOAL, {.part = "psoc6-internal", .scheme = "swap-status"}},
    {"first boot, ranked", BOOT, 0, {.part = "psoc6-internal", .scheme = "ranked"}},
    {"installation, overwrite", SWAP, 0, {.part = "nrf52840", .scheme = "overwrite"}},
    {"installation, swap-move", SWAP, 0, {.part = "nrf52840", .scheme = "swap-move"}},
    {"installation, swap-scratch", SWAP, 0, {.part = "nrf52840", .scheme = "swap-scratch"}},
    {"installation, swap-status", SWAP, 0, {.part = "psoc6-internal", .scheme = "swap-status"}},
    {"installation, ranked", RANK, 0, {.part = "psoc6-internal", .scheme = "ranked"}},
    {"update by MQTT",
     UPDATE,
     UPDATE_GOAL,
     {.part = "nrf52840", .scheme = "swap-move", .data = "mqtt", .via = "mqtt"}},
    {"update by HTTP ranges",
     UPDATE,
     UPDATE_GOAL,
     {.part = "nrf52840", .scheme = "swap-move", .data = "http", .via = "http"}},
    {"update by MQTT and TLS, both certified",
     UPDATE,
     0,
     {.part = "nrf52840", .scheme = "swap-move", .data = "mqtt", .via = "mqtt", .tls = "client"}},
    {"update by HTTPS ranges, both certified",
     UPDATE,
     0,
     {.part = "nrf52840", .scheme = "swap-move", .data = "https", .via = "https", .tls = "client"}},
};

/* ---- stacks ------------------------------------------------------------------------------ */

struct stack {
    char program[40]; /* "loader-swap-move", "application" */
    unsigned bytes;
};

struct stacks {
    struct stack items[sizeof rows / sizeof rows[0] + 1];
    size_t count;
};

static void note_stack(struct stacks *stacks, const char *program, unsigned bytes)
{
    size_t i = 0;
    while (i < stacks->count && strcmp(stacks->items[i].program, program) != 0)
        i++;
    if (i == sizeof stacks->items / sizeof stacks->items[0])
        return;
    struct stack *stack = &stacks->items[i];
    if (i == stacks->count) {
        snprintf(stack->program, sizeof stack->program, "%s", program);
        stacks->count++;
    }
    stack->bytes = bytes > stack->bytes ? bytes : stack->bytes;
}

/* The board's programs tell on their log how deep their stacks were (sim/cortexm/guest/stack.h). */
static void read_stacks(const struct row *row, struct nb_kit *kit, struct stacks *stacks)
{
    char path[300];
    char line[NB_LINE];
    char loader[40];
    unsigned bytes;
    snprintf(path, sizeof path, "%s/device.log", nb_kit_dir(kit));
    snprintf(loader, sizeof loader, "loader-%.30s", row->cell.scheme);
    FILE *log = fopen(path, "r");
    while (log != NULL && fgets(line, sizeof line, log) != NULL) {
        if (sscanf(line, "loader: stack %u", &bytes) == 1)
            note_stack(stacks, loader, bytes);
        else if (sscanf(line, "application: stack %u", &bytes) == 1)
            note_stack(stacks, "application", bytes);
    }
    if (log != NULL)
        fclose(log);
}

/* ---- runs -------------------------------------------------------------------------------- */

struct times {
    double seconds; /* from QEMU's start to its end */
    double processor;
};

/* Of QEMU, once it has ended. */
static double processor_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static enum nb_verdict play(const struct row *row, struct nb_kit *kit, struct times *out)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    struct nb_cell cell = row->cell;
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    if (outcome == NULL)
        return NB_ERROR;
    snprintf(cell.world, sizeof cell.world, "cortexm");
    cell.kit = kit;
    cell.programs = true;
    double before = processor_seconds();
    if (nb_script_parse(row->script, strlen(row->script), row->name, &script, &error) != 0) {
        nb_outcome_set(outcome, NB_ERROR, "line %u: %s", error.line, error.message);
    } else {
        int rc = nb_cortexm_play(&script, &cell, NULL, outcome);
        if (rc != 0)
            nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(rc));
        nb_script_free(&script);
    }
    enum nb_verdict verdict = outcome->verdict;
    *out = (struct times){outcome->longest, processor_seconds() - before};
    if (verdict != NB_PASS && nb_run_stop == 0)
        fprintf(stderr, "nobrick bench: %s: %s%s\n", row->name,
                verdict == NB_SKIP ? "skipped, " : "", outcome->reason);
    free(outcome);
    return verdict;
}

/* False: it failed, or never reached its goal. */
static bool measure(const struct row *row, struct nb_kit *kit, struct stacks *stacks)
{
    struct times best = {0};
    double worst = 0;
    char goal[16] = "-";
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct times one;
        enum nb_verdict verdict = play(row, kit, &one);
        if (verdict != NB_PASS || nb_run_stop != 0)
            return verdict == NB_SKIP;
        if (round == 0 || one.seconds < best.seconds)
            best.seconds = one.seconds;
        if (round == 0 || one.processor < best.processor)
            best.processor = one.processor;
        worst = one.seconds > worst ? one.seconds : worst;
        read_stacks(row, kit, stacks);
    }
    if (row->goal > 0)
        snprintf(goal, sizeof goal, "%.1f", row->goal);
    printf("| %s | %.2f (to %.2f) | %.2f | %s |\n", row->name, best.seconds, worst, best.processor,
           goal);
    fflush(stdout);
    double counted = row->cell.via[0] ? best.seconds : best.processor;
    if (row->goal == 0 || counted < row->goal)
        return true;
    fprintf(stderr, "nobrick bench: %s takes %.2f s, its goal is %.1f\n", row->name, counted,
            row->goal);
    return false;
}

int nb_board_times(struct nb_kit *kit)
{
    struct stacks stacks = {0};
    bool good = true;
    const char *missing = cortexm_missing();
    if (missing != NULL) {
        fprintf(stderr, "nobrick bench: board: skipped, %s\n", missing);
        return 0;
    }
    printf("| on the board, 128 KiB images | seconds, best of %d | of the processor | goal |\n"
           "|---|---:|---:|---:|\n",
           ROUNDS);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && nb_run_stop == 0; i++)
        good = measure(&rows[i], kit, &stacks) && good;
    printf("\n| program | worst stack of these runs, bytes |\n|---|---:|\n");
    for (size_t i = 0; i < stacks.count; i++)
        printf("| %s | %u |\n", stacks.items[i].program, stacks.items[i].bytes);
    return good ? 0 : 1;
}

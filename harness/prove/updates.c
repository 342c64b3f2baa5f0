#include "harness/prove/updates.h"
#include "harness/run/virtual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS        3
#define ROUND_SECONDS 1.0

struct row {
    const char *name;
    const char *script;
    bool compute;
};

#define HEAD   "title bench\nworld virtual\n"
#define UPDATE "cloud offer v2 size=64K\ndevice check\nexpect confirmed v2\nexpect report success\n"

static const struct row rows[] = {
    {"64 KiB by MQTT chunks, verdicts remembered", HEAD UPDATE, false},
    {"the same, all crypto computed", HEAD UPDATE, true},
    {"64 KiB by HTTP ranges, verdicts remembered", HEAD "data http\n" UPDATE, false},
};

/* Updates a second; 0 when one did not pass: it is told. */
static double rate(struct nb_virtual *virtual)
{
    static struct nb_outcome outcome;
    unsigned count = 0;
    double begin = nb_cpu_seconds();
    double end = begin;
    for (; end - begin < ROUND_SECONDS && !nb_run_stop; end = nb_cpu_seconds(), count++) {
        memset(&outcome, 0, sizeof outcome);
        nb_virtual_play(virtual, NULL, &outcome);
        if (outcome.verdict != NB_PASS) {
            fprintf(stderr, "nobrick bench: the update did not pass: %s\n", outcome.reason);
            return 0;
        }
    }
    return count / (end - begin);
}

static int compare_rates(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static bool run_row(struct nb_kit *kit, const struct row *row)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    double rates[ROUNDS] = {0};
    struct nb_cell cell = {.kit = kit, .world = "virtual", .compute = row->compute};
    if (strstr(row->script, "data http"))
        snprintf(cell.data, sizeof cell.data, "http");
    if (nb_script_parse(row->script, strlen(row->script), "bench", &script, &error) != 0) {
        fprintf(stderr, "nobrick bench: line %u: %s\n", error.line, error.message);
        return false;
    }
    struct nb_virtual *virtual = nb_virtual_new(&script, &cell);
    bool good = virtual != NULL;
    for (size_t i = 0; good && i < ROUNDS && !nb_run_stop; i++) {
        rates[i] = rate(virtual);
        good = rates[i] > 0;
    }
    nb_virtual_free(virtual);
    nb_script_free(&script);
    qsort(rates, ROUNDS, sizeof rates[0], compare_rates);
    if (good && !nb_run_stop)
        printf("| %s | %.0f (%.0f to %.0f) |\n", row->name, rates[ROUNDS / 2], rates[0],
               rates[ROUNDS - 1]);
    return good;
}

int nb_updates(struct nb_kit *kit)
{
    bool good = true;
    printf("\n| whole updates in the virtual world | a second, one core |\n|---|---:|\n");
    for (size_t i = 0; good && i < sizeof rows / sizeof rows[0]; i++) {
        good = run_row(kit, &rows[i]);
        fflush(stdout);
    }
    return nb_run_stop ? 128 + nb_run_stop : good ? 0 : 1;
}

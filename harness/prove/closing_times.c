#include "harness/prove/closing_times.h"

#include <stdlib.h>
#include <string.h>

#define UPDATE                                                                                     \
    "title closure\n"                                                                              \
    "req STOR-02\n"                                                                                \
    "size equal maximal\n"                                                                         \
    "flash slot1 v2 pending\n"                                                                     \
    "prove boot v1|v2\n"                                                                           \
    "until stable boot v1|v2\n"

static const struct {
    const char *name;
    struct nb_cell cell;
} rows[] = {
    {"overwrite, 128 KiB slots of 4 KiB sectors, first parts and half erases",
     {.part = "nrf52840", .scheme = "overwrite", .size = NB_SIZE_EQUAL, .tears = NB_TEARS_PREFIX}},
    {"swap-move, the same",
     {.part = "nrf52840", .scheme = "swap-move", .size = NB_SIZE_EQUAL, .tears = NB_TEARS_PREFIX}},
    {"swap-scratch, the same",
     {.part = "nrf52840",
      .scheme = "swap-scratch",
      .size = NB_SIZE_EQUAL,
      .tears = NB_TEARS_PREFIX}},
    {"swap-status, the same",
     {.part = "nrf52840",
      .scheme = "swap-status",
      .size = NB_SIZE_EQUAL,
      .tears = NB_TEARS_PREFIX}},
    {"PSoC 6: slots of 0xEE000, rows of 512 bytes, maximal image, every tear",
     {.device = "anycloud-internal-swap", .size = NB_SIZE_MAXIMAL, .tears = NB_TEARS_ALL}},
};

static bool run_row(const struct nb_script *script, struct nb_kit *kit, size_t row)
{
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    struct nb_cell cell = rows[row].cell;
    snprintf(cell.world, sizeof cell.world, "virtual");
    cell.kit = kit;
    int err = outcome != NULL ? nb_bench_run(script, &cell, outcome) : OTA_E_NO_SPACE;
    bool good = err == 0 && outcome->verdict == NB_PASS;
    if (good) {
        const struct nb_proof *proof = &outcome->proof;
        double seconds = proof->seconds > 0 ? proof->seconds : 1e-9;
        printf("| %s | %u | %llu | %u | %.2f | %.0f | %.0f |\n", rows[row].name, proof->states,
               (unsigned long long)proof->edges, proof->depth, proof->seconds,
               (double)proof->states / seconds, (double)proof->edges / seconds);
        fflush(stdout);
    } else if (nb_run_stop == 0) {
        fprintf(stderr, "nobrick bench: %s: %s\n", rows[row].name,
                err != 0 ? ota_err_text(err) : outcome->reason);
    }
    free(outcome);
    return good;
}

int nb_closing_times(struct nb_kit *kit)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    if (nb_script_parse(UPDATE, strlen(UPDATE), "closure", &script, &error) != 0) {
        fprintf(stderr, "nobrick bench: line %u: %s\n", error.line, error.message);
        return 2;
    }
    bool good = true;
    printf("| closure | states | edges | depth | seconds, one core | states/s | edges/s |\n"
           "|---|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; good && i < sizeof rows / sizeof rows[0]; i++)
        good = run_row(&script, kit, i);
    nb_script_free(&script);
    return good ? 0 : 1;
}

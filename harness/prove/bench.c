#include "harness/prove/bench.h"

#include "harness/prove/board_times.h"
#include "harness/prove/closing_times.h"
#include "harness/prove/costs.h"
#include "harness/prove/throughput.h"
#include "harness/prove/updates.h"
#include "harness/run/kit.h"
#include "sim/crypto_openssl.h"

#include <stdio.h>
#include <string.h>

/* The case that other simulators are quoted with: 100 KiB images, 128 KiB slots, 4 KiB sectors,
 * alignment 8, primary validated at every boot. */
static const char *const permanent_swap = "title bench: permanent swap\n"
                                          "req STOR-02\n"
                                          "world virtual\n"
                                          "part nrf52840\n"
                                          "scheme swap-move\n"
                                          "slot 128K\n"
                                          "flash slot0 v1 size=100K\n"
                                          "flash slot1 v2 size=100K pending permanent\n"
                                          "@flash:* cut\n"
                                          "device boot\n"
                                          "until stable boot v2\n";

struct costs {
    double hash;   /* seconds for one hash of the image */
    double verify; /* seconds for one signature */
};

/* Times one whole check of the image, then its hash alone; the rest is the signature. */
static int measure(struct nb_kit *kit, const struct nb_script *script, const struct nb_cell *cell,
                   struct costs *out)
{
    struct sim_device device;
    struct flash_text_error error = {0};
    struct nb_blob blob;
    struct img_info info;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    int err = nb_cell_device(script, cell, &device, &error);
    if (err != 0)
        return err;
    struct flash_sim *sim = flash_sim_memory(device.chips, device.chip_count);
    struct crypto_openssl *crypto = sim != NULL ? crypto_openssl_new(sim, false) : NULL;
    err = crypto == NULL
              ? OTA_E_NO_SPACE
              : nb_kit_image(kit, script, cell, &device, nb_script_image(script, 2), &blob, &error);
    if (err == 0)
        err = flash_sim_put(sim, device.primary.address, blob.data, blob.size);
    const struct crypto_port *port = crypto != NULL ? crypto_openssl_port(crypto) : NULL;
    const struct flash_area slot = {sim != NULL ? flash_sim_port(sim) : NULL,
                                    device.primary.address, device.primary.size};
    const struct img_rules rules = {.keys = device.keys, .key_count = device.key_count};
    unsigned rounds = 0;
    double begin = nb_cpu_seconds();
    for (; err == 0 && nb_run_stop == 0 && nb_cpu_seconds() - begin < 0.5; rounds++)
        err = img_check(&slot, &rules, port, &info, NULL);
    double check = (nb_cpu_seconds() - begin) / (rounds != 0 ? rounds : 1);
    begin = nb_cpu_seconds();
    for (rounds = 0; err == 0 && nb_run_stop == 0 && nb_cpu_seconds() - begin < 0.5; rounds++)
        err = port->sha256_flash(port->context, slot.flash, slot.address, info.tlv_offset, digest);
    out->hash = (nb_cpu_seconds() - begin) / (rounds != 0 ? rounds : 1);
    out->verify = check - out->hash;
    if (crypto != NULL)
        crypto_openssl_free(crypto);
    if (sim != NULL)
        flash_sim_close(sim);
    sim_device_free(&device);
    return err;
}

#define ROUNDS 3

/* One sweep, as measured in one round. */
struct figures {
    double points; /* a second */
    double bound;  /* what hashing and verifying alone would allow */
    double validations;
    double crypto_share; /* of the time */
    uint64_t cuts;
};

static int sweep(const struct nb_script *script, struct nb_cell *cell, bool compute,
                 const struct costs *costs, struct figures *out)
{
    static struct nb_outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    cell->compute = compute;
    int err = nb_bench_run(script, cell, &outcome);
    if (err != 0 || outcome.verdict != NB_PASS || outcome.points == 0) {
        if (nb_run_stop == 0)
            fprintf(stderr, "nobrick bench: the sweep did not pass: %s\n",
                    err != 0 ? ota_err_text(err) : outcome.reason);
        return err != 0 ? 2 : 1;
    }
    double crypto = costs->hash + costs->verify;
    out->cuts = outcome.points;
    out->points = (double)outcome.points / outcome.seconds;
    out->validations = (double)outcome.validations / (double)outcome.points;
    out->bound = 1.0 / (out->validations * crypto);
    out->crypto_share = compute ? out->points / out->bound : 0;
    return 0;
}

/* The round with the middle rate: the others tell how steady the machine is. */
static void print_row(const char *name, const struct figures rounds[ROUNDS])
{
    size_t low = 0;
    size_t high = 0;
    for (size_t i = 1; i < ROUNDS; i++) {
        low = rounds[i].points < rounds[low].points ? i : low;
        high = rounds[i].points >= rounds[high].points ? i : high;
    }
    const struct figures *middle = &rounds[ROUNDS - low - high];
    printf("| %s | %llu | %.0f (%.0f to %.0f) | %.2f | ", name, (unsigned long long)middle->cuts,
           middle->points, rounds[low].points, rounds[high].points, middle->validations);
    if (middle->crypto_share > 0) /* hashing and signatures take that part of the time */
        printf("%.0f | %.0f %% |\n", middle->bound, 100.0 * middle->crypto_share);
    else
        printf("- | - |\n");
}

/* Each round measures the crypto beside the sweeps that it bounds. */
static int run_rounds(struct nb_kit *kit, const struct nb_script *script, struct nb_cell *cell)
{
    struct figures computed[ROUNDS];
    struct figures remembered[ROUNDS];
    struct costs costs = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        int err = measure(kit, script, cell, &costs);
        if (err != 0) {
            fprintf(stderr, "nobrick bench: %s\n", ota_err_text(err));
            return 2;
        }
        int code = sweep(script, cell, true, &costs, &computed[i]);
        if (code == 0)
            code = sweep(script, cell, false, &costs, &remembered[i]);
        if (code != 0)
            return code;
    }
    printf("one validation: SHA-256 %.1f us, ECDSA P-256 %.1f us (the last of %d rounds)\n\n",
           costs.hash * 1e6, costs.verify * 1e6, ROUNDS);
    printf("| verdicts | power cuts | points/s, one core | validations a point | crypto bound /s | "
           "in crypto |\n|---|---:|---:|---:|---:|---:|\n");
    print_row("computed", computed);
    print_row("remembered", remembered);
    return 0;
}

static int bench_sweep(struct nb_kit *kit)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    struct nb_cell cell = {
        .world = "virtual", .part = "nrf52840", .scheme = "swap-move", .kit = kit};
    if (nb_script_parse(permanent_swap, strlen(permanent_swap), "bench", &script, &error) != 0) {
        fprintf(stderr, "nobrick bench: line %u: %s\n", error.line, error.message);
        return 2;
    }
    int result = run_rounds(kit, &script, &cell);
    nb_script_free(&script);
    return result;
}

static const char help[] =
    "usage: nobrick bench [sweep|updates|download|costs|closures|board]\n"
    "\n"
    "  sweep     power cuts of a permanent swap (100 KiB images, 128 KiB slots), on one core\n"
    "  updates   whole updates a second in the virtual world, on one core\n"
    "  download  MB/s of the device beside curl and mosquitto_sub, on loopback\n"
    "  costs     operations, erases, modelled time and wear of an update on every part\n"
    "  closures  what the prover takes, on one core\n"
    "  board     boots and updates of the Cortex-M board in QEMU, and its stacks\n"
    "\n"
    "All when nothing is named.\n"
    "\n"
    "example:\n"
    "  nobrick bench download\n";

static const struct {
    const char *word;
    int (*run)(struct nb_kit *kit);
} benches[] = {{"sweep", bench_sweep},         {"updates", nb_updates},
               {"download", nb_throughput},    {"costs", nb_bench_costs},
               {"closures", nb_closing_times}, {"board", nb_board_times}};

int nb_cmd_bench(int argc, char **argv)
{
    const size_t count = sizeof benches / sizeof benches[0];
    const char *what = argc > 1 ? argv[1] : "";
    size_t first = 0;
    if (strcmp(what, "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    while (argc > 1 && first < count && strcmp(what, benches[first].word) != 0)
        first++;
    if (argc > 2 || first == count) {
        fprintf(stderr, "nobrick bench: sweep, updates, download, costs, closures or board? "
                        "(nobrick bench --help)\n");
        return 2;
    }
    nb_run_catch_signals(); /* Ctrl-C must not leave the kit's directory behind */
    char reason[160];
    struct nb_kit *kit = nb_kit_new(reason, sizeof reason);
    int result = kit == NULL ? 2 : 0;
    if (kit == NULL)
        fprintf(stderr, "nobrick bench: %s\n", reason);
    for (size_t i = first; result == 0 && i < (argc > 1 ? first + 1 : count); i++) {
        result = benches[i].run(kit);
        fflush(stdout);
    }
    nb_kit_free(kit);
    return nb_run_stop != 0 ? 128 + nb_run_stop : result;
}

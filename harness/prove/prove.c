#include "harness/prove/prove.h"
#include "harness/prove/device.h"
#include "harness/prove/map.h"
#include "harness/prove/repeat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *tears_text(enum nb_tears tears)
{
    return tears == NB_TEARS_NONE     ? "clean cuts only"
           : tears == NB_TEARS_PREFIX ? "cuts, first parts of programs, half erases"
                                      : "cuts and every modelled tear";
}

/* "v1", "v2" or "v1 or v2" by the names that images have. */
static void rests_text(unsigned rests, const char *old, const char *new, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", rests & NB_RUNS_OLD ? old : "",
             rests == (NB_RUNS_OLD | NB_RUNS_NEW) ? " or " : "", rests & NB_RUNS_NEW ? new : "");
}

void nb_prove_figures(const struct nb_cell *cell, const struct nb_proof *proof, const char *old,
                      const char *new, struct nb_outcome *outcome)
{
    char rests[64];
    rests_text(proof->rests, old, new, rests, sizeof rests);
    nb_note_add(outcome, "%s: %u states (%u masked), %llu edges, depth %u, %.2f s%s%s",
                proof->closed ? "closed" : "not closed", proof->states, proof->masked,
                (unsigned long long)proof->edges, proof->depth, proof->seconds,
                proof->failures == 0 && proof->closed ? "; every state ends in " : "",
                proof->failures == 0 && proof->closed ? rests : "");
    if (proof->depth > 1) {
        char chain[NB_LINE - 40];
        nb_chain_print(proof->deepest, proof->deepest_length, chain, sizeof chain);
        nb_note_add(outcome, "a state that takes %u cuts: %s", proof->depth, chain);
    }
    double seconds = proof->seconds > 0 ? proof->seconds : 1e-9;
    nb_note_add(outcome, "%s, %s; %.0f states/s, %.0f edges/s; a model of flash, not silicon",
                tears_text(cell->tears), cell->unmasked ? "nothing masked" : "dead data masked",
                (double)proof->states / seconds, (double)proof->edges / seconds);
}

void nb_prove_tell(const struct nb_cell *cell, const struct img_version *old,
                   const struct img_version *new, const struct nb_proof *proof,
                   struct nb_outcome *outcome)
{
    char old_text[24];
    char new_text[24];
    nb_version_print(old, old_text, sizeof old_text);
    nb_version_print(new, new_text, sizeof new_text);
    nb_prove_figures(cell, proof, old_text, new_text, outcome);
}

static void add_area(struct nb_map *map, const char *name, const struct sim_region *region)
{
    size_t at = map->area_count;
    if (region->size == 0)
        return;
    for (; at > 0 && map->areas[at - 1].address < region->address; at--)
        map->areas[at] = map->areas[at - 1];
    map->areas[at] = (struct nb_map_area){name, region->address, region->size};
    map->area_count++;
}

/* "3,831,244". */
static const char *grouped(uint64_t number, char out[32])
{
    char digits[24];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i != 0 && (count - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

/* The picture is the same each time: it says nothing of seconds. */
static int draw(const struct nb_prove_device *device, const struct nb_search *search,
                const struct nb_proof *proof)
{
    const struct nb_bench *bench = device->bench;
    const struct sim_device *sim = &bench->device;
    struct nb_seen_op *ops = NULL;
    char title[NB_LINE];
    char verdict[NB_LINE];
    char states[32];
    char edges[32];
    char rests[64];
    char old[24];
    char new[24];
    nb_version_print(&device->old, old, sizeof old);
    nb_version_print(&device->new, new, sizeof new);
    rests_text(proof->rests, old, new, rests, sizeof rests);
    snprintf(title, sizeof title, "%s on %s: what a power cut in each flash operation comes to",
             sim->scheme->name, sim->name);
    if (proof->closed && proof->failures == 0)
        snprintf(verdict, sizeof verdict,
                 "Closed for any number of power cuts (%s): %s states, %s edges, 0 bricks; all end "
                 "in %s.",
                 tears_text(bench->cell->tears), grouped(proof->states, states),
                 grouped(proof->edges, edges), rests);
    else
        snprintf(verdict, sizeof verdict, "%s",
                 proof->failures != 0 ? proof->reason : "Not closed.");
    struct nb_map map = {
        .title = title,
        .subtitle = bench->script->title,
        .verdict = verdict,
        .old = old,
        .new = new,
    };
    add_area(&map, "slot 0", &sim->primary);
    add_area(&map, "slot 1", &sim->secondary);
    add_area(&map, "scratch", &sim->scratch);
    add_area(&map, "status", &sim->status);
    int err = nb_search_ops(search, &ops, &map.op_count);
    map.ops = ops;
    if (err == 0)
        err = nb_map_write(&map, bench->cell->map);
    free(ops);
    return err;
}

enum nb_verdict nb_prove_mapless(enum nb_verdict verdict, char reason[NB_LINE],
                                 struct nb_outcome *outcome)
{
    const char *why = strerror(errno);
    if (verdict != NB_PASS) {
        nb_note_add(outcome, "the map cannot be written: %s", why);
        return verdict;
    }
    snprintf(reason, NB_LINE, "the map cannot be written: %s", why);
    return NB_ERROR;
}

static void tell_event(void *context, const char *line)
{
    nb_bench_event(context, "%s", line);
}

static enum nb_verdict repeat(struct nb_prove_device *device, const struct nb_step *step,
                              char reason[NB_LINE])
{
    struct nb_bench *bench = device->bench;
    char old[24];
    char new[24];
    struct flash_stats stats;
    const char *wrong;
    nb_version_print(&device->old, old, sizeof old);
    nb_version_print(&device->new, new, sizeof new);
    struct nb_repeat chain = {&device->machine, device->phase, old, new, bench, tell_event};
    enum nb_verdict verdict = nb_repeat(&chain, bench->cell->cuts, bench->cell->cut_count, &wrong);
    flash_sim_stats(bench->sim, &stats);
    bench->violations = stats.violations;
    if (verdict != NB_PASS)
        snprintf(reason, NB_LINE, "line %u: %s", step->line, wrong);
    return verdict;
}

void nb_prove_failure(const struct nb_proof *proof, struct nb_outcome *outcome, char *text,
                      size_t size)
{
    unsigned cuts = 0;
    for (size_t i = 0; i < proof->chain_length; i++)
        cuts += proof->chain[i].tear != FLASH_TEAR_NONE;
    nb_chain_print(proof->chain, proof->chain_length, outcome->cuts, sizeof outcome->cuts);
    snprintf(text, size, "after %u power cut%s %s (%u such states)", cuts, cuts == 1 ? "" : "s",
             proof->reason, proof->failures);
}

enum nb_verdict nb_prove_judge(const struct nb_script *script, const struct nb_cell *cell,
                               const struct nb_step *step, const struct nb_proof *proof,
                               char reason[NB_LINE], struct nb_outcome *outcome)
{
    if (proof->failures != 0) {
        char text[NB_LINE - 20];
        nb_prove_failure(proof, outcome, text, sizeof text);
        snprintf(reason, NB_LINE, "line %u: %s", step->line, text);
        if (nb_repeat_elsewhere(script, cell, proof, outcome))
            return NB_FAIL;
        snprintf(reason, NB_LINE,
                 "line %u: the prover is at fault: its chain of cuts does not "
                 "repeat: %.80s",
                 step->line, proof->reason);
        return NB_ERROR;
    }
    if (!proof->closed) {
        snprintf(reason, NB_LINE, "line %u: not proved: %s", step->line, proof->stopped);
        return NB_ERROR;
    }
    if (proof->states == 1) {
        snprintf(reason, NB_LINE, "line %u: no flash operation happens that a cut could meet",
                 step->line);
        return NB_VACUOUS;
    }
    return NB_PASS;
}

/* Reads that differ and sectors that take nothing are no part of a state: such flash is swept, and
 * not proved. */
static bool is_of_one_mind(const struct nb_script *script, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (script->steps[i].kind == NB_FLASH_WEAKEN || script->steps[i].kind == NB_FLASH_STICK)
            return false;
    return true;
}

enum nb_verdict nb_prove(struct nb_bench *bench, size_t index, char reason[NB_LINE],
                         struct nb_outcome *outcome)
{
    const struct nb_script *script = bench->script;
    const struct nb_step *step = &script->steps[index];
    const struct nb_step *rest = index + 1 < script->step_count ? step + 1 : NULL;
    const struct nb_search_options options = {.tears = bench->cell->tears,
                                              .unmasked = bench->cell->unmasked};
    if (!is_of_one_mind(script, index)) {
        snprintf(reason, NB_LINE, "line %u: unstable or stuck flash can be swept, not proved",
                 step->line);
        return NB_ERROR;
    }
    struct nb_prove_device *device = calloc(1, sizeof *device);
    struct nb_search *search = NULL;
    struct nb_proof proof;
    enum nb_verdict verdict = NB_ERROR;
    int err =
        device == NULL ? OTA_E_NO_SPACE : nb_prove_device_init(device, bench, step, rest, reason);
    if (err == 0 && bench->cell->cut_count != 0) {
        verdict = repeat(device, step, reason);
    } else if (err == 0) {
        err =
            nb_search_run(&device->machine, device->phase, &options, &nb_run_stop, &search, &proof);
        if (err == 0) {
            nb_prove_tell(bench->cell, &device->old, &device->new, &proof, outcome);
            outcome->proof = proof;
            outcome->points += proof.edges;
            verdict = nb_prove_judge(script, bench->cell, step, &proof, reason, outcome);
            if (bench->cell->map != NULL && draw(device, search, &proof) != 0)
                verdict = nb_prove_mapless(verdict, reason, outcome);
        }
    }
    if (err != 0 && reason[0] == '\0')
        snprintf(reason, NB_LINE, "line %u: %s", step->line, ota_err_text(err));
    nb_search_free(search);
    free(device);
    return verdict;
}

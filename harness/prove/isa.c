#include "harness/prove/isa.h"
#include "harness/prove/cuts.h"
#include "harness/run/cortexm.h"
#include "harness/run/matrix.h"
#include "harness/run/virtual.h"
#include "sim/device_flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct isa {
    const struct nb_script *script;
    struct nb_virtual *virtual;
    struct nb_cell cell; /* with the present cut */
    struct sim_device device;
    struct nb_cut_list list;
    uint64_t *classes;
    size_t class_count;
    uint64_t tried; /* on the host */
    struct nb_outcome *outcome;
};

/* ---- classes ----------------------------------------------------------------------------- */

static const char *region_word(const struct sim_device *device, uint32_t address)
{
    const struct {
        const char *word;
        const struct sim_region *region;
    } rows[] = {
        {"primary", &device->primary}, {"secondary", &device->secondary},
        {"scratch", &device->scratch}, {"status", &device->status},
        {"journal", &device->journal}, {"progress", &device->progress},
        {"factory", &device->factory},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (address - rows[i].region->address < rows[i].region->size)
            return rows[i].word;
    return "elsewhere";
}

/* What says which cut it was, or how far a download had come, is no part of the story. */
static bool is_story(const struct nb_trace_line *line)
{
    static const char *const numbers[] = {"cut ", "progress ", "state "};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strncmp(line->text, numbers[i], strlen(numbers[i])) == 0)
            return false;
    return !line->cloud;
}

/* "tail16" and "tail128" are one way to tear: whether the length matters tells the story. */
static void tear_family(enum flash_tear tear, char out[16])
{
    snprintf(out, 16, "%s", flash_tear_word(tear));
    for (size_t length = strlen(out);
         length > 0 && out[length - 1] >= '0' && out[length - 1] <= '9';)
        out[--length] = '\0';
}

static uint64_t class_of(const struct isa *isa, size_t cut)
{
    const struct nb_trace *trace = nb_virtual_trace(isa->virtual);
    const struct flash_op *op = &isa->list.ops[cut];
    char family[16];
    tear_family(isa->list.cuts[cut].tear, family);
    uint64_t hash = sim_journal_hash(0, family);
    hash = sim_journal_hash(hash, op->kind == FLASH_OP_ERASE ? "erase" : "program");
    hash = sim_journal_hash(hash, region_word(&isa->device, op->address));
    for (size_t i = 0; i < trace->count; i++)
        if (is_story(&trace->lines[i]))
            hash = sim_journal_hash(hash, trace->lines[i].text);
    return hash;
}

/* Is it the first of its class? Notes the class. */
static bool is_new(struct isa *isa, uint64_t class)
{
    for (size_t i = 0; i < isa->class_count; i++)
        if (isa->classes[i] == class)
            return false;
    uint64_t *grown = realloc(isa->classes, (isa->class_count + 1) * sizeof *grown);
    if (grown) {
        isa->classes = grown;
        isa->classes[isa->class_count++] = class;
    }
    return true;
}

/* ---- cuts -------------------------------------------------------------------------------- */

/* Takes over what went wrong, and in which cut. */
static void keep(struct isa *isa, const struct nb_outcome *one)
{
    struct nb_outcome *outcome = isa->outcome;
    if (isa->cell.cut_count)
        snprintf(outcome->cuts, sizeof outcome->cuts, "%u.%s", isa->cell.cuts[0].op,
                 nb_cut_word(&isa->cell.cuts[0]));
    outcome->verdict = one->verdict;
    memcpy(outcome->reason, one->reason, sizeof one->reason);
    memcpy(outcome->story, one->story, sizeof one->story);
    outcome->story_count = one->story_count;
}

/* The present cell on the board, which must do as the host did. False, with an outcome, when it
 * does not. */
static bool board_agrees(struct isa *isa, const struct nb_outcome *host)
{
    struct nb_outcome board = {0};
    int rc = nb_cortexm_play(isa->script, &isa->cell, NULL, &board);
    if (rc)
        nb_outcome_set(&board, NB_ERROR, "%s", ota_err_text(rc));
    if (nb_run_stop)
        return false;
    isa->outcome->points += isa->cell.cut_count;
    if (board.verdict == NB_PASS && board.journal_hash != host->journal_hash)
        nb_outcome_set(&board, NB_FAIL, "the board's flash operations are not those of the host");
    else if (board.verdict == NB_PASS && board.flash_hash != host->flash_hash)
        nb_outcome_set(&board, NB_FAIL, "the board's flash ends otherwise than the host's");
    if (board.verdict == NB_PASS)
        return true;
    keep(isa, &board);
    return false;
}

/* False, with an outcome, when the sweep is over. */
static bool try_cut(struct isa *isa, size_t cut)
{
    struct nb_outcome host = {0};
    isa->cell.cuts[0] = isa->list.cuts[cut];
    isa->cell.cut_count = 1;
    nb_virtual_play(isa->virtual, NULL, &host);
    if (nb_run_stop)
        return false;
    isa->tried++;
    if (host.verdict != NB_PASS) {
        keep(isa, &host);
        return false;
    }
    bool first = is_new(isa, class_of(isa, cut));
    return (!first && !isa->cell.every) || board_agrees(isa, &host);
}

static void sweep(struct isa *isa)
{
    struct nb_outcome host = {0};
    const size_t stride = isa->cell.sample ? isa->cell.sample : 1;
    nb_virtual_play(isa->virtual, &isa->list, &host);
    if (isa->list.failed)
        nb_outcome_set(&host, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
    else if (host.verdict == NB_PASS && isa->list.count == 0)
        nb_outcome_set(&host, NB_VACUOUS, "the swept step does nothing to the flash");
    if (host.verdict != NB_PASS) {
        keep(isa, &host);
        return;
    }
    bool going_on = board_agrees(isa, &host);
    for (size_t i = 0; going_on && i < isa->list.count && !nb_run_stop; i += stride)
        going_on = try_cut(isa, i);
}

/* Somebody else's firmware runs on no host: its own run tells the operations. */
static void foreign_sweep(struct isa *isa)
{
    struct nb_outcome one = {0};
    const size_t stride = isa->cell.sample ? isa->cell.sample : 1;
    uint64_t misfits = 0;
    int rc = nb_cortexm_play(isa->script, &isa->cell, &isa->list, &one);
    if (rc || isa->list.failed)
        nb_outcome_set(&one, NB_ERROR, "%s", ota_err_text(rc ? rc : OTA_E_NO_SPACE));
    else if (one.verdict == NB_PASS && isa->list.count == 0)
        nb_outcome_set(&one, NB_VACUOUS, "the swept step does nothing to the flash");
    isa->cell.cut_count = one.verdict == NB_PASS;
    for (size_t i = 0; one.verdict == NB_PASS && i < isa->list.count && !nb_run_stop; i += stride) {
        isa->cell.cuts[0] = isa->list.cuts[i];
        rc = nb_cortexm_play(isa->script, &isa->cell, NULL, &one);
        if (rc)
            nb_outcome_set(&one, NB_ERROR, "%s", ota_err_text(rc));
        isa->outcome->points++;
        if (one.verdict == NB_VACUOUS && strstr(one.reason, "does not fit")) {
            misfits++;
            memset(&one, 0, sizeof one);
        }
    }
    if (one.verdict != NB_PASS)
        keep(isa, &one);
    if (isa->list.operations) /* else the run without a cut has failed */
        nb_note_add(isa->outcome,
                    "%u operations, %llu power cuts on the board, %llu of them without effect",
                    isa->list.operations, (unsigned long long)isa->outcome->points,
                    (unsigned long long)misfits);
}

/* What the script's sweep tries. */
static const char *tried_word(const struct nb_script *script)
{
    bool fails = false;
    for (size_t i = 0; i < script->step_count; i++)
        fails = fails || (script->steps[i].all && script->steps[i].kind == NB_FAULT_FAIL);
    return fails ? "flash errors" : "power cuts";
}

static void own_sweep(struct isa *isa)
{
    double begin = nb_seconds();
    isa->virtual = nb_virtual_new(isa->script, &isa->cell);
    if (!isa->virtual) {
        nb_outcome_set(isa->outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
        return;
    }
    sweep(isa);
    nb_note_add(isa->outcome,
                "%u operations, %llu %s of %zu classes on the host, %llu on the board in %.1f s",
                isa->list.operations, (unsigned long long)isa->tried, tried_word(isa->script),
                isa->class_count, (unsigned long long)isa->outcome->points, nb_seconds() - begin);
    nb_virtual_free(isa->virtual);
}

int nb_isa_sweep(const struct nb_script *script, const struct nb_cell *cell,
                 struct nb_outcome *outcome)
{
    struct isa *isa = calloc(1, sizeof *isa);
    struct flash_text_error error;
    if (!isa)
        return OTA_E_NO_SPACE;
    isa->script = script;
    isa->cell = *cell;
    isa->cell.journal = NULL; /* one file cannot take them all */
    isa->outcome = outcome;
    int rc = nb_cell_device(script, cell, &isa->device, &error);
    isa->cell.hash = rc == 0 && !isa->device.foreign;
    if (rc == 0) {
        if (isa->device.foreign)
            foreign_sweep(isa);
        else
            own_sweep(isa);
        sim_device_free(&isa->device);
    }
    nb_cut_list_free(&isa->list);
    free(isa->classes);
    free(isa);
    return nb_run_stop ? OTA_E_CANCELLED : rc;
}

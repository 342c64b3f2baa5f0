#include "harness/prove/cuts.h"
#include "harness/run/apart.h"
#include "harness/run/matrix.h"
#include "harness/run/virtual.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FAILURES 100u /* then the verdict is clear enough */

static void add_all(struct nb_cut_list *list, const struct flash_op *op, uint32_t number,
                    bool fails, const enum flash_tear *tears, size_t count)
{
    if (list->count + count > list->room) {
        size_t room = (list->count + count) * 2;
        struct nb_cut *cuts = realloc(list->cuts, room * sizeof *cuts);
        struct flash_op *ops = realloc(list->ops, room * sizeof *ops);
        list->cuts = cuts ? cuts : list->cuts;
        list->ops = ops ? ops : list->ops;
        if (!cuts || !ops) {
            list->failed = true;
            return;
        }
        list->room = room;
    }
    for (size_t i = 0; i < count; i++) {
        list->cuts[list->count] = (struct nb_cut){.op = number, .fails = fails, .tear = tears[i]};
        list->ops[list->count] = *op;
        list->ops[list->count++].data = NULL;
    }
    list->operations++;
}

void nb_cut_list_add(struct nb_cut_list *list, const struct flash_sim *sim,
                     const struct flash_op *op, uint32_t number, bool fails, enum flash_tears kind)
{
    enum flash_tear tears[FLASH_TEAR_COUNT] = {FLASH_TEAR_NONE};
    size_t count = fails ? 1 : flash_sim_tears_of(sim, op, kind, tears);
    add_all(list, op, number, fails, tears, count);
}

void nb_cut_list_add_blind(struct nb_cut_list *list, const struct flash_op *op)
{
    static const enum flash_tear of_program[] = {FLASH_TEAR_BEFORE, FLASH_TEAR_HALF,
                                                 FLASH_TEAR_AFTER};
    static const enum flash_tear of_erase[] = {FLASH_TEAR_BEFORE, FLASH_TEAR_LOWER,
                                               FLASH_TEAR_UPPER, FLASH_TEAR_AFTER};
    if (op->kind == FLASH_OP_ERASE)
        add_all(list, op, op->index, false, of_erase, sizeof of_erase / sizeof of_erase[0]);
    else
        add_all(list, op, op->index, false, of_program, sizeof of_program / sizeof of_program[0]);
}

void nb_cut_list_free(struct nb_cut_list *list)
{
    free(list->cuts);
    free(list->ops);
}

/* One cut; the first failure of the worst kind is kept in `outcome`. */
static void try_cut(struct nb_virtual *virtual, struct nb_cell *cell, const struct nb_cut *cut,
                    struct nb_outcome *outcome, uint64_t *failures)
{
    struct nb_outcome one = {0};
    char name[NB_WORD];
    cell->cuts[0] = *cut;
    cell->cut_count = 1;
    snprintf(name, sizeof name, "%u.%s", cut->op, nb_cut_word(cut));
    nb_apart_note(name);
    nb_virtual_play(virtual, NULL, &one);
    if (nb_run_stop)
        return; /* it was not played to its end */
    outcome->points++;
    *failures += one.verdict != NB_PASS;
    if (one.verdict == NB_PASS || outcome->verdict == NB_FAIL || outcome->verdict == NB_ERROR)
        return;
    memcpy(outcome->cuts, name, sizeof name);
    outcome->verdict = one.verdict;
    memcpy(outcome->reason, one.reason, sizeof one.reason);
    memcpy(outcome->story, one.story, sizeof one.story);
    outcome->story_count = one.story_count;
}

int nb_cuts_sweep(const struct nb_script *script, const struct nb_cell *cell,
                  struct nb_outcome *outcome)
{
    struct nb_cell tried = *cell;
    struct nb_cut_list list = {0};
    uint64_t failures = 0;
    double begin = nb_seconds();
    struct nb_virtual *virtual = nb_virtual_new(script, &tried);
    if (!virtual)
        return OTA_E_NO_SPACE;
    nb_apart_note("");
    nb_virtual_play(virtual, &list, outcome);
    if (list.failed)
        nb_outcome_set(outcome, NB_ERROR, "%s", ota_err_text(OTA_E_NO_SPACE));
    else if (outcome->verdict == NB_PASS && list.count == 0)
        nb_outcome_set(outcome, NB_VACUOUS, "the swept step does nothing to the flash");
    bool going_on = outcome->verdict == NB_PASS;
    const size_t stride = cell->sample ? cell->sample : 1;
    for (size_t i = 0; going_on && i < list.count && failures < MAX_FAILURES && !nb_run_stop;
         i += stride) {
        try_cut(virtual, &tried, &list.cuts[i], outcome, &failures);
        going_on = outcome->verdict != NB_ERROR;
    }
    double seconds = nb_seconds() - begin;
    nb_note_add(outcome, "%u operations, %llu %s in %.2f s: %.0f points/s, %llu failed",
                list.operations, (unsigned long long)outcome->points,
                list.count && list.cuts[0].fails ? "flash errors" : "power cuts", seconds,
                seconds > 0 ? (double)outcome->points / seconds : 0.0,
                (unsigned long long)failures);
    nb_virtual_free(virtual);
    nb_cut_list_free(&list);
    return nb_run_stop ? OTA_E_CANCELLED : 0;
}

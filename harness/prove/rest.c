/* Where a device comes to rest that only boots from here on, for every state: a boot that changes
 * nothing. A lost revert boots fine and is seen only here, as is a device that never rests. */
#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>

enum colour { FRESH, ON_THE_WAY, SETTLED };

static uint32_t after(const struct nb_search *search, const struct nb_state *state)
{
    return nb_state_at(search, state->ends[0])->stands;
}

/* Boots go round from `id` to `id`. A loader must not; a whole device that is offered what it
 * refuses may, when it is well in each of these states. */
static void judge_circle(struct nb_search *search, uint32_t id)
{
    uint32_t at = id;
    do {
        struct nb_state *state = nb_state_at(search, at);
        state->wrong = state->phase != NB_PHASE_LIFE
                           ? "boots go on changing flash for ever"
                           : nb_judge_rest(&search->machine->demand, (enum nb_phase)state->phase,
                                           (enum nb_runs)state->runs);
        search->proof->rests |= state->wrong == NULL ? state->runs : 0u;
        if (state->wrong != NULL)
            return;
        at = after(search, state);
    } while (at != id);
}

/* Follows boots from `id` until something settled, a rest, or a circle. What is wrong at the end
 * is kept in the state where it is, and counted once. */
static void settle(struct nb_search *search, uint32_t id, uint8_t *colours)
{
    uint32_t at = id;
    while (colours[at] == FRESH) {
        struct nb_state *state = nb_state_at(search, at);
        colours[at] = ON_THE_WAY;
        if (state->wrong != NULL || state->end_count == 0)
            break;
        uint32_t next = after(search, state);
        if (nb_phase_may_go_on((enum nb_phase)state->phase))
            break;
        if (next == at && state->ops == 0) {
            state->wrong = nb_judge_rest(&search->machine->demand, (enum nb_phase)state->phase,
                                         (enum nb_runs)state->runs);
            search->proof->rests |= state->wrong == NULL ? state->runs : 0u;
            break;
        }
        if (colours[next] == ON_THE_WAY) {
            judge_circle(search, next);
            break;
        }
        at = next;
    }
    for (at = id; colours[at] == ON_THE_WAY; at = after(search, nb_state_at(search, at))) {
        colours[at] = SETTLED;
        if (nb_state_at(search, at)->wrong != NULL || nb_state_at(search, at)->end_count == 0)
            break;
    }
}

size_t nb_chain_to(const struct nb_search *search, uint32_t id, struct nb_cut chain[NB_CUTS])
{
    size_t length = 0;
    for (uint32_t at = id; nb_state_at(search, at)->parent != NB_NOBODY;
         at = nb_state_at(search, at)->parent)
        length++;
    const size_t told = length < NB_CUTS ? length : NB_CUTS;
    for (uint32_t at = id; length > 0; length--) {
        const struct nb_state *state = nb_state_at(search, at);
        const struct nb_state *parent = nb_state_at(search, state->parent);
        if (length <= NB_CUTS)
            chain[length - 1] = (struct nb_cut){
                .action = nb_phase_action((enum nb_phase)parent->phase),
                .op = state->op,
                .tear = (enum flash_tear)state->tear,
            };
        at = state->parent;
    }
    return told;
}

int nb_judge_rests(struct nb_search *search)
{
    struct nb_proof *proof = search->proof;
    uint8_t *colours = calloc(search->states.count, 1);
    uint32_t worst = NB_NOBODY;
    uint32_t deepest = 0;
    if (colours == NULL)
        return OTA_E_NO_SPACE;
    for (uint32_t i = 0; i < search->states.count; i++) {
        struct nb_state *state = nb_state_at(search, i);
        if (state->status != NB_RAN)
            continue;
        if (proof->closed)
            settle(search, i, colours);
        proof->states++;
        if (state->depth > proof->depth)
            deepest = i;
        proof->depth = nb_state_at(search, deepest)->depth;
    }
    proof->deepest_length = nb_chain_to(search, deepest, proof->deepest);
    for (uint32_t i = 0; i < search->ops.count; i++)
        proof->masked += nb_is_covered(search, nb_op_at(search, i)) && !nb_op_at(search, i)->torn
                             ? nb_op_at(search, i)->tears
                             : 0;
    for (uint32_t i = 0; i < search->states.count; i++) {
        const struct nb_state *state = nb_state_at(search, i);
        proof->masked += state->status == NB_MERGED;
        if (state->status != NB_RAN || state->wrong == NULL)
            continue;
        proof->failures++;
        if (worst == NB_NOBODY || state->depth < nb_state_at(search, worst)->depth)
            worst = i;
    }
    if (worst != NB_NOBODY) {
        proof->reason = nb_state_at(search, worst)->wrong;
        proof->chain_length = nb_chain_to(search, worst, proof->chain);
        if (proof->chain_length < NB_CUTS) /* the run that shows it: a chain is never empty */
            proof->chain[proof->chain_length++] = (struct nb_cut){
                .tear = FLASH_TEAR_NONE,
                .action = nb_phase_action((enum nb_phase)nb_state_at(search, worst)->phase),
            };
    }
    free(colours);
    return 0;
}

/* ---- for a picture ---- */

static enum nb_fate fate_of(const struct nb_search *search, uint32_t id)
{
    enum nb_runs first = NB_RUNS_NOTHING;
    for (uint32_t i = 0; i < search->states.count; i++) { /* no longer than that */
        id = nb_state_at(search, id)->stands;
        const struct nb_state *state = nb_state_at(search, id);
        if (state->wrong != NULL || state->end_count == 0)
            return NB_FATE_FAIL;
        if (first == NB_RUNS_NOTHING)
            first = (enum nb_runs)state->runs;
        uint32_t next = after(search, state);
        if (next == id)
            return first == NB_RUNS_OLD ? NB_FATE_OLD : NB_FATE_NEW;
        id = next;
    }
    return NB_FATE_FAIL;
}

static enum nb_fate fate_of_cuts(const struct nb_search *search, const struct nb_op *op)
{
    const struct nb_edge *edges = (const struct nb_edge *)search->edges.items + op->edges;
    enum nb_fate fate = fate_of(search, op->before);
    for (uint32_t i = 0; i <= op->edge_count; i++) {
        enum nb_fate one = fate_of(search, i == op->edge_count ? op->after : edges[i].state);
        if (one == NB_FATE_FAIL || fate == NB_FATE_FAIL)
            return NB_FATE_FAIL;
        fate = fate == one ? one : NB_FATE_EITHER;
    }
    return fate;
}

/* Does a way to a failing state begin with a cut in this operation of the run? */
static bool leads_to_failure(const struct nb_search *search, uint32_t run, uint32_t number)
{
    for (uint32_t i = 0; i < search->states.count; i++) {
        const struct nb_state *state = nb_state_at(search, i);
        if (state->status != NB_RAN || state->wrong == NULL)
            continue;
        for (; state->parent != NB_NOBODY; state = nb_state_at(search, state->parent))
            if (state->parent == run && state->tear != FLASH_TEAR_NONE && state->op == number)
                return true;
    }
    return false;
}

int nb_search_ops(const struct nb_search *search, struct nb_seen_op **out, size_t *count)
{
    struct nb_search *scratch = (struct nb_search *)(uintptr_t)search;
    struct nb_vector seen = {0};
    uint32_t at = 0;
    for (unsigned run = 0; run < NB_DEPTHS; run++) {
        const struct nb_state *state = nb_state_at(search, at);
        uint32_t links = state->links;
        for (uint32_t left = state->ops; left > 0 && links != NB_NOBODY; left--) {
            /* The list is newest first: the first run made its links first. */
            uint32_t link = links;
            while (nb_link_at(search, link)->next != NB_NOBODY)
                link = nb_link_at(search, link)->next;
            if (nb_link_at(search, link)->op == NB_NOBODY)
                break;
            const struct nb_op *op = nb_op_at(search, nb_link_at(search, link)->op);
            struct nb_seen_op *added = nb_grow(scratch, &seen, sizeof *added);
            if (added == NULL) {
                free(seen.items);
                return OTA_E_NO_SPACE;
            }
            *added = (struct nb_seen_op){op->kind, op->address, op->length, run,
                                         leads_to_failure(search, at, state->ops - left)
                                             ? NB_FATE_FAIL
                                             : fate_of_cuts(search, op)};
            links = op->links;
        }
        if (state->wrong != NULL || state->end_count == 0 || after(search, state) == at)
            break;
        at = after(search, state);
    }
    *out = seen.items;
    *count = seen.count;
    return 0;
}

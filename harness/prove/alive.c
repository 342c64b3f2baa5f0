/* What is alive: all that some later boot may read before it erases it, for each state and before
 * each operation; the least fixpoint over the whole graph. A program counts as a read, for it is
 * allowed on some content only. */
#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>

/* into |= set. */
static bool unite(const struct nb_search *search, uint64_t *into, const uint64_t *set)
{
    uint64_t changed = 0;
    for (uint32_t i = 0; i < search->words; i++) {
        changed |= set[i] & ~into[i];
        into[i] |= set[i];
    }
    return changed != 0;
}

static const uint64_t *alive_in(const struct nb_search *search, uint32_t id)
{
    return nb_state_at(search, nb_state_at(search, id)->stands)->alive;
}

/* set |= what is alive behind each of the links. */
static bool follow(const struct nb_search *search, uint32_t links, uint64_t *set)
{
    bool changed = false;
    for (uint32_t at = links; at != NB_NOBODY; at = nb_link_at(search, at)->next) {
        const struct nb_link *link = nb_link_at(search, at);
        const struct nb_range *reads = (const struct nb_range *)search->reads.items + link->reads;
        for (uint32_t i = 0; i < link->read_count; i++)
            changed = nb_chunks_add(set, reads[i]) || changed;
        if (link->op != NB_NOBODY)
            changed = unite(search, set, nb_op_at(search, link->op)->alive) || changed;
        for (size_t i = 0; i < 2; i++)
            if (link->ends[i] != NB_NOBODY && alive_in(search, link->ends[i]) != NULL)
                changed = unite(search, set, alive_in(search, link->ends[i])) || changed;
    }
    return changed;
}

static bool before_op(struct nb_search *search, struct nb_op *op, uint64_t *work)
{
    const struct nb_edge *edges = (const struct nb_edge *)search->edges.items + op->edges;
    memset(work, 0, search->words * sizeof *work);
    follow(search, op->links, work);
    if (op->kind == FLASH_OP_ERASE)
        nb_chunks_remove(work, nb_chunks_of(search, op->address, op->length, true));
    bool changed = unite(search, op->alive, work);
    if (alive_in(search, op->before) != NULL)
        changed = unite(search, op->alive, alive_in(search, op->before)) || changed;
    if (alive_in(search, op->after) != NULL) {
        memcpy(work, alive_in(search, op->after), search->words * sizeof *work);
        if (op->kind == FLASH_OP_ERASE)
            nb_chunks_remove(work, nb_chunks_of(search, op->address, op->length, true));
        changed = unite(search, op->alive, work) || changed;
    }
    for (uint32_t i = 0; i < op->edge_count; i++) {
        const uint64_t *alive = alive_in(search, edges[i].state);
        if (alive == NULL)
            continue;
        if (edges[i].gone.from == edges[i].gone.to) {
            changed = unite(search, op->alive, alive) || changed;
            continue;
        }
        memcpy(work, alive, search->words * sizeof *work);
        nb_chunks_remove(work, edges[i].gone);
        changed = unite(search, op->alive, work) || changed;
    }
    return changed;
}

int nb_find_alive(struct nb_search *search)
{
    uint64_t *work = malloc(search->words * sizeof *work);
    for (uint32_t i = 0; i < search->ops.count && work != NULL; i++) {
        struct nb_op *op = nb_op_at(search, i);
        if (op->alive == NULL)
            op->alive = calloc(search->words, sizeof *op->alive);
        if (op->alive == NULL) {
            free(work);
            return OTA_E_NO_SPACE;
        }
        if (op->kind == FLASH_OP_PROGRAM)
            nb_chunks_add(op->alive, nb_chunks_of(search, op->address, op->length, false));
    }
    bool changed = work != NULL;
    while (changed) {
        changed = false;
        for (uint32_t i = (uint32_t)search->ops.count; i-- > 0;)
            changed = before_op(search, nb_op_at(search, i), work) || changed;
        for (uint32_t i = (uint32_t)search->states.count; i-- > 0;) {
            struct nb_state *state = nb_state_at(search, i);
            if (state->status == NB_RAN)
                changed = follow(search, state->links, state->alive) || changed;
        }
    }
    free(work);
    return work != NULL ? 0 : OTA_E_NO_SPACE;
}

#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>

/* ---- sets of chunks ---- */

bool nb_chunks_meet(const uint64_t *set, struct nb_range range)
{
    for (uint32_t at = range.from; at < range.to; at++)
        if (set[at / 64] >> at % 64 & 1)
            return true;
    return false;
}

bool nb_chunks_add(uint64_t *set, struct nb_range range)
{
    bool changed = false;
    for (uint32_t at = range.from; at < range.to;) {
        uint32_t bit = at % 64;
        uint32_t count = range.to - at < 64 - bit ? range.to - at : 64 - bit;
        uint64_t mask = (count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1) << bit;
        changed = changed || (set[at / 64] & mask) != mask;
        set[at / 64] |= mask;
        at += count;
    }
    return changed;
}

void nb_chunks_remove(uint64_t *set, struct nb_range range)
{
    for (uint32_t at = range.from; at < range.to;) {
        uint32_t bit = at % 64;
        uint32_t count = range.to - at < 64 - bit ? range.to - at : 64 - bit;
        uint64_t mask = (count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1) << bit;
        set[at / 64] &= ~mask;
        at += count;
    }
}

struct nb_range nb_chunks_of(const struct nb_search *search, uint32_t address, uint32_t length,
                             bool whole)
{
    const struct nb_machine *machine = search->machine;
    uint64_t end = (uint64_t)address + length;
    struct nb_range none = {0, 0};
    uint64_t from = address < machine->from ? machine->from : address;
    end = end > machine->to ? machine->to : end;
    if (from >= end)
        return none;
    from -= machine->from;
    end -= machine->from;
    struct nb_range range = {(uint32_t)((whole ? from + NB_CHUNK - 1 : from) / NB_CHUNK),
                             (uint32_t)((whole ? end : end + NB_CHUNK - 1) / NB_CHUNK)};
    return range.from < range.to ? range : none;
}

/* ---- growth ---- */

static bool widen(void **items, size_t *room, size_t size)
{
    size_t more = *room != 0 ? *room * 2 : 256;
    void *grown = realloc(*items, more * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = more;
    return true;
}

void *nb_grow(struct nb_search *search, struct nb_vector *vector, size_t item)
{
    if (vector->count == vector->room && !widen(&vector->items, &vector->room, item)) {
        search->failed = true;
        return NULL;
    }
    return (char *)vector->items + item * vector->count++;
}

void nb_queue_push(struct nb_search *search, struct nb_queue *queue, uint32_t id)
{
    void *items = queue->ids;
    if (queue->count == queue->room && !widen(&items, &queue->room, sizeof *queue->ids)) {
        search->failed = true;
        return;
    }
    queue->ids = items;
    queue->ids[queue->count++] = id;
}

/* ---- tables of ids ---- */

typedef uint64_t key_of(const struct nb_search *search, uint32_t id);

static void put(struct nb_table *table, uint64_t key, uint32_t id)
{
    uint32_t at = (uint32_t)key & (table->room - 1);
    while (table->ids[at] != NB_NOBODY)
        at = (at + 1) & (table->room - 1);
    table->ids[at] = id;
    table->used++;
}

/* Room for one more id, kept at most half full. */
static bool make_room(struct nb_search *search, struct nb_table *table, key_of *key)
{
    if (table->used * 2 < table->room)
        return true;
    struct nb_table wider = {.room = table->room != 0 ? table->room * 2 : 1024};
    wider.ids = malloc(wider.room * sizeof *wider.ids);
    if (wider.ids == NULL) {
        search->failed = true;
        return false;
    }
    memset(wider.ids, 0xFF, wider.room * sizeof *wider.ids);
    for (uint32_t i = 0; i < table->room; i++)
        if (table->ids[i] != NB_NOBODY)
            put(&wider, key(search, table->ids[i]), table->ids[i]);
    free(table->ids);
    *table = wider;
    return true;
}

static uint64_t state_key(uint64_t print, uint32_t counter, uint8_t phase)
{
    return nb_mix(print, (uint64_t)counter << 8 | phase);
}

static uint64_t key_of_state(const struct nb_search *search, uint32_t id)
{
    const struct nb_state *state = nb_state_at(search, id);
    return state_key(state->print, state->counter, state->phase);
}

static uint64_t key_of_op(const struct nb_search *search, uint32_t id)
{
    return nb_op_at(search, id)->key;
}

/* ---- states ---- */

static void take_shorter_way(struct nb_search *search, uint32_t id, const struct nb_state *found)
{
    struct nb_state *state = nb_state_at(search, id);
    if (found->depth >= state->depth)
        return;
    state->depth = found->depth;
    state->parent = found->parent;
    state->op = found->op;
    state->tear = found->tear;
    if (state->status == NB_WAITING)
        nb_queue_push(search, &search->queues[state->depth], id);
}

uint32_t nb_add_state(struct nb_search *search, const struct nb_state *found)
{
    struct nb_table *table = &search->state_table;
    if (!make_room(search, table, key_of_state))
        return NB_NOBODY;
    const uint64_t print = nb_normal_print(search, found);
    uint64_t key = state_key(print, found->counter, found->phase);
    for (uint32_t at = (uint32_t)key & (table->room - 1); table->ids[at] != NB_NOBODY;
         at = (at + 1) & (table->room - 1)) {
        const struct nb_state *known = nb_state_at(search, table->ids[at]);
        if (known->print == print && known->counter == found->counter &&
            known->phase == found->phase) {
            take_shorter_way(search, table->ids[at], found);
            return table->ids[at];
        }
    }
    struct nb_state *state = nb_grow(search, &search->states, sizeof *state);
    if (state == NULL)
        return NB_NOBODY;
    uint32_t id = (uint32_t)search->states.count - 1;
    *state = *found;
    state->print = print;
    state->stands = id;
    state->links = NB_NOBODY;
    state->next_alike = NB_NOBODY;
    state->flash = nb_normal_snapshot(search);
    if (state->flash == NULL)
        search->failed = true;
    put(table, key, id);
    nb_queue_push(search, &search->queues[state->depth], id);
    return id;
}

/* ---- operations and links ---- */

uint32_t nb_find_op(const struct nb_search *search, uint64_t key)
{
    const struct nb_table *table = &search->op_table;
    for (uint32_t at = (uint32_t)key & (table->room - 1);
         table->room != 0 && table->ids[at] != NB_NOBODY; at = (at + 1) & (table->room - 1))
        if (nb_op_at(search, table->ids[at])->key == key)
            return table->ids[at];
    return NB_NOBODY;
}

uint32_t nb_add_op(struct nb_search *search, const struct nb_op *op)
{
    if (!make_room(search, &search->op_table, key_of_op))
        return NB_NOBODY;
    struct nb_op *added = nb_grow(search, &search->ops, sizeof *added);
    if (added == NULL)
        return NB_NOBODY;
    *added = *op;
    uint32_t id = (uint32_t)search->ops.count - 1;
    put(&search->op_table, op->key, id);
    return id;
}

void nb_add_link(struct nb_search *search, uint32_t *head, const struct nb_link *link,
                 const struct nb_range *reads, size_t count)
{
    uint64_t key = nb_mix(nb_mix(link->op, link->ends[0]), link->ends[1]);
    for (size_t i = 0; i < count; i++)
        key = nb_mix(key, (uint64_t)reads[i].from << 32 | reads[i].to);
    for (uint32_t at = *head; at != NB_NOBODY; at = nb_link_at(search, at)->next)
        if (nb_link_at(search, at)->key == key)
            return;
    uint32_t first = (uint32_t)search->reads.count;
    for (size_t i = 0; i < count; i++) {
        struct nb_range *read = nb_grow(search, &search->reads, sizeof *read);
        if (read == NULL)
            return;
        *read = reads[i];
    }
    struct nb_link *added = nb_grow(search, &search->links, sizeof *added);
    if (added == NULL)
        return;
    *added = *link;
    added->key = key;
    added->reads = first;
    added->read_count = (uint32_t)count;
    added->next = *head;
    *head = (uint32_t)search->links.count - 1;
}

/* ---- questions and answers ---- */

static bool more_answers(struct nb_answers *answers)
{
    if (answers->used * 2 < answers->room)
        return true;
    struct nb_answers wider = {.room = answers->room != 0 ? answers->room * 2 : 1024};
    wider.items = malloc(wider.room * sizeof *wider.items);
    if (wider.items == NULL)
        return false;
    for (uint32_t i = 0; i < wider.room; i++)
        wider.items[i].question = NB_NOBODY;
    for (uint32_t i = 0; i < answers->room; i++) {
        if (answers->items[i].question == NB_NOBODY)
            continue;
        uint32_t at = (uint32_t)answers->items[i].key & (wider.room - 1);
        while (wider.items[at].question != NB_NOBODY)
            at = (at + 1) & (wider.room - 1);
        wider.items[at] = answers->items[i];
    }
    wider.used = answers->used;
    free(answers->items);
    *answers = wider;
    return true;
}

uint32_t nb_answer(struct nb_search *search, uint32_t question, uint64_t answer, bool make)
{
    struct nb_answers *answers = &search->answers;
    uint64_t key = nb_mix(question, answer);
    if (!more_answers(answers)) {
        search->failed = true;
        return NB_NOBODY;
    }
    uint32_t at = (uint32_t)key & (answers->room - 1);
    for (; answers->items[at].question != NB_NOBODY; at = (at + 1) & (answers->room - 1))
        if (answers->items[at].key == key)
            return answers->items[at].question;
    if (!make)
        return NB_NOBODY;
    struct nb_question *added = nb_grow(search, &search->questions, sizeof *added);
    if (added == NULL)
        return NB_NOBODY;
    *added = (struct nb_question){.alike = NB_NOBODY};
    answers->items[at] =
        (struct nb_answer){.key = key, .question = (uint32_t)search->questions.count - 1};
    answers->used++;
    return (uint32_t)search->questions.count - 1;
}

/* ---- life ---- */

int nb_graph_open(struct nb_search *search)
{
    const struct nb_machine *machine = search->machine;
    const struct flash_port *port = flash_sim_port(machine->sim);
    for (uint32_t at = machine->from; at < machine->to;) {
        struct flash_sector sector;
        int err = port->sector(port->context, at, &sector);
        if (err != 0)
            return err;
        if (sector.start != at || sector.size % NB_CHUNK != 0)
            return OTA_E_LAYOUT;
        at += sector.size;
    }
    search->chunks = (machine->to - machine->from) / NB_CHUNK;
    search->words = (search->chunks + 63) / 64;
    return 0;
}

void nb_graph_close(struct nb_search *search)
{
    for (uint32_t i = 0; i < search->states.count; i++) {
        struct nb_state *state = nb_state_at(search, i);
        flash_snapshot_free(search->machine->sim, state->flash);
        free(state->alive);
    }
    for (uint32_t i = 0; i < search->ops.count; i++) {
        struct nb_op *op = nb_op_at(search, i);
        free(op->alive);
        free(op->data);
        if (op->flash != NULL)
            flash_snapshot_free(search->machine->sim, op->flash);
    }
    struct nb_vector *const vectors[] = {&search->states, &search->ops,   &search->edges,
                                         &search->links,  &search->reads, &search->questions};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        free(vectors[i]->items);
    for (size_t i = 0; i < NB_DEPTHS; i++) {
        free(search->queues[i].ids);
        free(search->to_tear[i].ids);
    }
    free(search->state_table.ids);
    free(search->op_table.ids);
    free(search->answers.items);
    free(search->forms.items);
    for (size_t i = 0; i < search->forms.doubts.count; i++)
        flash_snapshot_free(search->machine->sim,
                            ((struct nb_doubt *)search->forms.doubts.items)[i].flash);
    free(search->forms.doubts.items);
}

/* The torn outcomes of an operation, as states. */
#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>

static bool is_wanted(enum nb_tears tears, enum flash_tear tear)
{
    if (tear == FLASH_TEAR_BEFORE || tear == FLASH_TEAR_AFTER)
        return false;
    return tears == NB_TEARS_ALL ||
           (tears == NB_TEARS_PREFIX &&
            (tear == FLASH_TEAR_FIRST || tear == FLASH_TEAR_HALF || tear == FLASH_TEAR_LAST ||
             tear == FLASH_TEAR_LOWER || tear == FLASH_TEAR_UPPER));
}

size_t nb_list_tears(const struct nb_search *search, const struct flash_op *op,
                     enum flash_tear tears[FLASH_TEAR_COUNT])
{
    size_t wanted = 0;
    if (search->options.tears == NB_TEARS_NONE)
        return 0;
    size_t count = flash_sim_tears(search->machine->sim, op, tears);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(search->options.tears, tears[i]))
            tears[wanted++] = tears[i];
    return wanted;
}

size_t nb_count_tears(const struct nb_search *search, const struct flash_op *op)
{
    enum flash_tear tears[FLASH_TEAR_COUNT];
    return nb_list_tears(search, op, tears);
}

bool nb_is_covered(const struct nb_search *search, const struct nb_op *op)
{
    const struct nb_state *before = nb_state_at(search, op->before);
    const struct nb_state *stands = nb_state_at(search, before->stands);
    return !search->options.unmasked && stands->status == NB_RAN &&
           !nb_chunks_meet(stands->alive, nb_chunks_of(search, op->address, op->length, false));
}

static enum flash_tear force(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    (void)sim;
    (void)op;
    return *(const enum flash_tear *)context;
}

bool nb_cut_short(struct flash_sim *sim, const struct flash_op *op, enum flash_tear tear)
{
    const struct flash_port *port = flash_sim_port(sim);
    flash_sim_observe(sim, force, &tear);
    int err = op->kind == FLASH_OP_ERASE
                  ? port->erase(port->context, op->address)
                  : port->program(port->context, op->address, op->data, op->length);
    flash_sim_observe(sim, NULL, NULL);
    flash_sim_power_on(sim);
    return err == OTA_E_POWER;
}

static void yield_torn(struct nb_search *search, uint32_t id, const struct flash_op *op,
                       enum flash_tear tear, uint64_t print)
{
    const struct nb_op *torn = nb_op_at(search, id);
    const struct nb_state *before = nb_state_at(search, torn->before);
    const struct nb_state found = {
        .print = print,
        .counter = before->counter,
        .phase = before->phase,
        .depth = torn->depth,
        .tear = (uint8_t)tear,
        .op = torn->number,
        .parent = torn->parent,
    };
    struct nb_edge edge = {.state = nb_add_state(search, &found)};
    uint32_t from;
    uint32_t to;
    if (op->kind == FLASH_OP_ERASE &&
        flash_sim_torn_extent(search->machine->sim, op, tear, &from, &to))
        edge.gone = nb_chunks_of(search, op->address + from, to - from, true);
    struct nb_edge *added = nb_grow(search, &search->edges, sizeof *added);
    if (added != NULL)
        *added = edge;
}

/* Puts the flash before the operation into the machine; returns its print. */
static uint64_t restore(const struct nb_search *search, const struct nb_op *torn)
{
    const struct nb_state *before = nb_state_at(search, torn->before);
    flash_sim_restore(search->machine->sim, torn->flash != NULL ? torn->flash : before->flash);
    return torn->flash != NULL ? torn->print : before->print;
}

/* The state that a torn status entry or record may count as; NB_NOBODY when the operation writes
 * neither. */
static uint32_t likeness(const struct nb_search *search, const struct nb_op *torn,
                         const struct flash_op *op)
{
    return nb_writes_entry(search, op)    ? torn->after
           : nb_writes_record(search, op) ? torn->before
                                          : NB_NOBODY;
}

static void tear_again(struct nb_search *search, uint32_t id, const struct flash_op *op,
                       enum flash_tear tear)
{
    (void)restore(search, nb_op_at(search, id));
    search->failed = search->failed || !nb_cut_short(search->machine->sim, op, tear);
}

/* Does the torn entry or record in the present flash count as its likeness, which acts like that?
 */
static bool counts_as(struct nb_search *search, uint32_t id, const struct flash_op *op,
                      enum flash_tear tear, uint64_t acts)
{
    const struct nb_op *torn = nb_op_at(search, id);
    bool same = nb_acts(search, nb_state_at(search, torn->before), op) == acts;
    tear_again(search, id, op, tear);
    return same;
}

/* The likeness, when what is torn in the present flash goes on counting as it; NB_NOBODY: none of
 * the operation's outcomes does. */
static uint32_t lasting(struct nb_search *search, uint32_t id, const struct flash_op *op,
                        enum flash_tear tear, uint32_t like)
{
    bool lasts = nb_goes_on_counting(search, id, like, nb_writes_record(search, op));
    tear_again(search, id, op, tear);
    return lasts ? like : NB_NOBODY;
}

/* The operation's bytes, which lie in the flash after it. */
static bool fetch(struct nb_search *search, const struct nb_op *torn, struct flash_op *op,
                  uint8_t *data)
{
    struct flash_sim *sim = search->machine->sim;
    *op = (struct flash_op){.kind = torn->kind, .address = torn->address, .length = torn->length};
    flash_sim_restore(sim, nb_state_at(search, torn->after)->flash);
    if (data == NULL || flash_sim_peek(sim, op->address, data, op->length) != 0)
        return false;
    if (torn->data != NULL)
        memcpy(data, torn->data, op->length);
    op->data = op->kind == FLASH_OP_PROGRAM ? data : NULL;
    return true;
}

void nb_tear_up(struct nb_search *search, uint32_t id)
{
    struct flash_sim *sim = search->machine->sim;
    struct nb_op *torn = nb_op_at(search, id);
    enum flash_tear tears[FLASH_TEAR_COUNT];
    struct flash_op op;
    uint8_t *data = malloc(torn->length);
    torn->torn = true;
    torn->edges = (uint32_t)search->edges.count;
    search->failed = search->failed || !fetch(search, torn, &op, data);
    uint32_t like = likeness(search, torn, &op);
    uint64_t acts = 0;
    if (like != NB_NOBODY) {
        flash_sim_restore(sim, nb_state_at(search, like)->flash);
        acts = nb_acts(search, nb_state_at(search, like), NULL);
    }
    uint64_t rest = restore(search, nb_op_at(search, id));
    rest -= nb_pieces_print(sim, op.address, op.length);
    size_t count = nb_list_tears(search, &op, tears);
    bool known = false; /* how long it counts as its likeness */
    for (size_t i = 0; i < count && !search->failed; i++) {
        search->failed = !nb_cut_short(sim, &op, tears[i]);
        bool counts = like != NB_NOBODY && counts_as(search, id, &op, tears[i], acts);
        if (counts && !known)
            like = lasting(search, id, &op, tears[i], like);
        known = known || counts;
        if (!counts || like == NB_NOBODY)
            yield_torn(search, id, &op, tears[i],
                       rest + nb_pieces_print(sim, op.address, op.length));
        (void)restore(search, nb_op_at(search, id));
    }
    torn = nb_op_at(search, id);
    torn->edge_count = (uint32_t)search->edges.count - torn->edges;
    free(data);
    if (torn->flash != NULL)
        flash_snapshot_free(sim, torn->flash);
    free(torn->data);
    torn->flash = NULL;
    torn->data = NULL;
}

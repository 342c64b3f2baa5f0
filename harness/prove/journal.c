/* One run of a machine: the flash that it sees, which notes what is read, and at every operation
 * yields the states that a cut there leaves. */
#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OPS   2000000u
#define MAX_READS 20000000u
#define PIECE     4096u

struct nb_run {
    struct nb_search *search;
    struct flash_port port;
    uint32_t state;
    uint8_t depth; /* of a state after a cut */
    uint8_t cut_phase;
    uint64_t print;
    uint32_t ops;
    uint32_t reads_done;
    uint32_t last; /* the operation before, or NB_NOBODY */
    uint32_t start_links;
    const char *wrong;
    bool stopped;
    uint64_t *alive;          /* read before it was erased */
    uint64_t *erased;         /* in this run */
    struct nb_vector pending; /* ranges read since the last operation */
    struct nb_vector asks;    /* before the first one, each chunk once */
};

static uint32_t pieces_of(const struct flash_sector *sector)
{
    return sector->size > PIECE && sector->size % PIECE == 0 ? PIECE : sector->size;
}

uint64_t nb_pieces_print(struct flash_sim *sim, uint32_t address, uint32_t length)
{
    const struct flash_port *port = flash_sim_port(sim);
    uint64_t sum = 0;
    uint64_t end = (uint64_t)address + length;
    struct flash_sector sector;
    for (uint64_t at = address; at < end;) {
        if (port->sector(port->context, (uint32_t)at, &sector) != 0)
            break;
        uint32_t piece = pieces_of(&sector);
        uint32_t start = (uint32_t)at - ((uint32_t)at - sector.start) % piece;
        sum += flash_sim_state_print(sim, start, piece);
        at = (uint64_t)start + piece;
    }
    return sum;
}

/* ---- what is read ---- */

static bool is_new_to(const uint64_t *set, struct nb_range range)
{
    for (uint32_t at = range.from; at < range.to; at++)
        if (!(set[at / 64] >> at % 64 & 1))
            return true;
    return false;
}

static void note_alive(struct nb_run *run, struct nb_range range)
{
    for (uint32_t at = range.from; at < range.to;) {
        uint32_t word = at / 64;
        uint32_t end = (word + 1) * 64 < range.to ? (word + 1) * 64 : range.to;
        uint64_t mask = end - at == 64 ? UINT64_MAX : ((UINT64_C(1) << (end - at)) - 1) << at % 64;
        run->alive[word] |= mask & ~run->erased[word];
        at = end;
    }
}

static void note_reads(void *context, uint32_t address, uint32_t length)
{
    struct nb_run *run = context;
    struct nb_range range = nb_chunks_of(run->search, address, length, false);
    if (range.from == range.to || run->search->options.unmasked)
        return;
    struct nb_range *added;
    if (run->last == NB_NOBODY && is_new_to(run->alive, range)) {
        added = nb_grow(run->search, &run->asks, sizeof *added);
        if (added != NULL)
            *added = range;
    }
    note_alive(run, range);
    struct nb_range *last = run->pending.items;
    if (run->pending.count > 0) {
        last += run->pending.count - 1;
        if (range.from >= last->from && range.to <= last->to)
            return;
        if (range.from >= last->from && range.from <= last->to) {
            last->to = range.to;
            return;
        }
    }
    added = nb_grow(run->search, &run->pending, sizeof *added);
    if (added != NULL)
        *added = range;
}

static void stop(struct nb_run *run, const char *why)
{
    run->stopped = true;
    if (run->wrong == NULL)
        run->wrong = why;
}

static int journal_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct nb_run *run = context;
    const struct flash_port *port = flash_sim_port(run->search->machine->sim);
    if (run->stopped)
        return OTA_E_POWER;
    if (++run->reads_done > MAX_READS) {
        stop(run, "the run reads without end");
        return OTA_E_POWER;
    }
    note_reads(run, address, length);
    return port->read(port->context, address, data, length);
}

static int journal_sync(void *context)
{
    const struct nb_run *run = context;
    return run->stopped ? OTA_E_POWER : 0;
}

static int journal_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct nb_run *run = context;
    const struct flash_port *port = flash_sim_port(run->search->machine->sim);
    return run->stopped ? OTA_E_POWER : port->sector(port->context, address, out);
}

/* ---- operations ---- */

/* The present flash is what a clean cut beside the run's present operation leaves. */
static uint32_t yield_cut(struct nb_run *run, enum flash_tear tear)
{
    const struct nb_state found = {
        .print = run->print,
        .counter = *run->search->machine->counter,
        .phase = run->cut_phase,
        .depth = run->depth,
        .tear = (uint8_t)tear,
        .op = run->ops - 1,
        .parent = run->state,
    };
    return nb_add_state(run->search, &found);
}

static uint64_t op_key(const struct nb_run *run, const struct flash_op *op)
{
    uint64_t key =
        nb_mix(run->print, (uint64_t)*run->search->machine->counter << 8 | run->cut_phase);
    key = nb_mix(key, (uint64_t)op->address << 32 | op->length << 1 | op->kind);
    return op->data != NULL ? nb_mix(key, flash_hash(op->data, op->length)) : key;
}

/* What the run did last leads to this operation, or to its end. */
static void link_up(struct nb_run *run, struct nb_link link)
{
    struct nb_search *search = run->search;
    if (!search->options.unmasked)
        nb_add_link(search,
                    run->last == NB_NOBODY ? &run->start_links
                                           : &nb_op_at(search, run->last)->links,
                    &link, run->pending.items, run->pending.count);
    run->pending.count = 0;
}

static int perform(struct nb_run *run, const struct flash_op *op)
{
    struct flash_sim *sim = run->search->machine->sim;
    const struct flash_port *port = flash_sim_port(sim);
    run->print -= nb_pieces_print(sim, op->address, op->length);
    int err = op->kind == FLASH_OP_ERASE
                  ? port->erase(port->context, op->address)
                  : port->program(port->context, op->address, op->data, op->length);
    run->print += nb_pieces_print(sim, op->address, op->length);
    return err;
}

/* What tearing the operation takes, when the states beside it have their flash in another form. */
static bool keep_real(const struct nb_run *run, const struct flash_op *op, struct nb_op *added)
{
    added->print = run->print;
    added->flash = flash_sim_snapshot(run->search->machine->sim);
    if (op->kind == FLASH_OP_PROGRAM)
        added->data = malloc(op->length);
    if (added->data != NULL)
        memcpy(added->data, op->data, op->length);
    return added->flash != NULL && (op->kind != FLASH_OP_PROGRAM || added->data != NULL);
}

/* The operation is new: it yields. One that the part forbids has no outcomes. */
static int first_time(struct nb_run *run, const struct flash_op *op, uint64_t key, uint32_t *id)
{
    struct nb_search *search = run->search;
    struct nb_op added = {.key = key,
                          .kind = op->kind,
                          .depth = run->depth,
                          .address = op->address,
                          .length = op->length,
                          .parent = run->state,
                          .number = run->ops - 1,
                          .links = NB_NOBODY};
    added.before = yield_cut(run, FLASH_TEAR_BEFORE);
    added.tears = (uint8_t)nb_count_tears(search, op);
    if (search->machine->normalise != NULL && added.tears != 0 && !keep_real(run, op, &added))
        search->failed = true;
    int err = perform(run, op);
    added.after = err == 0 ? yield_cut(run, FLASH_TEAR_AFTER) : added.before;
    if (err != 0)
        added.tears = 0;
    *id = nb_add_op(search, &added);
    if (added.tears != 0 && *id != NB_NOBODY)
        nb_queue_push(search, &search->to_tear[run->depth], *id);
    return err;
}

static int journal_op(struct nb_run *run, const struct flash_op *op)
{
    struct nb_search *search = run->search;
    struct nb_machine *machine = search->machine;
    uint32_t max = search->options.max_ops != 0 ? search->options.max_ops : MAX_OPS;
    if (run->stopped)
        return OTA_E_POWER;
    if (run->ops == max) {
        stop(run, "the run changes flash without end");
        return OTA_E_POWER;
    }
    run->ops++;
    if (op->address < machine->loader_end && op->address + op->length > machine->loader)
        run->wrong = "the bootloader's region is written";
    uint64_t key = op_key(run, op);
    uint32_t id = nb_find_op(search, key);
    int err = id == NB_NOBODY ? first_time(run, op, key, &id) : perform(run, op);
    if (search->failed || id == NB_NOBODY) {
        stop(run, "memory ran out");
        return OTA_E_POWER;
    }
    if (err != 0)
        run->wrong = "the device does what its flash forbids";
    link_up(run, (struct nb_link){.op = id, .ends = {NB_NOBODY, NB_NOBODY}});
    search->proof->edges += nb_op_at(search, id)->tears + 2u;
    if (op->kind == FLASH_OP_ERASE)
        nb_chunks_add(run->erased, nb_chunks_of(search, op->address, op->length, true));
    else
        note_alive(run, nb_chunks_of(search, op->address, op->length, false));
    run->last = id;
    return err;
}

static int journal_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    const struct flash_op op = {
        .kind = FLASH_OP_PROGRAM, .address = address, .length = length, .data = data};
    return journal_op(context, &op);
}

static int journal_erase(void *context, uint32_t address)
{
    struct flash_sector sector = {0};
    int err = journal_sector(context, address, &sector);
    const struct flash_op op = {
        .kind = FLASH_OP_ERASE, .address = address, .length = err == 0 ? sector.size : 0};
    return err == OTA_E_POWER ? err : journal_op(context, &op);
}

/* ---- a whole run ---- */

/* The states in which the run ends, and what is wrong with it. */
static void yield_ends(struct nb_run *run, const struct nb_end *end)
{
    struct nb_search *search = run->search;
    struct nb_state *state = nb_state_at(search, run->state);
    enum nb_phase next[2] = {NB_PHASES, NB_PHASES};
    const char *wrong = NULL;
    struct nb_link link = {.op = NB_NOBODY, .ends = {NB_NOBODY, NB_NOBODY}};
    size_t count =
        nb_judge_end(&search->machine->demand, (enum nb_phase)state->phase, end, next, &wrong);
    if (run->wrong != NULL)
        wrong = run->wrong;
    for (size_t i = 0; i < count && wrong == NULL; i++) {
        const struct nb_state found = {
            .print = run->print,
            .counter = *search->machine->counter,
            .phase = (uint8_t)next[i],
            .depth = nb_state_at(search, run->state)->depth,
            .parent = run->state,
        };
        link.ends[i] = nb_add_state(search, &found);
        search->proof->edges++;
    }
    link_up(run, link);
    state = nb_state_at(search, run->state);
    if (wrong == NULL && run->ops == 0 && link.ends[0] == run->state)
        wrong = nb_judge_rest(&search->machine->demand, (enum nb_phase)state->phase, end->runs);
    if (wrong != NULL && state->depth < search->deepest)
        search->deepest = state->depth;
    state->wrong = wrong;
    state->runs = (uint8_t)end->runs;
    state->end_count = (uint8_t)(wrong == NULL ? count : 0);
    state->ends[0] = link.ends[0];
    state->ends[1] = link.ends[1];
    state->links = run->start_links;
    state->ops = run->ops;
    state->alive = run->alive;
    run->alive = NULL;
}

static void tell_led_by(const struct nb_search *search, uint32_t id)
{
    const struct nb_machine *machine = search->machine;
    struct nb_cut chain[NB_CUTS];
    if (machine->led_by == NULL)
        return;
    size_t length = nb_chain_to(search, id, chain);
    machine->led_by(machine->context, chain, length);
}

/* A device in trouble may be out of it from here on: the same state in that phase, at no cost and
 * by the same way. */
static void yield_healed(struct nb_run *run)
{
    struct nb_search *search = run->search;
    struct nb_state found = *nb_state_at(search, run->state);
    struct nb_link link = {.op = NB_NOBODY, .ends = {NB_NOBODY, NB_NOBODY}};
    enum nb_phase healed = nb_phase_healed((enum nb_phase)found.phase);
    if (healed == (enum nb_phase)found.phase)
        return;
    found.phase = (uint8_t)healed;
    link.ends[0] = nb_add_state(search, &found);
    search->proof->edges++;
    if (!search->options.unmasked)
        nb_add_link(search, &run->start_links, &link, NULL, 0);
}

int nb_run_state(struct nb_search *search, uint32_t id)
{
    const struct nb_state state = *nb_state_at(search, id); /* new states may move all others */
    const enum nb_phase phase = (enum nb_phase)state.phase;
    struct nb_run run = {
        .search = search,
        .state = id,
        .depth = (uint8_t)(state.depth + 1),
        .cut_phase = (uint8_t)nb_phase_cut(phase),
        .print = state.print,
        .last = NB_NOBODY,
        .start_links = NB_NOBODY,
        .alive = calloc(search->words, sizeof *run.alive),
        .erased = calloc(search->words, sizeof *run.erased),
    };
    run.port = (struct flash_port){&run,          journal_read, journal_program,
                                   journal_erase, journal_sync, journal_sector};
    const struct nb_seam seam = {&run.port, note_reads, &run};
    struct nb_end end = {0};
    if (run.alive != NULL && run.erased != NULL) {
        *search->machine->counter = state.counter;
        tell_led_by(search, id);
        yield_healed(&run);
        search->machine->run(search->machine->context, nb_phase_action(phase), &seam, &end);
        yield_ends(&run, &end);
        nb_state_at(search, id)->status = NB_RAN;
        if (!search->options.unmasked)
            nb_offer_stand_in(search, id, run.asks.items, run.asks.count);
    } else {
        search->failed = true;
    }
    free(run.alive);
    free(run.erased);
    free(run.pending.items);
    free(run.asks.items);
    return search->failed ? OTA_E_NO_SPACE : 0;
}

#include "harness/prove/graph.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_STATES 4000000u

/* Of the processor, not of the wall: others may use the machine, too. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A state whose turn it is: another one stands for it, or it is run. */
static int take(struct nb_search *search, uint32_t id)
{
    struct nb_state *state = nb_state_at(search, id);
    flash_sim_restore(search->machine->sim, state->flash);
    uint32_t other = search->options.unmasked ? NB_NOBODY : nb_stand_in(search, id);
    if (other == NB_NOBODY)
        return nb_run_state(search, id);
    state = nb_state_at(search, id);
    state->stands = other;
    state->status = NB_MERGED;
    return 0;
}

/* Why the search ends early, or NULL. */
static const char *limit(const struct nb_search *search, unsigned depth, const volatile int *stop)
{
    uint32_t max = search->options.max_states != 0 ? search->options.max_states : MAX_STATES;
    return stop != NULL && *stop != 0   ? "it was told to stop"
           : search->states.count > max ? "there are too many states"
           : depth + 1 == NB_DEPTHS     ? "there are too many cuts"
                                        : NULL;
}

/* The next state of so many cuts that waits; else the next operation to tear is torn, and so on.
 * NB_NOBODY when there is neither. */
static uint32_t next_of(struct nb_search *search, unsigned depth)
{
    struct nb_queue *queue = &search->queues[depth];
    struct nb_queue *to_tear = &search->to_tear[depth];
    for (;;) {
        while (queue->next < queue->count) {
            uint32_t id = queue->ids[queue->next++];
            const struct nb_state *state = nb_state_at(search, id);
            if (state->status == NB_WAITING && state->depth == depth)
                return id;
        }
        if (to_tear->next == to_tear->count || search->failed)
            return NB_NOBODY;
        uint32_t op = to_tear->ids[to_tear->next++];
        if (!nb_is_covered(search, nb_op_at(search, op)))
            nb_tear_up(search, op);
    }
}

/* Fewest cuts first, until nothing waits. */
static int drain(struct nb_search *search, const volatile int *stop)
{
    for (unsigned depth = 0; depth <= search->deepest; depth++) {
        for (uint32_t id; (id = next_of(search, depth)) != NB_NOBODY;) {
            search->proof->stopped = limit(search, depth, stop);
            if (search->proof->stopped != NULL)
                return 0;
            int err = take(search, id);
            if (err != 0)
                return err;
            if (!nb_forms_hold(search)) {
                search->proof->informal = true;
                search->proof->stopped = "flash that was to count in one form acts in several ways";
                return 0;
            }
        }
        if (search->failed)
            return OTA_E_NO_SPACE;
    }
    return 0;
}

/* States merged on what was known to be alive then: those that differ in what is known now wait
 * again. True when there were none. */
static bool recheck(struct nb_search *search)
{
    bool good = true;
    for (uint32_t i = 0; i < search->states.count; i++) {
        struct nb_state *state = nb_state_at(search, i);
        if (state->status != NB_MERGED || state->depth > search->deepest)
            continue;
        flash_sim_restore(search->machine->sim, state->flash);
        if (nb_agrees(search, state->stands))
            continue;
        state->status = NB_WAITING;
        state->stands = i;
        nb_queue_push(search, &search->queues[state->depth], i);
        good = false;
    }
    for (uint32_t i = 0; i < search->ops.count; i++) {
        const struct nb_op *op = nb_op_at(search, i);
        if (op->torn || op->tears == 0 || op->depth > search->deepest || nb_is_covered(search, op))
            continue;
        nb_queue_push(search, &search->to_tear[op->depth], i);
        good = false;
    }
    return good;
}

static int search_all(struct nb_search *search, const volatile int *stop)
{
    struct nb_proof *proof = search->proof;
    for (;;) {
        int err = drain(search, stop);
        proof->rounds++;
        if (err != 0 || proof->stopped != NULL)
            return err;
        if (!search->options.unmasked)
            err = nb_find_alive(search);
        if (err != 0)
            return err;
        if (search->options.unmasked || recheck(search))
            break;
        if (search->failed)
            return OTA_E_NO_SPACE;
    }
    proof->closed = search->deepest == NB_DEPTHS - 1;
    if (!proof->closed)
        proof->stopped = "a failure is known, states with more cuts were not looked at";
    return 0;
}

int nb_search_run(struct nb_machine *machine, enum nb_phase phase,
                  const struct nb_search_options *options, const volatile int *stop,
                  struct nb_search **out, struct nb_proof *proof)
{
    double begin = now();
    memset(proof, 0, sizeof *proof);
    struct nb_search *search = calloc(1, sizeof *search);
    *out = search;
    if (search == NULL)
        return OTA_E_NO_SPACE;
    search->machine = machine;
    search->options = *options;
    search->proof = proof;
    search->deepest = NB_DEPTHS - 1;
    uint32_t counter = *machine->counter;
    struct flash_snapshot *start = flash_sim_snapshot(machine->sim);
    int err = start != NULL ? nb_graph_open(search) : OTA_E_NO_SPACE;
    const struct nb_state root = {
        .print = nb_pieces_print(machine->sim, 0, flash_sim_size(machine->sim)),
        .counter = counter,
        .phase = (uint8_t)phase,
        .parent = NB_NOBODY,
    };
    if (err == 0 && nb_add_state(search, &root) == NB_NOBODY)
        err = OTA_E_NO_SPACE;
    if (err == 0)
        err = search_all(search, stop);
    if (err == 0)
        err = nb_judge_rests(search);
    if (start != NULL) {
        flash_sim_restore(machine->sim, start);
        flash_snapshot_free(machine->sim, start);
    }
    *machine->counter = counter;
    proof->seconds = now() - begin;
    if (err != 0) {
        nb_search_free(search);
        *out = NULL;
    }
    return err;
}

void nb_search_free(struct nb_search *search)
{
    if (search == NULL)
        return;
    nb_graph_close(search);
    free(search);
}

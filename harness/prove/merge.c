/* Which state stands for another: one that every later boot would treat alike.
 *
 * Boots are deterministic, so those that got the same answers ask the same question next. The
 * questions that boots ask before their first operation make a tree; at its ends hang the states
 * that asked them. One of these stands for a new state when the two are equal in all that is
 * alive in it. */
#include "harness/prove/graph.h"

static struct nb_question *question_at(const struct nb_search *search, uint32_t id)
{
    return (struct nb_question *)search->questions.items + id;
}

static uint32_t root_of(struct nb_search *search, const struct nb_state *state, bool make)
{
    return nb_answer(search, NB_NOBODY, (uint64_t)state->counter << 8 | state->phase, make);
}

static uint64_t content(const struct nb_search *search, struct nb_range range)
{
    const struct nb_machine *machine = search->machine;
    return flash_sim_state_print(machine->sim, machine->from + range.from * NB_CHUNK,
                                 (range.to - range.from) * NB_CHUNK);
}

bool nb_agrees(const struct nb_search *search, uint32_t id)
{
    const struct nb_machine *machine = search->machine;
    const struct nb_state *state = nb_state_at(search, id);
    uint32_t size = flash_sim_size(machine->sim);
    uint32_t length;
    for (uint32_t at = flash_sim_difference(machine->sim, state->flash, 0, &length); at < size;
         at = flash_sim_difference(machine->sim, state->flash, at + length, &length)) {
        if (at < machine->from || at >= machine->to)
            return false;
        uint32_t first = (at - machine->from) / NB_CHUNK;
        for (uint32_t i = 0; i < length / NB_CHUNK; i++)
            if ((state->alive[(first + i) / 64] >> (first + i) % 64 & 1) &&
                !flash_sim_same(machine->sim, state->flash, at + i * NB_CHUNK, NB_CHUNK))
                return false;
    }
    return true;
}

uint32_t nb_stand_in(struct nb_search *search, uint32_t id)
{
    uint32_t at = root_of(search, nb_state_at(search, id), false);
    while (at != NB_NOBODY) {
        const struct nb_question *question = question_at(search, at);
        for (uint32_t other = question->alike; other != NB_NOBODY;
             other = nb_state_at(search, other)->next_alike)
            if (nb_agrees(search, other))
                return other;
        if (question->range.from == question->range.to)
            return NB_NOBODY;
        at = nb_answer(search, at, content(search, question->range), false);
    }
    return NB_NOBODY;
}

void nb_offer_stand_in(struct nb_search *search, uint32_t id, const struct nb_range *asks,
                       size_t count)
{
    struct nb_state *state = nb_state_at(search, id);
    flash_sim_restore(search->machine->sim, state->flash);
    uint32_t at = root_of(search, state, true);
    for (size_t i = 0; i < count && at != NB_NOBODY; i++) {
        struct nb_question *question = question_at(search, at);
        if (question->range.from == question->range.to)
            question->range = asks[i];
        else if (question->range.from != asks[i].from || question->range.to != asks[i].to)
            return; /* not as deterministic as it should be: it stands for nobody */
        at = nb_answer(search, at, content(search, asks[i]), true);
    }
    if (at == NB_NOBODY)
        return;
    struct nb_question *question = question_at(search, at);
    state->next_alike = question->alike;
    question->alike = id;
}

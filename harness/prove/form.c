/* Flash that counts in one form only: states are told apart by that form, and kept in it, while
 * runs and torn operations go on with the flash as it is. */
#include "harness/prove/graph.h"

#include <stdlib.h>

static uint64_t formal_print(const struct nb_search *search)
{
    const struct nb_machine *machine = search->machine;
    uint64_t sum = 0;
    for (size_t i = 0; i < NB_FORMAL; i++)
        sum += nb_pieces_print(machine->sim, machine->formal[i].from,
                               machine->formal[i].to - machine->formal[i].from);
    return sum;
}

static struct nb_form *place_of(const struct nb_forms *forms, uint64_t raw)
{
    uint32_t at = (uint32_t)nb_mix(raw, 0) & (forms->room - 1);
    while (forms->items[at].known && forms->items[at].raw != raw)
        at = (at + 1) & (forms->room - 1);
    return &forms->items[at];
}

static bool make_room(struct nb_forms *forms)
{
    if (forms->used * 2 < forms->room)
        return true;
    struct nb_forms wider = {.room = forms->room != 0 ? forms->room * 2 : 256,
                             .used = forms->used,
                             .doubts = forms->doubts};
    wider.items = calloc(wider.room, sizeof *wider.items);
    if (wider.items == NULL)
        return false;
    for (uint32_t i = 0; i < forms->room; i++)
        if (forms->items[i].known)
            *place_of(&wider, forms->items[i].raw) = forms->items[i];
    free(forms->items);
    *forms = wider;
    return true;
}

/* A snapshot of the present flash in its one form, and the print of the formal ranges there. */
static struct flash_snapshot *normalised(struct nb_search *search, uint64_t *print)
{
    struct nb_machine *machine = search->machine;
    struct flash_snapshot *found = NULL;
    struct flash_snapshot *real = flash_sim_snapshot(machine->sim);
    if (real != NULL && machine->normalise(machine->context) == 0) {
        *print = formal_print(search);
        found = flash_sim_snapshot(machine->sim);
    }
    if (real != NULL) {
        flash_sim_restore(machine->sim, real);
        flash_snapshot_free(machine->sim, real);
    }
    return found;
}

static void doubt(struct nb_search *search, const struct nb_state *found, enum nb_phase phase)
{
    struct nb_doubt *added = nb_grow(search, &search->forms.doubts, sizeof *added);
    if (added == NULL)
        return;
    *added = (struct nb_doubt){flash_sim_snapshot(search->machine->sim), found->print,
                               found->counter, (uint8_t)phase};
    search->failed = search->failed || added->flash == NULL;
}

/* In trouble a run may end before it reads anything: when the trouble is over, it goes on. */
static void doubt_it(struct nb_search *search, const struct nb_state *found)
{
    enum nb_phase phase = (enum nb_phase)found->phase;
    doubt(search, found, phase);
    if (nb_phase_healed(phase) != phase)
        doubt(search, found, nb_phase_healed(phase));
}

/* What a run does, and what it leaves, as a number. The flash before it is restored. */
static uint64_t acts_from(struct nb_search *search, const struct nb_doubt *doubt, bool formal)
{
    struct nb_machine *machine = search->machine;
    struct nb_state state = {.counter = doubt->counter, .phase = doubt->phase};
    flash_sim_restore(machine->sim, doubt->flash);
    if (formal && machine->normalise(machine->context) != 0)
        search->failed = true;
    uint64_t acts = nb_acts(search, &state, NULL);
    if (machine->normalise(machine->context) != 0)
        search->failed = true;
    return nb_mix(acts, nb_pieces_print(machine->sim, 0, flash_sim_size(machine->sim)));
}

bool nb_forms_hold(struct nb_search *search)
{
    struct nb_vector *doubts = &search->forms.doubts;
    bool holds = true;
    while (doubts->count > 0 && holds && !search->failed) {
        struct nb_doubt one = ((struct nb_doubt *)doubts->items)[--doubts->count];
        holds = acts_from(search, &one, false) == acts_from(search, &one, true);
        flash_snapshot_free(search->machine->sim, one.flash);
    }
    return holds;
}

uint64_t nb_normal_print(struct nb_search *search, const struct nb_state *found)
{
    const uint64_t raw = found->print;
    if (search->machine->normalise == NULL)
        return raw;
    uint64_t part = formal_print(search);
    if (!make_room(&search->forms)) {
        search->failed = true;
        return raw;
    }
    struct nb_form *form = place_of(&search->forms, part);
    if (!form->known) {
        uint64_t normal = part;
        struct flash_snapshot *snapshot = normalised(search, &normal);
        if (snapshot == NULL)
            search->failed = true;
        else
            flash_snapshot_free(search->machine->sim, snapshot);
        if (normal != part)
            doubt_it(search, found);
        *form = (struct nb_form){part, normal, true};
        search->forms.used++;
    }
    return raw - part + form->normal;
}

struct flash_snapshot *nb_normal_snapshot(struct nb_search *search)
{
    uint64_t ignored;
    return search->machine->normalise == NULL ? flash_sim_snapshot(search->machine->sim)
                                              : normalised(search, &ignored);
}

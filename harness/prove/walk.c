/* Torn status entries and records one after another. Each counts as what it is taken for; so two
 * devices go side by side, one with the torn ones and one with what they count as. Both are cut at
 * the same entry or record of their next boot, and so on, and must always act alike. */
#include "harness/prove/graph.h"

#define STEPS       4u  /* of the usual walk */
#define LONG_STEPS  40u /* of the first ones: more than both halves of a status area have places */
#define LONG_WALKS  4u
#define FAR         3u /* records or entries of a boot, one of which is cut */
#define MAX_RUN_OPS 100000u

/* One of the two, and one boot of it. */
struct walker {
    struct nb_search *search;
    bool torn;
    bool records; /* else entries */
    uint32_t choice;
    struct flash_snapshot *flash;
    uint32_t counter;
    uint8_t phase;
    /* the boot */
    uint32_t left; /* entries or records until the one that is cut */
    uint32_t ops;  /* until it counts as endless */
    bool cut;
    /* beside the first erase of records in it */
    struct flash_snapshot *before_erase;
    struct flash_snapshot *after_erase;
};

static const struct flash_port *port_of(const struct walker *walker)
{
    return flash_sim_port(walker->search->machine->sim);
}

static bool is_off(struct walker *walker)
{
    walker->cut = walker->cut || walker->ops == 0;
    walker->ops -= !walker->cut;
    return walker->cut;
}

static int walk_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct walker *walker = context;
    return walker->cut ? OTA_E_POWER
                       : port_of(walker)->read(port_of(walker)->context, address, data, length);
}

static int walk_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct walker *walker = context;
    struct nb_search *search = walker->search;
    const struct flash_op op = {
        .kind = FLASH_OP_PROGRAM, .address = address, .length = length, .data = data};
    if (is_off(walker))
        return OTA_E_POWER;
    bool counts = walker->records ? nb_writes_record(search, &op) : nb_writes_entry(search, &op);
    if (!counts || walker->left-- != 0)
        return port_of(walker)->program(port_of(walker)->context, address, data, length);
    enum flash_tear tears[FLASH_TEAR_COUNT] = {walker->records ? FLASH_TEAR_BEFORE
                                                               : FLASH_TEAR_AFTER};
    size_t count = walker->torn ? nb_list_tears(search, &op, tears) : 1;
    enum flash_tear tear = count != 0 ? tears[walker->choice % count] : FLASH_TEAR_BEFORE;
    search->failed = search->failed || !nb_cut_short(search->machine->sim, &op, tear);
    walker->cut = true;
    return OTA_E_POWER;
}

static int walk_erase(void *context, uint32_t address)
{
    struct walker *walker = context;
    struct flash_sim *sim = walker->search->machine->sim;
    const struct flash_op op = {.kind = FLASH_OP_PROGRAM, .address = address};
    bool noted = walker->torn && walker->before_erase == NULL && walker->records &&
                 nb_writes_record(walker->search, &op);
    if (is_off(walker))
        return OTA_E_POWER;
    if (noted)
        walker->before_erase = flash_sim_snapshot(sim);
    int err = port_of(walker)->erase(port_of(walker)->context, address);
    if (noted)
        walker->after_erase = flash_sim_snapshot(sim);
    return err;
}

static int walk_sync(void *context)
{
    return ((const struct walker *)context)->cut ? OTA_E_POWER : 0;
}

static int walk_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct walker *walker = context;
    return port_of(walker)->sector(port_of(walker)->context, address, out);
}

static void ignore(void *context, uint32_t address, uint32_t length)
{
    (void)context;
    (void)address;
    (void)length;
}

static void drop(const struct walker *walker, struct flash_snapshot **flash)
{
    if (*flash != NULL)
        flash_snapshot_free(walker->search->machine->sim, *flash);
    *flash = NULL;
}

/* One boot, cut in its `far`-th entry or record. False: it has not so many. */
static bool step(struct walker *walker, uint32_t far)
{
    struct nb_machine *machine = walker->search->machine;
    const struct flash_port port = {walker,     walk_read, walk_program,
                                    walk_erase, walk_sync, walk_sector};
    const struct nb_seam seam = {&port, ignore, NULL};
    struct nb_end end = {0};
    drop(walker, &walker->before_erase);
    drop(walker, &walker->after_erase);
    walker->left = far;
    walker->ops = MAX_RUN_OPS;
    walker->cut = false;
    flash_sim_restore(machine->sim, walker->flash);
    *machine->counter = walker->counter;
    machine->run(machine->context, nb_phase_action((enum nb_phase)walker->phase), &seam, &end);
    walker->counter = *machine->counter;
    drop(walker, &walker->flash);
    walker->flash = flash_sim_snapshot(machine->sim);
    walker->search->failed = walker->search->failed || walker->flash == NULL;
    return walker->cut;
}

static uint64_t acts_from(const struct walker *walker, const struct flash_snapshot *flash)
{
    const struct nb_state state = {.counter = walker->counter, .phase = walker->phase};
    flash_sim_restore(walker->search->machine->sim, flash);
    return nb_acts(walker->search, &state, NULL);
}

/* A cut behind the erase of records must not matter, either. */
static bool survives_erase(const struct walker *torn)
{
    return torn->before_erase == NULL || torn->after_erase == NULL ||
           acts_from(torn, torn->before_erase) == acts_from(torn, torn->after_erase);
}

static bool go_together(struct walker *like, struct walker *torn, uint32_t seed, uint32_t steps)
{
    struct nb_search *search = like->search;
    for (uint32_t i = 0; i < steps && !search->failed; i++) {
        /* Half of them at the same place again. */
        uint32_t draw = (uint32_t)nb_mix(seed, i) % (2 * FAR);
        uint32_t far = draw < FAR ? 0 : draw - FAR;
        torn->choice = seed + i;
        bool reached = step(like, far);
        if (step(torn, far) != reached)
            return false;
        if (!reached)
            return true;
        if (search->failed || !survives_erase(torn) ||
            acts_from(like, like->flash) != acts_from(torn, torn->flash))
            return false;
    }
    return true;
}

bool nb_goes_on_counting(struct nb_search *search, uint32_t id, uint32_t like, bool records)
{
    struct flash_sim *sim = search->machine->sim;
    const struct nb_state *state = nb_state_at(search, like);
    uint32_t steps = search->walks < LONG_WALKS ? LONG_STEPS : STEPS;
    struct walker walkers[2];
    search->walks++;
    for (size_t i = 0; i < 2; i++)
        walkers[i] = (struct walker){.search = search,
                                     .torn = i != 0,
                                     .records = records,
                                     .counter = state->counter,
                                     .phase = state->phase};
    walkers[1].flash = flash_sim_snapshot(sim);
    flash_sim_restore(sim, state->flash);
    walkers[0].flash = flash_sim_snapshot(sim);
    search->failed = search->failed || walkers[0].flash == NULL || walkers[1].flash == NULL;
    bool holds = !search->failed && go_together(&walkers[0], &walkers[1], id, steps);
    for (size_t i = 0; i < 2; i++) {
        drop(&walkers[i], &walkers[i].flash);
        drop(&walkers[i], &walkers[i].before_erase);
        drop(&walkers[i], &walkers[i].after_erase);
    }
    return holds;
}

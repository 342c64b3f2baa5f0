/* What a machine does from a state, without yielding anything: to see that a status entry that is
 * torn counts as one that is complete, and a status record that is torn as one not begun. */
#include "harness/prove/graph.h"

#include <string.h>

struct acts {
    const struct nb_search *search;
    const struct flash_port *port;
    uint64_t hash;
    uint32_t left; /* operations that it may still do */
    /* What is left of a torn record, until it is erased: nothing may be programmed over it. */
    uint32_t torn;
    uint32_t torn_end;
};

bool nb_writes_entry(const struct nb_search *search, const struct flash_op *op)
{
    const struct nb_machine *machine = search->machine;
    return op->kind == FLASH_OP_PROGRAM && op->address >= machine->entries &&
           op->address + op->length <= machine->entries_end;
}

static bool in_records(const struct nb_search *search, uint32_t address)
{
    const struct nb_machine *machine = search->machine;
    return address >= machine->records && address < machine->records_end;
}

bool nb_writes_record(const struct nb_search *search, const struct flash_op *op)
{
    return op->kind == FLASH_OP_PROGRAM && in_records(search, op->address);
}

static int acts_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct acts *acts = context;
    return acts->left == 0 ? OTA_E_POWER
                           : acts->port->read(acts->port->context, address, data, length);
}

/* What is written there may differ where it means the same. */
static bool is_formal(const struct nb_machine *machine, uint32_t address)
{
    for (size_t i = 0; i < NB_FORMAL; i++)
        if (address >= machine->formal[i].from && address < machine->formal[i].to)
            return true;
    return false;
}

/* What the flash refuses is a difference, even where the machine does not care. */
static int note_error(struct acts *acts, int err)
{
    if (err != 0)
        acts->hash = nb_mix(acts->hash, (uint32_t)err);
    return err;
}

static int acts_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct acts *acts = context;
    if (acts->left == 0)
        return OTA_E_POWER;
    acts->left--;
    if (address < acts->torn_end && address + length > acts->torn)
        acts->hash = nb_mix(acts->hash, 1);
    uint32_t place = in_records(acts->search, address) ? 0 : address;
    acts->hash = nb_mix(acts->hash, (uint64_t)place << 32 | length);
    if (!is_formal(acts->search->machine, address))
        acts->hash = nb_mix(acts->hash, flash_hash(data, length));
    int err = acts->port->program(acts->port->context, address, data, length);
    return note_error(acts, err);
}

static int acts_erase(void *context, uint32_t address)
{
    struct acts *acts = context;
    if (acts->left == 0)
        return OTA_E_POWER;
    acts->left--;
    struct flash_sector sector;
    if (acts->torn_end != 0 && acts->port->sector(acts->port->context, address, &sector) == 0 &&
        acts->torn - sector.start < sector.size)
        acts->torn_end = 0;
    /* When a ring of records comes around depends on the place of the newest one. */
    if (!in_records(acts->search, address))
        acts->hash = nb_mix(acts->hash, ~(uint64_t)address);
    int err = acts->port->erase(acts->port->context, address);
    return note_error(acts, err);
}

static int acts_sync(void *context)
{
    const struct acts *acts = context;
    return acts->left == 0 ? OTA_E_POWER : 0;
}

static int acts_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct acts *acts = context;
    return acts->port->sector(acts->port->context, address, out);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        hash = nb_mix(hash, (uint8_t)*text);
    return hash;
}

static void ignore(void *context, uint32_t address, uint32_t length)
{
    (void)context;
    (void)address;
    (void)length;
}

uint64_t nb_acts(struct nb_search *search, const struct nb_state *state,
                 const struct flash_op *torn)
{
    struct nb_machine *machine = search->machine;
    const uint32_t limit = search->options.max_ops != 0 ? search->options.max_ops : 100000;
    struct acts acts = {.search = search, .port = flash_sim_port(machine->sim), .left = limit};
    if (torn != NULL && nb_writes_record(search, torn)) {
        acts.torn = torn->address;
        acts.torn_end = torn->address + torn->length;
    }
    const struct flash_port port = {&acts,      acts_read, acts_program,
                                    acts_erase, acts_sync, acts_sector};
    const struct nb_seam seam = {&port, ignore, NULL};
    struct nb_end end = {0};
    *machine->counter = state->counter;
    machine->run(machine->context, nb_phase_action((enum nb_phase)state->phase), &seam, &end);
    return nb_mix(nb_mix(mix_text(acts.hash, end.wrong), acts.left == 0),
                  (uint64_t)*machine->counter << 16 | (uint64_t)end.runs << 8 |
                      (uint64_t)end.trial << 1 | (uint64_t)end.refused);
}

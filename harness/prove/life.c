#include "harness/prove/life.h"
#include "harness/prove/rings.h"
#include "sim/systems.h"

#include <stdlib.h>
#include <string.h>

/* Reasons that were found in lives: states point to them. */
struct nb_texts {
    struct nb_texts *next;
    char text[NB_LINE];
};

static const char *keep_text(struct nb_life_machine *life, const char *text)
{
    for (const struct nb_texts *at = life->texts; at != NULL; at = at->next)
        if (strcmp(at->text, text) == 0)
            return at->text;
    struct nb_texts *added = calloc(1, sizeof *added);
    if (added == NULL)
        return "something is wrong, and there is no memory to say what";
    snprintf(added->text, sizeof added->text, "%s", text);
    added->next = life->texts;
    life->texts = added;
    return added->text;
}

/* ---- what is around the flash ------------------------------------------------------------ */

static uint32_t result_of(const char *words)
{
    return strncmp(words, "success", 7) == 0   ? NB_TOLD_SUCCESS
           : strncmp(words, "failure", 7) == 0 ? NB_TOLD_FAILURE
                                               : 0;
}

static void hear(struct nb_life_machine *life, const struct nb_trace_line *line)
{
    const char *post = line->cloud ? strstr(line->text, "http post ") : NULL;
    const char *result = post != NULL ? strchr(post + 10, ' ') : NULL;
    if (result != NULL)
        life->got |= result_of(result + 1);
    else if (line->cloud && strncmp(line->text, "result ", 7) == 0)
        life->got |= result_of(line->text + 7);
    else if (!line->cloud && strncmp(line->text, "reported ", 9) == 0)
        life->told |= result_of(line->text + 9);
    else if (!line->cloud && strncmp(line->text, "boot ", 5) == 0 &&
             strncmp(line->text, "boot none", 9) != 0)
        life->strange =
            life->strange || !nb_expect_matches(&life->prove->expect, line->text, false);
}

static void hear_all(struct nb_life_machine *life)
{
    const struct nb_trace *trace = nb_virtual_trace(life->virtual);
    for (; life->heard < trace->count; life->heard++)
        hear(life, &trace->lines[life->heard]);
}

/* The surroundings as a cut would leave them now, or (false) the end of the life. */
static void look_around(struct nb_life_machine *life, bool cut)
{
    struct nb_around *now = &life->now;
    hear_all(life);
    now->counter = *nb_virtual_counter(life->virtual);
    now->told |= life->told;
    memcpy(&now->oracle, nb_virtual_oracle(life->virtual), sizeof now->oracle);
    if (cut)
        nb_oracle_cut(&now->oracle);
    /* What the device says of its progress is compared with flash when it says so, in each life
     * anew. */
    now->oracle.progress_live = now->oracle.progress_untold = false;
    now->oracle.progress = 0;
    now->oracle.booted_in_step = false;
    nb_virtual_memory(life->virtual, &now->cloud);
}

static void note_around(struct nb_life_machine *life)
{
    life->around = nb_arounds_add(&life->arounds, &life->now);
    if (life->around != UINT32_MAX)
        return;
    life->err = OTA_E_NO_SPACE;
    life->around = 0;
}

/* ---- the flash in a search --------------------------------------------------------------- */

static int flash_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct flash_port *flash = ((struct nb_life_machine *)context)->seam->flash;
    return flash->read(flash->context, address, data, length);
}

static int flash_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct nb_life_machine *life = context;
    const struct flash_port *flash = life->seam->flash;
    look_around(life, true);
    note_around(life);
    return flash->program(flash->context, address, data, length);
}

static int flash_erase(void *context, uint32_t address)
{
    struct nb_life_machine *life = context;
    const struct flash_port *flash = life->seam->flash;
    look_around(life, true);
    note_around(life);
    return flash->erase(flash->context, address);
}

static int flash_sync(void *context)
{
    const struct flash_port *flash = ((struct nb_life_machine *)context)->seam->flash;
    return flash->sync(flash->context);
}

static int flash_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct flash_port *flash = ((struct nb_life_machine *)context)->seam->flash;
    return flash->sector(flash->context, address, out);
}

static void looked(void *context, uint32_t address, uint32_t length)
{
    const struct nb_life_machine *life = context;
    if (life->seam != NULL)
        life->seam->reads(life->seam->context, address, length);
}

/* ---- one life ---------------------------------------------------------------------------- */

static enum flash_tear on_operation(void *context, const struct flash_op *op, uint32_t number)
{
    struct nb_life_machine *life = context;
    (void)op;
    if (life->cut->tear == FLASH_TEAR_NONE || number != life->cut->op)
        return FLASH_TEAR_NONE;
    look_around(life, true);
    life->is_cut = true;
    return life->cut->tear;
}

static const char *what_is_wrong(struct nb_life_machine *life, int code, bool trouble)
{
    const char *violation = nb_oracle_violation(nb_virtual_oracle(life->virtual));
    if (violation != NULL)
        return keep_text(life, violation);
    if (life->strange)
        return "an image runs that must not";
    if (code == OTA_E_TIMEOUT)
        return "the device takes longer than two days for one check";
    if (code == 2)
        return "the device cannot even start";
    return (life->told & ~life->got) != 0 && !trouble
               ? "what the device says it has reported has not arrived"
               : NULL;
}

/* The result that must have been delivered when the device rests like this: whoever sent a job
 * learns what became of it. */
static uint32_t due(const struct nb_life_machine *life, unsigned runs)
{
    if (life->report != NULL)
        return result_of(life->report->expect.word);
    return !life->answers             ? 0u
           : runs & NB_RUNS_NEW       ? (uint32_t)NB_TOLD_SUCCESS
           : life->now.oracle.has_job ? (uint32_t)NB_TOLD_FAILURE
                                      : 0u;
}

static enum nb_runs what_runs(const struct nb_life_machine *life)
{
    const struct nb_oracle *oracle = nb_virtual_oracle(life->virtual);
    unsigned runs = !oracle->has_running                                     ? NB_RUNS_NOTHING
                    : img_version_compare(&oracle->running, &life->old) == 0 ? NB_RUNS_OLD
                    : img_version_compare(&oracle->running, &life->new) == 0 ? NB_RUNS_NEW
                                                                             : NB_RUNS_OTHER;
    return (enum nb_runs)(runs | (due(life, runs) & ~life->now.told ? NB_RUNS_UNTOLD : 0u));
}

static void live(struct nb_life_machine *life, bool trouble, struct nb_end *end)
{
    const struct nb_life one = {
        .trouble = trouble,
        .remember = &life->now.cloud,
        .flash = life->seam != NULL ? &life->port : NULL,
        .cut = life->cut != NULL ? on_operation : NULL,
        .looked = looked,
        .context = life,
    };
    int code = 0;
    bool fired = false;
    memcpy(nb_virtual_oracle(life->virtual), &life->now.oracle, sizeof life->now.oracle);
    *nb_virtual_counter(life->virtual) = life->now.counter;
    life->heard = nb_virtual_trace(life->virtual)->count;
    life->told = life->got = 0;
    life->strange = life->is_cut = false;
    int rc = nb_virtual_live(life->virtual, &one, &life->refusal, &code, &fired);
    if (rc != 0)
        life->err = rc;
    life->fired = life->fired || (trouble && fired);
    if (life->is_cut)
        return;
    look_around(life, false);
    end->wrong = what_is_wrong(life, code, trouble);
    end->runs = what_runs(life);
}

/* As struct nb_machine's run. */
static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    struct nb_life_machine *life = context;
    memcpy(&life->now, nb_arounds_at(&life->arounds, life->around), sizeof life->now);
    life->seam = seam;
    life->cut = NULL;
    nb_virtual_forget(life->virtual);
    live(life, action == NB_ACTION_TROUBLE, end);
    note_around(life);
    life->seam = NULL;
}

void nb_life_play(struct nb_life_machine *life, const struct nb_cut *cut, struct nb_end *end)
{
    static const struct nb_cut whole = {.tear = FLASH_TEAR_NONE, .action = NB_ACTION_LIFE};
    memset(end, 0, sizeof *end);
    life->seam = NULL;
    life->cut = cut != NULL ? cut : &whole;
    live(life, life->cut->action == NB_ACTION_TROUBLE, end);
    if (!life->is_cut)
        note_around(life);
}

static int normalise(void *context)
{
    const struct nb_life_machine *life = context;
    return nb_rings_normalise(life->machine.sim, nb_virtual_device(life->virtual));
}

/* ---- the machine ------------------------------------------------------------------------- */

static void widen(struct nb_machine *machine, const struct sim_region *region)
{
    if (region->size == 0)
        return;
    if (machine->from == machine->to)
        machine->from = region->address;
    if (region->address < machine->from)
        machine->from = region->address;
    if (region->address + region->size > machine->to)
        machine->to = region->address + region->size;
}

static void lay_out(struct nb_life_machine *life)
{
    const struct sim_device *device = nb_virtual_device(life->virtual);
    const struct sim_region *regions[] = {&device->primary, &device->secondary, &device->scratch,
                                          &device->status,  &device->journal,   &device->progress,
                                          &device->factory};
    struct nb_machine *machine = &life->machine;
    uint32_t end = device->primary.address + device->primary.size;
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++)
        widen(machine, regions[i]);
    if (device->format.max_sectors != 0) {
        machine->entries_end = end - img_trailer_swap_size(&device->format);
        machine->entries = end - img_trailer_size(&device->format);
    }
    machine->loader = device->loader.address;
    machine->loader_end = device->loader.address + device->loader.size;
    machine->formal[0] =
        (struct nb_formal){device->journal.address, device->journal.address + device->journal.size};
    machine->formal[1] = (struct nb_formal){device->progress.address,
                                            device->progress.address + device->progress.size};
    if (device->scheme->store)
        machine->formal[2] = (struct nb_formal){device->status.address,
                                                device->status.address + device->status.size};
}

/* The versions of a list, as a set of nb_runs. */
static unsigned set_of(const struct nb_life_machine *life, const struct nb_expect *expect)
{
    unsigned set = 0;
    for (size_t i = 0; i < expect->version_count; i++)
        set |= img_version_compare(&expect->versions[i], &life->old) == 0   ? NB_RUNS_OLD
               : img_version_compare(&expect->versions[i], &life->new) == 0 ? NB_RUNS_NEW
                                                                            : NB_RUNS_OTHER;
    return set;
}

/* What was there before the update, and what is on offer. */
static void find_versions(struct nb_life_machine *life)
{
    const struct nb_oracle *oracle = nb_virtual_oracle(life->virtual);
    life->old = oracle->confirmed;
    life->new = oracle->offered >= 0 ? oracle->images[oracle->offered].version : life->old;
}

int nb_life_open(struct nb_life_machine *life, struct nb_virtual *virtual,
                 const struct nb_script *script, char reason[NB_LINE])
{
    memset(life, 0, sizeof *life);
    life->virtual = virtual;
    for (size_t i = 0; i < script->step_count; i++) {
        const struct nb_step *step = &script->steps[i];
        if (step->kind == NB_PROVE)
            life->prove = step;
        else if (life->prove != NULL && step->kind == NB_UNTIL_STABLE)
            life->stable = step;
        else if (life->prove != NULL && step->kind == NB_UNTIL_REPORTED)
            life->report = step;
    }
    const struct sim_system *system = sim_system_find(nb_virtual_device(virtual)->system);
    life->answers = system != NULL && system->reports && !script->agent.direct &&
                    !script->agent.send_direct && !script->agent.no_result;
    life->port =
        (struct flash_port){life, flash_read, flash_program, flash_erase, flash_sync, flash_sector};
    life->machine = (struct nb_machine){
        .context = life,
        .sim = nb_virtual_flash(virtual),
        .counter = &life->around,
        .normalise = normalise,
        .run = run,
    };
    lay_out(life);
    find_versions(life);
    struct nb_demand *demand = &life->machine.demand;
    demand->boots = set_of(life, &life->prove->expect);
    demand->rests = life->stable != NULL && life->stable->expect.version_count != 0
                        ? set_of(life, &life->stable->expect)
                        : demand->boots;
    if ((demand->boots | demand->rests) & NB_RUNS_OTHER) {
        snprintf(reason, NB_LINE,
                 "line %u: `%.60s`: a version is neither in flash at first nor on offer",
                 life->prove->line, life->prove->text);
        return OTA_E_ARGUMENT;
    }
    life->now.counter = *nb_virtual_counter(virtual);
    memcpy(&life->now.oracle, nb_virtual_oracle(virtual), sizeof life->now.oracle);
    note_around(life);
    return life->err;
}

void nb_life_close(struct nb_life_machine *life)
{
    while (life->texts != NULL) {
        struct nb_texts *next = life->texts->next;
        free(life->texts);
        life->texts = next;
    }
    nb_arounds_free(&life->arounds);
}

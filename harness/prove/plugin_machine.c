#include "harness/prove/plugin_machine.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- the flash that the plugin sees ---- */

__attribute__((noreturn)) static void end_boot(struct nb_plugin_machine *machine, const char *wrong,
                                               const char *what, uint32_t address, uint32_t length)
{
    machine->wrong = wrong;
    const char *rule = flash_sim_violation(machine->sim);
    snprintf(machine->detail, sizeof machine->detail, "%s of %u byte%s at 0x%06x%s%s", what, length,
             length == 1 ? "" : "s", address, rule[0] ? ": " : "", rule);
    nb_plugin_leave();
}

/* Lies the range in one area? */
static const struct nb_plugin_area *area_of(const struct nb_plugin_machine *machine,
                                            uint32_t address, uint32_t length)
{
    for (size_t i = 0; i < machine->device->area_count; i++) {
        const struct nb_plugin_area *area = &machine->device->areas[i];
        if (address >= area->region.address && length <= area->region.size &&
            address - area->region.address <= area->region.size - length)
            return area;
    }
    return NULL;
}

static void may_change(struct nb_plugin_machine *machine, const char *what, uint32_t address,
                       uint32_t length)
{
    const struct nb_plugin_area *area = area_of(machine, address, length);
    if (area == NULL)
        end_boot(machine, "the bootloader writes outside its areas", what, address, length);
    if (area->read_only)
        end_boot(machine, "the bootloader writes an area that is read-only", what, address, length);
}

/* The power is off, or the run was stopped: nothing comes back. */
static int come_back(struct nb_plugin_machine *machine, int err, const char *what, uint32_t address,
                     uint32_t length)
{
    nb_plugin_return_from_flash();
    if (err == OTA_E_POWER)
        nb_plugin_leave();
    if (err != 0 && err != OTA_E_FLASH_READ)
        end_boot(machine, "the device does what its flash forbids", what, address, length);
    return err;
}

/* What the plugin points to is touched before the flash works: if it is no memory, that is the
 * plugin's fault, and happens in the plugin. */

static int seam_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct nb_plugin_machine *machine = context;
    const struct flash_port *port = machine->seam->flash;
    if (length == 0)
        return 0;
    if (area_of(machine, address, length) == NULL)
        end_boot(machine, "the bootloader reads outside its areas", "read", address, length);
    nb_plugin_enter_flash();
    int err = port->read(port->context, address, machine->bytes, length);
    err = come_back(machine, err, "read", address, length);
    memcpy(data, machine->bytes, length);
    return err;
}

static int seam_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct nb_plugin_machine *machine = context;
    const struct flash_port *port = machine->seam->flash;
    may_change(machine, "program", address, length);
    memcpy(machine->bytes, data, length);
    nb_plugin_enter_flash();
    int err = port->program(port->context, address, machine->bytes, length);
    return come_back(machine, err, "program", address, length);
}

/* Of the sector that holds the address; 1 beyond the flash. */
static uint32_t sector_size(const struct nb_plugin_machine *machine, uint32_t address)
{
    const struct flash_port *port = flash_sim_port(machine->sim);
    struct flash_sector sector;
    return port->sector(port->context, address, &sector) == 0 ? sector.size : 1;
}

static int seam_erase(void *context, uint32_t address)
{
    struct nb_plugin_machine *machine = context;
    const struct flash_port *port = machine->seam->flash;
    may_change(machine, "erase", address, sector_size(machine, address));
    nb_plugin_enter_flash();
    int err = port->erase(port->context, address);
    return come_back(machine, err, "erase", address, sector_size(machine, address));
}

static int seam_sector(void *context, uint32_t address, struct nobrick_sector *out)
{
    struct nb_plugin_machine *machine = context;
    const struct flash_port *port = machine->seam->flash;
    struct flash_sector sector;
    if (area_of(machine, address, 1) == NULL)
        end_boot(machine, "the bootloader asks for a sector outside its areas", "sector", address,
                 1);
    nb_plugin_enter_flash();
    int err = port->sector(port->context, address, &sector);
    err = come_back(machine, err, "sector", address, 1);
    *out =
        (struct nobrick_sector){sector.start, sector.size, sector.unit, sector.page, sector.erased};
    return err;
}

/* ---- what a boot comes to ---- */

static bool lies_there(const struct nb_plugin_machine *machine, const struct nb_plugin_image *image,
                       uint32_t address)
{
    uint32_t size = flash_sim_size(machine->sim);
    if (image->size == 0 || address > size || image->size > size - address)
        return false;
    machine->seam->reads(machine->seam->context, address, image->size);
    const struct flash_port *port = flash_sim_port(machine->sim);
    return port->read(port->context, address, machine->bytes, image->size) == 0 &&
           memcmp(machine->bytes, image->data, image->size) == 0;
}

/* By the bytes at that address; the longer image first, in case that it begins as the other one. */
static enum nb_runs what_runs(const struct nb_plugin_machine *machine, uint32_t address)
{
    if (address == NOBRICK_NOTHING)
        return NB_RUNS_NOTHING;
    bool new_first = machine->new.size > machine->old.size;
    if (new_first && lies_there(machine, &machine->new, address))
        return NB_RUNS_NEW;
    if (lies_there(machine, &machine->old, address))
        return NB_RUNS_OLD;
    return !new_first && lies_there(machine, &machine->new, address) ? NB_RUNS_NEW : NB_RUNS_OTHER;
}

static const char *fault_text(int number)
{
    static const struct {
        int number;
        const char *text;
    } rows[] = {
        {SIGABRT, "the bootloader aborts (SIGABRT: an assertion, or abort)"},
        {SIGSEGV, "the bootloader crashes (SIGSEGV)"},
        {SIGBUS, "the bootloader crashes (SIGBUS)"},
        {SIGFPE, "the bootloader crashes (SIGFPE)"},
        {SIGILL, "the bootloader crashes (SIGILL)"},
        {SIGTRAP, "the bootloader crashes (SIGTRAP)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].number == number)
            return rows[i].text;
    return "the bootloader crashes";
}

void nb_plugin_machine_boot(struct nb_plugin_machine *machine, const struct nb_seam *seam,
                            struct nb_end *end)
{
    const struct nobrick_flash flash = {
        .context = machine,
        .read = seam_read,
        .program = seam_program,
        .erase = seam_erase,
        .sector = seam_sector,
        .areas = machine->areas,
        .area_count = (uint32_t)machine->device->area_count,
    };
    struct nb_plugin_boot boot;
    machine->seam = seam;
    machine->wrong = NULL;
    machine->detail[0] = '\0';
    nb_plugin_run(machine->plugin, &flash, &boot);
    switch (boot.end) {
    case NB_PLUGIN_RETURNED:
        end->runs = what_runs(machine, boot.address);
        break;
    case NB_PLUGIN_LEFT:
        end->wrong = machine->wrong;
        break;
    case NB_PLUGIN_FAULTED:
        end->wrong = fault_text(boot.signal);
        break;
    case NB_PLUGIN_HUNG:
        end->wrong = "the bootloader does not come to an end";
        machine->hung = 1;
        break;
    }
}

static void run(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end)
{
    struct nb_plugin_machine *machine = context;
    (void)action; /* a plugin only boots */
    nb_plugin_reset(machine->plugin);
    nb_plugin_machine_boot(machine, seam, end);
}

/* ---- life ---- */

int nb_plugin_machine_open(struct nb_plugin_machine *machine, const struct nb_plugin_device *device,
                           const struct nb_plugin_case *which, struct nb_plugin *plugin,
                           struct flash_text_error *error)
{
    memset(machine, 0, sizeof *machine);
    machine->device = device;
    machine->plugin = plugin;
    int err =
        nb_plugin_case_make(device, which, &machine->sim, &machine->old, &machine->new, error);
    if (err != 0)
        return err;
    machine->bytes = malloc(flash_sim_size(machine->sim));
    machine->machine = (struct nb_machine){
        .context = machine,
        .sim = machine->sim,
        .counter = &machine->counter,
        .demand = {.boots = NB_RUNS_OLD | NB_RUNS_NEW, .rests = which->rests},
        .run = run,
    };
    for (size_t i = 0; i < device->area_count; i++) {
        const struct nb_plugin_area *area = &device->areas[i];
        uint32_t end = area->region.address + area->region.size;
        struct nb_machine *all = &machine->machine;
        machine->areas[i] =
            (struct nobrick_area){area->name, area->region.address, area->region.size};
        if (area->read_only)
            continue;
        all->from =
            all->to == 0 || area->region.address < all->from ? area->region.address : all->from;
        all->to = end > all->to ? end : all->to;
    }
    if (machine->bytes != NULL)
        return 0;
    nb_plugin_machine_close(machine);
    snprintf(error->message, sizeof error->message, "memory ran out");
    return OTA_E_NO_SPACE;
}

void nb_plugin_machine_close(struct nb_plugin_machine *machine)
{
    flash_sim_close(machine->sim);
    free(machine->old.data);
    free(machine->new.data);
    free(machine->bytes);
    memset(machine, 0, sizeof *machine);
}

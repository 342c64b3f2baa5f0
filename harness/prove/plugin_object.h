/* A bootloader in a shared object: loaded, set back to what it was, and run under guard.
 *
 * One at a time in a process: signals and timers are the process's. The kernel's faults, assert,
 * abort and a boot without end come back as an end of the boot. What else ends the process (exit, a
 * signal that cannot be caught) does end it: whoever must survive that runs in a child. */
#ifndef NOBRICK_HARNESS_PROVE_PLUGIN_OBJECT_H
#define NOBRICK_HARNESS_PROVE_PLUGIN_OBJECT_H

#include "agent/ports.h"
#include "harness/prove/plugin.h"

#define NB_PLUGIN_IDLE_S                                                                           \
    5u /* in a row, by the clock, in which it computes nothing: it only sleeps */

/* Processor time in one boot, in ms: more is a boot without end. 2000; a test of which each such
 * boot costs that sets less. */
extern uint32_t nb_plugin_cpu_ms;

struct nb_plugin;

/* Loads the shared object. OTA_E_ARGUMENT with one line in `reason`: it is missing, is none, or has
 * no entry point of this version. */
OTA_MUST_CHECK int nb_plugin_open(const char *path, struct nb_plugin **out, char *reason,
                                  size_t size);
void nb_plugin_close(struct nb_plugin *plugin);

/* Sets the writable memory of the plugin, and of objects that came with it, to what it was when it
 * had been loaded. */
void nb_plugin_reset(struct nb_plugin *plugin);

enum nb_plugin_end {
    NB_PLUGIN_RETURNED,
    NB_PLUGIN_LEFT,    /* the flash did not return: nb_plugin_leave */
    NB_PLUGIN_FAULTED, /* it died of a signal */
    NB_PLUGIN_HUNG
};

struct nb_plugin_boot {
    enum nb_plugin_end end;
    uint32_t address; /* RETURNED */
    int signal;       /* FAULTED */
};

/* Calls the entry point. */
void nb_plugin_run(struct nb_plugin *plugin, const struct nobrick_flash *flash,
                   struct nb_plugin_boot *boot);

/* For the flash, while a boot runs: from ENTER to RETURN nothing takes the control away, for it is
 * nobrick's own code. RETURN does not come back when the boot's time is up. */
void nb_plugin_enter_flash(void);
void nb_plugin_return_from_flash(void);
/* Ends the boot there and then. */
__attribute__((noreturn)) void nb_plugin_leave(void);

#endif

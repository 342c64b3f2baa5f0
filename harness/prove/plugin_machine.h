/* A plugin and its device as a machine for the search: what it may do to the flash, and what its
 * boots come to. */
#ifndef NOBRICK_HARNESS_PROVE_PLUGIN_MACHINE_H
#define NOBRICK_HARNESS_PROVE_PLUGIN_MACHINE_H

#include "harness/prove/plugin_device.h"
#include "harness/prove/plugin_object.h"
#include "harness/prove/search.h"

struct nb_plugin_machine {
    struct nb_machine machine;
    const struct nb_plugin_device *device;
    struct nb_plugin *plugin;
    struct flash_sim *sim;
    struct nb_plugin_image old;
    struct nb_plugin_image new;
    struct nobrick_area areas[NB_PLUGIN_AREAS];
    uint32_t counter;  /* no plugin has one */
    void *owner;       /* the caller's */
    volatile int hung; /* a boot without end was seen: the search may stop */
    /* of the run at hand */
    const struct nb_seam *seam;
    uint8_t *bytes; /* as many as the flash has: what crosses the seam */
    const char *wrong;
    char detail[160]; /* of what was wrong; "": nothing to add */
};

/* Makes flash and images of the case. `plugin` stays the caller's. On failure `error` says what,
 * and nothing is to be closed. */
OTA_MUST_CHECK int nb_plugin_machine_open(struct nb_plugin_machine *machine,
                                          const struct nb_plugin_device *device,
                                          const struct nb_plugin_case *which,
                                          struct nb_plugin *plugin, struct flash_text_error *error);
void nb_plugin_machine_close(struct nb_plugin_machine *machine);

/* One boot, the plugin's memory as it is: nb_machine's run sets it back first. */
void nb_plugin_machine_boot(struct nb_plugin_machine *machine, const struct nb_seam *seam,
                            struct nb_end *end);

#endif

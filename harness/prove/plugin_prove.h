/* `nobrick prove --plugin`: a bootloader of yours after any number of power cuts.
 *
 * Every case is searched in a process of its own, and what failed is repeated in another one that
 * loads the plugin anew. A plugin that ends its process is a finding like a crash. */
#ifndef NOBRICK_HARNESS_PROVE_PLUGIN_PROVE_H
#define NOBRICK_HARNESS_PROVE_PLUGIN_PROVE_H

#include "harness/run/run.h"

#include "harness/prove/plugin_device.h"

#define NB_PLUGIN_WORLD "plugin" /* in a replay id, whose path is the shared object */

/* One case: cell->plugin_case of `device`. With cuts in the cell only the chain that they name. */
void nb_plugin_prove(const char *plugin, const struct nb_plugin_device *device,
                     const struct nb_cell *cell, struct nb_outcome *outcome);

/* The verb `prove` with a plugin: all cases of the device file that `cell` names. Returns the exit
 * code. */
int nb_plugin_prove_all(const char *plugin, const struct nb_cell *cell, size_t jobs, bool json);

/* The verb `replay` with the id of such a case. Returns the exit code. */
int nb_plugin_replay(const char *plugin, const struct nb_cell *cell);

#endif

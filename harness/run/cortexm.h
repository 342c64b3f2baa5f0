/* The cortexm world, for the sweep on the board. Private to harness/. */
#ifndef NOBRICK_HARNESS_RUN_CORTEXM_H
#define NOBRICK_HARNESS_RUN_CORTEXM_H

#include "harness/run/run.h"

/* Plays the cell on the board once, with the cuts that it names: what `@flash:*` sweeps is not
 * swept. The board can run here. As an engine (harness/run/run.h). */
OTA_MUST_CHECK int nb_cortexm_play(const struct nb_script *script, const struct nb_cell *cell,
                                   struct nb_outcome *outcome);

#endif

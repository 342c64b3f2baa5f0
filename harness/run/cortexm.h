/* The cortexm world, for the sweep on the board. Private to harness/. */
#ifndef NOBRICK_HARNESS_RUN_CORTEXM_H
#define NOBRICK_HARNESS_RUN_CORTEXM_H

#include "harness/prove/cuts.h"
#include "harness/run/play.h"

/* Plays the cell on the board once, with the cuts that it names: what `@flash:*` sweeps is not
 * swept, but listed in `cuts` (NULL: not wanted): before each operation, and inside those that can
 * be torn. The board can run here. OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_cortexm_play(const struct nb_script *script, const struct nb_cell *cell,
                                   struct nb_cut_list *cuts, struct nb_outcome *outcome);

/* Its stage (play.h), for harness/run/posix.h. */
struct nb_stage nb_cortexm_stage(void);

#endif

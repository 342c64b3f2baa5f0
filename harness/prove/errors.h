/* The sweep of errors: each flash operation of one device step fails once, in turn, and each time
 * the rest of the scenario must hold. The step is run whole every time, for what it does after the
 * error is what is looked at. */
#ifndef NOBRICK_HARNESS_PROVE_ERRORS_H
#define NOBRICK_HARNESS_PROVE_ERRORS_H

#include "harness/run/bench.h"

/* Sweeps step `index` of the bench's script from the present state, and runs the steps after it at
 * each error. Fills points, cuts, story, notes and verdict of `outcome`. 0, or what kept the sweep
 * itself from running. */
OTA_MUST_CHECK int nb_errors_sweep(struct nb_bench *bench, size_t index,
                                   struct nb_outcome *outcome);

#endif

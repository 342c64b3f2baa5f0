/* The sweep: the power is cut in every operation of one device step, with every tear that makes
 * sense there, and each time the rest of the scenario must hold.
 *
 * The step runs once a window with a snapshot taken before each of its operations; every cut then
 * branches from its snapshot, so that nothing before the cut is done again. */
#ifndef NOBRICK_HARNESS_PROVE_SWEEP_H
#define NOBRICK_HARNESS_PROVE_SWEEP_H

#include "harness/run/bench.h"

/* Sweeps step `index` of the bench's script from the present state; steps after it are run at each
 * point. Fills points, cuts, story, notes and verdict of `outcome`. 0, or what kept the sweep
 * itself from running. */
OTA_MUST_CHECK int nb_sweep(struct nb_bench *bench, size_t index, struct nb_outcome *outcome);

#endif

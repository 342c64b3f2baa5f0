/* `prove` in a script with a cloud: an update in all its phases, from the first byte of the
 * download to the report, after any number of power cuts in any of them.
 *
 * Whole lives of the device are the runs of the search (life.h). When cuts stop, and with them
 * the script's faults of cloud and network, each state must come to rest as the script says, or,
 * when it is offered what it refuses, go round in a circle of which each life ends so. */
#ifndef NOBRICK_HARNESS_PROVE_LIVES_H
#define NOBRICK_HARNESS_PROVE_LIVES_H

#include "harness/run/run.h"

/* As an engine (harness/run/run.h). With cuts in the cell only the chain that they name is played;
 * faults that the cell names stand in front of the `prove` line. */
OTA_MUST_CHECK int nb_lives_prove(const struct nb_script *script, const struct nb_cell *cell,
                                  struct nb_outcome *outcome);

#endif

/* A sweep of power cuts on the instruction set: the host's sweep in the virtual world tries every
 * cut, with the very images that the board runs, and tells which cuts are of one class; the board
 * then takes one of each. Cuts are of one class when they tear the same kind of operation in the
 * same region the same way, whatever the length of a tail, and the device tells the same story
 * afterwards.
 *
 * The board must come to the same verdict, by the same flash operations, to the same bytes. */
#ifndef NOBRICK_HARNESS_PROVE_ISA_H
#define NOBRICK_HARNESS_PROVE_ISA_H

#include "harness/run/run.h"

/* As an engine (harness/run/run.h). Under cell->every the board takes every cut. */
OTA_MUST_CHECK int nb_isa_sweep(const struct nb_script *script, const struct nb_cell *cell,
                                struct nb_outcome *outcome);

#endif

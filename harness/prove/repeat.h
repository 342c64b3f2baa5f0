/* A chain of runs, each cut or whole, played on the bench as any device step is: how a failure that
 * the search found is repeated, without any of the search. */
#ifndef NOBRICK_HARNESS_PROVE_REPEAT_H
#define NOBRICK_HARNESS_PROVE_REPEAT_H

#include "harness/prove/device.h"

/* Plays the chain from where the device stands, then boots until two boots in a row leave the flash
 * alone, and judges. Pass, fail with a reason, or vacuous when a cut never fell. */
enum nb_verdict nb_repeat(struct nb_prove_device *device, const struct nb_step *step,
                          const struct nb_cut *cuts, size_t count, char reason[NB_LINE]);

/* Plays the whole script with the chain of `proof` in a child process, on flash, images and crypto
 * made anew. True when it fails there, too; then its story is in `outcome`. */
bool nb_repeat_elsewhere(const struct nb_script *script, const struct nb_cell *cell,
                         const struct nb_proof *proof, struct nb_outcome *outcome);

#endif

/* `prove`: the loader of a scenario after any number of power cuts.
 *
 * Builds a machine out of the bench as it stands, searches, judges, and repeats what failed on
 * flash and keys made anew before it is reported. */
#ifndef NOBRICK_HARNESS_PROVE_PROVE_H
#define NOBRICK_HARNESS_PROVE_PROVE_H

#include "harness/run/bench.h"

/* Plays the `prove` step `index` of the bench's script and the `until stable` behind it; with cuts
 * in the cell only the chain that they name. Pass, fail, vacuous, or error when the search did not
 * come to its end; with the reason, and notes, story, points (edges) and cuts in `outcome`. */
enum nb_verdict nb_prove(struct nb_bench *bench, size_t index, char reason[NB_LINE],
                         struct nb_outcome *outcome);

/* What every proof says of itself, as notes: the verdict, with the names of the images, and its
 * bounds. */
void nb_prove_figures(const struct nb_cell *cell, const struct nb_proof *proof, const char *old,
                      const char *new, struct nb_outcome *outcome);

/* Of a proof with failures: puts the chain into `outcome->cuts`, and a sentence into `text`. */
void nb_prove_failure(const struct nb_proof *proof, struct nb_outcome *outcome, char *text,
                      size_t size);

/* The verdict of a proof whose map could not be written, as errno says: no pass. */
enum nb_verdict nb_prove_mapless(enum nb_verdict verdict, char reason[NB_LINE],
                                 struct nb_outcome *outcome);

/* nb_prove_figures with the names that versions have in scripts. */
void nb_prove_tell(const struct nb_cell *cell, const struct img_version *old,
                   const struct img_version *new, const struct nb_proof *proof,
                   struct nb_outcome *outcome);

/* The verdict on a search, with a reason; a failure was repeated in another process, and its story
 * is in `outcome`. */
enum nb_verdict nb_prove_judge(const struct nb_script *script, const struct nb_cell *cell,
                               const struct nb_step *step, const struct nb_proof *proof,
                               char reason[NB_LINE], struct nb_outcome *outcome);

#endif

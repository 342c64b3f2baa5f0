/* A chain of runs, each cut or whole, played as any device step is: how a failure that the search
 * found is repeated, without any of the search. */
#ifndef NOBRICK_HARNESS_PROVE_REPEAT_H
#define NOBRICK_HARNESS_PROVE_REPEAT_H

#include "harness/run/run.h"

struct nb_repeat {
    struct nb_machine *machine;
    enum nb_phase phase; /* where the device stands */
    const char *old;     /* what the images are called */
    const char *new;
    void *context;
    void (*tell)(void *context, const char *line); /* hears the story */
};

/* Plays the chain from where the device stands, then boots until two boots in a row leave the flash
 * alone, and judges. Pass; fail with *wrong a static text; or vacuous, with why, when a cut never
 * fell. */
enum nb_verdict nb_repeat(struct nb_repeat *repeat, const struct nb_cut *cuts, size_t count,
                          const char **wrong);

/* Plays the whole script with the chain of `proof` in a child process, on flash, images and crypto
 * made anew. True when it fails there, too; then its story is in `outcome`. */
bool nb_repeat_elsewhere(const struct nb_script *script, const struct nb_cell *cell,
                         const struct nb_proof *proof, struct nb_outcome *outcome);

#endif

/* Making a failing history small: fewer faults, smaller numbers in them, no seed, smaller images,
 * smaller slots. What still fails for the same reason is kept. */
#ifndef NOBRICK_HARNESS_PROVE_SHRINK_H
#define NOBRICK_HARNESS_PROVE_SHRINK_H

#include "harness/prove/explore.h"

struct nb_shrunk {
    uint64_t seed;
    struct nb_drawn drawn[NB_DRAWN];
    size_t count;
    char *script;              /* the whole of it, fit to be saved; malloc'ed */
    struct nb_outcome outcome; /* how it fails */
    unsigned plays;            /* tried on the way */
};

/* Are they the same but for numbers? */
bool nb_same_reason(const char *a, const char *b);

/* Shrinks what `explorer` fails with under this seed and these faults; text, path and cell are
 * those that it was made of. OTA_E_ARGUMENT when it does not fail; `out` is to be freed after 0. */
OTA_MUST_CHECK int nb_shrink(struct nb_explorer *explorer, const char *text, uint64_t seed,
                             const struct nb_drawn *drawn, size_t count, struct nb_shrunk *out);
void nb_shrunk_free(struct nb_shrunk *shrunk);

/* The verb `nobrick shrink`. */
int nb_cmd_shrink(int argc, char **argv);

#endif

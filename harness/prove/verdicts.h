/* What `nobrick prove` prints: a line or two a cell, the story and replay id of one that fails, and
 * a verdict over all; or the same as one JSON document; or a table (closures.h). */
#ifndef NOBRICK_HARNESS_PROVE_VERDICTS_H
#define NOBRICK_HARNESS_PROVE_VERDICTS_H

#include "harness/prove/closures.h"

struct nb_verdicts {
    bool json;
    bool table; /* cells that do not pass, and the last line, go to standard error */
    FILE *out;
    /* so far */
    size_t cells;
    size_t closed;
    size_t bad[NB_ERROR + 1]; /* cells by verdict */
    uint64_t states;
    uint64_t masked;
    uint64_t edges;
    unsigned depth;
    double seconds; /* summed over cells */
    struct nb_closures closures;
};

/* `cell` of the script at `path`, which is called `name`; `id` replays it. */
void nb_verdicts_add(struct nb_verdicts *verdicts, const char *path, const char *name,
                     const struct nb_cell *cell, const char *id, const struct nb_outcome *outcome);

/* The verdict over all, of `planned` cells. Returns the exit code. */
int nb_verdicts_end(struct nb_verdicts *verdicts, size_t planned);

#endif

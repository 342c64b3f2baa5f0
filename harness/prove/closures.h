/* The closures of many cells as a Markdown table, a row a part and scheme: what `nobrick prove
 * --table` prints. */
#ifndef NOBRICK_HARNESS_PROVE_CLOSURES_H
#define NOBRICK_HARNESS_PROVE_CLOSURES_H

#include "harness/run/run.h"

/* All cells of one part and scheme. */
struct nb_closure {
    char part[NB_WORD];   /* "": the scheme's usual one */
    char scheme[NB_WORD]; /* "": the script's */
    size_t cells;
    size_t closed;
    uint64_t states;
    uint64_t masked;
    uint64_t edges;
    unsigned depth;  /* the most of a cell */
    double longest;  /* seconds of one core, of a cell */
    double seconds;  /* of all cells */
    size_t failures; /* cells that fail */
};

/* Zeroed to begin with; the caller's, until _free. */
struct nb_closures {
    struct nb_closure *rows;
    size_t count;
};

OTA_MUST_CHECK int nb_closures_add(struct nb_closures *closures, const struct nb_cell *cell,
                                   const struct nb_outcome *outcome);
/* The table, rows by part and then scheme. */
void nb_closures_print(struct nb_closures *closures, FILE *out);
void nb_closures_free(struct nb_closures *closures);

#endif

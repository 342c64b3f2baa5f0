/* Cells side by side: each is played in a forked child, and its outcome is told in the order of the
 * cells, so that what is shown does not depend on who was faster. The kernel ends the children when
 * the parent goes. */
#ifndef NOBRICK_HARNESS_PROVE_CREW_H
#define NOBRICK_HARNESS_PROVE_CREW_H

#include "harness/run/run.h"

struct nb_crew {
    void *context;
    /* Fills the outcome of cell `index`; in a child. */
    void (*play)(void *context, size_t index, struct nb_outcome *outcome);
    /* Hears of it; in the parent, in order. */
    void (*tell)(void *context, size_t index, const struct nb_outcome *outcome);
};

/* Plays `count` cells, `jobs` at a time, until `*stop` is not 0. A child that dies is an outcome,
 * too (error). OTA_E_IO when no process can be started, OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_crew_run(const struct nb_crew *crew, size_t count, size_t jobs,
                               const volatile int *stop);

#endif

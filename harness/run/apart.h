/* Playing in a process of its own: what an agent or loader does to the process it runs in (dies of
 * a signal, an assertion, an endless loop; leaves something in static memory) is an outcome like
 * any other, and nobody else's.
 *
 * One play at a time in a process; a child may play apart, too. */
#ifndef NOBRICK_HARNESS_RUN_APART_H
#define NOBRICK_HARNESS_RUN_APART_H

#include "harness/run/run.h"

#define NB_APART_SECONDS 120 /* of real time: no single play takes so long */

/* Calls `play` in a child and takes over the outcome that it fills. A child that dies is FAIL: with
 * the signal, and as its cuts what nb_apart_note said last. `outcome` comes zeroed. Returns what
 * `play` returns; OTA_E_IO when there is no child; OTA_E_CANCELLED when nb_run_stop is set. */
OTA_MUST_CHECK int nb_apart(int (*play)(void *context, struct nb_outcome *outcome), void *context,
                            struct nb_outcome *outcome);

/* A play begins, with these cuts ("37.half"; "" for none): from now on it has NB_APART_SECONDS.
 * Nothing happens in a process that does not play apart. */
void nb_apart_note(const char *cuts);
/* What follows takes as long as it takes. */
void nb_apart_rest(void);

#endif

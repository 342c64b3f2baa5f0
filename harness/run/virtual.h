/* The virtual world for scenarios with a network: device, broker, servers, cloud side and fault
 * proxy in this process, on one virtual clock. A run depends on script, cell and seed only.
 *
 * An nb_virtual plays one script and cell as often as one likes; each time begins from the same
 * flash. Private to harness/run and harness/prove. */
#ifndef NOBRICK_HARNESS_RUN_VIRTUAL_H
#define NOBRICK_HARNESS_RUN_VIRTUAL_H

#include "harness/run/trace.h"

struct nb_virtual;
struct nb_cut_list; /* harness/prove/cuts.h */

/* NULL when memory runs out. Script and cell must outlive it. */
struct nb_virtual *nb_virtual_new(const struct nb_script *script, const struct nb_cell *cell);
void nb_virtual_free(struct nb_virtual *virtual);

/* Plays the script from its beginning, with the cuts that the cell names now; `outcome` comes
 * zeroed. A `@flash:*` line beyond the cell's cuts cuts nothing: `cuts` (may be NULL) is given
 * every way in which the step behind it could be cut. */
void nb_virtual_play(struct nb_virtual *virtual, struct nb_cut_list *cuts,
                     struct nb_outcome *outcome);

/* From now on this script is played: one with the same header and images as the first. */
void nb_virtual_script(struct nb_virtual *virtual, const struct nb_script *script);

/* Everything that was said in the latest play; until the next one. */
const struct nb_trace *nb_virtual_trace(const struct nb_virtual *virtual);
/* The most flash operations that any device step had in any play so far. */
uint32_t nb_virtual_operations(const struct nb_virtual *virtual);
/* Milliseconds of the longest device step of the latest play. */
uint64_t nb_virtual_longest(const struct nb_virtual *virtual);
/* The device's board, as jobs name it. */
const char *nb_virtual_board(const struct nb_virtual *virtual);
/* Why this cell has no place for the fault, or NULL. */
const char *nb_virtual_cannot(struct nb_virtual *virtual, const struct nb_step *step);

#endif

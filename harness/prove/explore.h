/* Exploring one script and cell: histories of it (prove/history.h), each with the faults that a
 * seed draws (prove/draw.h), played in the virtual world. The oracle judges all along; in the end,
 * when everything is healed, the device must come to rest where the script without faults does, and
 * have reported what that reports.
 *
 * Where that is, is learned first: from the script without faults, and without some of its device
 * steps, for a step in which nothing works is as good as none. */
#ifndef NOBRICK_HARNESS_PROVE_EXPLORE_H
#define NOBRICK_HARNESS_PROVE_EXPLORE_H

#include "harness/prove/draw.h"
#include "harness/prove/history.h"
#include "harness/run/trace.h"

#define NB_STATES_MAX 32

/* What was reached, and how often. */
struct nb_tally {
    uint64_t histories;
    uint64_t armed[NB_VERBS_MAX]; /* by row of nb_script_verbs */
    uint64_t fired[NB_VERBS_MAX];
    uint64_t states[NB_STATES_MAX];
    uint64_t transitions[NB_STATES_MAX][NB_STATES_MAX]; /* from, to */
    uint64_t boots;
    uint64_t cuts;
    uint64_t resets;
};

void nb_tally_add(struct nb_tally *to, const struct nb_tally *from);

struct nb_explorer;

/* The script's text, and where it came from; the cell is copied. NULL with an outcome: the cell is
 * skipped (SKIP), fails without any fault (FAIL), or cannot be played (ERROR). */
struct nb_explorer *nb_explorer_new(const char *text, const char *path, const struct nb_cell *cell,
                                    struct nb_outcome *outcome);
void nb_explorer_free(struct nb_explorer *explorer);

/* The faults that the seed draws; those that the parser or the cell refuses are dropped. Returns
 * how many. They are what is played next. */
size_t nb_explorer_draw(struct nb_explorer *explorer, uint64_t seed,
                        struct nb_drawn drawn[NB_DRAWN]);
/* The same with given faults: OTA_E_ARGUMENT with a message when one is refused. */
OTA_MUST_CHECK int nb_explorer_arm(struct nb_explorer *explorer, const struct nb_drawn *drawn,
                                   size_t count, struct flash_text_error *error);

/* Plays what was drawn or armed last; all other chance comes from the seed. `outcome` comes zeroed.
 */
void nb_explorer_play(struct nb_explorer *explorer, uint64_t seed, struct nb_outcome *outcome);

/* The same in a process of its own: what it dies of is its outcome, and what it leaves in static
 * memory is gone. Its trace is gone, too. */
void nb_explorer_play_apart(struct nb_explorer *explorer, uint64_t seed,
                            struct nb_outcome *outcome);

/* Adds what the latest play reached (tally.c). */
void nb_explorer_tally(const struct nb_explorer *explorer, struct nb_tally *tally);
/* What was drawn or armed last as it was parsed, and all that was said in the latest play. */
const struct nb_script *nb_explorer_parsed(const struct nb_explorer *explorer);
const struct nb_trace *nb_explorer_trace(const struct nb_explorer *explorer);

/* What was drawn or armed last, as a script; the explorer's. */
const char *nb_explorer_script(const struct nb_explorer *explorer);
const struct nb_cell *nb_explorer_cell(const struct nb_explorer *explorer);
/* The most flash operations of a device step. */
uint32_t nb_explorer_operations(const struct nb_explorer *explorer);

/* As an engine (harness/run/run.h), for a cell that is explored: one history. */
OTA_MUST_CHECK int nb_explore_run(const struct nb_script *script, const struct nb_cell *cell,
                                  struct nb_outcome *outcome);

/* The verb `nobrick explore`. */
int nb_cmd_explore(int argc, char **argv);

#endif

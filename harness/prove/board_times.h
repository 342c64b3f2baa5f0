/* The verb `bench board`: how long the Cortex-M board takes, and how deep its stacks get. */
#ifndef NOBRICK_HARNESS_PROVE_BOARD_TIMES_H
#define NOBRICK_HARNESS_PROVE_BOARD_TIMES_H

#include "harness/run/kit.h"

/* Boots, installations and networked updates, three times each: prints two Markdown tables, of
 * seconds from QEMU's start to its end, against their goals, and of the worst stack of each
 * program. A boot waits for nobody: it is held against its goal by the processor time it takes,
 * which is what it lasts on a machine that has nothing else to do. Returns the exit code: 1 when a
 * run fails, or misses its goal in every round. Where the board or a broker is missing it says so,
 * and returns 0. */
int nb_board_times(struct nb_kit *kit);

#endif

/* How many whole updates the virtual world plays in a second: job, download by MQTT chunks, swap,
 * confirm and report. */
#ifndef NOBRICK_HARNESS_PROVE_UPDATES_H
#define NOBRICK_HARNESS_PROVE_UPDATES_H

#include "harness/run/kit.h"

/* Prints a table on stdout. Returns the exit code, after a line on stderr when it is not 0; 128 +
 * the signal when nb_run_stop was set. */
int nb_updates(struct nb_kit *kit);

#endif

/* How fast the device downloads, beside programs that do nothing else: curl with the same ranged
 * requests, mosquitto_sub with the same publications. */
#ifndef NOBRICK_HARNESS_PROVE_THROUGHPUT_H
#define NOBRICK_HARNESS_PROVE_THROUGHPUT_H

#include "harness/run/kit.h"

/* Prints a table on stdout. A peer that is not installed leaves its columns empty. Returns the exit
 * code, after a line on stderr when it is not 0; 128 + the signal when nb_run_stop was set. */
int nb_throughput(struct nb_kit *kit);

#endif

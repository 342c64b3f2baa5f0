/* The verb `bench closures`: how long closures take on this machine. */
#ifndef NOBRICK_HARNESS_PROVE_CLOSING_TIMES_H
#define NOBRICK_HARNESS_PROVE_CLOSING_TIMES_H

#include "harness/run/kit.h"

/* Prints a Markdown table; returns the exit code. */
int nb_closing_times(struct nb_kit *kit);

#endif

/* `nobrick bench`: how fast this machine proves, beside the bound that real crypto sets. */
#ifndef NOBRICK_HARNESS_PROVE_BENCH_H
#define NOBRICK_HARNESS_PROVE_BENCH_H

/* The verb. Prints a table on stdout; returns the exit code: 1 for a figure that is not good, 2 for
 * usage and for a machine that does not let us measure (a full disk). */
int nb_cmd_bench(int argc, char **argv);

#endif

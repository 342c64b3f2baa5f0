/* A search over a toy flash, for the tests of what is made by hand in its graph. Each test says
 * with SECTORS how large it is, and with FROM where the machine's window begins. */
#ifndef NOBRICK_HARNESS_PROVE_GRAPH_RIG_H
#define NOBRICK_HARNESS_PROVE_GRAPH_RIG_H

#include "harness/prove/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define SECTOR 256u /* four chunks */

struct bench {
    struct flash_sim *sim;
    struct nb_machine machine;
    struct nb_search search;
};

static int set_up(void **state)
{
    static const struct flash_part part = {
        .name = "toy",
        .size = SECTORS * SECTOR,
        .runs = {{SECTORS, SECTOR}},
        .run_count = 1,
        .unit = 8,
        .erased = 0xFF,
        .programs = 1,
    };
    const struct flash_chip chip = {part, 0};
    struct bench *bench = calloc(1, sizeof *bench);
    *state = bench;
    if (bench == NULL)
        return -1;
    bench->sim = flash_sim_memory(&chip, 1);
    bench->machine = (struct nb_machine){.sim = bench->sim, .from = FROM, .to = SECTORS * SECTOR};
    bench->search.machine = &bench->machine;
    return bench->sim != NULL ? nb_graph_open(&bench->search) : -1;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    nb_graph_close(&bench->search);
    flash_sim_close(bench->sim);
    free(bench);
    return 0;
}

#endif

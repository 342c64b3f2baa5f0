/* How long a device waits and how often it tries. */
#ifndef NOBRICK_SIM_TIMING_H
#define NOBRICK_SIM_TIMING_H

#include "agent/update/session.h"

enum sim_timing {
    SIM_TIMING_DESK,    /* nobody waits a day for the next check */
    SIM_TIMING_FAST,    /* short, for tests on a wall clock */
    SIM_TIMING_DEFAULT, /* the agent's own */
};

/* What is wished for, and the usual where a wish is 0. */
struct ota_timing sim_timing_of(enum sim_timing usual, const struct ota_timing *wish);

#endif

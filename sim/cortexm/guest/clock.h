/* Clocks of the board: each has its own timers, as the agent's clock seam wants them. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_CLOCK_H
#define NOBRICK_SIM_CORTEXM_GUEST_CLOCK_H

#include "agent/ports.h"

struct guest_clock {
    struct clock_port port;
    void (*fire)(void *owner, unsigned id);
    void *owner;
    bool armed[OTA_TIMERS];
    uint64_t due[OTA_TIMERS];
};

void guest_clock_init(struct guest_clock *clock, void (*fire)(void *owner, unsigned id),
                      void *owner);

/* Fires one timer that is due, the earliest. False: none is. */
bool guest_clock_turn(struct guest_clock *clock);

/* Milliseconds until the next one; UINT32_MAX when none is armed. */
uint32_t guest_clock_wait(const struct guest_clock *clock);

#endif

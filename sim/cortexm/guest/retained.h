/* RAM that survives a reset but no power cut: what loader and application leave for each other and
 * for the next boot. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_RETAINED_H
#define NOBRICK_SIM_CORTEXM_GUEST_RETAINED_H

#include "sim/power_on.h"

/* Why the board was reset: what was noted last. */
enum guest_reset {
    GUEST_RESET_ORDERED,  /* software asked for it, and said so */
    GUEST_RESET_CRASH,    /* a fault handler did */
    GUEST_RESET_WATCHDOG, /* nobody noted anything since an application was started */
};

struct guest_retained {
    uint32_t magic[2];
    enum guest_reset reset;
    uint32_t boots; /* so far, this one too */
    struct sim_past past;
    struct boot_result boot; /* what the loader found, for the application */
};

/* At a boot: cleared when the power was off. */
struct guest_retained *guest_retained_open(void);

/* As it is, after that. */
struct guest_retained *guest_retained(void);

#endif

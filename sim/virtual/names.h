/* Names of the virtual world: there is one machine, this one. A fault lets look-ups fail. */
#ifndef NOBRICK_SIM_VIRTUAL_NAMES_H
#define NOBRICK_SIM_VIRTUAL_NAMES_H

#include "agent/ports.h"

struct virtual_names {
    uint32_t fail_next; /* so many look-ups find nothing */
    uint32_t failed;    /* so many did */
};

/* Is that a host of this world? An address needs no look-up: 127.0.0.1 and ::1, in brackets or not.
 * localhost is looked up; any other name is unknown. `names` may be NULL: no faults. */
bool virtual_names_find(struct virtual_names *names, const char *host);

#endif

/* The security counter: of a counter memory beside the flash, which the bench keeps in a file of
 * the posix world's form ("7\n"). */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NV_H
#define NOBRICK_SIM_CORTEXM_GUEST_NV_H

#include "agent/ports.h"

struct guest_nv {
    struct nv_port port;
    const char *path; /* NULL: the device has none, its calls fail */
};

void guest_nv_init(struct guest_nv *nv, const char *path);

#endif

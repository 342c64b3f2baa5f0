/* The monotonic counter of the posix world: one decimal number in a file, replaced atomically and
 * synced before a raise returns. A file that does not exist counts 0. */
#ifndef NOBRICK_SIM_POSIX_NV_H
#define NOBRICK_SIM_POSIX_NV_H

#include "agent/ports.h"

struct posix_nv {
    struct nv_port port;
    char path[4096];
};

/* OTA_E_NO_SPACE when the path is too long. */
OTA_MUST_CHECK int posix_nv_init(struct posix_nv *nv, const char *path);

#endif

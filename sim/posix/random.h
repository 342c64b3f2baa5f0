/* The random seam of the posix world: the kernel's generator. */
#ifndef NOBRICK_SIM_POSIX_RANDOM_H
#define NOBRICK_SIM_POSIX_RANDOM_H

#include "agent/ports.h"

extern const struct random_port posix_random;

#endif

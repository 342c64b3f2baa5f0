/* Chance on the board: a hash of the seed from the settings, of the boots so far and of a count.
 * The seed comes from the host's generator, so keys made of it are as good as the host's. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_RANDOM_H
#define NOBRICK_SIM_CORTEXM_GUEST_RANDOM_H

#include "agent/ports.h"

#define GUEST_SEED_SIZE 32

void guest_random_seed(const uint8_t seed[GUEST_SEED_SIZE], uint32_t boots);

extern const struct random_port guest_random;

#endif

/* One power cut, for the tests that sweep a flash: at this operation, in one of the ways in which
 * it can be cut. */
#ifndef NOBRICK_FLASHSIM_CUT_RIG_H
#define NOBRICK_FLASHSIM_CUT_RIG_H

#include "flashsim/flashsim.h"

struct cut {
    uint32_t op;
    size_t tear; /* which of those that fit */
    enum flash_tears kind;
    size_t tears; /* how many there were */
};

/* For flash_sim_observe, with a `struct cut`. */
static inline enum flash_tear cut_at(void *context, struct flash_sim *sim,
                                     const struct flash_op *op)
{
    struct cut *cut = context;
    enum flash_tear tears[FLASH_TEAR_COUNT];
    if (op->index != cut->op)
        return FLASH_TEAR_NONE;
    cut->tears = flash_sim_tears_of(sim, op, cut->kind, tears);
    return cut->tear < cut->tears ? tears[cut->tear] : FLASH_TEAR_NONE;
}

#endif

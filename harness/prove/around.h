/* What is around a device's flash when its power goes, and outlives the cut: its counter, what was
 * delivered of it, what the cloud side remembers, and what its oracle knows of its past.
 *
 * The broker keeps nothing: the device asks for clean sessions and nobody retains a message. What
 * is on the wire dies with the power. So equal flash in equal surroundings has an equal future.
 * Surroundings have a number each, equal ones the same; the table owns them. */
#ifndef NOBRICK_HARNESS_PROVE_AROUND_H
#define NOBRICK_HARNESS_PROVE_AROUND_H

#include "harness/run/virtual.h"

enum nb_told { NB_TOLD_SUCCESS = 1, NB_TOLD_FAILURE = 2 }; /* a bit each */

struct nb_around {
    uint32_t counter;
    uint32_t told; /* results that the broker or server has taken: a set of nb_told */
    struct nb_oracle oracle;
    struct anycloud_memory cloud;
};

struct nb_arounds {
    struct nb_around **items;
    size_t count;
    size_t room;
    uint32_t *places; /* a hash table of numbers */
    uint32_t place_count;
    uint32_t last; /* found last: often asked for again */
};

/* The number of these surroundings, whose padding is zero; UINT32_MAX when memory runs out. */
uint32_t nb_arounds_add(struct nb_arounds *arounds, const struct nb_around *around);
const struct nb_around *nb_arounds_at(const struct nb_arounds *arounds, uint32_t number);
void nb_arounds_free(struct nb_arounds *arounds);

#endif

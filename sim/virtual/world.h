/* The virtual world: a clock that jumps from event to event, a queue of what is to happen, and byte
 * streams in memory. One thread, nothing but memory, and every run repeats itself exactly.
 *
 * Events that are due in the same millisecond happen in the order in which they were asked for. A
 * stream takes every byte at once and delivers it `hop_ms` later. The caller owns the world; it is
 * freed last. */
#ifndef NOBRICK_SIM_VIRTUAL_WORLD_H
#define NOBRICK_SIM_VIRTUAL_WORLD_H

#include "sim/virtual/choice.h"
#include "sim/world.h"

#define VIRTUAL_MAX_EVENTS 50000000u /* of one run: a world that never rests is a defect */

struct virtual_world;

/* NULL when memory runs out. */
struct virtual_world *virtual_world_new(void);
void virtual_world_free(struct virtual_world *world);

/* The table of sim/world.h; valid until the world is freed. */
const struct sim_world *virtual_world_table(struct virtual_world *world);
struct choice *virtual_world_choice(struct virtual_world *world);
/* Draws from the world's choice. */
const struct random_port *virtual_world_random(struct virtual_world *world);

/* The clock jumps ahead: timers that are due meanwhile fire late, after it. */
void virtual_world_jump(struct virtual_world *world, uint64_t ms);

/* Milliseconds that a byte takes from one end of a stream to the other; 1 at first. */
void virtual_world_hop(struct virtual_world *world, uint32_t ms);

/* Events so far. A run in which nothing is left to happen, or that has too many of them, returns
 * OTA_E_TIMEOUT; without a limit of time the clock then stays at the last event. */
uint64_t virtual_world_events(const struct virtual_world *world);

#endif

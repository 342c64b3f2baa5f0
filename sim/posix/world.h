/* The world of sim/world.h on real sockets of 127.0.0.1, the wall clock, and one event loop, which
 * others may use beside it. The caller owns loop and world, and frees the world first. */
#ifndef NOBRICK_SIM_POSIX_WORLD_H
#define NOBRICK_SIM_POSIX_WORLD_H

#include "sim/posix/loop.h"
#include "sim/world.h"

struct posix_world;

/* NULL when memory runs out. `loop` outlives the world. */
struct posix_world *posix_world_new(struct posix_loop *loop);
void posix_world_free(struct posix_world *world); /* NULL is fine */

/* Valid until the world is freed. */
const struct sim_world *posix_world_table(struct posix_world *world);

#endif

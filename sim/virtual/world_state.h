/* The virtual world's insides. Private to sim/virtual/world.c and streams.c. */
#ifndef NOBRICK_SIM_VIRTUAL_WORLD_STATE_H
#define NOBRICK_SIM_VIRTUAL_WORLD_STATE_H

#include "sim/virtual/queue.h"
#include "sim/virtual/world.h"

struct virtual_world {
    struct sim_world table;
    struct random_port random;
    struct choice choice;
    struct virtual_queue queue;
    uint64_t now; /* ms */
    uint32_t hop;
    uint64_t events;
    bool stopped;
    bool failed; /* memory ran out: what was to happen is lost, and every run says so */
    int value;
    struct sim_listener *listeners;
    uint16_t next_port;
};

/* The streams' part of the table. */
void virtual_streams_install(struct sim_world *table);

#endif

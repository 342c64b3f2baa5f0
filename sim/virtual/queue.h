/* What is to happen in the virtual world, in order: a binary heap by (time, order of asking).
 * Private to sim/virtual. */
#ifndef NOBRICK_SIM_VIRTUAL_QUEUE_H
#define NOBRICK_SIM_VIRTUAL_QUEUE_H

#include "agent/ports.h"

struct virtual_event {
    uint64_t due; /* ms */
    uint64_t order;
    void (*call)(void *context, uint64_t value);
    void *context;
    uint64_t value; /* the caller's: tells a timer that was armed again from the old one */
};

struct virtual_queue {
    struct virtual_event *events;
    size_t count;
    size_t room;
    uint64_t order;
};

/* OTA_E_NO_SPACE. */
OTA_MUST_CHECK int virtual_queue_add(struct virtual_queue *queue, struct virtual_event event);
/* The next event, taken out; false when there is none. */
bool virtual_queue_take(struct virtual_queue *queue, struct virtual_event *out);
/* Drops every event of this context. */
void virtual_queue_drop(struct virtual_queue *queue, const void *context);
void virtual_queue_free(struct virtual_queue *queue);

#endif

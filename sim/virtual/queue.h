/* What is to happen in the virtual world, in order: a binary heap by (time, order of asking).
 * Private to sim/virtual. */
#ifndef NOBRICK_SIM_VIRTUAL_QUEUE_H
#define NOBRICK_SIM_VIRTUAL_QUEUE_H

#include "agent/ports.h"

struct virtual_event {
    uint64_t due;   /* ms */
    uint64_t order; /* 0: behind all that were asked for so far */
    void (*call)(void *context, uint64_t value);
    void *context;
    uint64_t value; /* the caller's */
};

struct virtual_queue {
    struct virtual_event *events;
    size_t count;
    size_t room;
    uint64_t order; /* the last one given */
};

/* OTA_E_NO_SPACE. */
OTA_MUST_CHECK int virtual_queue_add(struct virtual_queue *queue, struct virtual_event event);
/* The next event, taken out; false when there is none. */
bool virtual_queue_take(struct virtual_queue *queue, struct virtual_event *out);
/* The next number in the order of asking, for what joins the queue later. */
uint64_t virtual_queue_order(struct virtual_queue *queue);
/* True when an event of the queue comes before this place in it. */
bool virtual_queue_has_before(const struct virtual_queue *queue, uint64_t due, uint64_t order);
/* Takes out the event with this context and value, if there is one. */
void virtual_queue_remove(struct virtual_queue *queue, const void *context, uint64_t value);
/* Drops every event of this context. */
void virtual_queue_drop(struct virtual_queue *queue, const void *context);
void virtual_queue_free(struct virtual_queue *queue);

#endif

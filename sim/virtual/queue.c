#include "sim/virtual/queue.h"

#include <stdlib.h>

static bool before(const struct virtual_event *a, const struct virtual_event *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void sift_up(struct virtual_queue *queue, size_t at)
{
    struct virtual_event event = queue->events[at];
    while (at > 0 && before(&event, &queue->events[(at - 1) / 2])) {
        queue->events[at] = queue->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->events[at] = event;
}

static void sift_down(struct virtual_queue *queue, size_t at)
{
    struct virtual_event event = queue->events[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count && before(&queue->events[child + 1], &queue->events[child]))
            child++;
        if (!before(&queue->events[child], &event))
            break;
        queue->events[at] = queue->events[child];
        at = child;
    }
    queue->events[at] = event;
}

uint64_t virtual_queue_order(struct virtual_queue *queue)
{
    return ++queue->order;
}

bool virtual_queue_has_before(const struct virtual_queue *queue, uint64_t due, uint64_t order)
{
    const struct virtual_event place = {.due = due, .order = order};
    return queue->count > 0 && before(&queue->events[0], &place);
}

int virtual_queue_add(struct virtual_queue *queue, struct virtual_event event)
{
    if (queue->count == queue->room) {
        size_t room = queue->room == 0 ? 64 : queue->room * 2;
        struct virtual_event *events = realloc(queue->events, room * sizeof *events);
        if (events == NULL)
            return OTA_E_NO_SPACE;
        queue->events = events;
        queue->room = room;
    }
    if (event.order == 0)
        event.order = virtual_queue_order(queue);
    queue->events[queue->count++] = event;
    sift_up(queue, queue->count - 1);
    return OTA_OK;
}

bool virtual_queue_take(struct virtual_queue *queue, struct virtual_event *out)
{
    if (queue->count == 0)
        return false;
    *out = queue->events[0];
    queue->events[0] = queue->events[--queue->count];
    if (queue->count > 0)
        sift_down(queue, 0);
    return true;
}

void virtual_queue_remove(struct virtual_queue *queue, const void *context, uint64_t value)
{
    size_t at = 0;
    while (at < queue->count &&
           (queue->events[at].context != context || queue->events[at].value != value))
        at++;
    if (at == queue->count)
        return;
    queue->events[at] = queue->events[--queue->count];
    if (at < queue->count) {
        sift_up(queue, at);
        sift_down(queue, at);
    }
}

void virtual_queue_drop(struct virtual_queue *queue, const void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++)
        if (queue->events[i].context != context)
            queue->events[kept++] = queue->events[i];
    if (kept == queue->count)
        return;
    queue->count = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sift_down(queue, i);
}

void virtual_queue_free(struct virtual_queue *queue)
{
    free(queue->events);
    *queue = (struct virtual_queue){0};
}

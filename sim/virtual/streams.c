/* Byte streams of the virtual world: what one end sends lies in the other end's inbox, in order,
 * until its time has come. */
#include "sim/virtual/world_state.h"

#include <stdlib.h>
#include <string.h>

enum item_kind { ITEM_OPENED, ITEM_DATA, ITEM_ENDED };

struct item {
    struct item *next;
    enum item_kind kind;
    int code;
    uint64_t due;
    uint64_t order; /* its place among all that is due then */
    size_t size;
    uint8_t data[];
};

struct sim_stream {
    struct virtual_world *world;
    struct sim_stream *peer;                /* NULL: not there yet, or closed */
    const struct sim_stream_events *events; /* NULL: deaf */
    void *owner;
    uint16_t port; /* of connect */
    struct item *first;
    struct item *last;
    bool scheduled; /* deliver() is in the queue */
    bool paused;
    bool open;       /* the other end was there; it may have gone since */
    bool sent_end;   /* of this direction */
    bool told_end;   /* `ended` was called or lies in the inbox */
    bool told_break; /* … with OTA_E_DISCONNECTED: the last item */
    bool delivering; /* deliver() is under way: it frees a closed stream itself */
    bool closed;
};

struct sim_listener {
    struct sim_listener *next;
    struct virtual_world *world;
    uint16_t port;
    void (*accepted)(void *owner, struct sim_stream *stream);
    void *owner;
};

/* ---- inbox ------------------------------------------------------------------------------- */

static void deliver(void *context, uint64_t value);

static void schedule(struct sim_stream *stream)
{
    if (stream->scheduled || stream->first == NULL || stream->paused || stream->events == NULL)
        return;
    const struct virtual_event event = {.due = stream->first->due,
                                        .order = stream->first->order,
                                        .call = deliver,
                                        .context = stream};
    stream->scheduled = virtual_queue_add(&stream->world->queue, event) == OTA_OK;
    if (!stream->scheduled)
        stream->world->failed = true;
}

/* Puts an item into the inbox. Without memory the world fails. */
static void put(struct sim_stream *stream, enum item_kind kind, int code, const void *data,
                size_t size)
{
    struct virtual_world *world = stream->world;
    struct item *item = malloc(sizeof *item + size);
    if (item == NULL) {
        world->failed = true;
        return;
    }
    *item = (struct item){.kind = kind,
                          .code = code,
                          .due = world->now + world->hop,
                          .order = virtual_queue_order(&world->queue),
                          .size = size};
    if (size > 0)
        memcpy(item->data, data, size);
    if (stream->last != NULL)
        stream->last->next = item;
    else
        stream->first = item;
    stream->last = item;
    if (!stream->delivering)
        schedule(stream);
}

static void tell_end(struct sim_stream *stream, int code)
{
    if (stream->told_break || (stream->told_end && code == OTA_OK))
        return;
    stream->told_end = true;
    stream->told_break = code != OTA_OK;
    put(stream, ITEM_ENDED, code, NULL, 0);
}

static void release(struct sim_stream *stream)
{
    virtual_queue_drop(&stream->world->queue, stream);
    while (stream->first != NULL) {
        struct item *next = stream->first->next;
        free(stream->first);
        stream->first = next;
    }
    free(stream);
}

static void open_up(struct sim_stream *stream, int code)
{
    stream->open = code == OTA_OK;
    stream->events->opened(stream->owner, code);
}

static void hand_over(struct sim_stream *stream, const struct item *item)
{
    const struct sim_stream_events *events = stream->events;
    if (item->kind == ITEM_OPENED)
        open_up(stream, item->code);
    else if (item->kind == ITEM_DATA)
        events->data(stream->owner, item->data, item->size);
    else
        events->ended(stream->owner, item->code);
}

/* Hands over all that is due, but nothing before its turn. */
static void deliver(void *context, uint64_t value)
{
    struct sim_stream *stream = context;
    struct virtual_world *world = stream->world;
    (void)value;
    stream->scheduled = false;
    stream->delivering = true;
    do {
        struct item *item = stream->first;
        stream->first = item->next;
        if (stream->first == NULL)
            stream->last = NULL;
        hand_over(stream, item);
        free(item);
    } while (stream->first != NULL && !stream->paused && !stream->closed && !world->stopped &&
             stream->first->due <= world->now &&
             !virtual_queue_has_before(&world->queue, stream->first->due, stream->first->order));
    stream->delivering = false;
    if (stream->closed)
        release(stream);
    else
        schedule(stream);
}

/* ---- the table --------------------------------------------------------------------------- */

static struct sim_listener *listener_at(const struct virtual_world *world, uint16_t port)
{
    struct sim_listener *at = world->listeners;
    while (at != NULL && at->port != port)
        at = at->next;
    return at;
}

static int listen_at(void *context, uint16_t *port,
                     void (*accepted)(void *owner, struct sim_stream *stream), void *owner,
                     struct sim_listener **out)
{
    struct virtual_world *world = context;
    if (*port != 0 && listener_at(world, *port) != NULL)
        return OTA_E_BUSY;
    struct sim_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return OTA_E_NO_SPACE;
    while (*port == 0 || (listener_at(world, *port) != NULL))
        *port = world->next_port++;
    *listener = (struct sim_listener){world->listeners, world, *port, accepted, owner};
    world->listeners = listener;
    *out = listener;
    return OTA_OK;
}

static void unlisten(struct sim_listener *listener)
{
    if (listener == NULL)
        return;
    struct sim_listener **at = &listener->world->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    free(listener);
}

/* The first packet of a connection has come to where it goes to. */
static void arrive(void *context, uint64_t value)
{
    struct sim_stream *stream = context;
    (void)value;
    struct sim_listener *listener = listener_at(stream->world, stream->port);
    struct sim_stream *far = listener != NULL ? calloc(1, sizeof *far) : NULL;
    if (far == NULL) {
        if (listener != NULL)
            stream->world->failed = true;
        put(stream, ITEM_OPENED, OTA_E_CONNECT, NULL, 0);
        return;
    }
    *far = (struct sim_stream){.world = stream->world, .peer = stream, .open = true};
    stream->peer = far;
    put(stream, ITEM_OPENED, OTA_OK, NULL, 0);
    listener->accepted(listener->owner, far);
}

static int connect_to(void *context, uint16_t port, const struct sim_stream_events *events,
                      void *owner, struct sim_stream **out)
{
    struct virtual_world *world = context;
    struct sim_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return OTA_E_NO_SPACE;
    stream->world = world;
    stream->events = events;
    stream->owner = owner;
    stream->port = port;
    const struct virtual_event event = {
        .due = world->now + world->hop, .call = arrive, .context = stream};
    int rc = virtual_queue_add(&world->queue, event);
    if (rc != OTA_OK)
        free(stream);
    else
        *out = stream;
    return rc;
}

static void receive(struct sim_stream *stream, const struct sim_stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
    schedule(stream);
}

static size_t send_to(struct sim_stream *stream, const void *data, size_t size)
{
    if (!stream->open || stream->sent_end || size == 0)
        return 0;
    if (stream->peer == NULL) {
        tell_end(stream, OTA_E_DISCONNECTED);
        return 0;
    }
    put(stream->peer, ITEM_DATA, OTA_OK, data, size);
    return size;
}

static void pause_stream(struct sim_stream *stream, bool paused)
{
    stream->paused = paused;
    if (paused && stream->scheduled) {
        virtual_queue_remove(&stream->world->queue, stream, 0);
        stream->scheduled = false;
    }
    if (!stream->delivering)
        schedule(stream);
}

static void end_stream(struct sim_stream *stream)
{
    if (stream->sent_end)
        return;
    stream->sent_end = true;
    if (stream->peer != NULL)
        tell_end(stream->peer, OTA_OK);
}

static void close_stream(struct sim_stream *stream, bool reset)
{
    if (stream == NULL)
        return;
    if (stream->peer != NULL) {
        tell_end(stream->peer, reset ? OTA_E_DISCONNECTED : OTA_OK);
        stream->peer->peer = NULL;
    }
    stream->peer = NULL;
    stream->closed = true;
    if (!stream->delivering)
        release(stream);
}

void virtual_streams_install(struct sim_world *table)
{
    table->listen = listen_at;
    table->unlisten = unlisten;
    table->connect = connect_to;
    table->receive = receive;
    table->send = send_to;
    table->pause = pause_stream;
    table->end = end_stream;
    table->close = close_stream;
}

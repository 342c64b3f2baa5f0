#include "harness/faults/proxy_link.h"

#include <stdlib.h>
#include <string.h>

#define MUCH       (256u * 1024u)
#define LITTLE     (64u * 1024u)
#define MAX_WRITES 2048 /* in one go: others want to be served, too */
#define BURST_MS   50   /* what a rate saves up */
#define PIECE_MS   10   /* what it waits for */

/* ---- bytes ------------------------------------------------------------------------------- */

bool nb_bytes_add(struct nb_bytes *bytes, const void *data, size_t size)
{
    if (bytes->room - bytes->size < size) {
        size_t room = (bytes->size + size) * 2;
        uint8_t *grown = realloc(bytes->data, room);
        if (!grown)
            return false;
        bytes->data = grown;
        bytes->room = room;
    }
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    return true;
}

void nb_bytes_drop(struct nb_bytes *bytes, size_t size)
{
    bytes->size -= size;
    if (bytes->size)
        memmove(bytes->data, bytes->data + size, bytes->size);
}

void nb_bytes_free(struct nb_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct nb_bytes){0};
}

/* ---- sending ----------------------------------------------------------------------------- */

static uint64_t now_of(const struct nb_link *link)
{
    const struct sim_world *world = link->proxy->config.world;
    return world->now_ms(world->context);
}

static struct sim_stream *source_of(const struct nb_link *link, enum nb_way way)
{
    return way == NB_TO_DEVICE ? link->server : link->device;
}

static struct sim_stream *target_of(const struct nb_link *link, enum nb_way way)
{
    return way == NB_TO_DEVICE ? link->device : link->server;
}

static struct nb_armed *rate_of(struct nb_link *link, enum nb_way way)
{
    return way == NB_TO_DEVICE ? nb_proxy_lasting(link, NB_NET_RATE) : NULL;
}

/* How many bytes the rate allows now; SIZE_MAX without one. */
static size_t allowed(struct nb_link *link, struct nb_armed *rate)
{
    struct nb_proxy *proxy = link->proxy;
    if (!rate)
        return SIZE_MAX;
    uint64_t now = now_of(link);
    uint64_t most = (uint64_t)rate->fault.value * BURST_MS;
    uint64_t spent = proxy->rated ? now - proxy->rate_at : 0;
    proxy->allowance += (uint64_t)rate->fault.value * spent;
    proxy->rated = true;
    proxy->rate_at = now;
    if (proxy->allowance > most && proxy->allowance > 1000)
        proxy->allowance = most > 1000 ? most : 1000;
    nb_proxy_fired(proxy, rate, "%u B/s", rate->fault.value);
    return (size_t)(proxy->allowance / 1000);
}

/* How many bytes of `size` the faults let through in one piece. */
static size_t piece(struct nb_link *link, struct nb_armed *rate, const struct nb_armed *slice,
                    size_t size)
{
    size_t most = allowed(link, rate);
    if (slice && size > slice->fault.value)
        size = slice->fault.value;
    return size < most ? size : most;
}

/* Sends bytes that may go now; tells how many the target took. */
static size_t send_some(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    struct nb_proxy *proxy = link->proxy;
    struct nb_armed *rate = rate_of(link, way);
    struct nb_armed *slice = nb_proxy_lasting(link, NB_NET_SLICE);
    struct nb_lane *lane = &link->lanes[way];
    size_t total = 0;
    for (int i = 0; i < MAX_WRITES && total < size && !lane->full; i++) {
        size_t part = piece(link, rate, slice, size - total);
        if (part == 0)
            break;
        size_t sent = proxy->config.world->send(target_of(link, way), data + total, part);
        lane->full = sent < part;
        total += sent;
        if (rate)
            proxy->allowance -= (uint64_t)sent * 1000;
        if (slice && sent)
            nb_proxy_fired(proxy, slice, "%u bytes", slice->fault.value);
    }
    if (way == NB_TO_DEVICE)
        proxy->traffic.to_device += total;
    return total;
}

static bool can_send(const struct nb_link *link, enum nb_way way)
{
    return !link->lanes[way].full && (way == NB_TO_DEVICE || link->served);
}

/* Reads again once most of what was queued has gone. */
static void resume(struct nb_link *link, enum nb_way way)
{
    struct nb_lane *lane = &link->lanes[way];
    if (!lane->paused || lane->queued > LITTLE)
        return;
    lane->paused = false;
    link->proxy->config.world->pause(source_of(link, way), false);
}

static void pump_lane(struct nb_link *link, enum nb_way way)
{
    struct nb_lane *lane = &link->lanes[way];
    uint64_t now = lane->first ? now_of(link) : 0;
    while (lane->first && lane->first->due <= now && can_send(link, way)) {
        struct nb_segment *segment = lane->first;
        size_t sent =
            send_some(link, way, segment->data + segment->sent, segment->size - segment->sent);
        segment->sent += sent;
        lane->queued -= sent;
        if (segment->sent < segment->size)
            break;
        lane->first = segment->next;
        if (!lane->first)
            lane->last = NULL;
        free(segment);
    }
    resume(link, way);
    if (lane->ended && !lane->first && !lane->shut && (way == NB_TO_DEVICE || link->served)) {
        lane->shut = true;
        link->proxy->config.world->end(target_of(link, way));
    }
}

/* When there is something to do for the lane that nobody will call for. */
static uint64_t lane_due(struct nb_link *link, enum nb_way way)
{
    const struct nb_lane *lane = &link->lanes[way];
    if (!lane->first || !can_send(link, way))
        return UINT64_MAX;
    uint64_t now = now_of(link);
    struct nb_armed *rate = rate_of(link, way);
    if (lane->first->due > now)
        return lane->first->due;
    if (!rate)
        return now + 1; /* there were too many writes */
    uint64_t value = rate->fault.value;
    uint64_t left = lane->first->size - lane->first->sent;
    uint64_t wanted = value * PIECE_MS / 1000;
    if (wanted > left)
        wanted = left;
    wanted = wanted > 1 ? wanted * 1000 : 1000;
    uint64_t missing = wanted > link->proxy->allowance ? wanted - link->proxy->allowance : 0;
    return link->proxy->rate_at + (missing + value - 1) / value;
}

uint64_t nb_link_due(struct nb_link *link)
{
    if (link->dead)
        return UINT64_MAX;
    uint64_t device = lane_due(link, NB_TO_DEVICE);
    uint64_t server = lane_due(link, NB_TO_SERVER);
    return device < server ? device : server;
}

void nb_link_pump(struct nb_link *link)
{
    if (link->dead)
        return;
    pump_lane(link, NB_TO_DEVICE);
    pump_lane(link, NB_TO_SERVER);
    if (link->lanes[0].shut && link->lanes[1].shut)
        nb_link_kill(link, false);
}

/* Queues what cannot go at once. False when memory runs out. */
static bool queue_rest(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size,
                       uint64_t due)
{
    struct nb_lane *lane = &link->lanes[way];
    struct nb_segment *segment = malloc(sizeof *segment + size);
    if (!segment)
        return false;
    *segment = (struct nb_segment){.size = size, .due = due};
    memcpy(segment->data, data, size);
    if (lane->last)
        lane->last->next = segment;
    else
        lane->first = segment;
    lane->last = segment;
    lane->queued += size;
    if (!lane->paused && !lane->ended && lane->queued > MUCH) {
        lane->paused = true;
        link->proxy->config.world->pause(source_of(link, way), true);
    }
    return true;
}

void nb_link_put(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    struct nb_lane *lane = &link->lanes[way];
    bool muted = way == NB_TO_DEVICE ? link->silenced : link->deaf;
    if (size == 0 || link->dead || muted || lane->shut)
        return;
    struct nb_armed *latency = nb_proxy_lasting(link, NB_NET_LATENCY);
    size_t sent = 0;
    uint64_t due = 0;
    if (latency) {
        due = now_of(link) + latency->fault.value;
        nb_proxy_fired(link->proxy, latency, "%u ms", latency->fault.value);
    } else if (!lane->first && can_send(link, way)) {
        sent = send_some(link, way, data, size);
    }
    if (sent < size && !queue_rest(link, way, data + sent, size - sent, due))
        nb_link_kill(link, true);
}

void nb_link_end(struct nb_link *link, enum nb_way way)
{
    link->lanes[way].ended = true;
    nb_link_pump(link);
}

/* ---- faults ------------------------------------------------------------------------------ */

void nb_link_kill(struct nb_link *link, bool reset)
{
    const struct sim_world *world = link->proxy->config.world;
    link->dead = true;
    world->close(link->device, reset);
    world->close(link->server, reset);
    link->device = link->server = NULL;
}

void nb_link_free(struct nb_link *link)
{
    for (int way = 0; way < 2; way++) {
        struct nb_lane *lane = &link->lanes[way];
        while (lane->first) {
            struct nb_segment *next = lane->first->next;
            free(lane->first);
            lane->first = next;
        }
        nb_bytes_free(&lane->held);
    }
    nb_bytes_free(&link->overdue);
    free(link);
}

void nb_link_strike(struct nb_link *link, struct nb_armed *armed)
{
    const char *name = link->proxy->config.name;
    uint64_t data = link->proxy->traffic.data;
    switch (armed->fault.kind) {
    case NB_NET_RESET:
        nb_link_pump(link);
        nb_link_kill(link, true);
        break;
    case NB_NET_HALF_CLOSE:
        nb_link_end(link, NB_TO_DEVICE);
        link->silenced = true;
        break;
    case NB_NET_STALL:
        link->stalled = true;
        break;
    case NB_NET_TRUNCATE:
        nb_link_end(link, NB_TO_DEVICE);
        link->silenced = true;
        link->deaf = true;
        break;
    case NB_CLOCK_JUMP:
        link->proxy->config.jump(link->proxy->config.context, armed->fault.value);
        break;
    case NB_MQTT_TAKE_OVER:
        nb_proxy_take_over(link, armed);
        return;
    default:
        return;
    }
    nb_proxy_fired(link->proxy, armed, "%s connection %u, %llu bytes of data", name, link->number,
                   (unsigned long long)data);
}

/* The armed fault whose place is the next to come within `count` bytes of data, or NULL. */
static struct nb_armed *next_in_body(struct nb_link *link, size_t count)
{
    struct nb_proxy *proxy = link->proxy;
    struct nb_armed *found = NULL;
    for (size_t i = 0; i < proxy->armed_count; i++) {
        struct nb_armed *armed = &proxy->armed[i];
        enum nb_fault_kind kind = armed->fault.kind;
        bool moment = kind <= NB_NET_CORRUPT && kind != NB_NET_REFUSE && !nb_fault_rows[kind].lasts;
        if (armed->left == 0 || armed->fault.place != NB_PLACE_BODY ||
            (!moment && kind != NB_MQTT_TAKE_OVER) ||
            armed->fault.at >= proxy->traffic.data + count)
            continue;
        if (!found || armed->fault.at < found->fault.at)
            found = armed;
    }
    return found;
}

void nb_link_forward(struct nb_link *link, uint8_t *data, size_t size, size_t from, size_t count)
{
    struct nb_proxy *proxy = link->proxy;
    struct nb_armed *armed;
    while (count && !link->dead && !link->silenced && !link->stalled &&
           (armed = next_in_body(link, count)) != NULL) {
        uint64_t at = armed->fault.at > proxy->traffic.data ? armed->fault.at : proxy->traffic.data;
        size_t before = (size_t)(at - proxy->traffic.data);
        nb_link_put(link, NB_TO_DEVICE, data, from + before);
        proxy->traffic.data = at;
        nb_proxy_update(proxy);
        data += from + before;
        size -= from + before;
        count -= before;
        from = 0;
        if (armed->fault.kind == NB_NET_CORRUPT) {
            *data ^= 0x01;
            if (armed->left > 1) /* the next one is in what comes next */
                armed->fault.at = (uint32_t)(at + count);
            nb_proxy_fired(proxy, armed, "%s byte %llu", proxy->config.name,
                           (unsigned long long)at);
        } else {
            nb_link_strike(link, armed);
        }
    }
    if (link->dead || link->silenced || link->stalled)
        return;
    proxy->traffic.data += count;
    if (count)
        nb_proxy_update(proxy);
    nb_link_put(link, NB_TO_DEVICE, data, size);
}

/* ---- reading ----------------------------------------------------------------------------- */

void nb_link_take(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    struct nb_lane *lane = &link->lanes[way];
    if (link->stalled)
        return;
    if (!nb_bytes_add(&lane->held, data, size)) {
        nb_link_kill(link, true);
        return;
    }
    enum nb_fault_talk talk = link->proxy->config.talk;
    if (!link->blind && talk == NB_TALK_MQTT)
        nb_mqtt_eat(link, way);
    else if (!link->blind && talk == NB_TALK_HTTP)
        nb_http_eat(link, way);
    if (link->dead || (talk != NB_TALK_BYTES && !link->blind))
        return;
    size_t held = lane->held.size;
    if (way == NB_TO_DEVICE)
        nb_link_forward(link, lane->held.data, held, 0, talk == NB_TALK_BYTES ? held : 0);
    else
        nb_link_put(link, way, lane->held.data, held);
    nb_bytes_drop(&lane->held, held);
}

static void source_ended(struct nb_link *link, enum nb_way way)
{
    if (link->stalled && way == NB_TO_SERVER) {
        nb_link_kill(link, false);
        return;
    }
    if (link->stalled)
        return;
    if (way == NB_TO_DEVICE && link->proxy->config.talk == NB_TALK_HTTP)
        nb_http_source_ended(link);
    if (!link->dead)
        nb_link_end(link, way);
}

static void on_data(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    nb_proxy_enter(link->proxy);
    nb_link_take(link, way, data, size);
    nb_proxy_leave(link->proxy);
}

static void on_ended(struct nb_link *link, enum nb_way way, int code)
{
    nb_proxy_enter(link->proxy);
    if (code != OTA_OK)
        nb_link_kill(link, true);
    else
        source_ended(link, way);
    nb_proxy_leave(link->proxy);
}

static void on_writable(struct nb_link *link, enum nb_way way)
{
    nb_proxy_enter(link->proxy);
    link->lanes[way].full = false;
    nb_link_pump(link);
    nb_proxy_leave(link->proxy);
}

static void on_device_data(void *owner, const uint8_t *data, size_t size)
{
    on_data(owner, NB_TO_SERVER, data, size);
}

static void on_device_ended(void *owner, int code)
{
    on_ended(owner, NB_TO_SERVER, code);
}

static void on_device_writable(void *owner)
{
    on_writable(owner, NB_TO_DEVICE);
}

static void on_server_opened(void *owner, int code)
{
    struct nb_link *link = owner;
    nb_proxy_enter(link->proxy);
    link->served = code == OTA_OK;
    if (link->served)
        nb_link_pump(link);
    else
        nb_link_kill(link, true);
    nb_proxy_leave(link->proxy);
}

static void on_server_data(void *owner, const uint8_t *data, size_t size)
{
    on_data(owner, NB_TO_DEVICE, data, size);
}

static void on_server_ended(void *owner, int code)
{
    on_ended(owner, NB_TO_DEVICE, code);
}

static void on_server_writable(void *owner)
{
    on_writable(owner, NB_TO_SERVER);
}

static const struct sim_stream_events device_events = {
    .data = on_device_data, .ended = on_device_ended, .writable = on_device_writable};
static const struct sim_stream_events server_events = {.opened = on_server_opened,
                                                       .data = on_server_data,
                                                       .ended = on_server_ended,
                                                       .writable = on_server_writable};

struct nb_link *nb_link_begin(struct nb_proxy *proxy, struct sim_stream *device)
{
    const struct sim_world *world = proxy->config.world;
    struct nb_link *link = calloc(1, sizeof *link);
    if (!link) {
        world->close(device, true);
        return NULL;
    }
    link->proxy = proxy;
    link->number = proxy->traffic.connections;
    link->device = device;
    link->next = proxy->links;
    proxy->links = link;
    world->receive(device, &device_events, link);
    if (world->connect(world->context, proxy->config.upstream, &server_events, link,
                       &link->server) != OTA_OK) {
        link->server = NULL;
        nb_link_kill(link, true);
    }
    return link;
}

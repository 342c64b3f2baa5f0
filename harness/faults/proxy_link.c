#include "harness/faults/proxy_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH       (256u * 1024u)
#define LITTLE     (64u * 1024u)
#define MAX_WRITES 2048 /* in one go: others want to be served, too */

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

static int source_of(const struct nb_link *link, enum nb_way way)
{
    return way == NB_TO_DEVICE ? link->server : link->device;
}

static int target_of(const struct nb_link *link, enum nb_way way)
{
    return way == NB_TO_DEVICE ? link->device : link->server;
}

/* How many bytes the rate allows now; SIZE_MAX without one. */
static size_t allowed(struct nb_link *link, enum nb_way way)
{
    struct nb_proxy *proxy = link->proxy;
    struct nb_armed *rate = way == NB_TO_DEVICE ? nb_proxy_lasting(link, NB_NET_RATE) : NULL;
    if (!rate)
        return SIZE_MAX;
    uint64_t now = posix_now_ms();
    if (proxy->rate_at == 0)
        proxy->rate_at = now;
    proxy->allowance += (double)rate->fault.value * (double)(now - proxy->rate_at) / 1000.0;
    proxy->rate_at = now;
    double most = (double)rate->fault.value / 20.0;
    if (proxy->allowance > most && proxy->allowance > 1.0)
        proxy->allowance = most > 1.0 ? most : 1.0;
    nb_proxy_fired(proxy, rate, "%u B/s", rate->fault.value);
    return (size_t)proxy->allowance;
}

/* Sends of the first segment. False: no more for now. */
static bool send_some(struct nb_link *link, enum nb_way way)
{
    struct nb_lane *lane = &link->lanes[way];
    struct nb_segment *segment = lane->first;
    struct nb_armed *slice = nb_proxy_lasting(link, NB_NET_SLICE);
    size_t size = segment->size - segment->sent;
    size_t most = allowed(link, way);
    if (slice && size > slice->fault.value)
        size = slice->fault.value;
    if (size > most)
        size = most;
    if (size == 0)
        return false;
    ssize_t sent = send(target_of(link, way), segment->data + segment->sent, size,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            nb_link_kill(link, false);
        return false;
    }
    if (slice)
        nb_proxy_fired(link->proxy, slice, "%u bytes", slice->fault.value);
    if (most != SIZE_MAX)
        link->proxy->allowance -= (double)sent;
    if (way == NB_TO_DEVICE)
        link->proxy->traffic.to_device += (uint64_t)sent;
    segment->sent += (size_t)sent;
    lane->queued -= (size_t)sent;
    if (segment->sent == segment->size) {
        lane->first = segment->next;
        if (!lane->first)
            lane->last = NULL;
        free(segment);
    }
    return true;
}

static void on_readable(void *context, int fd);

/* Reads again once most of what was queued has gone. */
static void resume(struct nb_link *link, enum nb_way way)
{
    struct nb_lane *lane = &link->lanes[way];
    if (!lane->paused || lane->queued > LITTLE)
        return;
    if (posix_loop_watch(link->proxy->config.loop, source_of(link, way), on_readable, link) == 0)
        lane->paused = false;
}

static void pump_lane(struct nb_link *link, enum nb_way way)
{
    struct nb_lane *lane = &link->lanes[way];
    uint64_t now = posix_now_ms();
    for (int i = 0; i < MAX_WRITES && lane->first && lane->first->due <= now; i++)
        if (!send_some(link, way))
            break;
    if (link->dead)
        return;
    resume(link, way);
    if (lane->ended && !lane->first && !lane->shut) {
        lane->shut = true;
        shutdown(target_of(link, way), SHUT_WR);
    }
}

bool nb_link_waits(const struct nb_link *link)
{
    return link->lanes[0].first || link->lanes[1].first || link->lanes[0].paused ||
           link->lanes[1].paused;
}

void nb_link_pump(struct nb_link *link)
{
    if (!link->dead)
        pump_lane(link, NB_TO_DEVICE);
    if (!link->dead)
        pump_lane(link, NB_TO_SERVER);
    if (!link->dead && link->lanes[0].shut && link->lanes[1].shut)
        nb_link_kill(link, false);
    if (!link->dead && nb_link_waits(link))
        nb_proxy_tick_soon(link->proxy);
}

void nb_link_put(struct nb_link *link, enum nb_way way, const uint8_t *data, size_t size)
{
    struct nb_lane *lane = &link->lanes[way];
    bool muted = way == NB_TO_DEVICE ? link->silenced : link->deaf;
    if (size == 0 || link->dead || muted || lane->shut)
        return;
    struct nb_segment *segment = malloc(sizeof *segment + size);
    if (!segment) {
        nb_link_kill(link, true);
        return;
    }
    struct nb_armed *latency = nb_proxy_lasting(link, NB_NET_LATENCY);
    *segment = (struct nb_segment){.size = size, .due = posix_now_ms()};
    if (latency) {
        segment->due += latency->fault.value;
        nb_proxy_fired(link->proxy, latency, "%u ms", latency->fault.value);
    }
    memcpy(segment->data, data, size);
    if (lane->last)
        lane->last->next = segment;
    else
        lane->first = segment;
    lane->last = segment;
    lane->queued += size;
    if (!lane->paused && !lane->ended && lane->queued > MUCH) {
        lane->paused = true;
        posix_loop_unwatch(link->proxy->config.loop, source_of(link, way));
    }
    nb_link_pump(link);
}

void nb_link_end(struct nb_link *link, enum nb_way way)
{
    link->lanes[way].ended = true;
    nb_link_pump(link);
}

/* ---- faults ------------------------------------------------------------------------------ */

static void close_end(struct nb_link *link, int *fd, bool reset)
{
    if (*fd < 0)
        return;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    posix_loop_unwatch(link->proxy->config.loop, *fd);
    close(*fd);
    *fd = -1;
}

void nb_link_kill(struct nb_link *link, bool reset)
{
    link->dead = true;
    close_end(link, &link->device, reset);
    close_end(link, &link->server, reset);
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
    posix_loop_unwatch(link->proxy->config.loop, source_of(link, way));
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

static void on_readable(void *context, int fd)
{
    struct nb_link *link = context;
    uint8_t buffer[65536];
    enum nb_way way = fd == link->device ? NB_TO_SERVER : NB_TO_DEVICE;
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    link->proxy->working++;
    if (got < 0)
        nb_link_kill(link, true);
    else if (got == 0)
        source_ended(link, way);
    else
        nb_link_take(link, way, buffer, (size_t)got);
    link->proxy->working--;
    nb_proxy_tick_soon(link->proxy);
}

int nb_link_watch(struct nb_link *link)
{
    int rc = posix_loop_watch(link->proxy->config.loop, link->device, on_readable, link);
    if (rc == 0 && link->server >= 0)
        rc = posix_loop_watch(link->proxy->config.loop, link->server, on_readable, link);
    return rc;
}

#include "harness/faults/proxy.h"
#include "harness/faults/proxy_link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_TIMER 0

/* ---- armed faults ------------------------------------------------------------------------ */

void nb_proxy_fired(struct nb_proxy *proxy, struct nb_armed *armed, const char *detail, ...)
{
    char line[160];
    bool lasts = nb_fault_rows[armed->fault.kind].lasts;
    if (armed->left && armed->left != NB_FAULT_ALWAYS)
        armed->left--;
    if (lasts && armed->fired)
        return;
    armed->fired = true;
    int used = snprintf(line, sizeof line, "fault %s ", nb_fault_rows[armed->fault.kind].word);
    va_list arguments;
    va_start(arguments, detail);
    vsnprintf(line + used, sizeof line - (size_t)used, detail, arguments);
    va_end(arguments);
    proxy->config.report(proxy->config.context, line);
}

struct nb_armed *nb_proxy_lasting(struct nb_link *link, enum nb_fault_kind kind)
{
    struct nb_proxy *proxy = link->proxy;
    for (size_t i = 0; i < proxy->armed_count; i++) {
        struct nb_armed *armed = &proxy->armed[i];
        if (armed->fault.kind != kind)
            continue;
        bool begun =
            armed->fault.place == NB_PLACE_ANY ||
            (armed->fault.place == NB_PLACE_CONNECT && link->number >= armed->fault.at) ||
            (armed->fault.place == NB_PLACE_BODY && proxy->traffic.data >= armed->fault.at);
        if (begun)
            return armed;
    }
    return NULL;
}

/* The armed fault of the kind that is for connection `number`, or for any once so much of the image
 * has come; or NULL. */
static struct nb_armed *for_connection(struct nb_proxy *proxy, enum nb_fault_kind kind,
                                       uint32_t number)
{
    for (size_t i = 0; i < proxy->armed_count; i++) {
        struct nb_armed *armed = &proxy->armed[i];
        uint64_t reached = armed->fault.place == NB_PLACE_CONNECT ? number : proxy->traffic.data;
        if (armed->fault.kind == kind && armed->left && reached >= armed->fault.at &&
            (armed->fault.place == NB_PLACE_CONNECT || kind == NB_NET_REFUSE))
            return armed;
    }
    return NULL;
}

size_t nb_proxy_unfired(const struct nb_proxy *proxy, const char **word)
{
    size_t count = 0;
    for (size_t i = proxy->armed_count; i-- > 0;) {
        const struct nb_armed *armed = &proxy->armed[i];
        if (armed->fired && (armed->left == 0 || armed->left == NB_FAULT_ALWAYS))
            continue;
        count++;
        if (word)
            *word = nb_fault_rows[proxy->armed[i].fault.kind].word;
    }
    return count;
}

/* ---- the listener ------------------------------------------------------------------------ */

static void on_accepted(void *owner, struct sim_stream *stream);

static void open_listener(struct nb_proxy *proxy)
{
    const struct sim_world *world = proxy->config.world;
    if (world->listen(world->context, &proxy->port, on_accepted, proxy, &proxy->listener) != OTA_OK)
        proxy->listener = NULL; /* somebody took the port: tried again at the next occasion */
}

static void close_listener(struct nb_proxy *proxy)
{
    proxy->config.world->unlisten(proxy->listener);
    proxy->listener = NULL;
}

void nb_proxy_update(struct nb_proxy *proxy)
{
    bool refuse = for_connection(proxy, NB_NET_REFUSE, proxy->traffic.connections + 1) != NULL;
    if (refuse)
        close_listener(proxy);
    else if (proxy->listener == NULL)
        open_listener(proxy);
}

void nb_proxy_device_gave_up(struct nb_proxy *proxy)
{
    struct nb_armed *armed = for_connection(proxy, NB_NET_REFUSE, proxy->traffic.connections + 1);
    if (!armed)
        return;
    nb_proxy_fired(proxy, armed, "%s connection %u", proxy->config.name,
                   proxy->traffic.connections + 1);
    nb_proxy_update(proxy);
}

/* ---- connections ------------------------------------------------------------------------- */

static void strike_at_connect(struct nb_link *link)
{
    static const enum nb_fault_kind kinds[] = {NB_NET_STALL, NB_NET_RESET, NB_NET_HALF_CLOSE,
                                               NB_NET_TRUNCATE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !link->dead; i++) {
        struct nb_armed *armed = for_connection(link->proxy, kinds[i], link->number);
        if (armed)
            nb_link_strike(link, armed);
    }
}

static void on_accepted(void *owner, struct sim_stream *stream)
{
    struct nb_proxy *proxy = owner;
    nb_proxy_enter(proxy);
    proxy->traffic.connections++;
    struct nb_link *link = nb_link_begin(proxy, stream);
    if (link && !link->dead)
        strike_at_connect(link);
    nb_proxy_update(proxy);
    nb_proxy_leave(proxy);
}

static void reap(struct nb_proxy *proxy)
{
    for (struct nb_link **at = &proxy->links; *at;) {
        struct nb_link *link = *at;
        if (link->dead) {
            *at = link->next;
            nb_link_free(link);
        } else {
            at = &link->next;
        }
    }
}

/* Arms the timer for whatever link wants to be pumped first. */
static void arm_tick(struct nb_proxy *proxy)
{
    const struct clock_port *clock = proxy->config.world->clock_port(proxy->clock);
    uint64_t due = UINT64_MAX;
    for (struct nb_link *link = proxy->links; link; link = link->next) {
        uint64_t wanted = nb_link_due(link);
        due = wanted < due ? wanted : due;
    }
    if (due == UINT64_MAX) {
        if (proxy->ticking)
            clock->disarm(clock->context, TICK_TIMER);
        proxy->ticking = false;
        return;
    }
    if (proxy->ticking && proxy->tick_at == due)
        return;
    uint64_t now = clock->now_ms(clock->context);
    uint64_t wait = due > now ? due - now : 0;
    proxy->ticking = clock->arm(clock->context, TICK_TIMER,
                                wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX) == OTA_OK;
    proxy->tick_at = due;
}

void nb_proxy_enter(struct nb_proxy *proxy)
{
    proxy->working++;
}

void nb_proxy_leave(struct nb_proxy *proxy)
{
    if (--proxy->working > 0)
        return;
    reap(proxy);
    arm_tick(proxy);
}

static void on_tick(void *context, unsigned id)
{
    struct nb_proxy *proxy = context;
    (void)id;
    proxy->ticking = false;
    nb_proxy_enter(proxy);
    for (struct nb_link *link = proxy->links; link; link = link->next)
        nb_link_pump(link);
    nb_proxy_leave(proxy);
}

/* ---- take-over --------------------------------------------------------------------------- */

static void end_taker(struct nb_proxy *proxy)
{
    proxy->config.world->close(proxy->taker, false);
    proxy->taker = NULL;
}

static void on_taker_opened(void *owner, int code)
{
    struct nb_proxy *proxy = owner;
    size_t id = strlen(proxy->taken_id);
    /* CONNECT of MQTT 3.1.1: clean session, keep-alive 60 s */
    uint8_t packet[160] = {0x10, (uint8_t)(12 + id), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60};
    packet[12] = (uint8_t)(id >> 8);
    packet[13] = (uint8_t)id;
    memcpy(packet + 14, proxy->taken_id, id);
    if (code != OTA_OK || proxy->config.world->send(proxy->taker, packet, 14 + id) != 14 + id)
        end_taker(proxy);
}

static void on_taker_data(void *owner, const uint8_t *answer, size_t size)
{
    struct nb_proxy *proxy = owner;
    if (size >= 4 && answer[0] == 0x20 && answer[3] == 0 && proxy->taking)
        nb_proxy_fired(proxy, proxy->taking, "%s", proxy->config.name);
    end_taker(proxy);
}

static void on_taker_ended(void *owner, int code)
{
    (void)code;
    end_taker(owner);
}

void nb_proxy_take_over(struct nb_link *link, struct nb_armed *armed)
{
    static const struct sim_stream_events events = {
        .opened = on_taker_opened, .data = on_taker_data, .ended = on_taker_ended};
    struct nb_proxy *proxy = link->proxy;
    const struct sim_world *world = proxy->config.world;
    size_t id = strlen(link->client_id);
    armed->left = 0; /* it begins once, and has fired when the broker took the new client */
    if (proxy->taker || id == 0 || id > 100)
        return;
    memcpy(proxy->taken_id, link->client_id, id + 1);
    proxy->taking = armed;
    if (world->connect(world->context, proxy->config.upstream, &events, proxy, &proxy->taker) !=
        OTA_OK)
        proxy->taker = NULL;
}

/* ---- from outside ------------------------------------------------------------------------ */

struct nb_proxy *nb_proxy_new(const struct nb_proxy_config *config, uint16_t *port)
{
    struct nb_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        return NULL;
    proxy->config = *config;
    proxy->clock = config->world->clock_new(config->world->context, on_tick, proxy);
    if (proxy->clock)
        open_listener(proxy);
    if (!proxy->listener) {
        config->world->clock_free(proxy->clock);
        free(proxy);
        return NULL;
    }
    *port = proxy->port;
    return proxy;
}

static void end_links(struct nb_proxy *proxy)
{
    for (struct nb_link *link = proxy->links; link; link = link->next)
        if (!link->dead)
            nb_link_kill(link, false);
    reap(proxy);
    arm_tick(proxy);
}

void nb_proxy_free(struct nb_proxy *proxy)
{
    if (!proxy)
        return;
    end_links(proxy);
    end_taker(proxy);
    close_listener(proxy);
    proxy->config.world->clock_free(proxy->clock);
    free(proxy);
}

/* What the script leaves open: a fault of one moment strikes at the first byte of data, one that
 * keeps the device out at the first connection. */
static void place(struct nb_fault *fault)
{
    if (fault->place != NB_PLACE_ANY)
        return;
    switch (fault->kind) {
    case NB_NET_REFUSE:
    case NB_NET_STALL:
        fault->place = NB_PLACE_CONNECT;
        fault->at = 1;
        break;
    case NB_NET_RESET:
    case NB_NET_HALF_CLOSE:
    case NB_NET_TRUNCATE:
    case NB_NET_CORRUPT:
    case NB_CLOCK_JUMP:
    case NB_MQTT_TAKE_OVER:
        fault->place = NB_PLACE_BODY;
        fault->at = 0;
        break;
    default:
        break;
    }
}

int nb_proxy_arm(struct nb_proxy *proxy, const struct nb_fault *fault)
{
    enum nb_fault_talk talk = nb_fault_rows[fault->kind].talk;
    bool corrupt_at_connect = fault->place == NB_PLACE_CONNECT &&
                              (fault->kind == NB_NET_CORRUPT || talk != NB_TALK_BYTES);
    bool no_clock = fault->kind == NB_CLOCK_JUMP && !proxy->config.jump;
    if ((talk != NB_TALK_BYTES && talk != proxy->config.talk) || corrupt_at_connect || no_clock ||
        fault->kind == NB_NET_DNS)
        return OTA_E_UNSUPPORTED;
    if (proxy->armed_count == NB_ARMED)
        return OTA_E_NO_SPACE;
    struct nb_armed *armed = &proxy->armed[proxy->armed_count++];
    *armed = (struct nb_armed){.fault = *fault, .left = fault->times};
    place(&armed->fault);
    nb_proxy_update(proxy);
    return 0;
}

void nb_proxy_step(struct nb_proxy *proxy)
{
    end_links(proxy);
    end_taker(proxy);
    proxy->armed_count = 0;
    proxy->taking = NULL;
    proxy->traffic = (struct nb_proxy_traffic){0};
    memset(proxy->packets, 0, sizeof proxy->packets);
    proxy->rated = false;
    proxy->allowance = 0;
    nb_proxy_update(proxy);
}

void nb_proxy_traffic(const struct nb_proxy *proxy, struct nb_proxy_traffic *out)
{
    *out = proxy->traffic;
}

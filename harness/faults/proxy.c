#include "harness/faults/proxy.h"
#include "harness/faults/proxy_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS    1
#define TICK_TIMER 0
#define BACKLOG    16

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

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void on_connection(void *context, int fd);

static int open_listener(struct nb_proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->port);
    socklen_t length = sizeof address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return OTA_E_IO;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        posix_loop_watch(proxy->config.loop, fd, on_connection, proxy) != 0) {
        close(fd);
        return OTA_E_IO;
    }
    proxy->port = ntohs(address.sin_port);
    proxy->listener = fd;
    return 0;
}

static void close_listener(struct nb_proxy *proxy)
{
    if (proxy->listener < 0)
        return;
    posix_loop_unwatch(proxy->config.loop, proxy->listener);
    close(proxy->listener);
    proxy->listener = -1;
}

void nb_proxy_update(struct nb_proxy *proxy)
{
    bool refuse = for_connection(proxy, NB_NET_REFUSE, proxy->traffic.connections + 1) != NULL;
    if (refuse)
        close_listener(proxy);
    else if (proxy->listener < 0 && open_listener(proxy) != 0)
        proxy->listener = -1; /* somebody took the port: tried again with the next step */
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

static void begin_link(struct nb_proxy *proxy, int fd)
{
    int one = 1;
    struct nb_link *link = calloc(1, sizeof *link);
    if (!link) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->proxy = proxy;
    link->number = proxy->traffic.connections;
    link->device = fd;
    link->server = connect_to(proxy->config.upstream);
    link->next = proxy->links;
    proxy->links = link;
    if (link->server < 0 || nb_link_watch(link) != 0)
        nb_link_kill(link, true);
    else
        strike_at_connect(link);
}

static void on_connection(void *context, int fd)
{
    struct nb_proxy *proxy = context;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (accepted < 0)
        return;
    proxy->traffic.connections++;
    proxy->working++;
    begin_link(proxy, accepted);
    proxy->working--;
    nb_proxy_update(proxy);
    nb_proxy_tick_soon(proxy);
}

void nb_proxy_tick_soon(struct nb_proxy *proxy)
{
    const struct clock_port *clock = posix_clock_port(proxy->clock);
    if (clock->arm(clock->context, TICK_TIMER, TICK_MS) != 0)
        abort(); /* the timer's number is ours and valid */
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

static void on_tick(void *context, unsigned id)
{
    struct nb_proxy *proxy = context;
    (void)id;
    proxy->working++;
    for (struct nb_link *link = proxy->links; link; link = link->next)
        nb_link_pump(link);
    proxy->working--;
    if (proxy->working == 0)
        reap(proxy);
}

/* ---- take-over --------------------------------------------------------------------------- */

static void end_taker(struct nb_proxy *proxy)
{
    if (proxy->taker < 0)
        return;
    posix_loop_unwatch(proxy->config.loop, proxy->taker);
    close(proxy->taker);
    proxy->taker = -1;
}

static void on_taker(void *context, int fd)
{
    struct nb_proxy *proxy = context;
    uint8_t answer[64];
    ssize_t got = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got >= 4 && answer[0] == 0x20 && answer[3] == 0 && proxy->taking)
        nb_proxy_fired(proxy, proxy->taking, "%s", proxy->config.name);
    end_taker(proxy);
}

void nb_proxy_take_over(struct nb_link *link, struct nb_armed *armed)
{
    struct nb_proxy *proxy = link->proxy;
    size_t id = strlen(link->client_id);
    /* CONNECT of MQTT 3.1.1: clean session, keep-alive 60 s */
    uint8_t packet[160] = {0x10, (uint8_t)(12 + id), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60};
    packet[12] = (uint8_t)(id >> 8);
    packet[13] = (uint8_t)id;
    memcpy(packet + 14, link->client_id, id);
    armed->left = 0; /* it begins once, and has fired when the broker took the new client */
    if (proxy->taker >= 0 || id == 0 || id > 100)
        return;
    proxy->taker = connect_to(proxy->config.upstream);
    proxy->taking = armed;
    if (proxy->taker < 0)
        return;
    if (send(proxy->taker, packet, 14 + id, MSG_NOSIGNAL) != (ssize_t)(14 + id) ||
        posix_loop_watch(proxy->config.loop, proxy->taker, on_taker, proxy) != 0) {
        close(proxy->taker);
        proxy->taker = -1;
    }
}

/* ---- from outside ------------------------------------------------------------------------ */

struct nb_proxy *nb_proxy_new(const struct nb_proxy_config *config, uint16_t *port)
{
    struct nb_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        return NULL;
    proxy->config = *config;
    proxy->listener = -1;
    proxy->taker = -1;
    proxy->clock = posix_clock_new(config->loop, on_tick, proxy);
    if (!proxy->clock || open_listener(proxy) != 0) {
        posix_clock_free(proxy->clock);
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
}

void nb_proxy_free(struct nb_proxy *proxy)
{
    if (!proxy)
        return;
    end_links(proxy);
    end_taker(proxy);
    close_listener(proxy);
    posix_clock_free(proxy->clock);
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
    if ((talk != NB_TALK_BYTES && talk != proxy->config.talk) || corrupt_at_connect)
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
    proxy->rate_at = 0;
    proxy->allowance = 0;
    nb_proxy_update(proxy);
}

void nb_proxy_traffic(const struct nb_proxy *proxy, struct nb_proxy_traffic *out)
{
    *out = proxy->traffic;
}

#include "harness/peers/virtual_server.h"

#include "sim/http_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECTIONS 64u
#define HEAD        8192u /* request line and headers */
#define REPLY_HEAD  2048u

struct nb_virtual_server {
    const struct sim_world *world;
    struct nb_peer_server peer;
    struct nb_peer_handler handler; /* request NULL: none */
    struct virtual_tls_server tls;
    struct sim_listener *listener;
    struct nb_peer_exchange *first;
    size_t connections;
};

/* One connection, and the request that is being read or answered on it. */
struct nb_peer_exchange {
    struct nb_peer_exchange *next;
    struct nb_virtual_server *server;
    struct virtual_tls *end;
    struct sim_http_reader *reader;
    struct sim_clock *clock; /* NULL until a reply is delayed */
    bool delayed;
    bool replied; /* or failed to */
    bool failed;
    uint8_t *rest; /* bytes that came behind a request whose reply is delayed */
    size_t rest_size;
    size_t path_size;
    size_t head_size; /* of `head`: path, then name and value of each field, NUL-terminated */
    size_t body_size;
    bool body_cut;
    char body[NB_PEER_BODY + 1];
    char head[HEAD + 1];
};

/* ---- reading ------------------------------------------------------------------------------ */

static void on_begin(void *owner)
{
    struct nb_peer_exchange *exchange = owner;
    exchange->path_size = 0;
    exchange->head_size = 0;
    exchange->body_size = 0;
    exchange->body_cut = false;
}

/* The reader's limit on a head keeps all of it within HEAD. */
static void put(struct nb_peer_exchange *exchange, const char *text, size_t length)
{
    memcpy(exchange->head + exchange->head_size, text, length);
    exchange->head_size += length;
}

static void on_target(void *owner, const char *text, size_t length)
{
    struct nb_peer_exchange *exchange = owner;
    put(exchange, text, length);
    exchange->path_size = exchange->head_size;
}

static void on_field(void *owner, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
    struct nb_peer_exchange *exchange = owner;
    if (exchange->head_size == exchange->path_size)
        put(exchange, "", 1);
    put(exchange, name, name_length);
    put(exchange, "", 1);
    put(exchange, value, value_length);
    put(exchange, "", 1);
}

static bool on_head(void *owner)
{
    struct nb_peer_exchange *exchange = owner;
    if (exchange->head_size == exchange->path_size)
        put(exchange, "", 1);
    return true;
}

static bool on_body(void *owner, const uint8_t *data, size_t length)
{
    struct nb_peer_exchange *exchange = owner;
    if (length > NB_PEER_BODY - exchange->body_size) {
        exchange->body_cut = true;
        return true;
    }
    memcpy(exchange->body + exchange->body_size, data, length);
    exchange->body_size += length;
    return true;
}

static const struct sim_http_events request_events = {
    .begin = on_begin, .target = on_target, .field = on_field, .head = on_head, .body = on_body};

static const char *header(const struct nb_peer_exchange *exchange, const char *name)
{
    const char *end = exchange->head + exchange->head_size;
    for (const char *at = exchange->head + exchange->path_size + 1; at < end;) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Undoes %XX where it is one, and cuts the query off. In place. */
static void decode_path(char *path)
{
    char *out = path;
    for (const char *at = path; *at != '\0' && *at != '?'; at++) {
        int high = at[0] == '%' ? digit(at[1]) : -1;
        int low = high >= 0 ? digit(at[2]) : -1;
        *out++ = low >= 0 ? (char)(high * 16 + low) : *at;
        at += low >= 0 ? 2 : 0;
    }
    *out = '\0';
}

/* ---- replies ------------------------------------------------------------------------------ */

static bool send_all(struct nb_peer_exchange *exchange, const void *data, size_t size)
{
    return size == 0 || virtual_tls_send(exchange->end, data, size) == size;
}

/* False when it does not fit. */
static bool add(char head[REPLY_HEAD], size_t *used, const char *name, const char *value)
{
    size_t name_length = strlen(name);
    size_t value_length = strlen(value);
    if (*used + name_length + value_length + 4 > REPLY_HEAD)
        return false;
    memcpy(head + *used, name, name_length);
    memcpy(head + *used + name_length, ": ", 2);
    memcpy(head + *used + name_length + 2, value, value_length);
    *used += name_length + value_length + 2;
    memcpy(head + *used, "\r\n", 2);
    *used += 2;
    return true;
}

static bool send_reply(struct nb_peer_exchange *exchange, const struct nb_peer_reply *reply,
                       bool keeps, bool with_body)
{
    char head[REPLY_HEAD];
    size_t used = (size_t)snprintf(head, sizeof head, "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\n%s",
                                   reply->status, sim_http_reader_phrase(reply->status),
                                   reply->body_size, keeps ? "" : "Connection: close\r\n");
    bool good = true;
    for (size_t i = 0; good && i < reply->header_count; i++)
        good = add(head, &used, reply->headers[i].name, reply->headers[i].value);
    if (!good || used + 2 > sizeof head)
        return false;
    memcpy(head + used, "\r\n", 2);
    return send_all(exchange, head, used + 2) &&
           (!with_body || send_all(exchange, reply->body, reply->body_size));
}

static int reply_to(struct nb_peer_exchange *exchange, const struct nb_peer_reply *reply)
{
    bool with_body = strcmp(sim_http_reader_method(exchange->reader), "HEAD") != 0;
    exchange->replied = true;
    exchange->failed =
        !send_reply(exchange, reply, sim_http_reader_keeps(exchange->reader), with_body);
    if (reply->release != NULL)
        reply->release(reply->owner);
    return exchange->failed ? OTA_E_NO_SPACE : OTA_OK;
}

/* ---- connections -------------------------------------------------------------------------- */

static void close_connection(struct nb_peer_exchange *exchange)
{
    struct nb_virtual_server *server = exchange->server;
    struct nb_peer_exchange **at = &server->first;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    server->connections--;
    virtual_tls_close(exchange->end, false);
    server->world->clock_free(exchange->clock);
    sim_http_reader_free(exchange->reader);
    free(exchange->rest);
    free(exchange);
}

/* Says what is wrong with the request, and that nothing else is served here. */
static void refuse(struct nb_peer_exchange *exchange, unsigned status, const char *why)
{
    const struct nb_peer_handler *handler = &exchange->server->handler;
    const struct nb_peer_reply reply = {.status = status};
    if (handler->complain != NULL)
        handler->complain(handler->owner, why);
    (void)send_reply(exchange, &reply, false, true);
    close_connection(exchange);
}

enum then { THEN_NEXT, THEN_WAIT, THEN_GONE };

/* Hands the request over; then the next one may be read, later, or never. */
static enum then handle(struct nb_peer_exchange *exchange, bool again)
{
    const struct nb_peer_handler *handler = &exchange->server->handler;
    const struct nb_peer_request request = {.exchange = exchange,
                                            .method = sim_http_reader_method(exchange->reader),
                                            .path = exchange->head,
                                            .body = exchange->body,
                                            .body_size = exchange->body_size,
                                            .body_cut = exchange->body_cut,
                                            .again = again};
    exchange->replied = false;
    exchange->failed = false;
    exchange->delayed = false;
    if (handler->request != NULL)
        handler->request(handler->owner, &request);
    if (exchange->delayed && !exchange->replied) {
        virtual_tls_pause(exchange->end, true);
        return THEN_WAIT;
    }
    if (exchange->replied && !exchange->failed && sim_http_reader_keeps(exchange->reader)) {
        sim_http_reader_reset(exchange->reader);
        return THEN_NEXT;
    }
    close_connection(exchange);
    return THEN_GONE;
}

static void keep_rest(struct nb_peer_exchange *exchange, const uint8_t *data, size_t size)
{
    exchange->rest_size = 0;
    if (size == 0)
        return;
    exchange->rest = malloc(size);
    if (exchange->rest == NULL)
        return; /* they are lost, and so is the client's patience */
    memcpy(exchange->rest, data, size);
    exchange->rest_size = size;
}

/* A whole request was read. */
static enum then serve_one(struct nb_peer_exchange *exchange)
{
    bool named = header(exchange, "Host") != NULL || sim_http_reader_is_1_0(exchange->reader);
    if (!named) {
        refuse(exchange, 400, "the request names no host");
        return THEN_GONE;
    }
    exchange->body[exchange->body_size] = '\0';
    decode_path(exchange->head);
    return handle(exchange, false);
}

static void serve_bytes(struct nb_peer_exchange *exchange, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t used;
        enum sim_http_state state = sim_http_reader_feed(exchange->reader, data, size, &used);
        if (state == SIM_HTTP_IN_HEAD || state == SIM_HTTP_IN_BODY)
            return;
        if (state == SIM_HTTP_LONG_HEAD) {
            refuse(exchange, 431, "the request's header is too long");
            return;
        }
        if (state != SIM_HTTP_WHOLE) {
            refuse(exchange, 400, sim_http_reader_fault(exchange->reader));
            return;
        }
        data += used;
        size -= used;
        enum then then = serve_one(exchange);
        if (then == THEN_WAIT)
            keep_rest(exchange, data, size);
        if (then != THEN_NEXT)
            return;
    }
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    serve_bytes(owner, data, size);
}

static void on_ended(void *owner, int code)
{
    (void)code;
    close_connection(owner);
}

static const struct sim_stream_events stream_events = {.data = on_data, .ended = on_ended};

static void on_timer(void *owner, unsigned id)
{
    struct nb_peer_exchange *exchange = owner;
    (void)id;
    if (handle(exchange, true) != THEN_NEXT)
        return;
    uint8_t *rest = exchange->rest;
    size_t size = exchange->rest_size;
    exchange->rest = NULL;
    virtual_tls_pause(exchange->end, false);
    serve_bytes(exchange, rest, size);
    free(rest);
}

static int later(struct nb_peer_exchange *exchange, uint32_t ms)
{
    const struct sim_world *world = exchange->server->world;
    if (exchange->clock == NULL)
        exchange->clock = world->clock_new(world->context, on_timer, exchange);
    if (exchange->clock == NULL)
        return OTA_E_NO_SPACE;
    const struct clock_port *clock = world->clock_port(exchange->clock);
    int rc = clock->arm(clock->context, 0, ms);
    exchange->delayed = rc == OTA_OK;
    return rc;
}

static void on_accepted(void *owner, struct sim_stream *stream)
{
    struct nb_virtual_server *server = owner;
    struct nb_peer_exchange *exchange =
        server->connections < CONNECTIONS ? malloc(sizeof *exchange) : NULL;
    struct sim_http_reader *reader =
        exchange != NULL ? sim_http_reader_new(SIM_HTTP_REQUESTS, HEAD, &request_events, exchange)
                         : NULL;
    if (reader == NULL) {
        free(exchange);
        server->world->close(stream, true);
        return;
    }
    exchange->next = server->first;
    exchange->server = server;
    exchange->reader = reader;
    exchange->clock = NULL;
    exchange->rest = NULL;
    exchange->end = virtual_tls_accept(
        server->world, stream, server->peer.tls ? &server->tls : NULL, &stream_events, exchange);
    if (exchange->end == NULL) {
        sim_http_reader_free(reader);
        free(exchange);
        return;
    }
    server->first = exchange;
    server->connections++;
}

/* ---- life --------------------------------------------------------------------------------- */

static void serve(void *context, const struct nb_peer_handler *handler)
{
    struct nb_virtual_server *server = context;
    server->handler = handler != NULL ? *handler : (struct nb_peer_handler){.request = NULL};
}

int nb_virtual_server_new(const struct sim_world *world,
                          const struct nb_virtual_server_config *config,
                          struct nb_virtual_server **out)
{
    struct nb_virtual_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return OTA_E_NO_SPACE;
    server->world = world;
    server->peer = (struct nb_peer_server){.context = server,
                                           .port = config->port,
                                           .tls = config->tls != NULL,
                                           .serve = serve,
                                           .header = header,
                                           .reply = reply_to,
                                           .later = later};
    if (config->tls != NULL)
        server->tls = *config->tls;
    int rc =
        world->listen(world->context, &server->peer.port, on_accepted, server, &server->listener);
    if (rc != OTA_OK)
        free(server);
    else
        *out = server;
    return rc;
}

void nb_virtual_server_free(struct nb_virtual_server *server)
{
    if (server == NULL)
        return;
    while (server->first != NULL)
        close_connection(server->first);
    server->world->unlisten(server->listener);
    free(server);
}

const struct nb_peer_server *nb_virtual_server_peer(const struct nb_virtual_server *server)
{
    return &server->peer;
}

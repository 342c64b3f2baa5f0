/* A client of the HTTP seam of the virtual world and its server, for the tests. They all live in
 * one world, which the test program makes. */
#ifndef NOBRICK_SIM_VIRTUAL_HTTP_RIG_H
#define NOBRICK_SIM_VIRTUAL_HTTP_RIG_H

#include "sim/reply_rig.h"
#include "sim/virtual/http.h"
#include "sim/virtual/world.h"

struct rig_connection {
    struct rig_connection *next;
    struct rig_server *server;
    struct virtual_tls *end; /* NULL: closed */
    size_t length;
    char text[RIG_TEXT];
};

struct rig_server {
    const struct virtual_tls_server *tls; /* NULL: none */
    size_t slice;                         /* bytes a send; 0: all at once */
    struct rig_reply replies[RIG_REPLIES];
    size_t reply_count;
    /* what happened */
    char requests[RIG_REPLIES][RIG_TEXT];
    size_t request_count;
    unsigned connections;
    /* its own */
    uint16_t port;
    struct sim_listener *listener;
    struct rig_connection *first;
};

#include "sim/http_rig.h"

static struct virtual_world *rig_world;

static inline void rig_close(struct rig_connection *connection)
{
    virtual_tls_close(connection->end, false);
    connection->end = NULL;
}

static inline void rig_answer(struct rig_connection *connection, const struct rig_reply *reply)
{
    size_t length = reply->bytes == NULL ? 0
                    : reply->length != 0 ? reply->length
                                         : strlen(reply->bytes);
    size_t slice = connection->server->slice != 0 ? connection->server->slice : length;
    for (size_t at = 0; at < length; at += slice)
        (void)virtual_tls_send(connection->end, reply->bytes + at,
                               length - at < slice ? length - at : slice);
    if (reply->bytes == NULL || reply->then_close)
        rig_close(connection);
}

/* One request, with a body of its Content-Length; the client sends none before it has its answer.
 */
static inline void rig_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct rig_connection *connection = owner;
    struct rig_server *server = connection->server;
    assert_true(connection->length + size < RIG_TEXT);
    memcpy(connection->text + connection->length, data, size);
    connection->length += size;
    connection->text[connection->length] = '\0';
    const char *end = strstr(connection->text, "\r\n\r\n");
    const char *field = strstr(connection->text, "Content-Length: ");
    size_t body = field != NULL ? strtoul(field + 16, NULL, 10) : 0;
    if (end == NULL || connection->length < (size_t)(end + 4 - connection->text) + body)
        return;
    size_t number = server->request_count++;
    const struct rig_reply nothing = {.bytes = NULL};
    assert_true(number < RIG_REPLIES);
    memcpy(server->requests[number], connection->text, connection->length + 1);
    connection->length = 0;
    rig_answer(connection, number < server->reply_count ? &server->replies[number] : &nothing);
}

static inline void rig_on_ended(void *owner, int code)
{
    (void)code;
    rig_close(owner);
}

static inline void rig_on_accepted(void *owner, struct sim_stream *stream)
{
    static const struct sim_stream_events events = {.data = rig_on_data, .ended = rig_on_ended};
    struct rig_server *server = owner;
    struct rig_connection *connection = calloc(1, sizeof *connection);
    assert_non_null(connection);
    server->connections++;
    connection->server = server;
    connection->next = server->first;
    server->first = connection;
    connection->end = virtual_tls_accept(virtual_world_table(rig_world), stream, server->tls,
                                         &events, connection);
}

static inline void rig_server_start(struct rig_server *server)
{
    const struct sim_world *world = virtual_world_table(rig_world);
    assert_int_equal(
        world->listen(world->context, &server->port, rig_on_accepted, server, &server->listener),
        OTA_OK);
}

static inline void rig_server_stop(struct rig_server *server)
{
    virtual_world_table(rig_world)->unlisten(server->listener);
    while (server->first != NULL) {
        struct rig_connection *next = server->first->next;
        rig_close(server->first);
        free(server->first);
        server->first = next;
    }
}

static inline void open_client_as(struct client *client, const struct rig_server *server,
                                  enum virtual_client_cert shows, uint16_t port)
{
    memset(client, 0, sizeof *client);
    const struct virtual_http_config config = {.client = {.port = port,
                                                          .use_tls = server->tls != NULL,
                                                          .connect_ms = 500,
                                                          .stall_ms = 300},
                                               .tls = {.shows = shows}};
    client->http = virtual_http_new(virtual_world_table(rig_world), &config, on_event, client);
    assert_non_null(client->http);
    client->port = sim_http_client_port(virtual_http_client(client->http));
}

static inline void open_client(struct client *client, const struct rig_server *server,
                               const char *host)
{
    open_client_as(client, server, VIRTUAL_CLIENT_NONE, host[0] != '\0' ? server->port : 0);
}

static inline void close_client(struct client *client)
{
    virtual_http_free(client->http);
}

static inline int client_run(struct client *client, uint32_t ms)
{
    const struct sim_world *world = virtual_world_table(rig_world);
    (void)client;
    return world->run(world->context, ms);
}

static inline void client_stop(struct client *client, int value)
{
    const struct sim_world *world = virtual_world_table(rig_world);
    (void)client;
    world->stop(world->context, value);
}

static inline const char *client_reason(const struct client *client)
{
    return sim_http_client_reason(virtual_http_client(client->http));
}

static inline uint64_t client_received(const struct client *client)
{
    return sim_http_client_received(virtual_http_client(client->http));
}

#endif

/* A client of the HTTP seam and its server, for the tests: events are counted, bodies collected. */
#ifndef NOBRICK_SIM_POSIX_HTTP_RIG_H
#define NOBRICK_SIM_POSIX_HTTP_RIG_H

#include "sim/posix/http.h"
#include "sim/posix/server_rig.h"

#include <signal.h>

#define PATIENCE 5000
#define ROOM     70000

enum act { ACT_NONE, ACT_CANCEL, ACT_REPLACE };

struct client {
    struct posix_loop *loop;
    struct posix_http *http;
    const struct http_port *port;
    struct http_head head;
    unsigned heads;
    unsigned bodies;
    unsigned dones;
    int code;
    char ca[RIG_PATH];
    char cert[RIG_PATH];
    char key[RIG_PATH];
    char body[ROOM];
    size_t length;
    /* what to do when an event comes, once */
    enum ota_event_type at;
    enum act act;
    int act_result;
};

static const struct http_request whole = {.path = "/f.bin"};
static const struct http_request ranged = {.path = "/f.bin", .ranged = true, .from = 0, .to = 3};

static inline void act(struct client *client)
{
    enum act what = client->act;
    client->act = ACT_NONE;
    client->port->cancel(client->port->context);
    client->heads = client->bodies = client->dones = 0;
    client->length = 0;
    if (what == ACT_REPLACE)
        client->act_result = client->port->request(client->port->context, &whole);
    else
        posix_loop_stop(client->loop, 2);
}

static inline void on_event(void *context, const struct ota_event *event)
{
    struct client *client = context;
    switch (event->type) {
    case OTA_EVENT_HTTP_HEAD:
        client->head = *event->head;
        client->heads++;
        break;
    case OTA_EVENT_HTTP_BODY:
        assert_true(client->heads == 1 && client->dones == 0 && event->length > 0);
        assert_true(client->length + event->length <= ROOM);
        memcpy(client->body + client->length, event->data, event->length);
        client->length += event->length;
        client->bodies++;
        break;
    default:
        assert_int_equal(event->type, OTA_EVENT_HTTP_DONE);
        client->dones++;
        client->code = event->code;
        if (client->act == ACT_NONE)
            posix_loop_stop(client->loop, 1);
        break;
    }
    if (client->act != ACT_NONE && event->type == client->at)
        act(client);
}

static inline void open_client(struct client *client, const struct rig_server *server,
                               const char *shows, const char *host)
{
    memset(client, 0, sizeof *client);
    snprintf(client->ca, RIG_PATH, "%s", rig_file("ca", "crt"));
    if (shows != NULL) {
        snprintf(client->cert, RIG_PATH, "%s", rig_file(shows, "crt"));
        snprintf(client->key, RIG_PATH, "%s", rig_file(shows, "key"));
    }
    struct posix_http_config config = {.port = server->port,
                                       .tls = server->identity != NULL,
                                       .ca_path = client->ca,
                                       .cert_path = shows != NULL ? client->cert : NULL,
                                       .key_path = shows != NULL ? client->key : NULL,
                                       .connect_ms = 500,
                                       .stall_ms = 300};
    snprintf(config.host, sizeof config.host, "%s", host);
    client->loop = posix_loop_new();
    client->http = posix_http_new(client->loop, &config, on_event, client);
    assert_non_null(client->http);
    client->port = posix_http_port(client->http);
}

static inline void close_client(struct client *client)
{
    posix_http_free(client->http);
    posix_loop_free(client->loop);
}

/* Makes the request and waits for its end. */
static inline int fetch(struct client *client, const struct http_request *request)
{
    client->heads = client->bodies = client->dones = 0;
    client->length = 0;
    assert_int_equal(client->port->request(client->port->context, request), OTA_OK);
    assert_int_equal(posix_loop_run(client->loop, PATIENCE), 1);
    assert_int_equal(client->dones, 1);
    return client->code;
}

/* One server with `replies`, one client without TLS; ends both. */
struct scene {
    struct rig_server server;
    struct client client;
};

static inline void open_scene(struct scene *scene, const struct rig_reply *replies, size_t count)
{
    memset(&scene->server, 0, sizeof scene->server);
    memcpy(scene->server.replies, replies, count * sizeof *replies);
    scene->server.reply_count = count;
    rig_server_start(&scene->server);
    open_client(&scene->client, &scene->server, NULL, "127.0.0.1");
}

static inline void close_scene(struct scene *scene)
{
    close_client(&scene->client);
    rig_server_stop(&scene->server);
}

#define OPEN(scene, ...)                                                                           \
    do {                                                                                           \
        const struct rig_reply replies[] = {__VA_ARGS__};                                          \
        open_scene(scene, replies, sizeof replies / sizeof replies[0]);                            \
    } while (0)

#define OK_FOUR "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"

#define TO(where)                                                                                  \
    "HTTP/1.1 302 Found\r\nETag: \"no\"\r\nLocation: " where "\r\nContent-Length: 4\r\n\r\nMOVE"

#endif

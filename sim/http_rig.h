/* A client of the HTTP seam of any world, for the tests: events are counted, bodies collected.
 *
 * A world's own rig defines struct rig_server before it includes this, and afterwards rig_server_*,
 * open_client, close_client and what is only declared here. */
#ifndef NOBRICK_SIM_HTTP_RIG_H
#define NOBRICK_SIM_HTTP_RIG_H

#include "agent/ports.h"
#include "sim/reply_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE 5000
#define ROOM     70000
#define RIG_FILE 512

enum act { ACT_NONE, ACT_CANCEL, ACT_REPLACE };

struct client {
    void *world; /* what it runs in */
    void *http;  /* what it is */
    const struct http_port *port;
    struct http_head head;
    unsigned heads;
    unsigned bodies;
    unsigned dones;
    int code;
    char ca[RIG_FILE]; /* files of one with real TLS */
    char cert[RIG_FILE];
    char key[RIG_FILE];
    char body[ROOM];
    size_t length;
    /* what to do when an event comes, once */
    enum ota_event_type at;
    enum act act;
    int act_result;
};

static inline int client_run(struct client *client, uint32_t ms);
static inline void client_stop(struct client *client, int value);
static inline const char *client_reason(const struct client *client);
static inline uint64_t client_received(const struct client *client);

/* A client without TLS of that server; host "": of none. */
static inline void open_client(struct client *client, const struct rig_server *server,
                               const char *host);
static inline void close_client(struct client *client);
static inline void rig_server_start(struct rig_server *server);
static inline void rig_server_stop(struct rig_server *server);

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
        client_stop(client, 2);
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
            client_stop(client, 1);
        break;
    }
    if (client->act != ACT_NONE && event->type == client->at)
        act(client);
}

/* Makes the request and waits for its end. */
static inline int fetch(struct client *client, const struct http_request *request)
{
    client->heads = client->bodies = client->dones = 0;
    client->length = 0;
    assert_int_equal(client->port->request(client->port->context, request), OTA_OK);
    assert_int_equal(client_run(client, PATIENCE), 1);
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
    open_client(&scene->client, &scene->server, "127.0.0.1");
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

#define TO(where)                                                                                  \
    "HTTP/1.1 302 Found\r\nETag: \"no\"\r\nLocation: " where "\r\nContent-Length: 4\r\n\r\nMOVE"

#endif

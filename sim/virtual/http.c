#include "sim/virtual/http.h"

#include <stdlib.h>

struct virtual_http {
    const struct sim_world *world;
    struct virtual_tls_client tls;
    struct virtual_names *names;
    struct sim_http_net net;
    struct sim_http_client *client;
};

static bool find(void *context, const char *host)
{
    struct virtual_http *http = context;
    return virtual_names_find(http->names, host);
}

static void *open_end(void *context, const char *host, uint16_t port, bool tls,
                      const struct sim_stream_events *events, void *owner)
{
    struct virtual_http *http = context;
    return virtual_tls_connect(http->world, port, host, tls ? &http->tls : NULL, events, owner);
}

static size_t send_on(void *end, const void *data, size_t size)
{
    return virtual_tls_send(end, data, size);
}

static void close_end(void *end, bool reset)
{
    virtual_tls_close(end, reset);
}

struct virtual_http *virtual_http_new(const struct sim_world *world,
                                      const struct virtual_http_config *config,
                                      void (*deliver)(void *context, const struct ota_event *event),
                                      void *context)
{
    struct virtual_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->world = world;
    http->tls = config->tls;
    http->names = config->names;
    http->net = (struct sim_http_net){http, world, find, open_end, send_on, close_end};
    http->client = sim_http_client_new(&http->net, &config->client, deliver, context);
    if (http->client != NULL)
        return http;
    free(http);
    return NULL;
}

void virtual_http_free(struct virtual_http *http)
{
    if (http == NULL)
        return;
    sim_http_client_free(http->client);
    free(http);
}

struct sim_http_client *virtual_http_client(struct virtual_http *http)
{
    return http->client;
}

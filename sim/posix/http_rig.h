/* A client of the HTTP seam on libcurl and its server, for the tests. */
#ifndef NOBRICK_SIM_POSIX_HTTP_RIG_H
#define NOBRICK_SIM_POSIX_HTTP_RIG_H

#include "sim/posix/http.h"
#include "sim/posix/server_rig.h"

#include "sim/http_rig.h"

#include <signal.h>

static inline void open_client_as(struct client *client, const struct rig_server *server,
                                  const char *shows, const char *host)
{
    memset(client, 0, sizeof *client);
    snprintf(client->ca, RIG_FILE, "%s", rig_file("ca", "crt"));
    if (shows != NULL) {
        snprintf(client->cert, RIG_FILE, "%s", rig_file(shows, "crt"));
        snprintf(client->key, RIG_FILE, "%s", rig_file(shows, "key"));
    }
    struct posix_http_config config = {.port = server->port,
                                       .tls = server->identity != NULL,
                                       .ca_path = client->ca,
                                       .cert_path = shows != NULL ? client->cert : NULL,
                                       .key_path = shows != NULL ? client->key : NULL,
                                       .connect_ms = 500,
                                       .stall_ms = 300};
    snprintf(config.host, sizeof config.host, "%s", host);
    client->world = posix_loop_new();
    client->http = posix_http_new(client->world, &config, on_event, client);
    assert_non_null(client->http);
    client->port = posix_http_port(client->http);
}

static inline void open_client(struct client *client, const struct rig_server *server,
                               const char *host)
{
    open_client_as(client, server, NULL, host);
}

static inline void close_client(struct client *client)
{
    posix_http_free(client->http);
    posix_loop_free(client->world);
}

static inline int client_run(struct client *client, uint32_t ms)
{
    return posix_loop_run(client->world, ms);
}

static inline void client_stop(struct client *client, int value)
{
    posix_loop_stop(client->world, value);
}

static inline const char *client_reason(const struct client *client)
{
    return posix_http_reason(client->http);
}

static inline uint64_t client_received(const struct client *client)
{
    return posix_http_received(client->http);
}

#endif

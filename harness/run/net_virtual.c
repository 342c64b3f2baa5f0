#include "harness/run/net_virtual.h"
#include "harness/peers/virtual_server.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- certificates ------------------------------------------------------------------------ */

struct virtual_tls_server nb_virtual_server(enum nb_tls kind)
{
    static const enum virtual_server_cert shown[NB_TLS_KINDS] = {
        [NB_TLS_SERVER] = VIRTUAL_CERT_GOOD,
        [NB_TLS_CLIENT] = VIRTUAL_CERT_GOOD,
        [NB_TLS_STRANGER] = VIRTUAL_CERT_GOOD,
        [NB_TLS_IMPOSTOR] = VIRTUAL_CERT_IMPOSTOR,
        [NB_TLS_UNKNOWN_CA] = VIRTUAL_CERT_UNKNOWN_CA,
        [NB_TLS_SELF_SIGNED] = VIRTUAL_CERT_SELF_SIGNED,
        [NB_TLS_EXPIRED] = VIRTUAL_CERT_EXPIRED,
        [NB_TLS_EARLY] = VIRTUAL_CERT_EARLY,
        [NB_TLS_WRONG_NAME] = VIRTUAL_CERT_WRONG_NAME,
    };
    return (struct virtual_tls_server){shown[kind],
                                       kind == NB_TLS_CLIENT || kind == NB_TLS_STRANGER};
}

struct virtual_tls_client nb_virtual_client(enum nb_tls kind)
{
    return (struct virtual_tls_client){kind == NB_TLS_CLIENT     ? VIRTUAL_CLIENT_GOOD
                                       : kind == NB_TLS_STRANGER ? VIRTUAL_CLIENT_STRANGER
                                                                 : VIRTUAL_CLIENT_NONE};
}

/* ---- servers ----------------------------------------------------------------------------- */

static int make_broker(struct nb_net *net, struct nb_kit *kit, uint16_t *port, uint16_t *tls_port,
                       char reason[NB_LINE])
{
    struct nb_net_virtual *own = net->own;
    const struct virtual_tls_server tls = nb_virtual_server(net->tls);
    const struct virtual_broker_config config = {.tls = net->tls == NB_TLS_NONE ? NULL : &tls};
    (void)kit;
    own->names = (struct virtual_names){0};
    own->broker = virtual_broker_new(net->world, &config);
    if (!own->broker) {
        snprintf(reason, NB_LINE, "no memory for a broker");
        return OTA_E_NO_SPACE;
    }
    *port = virtual_broker_port(own->broker);
    *tls_port = virtual_broker_tls_port(own->broker);
    return 0;
}

static int make_client(struct nb_net *net, const struct mqtt_port **out)
{
    struct nb_net_virtual *own = net->own;
    const struct virtual_mqtt_config config = {.port = net->broker_port};
    own->mqtt = virtual_mqtt_new(net->world, &config, nb_net_cloud_event, net);
    if (!own->mqtt)
        return OTA_E_NO_SPACE;
    *out = virtual_mqtt_port(own->mqtt);
    return 0;
}

static int make_server(struct nb_net *net, struct nb_kit *kit, bool tls,
                       const struct nb_peer_server **out, char reason[NB_LINE])
{
    struct nb_net_virtual *own = net->own;
    const struct virtual_tls_server shown = nb_virtual_server(nb_net_tls(net));
    const struct nb_virtual_server_config config = {.tls = tls ? &shown : NULL};
    (void)kit;
    (void)reason;
    int rc = nb_virtual_server_new(net->world, &config, &own->servers[tls]);
    if (rc == 0)
        *out = nb_virtual_server_peer(own->servers[tls]);
    return rc;
}

static int real_server(struct nb_net *net, struct nb_kit *kit, uint16_t ports[2],
                       char reason[NB_LINE])
{
    (void)net;
    (void)kit;
    (void)ports;
    snprintf(reason, NB_LINE, "a real server needs the posix world");
    return OTA_E_UNSUPPORTED;
}

static int serve(struct nb_net *net, const char *path, const void *data, size_t size)
{
    (void)net;
    (void)path;
    (void)data;
    (void)size;
    return OTA_E_UNSUPPORTED;
}

/* Servers get ports from 1024 on. */
static int closed_port(struct nb_net *net, uint16_t *port)
{
    (void)net;
    *port = 1;
    return 0;
}

static void stop_servers(struct nb_net *net)
{
    struct nb_net_virtual *own = net->own;
    virtual_mqtt_free(own->mqtt);
    for (int tls = 0; tls < 2; tls++)
        nb_virtual_server_free(own->servers[tls]);
    virtual_broker_free(own->broker);
    *own = (struct nb_net_virtual){0};
}

static void fail_names(struct nb_net *net, uint32_t count)
{
    struct nb_net_virtual *own = net->own;
    own->names = (struct virtual_names){.fail_next = count};
}

static uint32_t names_failed(const struct nb_net *net)
{
    const struct nb_net_virtual *own = net->own;
    return own->names.failed;
}

static void jump(void *context, uint32_t ms)
{
    const struct nb_net *net = context;
    virtual_world_jump(net->world->context, ms);
}

const struct nb_servers nb_servers_virtual = {make_broker,  make_client, make_server,  real_server,
                                              serve,        closed_port, stop_servers, fail_names,
                                              names_failed, jump};

/* ---- the device's clients ---------------------------------------------------------------- */

/* A client that may be dropped where it cannot be freed. */
struct client {
    struct virtual_mqtt *mqtt;
    struct virtual_http *http;
};

static void *create_mqtt(void *context, void (*deliver)(void *owner, const struct ota_event *event),
                         void *owner)
{
    struct nb_net *net = context;
    struct nb_net_virtual *own = net->own;
    struct client *client = calloc(1, sizeof *client);
    const struct virtual_mqtt_config config = {.host = nb_net_host(net),
                                               .port = net->broker.port,
                                               .use_tls = net->broker.tls,
                                               .tls = nb_virtual_client(net->tls),
                                               .names = &own->names};
    if (!client)
        return NULL;
    client->mqtt = virtual_mqtt_new(net->world, &config, deliver, owner);
    if (client->mqtt)
        return client;
    free(client);
    return NULL;
}

static const struct mqtt_port *mqtt_port_of(void *client)
{
    return virtual_mqtt_port(((struct client *)client)->mqtt);
}

static const char *mqtt_reason(void *client)
{
    return virtual_mqtt_reason(((struct client *)client)->mqtt);
}

static void *create_http(void *context, void (*deliver)(void *owner, const struct ota_event *event),
                         void *owner)
{
    struct nb_net *net = context;
    struct nb_net_virtual *own = net->own;
    struct client *client = calloc(1, sizeof *client);
    const struct nb_door *door = nb_net_home_server(net);
    const struct virtual_http_config config = {.client = {.host = nb_net_host(net),
                                                          .port = door ? door->port : 0,
                                                          .use_tls = door && door->tls},
                                               .tls = nb_virtual_client(net->tls),
                                               .names = &own->names};
    if (!client)
        return NULL;
    client->http = virtual_http_new(net->world, &config, deliver, owner);
    if (client->http)
        return client;
    free(client);
    return NULL;
}

static const struct http_port *http_port_of(void *client)
{
    return sim_http_client_port(virtual_http_client(((struct client *)client)->http));
}

static const char *http_reason(void *client)
{
    return sim_http_client_reason(virtual_http_client(((struct client *)client)->http));
}

static void drop(void *context)
{
    struct client *client = context;
    virtual_mqtt_free(client->mqtt);
    client->mqtt = NULL;
    if (client->http)
        sim_http_client_power_off(virtual_http_client(client->http));
}

static void destroy(void *context)
{
    struct client *client = context;
    virtual_mqtt_free(client->mqtt);
    virtual_http_free(client->http);
    free(client);
}

void nb_virtual_clients(struct nb_net *net, struct virtual_device_config *out)
{
    const struct nb_door *door = nb_net_home_server(net);
    out->mqtt = (struct virtual_client){create_mqtt, mqtt_reason,     drop, destroy, net,
                                        "127.0.0.1", net->broker.port};
    out->mqtt_port = mqtt_port_of;
    out->http = (struct virtual_client){
        create_http, http_reason, drop, destroy, net, "127.0.0.1", door ? door->port : (uint16_t)0};
    out->http_port = http_port_of;
    out->https = door && door->tls;
}

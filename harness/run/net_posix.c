#include "harness/run/net_posix.h"
#include "harness/run/certs.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- servers ----------------------------------------------------------------------------- */

static int make_broker(struct nb_net *net, struct nb_kit *kit, uint16_t *port, uint16_t *tls_port,
                       char reason[NB_LINE])
{
    return nb_kit_broker(kit, net->tls, port, tls_port, reason, NB_LINE);
}

static int make_client(struct nb_net *net, const struct mqtt_port **out)
{
    struct nb_net_posix *own = net->own;
    struct posix_mqtt_config config = {.port = net->broker_port};
    snprintf(config.host, sizeof config.host, "127.0.0.1");
    own->mqtt = posix_mqtt_new(own->loop, &config, nb_net_cloud_event, net);
    if (!own->mqtt)
        return OTA_E_NO_SPACE;
    *out = posix_mqtt_port(own->mqtt);
    return 0;
}

static int make_server(struct nb_net *net, struct nb_kit *kit, bool tls,
                       const struct nb_peer_server **out, char reason[NB_LINE])
{
    struct nb_daemon_tls files;
    struct nb_net_posix *own = net->own;
    struct nb_http_server_config config = {.port = 0};
    if (tls && nb_kit_tls(kit, nb_net_tls(net), &files) != 0) {
        snprintf(reason, NB_LINE, "cannot make test certificates");
        return OTA_E_IO;
    }
    if (tls) {
        config.cert_path = files.cert;
        config.key_path = files.key;
        config.ca_path = files.mutual ? files.ca : NULL;
    }
    own->servers[tls] = nb_http_server_new(own->loop, &config, reason, NB_LINE);
    if (!own->servers[tls])
        return OTA_E_IO;
    *out = nb_http_server_peer(own->servers[tls]);
    return 0;
}

static int make_real_server(struct nb_net *net, struct nb_kit *kit, uint16_t ports[2],
                            char reason[NB_LINE])
{
    struct nb_net_posix *own = net->own;
    struct nb_daemon_tls files;
    if (nb_kit_tls(kit, nb_net_tls(net), &files) != 0) {
        snprintf(reason, NB_LINE, "cannot make test certificates");
        return OTA_E_IO;
    }
    own->nginx.loop = own->loop;
    own->nginx.line = net->line;
    own->nginx.context = net->context;
    int rc = nb_nginx_start(&own->nginx, nb_kit_dir(kit), &files, reason, NB_LINE);
    ports[0] = own->nginx.port;
    ports[1] = own->nginx.tls_port;
    return rc;
}

static int serve(struct nb_net *net, const char *path, const void *data, size_t size)
{
    struct nb_net_posix *own = net->own;
    return nb_nginx_serve(&own->nginx, path, data, size);
}

/* A port of which it is certain that nobody listens there. */
static int hold_closed_port(struct nb_net *net, uint16_t *port)
{
    struct nb_net_posix *own = net->own;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    own->closed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (own->closed < 0 || bind(own->closed, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(own->closed, (struct sockaddr *)&address, &length) != 0)
        return OTA_E_IO;
    *port = ntohs(address.sin_port);
    return 0;
}

static void stop_servers(struct nb_net *net)
{
    struct nb_net_posix *own = net->own;
    posix_mqtt_free(own->mqtt);
    own->mqtt = NULL;
    for (int tls = 0; tls < 2; tls++) {
        nb_http_server_free(own->servers[tls]);
        own->servers[tls] = NULL;
    }
    nb_nginx_stop(&own->nginx);
    if (own->closed > 0)
        close(own->closed);
    own->closed = 0;
}

const struct nb_servers nb_servers_posix = {
    make_broker, make_client, make_server, make_real_server, serve, hold_closed_port, stop_servers,
    NULL,        NULL,        NULL};

/* ---- the device's options ---------------------------------------------------------------- */

int nb_net_certificates(const struct nb_net *net, struct nb_kit *kit, struct nb_net_arguments *room)
{
    const char *own = nb_certs_client(net->tls);
    room->ca[0] = room->cert[0] = room->key[0] = '\0';
    if (!net->broker.tls && !net->server[1].port)
        return 0;
    int rc = nb_kit_cert(kit, NB_CERTS_CA, "crt", room->ca, sizeof room->ca);
    if (rc == 0 && own)
        rc = nb_kit_cert(kit, own, "crt", room->cert, sizeof room->cert);
    if (rc == 0 && own)
        rc = nb_kit_cert(kit, own, "key", room->key, sizeof room->key);
    return rc;
}

static void add_option(const char *option, const char *value, const char **arguments, size_t *count)
{
    if (value[0] == '\0')
        return;
    arguments[(*count)++] = option;
    arguments[(*count)++] = value;
}

int nb_net_arguments(const struct nb_net *net, struct nb_kit *kit, struct nb_net_arguments *room,
                     const char **arguments, size_t *count)
{
    const struct nb_door *server = nb_net_home_server(net);
    if (net->broker.port) {
        snprintf(room->broker, sizeof room->broker, "mqtt%s://127.0.0.1:%u",
                 net->broker.tls ? "s" : "", net->broker.port);
        arguments[(*count)++] = "--broker";
        arguments[(*count)++] = room->broker;
    }
    if (nb_net_via_http(net)) {
        arguments[(*count)++] = "--via";
        arguments[(*count)++] = "http"; /* https: the URL says it */
    }
    if (server) {
        snprintf(room->server, sizeof room->server, "http%s://127.0.0.1:%u", server->tls ? "s" : "",
                 server->port);
        arguments[(*count)++] = "--server";
        arguments[(*count)++] = room->server;
    }
    int rc = nb_net_certificates(net, kit, room);
    add_option("--ca", room->ca, arguments, count);
    add_option("--cert", room->cert, arguments, count);
    add_option("--key", room->key, arguments, count);
    return rc;
}

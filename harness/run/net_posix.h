/* The servers of the posix world: mosquitto, libmicrohttpd, Paho for the cloud side; and what a
 * device process is told of them. Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_NET_POSIX_H
#define NOBRICK_HARNESS_RUN_NET_POSIX_H

#include "harness/peers/http_server.h"
#include "harness/run/net.h"
#include "harness/run/nginx.h"
#include "sim/posix/mqtt.h"

struct nb_net_posix {
    struct posix_loop *loop;
    struct posix_mqtt *mqtt;           /* the cloud side's */
    struct nb_http_server *servers[2]; /* plain, TLS */
    struct nb_nginx nginx;
    int closed; /* socket that holds the closed port, and listens to nobody */
};

/* Their context is a struct nb_net_posix with a loop. */
extern const struct nb_servers nb_servers_posix;

struct nb_net_arguments {
    char broker[64];
    char server[64];
    char ca[300];
    char cert[300];
    char key[300];
};

/* The certificates of the device, as files: its authority, and its own where it has one; "" where
 * there is none. OTA_E_IO when they cannot be made. */
OTA_MUST_CHECK int nb_net_certificates(const struct nb_net *net, struct nb_kit *kit,
                                       struct nb_net_arguments *room);

/* Adds the device's options for this network to `arguments`; the texts live in `room`. */
OTA_MUST_CHECK int nb_net_arguments(const struct nb_net *net, struct nb_kit *kit,
                                    struct nb_net_arguments *room, const char **arguments,
                                    size_t *count);

#endif

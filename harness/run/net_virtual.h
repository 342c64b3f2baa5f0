/* The servers of the virtual world: an in-process broker and HTTP servers on its byte streams.
 * Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_NET_VIRTUAL_H
#define NOBRICK_HARNESS_RUN_NET_VIRTUAL_H

#include "harness/run/net.h"
#include "sim/virtual/broker.h"
#include "sim/virtual/device.h"
#include "sim/virtual/http.h"
#include "sim/virtual/mqtt.h"

struct nb_virtual_server;

struct nb_net_virtual {
    struct virtual_broker *broker;
    struct virtual_mqtt *mqtt;            /* the cloud side's */
    struct nb_virtual_server *servers[2]; /* plain, TLS */
    struct virtual_names names;           /* of the device's look-ups */
};

/* Their context is a struct nb_net_virtual, all zero. */
extern const struct nb_servers nb_servers_virtual;

/* The device's clients for this network, which outlives it. */
void nb_virtual_clients(struct nb_net *net, struct virtual_device_config *out);

/* What the servers of that kind show, and what the device shows them. */
struct virtual_tls_server nb_virtual_server(enum nb_tls kind);
struct virtual_tls_client nb_virtual_client(enum nb_tls kind);

#endif

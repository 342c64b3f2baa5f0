/* An MQTT 3.1.1 broker inside the process, over the streams of the virtual world.
 *
 * It does what mosquitto does with the configuration that the posix world gives it: anybody may
 * connect, nothing is persisted, 20 messages in flight and 1000 waiting for each client, keep-alive
 * enforced at one and a half times, a client id in use is taken over, retained messages, wills.
 * What it has not: QoS 2 to subscribers (granted as 1), $SYS and $share topics, MQTT 3.1 and 5.
 * Where mosquitto 2.0.11 strays from the standard it does not follow: of several subscriptions that
 * match, the best QoS counts, and never more than the 20 are in flight.
 * What a client sends wrongly ends that client's connection only.
 *
 * The caller owns it and frees it before the world; connections that are open then are reset. */
#ifndef NOBRICK_SIM_VIRTUAL_BROKER_H
#define NOBRICK_SIM_VIRTUAL_BROKER_H

#include "sim/virtual/tls.h"

#define VIRTUAL_BROKER_IN_FLIGHT 20   /* messages on their way to one client */
#define VIRTUAL_BROKER_QUEUED    1000 /* more of them that wait; what comes then is dropped */

struct virtual_broker;

struct virtual_broker_config {
    uint16_t port;                        /* 0: one that is free */
    const struct virtual_tls_server *tls; /* copied; NULL: no second port with TLS */
    uint16_t tls_port;                    /* 0: one that is free */
    size_t max_packet;                    /* bytes, header included; 0: as large as MQTT allows */
};

/* NULL when memory runs out or a port is taken. */
struct virtual_broker *virtual_broker_new(const struct sim_world *world,
                                          const struct virtual_broker_config *config);
void virtual_broker_free(struct virtual_broker *broker); /* NULL is fine */

uint16_t virtual_broker_port(const struct virtual_broker *broker);
uint16_t virtual_broker_tls_port(const struct virtual_broker *broker); /* 0: none */

#endif

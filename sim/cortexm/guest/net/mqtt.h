/* The MQTT seam on lwIP's client. It behaves as the one on Paho (sim/posix/mqtt.h), but
 * - every session is a clean one: lwIP's client knows no other (OTA_E_UNSUPPORTED);
 * - a publish has at most MQTT_OUTPUT_RINGBUF_SIZE bytes, topic and all, a will 255 and
 *   255, an incoming topic about 1000;
 * - an incoming message for which there is no memory is lost: lwIP has acknowledged it by then. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_H

#include "agent/ports.h"

struct net_mqtt_config {
    const char *host; /* of connections without one; outlives the client */
    uint16_t port;
    bool tls; /* with every host */
};

/* There is one client. `deliver` is called from net_turn(). NULL when memory runs out. */
const struct mqtt_port *
net_mqtt_start(const struct net_mqtt_config *config,
               void (*deliver)(void *context, const struct ota_event *event), void *context);
/* Of net_turn. True: something was told. */
bool net_mqtt_turn(void);
/* Milliseconds until time alone gives it something to do; UINT32_MAX: never. */
uint32_t net_mqtt_wait(void);

/* "HOST:PORT" of the last connection that was asked for; why it failed or was lost, for people. */
const char *net_mqtt_peer(void);
const char *net_mqtt_reason(void);

#endif

/* The MQTT seam of the virtual world: real packets of MQTT 3.1.1 over a stream.
 *
 * It answers as the seam of the posix world does, which stands on Paho: the same events and codes
 * in the same order, ten seconds for a connection to come about, three seconds for messages in
 * flight when disconnecting, 64 messages in flight, a lost connection fails whatever was not
 * acknowledged, and nothing is ever sent twice. What it has not: publishing with QoS 2.
 *
 * `deliver` is called from the world's run only, never from inside a call of the port. It may call
 * the port, and free the client. */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_H
#define NOBRICK_SIM_VIRTUAL_MQTT_H

#include "sim/virtual/names.h"
#include "sim/virtual/tls.h"

struct virtual_mqtt;

struct virtual_mqtt_config {
    const char *host; /* of the broker; NULL: 127.0.0.1. Outlives the client */
    uint16_t port;
    bool use_tls;
    struct virtual_tls_client tls;
    struct virtual_names *names; /* whose faults look-ups have; may be NULL, outlives the client */
};

/* NULL when memory runs out. The caller owns it and frees it before the world. `config` is
 * copied. */
struct virtual_mqtt *virtual_mqtt_new(const struct sim_world *world,
                                      const struct virtual_mqtt_config *config,
                                      void (*deliver)(void *context, const struct ota_event *event),
                                      void *context);
/* Freed while it is connected, it goes as in a power cut: the stream is reset, without a goodbye.
 * NULL is fine. */
void virtual_mqtt_free(struct virtual_mqtt *mqtt);
const struct mqtt_port *virtual_mqtt_port(struct virtual_mqtt *mqtt);

/* Why the last connection failed or was lost, for people; "" when none was. */
const char *virtual_mqtt_reason(const struct virtual_mqtt *mqtt);

#endif

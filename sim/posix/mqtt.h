/* The MQTT seam on Paho MQTT C (asynchronous client). Paho calls back on threads of its own: the
 * results are posted to the loop and delivered there as OTA_EVENT_MQTT_*. */
#ifndef NOBRICK_SIM_POSIX_MQTT_H
#define NOBRICK_SIM_POSIX_MQTT_H

#include "agent/ports.h"
#include "sim/posix/loop.h"

struct posix_mqtt;

struct posix_mqtt_config {
    char host[256];
    uint16_t port;
    bool tls;
    const char *ca_path; /* PEM files, may be NULL */
    const char *cert_path;
    const char *key_path;
};

/* Parses mqtt://HOST[:PORT] or mqtts://HOST[:PORT]. OTA_E_ARGUMENT otherwise. */
OTA_MUST_CHECK int posix_mqtt_url(const char *url, struct posix_mqtt_config *out);

/* `deliver` is called in the loop's thread. NULL when out of memory. `config` is copied, the paths
 * in it are not. Must be freed before the loop. */
struct posix_mqtt *posix_mqtt_new(struct posix_loop *loop, const struct posix_mqtt_config *config,
                                  void (*deliver)(void *context, const struct ota_event *event),
                                  void *context);
void posix_mqtt_free(struct posix_mqtt *mqtt);
const struct mqtt_port *posix_mqtt_port(struct posix_mqtt *mqtt);

/* "HOST:PORT" of the last connection that was asked for; "" before. */
const char *posix_mqtt_peer(const struct posix_mqtt *mqtt);
/* Why the last connection failed or was lost, for people; "" when none was. */
const char *posix_mqtt_reason(const struct posix_mqtt *mqtt);

#endif

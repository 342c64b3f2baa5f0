#include "sim/cortexm/guest/net/net.h"

#include "sim/cortexm/guest/net/http.h"
#include "sim/cortexm/guest/net/mqtt.h"
#include "sim/cortexm/guest/net/stack.h"
#include "sim/cortexm/guest/net/stream.h"
#include "sim/cortexm/guest/net/tls.h"

#include <stdlib.h>

#define PEM_ROOM 8192u /* of one file */

static struct sim_http_client *http;

static const char *mqtt_peer(void *client)
{
    (void)client;
    return net_mqtt_peer();
}

static const char *mqtt_reason(void *client)
{
    (void)client;
    return net_mqtt_reason();
}

static const char *http_reason(void *client)
{
    return sim_http_client_reason(client);
}

/* The setting is a PEM file, in hexadecimal digits. */
static int read_pem(const char *key, int (*take)(const uint8_t *pem, size_t size))
{
    static uint8_t pem[PEM_ROOM];
    const char *value = guest_setting(key, NULL);
    if (value == NULL)
        return OTA_OK;
    int size = guest_setting_bytes(value, pem, sizeof pem - 1);
    if (size < 0)
        return OTA_E_ARGUMENT;
    pem[size] = '\0';
    return take(pem, (size_t)size + 1);
}

static int start_tls(void)
{
    int rc = tls_start();
    if (rc == OTA_OK)
        rc = read_pem("ca", tls_trust);
    if (rc == OTA_OK)
        rc = read_pem("cert", tls_show);
    if (rc == OTA_OK)
        rc = read_pem("private", tls_set_key);
    return rc;
}

static int start_stack(void)
{
    const char *time = guest_setting("time", NULL);
    return net_stack_start(time != NULL ? (int64_t)strtoul(time, NULL, 10) : 0);
}

int net_start(const struct guest_settings *settings,
              void (*mqtt)(void *owner, const struct ota_event *event),
              void (*http_event)(void *owner, const struct ota_event *event), void *owner,
              struct sim_life_ports *ports)
{
    const char *broker = settings->broker != NULL ? settings->broker : "127.0.0.1";
    const char *server = settings->server != NULL ? settings->server : "127.0.0.1";
    const struct net_mqtt_config mqtt_config = {broker, (uint16_t)settings->broker_port,
                                                settings->broker_tls};
    const struct sim_http_client_config http_config = {
        .host = server, .port = (uint16_t)settings->server_port, .use_tls = settings->server_tls};
    int rc = start_stack();
    if (rc == OTA_OK)
        rc = start_tls();
    if (rc != OTA_OK)
        return rc;
    http = net_http_new(&http_config, http_event, owner);
    if (http == NULL)
        return OTA_E_NO_SPACE;
    ports->mqtt = net_mqtt_start(&mqtt_config, mqtt, owner);
    ports->http = sim_http_client_port(http);
    ports->broker =
        (struct sim_link){broker, mqtt_config.port, mqtt_config.tls, mqtt_reason, mqtt_peer, NULL};
    ports->server =
        (struct sim_link){server, http_config.port, http_config.use_tls, http_reason, NULL, http};
    return OTA_OK;
}

bool net_turn(void)
{
    bool busy = net_stack_turn();
    busy = net_streams_turn() || busy;
    return net_mqtt_turn() || busy;
}

uint32_t net_wait(void)
{
    uint32_t stack = net_stack_wait();
    uint32_t mqtt = net_mqtt_wait();
    return stack < mqtt ? stack : mqtt;
}

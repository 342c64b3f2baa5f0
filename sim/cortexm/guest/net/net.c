#include "sim/cortexm/guest/net/net.h"

#include <string.h>

/* A board whose cable is not plugged in: every connection fails. */
static struct {
    void (*mqtt)(void *owner, const struct ota_event *event);
    void (*http)(void *owner, const struct ota_event *event);
    void *owner;
    bool connecting;
    bool requesting;
} net;

static int refuse_connect(void *context, const struct mqtt_connect *options)
{
    (void)context, (void)options;
    net.connecting = true;
    return OTA_OK;
}

static int refuse_subscribe(void *context, const char *topic, int qos)
{
    (void)context, (void)topic, (void)qos;
    return OTA_E_DISCONNECTED;
}

static int refuse_unsubscribe(void *context, const char *topic)
{
    (void)context, (void)topic;
    return OTA_E_DISCONNECTED;
}

static int refuse_publish(void *context, const char *topic, const void *payload, size_t length,
                          int qos)
{
    (void)context, (void)topic, (void)payload, (void)length, (void)qos;
    return OTA_E_DISCONNECTED;
}

static int refuse_disconnect(void *context)
{
    (void)context;
    net.connecting = false;
    return OTA_E_DISCONNECTED;
}

static int refuse_request(void *context, const struct http_request *request)
{
    (void)context, (void)request;
    net.requesting = true;
    return OTA_OK;
}

static void cancel_request(void *context)
{
    (void)context;
    net.requesting = false;
}

static const char *reason(void *client)
{
    (void)client;
    return "no network";
}

int net_start(const struct guest_settings *settings,
              void (*mqtt)(void *owner, const struct ota_event *event),
              void (*http)(void *owner, const struct ota_event *event), void *owner,
              struct sim_life_ports *ports)
{
    static const struct mqtt_port mqtt_port = {
        NULL,           refuse_connect,   refuse_subscribe, refuse_unsubscribe,
        refuse_publish, refuse_disconnect};
    static const struct http_port http_port = {NULL, refuse_request, cancel_request};
    memset(&net, 0, sizeof net);
    net.mqtt = mqtt;
    net.http = http;
    net.owner = owner;
    ports->mqtt = &mqtt_port;
    ports->http = &http_port;
    ports->broker = (struct sim_link){settings->broker != NULL ? settings->broker : "",
                                      (uint16_t)settings->broker_port,
                                      settings->broker_tls,
                                      reason,
                                      NULL,
                                      NULL};
    ports->server = (struct sim_link){settings->server != NULL ? settings->server : "",
                                      (uint16_t)settings->server_port,
                                      settings->server_tls,
                                      reason,
                                      NULL,
                                      NULL};
    return OTA_OK;
}

bool net_turn(void)
{
    bool connecting = net.connecting;
    bool requesting = net.requesting;
    net.connecting = net.requesting = false;
    if (connecting)
        net.mqtt(net.owner,
                 &(struct ota_event){.type = OTA_EVENT_MQTT_CONNECTED, .code = OTA_E_CONNECT});
    if (requesting)
        net.http(net.owner,
                 &(struct ota_event){.type = OTA_EVENT_HTTP_DONE, .code = OTA_E_CONNECT});
    return connecting || requesting;
}

uint32_t net_wait(void)
{
    return UINT32_MAX;
}

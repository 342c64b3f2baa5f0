/* For tests: clients of the MQTT seam that write down what they are told. */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_RIG_H
#define NOBRICK_SIM_VIRTUAL_MQTT_RIG_H

#include "sim/virtual/broker.h"
#include "sim/virtual/mqtt.h"
#include "sim/virtual/mqtt_packet.h"
#include "sim/virtual/raw_rig.h"

/* ---- a client of the seam ---------------------------------------------------------------- */

struct client {
    struct virtual_mqtt *mqtt;
    const struct mqtt_port *port;
    char log[65536]; /* what it was told, a word an event */
    size_t length;
    bool free_at_once; /* inside the next event */
};

static inline void log_event(void *context, const struct ota_event *event)
{
    static const char *const words[] = {[OTA_EVENT_MQTT_CONNECTED] = "connected",
                                        [OTA_EVENT_MQTT_SUBSCRIBED] = "subscribed",
                                        [OTA_EVENT_MQTT_PUBLISHED] = "published",
                                        [OTA_EVENT_MQTT_MESSAGE] = "message",
                                        [OTA_EVENT_MQTT_CLOSED] = "closed"};
    struct client *client = context;
    char text[128];
    if (event->type == OTA_EVENT_MQTT_MESSAGE)
        snprintf(text, sizeof text, "%s=%.*s", event->topic, (int)event->length,
                 (const char *)event->data);
    else
        snprintf(text, sizeof text, "%s:%s", words[event->type], ota_err_word(event->code));
    client->length +=
        (size_t)snprintf(client->log + client->length, sizeof client->log - client->length, "%s%s",
                         client->length > 0 ? " " : "", text);
    assert_true(client->length < sizeof client->log);
    if (client->free_at_once)
        virtual_mqtt_free(client->mqtt);
    if (client->free_at_once)
        client->mqtt = NULL;
}

static inline void open_client(struct client *client, const struct virtual_mqtt_config *config)
{
    memset(client, 0, sizeof *client);
    client->mqtt = virtual_mqtt_new(table, config, log_event, client);
    assert_non_null(client->mqtt);
    client->port = virtual_mqtt_port(client->mqtt);
}

static inline void open_client_at(struct client *client, uint16_t port)
{
    open_client(client, &(struct virtual_mqtt_config){.port = port});
}

/* Everything since the last call. */
#define expect(client, text)                                                                       \
    do {                                                                                           \
        assert_string_equal((client)->log, text);                                                  \
        (client)->log[(client)->length = 0] = '\0';                                                \
    } while (0)

static inline int start(struct client *client, const char *id)
{
    const struct mqtt_connect options = {
        .client_id = id, .keep_alive_s = 60, .clean_session = true};
    return client->port->connect(client->port->context, &options);
}

static inline void connect_client(struct client *client, const char *id)
{
    assert_int_equal(start(client, id), OTA_OK);
    run_for(10);
    expect(client, "connected:ok");
}

static inline int publish(struct client *client, const char *topic, const char *text, int qos)
{
    return client->port->publish(client->port->context, topic, text, strlen(text), qos);
}

static inline int subscribe(struct client *client, const char *topic, int qos)
{
    return client->port->subscribe(client->port->context, topic, qos);
}

static inline int disconnect(struct client *client)
{
    return client->port->disconnect(client->port->context);
}

#endif

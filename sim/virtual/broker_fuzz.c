/* The virtual broker and the modelled TLS in front of it, over arbitrary bytes: the first byte says
 * whether a good CONNECT goes ahead, in what pieces the rest is sent, and to which port. Whatever
 * comes, another client stays connected. */
#include "sim/virtual/broker.h"
#include "sim/virtual/mqtt.h"
#include "sim/virtual/world.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OTHER "other"

enum { AHEAD = 1, BY_TLS = 2, PIECES = 2 /* a shift */ };

static const uint8_t hello[] = {0x10, 0x0D, 0, 4, 'M', 'Q', 'T', 'T', 4, 0, 0, 60, 0, 1, 'f'};

static void hear_event(void *context, const struct ota_event *event)
{
    int *pulse = context;
    if (event->type == OTA_EVENT_MQTT_CONNECTED && event->code == OTA_OK)
        *pulse = 1;
    if (event->type == OTA_EVENT_MQTT_PUBLISHED && event->code == OTA_OK)
        *pulse = 2;
    if (event->type == OTA_EVENT_MQTT_CLOSED)
        *pulse = -1;
}

static void hear_nothing(void *owner, const uint8_t *data, size_t size)
{
    (void)owner, (void)data, (void)size;
}

static void hear_code(void *owner, int code)
{
    (void)owner, (void)code;
}

static void speak(const struct sim_world *table, uint16_t port, const uint8_t *data, size_t size)
{
    static const struct sim_stream_events events = {hear_code, hear_nothing, hear_code, NULL};
    struct sim_stream *stream;
    size_t piece = size > 0 ? (size_t)(data[0] >> PIECES) + 1 : 1;
    if (table->connect(table->context, port, &events, NULL, &stream) != OTA_OK)
        abort();
    (void)table->run(table->context, 5);
    if (size > 0 && (data[0] & AHEAD) != 0)
        (void)table->send(stream, hello, sizeof hello);
    for (size_t at = 1; at < size; at += piece)
        (void)table->send(stream, data + at, size - at < piece ? size - at : piece);
    (void)table->run(table->context, 100);
    table->close(stream, true);
    (void)table->run(table->context, 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct virtual_tls_server tls = {VIRTUAL_CERT_GOOD, false};
    struct virtual_world *world = virtual_world_new();
    const struct sim_world *table = virtual_world_table(world);
    struct virtual_broker *broker =
        virtual_broker_new(table, &(struct virtual_broker_config){.tls = &tls, .max_packet = 4096});
    int pulse = 0;
    struct virtual_mqtt *other =
        virtual_mqtt_new(table, &(struct virtual_mqtt_config){.port = virtual_broker_port(broker)},
                         hear_event, &pulse);
    const struct mqtt_port *port = virtual_mqtt_port(other);
    const struct mqtt_connect options = {.client_id = OTHER, .clean_session = true};
    if (port->connect(port->context, &options) != OTA_OK)
        abort();
    (void)table->run(table->context, 10);
    bool by_tls = size > 0 && (data[0] & BY_TLS) != 0;
    speak(table, by_tls ? virtual_broker_tls_port(broker) : virtual_broker_port(broker), data,
          size);
    /* Only one who takes its client id over may end its connection. */
    if (pulse == 1 && port->publish(port->context, "t", "x", 1, 1) != OTA_OK)
        abort();
    (void)table->run(table->context, 10);
    if (pulse != 2 && (pulse != -1 || memmem(data, size, OTHER, strlen(OTHER)) == NULL))
        abort();
    virtual_mqtt_free(other);
    virtual_broker_free(broker);
    virtual_world_free(world);
    return 0;
}

#include "sim/virtual/broker_state.h"
#include "sim/virtual/mqtt_topic.h"

#include <stdlib.h>
#include <string.h>

#define SILENT_KEEP_ALIVE 60 /* s, of those who do not say CONNECT; as mosquitto */

enum { ACCEPTED, BAD_LEVEL, BAD_CLIENT_ID };

/* ---- sending ----------------------------------------------------------------------------- */

void broker_send(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct virtual_broker *broker = connection->broker;
    size_t size = mqtt_packet_size(packet);
    if (connection->end == NULL)
        return;
    if (size > broker->out_room) {
        uint8_t *out = realloc(broker->out, size + size / 2);
        if (out == NULL)
            return;
        broker->out = out;
        broker->out_room = size + size / 2;
    }
    (void)mqtt_packet_encode(packet, broker->out);
    (void)virtual_tls_send(connection->end, broker->out, size);
}

static void send_code(struct broker_connection *connection, enum mqtt_type type, uint16_t id)
{
    broker_send(connection, &(struct mqtt_packet){.type = type, .id = id});
}

/* ---- ends -------------------------------------------------------------------------------- */

void broker_drop(struct broker_connection *connection, bool orderly)
{
    struct virtual_broker *broker = connection->broker;
    struct broker_session *session = connection->session;
    struct broker_message *will = connection->will;
    if (connection->end == NULL)
        return;
    virtual_tls_close(connection->end, false);
    connection->end = NULL;
    connection->session = NULL;
    connection->will = NULL;
    if (session != NULL) {
        session->connection = NULL;
        if (session->clean)
            broker_session_end(broker, session);
    }
    if (will != NULL && !orderly)
        broker_publish(broker, will->topic, will->payload, will->qos, will->retain);
    broker_message_drop(will);
}

/* Frees connections that are closed, but for the one that is being read. */
static void sweep(struct virtual_broker *broker)
{
    struct broker_connection **link = &broker->connections;
    while (*link != NULL) {
        struct broker_connection *connection = *link;
        if (connection->end != NULL || connection->reading) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        mqtt_reader_free(&connection->reader);
        free(connection);
    }
}

/* ---- keep-alive -------------------------------------------------------------------------- */

static uint64_t now_of(const struct virtual_broker *broker)
{
    return broker->world->now_ms(broker->world->context);
}

/* When the connection has been silent for too long: one and a half times its keep-alive. */
static uint64_t patience_ends(const struct broker_connection *connection)
{
    return connection->keep_alive == 0 ? UINT64_MAX
                                       : connection->heard + 1500u * connection->keep_alive;
}

static void check_at(struct virtual_broker *broker, uint64_t when)
{
    const struct clock_port *clock = broker->world->clock_port(broker->clock);
    uint64_t now = now_of(broker);
    if (when >= broker->next_check)
        return;
    broker->next_check = when;
    (void)clock->arm(clock->context, 0, when > now ? (uint32_t)(when - now) : 0);
}

static void on_timer(void *owner, unsigned id)
{
    struct virtual_broker *broker = owner;
    uint64_t now = now_of(broker);
    (void)id;
    broker->next_check = UINT64_MAX;
    for (struct broker_connection *at = broker->connections; at != NULL; at = at->next)
        if (at->end != NULL && patience_ends(at) <= now)
            broker_drop(at, false);
    sweep(broker);
    for (struct broker_connection *at = broker->connections; at != NULL; at = at->next)
        if (patience_ends(at) != UINT64_MAX)
            check_at(broker, patience_ends(at));
}

/* ---- CONNECT ----------------------------------------------------------------------------- */

static void refuse(struct broker_connection *connection, uint8_t code)
{
    broker_send(connection, &(struct mqtt_packet){.type = MQTT_CONNACK, .code = code});
    broker_drop(connection, true);
}

/* The one who has the client id goes. As with mosquitto its will stays unsaid when both the old and
 * the new session are to outlive their connections. */
static void take_over(struct broker_session *session, bool clean)
{
    if (session->connection != NULL)
        broker_drop(session->connection, !session->clean && !clean);
}

static struct broker_session *open_session(struct virtual_broker *broker,
                                           const struct mqtt_packet *packet, bool *present)
{
    uint8_t made[8] = {'a', 'u', 't', 'o'};
    struct mqtt_bytes id = packet->client_id;
    if (id.size == 0) {
        uint64_t number = ++broker->nameless;
        for (size_t i = sizeof made; i-- > 4; number /= 26)
            made[i] = (uint8_t)('a' + number % 26);
        id = (struct mqtt_bytes){made, sizeof made};
    }
    struct broker_session *session = broker_session_find(broker, id);
    if (session != NULL)
        take_over(session, packet->clean);
    session = broker_session_find(broker, id); /* a clean one ended with its connection */
    if (session != NULL && packet->clean)
        broker_session_end(broker, session);
    else if (session != NULL)
        *present = true;
    if (!*present)
        session = broker_session_new(broker, id);
    return session;
}

static bool on_connect(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct virtual_broker *broker = connection->broker;
    bool present = false;
    if (connection->session != NULL)
        return false;
    if (packet->level != MQTT_LEVEL || (packet->client_id.size == 0 && !packet->clean)) {
        refuse(connection, packet->level != MQTT_LEVEL ? BAD_LEVEL : BAD_CLIENT_ID);
        return true;
    }
    if (packet->has_will) {
        if (!mqtt_topic_is_name(packet->topic))
            return false;
        connection->will =
            broker_message_new(packet->topic, packet->payload, packet->qos, packet->retain);
        if (connection->will == NULL)
            return false;
    }
    struct broker_session *session = open_session(broker, packet, &present);
    if (session == NULL)
        return false;
    session->connection = connection;
    session->clean = packet->clean;
    connection->session = session;
    connection->keep_alive = packet->keep_alive;
    if (packet->keep_alive > 0)
        check_at(broker, patience_ends(connection));
    broker_send(
        connection,
        &(struct mqtt_packet){.type = MQTT_CONNACK, .session_present = present, .code = ACCEPTED});
    broker_session_resume(session);
    return true;
}

/* ---- the other packets: false closes the connection --------------------------------------- */

static struct broker_incoming *find_incoming(struct broker_session *session, uint16_t id)
{
    for (size_t i = 0; i < session->receiving_count; i++)
        if (session->receiving[i].id == id)
            return &session->receiving[i];
    return NULL;
}

/* A message of QoS 2 is passed on when it is released, once. */
static bool on_publish_2(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct broker_session *session = connection->session;
    if (find_incoming(session, packet->id) == NULL) {
        struct broker_message *message = NULL;
        if (session->receiving_count < BROKER_RECEIVING)
            message =
                broker_message_new(packet->topic, packet->payload, packet->qos, packet->retain);
        if (message == NULL)
            return false;
        session->receiving[session->receiving_count++] =
            (struct broker_incoming){message, packet->id};
    }
    send_code(connection, MQTT_PUBREC, packet->id);
    return true;
}

static bool on_publish(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    if (!mqtt_topic_is_name(packet->topic))
        return false;
    if (packet->qos == 2)
        return on_publish_2(connection, packet);
    broker_publish(connection->broker, packet->topic, packet->payload, packet->qos, packet->retain);
    if (packet->qos == 1)
        send_code(connection, MQTT_PUBACK, packet->id);
    return true;
}

static bool on_puback(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    broker_acknowledged(connection->session, packet->id);
    return true;
}

static bool on_pubrel(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct broker_session *session = connection->session;
    struct broker_incoming *incoming = find_incoming(session, packet->id);
    if (incoming != NULL) {
        struct broker_message *message = incoming->message;
        *incoming = session->receiving[--session->receiving_count];
        broker_publish(connection->broker, message->topic, message->payload, message->qos,
                       message->retain);
        broker_message_drop(message);
    }
    send_code(connection, MQTT_PUBCOMP, packet->id);
    return true;
}

static bool filters_are_good(const struct mqtt_packet *packet)
{
    struct mqtt_bytes left = packet->payload;
    struct mqtt_bytes filter;
    uint8_t qos;
    while (mqtt_filter_next(&left, &filter, packet->type == MQTT_SUBSCRIBE ? &qos : NULL))
        if (!mqtt_topic_is_filter(filter))
            return false;
    return true;
}

static bool on_subscribe(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct mqtt_bytes left = packet->payload;
    struct mqtt_bytes filter;
    size_t count = 0;
    uint8_t qos;
    uint8_t *codes = malloc(packet->payload.size); /* more than one for each filter */
    if (codes == NULL || !filters_are_good(packet)) {
        free(codes);
        return false;
    }
    while (mqtt_filter_next(&left, &filter, &qos)) {
        codes[count] = qos > 1 ? 1 : qos;
        if (broker_subscribe(connection->session, filter, codes[count]) != OTA_OK)
            codes[count] = MQTT_REFUSED;
        count++;
    }
    broker_send(connection, &(struct mqtt_packet){
                                .type = MQTT_SUBACK, .id = packet->id, .payload = {codes, count}});
    left = packet->payload;
    for (size_t i = 0; mqtt_filter_next(&left, &filter, &qos); i++)
        if (codes[i] != MQTT_REFUSED)
            broker_send_retained(connection->broker, connection->session, filter, codes[i]);
    free(codes);
    return true;
}

static bool on_unsubscribe(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    struct mqtt_bytes left = packet->payload;
    struct mqtt_bytes filter;
    if (!filters_are_good(packet))
        return false;
    while (mqtt_filter_next(&left, &filter, NULL))
        broker_unsubscribe(connection->session, filter);
    send_code(connection, MQTT_UNSUBACK, packet->id);
    return true;
}

static bool on_pingreq(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    (void)packet;
    send_code(connection, MQTT_PINGRESP, 0);
    return true;
}

/* No client has a reason to, and mosquitto lets it. */
static bool on_pingresp(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    (void)connection;
    (void)packet;
    return true;
}

static bool on_disconnect(struct broker_connection *connection, const struct mqtt_packet *packet)
{
    (void)packet;
    broker_drop(connection, true);
    return true;
}

/* What a client may send; nothing else. */
static bool (*const handlers[])(struct broker_connection *, const struct mqtt_packet *) = {
    [MQTT_CONNECT] = on_connect,       [MQTT_PUBLISH] = on_publish,
    [MQTT_PUBACK] = on_puback,         [MQTT_PUBREL] = on_pubrel,
    [MQTT_SUBSCRIBE] = on_subscribe,   [MQTT_UNSUBSCRIBE] = on_unsubscribe,
    [MQTT_PINGREQ] = on_pingreq,       [MQTT_PINGRESP] = on_pingresp,
    [MQTT_DISCONNECT] = on_disconnect,
};

static bool take_packet(void *context, const struct mqtt_packet *packet)
{
    struct broker_connection *connection = context;
    bool known = packet->type <= MQTT_DISCONNECT && handlers[packet->type] != NULL;
    bool early = connection->session == NULL && packet->type != MQTT_CONNECT;
    if (!known || early || !handlers[packet->type](connection, packet))
        broker_drop(connection, false);
    return connection->end != NULL;
}

/* ---- events of a connection -------------------------------------------------------------- */

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct broker_connection *connection = owner;
    struct virtual_broker *broker = connection->broker;
    size_t limit = broker->config.max_packet > 0 ? broker->config.max_packet : MQTT_MAX_LENGTH + 5;
    bool strange =
        connection->session == NULL && connection->reader.size == 0 && data[0] >> 4 != MQTT_CONNECT;
    connection->heard = now_of(broker);
    connection->reading = true;
    if (strange ||
        mqtt_reader_feed(&connection->reader, data, size, limit, take_packet, connection) != OTA_OK)
        broker_drop(connection, false);
    connection->reading = false;
    sweep(broker);
}

static void on_ended(void *owner, int code)
{
    struct broker_connection *connection = owner;
    (void)code;
    broker_drop(connection, false);
    sweep(connection->broker);
}

static const struct sim_stream_events stream_events = {.data = on_data, .ended = on_ended};

static void accept_stream(struct virtual_broker *broker, struct sim_stream *stream,
                          const struct virtual_tls_server *tls)
{
    struct broker_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        broker->world->close(stream, true);
        return;
    }
    connection->broker = broker;
    connection->keep_alive = SILENT_KEEP_ALIVE;
    connection->heard = now_of(broker);
    connection->end = virtual_tls_accept(broker->world, stream, tls, &stream_events, connection);
    if (connection->end == NULL) {
        free(connection);
        return;
    }
    connection->next = broker->connections;
    broker->connections = connection;
    check_at(broker, patience_ends(connection));
}

static void on_accepted(void *owner, struct sim_stream *stream)
{
    accept_stream(owner, stream, NULL);
}

static void on_tls_accepted(void *owner, struct sim_stream *stream)
{
    struct virtual_broker *broker = owner;
    accept_stream(broker, stream, &broker->tls);
}

/* ---- life -------------------------------------------------------------------------------- */

static bool open_broker(struct virtual_broker *broker)
{
    const struct sim_world *world = broker->world;
    struct virtual_broker_config *config = &broker->config;
    broker->clock = world->clock_new(world->context, on_timer, broker);
    return broker->clock != NULL &&
           world->listen(world->context, &config->port, on_accepted, broker, &broker->listener) ==
               OTA_OK &&
           (config->tls == NULL || world->listen(world->context, &config->tls_port, on_tls_accepted,
                                                 broker, &broker->tls_listener) == OTA_OK);
}

struct virtual_broker *virtual_broker_new(const struct sim_world *world,
                                          const struct virtual_broker_config *config)
{
    struct virtual_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        return NULL;
    broker->world = world;
    broker->config = *config;
    broker->next_check = UINT64_MAX;
    if (config->tls != NULL)
        broker->tls = *config->tls;
    if (open_broker(broker))
        return broker;
    virtual_broker_free(broker);
    return NULL;
}

void virtual_broker_free(struct virtual_broker *broker)
{
    if (broker == NULL)
        return;
    broker->world->unlisten(broker->listener);
    broker->world->unlisten(broker->tls_listener);
    while (broker->connections != NULL) {
        struct broker_connection *connection = broker->connections;
        broker->connections = connection->next;
        virtual_tls_close(connection->end, true);
        broker_message_drop(connection->will);
        mqtt_reader_free(&connection->reader);
        free(connection);
    }
    while (broker->sessions != NULL)
        broker_session_end(broker, broker->sessions);
    while (broker->retained != NULL) {
        struct broker_message *message = broker->retained;
        broker->retained = message->next;
        broker_message_drop(message);
    }
    broker->world->clock_free(broker->clock);
    free(broker->out);
    free(broker);
}

uint16_t virtual_broker_port(const struct virtual_broker *broker)
{
    return broker->config.port;
}

uint16_t virtual_broker_tls_port(const struct virtual_broker *broker)
{
    return broker->config.tls != NULL ? broker->config.tls_port : 0;
}

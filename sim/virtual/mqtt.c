#include "sim/virtual/mqtt_state.h"

#include "sim/address.h"

#include <stdlib.h>
#include <string.h>

/* What the posix world gives Paho, and what Paho makes of it: it looks every three seconds whether
 * a goodbye has waited long enough. */
#define CONNECT_MS    10000u
#define DISCONNECT_MS 3000u
#define HOST_ROOM     256u
#define WILL_QOS      1

static void disarm_all(struct virtual_mqtt *mqtt)
{
    const struct clock_port *clock = mqtt->world->clock_port(mqtt->timers);
    for (unsigned timer = TIMER_PATIENCE; timer <= TIMER_TELL; timer++)
        clock->disarm(clock->context, timer);
}

/* ---- telling ----------------------------------------------------------------------------- */

/* False when whoever was told has freed the client, or has begun another connection. */
static bool tell(struct virtual_mqtt *mqtt, const struct ota_event *event)
{
    unsigned number = mqtt->number;
    mqtt->deliver(mqtt->context, event);
    return !mqtt->freed && mqtt->number == number;
}

static bool tell_code(struct virtual_mqtt *mqtt, enum ota_event_type type, int code)
{
    return tell(mqtt, &(struct ota_event){.type = type, .code = code});
}

static bool tell_published(struct virtual_mqtt *mqtt)
{
    while (mqtt->untold > 0) {
        mqtt->untold--;
        if (!tell_code(mqtt, OTA_EVENT_MQTT_PUBLISHED, OTA_OK))
            return false;
    }
    return true;
}

static void leave(struct virtual_mqtt *mqtt)
{
    mqtt->busy = false;
    if (!mqtt->freed)
        return;
    mqtt->world->clock_free(mqtt->timers);
    mqtt_reader_free(&mqtt->reader);
    free(mqtt->out);
    free(mqtt->topic);
    free(mqtt);
}

/* ---- the end of a connection ------------------------------------------------------------- */

/* Paho says DISCONNECT whenever it closes a connection that was up, also one that it lost. */
static void close_stream(struct virtual_mqtt *mqtt)
{
    if (mqtt->end != NULL && mqtt->greeted)
        mqtt_client_send_code(mqtt, MQTT_DISCONNECT, 0);
    virtual_tls_close(mqtt->end, false);
    mqtt->end = NULL;
    mqtt->greeted = false;
    mqtt_reader_clear(&mqtt->reader);
    disarm_all(mqtt);
}

/* Ends the present connection at once; nothing of it is heard any more. */
static void give_up(struct virtual_mqtt *mqtt)
{
    close_stream(mqtt);
    mqtt_client_drop_commands(mqtt);
    mqtt->untold = 0;
    mqtt->state = STATE_OFF;
    mqtt->number++;
}

static void fail_connect(struct virtual_mqtt *mqtt, int code, const char *reason)
{
    mqtt->reason = reason;
    give_up(mqtt);
    (void)tell_code(mqtt, OTA_EVENT_MQTT_CONNECTED, code);
}

/* With a clean session, what was sent and not acknowledged has failed. */
static bool fail_commands(struct virtual_mqtt *mqtt)
{
    while (mqtt->clean && mqtt->commands != NULL) {
        struct command *command = mqtt->commands;
        bool was_sent = command->size == 0;
        enum mqtt_type type = command->type;
        mqtt->commands = command->next;
        free(command);
        if (was_sent && type == MQTT_PUBLISH &&
            !tell_code(mqtt, OTA_EVENT_MQTT_PUBLISHED, OTA_E_DISCONNECTED))
            return false;
        if (was_sent && type == MQTT_SUBSCRIBE &&
            !tell_code(mqtt, OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_REJECTED))
            return false;
    }
    return true;
}

/* `reason`: why a connection that was up is none any more. */
static void finish(struct virtual_mqtt *mqtt, const char *reason)
{
    close_stream(mqtt);
    if (!tell_published(mqtt) || !fail_commands(mqtt))
        return;
    int code = mqtt->state == STATE_CLOSING ? OTA_OK : OTA_E_DISCONNECTED;
    if (code != OTA_OK)
        mqtt->reason = reason;
    give_up(mqtt);
    (void)tell_code(mqtt, OTA_EVENT_MQTT_CLOSED, code);
}

/* The connection broke. */
static void lose(struct virtual_mqtt *mqtt)
{
    if (mqtt->state == STATE_CONNECTING)
        fail_connect(mqtt, OTA_E_CONNECT, "no answer");
    else
        finish(mqtt, "connection lost");
}

/* ---- packets of the broker: false when there is no more to read -------------------------- */

static const char *refusal(uint8_t code)
{
    static const char *const texts[] = {
        "broker refused: unacceptable protocol version", "broker refused: client id rejected",
        "broker refused: server unavailable", "broker refused: bad user name or password",
        "broker refused: not authorized"};
    return code >= 1 && code <= 5 ? texts[code - 1] : "broker refused";
}

static bool on_connack(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    if (mqtt->greeted)
        return true;
    if (packet->code != 0) {
        fail_connect(mqtt, OTA_E_CONNECT, refusal(packet->code));
        return false;
    }
    mqtt->greeted = true;
    mqtt->state = STATE_UP;
    disarm_all(mqtt);
    if (mqtt->keep_alive_ms > 0)
        mqtt_client_arm(mqtt, TIMER_KEEP_ALIVE, mqtt->keep_alive_ms);
    return tell_code(mqtt, OTA_EVENT_MQTT_CONNECTED, OTA_OK);
}

static bool on_message(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    size_t size = packet->topic.size + 1;
    if (size > mqtt->topic_room) {
        char *topic = realloc(mqtt->topic, 2 * size);
        if (topic == NULL)
            return true; /* not acknowledged: the broker still has it */
        mqtt->topic = topic;
        mqtt->topic_room = 2 * size;
    }
    memcpy(mqtt->topic, packet->topic.data, packet->topic.size);
    mqtt->topic[packet->topic.size] = '\0';
    if (packet->qos == 1)
        mqtt_client_send_code(mqtt, MQTT_PUBACK, packet->id);
    return tell(mqtt, &(struct ota_event){.type = OTA_EVENT_MQTT_MESSAGE,
                                          .topic = mqtt->topic,
                                          .data = packet->payload.data,
                                          .length = packet->payload.size});
}

/* A goodbye waits for messages in flight, but not long. */
static bool may_say_goodbye(const struct virtual_mqtt *mqtt)
{
    return mqtt->in_flight == 0 && mqtt->waiting == 0;
}

static bool on_puback(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    if (!mqtt_client_answered(mqtt, MQTT_PUBLISH, packet->id))
        return true;
    mqtt->in_flight--;
    mqtt_client_send_waiting(mqtt);
    if (mqtt->state == STATE_CLOSING && may_say_goodbye(mqtt))
        mqtt_client_arm(mqtt, TIMER_PATIENCE, 0);
    return tell_code(mqtt, OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
}

static bool on_suback(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    if (!mqtt_client_answered(mqtt, MQTT_SUBSCRIBE, packet->id))
        return true;
    bool refused = packet->payload.data[0] == MQTT_REFUSED;
    return tell_code(mqtt, OTA_EVENT_MQTT_SUBSCRIBED, refused ? OTA_E_REJECTED : OTA_OK);
}

static bool take_packet(void *context, const struct mqtt_packet *packet)
{
    struct virtual_mqtt *mqtt = context;
    bool good = mqtt->greeted || packet->type == MQTT_CONNACK;
    switch (good ? packet->type : 0) {
    case MQTT_CONNACK:
        return on_connack(mqtt, packet);
    case MQTT_PUBLISH:
        if (packet->qos < 2)
            return on_message(mqtt, packet);
        break;
    case MQTT_PUBACK:
        return on_puback(mqtt, packet);
    case MQTT_SUBACK:
        return on_suback(mqtt, packet);
    case MQTT_UNSUBACK:
        (void)mqtt_client_answered(mqtt, MQTT_UNSUBSCRIBE, packet->id);
        return true;
    case MQTT_PINGRESP:
        mqtt->ping_outstanding = false;
        if (mqtt->keep_alive_ms > 0)
            mqtt_client_arm(mqtt, TIMER_KEEP_ALIVE, 0); /* sees when the next one is due */
        return true;
    default:
        break;
    }
    lose(mqtt); /* a broker sends nothing else to us */
    return false;
}

/* ---- what the world calls ---------------------------------------------------------------- */

static void on_opened(void *owner, int code)
{
    struct virtual_mqtt *mqtt = owner;
    mqtt->busy = true;
    if (code == OTA_OK)
        mqtt_client_send(mqtt, mqtt->out, mqtt->out_size);
    else if (code == OTA_E_CONNECT)
        fail_connect(mqtt, code, "Connection refused");
    else if (code == OTA_E_DISCONNECTED) /* in the handshake */
        lose(mqtt);
    else
        fail_connect(mqtt, code, ota_err_text(code));
    leave(mqtt);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct virtual_mqtt *mqtt = owner;
    mqtt->busy = true;
    mqtt->received = mqtt_client_now(mqtt);
    int result =
        mqtt_reader_feed(&mqtt->reader, data, size, MQTT_MAX_LENGTH + 5, take_packet, mqtt);
    if (result != OTA_OK && result != OTA_E_CANCELLED)
        lose(mqtt);
    leave(mqtt);
}

static void on_ended(void *owner, int code)
{
    struct virtual_mqtt *mqtt = owner;
    (void)code;
    mqtt->busy = true;
    lose(mqtt);
    leave(mqtt);
}

static const struct sim_stream_events stream_events = {
    .opened = on_opened, .data = on_data, .ended = on_ended};

static void on_patience(struct virtual_mqtt *mqtt)
{
    if (mqtt->state == STATE_CONNECTING)
        fail_connect(mqtt, OTA_E_CONNECT,
                     mqtt->end != NULL ? "TCP connect timeout" : "Name or service not known");
    else
        finish(mqtt, "");
}

/* Asks for a sign of life when one side was silent for the keep-alive, and waits one and a half
 * times as long for it, as Paho does; what still comes may be a large packet before the answer. */
static void on_keep_alive(struct virtual_mqtt *mqtt)
{
    uint64_t now = mqtt_client_now(mqtt);
    uint64_t silent_since = mqtt->sent < mqtt->received ? mqtt->sent : mqtt->received;
    uint64_t heard = mqtt->pinged < mqtt->received ? mqtt->received : mqtt->pinged;
    uint64_t patience = mqtt->keep_alive_ms * 3u / 2u;
    uint64_t due = mqtt->ping_outstanding ? heard + patience : silent_since + mqtt->keep_alive_ms;
    if (now >= due && mqtt->ping_outstanding) {
        lose(mqtt);
        return;
    }
    if (now >= due) {
        mqtt_client_send_code(mqtt, MQTT_PINGREQ, 0);
        mqtt->ping_outstanding = true;
        mqtt->pinged = now;
        due = now + patience;
    }
    mqtt_client_arm(mqtt, TIMER_KEEP_ALIVE, due - now);
}

static void on_timer(void *owner, unsigned timer)
{
    struct virtual_mqtt *mqtt = owner;
    mqtt->busy = true;
    if (timer == TIMER_PATIENCE)
        on_patience(mqtt);
    else if (timer == TIMER_KEEP_ALIVE)
        on_keep_alive(mqtt);
    else
        (void)tell_published(mqtt);
    leave(mqtt);
}

/* ---- the seam ---------------------------------------------------------------------------- */

static bool encode_connect(struct virtual_mqtt *mqtt, const struct mqtt_connect *options)
{
    struct mqtt_packet hello = {.type = MQTT_CONNECT,
                                .level = MQTT_LEVEL,
                                .clean = options->clean_session,
                                .keep_alive = options->keep_alive_s,
                                .client_id = mqtt_bytes_of(options->client_id)};
    if (options->will_topic != NULL) {
        hello.has_will = true;
        hello.qos = WILL_QOS;
        hello.topic = mqtt_bytes_of(options->will_topic);
        hello.payload = mqtt_bytes_of(options->will_payload != NULL ? options->will_payload : "");
    }
    return mqtt_text_is_good(hello.client_id) && mqtt_text_is_good(hello.topic) &&
           mqtt_client_encode(mqtt, &hello);
}

static int mqtt_open(void *context, const struct mqtt_connect *options)
{
    struct virtual_mqtt *mqtt = context;
    const char *own = mqtt->config.host != NULL ? mqtt->config.host : "127.0.0.1";
    const char *host = options->host != NULL ? options->host : own;
    uint16_t port = options->host != NULL ? options->port : mqtt->config.port;
    if (mqtt->state == STATE_CONNECTING || mqtt->state == STATE_UP)
        return OTA_E_BUSY;
    give_up(mqtt); /* no CLOSED of the last connection may reach into this one */
    if (!sim_host_is_plain(host, strlen(host)) || strlen(host) + 3 > HOST_ROOM || port == 0 ||
        !encode_connect(mqtt, options))
        return OTA_E_ARGUMENT;
    bool found = virtual_names_find(mqtt->config.names, host);
    if (found)
        mqtt->end = virtual_tls_connect(mqtt->world, port, host,
                                        mqtt->config.use_tls ? &mqtt->config.tls : NULL,
                                        &stream_events, mqtt);
    if (found && mqtt->end == NULL)
        return OTA_E_NO_SPACE;
    mqtt->clean = options->clean_session;
    mqtt->keep_alive_ms = 1000u * options->keep_alive_s;
    mqtt->ping_outstanding = false;
    mqtt->last_id = 0;
    mqtt->state = STATE_CONNECTING;
    mqtt_client_arm(mqtt, TIMER_PATIENCE, found ? CONNECT_MS : 0);
    return OTA_OK;
}

static bool is_up(const struct virtual_mqtt *mqtt)
{
    return mqtt->state == STATE_UP && mqtt->end != NULL;
}

/* SUBSCRIBE, or with qos < 0 UNSUBSCRIBE. */
static int give_filter(struct virtual_mqtt *mqtt, const char *topic, int qos)
{
    struct mqtt_bytes filter = mqtt_bytes_of(topic);
    if (!is_up(mqtt))
        return OTA_E_DISCONNECTED;
    if (qos > 2 || filter.size > UINT16_MAX || !mqtt_text_is_good(filter))
        return OTA_E_ARGUMENT;
    uint8_t *payload = malloc(MQTT_FILTER_OUT(filter.size));
    if (payload == NULL)
        return OTA_E_NO_SPACE;
    const struct mqtt_packet packet = {.type = qos >= 0 ? MQTT_SUBSCRIBE : MQTT_UNSUBSCRIBE,
                                       .id = mqtt_client_next_id(mqtt),
                                       .payload = {payload, mqtt_filter_put(payload, filter, qos)}};
    bool encoded = mqtt_client_encode(mqtt, &packet);
    free(payload);
    return encoded ? mqtt_client_command(mqtt, &packet) : OTA_E_NO_SPACE;
}

static int mqtt_subscribe(void *context, const char *topic, int qos)
{
    return qos >= 0 ? give_filter(context, topic, qos) : OTA_E_ARGUMENT;
}

static int mqtt_unsubscribe(void *context, const char *topic)
{
    return give_filter(context, topic, -1);
}

static int mqtt_publish(void *context, const char *topic, const void *payload, size_t length,
                        int qos)
{
    struct virtual_mqtt *mqtt = context;
    struct mqtt_packet packet = {
        .type = MQTT_PUBLISH, .topic = mqtt_bytes_of(topic), .payload = {payload, length}};
    if (!is_up(mqtt))
        return OTA_E_DISCONNECTED;
    if (qos < 0 || qos > 2 || !mqtt_text_is_good(packet.topic) || mqtt_packet_size(&packet) == 0)
        return OTA_E_ARGUMENT;
    if (qos == 2)
        return OTA_E_UNSUPPORTED;
    packet.qos = (uint8_t)qos;
    packet.id = qos > 0 ? mqtt_client_next_id(mqtt) : 0;
    return mqtt_client_encode(mqtt, &packet) ? mqtt_client_command(mqtt, &packet) : OTA_E_NO_SPACE;
}

static int mqtt_disconnect(void *context)
{
    struct virtual_mqtt *mqtt = context;
    if (mqtt->state == STATE_OFF || mqtt->state == STATE_CLOSING)
        return OTA_E_BUSY;
    if (mqtt->state == STATE_CONNECTING)
        close_stream(mqtt);
    mqtt->state = STATE_CLOSING;
    mqtt_client_arm(mqtt, TIMER_PATIENCE,
                    mqtt->end != NULL && !may_say_goodbye(mqtt) ? DISCONNECT_MS : 0);
    return OTA_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

struct virtual_mqtt *virtual_mqtt_new(const struct sim_world *world,
                                      const struct virtual_mqtt_config *config,
                                      void (*deliver)(void *context, const struct ota_event *event),
                                      void *context)
{
    struct virtual_mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (mqtt == NULL)
        return NULL;
    mqtt->world = world;
    mqtt->config = *config;
    mqtt->deliver = deliver;
    mqtt->context = context;
    mqtt->reason = "";
    mqtt->port = (struct mqtt_port){mqtt,         mqtt_open,      mqtt_subscribe, mqtt_unsubscribe,
                                    mqtt_publish, mqtt_disconnect};
    mqtt->timers = world->clock_new(world->context, on_timer, mqtt);
    if (mqtt->timers != NULL)
        return mqtt;
    free(mqtt);
    return NULL;
}

void virtual_mqtt_free(struct virtual_mqtt *mqtt)
{
    if (mqtt == NULL)
        return;
    virtual_tls_close(mqtt->end, true);
    mqtt->end = NULL;
    mqtt->freed = true;
    give_up(mqtt);
    if (!mqtt->busy)
        leave(mqtt);
}

const struct mqtt_port *virtual_mqtt_port(struct virtual_mqtt *mqtt)
{
    return &mqtt->port;
}

const char *virtual_mqtt_reason(const struct virtual_mqtt *mqtt)
{
    return mqtt->reason;
}

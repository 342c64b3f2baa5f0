#include "sim/virtual/mqtt.h"

#include "sim/address.h"
#include "sim/virtual/mqtt_reader.h"

#include <stdlib.h>
#include <string.h>

/* What the posix world gives Paho, and what Paho makes of it: it looks every three seconds whether
 * a goodbye has waited long enough. */
#define CONNECT_MS    10000u
#define DISCONNECT_MS 3000u
#define MAX_IN_FLIGHT 64u
#define HOST_ROOM     256u
#define WILL_QOS      1

enum state { STATE_OFF, STATE_CONNECTING, STATE_UP, STATE_CLOSING };

enum { TIMER_PATIENCE, TIMER_KEEP_ALIVE, TIMER_TELL };

/* SUBSCRIBE, UNSUBSCRIBE or PUBLISH that the broker has not answered yet. */
struct command {
    struct command *next;
    enum mqtt_type type;
    uint8_t qos;
    uint16_t id;
    size_t size; /* of the packet, while it waits for a place in flight; 0: it was sent */
    uint8_t packet[];
};

struct virtual_mqtt {
    const struct sim_world *world;
    struct virtual_mqtt_config config;
    struct mqtt_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    struct sim_clock *timers;
    enum state state;
    const char *reason;
    bool busy; /* the world calls: free leaves the freeing to leave() */
    bool freed;
    unsigned number; /* of the present connection */
    /* of the present connection */
    struct virtual_tls *end; /* NULL: not there, or lost */
    bool greeted;            /* by CONNACK */
    bool clean;
    struct mqtt_reader reader;
    struct command *commands; /* in the order in which they were given */
    size_t in_flight;         /* messages of QoS 1 among them */
    size_t waiting;           /* packets among them */
    unsigned untold;          /* messages of QoS 0 that were sent: PUBLISHED is due */
    uint16_t last_id;
    uint32_t keep_alive_ms; /* 0: none */
    uint64_t sent;          /* ms, when something was last */
    uint64_t received;
    uint64_t pinged;
    bool ping_outstanding;
    /* memory that serves again */
    uint8_t *out; /* one packet; while connecting, CONNECT */
    size_t out_size;
    size_t out_room;
    char *topic; /* of a message, as a C string */
    size_t topic_room;
};

static uint64_t now_of(const struct virtual_mqtt *mqtt)
{
    return mqtt->world->now_ms(mqtt->world->context);
}

static void arm(struct virtual_mqtt *mqtt, unsigned timer, uint64_t ms)
{
    const struct clock_port *clock = mqtt->world->clock_port(mqtt->timers);
    (void)clock->arm(clock->context, timer, (uint32_t)ms);
}

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

/* ---- sending ----------------------------------------------------------------------------- */

/* Encodes into `out`. False when memory runs out or the packet is too long. */
static bool encode(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    size_t size = mqtt_packet_size(packet);
    if (size > mqtt->out_room) {
        uint8_t *out = realloc(mqtt->out, size + size / 2);
        if (out == NULL)
            return false;
        mqtt->out = out;
        mqtt->out_room = size + size / 2;
    }
    mqtt->out_size = size > 0 ? mqtt_packet_encode(packet, mqtt->out) : 0;
    return size > 0;
}

/* When the connection is gone, its end will say so. */
static void send_bytes(struct virtual_mqtt *mqtt, const uint8_t *bytes, size_t size)
{
    mqtt->sent = now_of(mqtt);
    (void)virtual_tls_send(mqtt->end, bytes, size);
}

static void send_code(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id)
{
    if (encode(mqtt, &(struct mqtt_packet){.type = type, .id = id}))
        send_bytes(mqtt, mqtt->out, mqtt->out_size);
}

static void note_sent(struct virtual_mqtt *mqtt, const struct command *command)
{
    if (command->type == MQTT_PUBLISH && command->qos > 0)
        mqtt->in_flight++;
    if (command->type != MQTT_PUBLISH || command->qos > 0)
        return;
    mqtt->untold++;
    arm(mqtt, TIMER_TELL, 0);
}

static bool may_send(const struct virtual_mqtt *mqtt, const struct command *command)
{
    return command->type != MQTT_PUBLISH || mqtt->in_flight < MAX_IN_FLIGHT;
}

static void send_waiting(struct virtual_mqtt *mqtt)
{
    struct command **link = &mqtt->commands;
    while (*link != NULL && mqtt->waiting > 0) {
        struct command *command = *link;
        if (command->size > 0) {
            if (!may_send(mqtt, command))
                return;
            send_bytes(mqtt, command->packet, command->size);
            command->size = 0;
            mqtt->waiting--;
            note_sent(mqtt, command);
        }
        if (command->id != 0) {
            link = &command->next;
            continue;
        }
        *link = command->next; /* QoS 0: nothing answers it */
        free(command);
    }
}

/* ---- the end of a connection ------------------------------------------------------------- */

static void drop_commands(struct virtual_mqtt *mqtt)
{
    while (mqtt->commands != NULL) {
        struct command *command = mqtt->commands;
        mqtt->commands = command->next;
        free(command);
    }
    mqtt->in_flight = 0;
    mqtt->waiting = 0;
}

/* Paho says DISCONNECT whenever it closes a connection that was up, also one that it lost. */
static void close_stream(struct virtual_mqtt *mqtt)
{
    if (mqtt->end != NULL && mqtt->greeted)
        send_code(mqtt, MQTT_DISCONNECT, 0);
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
    drop_commands(mqtt);
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
        arm(mqtt, TIMER_KEEP_ALIVE, mqtt->keep_alive_ms);
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
        send_code(mqtt, MQTT_PUBACK, packet->id);
    return tell(mqtt, &(struct ota_event){.type = OTA_EVENT_MQTT_MESSAGE,
                                          .topic = mqtt->topic,
                                          .data = packet->payload.data,
                                          .length = packet->payload.size});
}

/* The command that this answers is over. False when there is none. */
static bool answered(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id)
{
    struct command **link = &mqtt->commands;
    while (*link != NULL && ((*link)->id != id || (*link)->type != type || (*link)->size > 0))
        link = &(*link)->next;
    struct command *command = *link;
    if (command == NULL)
        return false;
    *link = command->next;
    free(command);
    return true;
}

/* A goodbye waits for messages in flight, but not long. */
static bool may_say_goodbye(const struct virtual_mqtt *mqtt)
{
    return mqtt->in_flight == 0 && mqtt->waiting == 0;
}

static bool on_puback(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    if (!answered(mqtt, MQTT_PUBLISH, packet->id))
        return true;
    mqtt->in_flight--;
    send_waiting(mqtt);
    if (mqtt->state == STATE_CLOSING && may_say_goodbye(mqtt))
        arm(mqtt, TIMER_PATIENCE, 0);
    return tell_code(mqtt, OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
}

static bool on_suback(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    if (!answered(mqtt, MQTT_SUBSCRIBE, packet->id))
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
        (void)answered(mqtt, MQTT_UNSUBSCRIBE, packet->id);
        return true;
    case MQTT_PINGRESP:
        mqtt->ping_outstanding = false;
        if (mqtt->keep_alive_ms > 0)
            arm(mqtt, TIMER_KEEP_ALIVE, 0); /* sees when the next one is due */
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
        send_bytes(mqtt, mqtt->out, mqtt->out_size);
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
    mqtt->received = now_of(mqtt);
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
    uint64_t now = now_of(mqtt);
    uint64_t silent_since = mqtt->sent < mqtt->received ? mqtt->sent : mqtt->received;
    uint64_t heard = mqtt->pinged < mqtt->received ? mqtt->received : mqtt->pinged;
    uint64_t patience = mqtt->keep_alive_ms * 3u / 2u;
    uint64_t due = mqtt->ping_outstanding ? heard + patience : silent_since + mqtt->keep_alive_ms;
    if (now >= due && mqtt->ping_outstanding) {
        lose(mqtt);
        return;
    }
    if (now >= due) {
        send_code(mqtt, MQTT_PINGREQ, 0);
        mqtt->ping_outstanding = true;
        mqtt->pinged = now;
        due = now + patience;
    }
    arm(mqtt, TIMER_KEEP_ALIVE, due - now);
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
           encode(mqtt, &hello);
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
    arm(mqtt, TIMER_PATIENCE, found ? CONNECT_MS : 0);
    return OTA_OK;
}

static uint16_t next_id(struct virtual_mqtt *mqtt)
{
    for (;;) {
        bool taken = ++mqtt->last_id == 0;
        for (const struct command *at = mqtt->commands; at != NULL && !taken; at = at->next)
            taken = at->id == mqtt->last_id;
        if (!taken)
            return mqtt->last_id;
    }
}

/* Sends the packet in `out`, or keeps it until there is a place in flight. */
static int give_command(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet)
{
    const struct command row = {.type = packet->type, .qos = packet->qos, .id = packet->id};
    bool now = mqtt->waiting == 0 && may_send(mqtt, &row);
    if (now && packet->id == 0) {
        send_bytes(mqtt, mqtt->out, mqtt->out_size);
        note_sent(mqtt, &row);
        return OTA_OK;
    }
    struct command *command = malloc(sizeof *command + (now ? 0 : mqtt->out_size));
    if (command == NULL)
        return OTA_E_NO_SPACE;
    *command = row;
    struct command **link = &mqtt->commands;
    while (*link != NULL)
        link = &(*link)->next;
    *link = command;
    if (now) {
        send_bytes(mqtt, mqtt->out, mqtt->out_size);
        note_sent(mqtt, command);
        return OTA_OK;
    }
    command->size = mqtt->out_size;
    memcpy(command->packet, mqtt->out, mqtt->out_size);
    mqtt->waiting++;
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
                                       .id = next_id(mqtt),
                                       .payload = {payload, mqtt_filter_put(payload, filter, qos)}};
    bool encoded = encode(mqtt, &packet);
    free(payload);
    return encoded ? give_command(mqtt, &packet) : OTA_E_NO_SPACE;
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
    packet.id = qos > 0 ? next_id(mqtt) : 0;
    return encode(mqtt, &packet) ? give_command(mqtt, &packet) : OTA_E_NO_SPACE;
}

static int mqtt_disconnect(void *context)
{
    struct virtual_mqtt *mqtt = context;
    if (mqtt->state == STATE_OFF || mqtt->state == STATE_CLOSING)
        return OTA_E_BUSY;
    if (mqtt->state == STATE_CONNECTING)
        close_stream(mqtt);
    mqtt->state = STATE_CLOSING;
    arm(mqtt, TIMER_PATIENCE, mqtt->end != NULL && !may_say_goodbye(mqtt) ? DISCONNECT_MS : 0);
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

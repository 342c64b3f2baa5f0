/* lwIP's client calls back while it reads and must not be closed then; so what it says is kept in a
 * list, and told from net_mqtt_turn(). What it leaves out is done here: the pieces of a message are
 * put together, DISCONNECT is sent (or the broker would publish the will), and what was not
 * acknowledged fails with its connection. Keep-alive is done here, too: lwIP takes an answer of TCP
 * for one of the broker, and with a short keep-alive gives up a connection before it asks. */
#include "sim/cortexm/guest/net/mqtt.h"

#include "sim/address.h"
#include "sim/cortexm/guest/net/mqtt_pipe.h"
#include "sim/cortexm/guest/net/stack.h"

#include <lwip/apps/mqtt_priv.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST       256u
#define CONNECT_MS 10000u
#define GOODBYE_MS 3000u /* for messages in flight */
#define PINGREQ    0xc0u
#define DISCONNECT 0xe0u
#define WILL_QOS   1u
#define WILL_ROOM  255u
#define PUBLISHES  (MQTT_REQ_MAX_IN_FLIGHT - 2u) /* room for a subscription and its end */

enum state { STATE_OFF, STATE_CONNECTING, STATE_UP, STATE_CLOSING };

/* Something to be told; a message with its topic and payload behind it. */
struct news {
    struct news *next;
    enum ota_event_type type;
    int code;
    size_t topic_size; /* with its NUL */
    size_t length;     /* of the payload, as the broker said */
    size_t filled;
    uint8_t bytes[];
};

static struct {
    struct net_mqtt_config config;
    struct mqtt_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    struct mqtt_client_s client;
    struct altcp_tls_config pipe;
    char host[HOST];
    char peer[HOST + 8];
    const char *reason;
    enum state state;
    uint64_t deadline; /* of STATE_CONNECTING and STATE_CLOSING */
    uint16_t keep_alive_s;
    uint64_t pinged_ms;
    unsigned in_flight;
    unsigned subscribing;
    struct news *first;
    struct news *last;
    struct news *incoming; /* the message that is being received; NULL: nobody has room for it */
} mqtt;

/* ---- the list ---------------------------------------------------------------------------- */

static struct news *make_news(enum ota_event_type type, int code, size_t room)
{
    struct news *news = malloc(sizeof *news + room);
    if (news != NULL)
        *news = (struct news){.type = type, .code = code};
    return news;
}

static void append(struct news *news)
{
    if (mqtt.first == NULL)
        mqtt.first = news;
    else
        mqtt.last->next = news;
    mqtt.last = news;
}

static void note(enum ota_event_type type, int code)
{
    struct news *news = make_news(type, code, 0);
    if (news != NULL)
        append(news);
}

static struct news *take_first(void)
{
    struct news *news = mqtt.first;
    if (news != NULL)
        mqtt.first = news->next;
    return news;
}

static void clear_news(void)
{
    while (mqtt.first != NULL)
        free(take_first());
    free(mqtt.incoming);
    mqtt.incoming = NULL;
}

static void tell(const struct news *news)
{
    struct ota_event event = {.type = news->type, .code = news->code};
    if (news->type == OTA_EVENT_MQTT_MESSAGE) {
        event.topic = (const char *)news->bytes;
        event.data = news->bytes + news->topic_size;
        event.length = news->length;
    }
    mqtt.deliver(mqtt.context, &event);
}

/* ---- the end of a connection ------------------------------------------------------------- */

/* The sessions are clean ones: what was not acknowledged has failed. */
static void fail_pending(void)
{
    for (; mqtt.in_flight > 0; mqtt.in_flight--)
        note(OTA_EVENT_MQTT_PUBLISHED, OTA_E_DISCONNECTED);
    for (; mqtt.subscribing > 0; mqtt.subscribing--)
        note(OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_REJECTED);
}

/* The connection is gone already. */
static void finish(const char *reason)
{
    int code = mqtt.state == STATE_CLOSING ? OTA_OK : OTA_E_DISCONNECTED;
    if (code != OTA_OK)
        mqtt.reason = reason;
    mqtt.state = STATE_OFF;
    free(mqtt.incoming);
    mqtt.incoming = NULL;
    fail_pending();
    note(OTA_EVENT_MQTT_CLOSED, code);
}

static void fail_connect(int code, const char *reason)
{
    mqtt.reason = reason;
    mqtt.state = STATE_OFF;
    note(OTA_EVENT_MQTT_CONNECTED, code);
}

/* A packet of that type and nothing else, unless one of lwIP's has gone in part only. */
static void send_short(uint8_t type)
{
    const uint8_t packet[] = {type, 0};
    bool between = mqtt.client.output.put == mqtt.client.output.get;
    if (between && mqtt_client_is_connected(&mqtt.client))
        mqtt_pipe_send(mqtt.client.conn, packet, sizeof packet);
}

static void say_goodbye(void)
{
    send_short(DISCONNECT);
    mqtt_disconnect(&mqtt.client);
}

/* ---- what lwIP's client says ------------------------------------------------------------- */

static const char *refusal(mqtt_connection_status_t status)
{
    static const char *const texts[] = {
        "broker refused: unacceptable protocol version", "broker refused: client id rejected",
        "broker refused: server unavailable", "broker refused: bad user name or password",
        "broker refused: not authorized"};
    return status >= 1 && status <= 5 ? texts[status - 1] : "broker refused";
}

static void on_connection(mqtt_client_t *client, void *context, mqtt_connection_status_t status)
{
    (void)client, (void)context;
    if (mqtt.state == STATE_CONNECTING && status == MQTT_CONNECT_ACCEPTED) {
        mqtt.state = STATE_UP;
        mqtt.client.keep_alive = 0; /* the broker knows; lwIP shall not care */
        note(OTA_EVENT_MQTT_CONNECTED, OTA_OK);
    } else if (mqtt.state == STATE_CONNECTING && ota_err_is_tls(mqtt.pipe.failure)) {
        fail_connect(mqtt.pipe.failure, mqtt.pipe.reason);
    } else if (mqtt.state == STATE_CONNECTING && mqtt.pipe.failure != OTA_OK) {
        fail_connect(OTA_E_CONNECT, mqtt.pipe.reason);
    } else if (mqtt.state == STATE_CONNECTING) {
        fail_connect(OTA_E_CONNECT, status < 256 ? refusal(status) : "no answer");
    } else if (mqtt.state == STATE_UP || mqtt.state == STATE_CLOSING) {
        finish("connection lost");
    }
}

static void on_published(void *context, err_t error)
{
    (void)context, (void)error;
    mqtt.in_flight--;
    note(OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
}

static void on_subscribed(void *context, err_t error)
{
    (void)context;
    mqtt.subscribing--;
    note(OTA_EVENT_MQTT_SUBSCRIBED, error == ERR_OK ? OTA_OK : OTA_E_REJECTED);
}

static void on_message(void *context, const char *topic, u32_t length)
{
    size_t topic_size = strlen(topic) + 1;
    (void)context;
    free(mqtt.incoming);
    mqtt.incoming = make_news(OTA_EVENT_MQTT_MESSAGE, OTA_OK, topic_size + length);
    if (mqtt.incoming == NULL)
        return;
    mqtt.incoming->topic_size = topic_size;
    mqtt.incoming->length = length;
    memcpy(mqtt.incoming->bytes, topic, topic_size);
}

static void on_part(void *context, const u8_t *data, u16_t size, u8_t flags)
{
    struct news *news = mqtt.incoming;
    (void)context;
    if (news == NULL || size > news->length - news->filled)
        return;
    memcpy(news->bytes + news->topic_size + news->filled, data, size);
    news->filled += size;
    if ((flags & MQTT_DATA_FLAG_LAST) == 0)
        return;
    mqtt.incoming = NULL;
    append(news);
}

/* ---- the seam ---------------------------------------------------------------------------- */

static int check(const struct mqtt_connect *options, const char *host, uint16_t port)
{
    const char *topic = options->will_topic;
    const char *payload = options->will_payload;
    if (!options->clean_session)
        return OTA_E_UNSUPPORTED;
    if (!sim_host_is_plain(host, strlen(host)) || strlen(host) >= HOST || port == 0)
        return OTA_E_ARGUMENT;
    bool fits = topic == NULL ||
                (strlen(topic) <= WILL_ROOM && (payload == NULL || strlen(payload) <= WILL_ROOM));
    return fits ? OTA_OK : OTA_E_ARGUMENT;
}

static int mqtt_open(void *context, const struct mqtt_connect *options)
{
    const char *host = options->host != NULL ? options->host : mqtt.config.host;
    uint16_t port = options->host != NULL ? options->port : mqtt.config.port;
    (void)context;
    if (mqtt.state == STATE_CONNECTING || mqtt.state == STATE_UP)
        return OTA_E_BUSY;
    if (mqtt.state == STATE_CLOSING)
        say_goodbye();
    mqtt.state = STATE_OFF;
    clear_news(); /* no CLOSED of the last connection may reach into this one */
    int rc = check(options, host, port);
    if (rc != OTA_OK)
        return rc;
    strcpy(mqtt.host, host);
    snprintf(mqtt.peer, sizeof mqtt.peer, "%s:%u", host, port);
    mqtt.pipe = (struct altcp_tls_config){.host = mqtt.host, .port = port, .tls = mqtt.config.tls};
    const struct mqtt_connect_client_info_t info = {
        .client_id = options->client_id,
        .keep_alive = options->keep_alive_s,
        .will_topic = options->will_topic,
        .will_msg = options->will_payload != NULL ? options->will_payload : "",
        .will_qos = WILL_QOS,
        .tls_config = &mqtt.pipe,
    };
    if (mqtt_client_connect(&mqtt.client, IP_ADDR_ANY, port, on_connection, NULL, &info) != ERR_OK)
        return OTA_E_NO_SPACE;
    mqtt_set_inpub_callback(&mqtt.client, on_message, on_part, NULL);
    mqtt.in_flight = 0;
    mqtt.subscribing = 0;
    mqtt.keep_alive_s = options->keep_alive_s;
    mqtt.pinged_ms = 0;
    mqtt.state = STATE_CONNECTING;
    mqtt.deadline = net_now_ms(NULL) + CONNECT_MS;
    return OTA_OK;
}

static int code_of(err_t error)
{
    switch (error) {
    case ERR_OK:
        return OTA_OK;
    case ERR_MEM:
        return OTA_E_NO_SPACE;
    case ERR_CONN:
        return OTA_E_DISCONNECTED;
    default:
        return OTA_E_ARGUMENT;
    }
}

static int subscribe(void *context, const char *topic, int qos)
{
    (void)context;
    if (mqtt.state != STATE_UP)
        return OTA_E_DISCONNECTED;
    if (qos < 0 || qos > 2 || topic[0] == '\0')
        return OTA_E_ARGUMENT;
    err_t error = mqtt_sub_unsub(&mqtt.client, topic, (u8_t)qos, on_subscribed, NULL, 1);
    mqtt.subscribing += error == ERR_OK;
    return code_of(error);
}

static int unsubscribe(void *context, const char *topic)
{
    (void)context;
    if (mqtt.state != STATE_UP)
        return OTA_E_DISCONNECTED;
    if (topic[0] == '\0')
        return OTA_E_ARGUMENT;
    return code_of(mqtt_sub_unsub(&mqtt.client, topic, 0, NULL, NULL, 0));
}

static int publish(void *context, const char *topic, const void *payload, size_t length, int qos)
{
    (void)context;
    if (mqtt.state != STATE_UP)
        return OTA_E_DISCONNECTED;
    if (qos < 0 || qos > 2 || topic[0] == '\0')
        return OTA_E_ARGUMENT;
    if (mqtt.in_flight >= PUBLISHES || length > MQTT_OUTPUT_RINGBUF_SIZE)
        return OTA_E_NO_SPACE;
    err_t error =
        mqtt_publish(&mqtt.client, topic, payload, (u16_t)length, (u8_t)qos, 0, on_published, NULL);
    mqtt.in_flight += error == ERR_OK;
    return code_of(error);
}

static int disconnect(void *context)
{
    (void)context;
    if (mqtt.state == STATE_OFF || mqtt.state == STATE_CLOSING)
        return OTA_E_BUSY;
    mqtt.deadline = net_now_ms(NULL) + (mqtt.state == STATE_UP ? GOODBYE_MS : 0);
    mqtt.state = STATE_CLOSING;
    return OTA_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

const struct mqtt_port *
net_mqtt_start(const struct net_mqtt_config *config,
               void (*deliver)(void *context, const struct ota_event *event), void *context)
{
    mqtt.config = *config;
    mqtt.deliver = deliver;
    mqtt.context = context;
    mqtt.reason = "";
    mqtt.port = (struct mqtt_port){NULL, mqtt_open, subscribe, unsubscribe, publish, disconnect};
    return &mqtt.port;
}

/* Has the broker not answered a ping? */
static bool is_waiting(void)
{
    return mqtt.pinged_ms > mqtt.pipe.heard_ms;
}

/* As Paho does: asks for a sign of life when one side was silent for the keep-alive, and waits one
 * and a half times as long for it. */
static uint64_t keep_alive_due(void)
{
    const struct altcp_tls_config *pipe = &mqtt.pipe;
    uint64_t silent_since = pipe->sent_ms < pipe->heard_ms ? pipe->sent_ms : pipe->heard_ms;
    uint64_t keep_alive = 1000u * mqtt.keep_alive_s;
    if (keep_alive == 0)
        return UINT64_MAX;
    return is_waiting() ? mqtt.pinged_ms + keep_alive * 3 / 2 : silent_since + keep_alive;
}

static uint64_t deadline(void)
{
    switch (mqtt.state) {
    case STATE_CONNECTING:
        return mqtt.deadline;
    case STATE_CLOSING:
        return mqtt.in_flight == 0 ? 0 : mqtt.deadline;
    case STATE_UP:
        return keep_alive_due();
    default:
        return UINT64_MAX;
    }
}

static void look_at_time(void)
{
    if (net_now_ms(NULL) < deadline())
        return;
    if (mqtt.state == STATE_CONNECTING) {
        mqtt_disconnect(&mqtt.client);
        fail_connect(OTA_E_CONNECT, "TCP connect timeout");
    } else if (mqtt.state == STATE_CLOSING) {
        say_goodbye();
        finish("");
    } else if (is_waiting()) {
        mqtt_disconnect(&mqtt.client);
        finish("connection lost");
    } else {
        send_short(PINGREQ);
        mqtt.pinged_ms = net_now_ms(NULL);
    }
}

uint32_t net_mqtt_wait(void)
{
    uint64_t now = net_now_ms(NULL);
    uint64_t due = deadline();
    return due == UINT64_MAX ? UINT32_MAX : due > now ? (uint32_t)(due - now) : 0;
}

bool net_mqtt_turn(void)
{
    struct news *news;
    bool told = false;
    look_at_time();
    while ((news = take_first()) != NULL) {
        told = true;
        tell(news);
        free(news);
    }
    return told;
}

const char *net_mqtt_peer(void)
{
    return mqtt.peer;
}

const char *net_mqtt_reason(void)
{
    return mqtt.reason;
}

/* Paho calls back on threads of its own, and may do so while a client is being given up. So its
 * callbacks never get a pointer: they get a key that stands for one connection. Whoever finds the
 * key in the list of live clients may post to that client's loop; the key of a connection that is
 * over is found nowhere, and what it still had to say is dropped. */
#include "sim/posix/mqtt.h"

#include "sim/address.h"
#include "sim/posix/tls.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_SECONDS  10
#define DISCONNECT_MS    500
#define PROBE_MS         1000
#define MAX_INFLIGHT     64
#define PEER_SIZE        288 /* a host, brackets, and a port */
#define REASON_SIZE      160
#define SUBSCRIBE_FAILED 0x80

enum state { STATE_OFF, STATE_CONNECTING, STATE_UP, STATE_CLOSING };

struct posix_mqtt {
    struct posix_mqtt *next; /* in the list of live clients */
    uintptr_t key;           /* of the present connection; 0: none */
    struct posix_loop *loop;
    struct posix_mqtt_config config;
    struct mqtt_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    MQTTAsync client;
    enum state state;
    char reason[REASON_SIZE];
    char peer[PEER_SIZE]; /* of the last connection */
    /* of the present connection; read and written in any thread */
    char host[sizeof((struct posix_mqtt_config *)NULL)->host];
    uint16_t peer_port;
    int tls_code; /* why the handshake failed; 0: it did not */
    char tls_text[REASON_SIZE];
};

/* Guards the list, last_key, and in each client the key and what any thread may touch. */
static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static struct posix_mqtt *live;
static uintptr_t last_key;

/* One result on its way from a thread of Paho to the loop. */
struct report {
    uintptr_t key;
    enum ota_event_type type;
    int code;
    char reason[REASON_SIZE];
    size_t topic_size; /* with its NUL; then the payload */
    size_t length;
    char bytes[];
};

static struct posix_mqtt *find_live(uintptr_t key)
{
    struct posix_mqtt *mqtt = live;
    while (mqtt != NULL && (key == 0 || mqtt->key != key))
        mqtt = mqtt->next;
    return mqtt;
}

static void set_key(struct posix_mqtt *mqtt, bool alive)
{
    pthread_mutex_lock(&live_lock);
    mqtt->key = alive ? ++last_key : 0;
    pthread_mutex_unlock(&live_lock);
}

/* ---- in the loop's thread ---------------------------------------------------------------- */

/* Ends the present connection at once; nothing of it is heard any more. */
static void give_up(struct posix_mqtt *mqtt)
{
    set_key(mqtt, false);
    if (mqtt->client != NULL)
        MQTTAsync_destroy(&mqtt->client);
    mqtt->client = NULL;
    mqtt->state = STATE_OFF;
}

static void deliver_report(void *context, void *data)
{
    const struct report *report = data;
    (void)context;
    pthread_mutex_lock(&live_lock);
    struct posix_mqtt *mqtt = find_live(report->key);
    pthread_mutex_unlock(&live_lock); /* clients are freed in this thread only */
    if (mqtt == NULL)
        return;
    struct ota_event event = {.type = report->type, .code = report->code};
    switch (report->type) {
    case OTA_EVENT_MQTT_CONNECTED:
        if (mqtt->state != STATE_CONNECTING)
            return;
        mqtt->state = STATE_UP;
        if (report->code != OTA_OK) {
            memcpy(mqtt->reason, report->reason, sizeof mqtt->reason);
            give_up(mqtt);
        }
        break;
    case OTA_EVENT_MQTT_CLOSED:
        if (mqtt->state == STATE_CLOSING)
            event.code = OTA_OK;
        else
            memcpy(mqtt->reason, report->reason, sizeof mqtt->reason);
        give_up(mqtt);
        break;
    case OTA_EVENT_MQTT_MESSAGE:
        event.topic = report->bytes;
        event.data = (const uint8_t *)report->bytes + report->topic_size;
        event.length = report->length;
        break;
    default:
        break;
    }
    mqtt->deliver(mqtt->context, &event);
}

/* ---- in threads of Paho ------------------------------------------------------------------ */

static int post_report(void *key, enum ota_event_type type, int code, const char *reason,
                       const char *topic, size_t topic_length, const void *data, size_t length)
{
    struct report *report = malloc(sizeof *report + topic_length + 1 + length);
    if (report == NULL)
        return OTA_E_NO_SPACE;
    *report = (struct report){
        .key = (uintptr_t)key,
        .type = type,
        .code = code,
        .topic_size = topic_length + 1,
        .length = length,
    };
    snprintf(report->reason, sizeof report->reason, "%s", reason);
    if (topic_length > 0)
        memcpy(report->bytes, topic, topic_length);
    report->bytes[topic_length] = '\0';
    if (length > 0)
        memcpy(report->bytes + topic_length + 1, data, length);
    pthread_mutex_lock(&live_lock);
    const struct posix_mqtt *mqtt = find_live(report->key);
    int result = OTA_E_CANCELLED;
    if (mqtt != NULL)
        result = posix_loop_post(mqtt->loop, deliver_report, NULL, report);
    pthread_mutex_unlock(&live_lock);
    if (result != OTA_OK)
        free(report);
    return result;
}

static void post_result(void *key, enum ota_event_type type, int code, const char *reason)
{
    (void)post_report(key, type, code, reason, NULL, 0, NULL, 0);
}

static void on_connected(void *key, MQTTAsync_successData *data)
{
    (void)data;
    posix_tls_forget();
    post_result(key, OTA_EVENT_MQTT_CONNECTED, OTA_OK, "");
}

static const char *refusal(int code)
{
    static const char *const texts[] = {
        "broker refused: unacceptable protocol version", "broker refused: client id rejected",
        "broker refused: server unavailable", "broker refused: bad user name or password",
        "broker refused: not authorized"};
    return code >= 1 && code <= 5 ? texts[code - 1] : "broker refused";
}

/* Tries one address; 0, or the errno of what is in the way. */
static int probe(const struct addrinfo *address)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        error = errno;
        if (error == EINPROGRESS && poll(&wait, 1, PROBE_MS) == 0)
            error = ETIMEDOUT;
        else if (error == EINPROGRESS)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    close(fd);
    return error;
}

/* Paho does not say why a connection fails; the system does when asked once more. Leaves `reason`
 * alone when the way to the broker is clear. */
static void ask_system(void *key, char *reason)
{
    char text[sizeof((struct posix_mqtt *)NULL)->host] = "";
    char host[sizeof text];
    char port[8] = "";
    pthread_mutex_lock(&live_lock);
    const struct posix_mqtt *mqtt = find_live((uintptr_t)key);
    if (mqtt != NULL) {
        memcpy(text, mqtt->host, sizeof text);
        snprintf(port, sizeof port, "%u", mqtt->peer_port);
    }
    pthread_mutex_unlock(&live_lock);
    if (text[0] == '\0')
        return;
    size_t skip = text[0] == '['; /* brackets belong to the URL */
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    snprintf(host, sizeof host, "%.*s", (int)(strlen(text) - 2 * skip), text + skip);
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) {
        snprintf(reason, REASON_SIZE, "%s", gai_strerror(result));
        return;
    }
    int error = probe(found);
    if (error != 0)
        snprintf(reason, REASON_SIZE, "%s", strerror(error));
    freeaddrinfo(found);
}

/* OpenSSL's errors, a line each, in the thread of the handshake. The first one counts. */
static int on_tls_error(const char *line, size_t length, void *key)
{
    const char *text = line; /* THREAD:error:CODE:library:function:what:FILE:LINE:data */
    int verdict = posix_tls_verdict();
    for (int colons = 0; colons < 5 && text < line + length; text++)
        colons += *text == ':';
    size_t size = strcspn(text, ":\n");
    pthread_mutex_lock(&live_lock);
    struct posix_mqtt *mqtt = find_live((uintptr_t)key);
    if (mqtt != NULL && mqtt->tls_code == OTA_OK) {
        bool broken = strncmp(text, "unexpected eof", 14) == 0; /* the network's doing */
        mqtt->tls_code = verdict != OTA_OK ? verdict : broken ? OTA_E_CONNECT : OTA_E_TLS;
        snprintf(mqtt->tls_text, sizeof mqtt->tls_text, "%.*s", (int)size, text);
    }
    pthread_mutex_unlock(&live_lock);
    return 1;
}

/* Why the handshake failed; OTA_OK when it did not, or there was none. */
static int tls_failure(void *key, char *reason)
{
    int code = OTA_OK;
    pthread_mutex_lock(&live_lock);
    const struct posix_mqtt *mqtt = find_live((uintptr_t)key);
    if (mqtt != NULL && mqtt->config.tls) {
        code = mqtt->tls_code;
        snprintf(reason, REASON_SIZE, "%s", mqtt->tls_text);
        /* Paho says nothing about a wrong name, nor about a broker that refuses us after the
         * handshake, as with TLS 1.3; but it calls back in the same thread. */
        if (code == OTA_OK)
            code = posix_tls_verdict();
    }
    pthread_mutex_unlock(&live_lock);
    posix_tls_forget();
    if (code != OTA_E_TLS || reason[0] == '\0')
        snprintf(reason, REASON_SIZE, "%s", ota_err_text(code));
    return code;
}

static void on_connect_failed(void *key, MQTTAsync_failureData *data)
{
    char reason[REASON_SIZE];
    bool refused = data != NULL && data->code > 0;
    const char *text = "no answer";
    int code = refused ? OTA_OK : tls_failure(key, reason);
    if (code != OTA_OK) {
        post_result(key, OTA_EVENT_MQTT_CONNECTED, code, reason);
        return;
    }
    if (refused)
        text = refusal(data->code);
    else if (data != NULL && data->message != NULL)
        text = data->message;
    snprintf(reason, sizeof reason, "%s", text);
    if (!refused)
        ask_system(key, reason);
    post_result(key, OTA_EVENT_MQTT_CONNECTED, OTA_E_CONNECT, reason);
}

static void on_connection_lost(void *key, char *cause)
{
    posix_tls_forget();
    post_result(key, OTA_EVENT_MQTT_CLOSED, OTA_E_DISCONNECTED,
                cause != NULL ? cause : "connection lost");
}

static void on_disconnected(void *key, MQTTAsync_successData *data)
{
    (void)data;
    post_result(key, OTA_EVENT_MQTT_CLOSED, OTA_OK, "");
}

static void on_disconnect_failed(void *key, MQTTAsync_failureData *data)
{
    (void)data;
    post_result(key, OTA_EVENT_MQTT_CLOSED, OTA_OK, "");
}

static void on_subscribed(void *key, MQTTAsync_successData *data)
{
    bool refused = data != NULL && data->alt.qos == SUBSCRIBE_FAILED;
    post_result(key, OTA_EVENT_MQTT_SUBSCRIBED, refused ? OTA_E_REJECTED : OTA_OK, "");
}

static void on_subscribe_failed(void *key, MQTTAsync_failureData *data)
{
    (void)data;
    post_result(key, OTA_EVENT_MQTT_SUBSCRIBED, OTA_E_REJECTED, "");
}

static void on_published(void *key, MQTTAsync_successData *data)
{
    (void)data;
    post_result(key, OTA_EVENT_MQTT_PUBLISHED, OTA_OK, "");
}

static void on_publish_failed(void *key, MQTTAsync_failureData *data)
{
    (void)data;
    post_result(key, OTA_EVENT_MQTT_PUBLISHED, OTA_E_DISCONNECTED, "");
}

/* 0 asks Paho to deliver the message again: done when there is no memory for it now. */
static int on_message(void *key, char *topic, int topic_length, MQTTAsync_message *message)
{
    size_t length = topic_length > 0 ? (size_t)topic_length : strlen(topic);
    int result = post_report(key, OTA_EVENT_MQTT_MESSAGE, OTA_OK, "", topic, length,
                             message->payload, (size_t)message->payloadlen);
    if (result == OTA_E_NO_SPACE)
        return 0;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* ---- the seam ---------------------------------------------------------------------------- */

static int start_connect(struct posix_mqtt *mqtt, const struct mqtt_connect *options)
{
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    connect.keepAliveInterval = options->keep_alive_s;
    connect.cleansession = options->clean_session;
    connect.maxInflight = MAX_INFLIGHT;
    connect.connectTimeout = CONNECT_SECONDS;
    connect.automaticReconnect = 0;
    connect.MQTTVersion = MQTTVERSION_3_1_1;
    connect.onSuccess = on_connected;
    connect.onFailure = on_connect_failed;
    connect.context = (void *)mqtt->key;
    if (options->will_topic != NULL) {
        will.topicName = options->will_topic;
        will.message = options->will_payload != NULL ? options->will_payload : "";
        will.qos = 1;
        connect.will = &will;
    }
    if (mqtt->config.tls) {
        ssl.trustStore = mqtt->config.ca_path;
        ssl.keyStore = mqtt->config.cert_path;
        ssl.privateKey = mqtt->config.key_path;
        ssl.enableServerCertAuth = 1;
        ssl.verify = 1; /* of the host name too; Paho's default is not to */
        ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
        ssl.ssl_error_cb = on_tls_error;
        ssl.ssl_error_context = (void *)mqtt->key;
        connect.ssl = &ssl;
    }
    return MQTTAsync_connect(mqtt->client, &connect);
}

/* Host and port of this connection: the configured ones, or those that a job redirects to. */
static int set_peer(struct posix_mqtt *mqtt, const struct mqtt_connect *options)
{
    const char *host = options->host != NULL ? options->host : mqtt->config.host;
    bool bare_ipv6 = host[0] != '[' && strchr(host, ':') != NULL;
    uint16_t port = options->host != NULL ? options->port : mqtt->config.port;
    if (!sim_host_is_plain(host, strlen(host)) || strlen(host) + 3 > sizeof mqtt->host || port == 0)
        return OTA_E_ARGUMENT;
    pthread_mutex_lock(&live_lock);
    snprintf(mqtt->host, sizeof mqtt->host, bare_ipv6 ? "[%s]" : "%s", host);
    mqtt->peer_port = port;
    snprintf(mqtt->peer, sizeof mqtt->peer, "%s:%u", mqtt->host, port);
    mqtt->tls_code = OTA_OK;
    mqtt->tls_text[0] = '\0';
    pthread_mutex_unlock(&live_lock);
    return OTA_OK;
}

static int mqtt_open(void *context, const struct mqtt_connect *options)
{
    struct posix_mqtt *mqtt = context;
    char url[320];
    if (mqtt->state == STATE_CONNECTING || mqtt->state == STATE_UP)
        return OTA_E_BUSY;
    give_up(mqtt); /* no CLOSED of the last connection may reach into this one */
    int result = set_peer(mqtt, options);
    if (result != OTA_OK)
        return result;
    snprintf(url, sizeof url, "%s://%s:%u", mqtt->config.tls ? "ssl" : "tcp", mqtt->host,
             mqtt->peer_port);
    result =
        MQTTAsync_create(&mqtt->client, url, options->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL);
    if (result != MQTTASYNC_SUCCESS) {
        mqtt->client = NULL;
        return result == MQTTASYNC_BAD_UTF8_STRING ? OTA_E_ARGUMENT : OTA_E_CONNECT;
    }
    set_key(mqtt, true);
    result = MQTTAsync_setCallbacks(mqtt->client, (void *)mqtt->key, on_connection_lost, on_message,
                                    NULL);
    if (result == MQTTASYNC_SUCCESS)
        result = start_connect(mqtt, options);
    if (result != MQTTASYNC_SUCCESS) {
        snprintf(mqtt->reason, sizeof mqtt->reason, "%s", MQTTAsync_strerror(result));
        give_up(mqtt);
        return OTA_E_CONNECT;
    }
    mqtt->state = STATE_CONNECTING;
    return OTA_OK;
}

static MQTTAsync_responseOptions respond(const struct posix_mqtt *mqtt,
                                         MQTTAsync_onSuccess *success, MQTTAsync_onFailure *failure)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = success;
    response.onFailure = failure;
    response.context = (void *)mqtt->key;
    return response;
}

static int result_of(int paho)
{
    switch (paho) {
    case MQTTASYNC_SUCCESS:
        return OTA_OK;
    case MQTTASYNC_DISCONNECTED:
        return OTA_E_DISCONNECTED;
    case MQTTASYNC_MAX_MESSAGES_INFLIGHT:
    case MQTTASYNC_NO_MORE_MSGIDS:
    case MQTTASYNC_MAX_BUFFERED_MESSAGES:
        return OTA_E_BUSY;
    case MQTTASYNC_BAD_UTF8_STRING:
    case MQTTASYNC_BAD_QOS:
        return OTA_E_ARGUMENT;
    default:
        return OTA_E_IO;
    }
}

static int mqtt_subscribe(void *context, const char *topic, int qos)
{
    struct posix_mqtt *mqtt = context;
    if (mqtt->state != STATE_UP)
        return OTA_E_DISCONNECTED;
    MQTTAsync_responseOptions response = respond(mqtt, on_subscribed, on_subscribe_failed);
    return result_of(MQTTAsync_subscribe(mqtt->client, topic, qos, &response));
}

static int mqtt_unsubscribe(void *context, const char *topic)
{
    struct posix_mqtt *mqtt = context;
    if (mqtt->state != STATE_UP)
        return OTA_E_DISCONNECTED;
    MQTTAsync_responseOptions response = respond(mqtt, NULL, NULL);
    return result_of(MQTTAsync_unsubscribe(mqtt->client, topic, &response));
}

static int mqtt_publish(void *context, const char *topic, const void *payload, size_t length,
                        int qos)
{
    struct posix_mqtt *mqtt = context;
    if (mqtt->state != STATE_UP)
        return OTA_E_DISCONNECTED;
    if (length > INT32_MAX)
        return OTA_E_ARGUMENT;
    MQTTAsync_responseOptions response = respond(mqtt, on_published, on_publish_failed);
    return result_of(MQTTAsync_send(mqtt->client, topic, (int)length, payload, qos, 0, &response));
}

static int mqtt_disconnect(void *context)
{
    struct posix_mqtt *mqtt = context;
    if (mqtt->state == STATE_OFF || mqtt->state == STATE_CLOSING)
        return OTA_E_BUSY;
    bool up = mqtt->state == STATE_UP;
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    options.timeout = DISCONNECT_MS;
    options.onSuccess = on_disconnected;
    options.onFailure = on_disconnect_failed;
    options.context = (void *)mqtt->key;
    mqtt->state = STATE_CLOSING;
    /* Not connected (yet): there is nobody to say goodbye to. */
    if (!up || MQTTAsync_disconnect(mqtt->client, &options) != MQTTASYNC_SUCCESS)
        post_result((void *)mqtt->key, OTA_EVENT_MQTT_CLOSED, OTA_OK, "");
    return OTA_OK;
}

/* ---- life -------------------------------------------------------------------------------- */

int posix_mqtt_url(const char *url, struct posix_mqtt_config *out)
{
    memset(out, 0, sizeof *out);
    if (strncmp(url, "mqtts://", 8) == 0)
        out->tls = true;
    else if (strncmp(url, "mqtt://", 7) != 0)
        return OTA_E_ARGUMENT;
    out->port = out->tls ? 8883 : 1883;
    return sim_address_parse(url + (out->tls ? 8 : 7), out->host, sizeof out->host, &out->port);
}

struct posix_mqtt *posix_mqtt_new(struct posix_loop *loop, const struct posix_mqtt_config *config,
                                  void (*deliver)(void *context, const struct ota_event *event),
                                  void *context)
{
    struct posix_mqtt *mqtt = calloc(1, sizeof *mqtt);
    if (mqtt == NULL)
        return NULL;
    if (config->tls)
        posix_tls_watch();
    mqtt->loop = loop;
    mqtt->config = *config;
    mqtt->deliver = deliver;
    mqtt->context = context;
    mqtt->port = (struct mqtt_port){mqtt,         mqtt_open,      mqtt_subscribe, mqtt_unsubscribe,
                                    mqtt_publish, mqtt_disconnect};
    pthread_mutex_lock(&live_lock);
    mqtt->next = live;
    live = mqtt;
    pthread_mutex_unlock(&live_lock);
    return mqtt;
}

void posix_mqtt_free(struct posix_mqtt *mqtt)
{
    if (mqtt == NULL)
        return;
    give_up(mqtt);
    pthread_mutex_lock(&live_lock);
    struct posix_mqtt **link = &live;
    while (*link != mqtt)
        link = &(*link)->next;
    *link = mqtt->next;
    pthread_mutex_unlock(&live_lock);
    free(mqtt);
}

const struct mqtt_port *posix_mqtt_port(struct posix_mqtt *mqtt)
{
    return &mqtt->port;
}

const char *posix_mqtt_peer(const struct posix_mqtt *mqtt)
{
    return mqtt->peer;
}

const char *posix_mqtt_reason(const struct posix_mqtt *mqtt)
{
    return mqtt->reason;
}

/* The MQTT seam against a real mosquitto on a free loopback port. */
#include "sim/posix/mqtt.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 5000
#define LARGE    (32u + 65535u)

/* ---- a broker ---------------------------------------------------------------------------- */

static pid_t broker;
static uint16_t port;

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(uint16_t number)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(number),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    bool open = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return open;
}

/* Dies with us. Without a configuration file mosquitto listens on loopback only. */
static void run_broker(uint16_t number)
{
    char text[8];
    snprintf(text, sizeof text, "%u", number);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
        _exit(126);
    execlp("mosquitto", "mosquitto", "-p", text, (char *)NULL);
    execl("/usr/sbin/mosquitto", "mosquitto", "-p", text, (char *)NULL);
    _exit(127);
}

static void start_broker(void)
{
    for (int tries = 0; tries < 5; tries++) {
        port = free_port();
        broker = fork();
        assert_true(broker >= 0);
        if (broker == 0)
            run_broker(port);
        for (int i = 0; i < 100; i++) {
            int status;
            usleep(20000);
            if (waitpid(broker, &status, WNOHANG) == broker) {
                broker = 0;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                    return; /* there is none */
                break;      /* somebody else took the port */
            }
            if (answers(port))
                return;
        }
    }
}

static void stop_broker(void)
{
    if (broker > 0) {
        kill(broker, SIGKILL);
        waitpid(broker, NULL, 0);
    }
    broker = 0;
}

/* ---- a client ---------------------------------------------------------------------------- */

struct client {
    struct posix_loop *loop;
    struct posix_mqtt *mqtt;
    const struct mqtt_port *port;
    int codes[8]; /* of the last event of each type */
    unsigned counts[8];
    enum ota_event_type awaited;
    char topic[64];
    uint8_t *data;
    size_t length;
};

static void on_event(void *context, const struct ota_event *event)
{
    struct client *client = context;
    client->counts[event->type]++;
    client->codes[event->type] = event->code;
    if (event->type == OTA_EVENT_MQTT_MESSAGE) {
        snprintf(client->topic, sizeof client->topic, "%s", event->topic);
        free(client->data);
        client->data = malloc(event->length + 1);
        assert_non_null(client->data);
        if (event->length > 0)
            memcpy(client->data, event->data, event->length);
        client->length = event->length;
    }
    if (event->type == client->awaited)
        posix_loop_stop(client->loop, 1);
}

static bool await(struct client *client, enum ota_event_type type)
{
    unsigned before = client->counts[type];
    client->awaited = type;
    int result = posix_loop_run(client->loop, PATIENCE);
    client->awaited = OTA_EVENT_START;
    return result == 1 && client->counts[type] == before + 1;
}

static void open_client(struct client *client, struct posix_loop *loop, uint16_t number)
{
    struct posix_mqtt_config config = {.host = "127.0.0.1", .port = number};
    *client = (struct client){.loop = loop, .awaited = OTA_EVENT_START};
    client->mqtt = posix_mqtt_new(loop, &config, on_event, client);
    assert_non_null(client->mqtt);
    client->port = posix_mqtt_port(client->mqtt);
}

static int start_connect(struct client *client, const char *id, const char *will)
{
    const struct mqtt_connect options = {.client_id = id,
                                         .keep_alive_s = 60,
                                         .clean_session = true,
                                         .will_topic = will,
                                         .will_payload = "gone"};
    return client->port->connect(client->port->context, &options);
}

static void connect_client(struct client *client, const char *id, const char *will)
{
    assert_int_equal(start_connect(client, id, will), OTA_OK);
    assert_true(await(client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client->codes[OTA_EVENT_MQTT_CONNECTED], OTA_OK);
}

static void close_client(struct client *client)
{
    posix_mqtt_free(client->mqtt);
    free(client->data);
}

static void need_broker(void)
{
    if (broker == 0)
        start_broker();
    if (broker == 0) {
        print_message("mosquitto is missing: skipped\n");
        skip();
    }
}

static void subscribe(struct client *client, const char *topic)
{
    assert_int_equal(client->port->subscribe(client->port->context, topic, 1), OTA_OK);
    assert_true(await(client, OTA_EVENT_MQTT_SUBSCRIBED));
    assert_int_equal(client->codes[OTA_EVENT_MQTT_SUBSCRIBED], OTA_OK);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void url(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        uint16_t port;
        bool tls;
    } rows[] = {
        {"mqtt://localhost", "localhost", 1883, false},
        {"mqtt://localhost:1234", "localhost", 1234, false},
        {"mqtt://10.0.0.1:1/", "10.0.0.1", 1, false},
        {"mqtts://example.org", "example.org", 8883, true},
        {"mqtt://[::1]:77", "[::1]", 77, false},
        {"mqtt://[::1", NULL, 0, false},
        {"mqtt://", NULL, 0, false},
        {"mqtt://:1883", NULL, 0, false},
        {"mqtt://h:0", NULL, 0, false},
        {"mqtt://h:65536", NULL, 0, false},
        {"mqtt://h:", NULL, 0, false},
        {"mqtt://h:-1", NULL, 0, false},
        {"mqtt://h:1x", NULL, 0, false},
        {"mqtt://h/path", NULL, 0, false},
        {"mqtt://user@h", NULL, 0, false},
        {"mqtt://a b", NULL, 0, false},
        {"http://h", NULL, 0, false},
        {"localhost", NULL, 0, false},
        {"", NULL, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct posix_mqtt_config config;
        int result = posix_mqtt_url(rows[i].text, &config);
        if ((result == OTA_OK) != (rows[i].host != NULL))
            fail_msg("%s: %s", rows[i].text, ota_err_word(result));
        if (result != OTA_OK)
            continue;
        assert_string_equal(config.host, rows[i].host);
        assert_int_equal(config.port, rows[i].port);
        assert_int_equal(config.tls, rows[i].tls);
    }
}

static void message_goes_round(void **state)
{
    struct client client;
    uint8_t *large = malloc(LARGE);
    (void)state;
    need_broker();
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 7);
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, port);
    assert_int_equal(client.port->publish(client.port->context, "t", "x", 1, 1),
                     OTA_E_DISCONNECTED);
    connect_client(&client, "round", NULL);
    assert_int_equal(start_connect(&client, "again", NULL), OTA_E_BUSY);
    subscribe(&client, "a/topic");
    assert_int_equal(client.port->publish(client.port->context, "a/topic", large, LARGE, 1),
                     OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_MESSAGE));
    assert_string_equal(client.topic, "a/topic");
    assert_int_equal(client.length, LARGE);
    assert_memory_equal(client.data, large, LARGE);
    assert_int_equal(client.port->publish(client.port->context, "a/topic", "", 0, 1), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_MESSAGE));
    assert_int_equal(client.length, 0);
    assert_int_equal(client.port->unsubscribe(client.port->context, "a/topic"), OTA_OK);
    assert_int_equal(client.port->publish(client.port->context, "bad/\xff", "", 0, 1),
                     OTA_E_ARGUMENT);
    assert_int_equal(client.port->disconnect(client.port->context), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CLOSED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CLOSED], OTA_OK);
    assert_int_equal(client.codes[OTA_EVENT_MQTT_PUBLISHED], OTA_OK);
    assert_int_equal(client.port->disconnect(client.port->context), OTA_E_BUSY);
    connect_client(&client, "round", NULL); /* the same client serves again */
    close_client(&client);
    posix_loop_free(loop);
    free(large);
}

static void many_at_once(void **state)
{
    struct client client;
    (void)state;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, port);
    connect_client(&client, "many", NULL);
    for (int i = 0; i < 60; i++)
        assert_int_equal(client.port->publish(client.port->context, "t", "x", 1, 1), OTA_OK);
    for (int i = 0; i < 60; i++)
        assert_true(client.counts[OTA_EVENT_MQTT_PUBLISHED] == 60 ||
                    await(&client, OTA_EVENT_MQTT_PUBLISHED));
    assert_int_equal(client.counts[OTA_EVENT_MQTT_PUBLISHED], 60);
    close_client(&client);
    posix_loop_free(loop);
}

static void refused_connection(void **state)
{
    struct client client;
    (void)state;
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, free_port());
    assert_int_equal(start_connect(&client, "x", NULL), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_E_CONNECT);
    assert_string_equal(posix_mqtt_reason(client.mqtt), "Connection refused");
    assert_int_equal(start_connect(&client, "x", NULL), OTA_OK); /* free to try again */
    close_client(&client);
    posix_loop_free(loop);
}

static void nothing_after_goodbye(void **state)
{
    struct client client;
    (void)state;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, port);
    /* Given up while connecting: CLOSED, and no CONNECTED any more. */
    assert_int_equal(start_connect(&client, "early", NULL), OTA_OK);
    assert_int_equal(client.port->disconnect(client.port->context), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CLOSED));
    assert_int_equal(posix_loop_run(loop, 100), OTA_E_TIMEOUT);
    assert_int_equal(client.counts[OTA_EVENT_MQTT_CONNECTED], 0);
    /* A new connection before the old one's CLOSED: that CLOSED is not heard. */
    connect_client(&client, "late", NULL);
    unsigned closed = client.counts[OTA_EVENT_MQTT_CLOSED];
    assert_int_equal(client.port->disconnect(client.port->context), OTA_OK);
    connect_client(&client, "later", NULL);
    assert_int_equal(posix_loop_run(loop, 100), OTA_E_TIMEOUT);
    assert_int_equal(client.counts[OTA_EVENT_MQTT_CLOSED], closed);
    subscribe(&client, "t");
    close_client(&client);
    assert_int_equal(posix_loop_run(loop, 50), OTA_E_TIMEOUT);
    posix_loop_free(loop);
}

/* A device in a process of its own, whose power goes as soon as it is connected. */
static void run_victim(int go)
{
    struct client victim;
    char byte;
    if (read(go, &byte, 1) != 1)
        _exit(1);
    struct posix_loop *own = posix_loop_new();
    open_client(&victim, own, port);
    if (start_connect(&victim, "victim", "will") != OTA_OK ||
        !await(&victim, OTA_EVENT_MQTT_CONNECTED))
        _exit(1);
    _exit(9);
}

static void will_is_sent(void **state)
{
    struct client watcher;
    int go[2];
    int status;
    (void)state;
    need_broker();
    assert_int_equal(pipe(go), 0);
    pid_t child = fork(); /* before this process has threads of Paho */
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_victim(go[0]);
    }
    struct posix_loop *loop = posix_loop_new();
    open_client(&watcher, loop, port);
    connect_client(&watcher, "watcher", NULL);
    subscribe(&watcher, "will");
    assert_int_equal(write(go[1], "!", 1), 1);
    assert_true(await(&watcher, OTA_EVENT_MQTT_MESSAGE));
    assert_int_equal(watcher.length, 4);
    assert_memory_equal(watcher.data, "gone", 4);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 9);
    close_client(&watcher);
    posix_loop_free(loop);
    close(go[0]);
    close(go[1]);
}

/* Last: takes the broker down. */
static void lost_connection(void **state)
{
    struct client client;
    (void)state;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, port);
    connect_client(&client, "lost", NULL);
    stop_broker();
    assert_true(await(&client, OTA_EVENT_MQTT_CLOSED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CLOSED], OTA_E_DISCONNECTED);
    assert_int_equal(client.port->publish(client.port->context, "t", "x", 1, 1),
                     OTA_E_DISCONNECTED);
    assert_int_equal(posix_loop_run(loop, 50), OTA_E_TIMEOUT);
    assert_int_equal(client.counts[OTA_EVENT_MQTT_CLOSED], 1);
    close_client(&client);
    posix_loop_free(loop);
}

static int after_all(void **state)
{
    (void)state;
    stop_broker();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url),
        cmocka_unit_test(will_is_sent), /* first: it forks */
        cmocka_unit_test(message_goes_round),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(refused_connection),
        cmocka_unit_test(nothing_after_goodbye),
        cmocka_unit_test(lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, after_all);
}

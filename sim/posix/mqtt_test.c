/* The MQTT seam against a real mosquitto on a free loopback port. */
#include "sim/posix/broker_rig.h"

#define LARGE (32u + 65535u)

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
    char peer[32];
    const struct mqtt_connect elsewhere = {.host = "127.0.0.2", .port = 1, .client_id = "x"};
    unsigned nobody = free_port();
    open_client(&client, loop, (uint16_t)nobody);
    assert_int_equal(start_connect(&client, "x", NULL), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_E_CONNECT);
    assert_string_equal(posix_mqtt_reason(client.mqtt), "Connection refused");
    snprintf(peer, sizeof peer, "127.0.0.1:%u", nobody);
    assert_string_equal(posix_mqtt_peer(client.mqtt), peer);
    const struct mqtt_port *seam = posix_mqtt_port(client.mqtt);
    assert_int_equal(seam->connect(seam->context, &elsewhere), OTA_OK);
    assert_string_equal(posix_mqtt_peer(client.mqtt), "127.0.0.2:1"); /* where a job leads to */
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
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

/* A job may name another broker than the configured one. */
static void redirected(void **state)
{
    struct client client;
    (void)state;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_client(&client, loop, free_port()); /* nobody there */
    struct mqtt_connect options = {
        .host = "localhost", .port = port, .client_id = "moved", .keep_alive_s = 60};
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_OK);
    assert_int_equal(client.port->disconnect(client.port->context), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CLOSED));
    options.host = NULL; /* and back */
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
    assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_E_CONNECT);
    static const char *const bad[] = {"", "a b", "h/x", "me@h", "h?", "h\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.host = bad[i];
        assert_int_equal(client.port->connect(client.port->context, &options), OTA_E_ARGUMENT);
    }
    options.host = "localhost";
    options.port = 0;
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_E_ARGUMENT);
    close_client(&client);
    posix_loop_free(loop);
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
        cmocka_unit_test(redirected),
        cmocka_unit_test(lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, after_all);
}

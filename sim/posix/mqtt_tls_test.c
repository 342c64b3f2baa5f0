/* The MQTT seam against a mosquitto with good and bad certificates. */
#include "sim/posix/broker_rig.h"

static const struct {
    const char *broker; /* identity */
    bool wants_client;
    const char *shows; /* the device: identity; NULL: nothing */
    const char *host;
    int code;
} handshakes[] = {
    {"good", false, NULL, "127.0.0.1", OTA_OK},
    {"good", false, "client", "localhost", OTA_OK},
    {"good", true, "client", "127.0.0.1", OTA_OK},
    {"good", true, NULL, "127.0.0.1", OTA_E_TLS_DEVICE},
    {"good", true, "device-of-stranger", "127.0.0.1", OTA_E_TLS_DEVICE},
    {"of-stranger", false, NULL, "127.0.0.1", OTA_E_TLS_CA},
    {"of-impostor", false, "client", "127.0.0.1", OTA_E_TLS_IMPOSTOR},
    {"self-signed", false, NULL, "127.0.0.1", OTA_E_TLS_SELF},
    {"expired", false, "client", "127.0.0.1", OTA_E_TLS_EXPIRED},
    {"early", false, NULL, "localhost", OTA_E_TLS_EXPIRED},
    {"elsewhere", false, NULL, "127.0.0.1", OTA_E_TLS_NAME},
    {"elsewhere", true, "client", "localhost", OTA_E_TLS_NAME},
};

static char files[3][RIG_PATH];

static void open_tls(struct client *client, struct posix_loop *loop, const char *host,
                     const char *shows)
{
    struct posix_mqtt_config config = {.port = port, .tls = true, .ca_path = files[0]};
    snprintf(config.host, sizeof config.host, "%s", host);
    if (shows != NULL) {
        snprintf(files[1], RIG_PATH, "%s", rig_file(shows, "crt"));
        snprintf(files[2], RIG_PATH, "%s", rig_file(shows, "key"));
        config.cert_path = files[1];
        config.key_path = files[2];
    }
    *client = (struct client){.loop = loop, .awaited = OTA_EVENT_START};
    client->mqtt = posix_mqtt_new(loop, &config, on_event, client);
    assert_non_null(client->mqtt);
    client->port = posix_mqtt_port(client->mqtt);
}

static void certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof handshakes / sizeof handshakes[0]; i++) {
        struct client client;
        broker_identity = handshakes[i].broker;
        broker_wants_client = handshakes[i].wants_client;
        need_broker();
        struct posix_loop *loop = posix_loop_new();
        open_tls(&client, loop, handshakes[i].host, handshakes[i].shows);
        for (int again = 0; again < 2; again++) { /* nothing of the first time sticks */
            assert_int_equal(start_connect(&client, "tls", NULL), OTA_OK);
            assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
            int code = client.codes[OTA_EVENT_MQTT_CONNECTED];
            if (code != handshakes[i].code)
                fail_msg("row %zu, %d: %s: %s", i, again, ota_err_word(code),
                         posix_mqtt_reason(client.mqtt));
            if (code != OTA_OK)
                continue;
            subscribe(&client, "topic");
            assert_int_equal(client.port->publish(client.port->context, "topic", "x", 1, 1),
                             OTA_OK);
            assert_true(await(&client, OTA_EVENT_MQTT_MESSAGE));
            assert_true(client.counts[OTA_EVENT_MQTT_PUBLISHED] > (unsigned)again ||
                        await(&client, OTA_EVENT_MQTT_PUBLISHED));
            assert_int_equal(client.port->disconnect(client.port->context), OTA_OK);
            assert_true(await(&client, OTA_EVENT_MQTT_CLOSED));
        }
        stop_broker();
        /* A broker that is gone is not a bad certificate. */
        assert_int_equal(start_connect(&client, "tls", NULL), OTA_OK);
        assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
        assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_E_CONNECT);
        assert_string_equal(posix_mqtt_reason(client.mqtt), "Connection refused");
        close_client(&client);
        posix_loop_free(loop);
    }
}

static void no_tls_there(void **state)
{
    struct client client;
    (void)state;
    broker_identity = NULL;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_tls(&client, loop, "127.0.0.1", NULL);
    assert_int_equal(start_connect(&client, "tls", NULL), OTA_OK);
    assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
    int code = client.codes[OTA_EVENT_MQTT_CONNECTED];
    if (code != OTA_E_TLS && code != OTA_E_CONNECT)
        fail_msg("%s: %s", ota_err_word(code), posix_mqtt_reason(client.mqtt));
    close_client(&client);
    posix_loop_free(loop);
    stop_broker();
}

static void unreadable_files(void **state)
{
    struct client client;
    (void)state;
    broker_identity = "good";
    broker_wants_client = false;
    need_broker();
    struct posix_loop *loop = posix_loop_new();
    open_tls(&client, loop, "127.0.0.1", "client");
    for (size_t i = 0; i < 3; i++) {
        char saved[RIG_PATH];
        memcpy(saved, files[i], RIG_PATH);
        strcpy(files[i], "/nonexistent.pem");
        if (start_connect(&client, "tls", NULL) == OTA_OK) {
            assert_true(await(&client, OTA_EVENT_MQTT_CONNECTED));
            assert_int_equal(client.codes[OTA_EVENT_MQTT_CONNECTED], OTA_E_TLS);
        }
        memcpy(files[i], saved, RIG_PATH);
    }
    close_client(&client);
    posix_loop_free(loop);
    stop_broker();
}

static int before_all(void **state)
{
    (void)state;
    rig_make_all();
    snprintf(files[0], RIG_PATH, "%s", rig_file("ca", "crt"));
    return 0;
}

static int after_all(void **state)
{
    (void)state;
    stop_broker();
    unlink(rig_file("broker", "conf"));
    rig_remove_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(no_tls_there),
        cmocka_unit_test(unreadable_files),
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}

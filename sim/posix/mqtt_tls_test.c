/* The MQTT seam against a mosquitto with good and bad certificates. */
#include "sim/posix/broker_rig.h"

static const struct {
    const char *broker; /* identity */
    bool wants_client;
    bool identifies;
    const char *host;
    int code;
} handshakes[] = {
    {"good", false, false, "127.0.0.1", OTA_OK},
    {"good", false, true, "localhost", OTA_OK},
    {"good", true, true, "127.0.0.1", OTA_OK},
    {"good", true, false, "127.0.0.1", OTA_E_TLS},
    {"of-stranger", false, false, "127.0.0.1", OTA_E_TLS_CA},
    {"of-impostor", false, true, "127.0.0.1", OTA_E_TLS_CA},
    {"self-signed", false, false, "127.0.0.1", OTA_E_TLS_CA},
    {"expired", false, true, "127.0.0.1", OTA_E_TLS_EXPIRED},
    {"early", false, false, "localhost", OTA_E_TLS_EXPIRED},
    {"elsewhere", false, false, "127.0.0.1", OTA_E_TLS_NAME},
    {"elsewhere", true, true, "localhost", OTA_E_TLS_NAME},
};

static char files[3][RIG_PATH];

static void open_tls(struct client *client, struct posix_loop *loop, const char *host,
                     bool identifies)
{
    struct posix_mqtt_config config = {.port = port, .tls = true, .ca_path = files[0]};
    snprintf(config.host, sizeof config.host, "%s", host);
    if (identifies) {
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
        open_tls(&client, loop, handshakes[i].host, handshakes[i].identifies);
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
    open_tls(&client, loop, "127.0.0.1", false);
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
    open_tls(&client, loop, "127.0.0.1", true);
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
    static const char *const names[3][2] = {{"ca", "crt"}, {"client", "crt"}, {"client", "key"}};
    (void)state;
    rig_make_all();
    for (size_t i = 0; i < 3; i++)
        snprintf(files[i], RIG_PATH, "%s", rig_file(names[i][0], names[i][1]));
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

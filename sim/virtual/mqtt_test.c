/* The MQTT seam of the virtual world, against the virtual broker and against literal bytes. */
#include "sim/virtual/mqtt_rig.h"

#define CONNECT_X "10 0d 0004 4d515454 04 02 003c 0001 78" /* client id x, clean, 60 s */
#define CONNACK   "20 02 00 00"

static void message_goes_round(void **state)
{
    struct client client;
    (void)state;
    struct virtual_broker *broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    open_client_at(&client, virtual_broker_port(broker));
    assert_int_equal(publish(&client, "t", "x", 1), OTA_E_DISCONNECTED);
    assert_int_equal(subscribe(&client, "t", 1), OTA_E_DISCONNECTED);
    assert_int_equal(disconnect(&client), OTA_E_BUSY);
    connect_client(&client, "round");
    assert_int_equal(start(&client, "again"), OTA_E_BUSY);
    assert_int_equal(subscribe(&client, "a/+", 1), OTA_OK);
    run_for(10);
    expect(&client, "subscribed:ok");
    assert_int_equal(publish(&client, "a/b", "hello", 1), OTA_OK);
    expect(&client, ""); /* nothing from inside the call */
    run_for(10);
    expect(&client, "a/b=hello published:ok");
    assert_int_equal(publish(&client, "a/b", "", 0), OTA_OK);
    expect(&client, "");
    run_for(10);
    expect(&client, "published:ok a/b=");
    assert_int_equal(client.port->unsubscribe(client.port->context, "a/+"), OTA_OK);
    assert_int_equal(publish(&client, "a/b", "unheard", 1), OTA_OK);
    run_for(10);
    expect(&client, "published:ok");
    assert_int_equal(publish(&client, "bad/\xff", "", 1), OTA_E_ARGUMENT);
    assert_int_equal(publish(&client, "t", "", 3), OTA_E_ARGUMENT);
    assert_int_equal(publish(&client, "t", "", 2), OTA_E_UNSUPPORTED);
    assert_int_equal(subscribe(&client, "t", -1), OTA_E_ARGUMENT);
    assert_int_equal(disconnect(&client), OTA_OK);
    assert_int_equal(disconnect(&client), OTA_E_BUSY);
    run_for(10);
    expect(&client, "closed:ok");
    connect_client(&client, "round"); /* the same client serves again */
    virtual_mqtt_free(client.mqtt);
    run_for(10);
    virtual_broker_free(broker);
}

static void many_at_once(void **state)
{
    struct client client;
    (void)state;
    struct virtual_broker *broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    open_client_at(&client, virtual_broker_port(broker));
    connect_client(&client, "many");
    for (int i = 0; i < 200; i++)
        assert_int_equal(publish(&client, "t", "x", 1), OTA_OK);
    assert_int_equal(publish(&client, "t", "x", 0), OTA_OK);
    assert_int_equal(subscribe(&client, "u", 1), OTA_OK);
    run_for(20);
    for (int i = 0; i < 201; i++)
        assert_memory_equal(client.log + 13 * i, "published:ok ", 13);
    assert_string_equal(client.log + 13 * 201, "subscribed:ok");
    virtual_mqtt_free(client.mqtt);
    virtual_broker_free(broker);
}

/* 64 are in flight; the rest waits for the first to be acknowledged. */
static void in_flight(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    raw_listen(&server);
    open_client_at(&client, server.port);
    assert_int_equal(start(&client, "x"), OTA_OK);
    run_for(5);
    raw_expect(&server, CONNECT_X);
    raw_send(&server, CONNACK);
    for (int i = 0; i < 66; i++)
        assert_int_equal(publish(&client, "t", "", 1), OTA_OK);
    assert_int_equal(publish(&client, "t", "z", 0), OTA_OK);
    run_for(5);
    assert_int_equal(server.size, 64 * 7);
    server.size = 0;
    raw_send(&server, "40 02 0001 40 02 0001"); /* the second one is for nobody */
    raw_expect(&server, "32 05 0001 74 0041");
    raw_send(&server, "40 02 0007");
    raw_expect(&server, "32 05 0001 74 0042");
    raw_send(&server, "40 02 0003");
    raw_expect(&server, "30 04 0001 74 7a");
    run_for(5);
    expect(&client, "connected:ok published:ok published:ok published:ok published:ok");
    virtual_mqtt_free(client.mqtt);
    run_for(5);
    raw_expect(&server, "");
    assert_int_equal(server.ended, OTA_E_DISCONNECTED); /* the power went */
    raw_close(&server);
}

static void no_connection(void **state)
{
    static const struct {
        const char *connack;
        const char *reason;
    } rows[] = {
        {"20 02 00 01", "broker refused: unacceptable protocol version"},
        {"20 02 00 05", "broker refused: not authorized"},
        {"20 02 00 09", "broker refused"},
        {"20 02 07 00", "no answer"},      /* malformed */
        {"30 04 0001 74 78", "no answer"}, /* none at all */
    };
    struct client client;
    struct raw server;
    (void)state;
    open_client_at(&client, 9);
    assert_int_equal(start(&client, "x"), OTA_OK);
    run_for(10);
    expect(&client, "connected:connect");
    assert_string_equal(virtual_mqtt_reason(client.mqtt), "Connection refused");
    virtual_mqtt_free(client.mqtt);
    raw_listen(&server);
    open_client_at(&client, server.port);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(start(&client, "x"), OTA_OK); /* free to try again */
        run_for(5);
        raw_send(&server, rows[i].connack);
        expect(&client, "connected:connect");
        assert_string_equal(virtual_mqtt_reason(client.mqtt), rows[i].reason);
        assert_int_equal(server.ended, OTA_OK);
    }
    assert_int_equal(start(&client, "x"), OTA_OK); /* it hangs up instead */
    run_for(5);
    table->end(server.stream);
    run_for(5);
    expect(&client, "connected:connect");
    assert_string_equal(virtual_mqtt_reason(client.mqtt), "no answer");
    assert_int_equal(start(&client, "x"), OTA_OK); /* it says nothing */
    run_for(9999);
    expect(&client, "");
    run_for(1);
    expect(&client, "connected:connect");
    assert_string_equal(virtual_mqtt_reason(client.mqtt), "TCP connect timeout");
    run_for(5);
    assert_int_equal(server.ended, OTA_OK);
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

static void hosts(void **state)
{
    static const struct {
        const char *host;
        int returned;
        const char *told;
    } rows[] = {
        {"localhost", OTA_OK, "connected:ok"}, {"127.0.0.1", OTA_OK, "connected:ok"},
        {"[::1]", OTA_OK, "connected:ok"},     {"example.org", OTA_OK, "connected:connect"},
        {"a b", OTA_E_ARGUMENT, ""},           {"", OTA_E_ARGUMENT, ""},
        {"me@h", OTA_E_ARGUMENT, ""},
    };
    struct client client;
    struct virtual_names names = {0};
    (void)state;
    struct virtual_broker *broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    open_client(&client, &(struct virtual_mqtt_config){.port = 9, .names = &names});
    struct mqtt_connect options = {.client_id = "x", .port = virtual_broker_port(broker)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        options.host = rows[i].host;
        assert_int_equal(client.port->connect(client.port->context, &options), rows[i].returned);
        run_for(5);
        expect(&client, rows[i].told);
        (void)disconnect(&client);
        run_for(5);
        client.log[client.length = 0] = '\0';
    }
    names.fail_next = 1;
    options.host = "localhost";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(client.port->connect(client.port->context, &options), OTA_OK);
        run_for(5);
        expect(&client, i == 0 ? "connected:connect" : "connected:ok");
        if (i == 0)
            assert_string_equal(virtual_mqtt_reason(client.mqtt), "Name or service not known");
    }
    assert_int_equal(names.failed, 1);
    assert_int_equal(disconnect(&client), OTA_OK);
    options.port = 0;
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_E_ARGUMENT);
    options.port = 1;
    options.client_id = "\xff";
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_E_ARGUMENT);
    virtual_mqtt_free(client.mqtt);
    virtual_broker_free(broker);
}

/* A connection to a raw server, with a message, a subscription and a message unanswered. */
static void open_busy(struct client *client, struct raw *server, bool clean)
{
    raw_listen(server);
    open_client_at(client, server->port);
    const struct mqtt_connect options = {
        .client_id = "x", .keep_alive_s = 60, .clean_session = clean};
    assert_int_equal(client->port->connect(client->port->context, &options), OTA_OK);
    run_for(5);
    raw_send(server, CONNACK);
    expect(client, "connected:ok");
    assert_int_equal(publish(client, "t", "x", 1), OTA_OK);
    assert_int_equal(subscribe(client, "t", 1), OTA_OK);
    assert_int_equal(publish(client, "t", "y", 1), OTA_OK);
    server->size = 0;
    run_for(5);
    raw_expect(server, "32 06 0001 74 0001 78 82 06 0002 0001 74 01 32 06 0001 74 0003 79");
}

/* As it was measured with Paho: what is unanswered fails, in order, and then the connection. */
static void lost_with_unanswered(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        open_busy(&client, &server, true);
        if (reset) {
            table->close(server.stream, true);
            server.stream = NULL;
        } else {
            table->end(server.stream);
        }
        run_for(5);
        expect(&client, "published:disconnected subscribed:rejected published:disconnected "
                        "closed:disconnected");
        assert_string_equal(virtual_mqtt_reason(client.mqtt), "connection lost");
        if (!reset)
            raw_expect(&server, "e0 00");
        assert_int_equal(publish(&client, "t", "x", 1), OTA_E_DISCONNECTED);
        run_for(20000);
        expect(&client, "");
        virtual_mqtt_free(client.mqtt);
        raw_close(&server);
    }
    open_busy(&client, &server, false); /* the session goes on: nothing has failed yet */
    table->end(server.stream);
    run_for(5);
    expect(&client, "closed:disconnected");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

/* A goodbye waits for messages in flight, three seconds at most. */
static void goodbye_with_unanswered(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    open_busy(&client, &server, true);
    assert_int_equal(disconnect(&client), OTA_OK);
    run_for(2999);
    raw_expect(&server, "");
    expect(&client, "");
    assert_int_equal(publish(&client, "t", "x", 1), OTA_E_DISCONNECTED);
    run_for(5);
    raw_expect(&server, "e0 00");
    expect(&client, "published:disconnected subscribed:rejected published:disconnected closed:ok");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
    open_busy(&client, &server, true);
    assert_int_equal(disconnect(&client), OTA_OK);
    raw_send(&server, "40 02 0001 40 02 0003 30 04 0001 74 6d");
    raw_expect(&server, "e0 00");
    expect(&client, "published:ok published:ok t=m subscribed:rejected closed:ok");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
    open_busy(&client, &server, true); /* lost meanwhile: it was asked for all the same */
    assert_int_equal(disconnect(&client), OTA_OK);
    table->end(server.stream);
    run_for(5);
    expect(&client, "published:disconnected subscribed:rejected published:disconnected closed:ok");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

static void nothing_after_goodbye(void **state)
{
    struct client client;
    (void)state;
    struct virtual_broker *broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    open_client_at(&client, virtual_broker_port(broker));
    assert_int_equal(start(&client, "early"), OTA_OK); /* given up while connecting */
    assert_int_equal(disconnect(&client), OTA_OK);
    expect(&client, "");
    run_for(50);
    expect(&client, "closed:ok");
    connect_client(&client, "late");
    assert_int_equal(publish(&client, "t", "x", 1), OTA_OK);
    assert_int_equal(publish(&client, "t", "x", 0), OTA_OK);
    assert_int_equal(disconnect(&client), OTA_OK);
    connect_client(&client, "later"); /* of the old connection nothing is heard */
    assert_int_equal(disconnect(&client), OTA_OK);
    run_for(50);
    expect(&client, "closed:ok");
    virtual_mqtt_free(client.mqtt);
    virtual_broker_free(broker);
}

static void freed_while_told(void **state)
{
    struct client client;
    (void)state;
    struct virtual_broker *broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    open_client_at(&client, virtual_broker_port(broker));
    connect_client(&client, "x");
    assert_int_equal(subscribe(&client, "#", 0), OTA_OK);
    run_for(5);
    client.free_at_once = true;
    assert_int_equal(publish(&client, "t", "x", 1), OTA_OK);
    run_for(5);
    expect(&client, "subscribed:ok t=x");
    assert_null(client.mqtt);
    virtual_broker_free(broker);
}

static void refused_subscription(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    open_busy(&client, &server, true);
    raw_send(&server, "90 03 0009 00 90 03 0002 80 90 03 0002 00");
    expect(&client, "subscribed:rejected");
    raw_send(&server, "32 06 0001 74 0007 6d"); /* acknowledged before it is told */
    expect(&client, "t=m");
    raw_expect(&server, "40 02 0007");
    raw_send(&server, "34 06 0001 74 0007 6d"); /* QoS 2, which nobody was granted */
    expect(&client, "published:disconnected published:disconnected closed:disconnected");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

static void will_goes_along(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    raw_listen(&server);
    open_client_at(&client, server.port);
    const struct mqtt_connect options = {.client_id = "x",
                                         .keep_alive_s = 258,
                                         .clean_session = false,
                                         .will_topic = "w",
                                         .will_payload = "gone"};
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_OK);
    run_for(5);
    raw_expect(&server, "10 16 0004 4d515454 04 0c 0102 0001 78 0001 77 0004 676f6e65");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

static void keep_alive(void **state)
{
    struct client client;
    struct raw server;
    (void)state;
    raw_listen(&server);
    open_client_at(&client, server.port);
    const struct mqtt_connect options = {
        .client_id = "x", .keep_alive_s = 4, .clean_session = true};
    assert_int_equal(client.port->connect(client.port->context, &options), OTA_OK);
    run_for(5);
    raw_send(&server, CONNACK);
    run_for(10);
    server.size = 0;
    for (int i = 0; i < 5; i++) { /* as long as it is answered */
        run_for(3960);
        raw_expect(&server, "");
        run_for(30);
        raw_expect(&server, "c0 00");
        raw_send(&server, "d0 00");
        run_for(5);
    }
    run_for(4000);
    raw_expect(&server, "c0 00");
    run_for(5980); /* one and a half times as long, and the answer is lost */
    expect(&client, "connected:ok");
    run_for(30);
    expect(&client, "closed:disconnected");
    raw_expect(&server, "e0 00");
    virtual_mqtt_free(client.mqtt);
    raw_close(&server);
}

static void by_tls(void **state)
{
    static const struct {
        enum virtual_server_cert server;
        bool wants_client;
        enum virtual_client_cert client;
        const char *host;
        int code;
    } rows[] = {
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_OK},
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_GOOD, "localhost", OTA_OK},
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_GOOD, "127.0.0.1", OTA_OK},
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_DEVICE},
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_STRANGER, "127.0.0.1", OTA_E_TLS_DEVICE},
        {VIRTUAL_CERT_UNKNOWN_CA, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_CA},
        {VIRTUAL_CERT_EXPIRED, false, VIRTUAL_CLIENT_GOOD, "127.0.0.1", OTA_E_TLS_EXPIRED},
        {VIRTUAL_CERT_WRONG_NAME, true, VIRTUAL_CLIENT_GOOD, "localhost", OTA_E_TLS_NAME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client client;
        char told[64];
        const struct virtual_tls_server tls = {rows[i].server, rows[i].wants_client};
        struct virtual_broker *broker =
            virtual_broker_new(table, &(struct virtual_broker_config){.tls = &tls});
        open_client(&client, &(struct virtual_mqtt_config){.host = rows[i].host,
                                                           .port = virtual_broker_tls_port(broker),
                                                           .use_tls = true,
                                                           .tls = {rows[i].client}});
        assert_int_equal(start(&client, "tls"), OTA_OK);
        run_for(20);
        snprintf(told, sizeof told, "connected:%s", ota_err_word(rows[i].code));
        expect(&client, told);
        if (rows[i].code == OTA_OK) {
            assert_int_equal(subscribe(&client, "t", 1), OTA_OK);
            assert_int_equal(publish(&client, "t", "x", 1), OTA_OK);
            run_for(10);
            expect(&client, "subscribed:ok t=x published:ok");
        } else {
            assert_string_equal(virtual_mqtt_reason(client.mqtt), ota_err_text(rows[i].code));
        }
        virtual_mqtt_free(client.mqtt);
        virtual_broker_free(broker);
    }
}

/* The one side talks TLS, the other does not. */
static void no_tls_there(void **state)
{
    struct client client;
    const struct virtual_tls_server tls = {VIRTUAL_CERT_GOOD, false};
    (void)state;
    struct virtual_broker *broker =
        virtual_broker_new(table, &(struct virtual_broker_config){.tls = &tls});
    open_client(&client, &(struct virtual_mqtt_config){.port = virtual_broker_port(broker),
                                                       .use_tls = true});
    assert_int_equal(start(&client, "x"), OTA_OK);
    run_for(20);
    expect(&client, "connected:connect");
    virtual_mqtt_free(client.mqtt);
    open_client_at(&client, virtual_broker_tls_port(broker));
    assert_int_equal(start(&client, "x"), OTA_OK);
    run_for(20);
    expect(&client, "connected:connect");
    virtual_mqtt_free(client.mqtt);
    virtual_broker_free(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_open, rig_close)
        TEST(message_goes_round),
        TEST(many_at_once),
        TEST(in_flight),
        TEST(no_connection),
        TEST(hosts),
        TEST(lost_with_unanswered),
        TEST(goodbye_with_unanswered),
        TEST(nothing_after_goodbye),
        TEST(freed_while_told),
        TEST(refused_subscription),
        TEST(will_goes_along),
        TEST(keep_alive),
        TEST(by_tls),
        TEST(no_tls_there),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

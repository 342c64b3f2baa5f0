/* The virtual broker, as clients of the seam and as literal bytes see it. What it answers is also
 * compared with mosquitto: broker_conformance_test.c. */
#include "sim/virtual/mqtt_rig.h"

#define CONNECT(id)       "10 0d 0004 4d515454 04 02 003c 0001 " id
#define CONNECT_AGAIN(id) "10 0d 0004 4d515454 04 00 003c 0001 " id /* not clean */
#define CONNACK           "20 02 00 00"

static struct virtual_broker *broker;
static uint16_t broker_port;

static int set_up(void **state)
{
    rig_open(state);
    broker = virtual_broker_new(table, &(struct virtual_broker_config){0});
    assert_non_null(broker);
    broker_port = virtual_broker_port(broker);
    return 0;
}

static int tear_down(void **state)
{
    virtual_broker_free(broker);
    return rig_close(state);
}

/* A raw client that is let in. */
static void enter(struct raw *raw, const char *connect)
{
    raw_connect(raw, broker_port);
    raw_send(raw, connect);
    raw_expect(raw, CONNACK);
}

static void between_clients(void **state)
{
    struct client cloud;
    struct client device;
    (void)state;
    open_client_at(&cloud, broker_port);
    open_client_at(&device, broker_port);
    connect_client(&cloud, "cloud");
    connect_client(&device, "device");
    assert_int_equal(subscribe(&device, "ota/#", 2), OTA_OK); /* granted as 1 */
    run_for(10);
    expect(&device, "subscribed:ok");
    assert_int_equal(publish(&cloud, "ota/job", "1", 1), OTA_OK);
    assert_int_equal(publish(&cloud, "ota", "2", 0), OTA_OK);
    assert_int_equal(publish(&cloud, "other", "3", 1), OTA_OK);
    run_for(10);
    expect(&device, "ota/job=1 ota=2");
    expect(&cloud, "published:ok published:ok published:ok");
    virtual_mqtt_free(device.mqtt);
    virtual_mqtt_free(cloud.mqtt);
}

static void taken_over(void **state)
{
    struct client first;
    struct client second;
    (void)state;
    open_client_at(&first, broker_port);
    open_client_at(&second, broker_port);
    connect_client(&first, "same");
    connect_client(&second, "same");
    expect(&first, "closed:disconnected");
    assert_int_equal(subscribe(&second, "t", 1), OTA_OK);
    run_for(10);
    expect(&second, "subscribed:ok");
    virtual_mqtt_free(first.mqtt);
    virtual_mqtt_free(second.mqtt);
}

static void wills(void **state)
{
    struct client watcher;
    struct client device;
    const struct mqtt_connect options = {.client_id = "d",
                                         .keep_alive_s = 10,
                                         .clean_session = true,
                                         .will_topic = "w",
                                         .will_payload = "gone"};
    (void)state;
    open_client_at(&watcher, broker_port);
    connect_client(&watcher, "watcher");
    assert_int_equal(subscribe(&watcher, "w", 1), OTA_OK);
    for (int power_cut = 0; power_cut < 2; power_cut++) {
        open_client_at(&device, broker_port);
        assert_int_equal(device.port->connect(device.port->context, &options), OTA_OK);
        run_for(10);
        expect(&device, "connected:ok");
        if (!power_cut)
            assert_int_equal(disconnect(&device), OTA_OK);
        run_for(10);
        virtual_mqtt_free(device.mqtt);
        run_for(10);
        expect(&watcher, power_cut ? "w=gone" : "subscribed:ok");
    }
    virtual_mqtt_free(watcher.mqtt);
}

/* One and a half times the keep-alive, counted from what came last. */
static void keep_alive(void **state)
{
    struct raw silent;
    struct raw raw;
    struct raw forever;
    (void)state;
    enter(&forever, "10 0d 0004 4d515454 04 02 0000 0001 66");
    raw_connect(&silent, broker_port); /* never says a word: 60 seconds are its keep-alive */
    enter(&raw, "10 0d 0004 4d515454 04 02 000a 0001 6b");
    run_for(10000);
    raw_send(&raw, "c0 00");
    raw_expect(&raw, "d0 00");
    run_for(14980);
    assert_int_equal(raw.ended, 1);
    run_for(20);
    assert_int_equal(raw.ended, OTA_OK);
    run_for(64900);
    assert_int_equal(silent.ended, 1);
    run_for(100);
    assert_int_equal(silent.ended, OTA_OK);
    run_for(100000000);
    assert_int_equal(forever.ended, 1);
    raw_close(&raw);
    raw_close(&silent);
    raw_close(&forever);
}

static void session_stays(void **state)
{
    struct raw device;
    struct client cloud;
    (void)state;
    enter(&device, CONNECT_AGAIN("64"));
    raw_send(&device, "82 06 0001 0001 74 01");
    raw_expect(&device, "90 03 0001 01");
    open_client_at(&cloud, broker_port);
    connect_client(&cloud, "cloud");
    assert_int_equal(publish(&cloud, "t", "1", 1), OTA_OK);
    run_for(10);
    raw_expect(&device, "32 06 0001 74 0001 31");
    raw_close(&device);
    assert_int_equal(publish(&cloud, "t", "2", 1), OTA_OK);
    assert_int_equal(publish(&cloud, "t", "3", 0), OTA_OK); /* not kept */
    run_for(10);
    raw_connect(&device, broker_port);
    raw_send(&device, CONNECT_AGAIN("64"));
    raw_expect(&device, "20 02 01 00 3a 06 0001 74 0001 31 32 06 0001 74 0002 32");
    raw_send(&device, "40 02 0001 40 02 0002 e0 00");
    assert_int_equal(device.ended, OTA_OK);
    raw_close(&device);
    enter(&device, CONNECT("64")); /* clean: all is forgotten */
    assert_int_equal(publish(&cloud, "t", "4", 1), OTA_OK);
    run_for(10);
    raw_expect(&device, "");
    raw_close(&device);
    virtual_mqtt_free(cloud.mqtt);
}

/* A place in flight for each that is acknowledged, in whatever order. */
static void in_flight(void **state)
{
    struct raw device;
    struct raw cloud;
    char hex[64];
    (void)state;
    enter(&device, CONNECT_AGAIN("64"));
    raw_send(&device, "82 06 0001 0001 74 01");
    enter(&cloud, CONNECT("63"));
    for (unsigned i = 0; i < 30; i++) {
        snprintf(hex, sizeof hex, "32 05 0001 74 %04x", i + 1);
        raw_send(&cloud, hex);
    }
    assert_int_equal(device.size, 5 + 20 * 7);
    device.size = 0;
    raw_send(&device, "40 02 0003");
    raw_expect(&device, "32 05 0001 74 0015");
    raw_send(&device, "40 02 0001 40 02 0001 40 02 0015");
    raw_expect(&device, "32 05 0001 74 0016 32 05 0001 74 0017");
    raw_close(&device);
    raw_connect(&device, broker_port);
    raw_send(&device, CONNECT_AGAIN("64"));
    assert_int_equal(device.size, 4 + 20 * 7);
    assert_memory_equal(device.got + 4, "\x3a\x05\x00\x01t\x00\x02\x3a\x05\x00\x01t\x00\x04", 14);
    raw_close(&device);
    raw_close(&cloud);
}

/* Of all subscriptions that match, the best one counts, and the message comes once. */
static void best_subscription(void **state)
{
    struct raw raw;
    (void)state;
    enter(&raw, CONNECT("64"));
    raw_send(&raw, "82 0e 0001 0001 2b 00 0001 74 01 0001 23 00");
    raw_expect(&raw, "90 05 0001 00 01 00");
    raw_send(&raw, "32 05 0001 74 0007");
    raw_expect(&raw, "32 05 0001 74 0001 40 02 0007");
    raw_close(&raw);
}

/* 20 in flight and 1000 more; what comes then is dropped, whoever sends it. */
static void bounded(void **state)
{
    struct raw device;
    struct raw cloud;
    (void)state;
    enter(&device, CONNECT("64"));
    raw_send(&device, "82 06 0001 0001 74 02"); /* granted as 1 */
    raw_expect(&device, "90 03 0001 01");
    enter(&cloud, CONNECT("63"));
    for (unsigned i = 0; i < 1100; i++) {
        char hex[64];
        snprintf(hex, sizeof hex, "32 07 0001 74 0001 %04x", i);
        raw_send(&cloud, hex);
    }
    assert_int_equal(cloud.size, 1100 * 4);
    assert_int_equal(device.size, 20 * 9);
    unsigned heard = 0;
    for (size_t sent = device.size; sent > 0; sent = device.size) {
        char hex[64];
        for (size_t at = 0; at < sent; at += 9) /* in order */
            assert_int_equal((device.got[at + 7] << 8) | device.got[at + 8], heard++);
        unsigned id = (unsigned)((device.got[sent - 4] << 8) | device.got[sent - 3]);
        device.size = 0;
        for (unsigned first = heard < 20 ? 1 : id - (unsigned)(sent / 9) + 1; first <= id;
             first++) {
            snprintf(hex, sizeof hex, "40 02 %04x", first);
            raw_send(&device, hex);
        }
    }
    assert_int_equal(heard, 1020);
    raw_close(&device);
    raw_close(&cloud);
}

static void retained(void **state)
{
    struct client client;
    (void)state;
    struct raw cloud;
    enter(&cloud, CONNECT("63"));
    raw_send(&cloud, "31 06 0002 6162 6f6b 31 06 0002 6163 6869");
    raw_close(&cloud);
    open_client_at(&client, broker_port);
    connect_client(&client, "late");
    assert_int_equal(subscribe(&client, "ab", 1), OTA_OK);
    run_for(10);
    expect(&client, "subscribed:ok ab=ok");
    virtual_mqtt_free(client.mqtt);
}

/* What one sends wrongly, the other does not feel. */
static void malformed(void **state)
{
    static const char *const bad[] = {"00 00",       "30 04 0001 2b 78", "20 02 0000",
                                      "47 45 54 20", CONNECT("65"),      "82 07 0001 0002 6123 01"};
    struct client other;
    struct raw raw;
    (void)state;
    open_client_at(&other, broker_port);
    connect_client(&other, "other");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enter(&raw, CONNECT("65"));
        raw_send(&raw, bad[i]);
        raw_expect(&raw, "");
        assert_int_equal(raw.ended, OTA_OK);
        raw_close(&raw);
    }
    assert_int_equal(subscribe(&other, "t", 1), OTA_OK);
    run_for(10);
    expect(&other, "subscribed:ok");
    virtual_mqtt_free(other.mqtt);
}

static void largest_packet(void **state)
{
    struct raw raw;
    (void)state;
    virtual_broker_free(broker);
    broker = virtual_broker_new(table, &(struct virtual_broker_config){.max_packet = 20});
    broker_port = virtual_broker_port(broker);
    enter(&raw, CONNECT("65"));
    raw_send(&raw, "32 12 0001 74 0001 61616161616161616161616161");
    raw_expect(&raw, "40 02 0001");
    assert_int_equal(raw.ended, 1);
    raw_send(&raw, "32 13"); /* seen before it is there */
    assert_int_equal(raw.ended, OTA_OK);
    raw_close(&raw);
}

static void ports(void **state)
{
    const struct virtual_tls_server tls = {VIRTUAL_CERT_GOOD, false};
    (void)state;
    assert_null(virtual_broker_new(table, &(struct virtual_broker_config){.port = broker_port}));
    assert_int_equal(virtual_broker_tls_port(broker), 0);
    struct virtual_broker *second = virtual_broker_new(
        table, &(struct virtual_broker_config){.port = 1883, .tls = &tls, .tls_port = 8883});
    assert_int_equal(virtual_broker_port(second), 1883);
    assert_int_equal(virtual_broker_tls_port(second), 8883);
    virtual_broker_free(second);
}

/* Those who are connected see a reset; the broker's memory goes with it. */
static void broker_dies(void **state)
{
    struct client client;
    struct raw raw;
    (void)state;
    open_client_at(&client, broker_port);
    connect_client(&client, "c");
    enter(&raw, "10 15 0004 4d515454 04 06 003c 0001 65 0001 77 0003 627965");
    virtual_broker_free(broker);
    broker = NULL;
    run_for(10);
    expect(&client, "closed:disconnected");
    assert_int_equal(raw.ended, OTA_E_DISCONNECTED);
    assert_int_equal(start(&client, "c"), OTA_OK);
    run_for(10);
    expect(&client, "connected:connect");
    virtual_mqtt_free(client.mqtt);
    raw_close(&raw);
}

/* Twice the same, to the event. */
static void repeats_itself(void **state)
{
    uint64_t events[2];
    char logs[2][sizeof((struct client *)NULL)->log];
    for (int i = 0; i < 2; i++) {
        struct client clients[3];
        for (size_t c = 0; c < 3; c++) {
            char id[2] = {(char)('a' + c), '\0'};
            open_client_at(&clients[c], broker_port);
            assert_int_equal(start(&clients[c], id), OTA_OK);
        }
        run_for(10);
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(subscribe(&clients[c], "#", 1), OTA_OK);
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(publish(&clients[c], "t", c == 0 ? "a" : "b", 1), OTA_OK);
        run_for(10);
        memcpy(logs[i], clients[0].log, sizeof logs[i]);
        for (size_t c = 0; c < 3; c++)
            virtual_mqtt_free(clients[c].mqtt);
        run_for(200000);
        events[i] = virtual_world_events(world);
        tear_down(state);
        set_up(state);
    }
    assert_int_equal(events[0], events[1]);
    assert_string_equal(logs[0], logs[1]);
    assert_string_equal(logs[0], "connected:ok subscribed:ok t=a published:ok t=b t=b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(between_clients),   TEST(taken_over),     TEST(wills),
        TEST(keep_alive),        TEST(session_stays),  TEST(in_flight),
        TEST(best_subscription), TEST(bounded),        TEST(retained),
        TEST(malformed),         TEST(largest_packet), TEST(ports),
        TEST(broker_dies),       TEST(repeats_itself),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "harness/faults/proxy_rig.h"

/* ---- MQTT -------------------------------------------------------------------------------- */

static const uint8_t connect_packet[] = {0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4,  2,
                                         0,    60, 0, 5, 'd', 'e', 'v', '-', '1'};
static const uint8_t connack[] = {0x20, 2, 0, 0};
static const uint8_t puback[] = {0x40, 2, 0, 7};
static const uint8_t pingresp[] = {0xD0, 0};
/* QoS 1, topic "t", id 9, payload: magic, four more bytes of header, six of data */
static const uint8_t publish[] = {0x32, 19, 0, 1, 't', 0,   9,   'D', 'A', 'T', 'A',
                                  1,    2,  3, 4, 'a', 'b', 'c', 'd', 'e', 'f'};

static void mqtt_session(void)
{
    meet();
    say(&client, connect_packet, sizeof connect_packet);
    until(server.size == sizeof connect_packet);
}

static void mqtt_packets_are_dropped_and_doubled(void **state)
{
    static const struct {
        enum nb_fault_kind kind;
        const uint8_t *packet;
        size_t size;
        size_t copies[3]; /* of the first, second, third */
    } cases[] = {
        {NB_MQTT_DROP_PUBACK, puback, sizeof puback, {1, 0, 1}},
        {NB_MQTT_DOUBLE_PUBACK, puback, sizeof puback, {1, 2, 1}},
        {NB_MQTT_DROP_PUBLISH, publish, sizeof publish, {1, 0, 1}},
        {NB_MQTT_DOUBLE_PUBLISH, publish, sizeof publish, {1, 2, 1}},
        {NB_MQTT_NO_CONNACK, connack, sizeof connack, {1, 0, 1}},
        {NB_MQTT_NO_PINGRESP, pingresp, sizeof pingresp, {1, 0, 1}},
        {NB_MQTT_DOUBLE_PINGRESP, pingresp, sizeof pingresp, {1, 2, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_MQTT);
        arm(cases[i].kind, NB_PLACE_ANY, 0, 2);
        mqtt_session();
        size_t expected = 0;
        for (int n = 0; n < 3; n++) {
            say(&server, cases[i].packet, cases[i].size);
            say(&server, "\xB0\x02\x00\x01", 4); /* something else, to know when it is through */
            expected += cases[i].copies[n] * cases[i].size + 4;
            until(client.size == expected);
        }
        assert_fired("packet 2");
        end();
    }
}

/* They come out as one, three, two, four; what is no PUBLISH stays where it was. */
static void mqtt_publishes_change_places(void **state)
{
    uint8_t numbered[sizeof publish];
    struct nb_proxy_traffic traffic;
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_MQTT_SWAP_PUBLISH, NB_PLACE_ANY, 0, 2);
    mqtt_session();
    memcpy(numbered, publish, sizeof publish);
    for (uint8_t n = 1; n <= 4; n++) {
        numbered[sizeof publish - 1] = n;
        say(&server, numbered, sizeof numbered);
        say(&server, puback, sizeof puback);
        if (n == 2) {
            settle(); /* not before the next one is there */
            assert_int_equal(client.size, sizeof publish + 2 * sizeof puback);
            assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
        }
    }
    until(client.size == 4 * (sizeof publish + sizeof puback));
    static const size_t ends[] = {21, 21 + 8 + 21, 21 + 8 + 42, 21 + 8 + 42 + 4 + 21};
    static const uint8_t order[] = {1, 3, 2, 4};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(client.data[ends[i] - 1], order[i]);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.data, 24);
    assert_fired("fault swap-publish packet 2");
    end();
}

static void mqtt_swap_forgets_what_waits_with_its_connection(void **state)
{
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_MQTT_SWAP_PUBLISH, NB_PLACE_ANY, 0, 1);
    mqtt_session();
    say(&server, publish, sizeof publish);
    settle();
    mqtt_session(); /* another connection: what waited on the first is lost */
    say(&server, publish, sizeof publish);
    say(&server, publish, sizeof publish);
    until(client.size == 2 * sizeof publish);
    assert_fired("fault swap-publish packet 2");
    end();
}

static void mqtt_counts_data_only(void **state)
{
    struct nb_proxy_traffic traffic;
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_NET_CORRUPT, NB_PLACE_BODY, 8, 0);
    mqtt_session();
    say(&server, connack, sizeof connack);
    say(&server, publish, sizeof publish);
    say(&server, publish, 5); /* in two pieces */
    settle();
    say(&server, publish + 5, sizeof publish - 5);
    until(client.size == 4 + 2 * sizeof publish);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.data, 12);
    assert_memory_equal(client.data + 4, publish, sizeof publish);
    assert_int_equal(client.data[4 + 2 * sizeof publish - 4], 'c' ^ 1);
    assert_fired("byte 8");
    end();
}

static void mqtt_take_over_comes_with_the_same_name(void **state)
{
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_MQTT_TAKE_OVER, NB_PLACE_BODY, 3, 0);
    mqtt_session();
    server.size = 0;
    say(&server, publish, sizeof publish);
    until(accepted == 2);
    until(server.size == sizeof connect_packet);
    assert_memory_equal(server.data, connect_packet, sizeof connect_packet);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1); /* not before the broker took it */
    say(&server, connack, sizeof connack);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    assert_fired("fault take-over");
    end();
}

static void nonsense_on_mqtt_goes_through(void **state)
{
    static const uint8_t nonsense[] = {0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2};
    (void)state;
    begin(NB_TALK_MQTT);
    meet();
    say(&server, nonsense, sizeof nonsense);
    until(client.size == sizeof nonsense);
    say(&server, puback, sizeof puback);
    until(client.size == sizeof nonsense + sizeof puback);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mqtt_packets_are_dropped_and_doubled),
        cmocka_unit_test(mqtt_publishes_change_places),
        cmocka_unit_test(mqtt_swap_forgets_what_waits_with_its_connection),
        cmocka_unit_test(mqtt_counts_data_only),
        cmocka_unit_test(mqtt_take_over_comes_with_the_same_name),
        cmocka_unit_test(nonsense_on_mqtt_goes_through),
    };
    return run_in_both_worlds(tests);
}

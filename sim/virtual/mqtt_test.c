/* The MQTT seam of the virtual world, against the virtual broker and against literal bytes. */
#include "sim/virtual/mqtt_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(message_goes_round, rig_open, rig_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

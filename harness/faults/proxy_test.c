#include "harness/faults/proxy_rig.h"

/* ---- bytes ------------------------------------------------------------------------------- */

static void passes_everything_both_ways(void **state)
{
    static uint8_t much[300000];
    struct nb_proxy_traffic traffic;
    (void)state;
    begin(NB_TALK_BYTES);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 7);
    meet();
    say_text(&client, "hello");
    until(server.size == 5);
    for (size_t sent = 0; sent < sizeof much; sent += 50000) {
        say(&server, much + sent, 50000);
        until(client.size == sent + 50000);
    }
    assert_memory_equal(client.data, much, sizeof much);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.to_device, sizeof much);
    assert_int_equal(traffic.connections, 1);
    world->end(client.stream);
    until(server.ended);
    say_text(&server, "bye");
    hang_up(&server);
    until(client.ended);
    assert_int_equal(client.size, sizeof much + 3);
    assert_string_equal(lines, "");
    end();
}

static void reset_strikes_at_its_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RESET, NB_PLACE_BODY, 4, 0);
    meet();
    say_text(&server, "123");
    until(client.size == 3);
    say_text(&server, "456789");
    until(client.reset);
    assert_int_equal(client.size, 4);
    assert_fired("fault reset server connection 1, 4 bytes");
    meet();
    say_text(&server, "again");
    until(client.size == 5); /* only once */
    end();
}

static void half_close_lets_the_device_speak(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_HALF_CLOSE, NB_PLACE_BODY, 2, 0);
    meet();
    say_text(&server, "1234");
    until(client.ended);
    assert_int_equal(client.size, 2);
    say_text(&client, "still here");
    until(server.size == 10);
    assert_fired("fault half-close");
    end();
}

static void truncate_ends_both_ways(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_TRUNCATE, NB_PLACE_BODY, 3, 0);
    meet();
    say_text(&server, "1234");
    until(client.ended);
    assert_int_equal(client.size, 3);
    say_text(&client, "lost");
    settle();
    assert_int_equal(server.size, 0);
    assert_fired("fault truncate");
    end();
}

static void stall_keeps_the_connection_and_says_nothing(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_STALL, NB_PLACE_CONNECT, 2, 0);
    meet();
    say_text(&server, "one");
    until(client.size == 3);
    meet();
    say_text(&server, "two");
    say_text(&client, "two");
    settle();
    assert_int_equal(client.size, 0);
    assert_int_equal(server.size, 0);
    assert_false(client.ended || client.reset);
    assert_fired("fault stall server connection 2");
    meet(); /* the third is served */
    say_text(&server, "three");
    until(client.size == 5);
    end();
}

static void refuse_closes_the_listener(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    struct nb_fault fault = {.place = NB_PLACE_CONNECT, .at = 2, .times = 2};
    nb_fault_complete(&fault, NB_NET_REFUSE);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    meet();
    until(dial() == OTA_E_CONNECT);
    nb_proxy_device_gave_up(proxy);
    assert_non_null(strstr(lines, "fault refuse server connection 2"));
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1); /* once is not twice */
    assert_int_equal(dial(), OTA_E_CONNECT);
    nb_proxy_device_gave_up(proxy);
    assert_fired("fault refuse server connection 2");
    meet(); /* refused twice, then served */
    end();
}

static void refuse_begins_with_a_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_REFUSE, NB_PLACE_BODY, 3, 0);
    meet();
    say_text(&server, "12");
    until(client.size == 2);
    meet();
    say_text(&server, "3");
    until(client.size == 1);
    assert_int_equal(dial(), OTA_E_CONNECT);
    nb_proxy_device_gave_up(proxy);
    assert_fired("fault refuse server connection 3");
    meet();
    end();
}

static void refuse_lasts_for_a_whole_step(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_REFUSE, NB_PLACE_ANY, 0, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(), OTA_E_CONNECT);
        nb_proxy_device_gave_up(proxy);
    }
    nb_proxy_step(proxy);
    meet();
    end();
}

static void corrupt_flips_one_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_CORRUPT, NB_PLACE_BODY, 5, 0);
    meet();
    say_text(&server, "0123456789");
    until(client.size == 10);
    assert_memory_equal(client.data, "0123446789", 10);
    assert_fired("fault corrupt server byte 5");
    end();
}

static void latency_delays(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_LATENCY, NB_PLACE_ANY, 0, 60);
    meet();
    uint64_t from = now();
    say_text(&server, "late");
    until(client.size == 4);
    assert_true(now() - from >= 60);
    assert_fired("fault latency 60 ms");
    end();
}

static void rate_limits(void **state)
{
    static uint8_t much[5000];
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RATE, NB_PLACE_ANY, 0, 20000);
    meet();
    uint64_t from = now();
    say(&server, much, sizeof much);
    until(client.size == sizeof much);
    assert_true(now() - from >= 150); /* 250 ms less what one burst may hold */
    assert_fired("fault rate 20000 B/s");
    end();
}

static void slice_changes_nothing_but_the_pieces(void **state)
{
    static uint8_t much[20000];
    (void)state;
    begin(NB_TALK_BYTES);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 13);
    arm(NB_NET_SLICE, NB_PLACE_ANY, 0, 1);
    meet();
    say(&server, much, sizeof much);
    until(client.size > 0);
    assert_in_range(client.size, 1, sizeof much - 1);
    until(client.size == sizeof much);
    assert_memory_equal(client.data, much, sizeof much);
    assert_fired("fault slice 1 bytes");
    end();
}

/* Runs until nothing is left to happen: there must be such a moment. */
static uint64_t run_dry(void)
{
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
    return now();
}

static void a_virtual_proxy_rests_when_nothing_waits(void **state)
{
    static const enum nb_fault_kind kinds[] = {NB_NET_LATENCY, NB_NET_RATE, NB_NET_SLICE,
                                               NB_NET_STALL};
    static uint8_t much[5000];
    (void)state;
    for (size_t i = 0; in_virtual && i < sizeof kinds / sizeof kinds[0]; i++) {
        begin(NB_TALK_BYTES);
        arm(kinds[i], NB_PLACE_ANY, 0, 1000);
        meet();
        uint64_t from = run_dry();
        say(&server, much, sizeof much);
        uint64_t spent = run_dry() - from;
        assert_int_equal(client.size, kinds[i] == NB_NET_STALL ? 0 : sizeof much);
        if (kinds[i] == NB_NET_LATENCY)
            assert_int_equal(spent, 1002); /* and a hop on either side */
        else if (kinds[i] == NB_NET_RATE)
            assert_int_equal(spent, 5002);
        else
            assert_true(spent <= 3);
        uint64_t events = virtual_world_events(virtual);
        assert_int_equal(run_dry(), from + spent);
        assert_int_equal(virtual_world_events(virtual), events);
        end();
    }
}

static size_t push(const uint8_t *data, size_t size)
{
    size_t sent = 0;
    for (int idle = 0; sent < size && idle < 20; idle++) {
        size_t more = world->send(server.stream, data + sent, size - sent);
        sent += more;
        idle = more > 0 ? 0 : idle;
        turn();
    }
    return sent;
}

static void a_virtual_proxy_rests_until_the_server_is_there(void **state)
{
    (void)state;
    if (!in_virtual)
        return;
    begin(NB_TALK_BYTES);
    virtual_world_hop(virtual, 5);
    assert_int_equal(
        world->connect(world->context, proxy_port, &end_events, &client, &client.stream), OTA_OK);
    (void)world->run(world->context, 7); /* the proxy is on its way to the server … */
    virtual_world_hop(virtual, 500);     /* … whose answer takes long */
    (void)world->run(world->context, 4);
    assert_true(client.opened);
    virtual_world_hop(virtual, 1);
    say_text(&client, "hello");
    assert_int_equal(run_dry(), 511);
    assert_int_equal(server.size, 5);
    assert_true(virtual_world_events(virtual) <= 8);
    end();
}

/* A device that takes nothing stops the server, too, and gets everything in the end. */
static void a_slow_device_slows_the_server(void **state)
{
    static uint8_t much[ROOM];
    (void)state;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 31 >> 4);
    begin(NB_TALK_BYTES);
    meet();
    world->pause(client.stream, true);
    size_t sent = push(much, sizeof much);
    assert_int_equal(client.size, 0);
    assert_true(in_virtual ? sent == sizeof much : sent < sizeof much); /* memory has no limit */
    world->pause(client.stream, false);
    assert_int_equal(push(much + sent, sizeof much - sent), sizeof much - sent);
    until(client.size == sizeof much);
    assert_memory_equal(client.data, much, sizeof much);
    end();
}

static void a_step_forgets_what_was_armed(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RESET, NB_PLACE_BODY, 2, 0);
    nb_proxy_step(proxy);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 0);
    meet();
    say_text(&server, "12345");
    until(client.size == 5);
    end();
}

static void bytes_know_no_packets(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    const struct nb_fault mqtt = fault_of(NB_MQTT_DROP_PUBACK, NB_PLACE_ANY, 0, 0);
    const struct nb_fault http = fault_of(NB_HTTP_STATUS, NB_PLACE_ANY, 0, 404);
    assert_int_equal(nb_proxy_arm(proxy, &mqtt), OTA_E_UNSUPPORTED);
    assert_int_equal(nb_proxy_arm(proxy, &http), OTA_E_UNSUPPORTED);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_everything_both_ways),
        cmocka_unit_test(reset_strikes_at_its_byte),
        cmocka_unit_test(half_close_lets_the_device_speak),
        cmocka_unit_test(truncate_ends_both_ways),
        cmocka_unit_test(stall_keeps_the_connection_and_says_nothing),
        cmocka_unit_test(refuse_closes_the_listener),
        cmocka_unit_test(refuse_begins_with_a_byte),
        cmocka_unit_test(refuse_lasts_for_a_whole_step),
        cmocka_unit_test(corrupt_flips_one_byte),
        cmocka_unit_test(latency_delays),
        cmocka_unit_test(rate_limits),
        cmocka_unit_test(slice_changes_nothing_but_the_pieces),
        cmocka_unit_test(a_virtual_proxy_rests_when_nothing_waits),
        cmocka_unit_test(a_virtual_proxy_rests_until_the_server_is_there),
        cmocka_unit_test(a_slow_device_slows_the_server),
        cmocka_unit_test(a_step_forgets_what_was_armed),
        cmocka_unit_test(bytes_know_no_packets),
    };
    return run_in_both_worlds(tests);
}

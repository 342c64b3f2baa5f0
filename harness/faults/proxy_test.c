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
    say_text(client, "hello");
    until(to_server.size == 5);
    for (size_t sent = 0; sent < sizeof much; sent += 50000) {
        say(server, much + sent, 50000);
        until(to_client.size == sent + 50000);
    }
    assert_memory_equal(to_client.data, much, sizeof much);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.to_device, sizeof much);
    assert_int_equal(traffic.connections, 1);
    shutdown(client, SHUT_WR);
    until(to_server.ended);
    say_text(server, "bye");
    close(server);
    server = -1;
    until(to_client.ended);
    assert_int_equal(to_client.size, sizeof much + 3);
    assert_string_equal(lines, "");
    end();
}

static void reset_strikes_at_its_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RESET, NB_PLACE_BODY, 4, 0);
    meet();
    say_text(server, "123");
    until(to_client.size == 3);
    say_text(server, "456789");
    until(to_client.reset);
    assert_int_equal(to_client.size, 4);
    assert_fired("fault reset server connection 1, 4 bytes");
    meet();
    say_text(server, "again");
    until(to_client.size == 5); /* only once */
    end();
}

static void half_close_lets_the_device_speak(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_HALF_CLOSE, NB_PLACE_BODY, 2, 0);
    meet();
    say_text(server, "1234");
    until(to_client.ended);
    assert_int_equal(to_client.size, 2);
    say_text(client, "still here");
    until(to_server.size == 10);
    assert_fired("fault half-close");
    end();
}

static void truncate_ends_both_ways(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_TRUNCATE, NB_PLACE_BODY, 3, 0);
    meet();
    say_text(server, "1234");
    until(to_client.ended);
    assert_int_equal(to_client.size, 3);
    say_text(client, "lost");
    settle();
    assert_int_equal(to_server.size, 0);
    assert_fired("fault truncate");
    end();
}

static void stall_keeps_the_connection_and_says_nothing(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_STALL, NB_PLACE_CONNECT, 2, 0);
    meet();
    say_text(server, "one");
    until(to_client.size == 3);
    meet();
    say_text(server, "two");
    say_text(client, "two");
    settle();
    assert_int_equal(to_client.size, 0);
    assert_int_equal(to_server.size, 0);
    assert_false(to_client.ended || to_client.reset);
    assert_fired("fault stall server connection 2");
    meet(); /* the third is served */
    say_text(server, "three");
    until(to_client.size == 5);
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
    until(dial() == ECONNREFUSED);
    nb_proxy_device_gave_up(proxy);
    assert_non_null(strstr(lines, "fault refuse server connection 2"));
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1); /* once is not twice */
    assert_int_equal(dial(), ECONNREFUSED);
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
    say_text(server, "12");
    until(to_client.size == 2);
    meet();
    say_text(server, "3");
    until(to_client.size == 1);
    assert_int_equal(dial(), ECONNREFUSED);
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
        assert_int_equal(dial(), ECONNREFUSED);
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
    say_text(server, "0123456789");
    until(to_client.size == 10);
    assert_memory_equal(to_client.data, "0123446789", 10);
    assert_fired("fault corrupt server byte 5");
    end();
}

static void latency_delays(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_LATENCY, NB_PLACE_ANY, 0, 60);
    meet();
    uint64_t from = posix_now_ms();
    say_text(server, "late");
    until(to_client.size == 4);
    assert_true(posix_now_ms() - from >= 60);
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
    uint64_t from = posix_now_ms();
    say(server, much, sizeof much);
    until(to_client.size == sizeof much);
    assert_true(posix_now_ms() - from >= 150); /* 250 ms less what one burst may hold */
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
    say(server, much, sizeof much);
    until(to_client.size > 0);
    assert_in_range(to_client.size, 1, sizeof much - 1);
    until(to_client.size == sizeof much);
    assert_memory_equal(to_client.data, much, sizeof much);
    assert_fired("fault slice 1 bytes");
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
    say_text(server, "12345");
    until(to_client.size == 5);
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
        cmocka_unit_test(a_step_forgets_what_was_armed),
        cmocka_unit_test(bytes_know_no_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

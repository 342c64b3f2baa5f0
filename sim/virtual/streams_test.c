#include "sim/world_rig.h"

#include "sim/virtual/world.h"

static struct virtual_world *made;
static char order[64]; /* who was called, in order */

static int make(void **state)
{
    (void)state;
    made = virtual_world_new();
    assert_non_null(made);
    rig_begin(virtual_world_table(made));
    memset(order, 0, sizeof order);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    rig_end_all();
    virtual_world_free(made);
    return 0;
}

static void run_dry(void)
{
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
}

static void a_byte_takes_a_hop(void **state)
{
    (void)state;
    virtual_world_hop(made, 7);
    rig_listen();
    rig_connect();
    assert_int_equal(world->run(world->context, 7), OTA_E_TIMEOUT);
    assert_int_equal(rig_accepted, 1);
    assert_int_equal(near_end.opened, 0);
    run_dry(); /* there and back */
    assert_int_equal(near_end.opened, 1);
    assert_int_equal(rig_now(), 14);
    assert_int_equal(world->send(near_end.stream, "x", 1), 1);
    assert_int_equal(world->run(world->context, 6), OTA_E_TIMEOUT);
    assert_int_equal(far_end.size, 0);
    assert_int_equal(world->run(world->context, 1), OTA_E_TIMEOUT);
    assert_int_equal(far_end.size, 1);
}

static void each_send_comes_out_as_it_went_in(void **state)
{
    (void)state;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "ab", 2), 2);
    assert_int_equal(world->send(near_end.stream, "c", 1), 1);
    run_dry();
    assert_int_equal(far_end.pieces, 2);
    assert_memory_equal(far_end.data, "abc", 3);
}

static void no_hop_is_still_no_recursion(void **state)
{
    (void)state;
    virtual_world_hop(made, 0);
    rig_meet();
    uint64_t before = rig_now();
    assert_int_equal(world->send(near_end.stream, "x", 1), 1);
    assert_int_equal(far_end.size, 0);
    run_dry();
    assert_int_equal(far_end.size, 1);
    assert_int_equal(rig_now(), before);
}

/* ---- order among streams ----------------------------------------------------------------- */

static void on_letters(void *owner, const uint8_t *data, size_t size)
{
    (void)owner;
    memcpy(order + strlen(order), data, size);
}

static const struct sim_stream_events letters = {rig_on_opened, on_letters, rig_on_ended,
                                                 rig_on_writable};

static void on_order_timer(void *owner, unsigned id)
{
    (void)owner;
    order[strlen(order)] = (char)('0' + id);
}

/* All that is due in one millisecond happens as it was asked for, whoever it belongs to. */
static void streams_and_timers_take_turns(void **state)
{
    (void)state;
    rig_meet();
    world->receive(near_end.stream, &letters, &near_end);
    world->receive(far_end.stream, &letters, &far_end);
    struct sim_clock *timers = world->clock_new(world->context, on_order_timer, NULL);
    const struct clock_port *clock = world->clock_port(timers);
    (void)world->send(near_end.stream, "a", 1);
    (void)world->send(far_end.stream, "b", 1);
    assert_int_equal(clock->arm(clock->context, 1, 1), OTA_OK);
    (void)world->send(near_end.stream, "c", 1);
    (void)world->send(near_end.stream, "d", 1);
    assert_int_equal(clock->arm(clock->context, 2, 1), OTA_OK);
    (void)world->send(far_end.stream, "e", 1);
    run_dry();
    assert_string_equal(order, "ab1cd2e");
    world->clock_free(timers);
}

/* ---- the other end inside callbacks ------------------------------------------------------ */

static void close_both(void *owner, const uint8_t *data, size_t size)
{
    (void)owner;
    (void)data;
    (void)size;
    rig_close(&near_end, true);
    rig_close(&far_end, false);
}

static const struct sim_stream_events closing = {rig_on_opened, close_both, rig_on_ended,
                                                 rig_on_writable};

static void both_ends_close_inside_one_callback(void **state)
{
    (void)state;
    rig_meet();
    world->receive(far_end.stream, &closing, &far_end);
    assert_int_equal(world->send(near_end.stream, "1", 1), 1);
    assert_int_equal(world->send(near_end.stream, "2", 1), 1);
    assert_int_equal(world->send(far_end.stream, "3", 1), 1);
    run_dry();
    assert_null(near_end.stream);
    assert_null(far_end.stream);
    assert_int_equal(near_end.size, 0); /* closed before its turn */
}

static void closed_with_a_full_inbox(void **state)
{
    (void)state;
    rig_meet();
    for (int i = 0; i < 10; i++)
        assert_int_equal(world->send(near_end.stream, "x", 1), 1);
    rig_close(&far_end, false); /* a leak checker sees what stays behind */
    run_dry();
    assert_int_equal(far_end.size, 0);
    assert_int_equal(near_end.ended, 1);
}

static void a_reset_behind_an_end_is_told(void **state)
{
    (void)state;
    rig_meet();
    world->end(near_end.stream);
    run_dry();
    assert_int_equal(far_end.end_code, OTA_OK);
    rig_close(&near_end, true);
    run_dry();
    assert_int_equal(far_end.ended, 2);
    assert_int_equal(far_end.end_code, OTA_E_DISCONNECTED);
}

static void a_paused_stream_keeps_nobody_busy(void **state)
{
    (void)state;
    rig_meet();
    uint64_t before = virtual_world_events(made);
    assert_int_equal(world->send(near_end.stream, "x", 1), 1);
    world->pause(far_end.stream, true);
    run_dry();
    assert_int_equal(virtual_world_events(made), before);
    world->pause(far_end.stream, false);
    run_dry();
    assert_int_equal(far_end.size, 1);
}

static void unlistened_on_the_way_is_refused(void **state)
{
    (void)state;
    rig_listen();
    rig_connect();
    world->unlisten(rig_listener);
    rig_listener = NULL;
    run_dry();
    assert_int_equal(near_end.opened, 1);
    assert_int_equal(near_end.code, OTA_E_CONNECT);
    assert_int_equal(rig_accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_byte_takes_a_hop, make, drop),
        cmocka_unit_test_setup_teardown(each_send_comes_out_as_it_went_in, make, drop),
        cmocka_unit_test_setup_teardown(no_hop_is_still_no_recursion, make, drop),
        cmocka_unit_test_setup_teardown(streams_and_timers_take_turns, make, drop),
        cmocka_unit_test_setup_teardown(both_ends_close_inside_one_callback, make, drop),
        cmocka_unit_test_setup_teardown(closed_with_a_full_inbox, make, drop),
        cmocka_unit_test_setup_teardown(a_reset_behind_an_end_is_told, make, drop),
        cmocka_unit_test_setup_teardown(a_paused_stream_keeps_nobody_busy, make, drop),
        cmocka_unit_test_setup_teardown(unlistened_on_the_way_is_refused, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

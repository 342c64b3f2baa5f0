#include "sim/world_rig.h"

#include "sim/virtual/world_state.h"

static struct virtual_world *made;

static int make(void **state)
{
    (void)state;
    made = virtual_world_new();
    assert_non_null(made);
    rig_begin(virtual_world_table(made));
    return 0;
}

static int drop(void **state)
{
    (void)state;
    rig_end_all();
    virtual_world_free(made);
    return 0;
}

/* ---- time -------------------------------------------------------------------------------- */

static void a_dry_world_stands_still(void **state)
{
    (void)state;
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
    assert_int_equal(rig_now(), 0);
    assert_int_equal(world->run(world->context, 500), OTA_E_TIMEOUT);
    assert_int_equal(rig_now(), 500);
    assert_int_equal(virtual_world_events(made), 0);
}

static void waiting_is_free(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    assert_int_equal(clock->arm(clock->context, 2, 3600000), OTA_OK);
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
    assert_int_equal(rig_now(), 3600000);
    assert_int_equal(virtual_world_events(made), 1);
    assert_string_equal(rig_fired, "2");
    world->clock_free(rig_clock);
}

/* A timer that was called off must not move the clock, nor count. */
static void what_was_called_off_leaves_no_trace(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    assert_int_equal(clock->arm(clock->context, 0, 5000), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 0, 100), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 1, 7000), OTA_OK);
    clock->disarm(clock->context, 1);
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
    assert_string_equal(rig_fired, "0");
    assert_int_equal(rig_now(), 100);
    assert_int_equal(virtual_world_events(made), 1);
    world->clock_free(rig_clock);
}

static void a_jump_makes_timers_late(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    assert_int_equal(clock->arm(clock->context, 0, 50), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 1, 2000), OTA_OK);
    virtual_world_jump(made, 1000);
    assert_int_equal(world->run(world->context, 0), OTA_E_TIMEOUT);
    assert_string_equal(rig_fired, "0");
    assert_int_equal(rig_now(), 1000);
    assert_int_equal(world->run(world->context, UINT32_MAX), OTA_E_TIMEOUT);
    assert_string_equal(rig_fired, "01");
    assert_int_equal(rig_now(), 2000);
    world->clock_free(rig_clock);
}

static void on_jump_timer(void *owner, unsigned id)
{
    (void)owner;
    (void)id;
    virtual_world_jump(made, 1000);
}

static void time_never_runs_back(void **state)
{
    (void)state;
    struct sim_clock *jumper = world->clock_new(world->context, on_jump_timer, NULL);
    const struct clock_port *clock = world->clock_port(jumper);
    assert_int_equal(clock->arm(clock->context, 0, 5), OTA_OK);
    assert_int_equal(world->run(world->context, 10), OTA_E_TIMEOUT);
    assert_int_equal(rig_now(), 1005);
    world->clock_free(jumper);
}

static void same_time_same_order_as_asked(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    static const unsigned ids[] = {2, 0, 3, 1};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(clock->arm(clock->context, ids[i], 10), OTA_OK);
    settle();
    assert_string_equal(rig_fired, "2031");
    world->clock_free(rig_clock);
}

static void lost_memory_ends_every_run(void **state)
{
    (void)state;
    made->failed = true; /* as a stream says when malloc fails */
    assert_int_equal(world->run(world->context, 10), OTA_E_NO_SPACE);
    assert_int_equal(world->run(world->context, 10), OTA_E_NO_SPACE);
}

static void random_bytes_come_from_the_seed(void **state)
{
    uint8_t bytes[2][16];
    const struct random_port *random = virtual_world_random(made);
    (void)state;
    for (int i = 0; i < 2; i++) {
        choice_seed(virtual_world_choice(made), 42);
        assert_int_equal(random->bytes(random->context, bytes[i], sizeof bytes[i]), OTA_OK);
    }
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    choice_seed(virtual_world_choice(made), 43);
    assert_int_equal(random->bytes(random->context, bytes[1], sizeof bytes[1]), OTA_OK);
    assert_memory_not_equal(bytes[0], bytes[1], sizeof bytes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dry_world_stands_still, make, drop),
        cmocka_unit_test_setup_teardown(waiting_is_free, make, drop),
        cmocka_unit_test_setup_teardown(what_was_called_off_leaves_no_trace, make, drop),
        cmocka_unit_test_setup_teardown(a_jump_makes_timers_late, make, drop),
        cmocka_unit_test_setup_teardown(time_never_runs_back, make, drop),
        cmocka_unit_test_setup_teardown(same_time_same_order_as_asked, make, drop),
        cmocka_unit_test_setup_teardown(lost_memory_ends_every_run, make, drop),
        cmocka_unit_test_setup_teardown(random_bytes_come_from_the_seed, make, drop),
    };
    return rig_run(make, drop) + cmocka_run_group_tests(tests, NULL, NULL);
}

#include "sim/world_rig.h"

#include "sim/posix/world.h"

#include <time.h>

static struct posix_loop *loop;
static struct posix_world *posix;

static int make(void **state)
{
    (void)state;
    loop = posix_loop_new();
    posix = loop != NULL ? posix_world_new(loop) : NULL;
    assert_non_null(posix);
    rig_begin(posix_world_table(posix));
    return 0;
}

static int drop(void **state)
{
    (void)state;
    rig_end_all();
    posix_world_free(posix);
    posix_loop_free(loop);
    return 0;
}

/* What is left alone must not keep the processor busy: bytes and an end that nobody wants yet, an
 * end that was told, a connection that was refused. */
static void who_waits_rests(void **state)
{
    (void)state;
    rig_meet();
    world->pause(far_end.stream, true);
    assert_int_equal(world->send(near_end.stream, "x", 1), 1);
    world->end(near_end.stream);
    world->end(far_end.stream);
    until(near_end.ended == 1);
    clock_t before = clock();
    assert_int_equal(world->run(world->context, 200), OTA_E_TIMEOUT);
    world->unlisten(rig_listener);
    rig_listener = NULL;
    rig_close(&near_end, false);
    rig_connect();
    until(near_end.opened == 1);
    assert_int_equal(near_end.code, OTA_E_CONNECT);
    assert_int_equal(world->run(world->context, 200), OTA_E_TIMEOUT);
    assert_true(clock() - before < CLOCKS_PER_SEC / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_waits_rests, make, drop),
    };
    return rig_run(make, drop) + cmocka_run_group_tests(tests, NULL, NULL);
}

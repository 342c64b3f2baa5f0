/* What the worlds of sim/world.h must all do alike, as tests: each world's own test gives a way to
 * make one, and runs them. */
#ifndef NOBRICK_SIM_WORLD_RIG_H
#define NOBRICK_SIM_WORLD_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

#define RIG_WAIT_MS 2000
#define RIG_ROOM    (8u * 1024u * 1024u)

static const struct sim_world *world; /* of the test under way */

/* One end of a connection, what came out of it, and what it is to do when it is called. */
struct rig_end {
    struct sim_stream *stream;
    unsigned opened; /* calls */
    int code;
    uint8_t *data; /* RIG_ROOM */
    size_t size;
    unsigned pieces;
    unsigned ended; /* calls */
    int end_code;   /* of the last */
    unsigned writable;
    enum { RIG_STAY, RIG_CLOSE, RIG_RESET, RIG_PAUSE, RIG_STOP } deed; /* with the first data */
    bool close_when_opened;
    bool close_when_ended;
};

static struct sim_listener *rig_listener;
static uint16_t rig_port;
static unsigned rig_accepted;
static bool rig_closes_at_once; /* what is accepted, … */
static bool rig_leaves_it_deaf; /* … or leaves it without an owner */
static struct rig_end near_end; /* connects */
static struct rig_end far_end;  /* is accepted */

/* ---- streams ----------------------------------------------------------------------------- */

static inline void rig_close(struct rig_end *end, bool reset)
{
    struct sim_stream *stream = end->stream;
    end->stream = NULL;
    world->close(stream, reset);
}

static inline void rig_on_opened(void *owner, int code)
{
    struct rig_end *end = owner;
    end->opened++;
    end->code = code;
    if (end->close_when_opened)
        rig_close(end, false);
}

static inline void rig_on_data(void *owner, const uint8_t *data, size_t size)
{
    struct rig_end *end = owner;
    assert_non_null(end->stream); /* closed is silent */
    assert_true(size > 0 && size <= RIG_ROOM - end->size);
    memcpy(end->data + end->size, data, size);
    end->size += size;
    end->pieces++;
    if (end->deed == RIG_CLOSE || end->deed == RIG_RESET)
        rig_close(end, end->deed == RIG_RESET);
    else if (end->deed == RIG_PAUSE)
        world->pause(end->stream, true);
    else if (end->deed == RIG_STOP)
        world->stop(world->context, 5);
}

static inline void rig_on_ended(void *owner, int code)
{
    struct rig_end *end = owner;
    assert_non_null(end->stream);
    end->ended++;
    end->end_code = code;
    if (end->close_when_ended)
        rig_close(end, false);
}

static inline void rig_on_writable(void *owner)
{
    struct rig_end *end = owner;
    assert_non_null(end->stream);
    end->writable++;
}

static const struct sim_stream_events rig_events = {rig_on_opened, rig_on_data, rig_on_ended,
                                                    rig_on_writable};

static inline void rig_on_accepted(void *owner, struct sim_stream *stream)
{
    assert_ptr_equal(owner, &far_end);
    rig_accepted++;
    if (rig_closes_at_once) {
        world->close(stream, false);
        return;
    }
    far_end.stream = stream;
    if (!rig_leaves_it_deaf)
        world->receive(stream, &rig_events, &far_end);
}

static inline uint64_t rig_now(void)
{
    return world->now_ms(world->context);
}

/* Runs the world until `condition` holds; fails when it never does. */
#define until(condition)                                                                           \
    do {                                                                                           \
        uint64_t last = rig_now() + RIG_WAIT_MS;                                                   \
        while (!(condition) && rig_now() < last)                                                   \
            (void)world->run(world->context, 1);                                                   \
        assert_true(condition);                                                                    \
    } while (0)

static inline void settle(void)
{
    assert_int_equal(world->run(world->context, 30), OTA_E_TIMEOUT);
}

static inline void rig_listen(void)
{
    assert_int_equal(
        world->listen(world->context, &rig_port, rig_on_accepted, &far_end, &rig_listener), OTA_OK);
}

static inline void rig_connect(void)
{
    near_end.opened = 0;
    assert_int_equal(
        world->connect(world->context, rig_port, &rig_events, &near_end, &near_end.stream), OTA_OK);
    assert_int_equal(near_end.opened, 0); /* never from inside a call */
}

/* A connection with both ends there. */
static inline void rig_meet(void)
{
    rig_listen();
    rig_connect();
    until(near_end.opened == 1 && far_end.stream != NULL);
    assert_int_equal(near_end.code, OTA_OK);
}

static inline void rig_begin(const struct sim_world *made)
{
    assert_non_null(made);
    world = made;
    near_end = (struct rig_end){.data = malloc(RIG_ROOM)};
    far_end = (struct rig_end){.data = malloc(RIG_ROOM)};
    assert_true(near_end.data != NULL && far_end.data != NULL);
    rig_listener = NULL;
    rig_port = 0;
    rig_accepted = 0;
    rig_closes_at_once = rig_leaves_it_deaf = false;
}

/* Before the world is freed. */
static inline void rig_end_all(void)
{
    rig_close(&near_end, false);
    rig_close(&far_end, false);
    world->unlisten(rig_listener);
    free(near_end.data);
    free(far_end.data);
}

/* ---- tests: streams ---------------------------------------------------------------------- */

static void bytes_pass_both_ways(void **state)
{
    (void)state;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "hello", 5), 5);
    assert_int_equal(far_end.size, 0); /* never from inside a call */
    until(far_end.size == 5);
    assert_memory_equal(far_end.data, "hello", 5);
    assert_int_equal(world->send(far_end.stream, "you", 3), 3);
    until(near_end.size == 3);
    assert_memory_equal(near_end.data, "you", 3);
    assert_int_equal(world->send(near_end.stream, "", 0), 0);
    settle();
    assert_int_equal(far_end.size, 5);
}

static void single_bytes_stay_in_order(void **state)
{
    (void)state;
    rig_meet();
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        assert_int_equal(world->send(near_end.stream, &byte, 1), 1);
    }
    until(far_end.size == 1000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(far_end.data[i], (uint8_t)(i * 7));
}

static void nobody_listens(void **state)
{
    (void)state;
    rig_listen();
    world->unlisten(rig_listener);
    rig_listener = NULL;
    rig_connect();
    until(near_end.opened == 1);
    assert_int_equal(near_end.code, OTA_E_CONNECT);
    assert_int_equal(world->send(near_end.stream, "x", 1), 0);
    settle();
    assert_int_equal(near_end.ended, 0); /* nothing else comes */
    rig_close(&near_end, false);
    rig_listen(); /* the same port again */
    rig_connect();
    until(near_end.opened == 1);
    assert_int_equal(near_end.code, OTA_OK);
}

static void a_port_is_taken_once(void **state)
{
    struct sim_listener *other = NULL;
    (void)state;
    rig_listen();
    assert_int_not_equal(rig_port, 0);
    assert_int_equal(world->listen(world->context, &rig_port, rig_on_accepted, NULL, &other),
                     OTA_E_BUSY);
    uint16_t port = 0;
    assert_int_equal(world->listen(world->context, &port, rig_on_accepted, NULL, &other), OTA_OK);
    assert_int_not_equal(port, rig_port);
    world->unlisten(other);
    world->unlisten(NULL);
}

static void connections_stay_when_the_listener_goes(void **state)
{
    (void)state;
    rig_meet();
    world->unlisten(rig_listener);
    rig_listener = NULL;
    assert_int_equal(world->send(far_end.stream, "still", 5), 5);
    until(near_end.size == 5);
}

static void an_end_leaves_the_other_way_open(void **state)
{
    (void)state;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "last", 4), 4);
    world->end(near_end.stream);
    assert_int_equal(world->send(near_end.stream, "x", 1), 0);
    until(far_end.ended == 1);
    assert_int_equal(far_end.end_code, OTA_OK);
    assert_int_equal(far_end.size, 4); /* what was sent comes first */
    assert_int_equal(world->send(far_end.stream, "more", 4), 4);
    until(near_end.size == 4);
    assert_int_equal(near_end.ended, 0);
    world->end(far_end.stream);
    until(near_end.ended == 1);
    assert_int_equal(near_end.end_code, OTA_OK);
    settle();
    assert_int_equal(far_end.ended, 1);
}

static void a_close_is_an_end_in_order(void **state)
{
    (void)state;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "last", 4), 4);
    rig_close(&near_end, false);
    until(far_end.ended == 1);
    assert_int_equal(far_end.end_code, OTA_OK);
    assert_int_equal(far_end.size, 4);
}

static void a_sender_learns_that_nobody_is_there(void **state)
{
    (void)state;
    rig_meet();
    rig_close(&near_end, false);
    until(far_end.ended == 1);
    for (int i = 0; i < 3 && far_end.ended == 1; i++) { /* the first may get away */
        (void)world->send(far_end.stream, "anybody?", 8);
        settle();
    }
    assert_int_equal(far_end.ended, 2);
    assert_int_equal(far_end.end_code, OTA_E_DISCONNECTED);
    assert_int_equal(world->send(far_end.stream, "x", 1), 0);
    settle();
    assert_int_equal(far_end.ended, 2);
}

static void a_reset_says_so(void **state)
{
    (void)state;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "last", 4), 4);
    until(far_end.size == 4);
    rig_close(&near_end, true);
    until(far_end.ended == 1);
    assert_int_equal(far_end.end_code, OTA_E_DISCONNECTED);
    assert_int_equal(world->send(far_end.stream, "x", 1), 0);
    settle();
    assert_int_equal(far_end.ended, 1);
}

static void closed_inside_its_own_data(void **state)
{
    (void)state;
    rig_meet();
    far_end.deed = RIG_CLOSE;
    assert_int_equal(world->send(near_end.stream, "one", 3), 3);
    until(far_end.stream == NULL);
    (void)world->send(near_end.stream, "two", 3);
    until(near_end.ended > 0);
    settle();
    assert_int_equal(far_end.pieces, 1);
}

static void reset_inside_its_own_data(void **state)
{
    (void)state;
    rig_meet();
    far_end.deed = RIG_RESET;
    assert_int_equal(world->send(near_end.stream, "one", 3), 3);
    until(near_end.ended == 1);
    assert_int_equal(near_end.end_code, OTA_E_DISCONNECTED);
}

static void closed_inside_opened_ended_and_accepted(void **state)
{
    (void)state;
    near_end.close_when_opened = true;
    far_end.close_when_ended = true;
    rig_listen();
    rig_connect();
    until(far_end.ended == 1);
    assert_null(near_end.stream);
    assert_null(far_end.stream);
    rig_closes_at_once = true;
    near_end.close_when_opened = false;
    rig_connect();
    until(near_end.ended == 1);
    assert_int_equal(near_end.code, OTA_OK);
    assert_int_equal(near_end.end_code, OTA_OK);
}

static void closed_before_it_opened(void **state)
{
    (void)state;
    rig_listen();
    rig_connect();
    assert_int_equal(world->send(near_end.stream, "early", 5), 0);
    rig_close(&near_end, true);
    world->close(NULL, true);
    settle();
    assert_int_equal(near_end.opened, 0);
    assert_int_equal(far_end.size, 0);
}

static void a_pause_holds_back_and_loses_nothing(void **state)
{
    (void)state;
    rig_meet();
    world->pause(far_end.stream, true);
    assert_int_equal(world->send(near_end.stream, "held", 4), 4);
    world->end(near_end.stream);
    settle();
    assert_int_equal(far_end.size, 0);
    assert_int_equal(far_end.ended, 0);
    far_end.deed = RIG_PAUSE; /* at the first bytes, until it is let go again */
    world->pause(far_end.stream, false);
    until(far_end.size == 4);
    settle();
    assert_int_equal(far_end.ended, 0);
    world->pause(far_end.stream, false);
    until(far_end.ended == 1);
}

static void what_comes_before_receive_waits(void **state)
{
    (void)state;
    rig_leaves_it_deaf = true;
    rig_meet();
    assert_int_equal(world->send(near_end.stream, "early", 5), 5);
    world->end(near_end.stream);
    settle();
    world->receive(far_end.stream, &rig_events, &far_end);
    until(far_end.ended == 1);
    assert_int_equal(far_end.size, 5);
}

/* More than any socket holds: what was not taken is sent when there is room. */
static void much_passes_a_paused_end(void **state)
{
    static uint8_t much[6u * 1024u * 1024u];
    (void)state;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 31 >> 3);
    rig_meet();
    world->pause(far_end.stream, true);
    size_t sent = world->send(near_end.stream, much, sizeof much);
    assert_true(sent > 0);
    bool taken = sent == sizeof much;
    settle();
    assert_int_equal(near_end.writable, 0);
    world->pause(far_end.stream, false);
    while (sent < sizeof much) {
        unsigned before = near_end.writable;
        until(near_end.writable > before);
        sent += world->send(near_end.stream, much + sent, sizeof much - sent);
    }
    until(far_end.size == sizeof much);
    assert_memory_equal(far_end.data, much, sizeof much);
    assert_true(taken == (near_end.writable == 0));
}

/* ---- tests: time ------------------------------------------------------------------------- */

static char rig_fired[32];
static struct sim_clock *rig_clock;
static unsigned rig_again;

static inline void rig_on_timer(void *owner, unsigned id)
{
    assert_ptr_equal(owner, rig_fired);
    rig_fired[strlen(rig_fired)] = (char)('0' + id);
    if (rig_again > 0) {
        const struct clock_port *clock = world->clock_port(rig_clock);
        rig_again--;
        assert_int_equal(clock->arm(clock->context, id, 1), OTA_OK);
    }
}

static inline const struct clock_port *rig_time(void)
{
    memset(rig_fired, 0, sizeof rig_fired);
    rig_again = 0;
    rig_clock = world->clock_new(world->context, rig_on_timer, rig_fired);
    assert_non_null(rig_clock);
    return world->clock_port(rig_clock);
}

static void timers_move_and_go(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    uint64_t start = clock->now_ms(clock->context);
    assert_int_equal(clock->arm(clock->context, 0, 30), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 1, 10), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 2, 5), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 2, 20), OTA_OK); /* moves it */
    assert_int_equal(clock->arm(clock->context, 3, 15), OTA_OK);
    clock->disarm(clock->context, 3);
    clock->disarm(clock->context, 3);
    assert_int_equal(clock->arm(clock->context, OTA_TIMERS, 1), OTA_E_ARGUMENT);
    clock->disarm(clock->context, OTA_TIMERS);
    assert_int_equal(world->run(world->context, 60), OTA_E_TIMEOUT);
    assert_string_equal(rig_fired, "120");
    assert_true(rig_now() >= start + 60);
    world->clock_free(rig_clock);
}

static void a_timer_arms_itself(void **state)
{
    (void)state;
    const struct clock_port *clock = rig_time();
    rig_again = 3;
    assert_int_equal(clock->arm(clock->context, 1, 0), OTA_OK);
    settle();
    assert_string_equal(rig_fired, "1111");
    assert_int_equal(clock->arm(clock->context, 1, 1), OTA_OK);
    world->clock_free(rig_clock); /* with a timer armed */
    world->clock_free(NULL);
    settle();
    assert_string_equal(rig_fired, "1111");
}

static void a_run_has_its_limit(void **state)
{
    (void)state;
    uint64_t start = rig_now();
    assert_int_equal(world->run(world->context, 20), OTA_E_TIMEOUT);
    assert_in_range(rig_now() - start, 20, 20 + RIG_WAIT_MS);
}

static void nothing_comes_after_stop(void **state)
{
    (void)state;
    rig_meet();
    far_end.deed = RIG_STOP;
    near_end.deed = RIG_STOP;
    assert_int_equal(world->send(near_end.stream, "a", 1), 1);
    assert_int_equal(world->run(world->context, RIG_WAIT_MS), 5);
    assert_int_equal(world->send(near_end.stream, "b", 1), 1);
    assert_int_equal(world->send(far_end.stream, "c", 1), 1);
    assert_int_equal(world->run(world->context, RIG_WAIT_MS), 5);
    assert_int_equal(far_end.pieces + near_end.pieces, 2); /* one of the two */
    assert_int_equal(world->run(world->context, RIG_WAIT_MS), 5);
    assert_int_equal(far_end.pieces + near_end.pieces, 3);
    world->stop(world->context, 9); /* before the run: it ends at once, and only once */
    assert_int_equal(world->send(near_end.stream, "d", 1), 1);
    assert_int_equal(world->run(world->context, RIG_WAIT_MS), 9);
    assert_int_equal(far_end.pieces + near_end.pieces, 3);
    assert_int_equal(world->run(world->context, RIG_WAIT_MS), 5);
}

/* Runs them all; `make` calls rig_begin, `drop` rig_end_all. How many failed. */
static inline int rig_run(CMFixtureFunction make, CMFixtureFunction drop)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_pass_both_ways, make, drop),
        cmocka_unit_test_setup_teardown(single_bytes_stay_in_order, make, drop),
        cmocka_unit_test_setup_teardown(nobody_listens, make, drop),
        cmocka_unit_test_setup_teardown(a_port_is_taken_once, make, drop),
        cmocka_unit_test_setup_teardown(connections_stay_when_the_listener_goes, make, drop),
        cmocka_unit_test_setup_teardown(an_end_leaves_the_other_way_open, make, drop),
        cmocka_unit_test_setup_teardown(a_close_is_an_end_in_order, make, drop),
        cmocka_unit_test_setup_teardown(a_sender_learns_that_nobody_is_there, make, drop),
        cmocka_unit_test_setup_teardown(a_reset_says_so, make, drop),
        cmocka_unit_test_setup_teardown(closed_inside_its_own_data, make, drop),
        cmocka_unit_test_setup_teardown(reset_inside_its_own_data, make, drop),
        cmocka_unit_test_setup_teardown(closed_inside_opened_ended_and_accepted, make, drop),
        cmocka_unit_test_setup_teardown(closed_before_it_opened, make, drop),
        cmocka_unit_test_setup_teardown(a_pause_holds_back_and_loses_nothing, make, drop),
        cmocka_unit_test_setup_teardown(what_comes_before_receive_waits, make, drop),
        cmocka_unit_test_setup_teardown(much_passes_a_paused_end, make, drop),
        cmocka_unit_test_setup_teardown(timers_move_and_go, make, drop),
        cmocka_unit_test_setup_teardown(a_timer_arms_itself, make, drop),
        cmocka_unit_test_setup_teardown(a_run_has_its_limit, make, drop),
        cmocka_unit_test_setup_teardown(nothing_comes_after_stop, make, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

#include "sim/posix/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS  4
#define MESSAGES 500

struct bench {
    struct posix_loop *loop;
    struct posix_clock *clock;
    char fired[32]; /* the timers' ids in order */
    uint64_t fired_at;
    unsigned counts[THREADS]; /* messages seen, a thread each */
    bool in_order;
    unsigned rearm;
    int read_from;
    char read_bytes[8];
};

static void on_timer(void *context, unsigned id)
{
    struct bench *bench = context;
    size_t used = strlen(bench->fired);
    bench->fired[used] = (char)('0' + id);
    bench->fired_at = posix_now_ms();
    if (bench->rearm > 0) {
        const struct clock_port *clock = posix_clock_port(bench->clock);
        bench->rearm--;
        assert_int_equal(clock->arm(clock->context, id, 1), OTA_OK);
    }
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->loop = posix_loop_new();
    assert_non_null(bench->loop);
    bench->clock = posix_clock_new(bench->loop, on_timer, bench);
    assert_non_null(bench->clock);
    bench->in_order = true;
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    posix_loop_free(bench->loop);
    free(bench);
    return 0;
}

static void timers_in_order(void **state)
{
    struct bench *bench = *state;
    const struct clock_port *clock = posix_clock_port(bench->clock);
    uint64_t start = clock->now_ms(clock->context);
    assert_int_equal(clock->arm(clock->context, 0, 30), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 1, 10), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 2, 5000), OTA_OK);
    assert_int_equal(clock->arm(clock->context, 2, 20), OTA_OK); /* moves it */
    assert_int_equal(clock->arm(clock->context, 3, 15), OTA_OK);
    clock->disarm(clock->context, 3);
    assert_int_equal(clock->arm(clock->context, OTA_TIMERS, 1), OTA_E_ARGUMENT);
    clock->disarm(clock->context, OTA_TIMERS);
    assert_int_equal(posix_loop_run(bench->loop, 60), OTA_E_TIMEOUT);
    assert_string_equal(bench->fired, "120");
    assert_true(bench->fired_at >= start + 30);
}

static void timer_may_arm_itself(void **state)
{
    struct bench *bench = *state;
    const struct clock_port *clock = posix_clock_port(bench->clock);
    bench->rearm = 4;
    assert_int_equal(clock->arm(clock->context, 1, 0), OTA_OK);
    assert_int_equal(posix_loop_run(bench->loop, 60), OTA_E_TIMEOUT);
    assert_string_equal(bench->fired, "11111");
}

static void freed_clock_is_silent(void **state)
{
    struct bench *bench = *state;
    struct posix_clock *other = posix_clock_new(bench->loop, on_timer, bench);
    assert_non_null(other);
    const struct clock_port *clock = posix_clock_port(other);
    assert_int_equal(clock->arm(clock->context, 0, 5), OTA_OK);
    posix_clock_free(other);
    clock = posix_clock_port(bench->clock);
    assert_int_equal(clock->arm(clock->context, 2, 10), OTA_OK);
    assert_int_equal(posix_loop_run(bench->loop, 30), OTA_E_TIMEOUT);
    assert_string_equal(bench->fired, "2");
}

static void stop(void *context, void *data)
{
    (void)data;
    posix_loop_stop(context, 7);
}

static void stop_returns_the_value(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(posix_loop_post(bench->loop, stop, bench->loop, NULL), OTA_OK);
    assert_int_equal(posix_loop_run(bench->loop, UINT32_MAX), 7);
    posix_loop_stop(bench->loop, 8); /* also when it does not run yet */
    assert_int_equal(posix_loop_run(bench->loop, UINT32_MAX), 8);
    assert_int_equal(posix_loop_run(bench->loop, 0), OTA_E_TIMEOUT);
}

/* ---- messages of other threads ----------------------------------------------------------- */

struct message {
    unsigned thread;
    unsigned number;
};

struct poster {
    struct posix_loop *loop;
    struct bench *bench;
    unsigned thread;
};

static void on_message(void *context, void *data)
{
    struct bench *bench = context;
    const struct message *message = data;
    unsigned total = 0;
    bench->in_order &= bench->counts[message->thread] == message->number;
    bench->counts[message->thread]++;
    for (unsigned i = 0; i < THREADS; i++)
        total += bench->counts[i];
    if (total == THREADS * MESSAGES)
        posix_loop_stop(bench->loop, 1);
}

static void *post_all(void *context)
{
    const struct poster *poster = context;
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct message *message = malloc(sizeof *message);
        if (message == NULL)
            return NULL;
        *message = (struct message){poster->thread, i};
        if (posix_loop_post(poster->loop, on_message, poster->bench, message) != OTA_OK)
            free(message);
    }
    return NULL;
}

static void posts_from_threads(void **state)
{
    struct bench *bench = *state;
    pthread_t threads[THREADS];
    struct poster posters[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){bench->loop, bench, i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    assert_int_equal(posix_loop_run(bench->loop, 10000), 1);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(bench->in_order);
}

static void unread_posts_are_freed(void **state)
{
    struct bench *bench = *state;
    struct message *message = malloc(sizeof *message); /* a leak checker sees it otherwise */
    assert_non_null(message);
    assert_int_equal(posix_loop_post(bench->loop, on_message, bench, message), OTA_OK);
}

/* ---- descriptors ------------------------------------------------------------------------- */

static void on_readable(void *context, int fd)
{
    struct bench *bench = context;
    bench->read_from = fd;
    ssize_t n = read(fd, bench->read_bytes, sizeof bench->read_bytes - 1);
    posix_loop_stop(bench->loop, n > 0 ? 1 : 2);
}

static void watches_descriptors(void **state)
{
    struct bench *bench = *state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(posix_loop_watch(bench->loop, fds[0], on_readable, bench), OTA_OK);
    assert_int_equal(posix_loop_run(bench->loop, 10), OTA_E_TIMEOUT);
    assert_int_equal(write(fds[1], "hi", 2), 2);
    assert_int_equal(posix_loop_run(bench->loop, 1000), 1);
    assert_int_equal(bench->read_from, fds[0]);
    assert_string_equal(bench->read_bytes, "hi");
    close(fds[1]); /* closed counts as readable */
    assert_int_equal(posix_loop_run(bench->loop, 1000), 2);
    posix_loop_unwatch(bench->loop, fds[0]);
    assert_int_equal(posix_loop_run(bench->loop, 10), OTA_E_TIMEOUT);
    close(fds[0]);
}

/* Each reads its byte, and watches one more, so that the loop's lists move while it walks them. */
static void on_one_of_many(void *context, int fd)
{
    struct bench *bench = context;
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    posix_loop_unwatch(bench->loop, fd);
    assert_int_equal(posix_loop_watch(bench->loop, bench->read_from, on_readable, bench), OTA_OK);
    if (--bench->rearm == 0)
        posix_loop_stop(bench->loop, 7);
}

static void watches_as_many_as_there_are(void **state)
{
    enum { MANY = 100 };
    struct bench *bench = *state;
    int fds[MANY][2];
    int quiet[2];
    assert_int_equal(pipe(quiet), 0);
    bench->read_from = quiet[0];
    bench->rearm = MANY;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pipe(fds[i]), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
        assert_int_equal(posix_loop_watch(bench->loop, fds[i][0], on_one_of_many, bench), OTA_OK);
    }
    assert_int_equal(posix_loop_run(bench->loop, 1000), 7);
    for (int i = 0; i < MANY; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
    close(quiet[0]);
    close(quiet[1]);
}

static void on_either(void *context, int fd)
{
    struct bench *bench = context;
    (void)fd;
    posix_loop_stop(bench->loop, 3);
}

static void waits_for_what_is_asked(void **state)
{
    struct bench *bench = *state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(posix_loop_watch(bench->loop, ends[0], on_either, bench), OTA_OK);
    assert_int_equal(posix_loop_run(bench->loop, 10), OTA_E_TIMEOUT);
    posix_loop_wait_for(bench->loop, ends[0], false, true);
    assert_int_equal(posix_loop_run(bench->loop, 1000), 3);
    posix_loop_wait_for(bench->loop, ends[0], false, false);
    close(ends[1]); /* who rests does not even learn of this */
    assert_int_equal(posix_loop_run(bench->loop, 10), OTA_E_TIMEOUT);
    posix_loop_wait_for(bench->loop, ends[0], true, false);
    assert_int_equal(posix_loop_run(bench->loop, 1000), 3);
    posix_loop_wait_for(bench->loop, -1, true, false); /* nobody watches that: nothing */
    close(ends[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_in_order),         CASE(timer_may_arm_itself),
        CASE(freed_clock_is_silent),   CASE(stop_returns_the_value),
        CASE(posts_from_threads),      CASE(unread_posts_are_freed),
        CASE(watches_descriptors),     CASE(watches_as_many_as_there_are),
        CASE(waits_for_what_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the proxy's tests share: the proxy between a client and a server of the test, no threads.
 * Every test runs in the posix world and in the virtual one. */
#ifndef NOBRICK_HARNESS_FAULTS_PROXY_RIG_H
#define NOBRICK_HARNESS_FAULTS_PROXY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/faults/proxy.h"
#include "sim/posix/world.h"
#include "sim/virtual/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 2000
#define ROOM    (12u * 1024u * 1024u)

/* One end of a connection, and what came out of it. */
struct end {
    struct sim_stream *stream;
    bool opened;
    int code;
    size_t size;
    bool ended;
    bool reset;
    uint8_t data[ROOM];
};

static bool in_virtual;
static struct posix_loop *loop;
static struct posix_world *posix;
static struct virtual_world *virtual;
static const struct sim_world *world;
static struct nb_proxy *proxy;
static uint16_t proxy_port;
static struct sim_listener *listener;
static int accepted;
static struct end client;
static struct end server; /* of the connection that the real server took last */
static char lines[4096];  /* what the proxy reported */

/* ---- streams ----------------------------------------------------------------------------- */

static inline void on_line(void *context, const char *line)
{
    size_t used = strlen(lines);
    (void)context;
    snprintf(lines + used, sizeof lines - used, "%s\n", line);
}

static inline void on_opened(void *owner, int code)
{
    struct end *end = owner;
    end->opened = true;
    end->code = code;
}

static inline void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct end *end = owner;
    assert_true(size <= ROOM - end->size);
    memcpy(end->data + end->size, data, size);
    end->size += size;
}

static inline void on_ended(void *owner, int code)
{
    struct end *end = owner;
    end->ended = end->ended || code == OTA_OK;
    end->reset = code == OTA_E_DISCONNECTED;
}

static inline void on_writable(void *owner)
{
    (void)owner;
}

static const struct sim_stream_events end_events = {on_opened, on_data, on_ended, on_writable};

static inline void hang_up(struct end *end)
{
    world->close(end->stream, false);
    end->stream = NULL;
}

static inline void forget(struct end *end)
{
    memset(end, 0, offsetof(struct end, data));
}

static inline void on_accept(void *owner, struct sim_stream *stream)
{
    (void)owner;
    hang_up(&server);
    forget(&server);
    server.stream = stream;
    world->receive(stream, &end_events, &server);
    accepted++;
}

static inline uint64_t now(void)
{
    return world->now_ms(world->context);
}

static inline void turn(void)
{
    (void)world->run(world->context, 1);
}

/* Runs the world until `condition` holds; fails when it never does. */
#define until(condition)                                                                           \
    do {                                                                                           \
        uint64_t last = now() + WAIT_MS;                                                           \
        while (!(condition) && now() < last)                                                       \
            turn();                                                                                \
        assert_true(condition);                                                                    \
    } while (0)

static inline void settle(void)
{
    (void)world->run(world->context, 30);
}

/* Connects the client; how that went. */
static inline int dial(void)
{
    hang_up(&client);
    forget(&client);
    assert_int_equal(
        world->connect(world->context, proxy_port, &end_events, &client, &client.stream), OTA_OK);
    until(client.opened);
    return client.code;
}

static inline void say(const struct end *end, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t last = now() + WAIT_MS;
    while (size > 0 && now() < last) {
        size_t sent = world->send(end->stream, at, size);
        at += sent;
        size -= sent;
        if (size > 0)
            turn();
    }
    assert_int_equal(size, 0);
}

static inline void say_text(const struct end *end, const char *text)
{
    say(end, text, strlen(text));
}

/* ---- rig --------------------------------------------------------------------------------- */

static inline int use_posix(void **state)
{
    (void)state;
    in_virtual = false;
    return 0;
}

static inline int use_virtual(void **state)
{
    (void)state;
    in_virtual = true;
    return 0;
}

/* Runs the tests in both worlds; how many failed. */
#define run_in_both_worlds(tests)                                                                  \
    (cmocka_run_group_tests_name("posix", tests, use_posix, NULL) +                                \
     cmocka_run_group_tests_name("virtual", tests, use_virtual, NULL))

static inline void begin(enum nb_fault_talk talk)
{
    uint16_t port = 0;
    loop = posix_loop_new();
    posix = posix_world_new(loop);
    virtual = virtual_world_new();
    assert_true(loop && posix && virtual);
    world = in_virtual ? virtual_world_table(virtual) : posix_world_table(posix);
    assert_int_equal(world->listen(world->context, &port, on_accept, NULL, &listener), OTA_OK);
    const struct nb_proxy_config config = {.world = world,
                                           .name = "server",
                                           .upstream = port,
                                           .talk = talk,
                                           .chunk_magic = "DATA",
                                           .chunk_header = 8,
                                           .job_path = "/job",
                                           .report = on_line};
    proxy = nb_proxy_new(&config, &proxy_port);
    assert_non_null(proxy);
    forget(&client);
    forget(&server);
    accepted = 0;
    lines[0] = '\0';
}

static inline void end(void)
{
    nb_proxy_free(proxy);
    hang_up(&client);
    hang_up(&server);
    world->unlisten(listener);
    virtual_world_free(virtual);
    posix_world_free(posix);
    posix_loop_free(loop);
}

static inline void meet(void)
{
    int before = accepted;
    assert_int_equal(dial(), OTA_OK);
    until(accepted == before + 1);
}

static inline struct nb_fault fault_of(enum nb_fault_kind kind, enum nb_fault_place place,
                                       uint32_t at, uint32_t value)
{
    struct nb_fault fault = {.place = place, .at = at, .value = value};
    nb_fault_complete(&fault, kind);
    return fault;
}

static inline void arm(enum nb_fault_kind kind, enum nb_fault_place place, uint32_t at,
                       uint32_t value)
{
    const struct nb_fault fault = fault_of(kind, place, at, value);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
}

static inline void assert_fired(const char *line)
{
    const char *word = "";
    if (nb_proxy_unfired(proxy, &word) != 0 || !strstr(lines, line))
        fail_msg("'%s' not in '%s', unfired: %s", line, lines, word);
}

#endif

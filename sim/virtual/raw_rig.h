/* For tests: a virtual world, and raw ends of its streams that speak and hear literal bytes. */
#ifndef NOBRICK_SIM_VIRTUAL_RAW_RIG_H
#define NOBRICK_SIM_VIRTUAL_RAW_RIG_H

#include "sim/virtual/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct virtual_world *world;
static const struct sim_world *table;

static inline int rig_open(void **state)
{
    (void)state;
    world = virtual_world_new();
    assert_non_null(world);
    table = virtual_world_table(world);
    return 0;
}

static inline int rig_close(void **state)
{
    (void)state;
    virtual_world_free(world);
    return 0;
}

static inline void run_for(uint32_t ms)
{
    assert_int_equal(table->run(table->context, ms), OTA_E_TIMEOUT);
}

/* ---- a raw end --------------------------------------------------------------------------- */

struct raw {
    struct sim_stream *stream;
    struct sim_listener *listener;
    uint16_t port;
    unsigned accepted;
    uint8_t got[65536];
    size_t size;
    int opened; /* 1: not told */
    int ended;  /* 1: not told */
};

static inline void raw_opened(void *owner, int code)
{
    ((struct raw *)owner)->opened = code;
}

static inline void raw_data(void *owner, const uint8_t *data, size_t size)
{
    struct raw *raw = owner;
    assert_true(size <= sizeof raw->got - raw->size);
    memcpy(raw->got + raw->size, data, size);
    raw->size += size;
}

static inline void raw_ended(void *owner, int code)
{
    ((struct raw *)owner)->ended = code;
}

static const struct sim_stream_events raw_events = {
    .opened = raw_opened, .data = raw_data, .ended = raw_ended};

static inline void raw_connect(struct raw *raw, uint16_t number)
{
    *raw = (struct raw){.opened = 1, .ended = 1};
    assert_int_equal(table->connect(table->context, number, &raw_events, raw, &raw->stream),
                     OTA_OK);
    run_for(5);
    assert_int_equal(raw->opened, OTA_OK);
}

static inline void raw_accepted(void *owner, struct sim_stream *stream)
{
    struct raw *raw = owner;
    table->close(raw->stream, false);
    raw->stream = stream;
    raw->size = 0;
    raw->ended = 1;
    raw->accepted++;
    table->receive(stream, &raw_events, raw);
}

static inline void raw_listen(struct raw *raw)
{
    *raw = (struct raw){.opened = 1, .ended = 1};
    assert_int_equal(table->listen(table->context, &raw->port, raw_accepted, raw, &raw->listener),
                     OTA_OK);
}

static inline void raw_close(struct raw *raw)
{
    table->unlisten(raw->listener);
    table->close(raw->stream, false);
    raw->listener = NULL;
    raw->stream = NULL;
}

/* Hexadecimal text, blanks allowed. Returns the bytes. */
static inline size_t from_hex(const char *text, uint8_t *out, size_t room)
{
    size_t size = 0;
    for (unsigned high = 0, digits = 0; *text != '\0'; text++) {
        static const char hex[] = "0123456789abcdef";
        const char *at = strchr(hex, *text);
        if (at == NULL || *text == ' ')
            continue;
        high = high << 4 | (unsigned)(at - hex);
        if (++digits % 2 == 0) {
            assert_true(size < room);
            out[size++] = (uint8_t)high;
        }
    }
    return size;
}

static inline void raw_send(struct raw *raw, const char *hex)
{
    uint8_t bytes[4096];
    size_t size = from_hex(hex, bytes, sizeof bytes);
    assert_int_equal(table->send(raw->stream, bytes, size), size);
    run_for(5);
}

/* What came since the last call is exactly this. */
static inline void raw_expect(struct raw *raw, const char *hex)
{
    uint8_t bytes[4096];
    size_t size = from_hex(hex, bytes, sizeof bytes);
    if (raw->size != size || memcmp(raw->got, bytes, size) != 0) {
        for (size_t i = 0; i < raw->size; i++)
            print_error("%02x ", raw->got[i]);
        fail_msg("came, not %s", hex);
    }
    raw->size = 0;
}

#endif

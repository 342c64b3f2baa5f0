/* What a world gives to those who live beside the device: time, timers, and byte streams on
 * loopback. Servers, cloud sides and the fault proxy stand on this, so they serve in every world.
 *
 * Everything is called back from run(), in one thread, and never from inside a call of this table.
 * Handles belong to whoever asked for them; closing one ends its callbacks. A world outlives all of
 * them. Two worlds fill the table in: sim/posix/world.h (sockets, wall clock) and
 * sim/virtual/world.h (memory, virtual clock). */
#ifndef NOBRICK_SIM_WORLD_H
#define NOBRICK_SIM_WORLD_H

#include "agent/ports.h"

struct sim_clock;
struct sim_listener;
struct sim_stream;

/* What happens to one end of a connection. */
struct sim_stream_events {
    /* Of connect only: 0, or why there is no connection (OTA_E_CONNECT); then nothing else comes,
     * and the stream is still to be closed. */
    void (*opened)(void *owner, int code);
    void (*data)(void *owner, const uint8_t *data, size_t size);
    /* The other end sends nothing more: 0 when it said so in order, OTA_E_DISCONNECTED after a
     * reset. Sending may still be possible after 0; when the connection then breaks, which a sender
     * learns at the latest by sending, OTA_E_DISCONNECTED comes as well. Nothing comes after that.
     */
    void (*ended)(void *owner, int code);
    /* There is room again, after send took less than it was given. */
    void (*writable)(void *owner);
};

struct sim_world {
    void *context;

    /* ---- time -------------------------------------------------------------------------- */
    uint64_t (*now_ms)(void *context);
    /* A clock seam with OTA_TIMERS timers of its own, which call fire(owner, id). NULL when memory
     * runs out. */
    struct sim_clock *(*clock_new)(void *context, void (*fire)(void *owner, unsigned id),
                                   void *owner);
    const struct clock_port *(*clock_port)(struct sim_clock *clock);
    void (*clock_free)(struct sim_clock *clock); /* NULL is fine */

    /* Runs until stop, or until `limit_ms` have passed (UINT32_MAX: no limit). Returns the value
     * given to stop (> 0), or OTA_E_TIMEOUT, or OTA_E_NO_SPACE when the world has lost something
     * because memory ran out. A stop that came before ends the run at once. */
    int (*run)(void *context, uint32_t limit_ms);
    void (*stop)(void *context, int value);

    /* ---- streams ----------------------------------------------------------------------- */
    /* Listens on `*port` of 127.0.0.1; 0: one that is free, which is told. An accepted stream is
     * deaf until receive() says who its owner is; what comes meanwhile waits. OTA_E_BUSY: the port
     * is taken. */
    int (*listen)(void *context, uint16_t *port,
                  void (*accepted)(void *owner, struct sim_stream *stream), void *owner,
                  struct sim_listener **out);
    void (*unlisten)(struct sim_listener *listener); /* NULL is fine; its connections stay */
    int (*connect)(void *context, uint16_t port, const struct sim_stream_events *events,
                   void *owner, struct sim_stream **out);
    void (*receive)(struct sim_stream *stream, const struct sim_stream_events *events, void *owner);
    /* From `opened` on. Returns how many bytes were taken: all of them, or less when there is no
     * room (`writable` will come), or 0 when the connection is gone. The bytes are copied. */
    size_t (*send)(struct sim_stream *stream, const void *data, size_t size);
    void (*pause)(struct sim_stream *stream, bool paused); /* no data() meanwhile */
    void (*end)(struct sim_stream *stream);                /* this end sends nothing more */
    /* Frees the stream. With `reset` the other end learns of it as OTA_E_DISCONNECTED. NULL is
     * fine. */
    void (*close)(struct sim_stream *stream, bool reset);
};

#endif

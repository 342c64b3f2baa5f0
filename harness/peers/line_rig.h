/* A world with one HTTP server in it, and raw connections to that server, for the tests of peers:
 * the same calls over sockets and over the streams of a virtual world. */
#ifndef NOBRICK_HARNESS_PEERS_LINE_RIG_H
#define NOBRICK_HARNESS_PEERS_LINE_RIG_H

#include "harness/peers/http_server.h"
#include "harness/peers/virtual_server.h"
#include "sim/virtual/world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    struct posix_loop *loop;        /* of the posix world, or */
    struct virtual_world *world;    /* of the virtual one */
    struct nb_http_server *sockets; /* likewise */
    struct nb_virtual_server *streams;
    const struct nb_peer_server *peer;
};

/* One connection, as a client has it. */
struct line {
    struct rig *rig;
    bool open;
    int fd;
    struct sim_stream *stream;
    uint8_t *inbox;
    size_t inbox_size;
    bool ended;
};

static inline const struct sim_world *rig_table(const struct rig *rig)
{
    return virtual_world_table(rig->world);
}

static inline void rig_open(struct rig *rig, bool is_virtual)
{
    char reason[200];
    memset(rig, 0, sizeof *rig);
    if (is_virtual) {
        const struct nb_virtual_server_config config = {.port = 0};
        rig->world = virtual_world_new();
        assert_non_null(rig->world);
        assert_int_equal(nb_virtual_server_new(rig_table(rig), &config, &rig->streams), OTA_OK);
        rig->peer = nb_virtual_server_peer(rig->streams);
        return;
    }
    const struct nb_http_server_config config = {.port = 0};
    rig->loop = posix_loop_new();
    assert_non_null(rig->loop);
    rig->sockets = nb_http_server_new(rig->loop, &config, reason, sizeof reason);
    assert_non_null(rig->sockets);
    rig->peer = nb_http_server_peer(rig->sockets);
}

/* A test in both worlds; set_up opens the rig in the virtual one when *state is not NULL. */
#define RIG_CASE(name)                                                                             \
    {"posix " #name, name, set_up, tear_down, NULL},                                               \
    {                                                                                              \
        "virtual " #name, name, set_up, tear_down, rig_virtual()                                   \
    }
static inline void *rig_virtual(void)
{
    static char mark;
    return &mark;
}

static inline void rig_shut(struct rig *rig)
{
    nb_http_server_free(rig->sockets);
    nb_virtual_server_free(rig->streams);
    if (rig->loop != NULL)
        posix_loop_free(rig->loop);
    virtual_world_free(rig->world);
}

static inline void rig_run(struct rig *rig, uint32_t ms)
{
    if (rig->world != NULL)
        (void)rig_table(rig)->run(rig_table(rig)->context, ms);
    else
        (void)posix_loop_run(rig->loop, ms);
}

static inline uint64_t rig_now(const struct rig *rig)
{
    return rig->world != NULL ? rig_table(rig)->now_ms(rig_table(rig)->context) : posix_now_ms();
}

/* ---- lines -------------------------------------------------------------------------------- */

static inline void line_opened(void *owner, int code)
{
    ((struct line *)owner)->ended = code != OTA_OK;
}

static inline void line_data(void *owner, const uint8_t *data, size_t size)
{
    struct line *line = owner;
    line->inbox = realloc(line->inbox, line->inbox_size + size);
    assert_non_null(line->inbox);
    memcpy(line->inbox + line->inbox_size, data, size);
    line->inbox_size += size;
}

static inline void line_ended(void *owner, int code)
{
    (void)code;
    ((struct line *)owner)->ended = true;
}

static inline void line_open(struct line *line, struct rig *rig)
{
    static const struct sim_stream_events events = {
        .opened = line_opened, .data = line_data, .ended = line_ended};
    memset(line, 0, sizeof *line);
    line->rig = rig;
    line->open = true;
    if (rig->world != NULL) {
        const struct sim_world *table = rig_table(rig);
        assert_int_equal(
            table->connect(table->context, rig->peer->port, &events, line, &line->stream), OTA_OK);
        rig_run(rig, 2);
        return;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(rig->peer->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(line->fd >= 0);
    assert_int_equal(connect(line->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static inline void line_close(struct line *line)
{
    if (!line->open)
        return;
    if (line->stream != NULL)
        rig_table(line->rig)->close(line->stream, false);
    else
        close(line->fd);
    free(line->inbox);
    memset(line, 0, sizeof *line);
}

static inline void line_send(struct line *line, const void *data, size_t size)
{
    if (line->stream != NULL)
        assert_int_equal(rig_table(line->rig)->send(line->stream, data, size), size);
    else
        assert_int_equal(send(line->fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Some of what has come, after a moment: 0 when the line was closed, -1 when there is nothing. */
static inline ssize_t line_receive(struct line *line, void *out, size_t size)
{
    rig_run(line->rig, 2);
    if (line->stream == NULL)
        return recv(line->fd, out, size, MSG_DONTWAIT);
    if (line->inbox_size == 0)
        return line->ended ? 0 : -1;
    size_t taken = line->inbox_size < size ? line->inbox_size : size;
    memcpy(out, line->inbox, taken);
    memmove(line->inbox, line->inbox + taken, line->inbox_size - taken);
    line->inbox_size -= taken;
    return (ssize_t)taken;
}

#endif

#include "sim/posix/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 16
#define READ    65536

struct posix_world {
    struct sim_world table;
    struct posix_loop *loop;
};

struct sim_listener {
    struct posix_loop *loop;
    int fd;
    void (*accepted)(void *owner, struct sim_stream *stream);
    void *owner;
};

struct sim_stream {
    struct posix_loop *loop;
    int fd;
    const struct sim_stream_events *events; /* NULL: deaf */
    void *owner;
    bool connecting;
    bool paused;
    bool waits;    /* send took less than it was given */
    bool sent_end; /* this end sends nothing more */
    bool ended;    /* nor does the other */
    bool broken;   /* sending failed: to be told behind what came before */
    bool over;     /* nothing is told any more */
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* ---- time -------------------------------------------------------------------------------- */

static struct posix_loop *loop_of(void *context)
{
    return ((struct posix_world *)context)->loop;
}

static uint64_t now_ms(void *context)
{
    (void)context;
    return posix_now_ms();
}

/* A clock of this world is one of the loop. */
static struct sim_clock *clock_new(void *context, void (*fire)(void *owner, unsigned id),
                                   void *owner)
{
    return (struct sim_clock *)posix_clock_new(loop_of(context), fire, owner);
}

static const struct clock_port *clock_port_of(struct sim_clock *clock)
{
    return posix_clock_port((struct posix_clock *)clock);
}

static void clock_free(struct sim_clock *clock)
{
    posix_clock_free((struct posix_clock *)clock);
}

static int run(void *context, uint32_t limit_ms)
{
    return posix_loop_run(loop_of(context), limit_ms);
}

static void stop(void *context, int value)
{
    posix_loop_stop(loop_of(context), value);
}

/* ---- what happens to a stream ------------------------------------------------------------ */

static void watch(const struct sim_stream *stream)
{
    bool awake = stream->events != NULL && !stream->over;
    bool reads = awake && !stream->connecting && !stream->paused && !stream->ended;
    bool writes =
        awake && (stream->connecting || stream->waits || (stream->ended && stream->broken));
    posix_loop_wait_for(stream->loop, stream->fd, reads, writes);
}

static bool is_writable(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLOUT};
    return poll(&now, 1, 0) == 1;
}

/* The connection is there, or has failed. */
static void on_connected(struct sim_stream *stream)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (!is_writable(stream->fd))
        return;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    stream->connecting = false;
    stream->over = error != 0;
    watch(stream);
    stream->events->opened(stream->owner, error == 0 ? OTA_OK : OTA_E_CONNECT);
}

static void tell_end(struct sim_stream *stream, int code)
{
    stream->ended = true;
    stream->over = code != 0;
    watch(stream);
    stream->events->ended(stream->owner, code);
}

/* One thing at a time, as the last deed: the owner may close the stream when told. */
static void on_ready(void *context, int fd)
{
    struct sim_stream *stream = context;
    uint8_t buffer[READ];
    if (stream->connecting) {
        on_connected(stream);
        return;
    }
    if (stream->ended && stream->broken) {
        tell_end(stream, OTA_E_DISCONNECTED);
        return;
    }
    if (stream->waits && is_writable(fd)) {
        stream->waits = false;
        watch(stream);
        stream->events->writable(stream->owner);
        return;
    }
    if (stream->paused || stream->ended)
        return;
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0)
        stream->events->data(stream->owner, buffer, (size_t)got);
    else if (got == 0)
        tell_end(stream, stream->broken ? OTA_E_DISCONNECTED : OTA_OK);
    else if (errno != EAGAIN && errno != EINTR)
        tell_end(stream, OTA_E_DISCONNECTED);
}

/* Makes a stream of a socket; on failure the socket is closed. */
static struct sim_stream *stream_of(struct posix_loop *loop, int fd)
{
    int one = 1;
    struct sim_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || posix_loop_watch(loop, fd, on_ready, stream) != OTA_OK) {
        close(fd);
        free(stream);
        return NULL;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    stream->loop = loop;
    stream->fd = fd;
    return stream;
}

/* ---- the table --------------------------------------------------------------------------- */

static void on_connection(void *context, int fd)
{
    const struct sim_listener *listener = context;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct sim_stream *stream = accepted < 0 ? NULL : stream_of(listener->loop, accepted);
    if (stream == NULL)
        return;
    watch(stream);
    listener->accepted(listener->owner, stream);
}

static int listen_at(void *context, uint16_t *port,
                     void (*accepted)(void *owner, struct sim_stream *stream), void *owner,
                     struct sim_listener **out)
{
    struct sockaddr_in address = loopback(*port);
    socklen_t length = sizeof address;
    int one = 1;
    struct sim_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return OTA_E_NO_SPACE;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *listener = (struct sim_listener){loop_of(context), fd, accepted, owner};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        posix_loop_watch(listener->loop, fd, on_connection, listener) != OTA_OK) {
        int rc = errno == EADDRINUSE ? OTA_E_BUSY : OTA_E_IO;
        if (fd >= 0)
            close(fd);
        free(listener);
        return rc;
    }
    *port = ntohs(address.sin_port);
    *out = listener;
    return OTA_OK;
}

static void unlisten(struct sim_listener *listener)
{
    if (listener == NULL)
        return;
    posix_loop_unwatch(listener->loop, listener->fd);
    close(listener->fd);
    free(listener);
}

static int connect_to(void *context, uint16_t port, const struct sim_stream_events *events,
                      void *owner, struct sim_stream **out)
{
    const struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return OTA_E_IO;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return OTA_E_CONNECT;
    }
    struct sim_stream *stream = stream_of(loop_of(context), fd);
    if (stream == NULL)
        return OTA_E_NO_SPACE;
    stream->events = events;
    stream->owner = owner;
    stream->connecting = true;
    watch(stream);
    *out = stream;
    return OTA_OK;
}

static void receive(struct sim_stream *stream, const struct sim_stream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
    watch(stream);
}

static size_t send_to(struct sim_stream *stream, const void *data, size_t size)
{
    if (stream->connecting || stream->over || stream->broken || stream->sent_end || size == 0)
        return 0;
    ssize_t sent = send(stream->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    bool full = sent >= 0 ? (size_t)sent < size : errno == EAGAIN || errno == EINTR;
    stream->waits = stream->waits || full;
    stream->broken = sent < 0 && !full;
    if (full || stream->broken)
        watch(stream);
    return sent < 0 ? 0 : (size_t)sent;
}

static void pause_stream(struct sim_stream *stream, bool paused)
{
    stream->paused = paused;
    watch(stream);
}

static void end_stream(struct sim_stream *stream)
{
    stream->sent_end = true;
    shutdown(stream->fd, SHUT_WR);
}

static void close_stream(struct sim_stream *stream, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (stream == NULL)
        return;
    if (reset)
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    posix_loop_unwatch(stream->loop, stream->fd);
    close(stream->fd);
    free(stream);
}

/* ---- from outside ------------------------------------------------------------------------ */

struct posix_world *posix_world_new(struct posix_loop *loop)
{
    struct posix_world *world = calloc(1, sizeof *world);
    if (world == NULL)
        return NULL;
    world->loop = loop;
    world->table = (struct sim_world){
        .context = world,
        .now_ms = now_ms,
        .clock_new = clock_new,
        .clock_port = clock_port_of,
        .clock_free = clock_free,
        .run = run,
        .stop = stop,
        .listen = listen_at,
        .unlisten = unlisten,
        .connect = connect_to,
        .receive = receive,
        .send = send_to,
        .pause = pause_stream,
        .end = end_stream,
        .close = close_stream,
    };
    return world;
}

void posix_world_free(struct posix_world *world)
{
    free(world);
}

const struct sim_world *posix_world_table(struct posix_world *world)
{
    return &world->table;
}

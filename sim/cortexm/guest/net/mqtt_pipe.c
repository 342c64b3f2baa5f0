#include "sim/cortexm/guest/net/mqtt_pipe.h"

#include "sim/cortexm/guest/net/mqtt_cut.h"
#include "sim/cortexm/guest/net/stack.h"
#include "sim/cortexm/guest/net/stream.h"

#include <lwip/apps/mqtt_opts.h>
#include <lwip/priv/altcp_priv.h>

#include <assert.h>
#include <stdlib.h>

#define OUT_ROOM 8192u /* bytes on the way before lwIP has to wait */

static_assert(MQTT_VAR_HEADER_BUFFER_LEN == MQTT_CUT_ROOM, "pieces are made for lwIP's buffer");

struct pipe {
    struct altcp_pcb *pcb; /* NULL: closed */
    struct altcp_tls_config *config;
    struct net_stream *stream;
    struct mqtt_cut cut;
    bool busy; /* in an event: freed when that is over */
};

static struct pipe *pipe_of(const struct altcp_pcb *pcb)
{
    return pcb->state;
}

/* ---- what the stream tells --------------------------------------------------------------- */

static void leave(struct pipe *pipe)
{
    pipe->busy = false;
    if (pipe->pcb == NULL)
        free(pipe);
}

/* lwIP expects that the connection is gone when it hears of an error. */
static void break_off(struct pipe *pipe)
{
    struct altcp_pcb *pcb = pipe->pcb;
    altcp_err_fn tell = pcb->err;
    void *owner = pcb->arg;
    net_stream_close(pipe->stream, false);
    pipe->pcb = NULL;
    altcp_free(pcb);
    if (tell != NULL)
        tell(owner, ERR_CLSD);
}

static void on_opened(void *owner, int code)
{
    struct pipe *pipe = owner;
    pipe->busy = true;
    pipe->config->heard_ms = net_now_ms(NULL);
    if (code == OTA_OK) {
        (void)pipe->pcb->connected(pipe->pcb->arg, pipe->pcb, ERR_OK);
    } else {
        pipe->config->failure = code;
        pipe->config->reason = net_stream_reason(pipe->stream);
        break_off(pipe);
    }
    leave(pipe);
}

static void hand_over(struct pipe *pipe)
{
    struct altcp_pcb *pcb = pipe->pcb;
    struct pbuf *piece = pbuf_alloc(PBUF_RAW, (u16_t)pipe->cut.size, PBUF_RAM);
    if (piece == NULL || pcb->recv == NULL) {
        if (piece != NULL)
            pbuf_free(piece);
        break_off(pipe); /* a hole in the stream cannot be mended */
        return;
    }
    pbuf_take(piece, pipe->cut.piece, (u16_t)pipe->cut.size);
    (void)pcb->recv(pcb->arg, pcb, piece, ERR_OK);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct pipe *pipe = owner;
    size_t used;
    pipe->busy = true;
    pipe->config->heard_ms = net_now_ms(NULL);
    for (; size > 0 && pipe->pcb != NULL; data += used, size -= used)
        if (mqtt_cut_feed(&pipe->cut, data, size, &used))
            hand_over(pipe);
    leave(pipe);
}

static void on_ended(void *owner, int code)
{
    struct pipe *pipe = owner;
    (void)code;
    pipe->busy = true;
    break_off(pipe);
    leave(pipe);
}

static void on_writable(void *owner)
{
    struct pipe *pipe = owner;
    pipe->busy = true;
    if (pipe->pcb->sent != NULL)
        (void)pipe->pcb->sent(pipe->pcb->arg, pipe->pcb, 0);
    leave(pipe);
}

static const struct sim_stream_events events = {on_opened, on_data, on_ended, on_writable};

/* ---- what lwIP asks for ------------------------------------------------------------------ */

static err_t pipe_connect(struct altcp_pcb *pcb, const ip_addr_t *address, u16_t port,
                          altcp_connected_fn connected)
{
    struct pipe *pipe = pipe_of(pcb);
    (void)address, (void)port;
    pcb->connected = connected;
    pipe->stream =
        net_stream_open(pipe->config->host, pipe->config->port, pipe->config->tls, &events, pipe);
    return pipe->stream != NULL ? ERR_OK : ERR_MEM;
}

static err_t pipe_bind(struct altcp_pcb *pcb, const ip_addr_t *address, u16_t port)
{
    (void)pcb, (void)address, (void)port;
    return ERR_OK;
}

static void pipe_recved(struct altcp_pcb *pcb, u16_t size)
{
    (void)pcb, (void)size; /* the stream has seen to that */
}

static err_t pipe_write(struct altcp_pcb *pcb, const void *data, u16_t size, u8_t flags)
{
    struct pipe *pipe = pipe_of(pcb);
    (void)flags;
    pipe->config->sent_ms = net_now_ms(NULL);
    return net_stream_send(pipe->stream, data, size) == size ? ERR_OK : ERR_CONN;
}

static err_t pipe_output(struct altcp_pcb *pcb)
{
    (void)pcb;
    return ERR_OK;
}

static u16_t pipe_sndbuf(struct altcp_pcb *pcb)
{
    size_t unsent = net_stream_unsent(pipe_of(pcb)->stream);
    return unsent < OUT_ROOM ? (u16_t)(OUT_ROOM - unsent) : 0;
}

static err_t end_pipe(struct altcp_pcb *pcb, bool reset)
{
    struct pipe *pipe = pipe_of(pcb);
    net_stream_close(pipe->stream, reset);
    pipe->pcb = NULL;
    altcp_free(pcb);
    if (!pipe->busy)
        free(pipe);
    return ERR_OK;
}

static err_t pipe_close(struct altcp_pcb *pcb)
{
    return end_pipe(pcb, false);
}

static void pipe_abort(struct altcp_pcb *pcb)
{
    (void)end_pipe(pcb, true);
}

static const struct altcp_functions functions = {
    .recved = pipe_recved,
    .bind = pipe_bind,
    .connect = pipe_connect,
    .abort = pipe_abort,
    .close = pipe_close,
    .write = pipe_write,
    .output = pipe_output,
    .sndbuf = pipe_sndbuf,
};

struct altcp_pcb *altcp_tls_wrap(struct altcp_tls_config *config, struct altcp_pcb *inner)
{
    struct pipe *pipe = calloc(1, sizeof *pipe);
    struct altcp_pcb *pcb = altcp_alloc();
    (void)altcp_close(inner); /* a stream makes a connection of its own */
    if (pipe == NULL || pcb == NULL) {
        free(pipe);
        if (pcb != NULL)
            altcp_free(pcb);
        return NULL;
    }
    pipe->pcb = pcb;
    pipe->config = config;
    mqtt_cut_reset(&pipe->cut);
    pcb->fns = &functions;
    pcb->state = pipe;
    return pcb;
}

void mqtt_pipe_send(struct altcp_pcb *pipe, const void *data, uint16_t size)
{
    (void)pipe_write(pipe, data, size, 0);
}

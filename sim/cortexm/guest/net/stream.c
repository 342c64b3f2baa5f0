/* What lwIP calls back only notes what has happened; net_streams_turn() looks at every stream and
 * tells. So nobody is called from inside lwIP, and may close, open and send as he likes. */
#include "sim/cortexm/guest/net/stream.h"

#include "sim/cortexm/guest/net/stack.h"
#include "sim/cortexm/guest/net/tls.h"

#include <lwip/dns.h>
#include <lwip/tcp.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST      256
#define CLEAR     2048  /* bytes of TLS taken at once */
#define LINGER_MS 3000u /* what was sent may take so long after a close */

enum phase {
    PHASE_LOOK_UP, /* to begin with; waits for an address of our own, too */
    PHASE_LOOKING, /* a name server was asked */
    PHASE_CONNECTING,
    PHASE_HANDSHAKE,
    PHASE_OPEN,
    PHASE_OVER,    /* `ended` was told, or a failure to open */
    PHASE_LEAVING, /* nobody owns it any more */
    PHASE_GONE
};

struct net_stream {
    struct net_stream *next;
    enum phase phase;
    char host[HOST];
    uint16_t port;
    bool use_tls;
    const struct sim_stream_events *events;
    void *owner;
    ip_addr_t address;
    struct tcp_pcb *pcb; /* NULL: lwIP has let go of it */
    int failure;         /* what lwIP has told */
    bool connected;
    bool finished; /* the other side sends nothing more */
    bool arrived;  /* something of ours, over there */
    struct pbuf *in;
    struct tls_session *tls;
    uint8_t *out; /* not yet with lwIP */
    size_t out_size;
    size_t out_room;
    uint64_t leave_by;
    const char *reason;
};

static struct net_stream *streams;

/* ---- what lwIP calls --------------------------------------------------------------------- */

static err_t on_connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    struct net_stream *stream = context;
    (void)pcb;
    stream->connected = error == ERR_OK;
    return ERR_OK;
}

static void on_error(void *context, err_t error)
{
    struct net_stream *stream = context;
    stream->pcb = NULL;
    stream->failure = OTA_E_DISCONNECTED;
    if (stream->reason[0] == '\0')
        stream->reason = error == ERR_RST ? "Connection refused" : "no answer";
}

static err_t on_received(void *context, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct net_stream *stream = context;
    (void)error;
    if (data == NULL) {
        stream->finished = true;
    } else if (stream->phase >= PHASE_OVER) {
        tcp_recved(pcb, data->tot_len);
        pbuf_free(data);
    } else if (stream->in == NULL) {
        stream->in = data;
    } else {
        pbuf_cat(stream->in, data);
    }
    return ERR_OK;
}

static err_t on_sent(void *context, struct tcp_pcb *pcb, u16_t size)
{
    struct net_stream *stream = context;
    (void)pcb, (void)size;
    stream->arrived = true;
    return ERR_OK;
}

static void on_found(const char *name, const ip_addr_t *address, void *context)
{
    struct net_stream *stream = streams;
    (void)name;
    while (stream != NULL && (stream != context || stream->phase != PHASE_LOOKING))
        stream = stream->next;
    if (stream == NULL)
        return; /* closed meanwhile */
    if (address == NULL) {
        stream->failure = OTA_E_CONNECT;
        stream->reason = "Name or service not known";
        return;
    }
    stream->address = *address;
    stream->phase = PHASE_CONNECTING;
}

/* ---- sending ----------------------------------------------------------------------------- */

static bool keep(struct net_stream *stream, const void *data, size_t size)
{
    size_t need = stream->out_size + size;
    if (need > stream->out_room) {
        uint8_t *out = realloc(stream->out, 2 * need);
        if (out == NULL)
            return false;
        stream->out = out;
        stream->out_room = 2 * need;
    }
    memcpy(stream->out + stream->out_size, data, size);
    stream->out_size = need;
    return true;
}

/* Gives lwIP what it has room for. */
static void pump(struct net_stream *stream)
{
    size_t size = stream->out_size;
    if (stream->pcb == NULL || size == 0 || !stream->connected)
        return;
    if (size > tcp_sndbuf(stream->pcb))
        size = tcp_sndbuf(stream->pcb);
    if (size == 0 ||
        tcp_write(stream->pcb, stream->out, (u16_t)size, TCP_WRITE_FLAG_COPY) != ERR_OK)
        return;
    stream->out_size -= size;
    memmove(stream->out, stream->out + size, stream->out_size);
    (void)tcp_output(stream->pcb);
}

/* What cannot be sent any more is not told: whoever has written reads next, and finds first what
 * the server still said (why it refuses us), and then the end. */
static int wire_send(void *context, const unsigned char *data, size_t size)
{
    struct net_stream *stream = context;
    return stream->pcb == NULL || keep(stream, data, size) ? (int)size : -1;
}

size_t net_stream_send(struct net_stream *stream, const void *data, size_t size)
{
    if (stream->phase != PHASE_OPEN || stream->pcb == NULL)
        return 0;
    bool good = stream->tls != NULL ? tls_write(stream->tls, data, size) == OTA_OK
                                    : keep(stream, data, size);
    pump(stream);
    return good ? size : 0;
}

size_t net_stream_unsent(const struct net_stream *stream)
{
    return stream->out_size;
}

/* ---- receiving --------------------------------------------------------------------------- */

/* The first `size` bytes of what has come are read. */
static void drop_received(struct net_stream *stream, size_t size)
{
    stream->in = pbuf_free_header(stream->in, (u16_t)size);
    if (stream->pcb != NULL)
        tcp_recved(stream->pcb, (u16_t)size);
}

static int wire_receive(void *context, unsigned char *data, size_t size)
{
    struct net_stream *stream = context;
    if (stream->in == NULL)
        return stream->finished || stream->pcb == NULL ? 0 : -TLS_WAITS;
    size_t part = pbuf_copy_partial(stream->in, data, (u16_t)(size < 0xffff ? size : 0xffff), 0);
    drop_received(stream, part);
    return (int)part;
}

static void tell_end(struct net_stream *stream, int code)
{
    stream->phase = PHASE_OVER;
    stream->events->ended(stream->owner, code);
}

static void read_clear(struct net_stream *stream)
{
    while (stream->phase == PHASE_OPEN && stream->in != NULL) {
        struct pbuf *part = stream->in;
        pbuf_ref(part); /* the owner may close the stream while he reads */
        stream->events->data(stream->owner, part->payload, part->len);
        uint16_t length = part->len;
        if (stream->phase == PHASE_OPEN)
            drop_received(stream, length);
        pbuf_free(part);
    }
    if (stream->phase == PHASE_OPEN && (stream->finished || stream->pcb == NULL))
        tell_end(stream, stream->finished ? OTA_OK : OTA_E_DISCONNECTED);
}

static void read_tls(struct net_stream *stream)
{
    static uint8_t clear[CLEAR];
    while (stream->phase == PHASE_OPEN) {
        int size = tls_read(stream->tls, clear, sizeof clear);
        if (size == -TLS_WAITS)
            return;
        if (size > 0)
            stream->events->data(stream->owner, clear, (size_t)size);
        else
            tell_end(stream, size);
    }
}

/* ---- opening ----------------------------------------------------------------------------- */

static void tell_opened(struct net_stream *stream, int code)
{
    stream->phase = code == OTA_OK ? PHASE_OPEN : PHASE_OVER;
    stream->events->opened(stream->owner, code);
}

static void fail_look_up(struct net_stream *stream, const char *reason)
{
    stream->reason = reason;
    tell_opened(stream, OTA_E_CONNECT);
}

/* This machine, for whoever gives the names, is the one that runs the emulator. */
static bool means_host(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0;
}

static void look_up(struct net_stream *stream)
{
    const ip_addr_t *host = net_host_address();
    if (host == NULL)
        return;
    stream->phase = PHASE_LOOKING;
    if (means_host(stream->host)) {
        stream->address = *host;
        stream->phase = PHASE_CONNECTING;
        return;
    }
    err_t error = dns_gethostbyname(stream->host, &stream->address, on_found, stream);
    if (error == ERR_OK)
        stream->phase = PHASE_CONNECTING;
    else if (error != ERR_INPROGRESS)
        fail_look_up(stream, "Name or service not known");
}

static void begin_connect(struct net_stream *stream)
{
    stream->pcb = tcp_new();
    if (stream->pcb == NULL) {
        fail_look_up(stream, "out of memory");
        return;
    }
    tcp_arg(stream->pcb, stream);
    tcp_err(stream->pcb, on_error);
    tcp_recv(stream->pcb, on_received);
    tcp_sent(stream->pcb, on_sent);
    tcp_nagle_disable(stream->pcb);
    if (tcp_connect(stream->pcb, &stream->address, stream->port, on_connected) != ERR_OK)
        fail_look_up(stream, "no way there");
}

/* True: there is more to do. */
static bool step_connecting(struct net_stream *stream)
{
    if (stream->failure != OTA_OK) {
        tell_opened(stream, OTA_E_CONNECT);
    } else if (stream->pcb == NULL) {
        begin_connect(stream);
    } else if (stream->connected && stream->tls != NULL) {
        stream->phase = PHASE_HANDSHAKE;
        return true;
    } else if (stream->connected) {
        tell_opened(stream, OTA_OK);
    }
    return false;
}

/* True: there is more to do. */
static bool step_handshake(struct net_stream *stream)
{
    int code = tls_handshake(stream->tls);
    pump(stream);
    if (code == TLS_WAITS || code == TLS_GOES_ON)
        return code == TLS_GOES_ON;
    if (code == OTA_E_DISCONNECTED)
        stream->reason = "no answer";
    else if (code != OTA_OK)
        stream->reason = ota_err_text(code);
    tell_opened(stream, code);
    return true;
}

static void step_open(struct net_stream *stream)
{
    bool arrived = stream->arrived;
    stream->arrived = false;
    if (stream->tls != NULL)
        read_tls(stream);
    else
        read_clear(stream);
    if (arrived && stream->phase == PHASE_OPEN && stream->events->writable != NULL)
        stream->events->writable(stream->owner);
}

/* ---- closing ----------------------------------------------------------------------------- */

static void abandon(struct net_stream *stream)
{
    if (stream->pcb != NULL) {
        struct tcp_pcb *pcb = stream->pcb;
        stream->pcb = NULL;
        tcp_arg(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_abort(pcb);
    }
    stream->phase = PHASE_GONE;
}

static void step_leaving(struct net_stream *stream)
{
    struct tcp_pcb *pcb = stream->pcb;
    if (pcb == NULL) {
        stream->phase = PHASE_GONE;
    } else if (net_now_ms(NULL) >= stream->leave_by) {
        abandon(stream);
    } else if (stream->out_size == 0) {
        tcp_arg(pcb, NULL);
        tcp_err(pcb, NULL);
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        if (tcp_close(pcb) == ERR_OK) {
            stream->pcb = NULL;
            stream->phase = PHASE_GONE;
        } else {
            abandon(stream);
        }
    }
}

void net_stream_close(struct net_stream *stream, bool reset)
{
    if (stream == NULL)
        return;
    bool polite = !reset && stream->connected && stream->pcb != NULL;
    if (polite && stream->tls != NULL && stream->phase == PHASE_OPEN)
        tls_goodbye(stream->tls);
    stream->phase = PHASE_LEAVING;
    stream->leave_by = net_now_ms(NULL) + LINGER_MS;
    if (stream->in != NULL) /* or lwIP resets the connection, and what was sent may be lost */
        drop_received(stream, stream->in->tot_len);
    if (polite)
        pump(stream);
    else
        abandon(stream);
}

static void forget(struct net_stream *stream)
{
    if (stream->in != NULL)
        pbuf_free(stream->in);
    tls_free(stream->tls);
    free(stream->out);
    free(stream);
}

/* ---- life -------------------------------------------------------------------------------- */

struct net_stream *net_stream_open(const char *host, uint16_t port, bool tls,
                                   const struct sim_stream_events *events, void *owner)
{
    static const struct tls_wire wire = {wire_send, wire_receive};
    struct net_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL || strlen(host) >= HOST) {
        free(stream);
        return NULL;
    }
    strcpy(stream->host, host);
    stream->port = port;
    stream->events = events;
    stream->owner = owner;
    stream->reason = "";
    if (tls && (stream->tls = tls_open(host, &wire, stream)) == NULL) {
        free(stream);
        return NULL;
    }
    stream->next = streams;
    streams = stream;
    return stream;
}

const char *net_stream_reason(const struct net_stream *stream)
{
    return stream->reason;
}

/* True: there is more to do. */
static bool step(struct net_stream *stream)
{
    bool more = false;
    pump(stream);
    switch (stream->phase) {
    case PHASE_LOOK_UP:
        look_up(stream);
        break;
    case PHASE_LOOKING:
        if (stream->failure != OTA_OK)
            tell_opened(stream, OTA_E_CONNECT);
        break;
    case PHASE_HANDSHAKE:
        more = step_handshake(stream);
        break;
    case PHASE_OPEN:
        step_open(stream);
        break;
    case PHASE_LEAVING:
        step_leaving(stream);
        break;
    default:
        break;
    }
    if (stream->phase == PHASE_CONNECTING)
        more = step_connecting(stream);
    return more;
}

bool net_streams_turn(void)
{
    bool more = false;
    for (struct net_stream *stream = streams; stream != NULL; stream = stream->next)
        more = step(stream) || more;
    struct net_stream **at = &streams;
    while (*at != NULL) {
        struct net_stream *stream = *at;
        if (stream->phase == PHASE_GONE) {
            *at = stream->next;
            forget(stream);
        } else {
            at = &stream->next;
        }
    }
    return more;
}

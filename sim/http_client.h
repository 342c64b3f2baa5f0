/* The HTTP seam over any streams: HTTP/1.1, read with http-parser. It behaves as the one on libcurl
 * (sim/posix/http.h), event for event: one request at a time, HEAD stands for the final answer and
 * comes with the first byte of its body or with the end, redirects (five at most; from https to
 * https only) keep their method, up to four connections are kept alive between requests, and a
 * request on a connection that the server had closed is made once more.
 *
 * Virtual world and Cortex-M have this one; they differ in where connections come from. */
#ifndef NOBRICK_SIM_HTTP_CLIENT_H
#define NOBRICK_SIM_HTTP_CLIENT_H

#include "sim/world.h"

/* Where connections come from. An end belongs to the client until it closes it. */
struct sim_http_net {
    void *context;
    const struct sim_world *time; /* for its clocks only */
    /* False: there is no such host. True when only opening can tell. */
    bool (*find)(void *context, const char *host);
    /* The certificate must be for `host`. NULL when memory runs out; whatever else fails comes as
     * opened(code). The events are those of a stream; `writable` is not wanted. */
    void *(*open)(void *context, const char *host, uint16_t port, bool tls,
                  const struct sim_stream_events *events, void *owner);
    size_t (*send)(void *end, const void *data, size_t size); /* everything, or 0 */
    void (*close)(void *end, bool reset);
};

struct sim_http_client_config {
    const char *host;    /* of requests without one; NULL: 127.0.0.1. Outlives the client */
    uint16_t port;       /* there; 0: there is no such server */
    bool use_tls;        /* with it */
    uint32_t connect_ms; /* 0: 10 s */
    uint32_t stall_ms;   /* nothing, or next to nothing, arrives for so long. 0: 30 s */
};

struct sim_http_client;

/* `deliver` is called from events of connections and clocks, never from within a call of the port.
 * It may make the next request and cancel, but not free. NULL when out of memory. `config` is
 * copied, `net` is not. */
struct sim_http_client *
sim_http_client_new(const struct sim_http_net *net, const struct sim_http_client_config *config,
                    void (*deliver)(void *context, const struct ota_event *event), void *context);
void sim_http_client_free(struct sim_http_client *http); /* NULL is fine */
/* The power is gone: every connection is reset, without a goodbye, and nothing is delivered any
 * more. Also from inside `deliver`; what is left is to free it. */
void sim_http_client_power_off(struct sim_http_client *http);
const struct http_port *sim_http_client_port(struct sim_http_client *http);

/* Why the last request failed, for people; "" when it did not. */
const char *sim_http_client_reason(const struct sim_http_client *http);

/* Bytes of answers so far, headers and redirects included, TLS overhead not. */
uint64_t sim_http_client_received(const struct sim_http_client *http);

#endif

/* The HTTP seam of the virtual world: HTTP/1.1 over the world's streams, read with http-parser. It
 * behaves as the one on libcurl (sim/posix/http.h), event for event: one request at a time, HEAD
 * stands for the final answer and comes with the first byte of its body or with the end, redirects
 * (five at most; from https to https only) keep their method, up to four connections are kept alive
 * between requests, and a request on a connection that the server had closed is made once more.
 *
 * Which hosts there are, sim/virtual/names.h says; all of them are this machine. */
#ifndef NOBRICK_SIM_VIRTUAL_HTTP_H
#define NOBRICK_SIM_VIRTUAL_HTTP_H

#include "agent/ports.h"
#include "sim/virtual/names.h"
#include "sim/virtual/tls.h"

struct virtual_http;

struct virtual_http_config {
    const char *host; /* of requests without one; NULL: 127.0.0.1. Outlives the client */
    uint16_t port;    /* there; 0: there is no such server */
    bool use_tls;     /* with it */
    struct virtual_tls_client tls; /* of every request that uses TLS */
    struct virtual_names *names;   /* faults of look-ups; NULL: none */
    uint32_t connect_ms;           /* 0: 10 s */
    uint32_t stall_ms;             /* nothing, or next to nothing, arrives for so long. 0: 30 s */
};

/* `deliver` is called from the world's run, never from within a call of the port. It may make the
 * next request and cancel, but not free. NULL when out of memory. `config` is copied. Must be freed
 * before the world. */
struct virtual_http *virtual_http_new(const struct sim_world *world,
                                      const struct virtual_http_config *config,
                                      void (*deliver)(void *context, const struct ota_event *event),
                                      void *context);
void virtual_http_free(struct virtual_http *http);
/* The power is gone: every connection is reset, without a goodbye, and nothing is delivered any
 * more. Also from inside `deliver`; what is left is to free it. */
void virtual_http_power_off(struct virtual_http *http);
const struct http_port *virtual_http_port(struct virtual_http *http);

/* Why the last request failed, for people; "" when it did not. */
const char *virtual_http_reason(const struct virtual_http *http);

/* Bytes of answers so far, headers and redirects included, TLS overhead not. */
uint64_t virtual_http_received(const struct virtual_http *http);

#endif

/* The HTTP seam on libcurl, driven by the loop: one thread, one request at a time, connections kept
 * alive between requests. Neither header nor body is ever held whole: what arrives is handed on in
 * the pieces in which it arrives.
 *
 * HEAD stands for the final answer, after redirects (five at most; from https to https only). The
 * server's certificate and name are always checked; how that failed is told apart in DONE.code. */
#ifndef NOBRICK_SIM_POSIX_HTTP_H
#define NOBRICK_SIM_POSIX_HTTP_H

#include "agent/ports.h"
#include "sim/posix/loop.h"

struct posix_http;

struct posix_http_config {
    char host[256]; /* of requests without a host; "": there is no such server */
    uint16_t port;
    bool tls;
    const char *ca_path; /* PEM files; NULL: the system's authorities, no client certificate */
    const char *cert_path;
    const char *key_path;
    uint32_t connect_ms; /* 0: 10 s */
    uint32_t stall_ms;   /* nothing, or next to nothing, arrives for so long. 0: 30 s */
};

/* Parses http://HOST[:PORT] or https://HOST[:PORT] into host, port and tls; clears the rest.
 * OTA_E_ARGUMENT otherwise. */
OTA_MUST_CHECK int posix_http_url(const char *url, struct posix_http_config *out);

/* `deliver` is called in the loop's thread, never from within a call of the port. It may make the
 * next request and cancel, but not free. NULL when out of memory. `config` is copied, the paths in
 * it are not. Must be freed before the loop. */
struct posix_http *posix_http_new(struct posix_loop *loop, const struct posix_http_config *config,
                                  void (*deliver)(void *context, const struct ota_event *event),
                                  void *context);
void posix_http_free(struct posix_http *http);
const struct http_port *posix_http_port(struct posix_http *http);

/* "HOST:PORT" of the last request, before any redirect; "" before. */
const char *posix_http_peer(const struct posix_http *http);
/* Why the last request failed, for people; "" when it did not. */
const char *posix_http_reason(const struct posix_http *http);

/* Bytes of answers so far, headers and redirects included, TLS and TCP overhead not. */
uint64_t posix_http_received(const struct posix_http *http);

#endif

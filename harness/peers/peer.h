/* What a cloud side over HTTP stands on: a server that hands it requests and sends its replies.
 * harness/peers/http_server.h fills this in with libmicrohttpd and real sockets,
 * harness/peers/virtual_server.h with the streams of a virtual world.
 *
 * Everything is called in one thread. A request is valid only while its handler runs, and before it
 * returns the handler calls `reply` or `later`, once. HEAD requests get the reply of a GET: the
 * server leaves the body out. */
#ifndef NOBRICK_HARNESS_PEERS_PEER_H
#define NOBRICK_HARNESS_PEERS_PEER_H

#include "agent/ports.h"

#define NB_PEER_BODY 1024u /* of a request: the rest of a longer one is not kept */

struct nb_peer_exchange; /* one request on its way; the server's */

struct nb_peer_request {
    struct nb_peer_exchange *exchange;
    const char *method;
    const char *path; /* escapes undone, without the query */
    const char *body; /* of `body_size` bytes, and a NUL */
    size_t body_size;
    bool body_cut; /* it was longer */
    bool again;    /* after `later` */
};

struct nb_peer_header {
    const char *name;
    const char *value;
};

/* Status, headers (Content-Length is the server's own) and a body. */
struct nb_peer_reply {
    unsigned status;
    const struct nb_peer_header *headers;
    size_t header_count;
    const void *body;
    size_t body_size;
    /* Called once with `owner`, when the body is not needed any more, also if `reply` failed. NULL:
     * the body is copied. */
    void (*release)(void *owner);
    void *owner;
};

struct nb_peer_handler {
    void (*request)(void *owner, const struct nb_peer_request *request);
    void (*complain)(void *owner, const char *text); /* about what was no request */
    void *owner;
};

struct nb_peer_server {
    void *context;
    uint16_t port;
    bool tls;
    /* From now on requests go to this handler (copied); NULL: they are turned away. */
    void (*serve)(void *context, const struct nb_peer_handler *handler);
    /* The value of a header of the request, any case; NULL: it has none. */
    const char *(*header)(const struct nb_peer_exchange *exchange, const char *name);
    /* OTA_E_NO_SPACE: the connection is closed instead. */
    int (*reply)(struct nb_peer_exchange *exchange, const struct nb_peer_reply *reply);
    /* The handler is called with the same request again after `ms`. OTA_E_NO_SPACE: it will not,
     * and still has to reply. */
    int (*later)(struct nb_peer_exchange *exchange, uint32_t ms);
};

#endif

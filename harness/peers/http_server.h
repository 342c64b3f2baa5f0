/* libmicrohttpd on the posix loop: a listening socket, TLS, and the daemon's own timeouts. What the
 * requests mean is the handler's to know. Everything is called in the loop's thread. */
#ifndef NOBRICK_HARNESS_PEERS_HTTP_SERVER_H
#define NOBRICK_HARNESS_PEERS_HTTP_SERVER_H

#include "sim/posix/loop.h"

#include <microhttpd.h>

struct nb_http_server;

struct nb_http_server_config {
    const char *address;   /* NULL: 127.0.0.1 */
    uint16_t port;         /* 0: any that is free */
    const char *cert_path; /* PEM; NULL: plain HTTP */
    const char *key_path;
    const char *ca_path; /* NULL: clients need no certificate */
    MHD_AccessHandlerCallback handle;
    MHD_RequestCompletedCallback completed;
    void (*complain)(void *context, const char *text); /* about a broken request or connection */
    void *context;
};

/* NULL with a one-line reason. `config` is not kept. */
struct nb_http_server *nb_http_server_new(struct posix_loop *loop,
                                          const struct nb_http_server_config *config, char *reason,
                                          size_t reason_size);
/* Closes every connection; the handler's `completed` is called for requests under way. */
void nb_http_server_free(struct nb_http_server *server);
uint16_t nb_http_server_port(const struct nb_http_server *server);

/* The handler of this request is called again after `ms`; it must return MHD_YES at once. */
OTA_MUST_CHECK int nb_http_server_delay(struct nb_http_server *server,
                                        struct MHD_Connection *connection, uint32_t ms);

#endif

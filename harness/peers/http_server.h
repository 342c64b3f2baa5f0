/* The HTTP server of the posix world: libmicrohttpd on the posix loop, with a listening socket,
 * TLS, and the daemon's own time-outs. It serves what harness/peers/peer.h says, in the loop's
 * thread. */
#ifndef NOBRICK_HARNESS_PEERS_HTTP_SERVER_H
#define NOBRICK_HARNESS_PEERS_HTTP_SERVER_H

#include "harness/peers/peer.h"
#include "sim/posix/loop.h"

struct nb_http_server;

struct nb_http_server_config {
    const char *address;   /* numeric or a name of this machine; NULL: 127.0.0.1 */
    uint16_t port;         /* 0: any that is free */
    const char *cert_path; /* PEM files; with certificate and key it is HTTPS */
    const char *key_path;
    const char *ca_path; /* clients must show a certificate signed by it; NULL: anybody */
};

/* NULL with a one-line reason. `config` is not kept. Must be freed before the loop. */
struct nb_http_server *nb_http_server_new(struct posix_loop *loop,
                                          const struct nb_http_server_config *config, char *reason,
                                          size_t reason_size);
/* Closes every connection. NULL is fine. */
void nb_http_server_free(struct nb_http_server *server);

/* Valid as long as the server. */
const struct nb_peer_server *nb_http_server_peer(const struct nb_http_server *server);

#endif

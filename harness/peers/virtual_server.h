/* The HTTP server of a virtual world: HTTP/1.1 over its streams, read with http-parser, plain or
 * with modelled TLS. Connections are kept open, requests of one are answered in their order, a
 * request's line and headers may have 8 KiB (431). There are no dates in its replies and no
 * time-outs: a run repeats itself exactly. */
#ifndef NOBRICK_HARNESS_PEERS_VIRTUAL_SERVER_H
#define NOBRICK_HARNESS_PEERS_VIRTUAL_SERVER_H

#include "harness/peers/peer.h"
#include "sim/virtual/tls.h"

struct nb_virtual_server;

struct nb_virtual_server_config {
    uint16_t port;                        /* 0: any that is free */
    const struct virtual_tls_server *tls; /* copied; NULL: plain HTTP */
};

/* OTA_E_BUSY: somebody listens there. Must be freed before the world. */
OTA_MUST_CHECK int nb_virtual_server_new(const struct sim_world *world,
                                         const struct nb_virtual_server_config *config,
                                         struct nb_virtual_server **out);
/* Closes every connection. NULL is fine; not from within the handler. */
void nb_virtual_server_free(struct nb_virtual_server *server);

/* Valid as long as the server. */
const struct nb_peer_server *nb_virtual_server_peer(const struct nb_virtual_server *server);

#endif

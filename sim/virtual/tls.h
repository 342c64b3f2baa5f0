/* Modelled TLS over a stream of the virtual world, for both sides. A model: it plays the handshake
 * (who shows which certificate, who refuses whom) and notices every byte that is changed, lost or
 * cut off, as TLS does, but it keeps no secrets and checks no real certificate.
 *
 * One end of a connection is a struct virtual_tls. It has the events of a stream (sim/world.h), and
 * without a TLS configuration (NULL) it is the bare stream, at no cost: so clients and servers have
 * one way for both. Like a stream of the virtual world it takes every byte at once. Whoever asked
 * for it owns it, and frees it with virtual_tls_close, also from inside its own callbacks; before
 * the world.
 *
 * What the events say with TLS:
 *   opened  of the client only: 0 when the handshake is over; OTA_E_CONNECT when there is nobody;
 *           OTA_E_DISCONNECTED when the connection broke during the handshake; OTA_E_TLS… when the
 *           handshake failed. After a code other than 0 nothing else comes.
 *   data    what the other side sent, in order and whole
 *   ended   0 when the other side said so by an alert of TLS: sending is still possible, as with a
 *           stream; OTA_E_DISCONNECTED when the stream ended otherwise, a record was damaged, or
 *           (server) the handshake failed */
#ifndef NOBRICK_SIM_VIRTUAL_TLS_H
#define NOBRICK_SIM_VIRTUAL_TLS_H

#include "sim/world.h"

/* What a server shows. */
enum virtual_server_cert {
    VIRTUAL_CERT_GOOD,       /* for localhost and 127.0.0.1 */
    VIRTUAL_CERT_UNKNOWN_CA, /* signed by an authority that nobody knows here */
    VIRTUAL_CERT_IMPOSTOR,   /* signed by an authority that calls itself like ours */
    VIRTUAL_CERT_SELF_SIGNED,
    VIRTUAL_CERT_EXPIRED,
    VIRTUAL_CERT_EARLY,      /* not valid yet */
    VIRTUAL_CERT_WRONG_NAME, /* for ota.example.org */
    VIRTUAL_SERVER_CERTS
};

/* What a client shows, when it is asked. */
enum virtual_client_cert {
    VIRTUAL_CLIENT_NONE,
    VIRTUAL_CLIENT_GOOD,
    VIRTUAL_CLIENT_STRANGER, /* signed by somebody else's authority */
};

struct virtual_tls_client {
    enum virtual_client_cert shows;
};

struct virtual_tls_server {
    enum virtual_server_cert shows;
    bool wants_client; /* a client must show a good one */
};

struct virtual_tls;

/* Connects to `port`. `name` is what the server's certificate is to be for. NULL when memory runs
 * out; any other failure comes as opened(code). `tls` NULL: no TLS. */
struct virtual_tls *virtual_tls_connect(const struct sim_world *world, uint16_t port,
                                        const char *name, const struct virtual_tls_client *tls,
                                        const struct sim_stream_events *events, void *owner);

/* Takes over a stream, inside `accepted` of its listener. NULL when memory runs out: the stream is
 * closed then. `tls` NULL: no TLS. */
struct virtual_tls *virtual_tls_accept(const struct sim_world *world, struct sim_stream *stream,
                                       const struct virtual_tls_server *tls,
                                       const struct sim_stream_events *events, void *owner);

/* As the calls of sim_world with these names. send: everything or, when the connection is gone or
 * not open yet, 0. */
size_t virtual_tls_send(struct virtual_tls *end, const void *data, size_t size);
void virtual_tls_pause(struct virtual_tls *end, bool paused);
void virtual_tls_end(struct virtual_tls *end);
void virtual_tls_close(struct virtual_tls *end, bool reset); /* NULL is fine */

/* The code for a server's certificate, as the clients of the posix world give it, when the client
 * wants `name`. */
int virtual_tls_verdict(enum virtual_server_cert shows, const char *name);

#endif

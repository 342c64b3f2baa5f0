/* A connection to a server by its name, with TLS or without: look-up, TCP, TLS, and buffers.
 *
 * Whoever asks for a stream owns it until net_stream_close, which is allowed in its events too.
 * Events (sim/world.h) come from net_turn() only:
 *   opened  0; OTA_E_CONNECT: no such host, or nobody listens; OTA_E_DISCONNECTED: it broke during
 *           the handshake; OTA_E_TLS…: the handshake failed. After a failure nothing else comes
 *   data    what was received; the sender is held up meanwhile
 *   ended   0: in order (with TLS: announced by TLS); OTA_E_DISCONNECTED otherwise
 *   writable   something has arrived over there */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_STREAM_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_STREAM_H

#include "sim/world.h"

struct net_stream;

/* `tls`: the certificate must be for `host`. NULL when memory runs out. Neither text is kept. */
struct net_stream *net_stream_open(const char *host, uint16_t port, bool tls,
                                   const struct sim_stream_events *events, void *owner);
/* Takes every byte, or none when the connection is gone or memory runs out: 0 then. */
size_t net_stream_send(struct net_stream *stream, const void *data, size_t size);
size_t net_stream_unsent(const struct net_stream *stream);
/* What was sent still goes out, for a while; with `reset` it does not. NULL is fine. */
void net_stream_close(struct net_stream *stream, bool reset);
/* Why there is no connection, for people; static. */
const char *net_stream_reason(const struct net_stream *stream);

bool net_streams_turn(void); /* of net_turn. True: one has more to do */

#endif

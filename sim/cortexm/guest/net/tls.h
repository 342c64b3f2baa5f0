/* TLS of the Cortex-M: Mbed TLS as a client. A server is refused unless a trusted authority signed
 * its certificate, today lies between its dates, and it is for the host that was asked for; why, is
 * told with the words of the posix world. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_TLS_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_TLS_H

#include "agent/ports.h"

struct tls_session;

/* Once, first. */
OTA_MUST_CHECK int tls_start(void);

/* PEM of certificates or of a private key: whom to trust, what to show (the device's own
 * certificate first, then those that lead to its authority), and the key that belongs to it. `size`
 * counts a NUL at the end; the text is not kept. OTA_E_TLS: cannot be read. */
OTA_MUST_CHECK int tls_trust(const uint8_t *pem, size_t size);
OTA_MUST_CHECK int tls_show(const uint8_t *pem, size_t size);
OTA_MUST_CHECK int tls_set_key(const uint8_t *pem, size_t size);

#define TLS_WAITS   1 /* for bytes of the other side */
#define TLS_GOES_ON 2 /* call again */

/* How bytes get in and out. */
struct tls_wire {
    int (*send)(void *context, const unsigned char *data, size_t size); /* all of it, or < 0 */
    /* How many were there; 0: none will ever be; -TLS_WAITS: none now. */
    int (*receive)(void *context, unsigned char *data, size_t size);
};

/* NULL when memory runs out. */
struct tls_session *tls_open(const char *host, const struct tls_wire *wire, void *context);
void tls_free(struct tls_session *session); /* NULL is fine */

/* One step: a handshake takes half a second here, and others have something to do meanwhile. 0: it
 * is done; TLS_GOES_ON; TLS_WAITS; OTA_E_DISCONNECTED; or OTA_E_TLS…: why it failed. */
int tls_handshake(struct tls_session *session);
/* > 0: so many bytes; 0: the other side said that nothing follows; else -TLS_WAITS or
 * OTA_E_DISCONNECTED. */
int tls_read(struct tls_session *session, uint8_t *data, size_t size);
/* All of it, or OTA_E_DISCONNECTED. */
int tls_write(struct tls_session *session, const void *data, size_t size);
void tls_goodbye(struct tls_session *session);
#endif

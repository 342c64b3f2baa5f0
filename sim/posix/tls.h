/* What both TLS clients of the posix world share: OpenSSL's verdict on a server's certificate.
 *
 * Neither Paho nor curl always hands it out, so OpenSSL itself is watched: it tells when it drops
 * the record of a verification, in the thread of the handshake, and there the verdict is noted. */
#ifndef NOBRICK_SIM_POSIX_TLS_H
#define NOBRICK_SIM_POSIX_TLS_H

#include "agent/errors.h"

/* Must be called before the first handshake; more than once does no harm. */
void posix_tls_watch(void);

/* Of the last verification in this thread since posix_tls_forget: OTA_OK, OTA_E_TLS_CA,
 * OTA_E_TLS_SELF, OTA_E_TLS_IMPOSTOR, OTA_E_TLS_EXPIRED, OTA_E_TLS_NAME, or OTA_E_TLS for all the
 * rest. The name is checked against the server name that the client sent, if it sent one.
 * OTA_E_TLS_DEVICE when the server broke off with an alert about our certificate, or asked for one
 * and we have none, OTA_E_TLS for its other alerts: worth something only when the connection failed
 * before the server answered. */
int posix_tls_verdict(void);
void posix_tls_forget(void);

/* The code for OpenSSL's X509_V_…; OTA_OK for X509_V_OK. */
int posix_tls_code(long verify_result);

#endif

/* Certificates for a run, made on the spot with OpenSSL: good ones and every bad one that a device
 * must refuse. PEM files NAME.crt and NAME.key in one directory; the keys are P-256 and live as
 * long as the directory. */
#ifndef NOBRICK_HARNESS_RUN_CERTS_H
#define NOBRICK_HARNESS_RUN_CERTS_H

#include "agent/ports.h"
#include "harness/script/script.h"

#define NB_CERTS_CA "ca" /* the authority that devices and servers trust */

/* Makes them all. OTA_E_IO when a file or a key cannot be made. */
OTA_MUST_CHECK int nb_certs_make(const char *dir);

/* Name of the certificate that a server shows under that kind of `tls` line. Static. */
const char *nb_certs_server(enum nb_tls kind);
/* Name of the certificate that the device shows, or NULL: none. Static. */
const char *nb_certs_client(enum nb_tls kind);
/* Does the server demand one? */
bool nb_certs_mutual(enum nb_tls kind);

#endif

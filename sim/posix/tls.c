#include "sim/posix/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>

static _Thread_local int verdict;

int posix_tls_code(long verify_result)
{
    switch (verify_result) {
    case X509_V_OK:
        return OTA_OK;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return OTA_E_TLS_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return OTA_E_TLS_NAME;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return OTA_E_TLS_SELF;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* the trusted authority's name, another key */
        return OTA_E_TLS_IMPOSTOR;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_INVALID_CA:
        return OTA_E_TLS_CA;
    default:
        return OTA_E_TLS;
    }
}

static int check_name(X509 *certificate, const char *host)
{
    if (certificate == NULL || host == NULL ||
        X509_check_host(certificate, host, 0, 0, NULL) == 1 ||
        X509_check_ip_asc(certificate, host, 0) == 1)
        return OTA_OK;
    return OTA_E_TLS_NAME;
}

/* The code for a fatal alert of the server's. */
static int alert_code(int description)
{
    switch (description) {
    case SSL3_AD_BAD_CERTIFICATE:
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
    case SSL3_AD_CERTIFICATE_REVOKED:
    case SSL3_AD_CERTIFICATE_EXPIRED:
    case SSL3_AD_CERTIFICATE_UNKNOWN:
    case TLS1_AD_UNKNOWN_CA:
    case TLS1_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED:
        return OTA_E_TLS_DEVICE;
    default:
        return OTA_E_TLS;
    }
}

/* The server refuses us: with TLS 1.3 it may do so after the handshake. A certificate that it wants
 * and does not get is noted too: before TLS 1.3 there is no alert of its own for that. */
static void on_handshake(const SSL *ssl, int what, int value)
{
    bool refused = what == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL;
    bool asked = what == SSL_CB_CONNECT_LOOP && SSL_get_state(ssl) == TLS_ST_CW_CERT &&
                 SSL_get_certificate(ssl) == NULL;
    if ((refused || asked) && verdict == OTA_OK)
        verdict = asked ? OTA_E_TLS_DEVICE : alert_code(value & 0xff);
}

/* With TLS 1.3 the client may speak before the server has judged its certificate. A server that
 * refuses sends its alert and closes; a client that writes just then gets an error and gives up,
 * with the alert unread behind it. So a failed write is not told: whoever has written reads next,
 * and finds first what the server still said, and then the end. */
static long on_socket(BIO *bio, int operation, const char *data, size_t length, int argument,
                      long number, int result, size_t *done)
{
    (void)data, (void)argument, (void)number;
    if (operation != (BIO_CB_WRITE | BIO_CB_RETURN) || result > 0 || BIO_should_retry(bio))
        return result;
    *done = length;
    return 1;
}

/* OpenSSL frees the record of a verification. It also makes such records to find the chain of our
 * own certificate: these belong to no connection. */
static void on_record_freed(void *record, void *value, CRYPTO_EX_DATA *data, int index, long number,
                            void *pointer)
{
    X509_STORE_CTX *verification = record;
    SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
    (void)value, (void)data, (void)index, (void)number, (void)pointer;
    if (ssl == NULL || SSL_is_server(ssl))
        return;
    SSL_set_info_callback(ssl, on_handshake);
    BIO_set_callback_ex(SSL_get_wbio(ssl), on_socket);
    verdict = posix_tls_code(X509_STORE_CTX_get_error(verification));
    if (verdict == OTA_OK)
        verdict = check_name(X509_STORE_CTX_get0_cert(verification),
                             SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

static void watch(void)
{
    (void)X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_record_freed);
}

void posix_tls_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch);
}

int posix_tls_verdict(void)
{
    return verdict;
}

void posix_tls_forget(void)
{
    verdict = OTA_OK;
}

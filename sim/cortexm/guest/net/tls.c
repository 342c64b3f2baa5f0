#include "sim/cortexm/guest/net/tls.h"

#include "sim/cortexm/guest/net/tls_verdict.h"
#include "sim/cortexm/guest/random.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_internal.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_FLAGS (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)

#define MOST_OPERATIONS 500u /* on curves, in one step: a fraction of what a signature takes */

struct tls_session {
    mbedtls_ssl_context ssl;
    const struct tls_wire *wire;
    void *context;
    char host[256];
    bool address; /* the host is one, not a name */
    uint8_t ip[4];
    struct tls_verdict verdict;
};

static struct {
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
} tls;

/* ---- is it the right server? ------------------------------------------------------------- */

static bool same_name(const mbedtls_x509_buf *one, const mbedtls_x509_buf *other)
{
    return one->len == other->len && memcmp(one->p, other->p, one->len) == 0;
}

static bool is_trusted_name(const mbedtls_x509_buf *name)
{
    for (const mbedtls_x509_crt *ca = &tls.ca; ca != NULL && ca->raw.p != NULL; ca = ca->next)
        if (same_name(name, &ca->subject_raw))
            return true;
    return false;
}

/* Mbed TLS compares names only. */
static bool is_for_address(const mbedtls_x509_crt *certificate, const uint8_t ip[4])
{
    const mbedtls_x509_sequence *entry = &certificate->subject_alt_names;
    for (; entry != NULL; entry = entry->next)
        if (entry->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_IP_ADDRESS) &&
            entry->buf.len == 4 && memcmp(entry->buf.p, ip, 4) == 0)
            return true;
    return false;
}

/* Called for every certificate of the chain, the server's own last. */
static int judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct tls_session *session = context;
    struct tls_verdict *verdict = &session->verdict;
    if (depth == 0 && session->address && !is_for_address(certificate, session->ip))
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if ((*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        verdict->untrusted = true;
        verdict->self_signed =
            depth == 0 && same_name(&certificate->issuer_raw, &certificate->subject_raw);
        verdict->trusted_issuer = is_trusted_name(&certificate->issuer_raw);
    }
    verdict->out_of_date = verdict->out_of_date || (*flags & SEEN_FLAGS) != 0;
    verdict->wrong_name = verdict->wrong_name || (*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0;
    return 0;
}

/* ---- start ------------------------------------------------------------------------------- */

static int give_random(void *context, unsigned char *out, size_t size)
{
    (void)context;
    return guest_random.bytes(guest_random.context, out, size);
}

int tls_start(void)
{
    /* Its own order begins with the strongest one, which costs a second here. */
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1,
                                                  MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
    mbedtls_ecp_set_max_ops(MOST_OPERATIONS);
    mbedtls_ssl_config_init(&tls.config);
    mbedtls_x509_crt_init(&tls.ca);
    mbedtls_x509_crt_init(&tls.certificate);
    mbedtls_pk_init(&tls.key);
    if (mbedtls_ssl_config_defaults(&tls.config, MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return OTA_E_NO_SPACE;
    mbedtls_ssl_conf_curves(&tls.config, curves);
    mbedtls_ssl_conf_authmode(&tls.config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_min_version(&tls.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3); /* TLS 1.2 */
    mbedtls_ssl_conf_ca_chain(&tls.config, &tls.ca, NULL);
    mbedtls_ssl_conf_rng(&tls.config, give_random, NULL);
    return OTA_OK;
}

int tls_trust(const uint8_t *pem, size_t size)
{
    return mbedtls_x509_crt_parse(&tls.ca, pem, size) == 0 ? OTA_OK : OTA_E_TLS;
}

int tls_show(const uint8_t *pem, size_t size)
{
    return mbedtls_x509_crt_parse(&tls.certificate, pem, size) == 0 ? OTA_OK : OTA_E_TLS;
}

int tls_set_key(const uint8_t *pem, size_t size)
{
    bool good = tls.certificate.raw.p != NULL &&
                mbedtls_pk_parse_key(&tls.key, pem, size, NULL, 0) == 0 &&
                mbedtls_pk_check_pair(&tls.certificate.pk, &tls.key) == 0 &&
                mbedtls_ssl_conf_own_cert(&tls.config, &tls.certificate, &tls.key) == 0;
    return good ? OTA_OK : OTA_E_TLS;
}

/* ---- a session --------------------------------------------------------------------------- */

static int on_send(void *context, const unsigned char *data, size_t size)
{
    struct tls_session *session = context;
    return session->wire->send(session->context, data, size);
}

static int on_receive(void *context, unsigned char *data, size_t size)
{
    struct tls_session *session = context;
    int rc = session->wire->receive(session->context, data, size);
    return rc == -TLS_WAITS ? MBEDTLS_ERR_SSL_WANT_READ : rc;
}

struct tls_session *tls_open(const char *host, const struct tls_wire *wire, void *context)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (session == NULL || strlen(host) >= sizeof session->host) {
        free(session);
        return NULL;
    }
    session->wire = wire;
    session->context = context;
    strcpy(session->host, host);
    session->address = tls_is_address(host, session->ip);
    mbedtls_ssl_init(&session->ssl);
    int rc = mbedtls_ssl_setup(&session->ssl, &tls.config);
    if (rc == 0)
        rc = mbedtls_ssl_set_hostname(&session->ssl, session->address ? NULL : host);
    if (rc != 0) {
        tls_free(session);
        return NULL;
    }
    mbedtls_ssl_set_verify(&session->ssl, judge, session);
    mbedtls_ssl_set_bio(&session->ssl, session, on_send, on_receive, NULL);
    return session;
}

void tls_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    mbedtls_ssl_free(&session->ssl);
    free(session);
}

int tls_handshake(struct tls_session *session)
{
    int rc = mbedtls_ssl_handshake_step(&session->ssl);
    if (rc == 0)
        return session->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER ? OTA_OK : TLS_GOES_ON;
    if (rc == MBEDTLS_ERR_SSL_CRYPTO_IN_PROGRESS)
        return TLS_GOES_ON;
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_WAITS;
    bool alert = rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
    session->verdict.alert = alert ? session->ssl.in_msg[1] : 0;
    session->verdict.asked_in_vain = session->ssl.client_auth != 0 && tls.certificate.raw.p == NULL;
    int code = tls_verdict_code(&session->verdict);
    return code == OTA_E_TLS && rc == MBEDTLS_ERR_SSL_CONN_EOF ? OTA_E_DISCONNECTED : code;
}

int tls_read(struct tls_session *session, uint8_t *data, size_t size)
{
    int rc = mbedtls_ssl_read(&session->ssl, data, size);
    if (rc > 0)
        return rc;
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE)
        return -TLS_WAITS;
    return rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : OTA_E_DISCONNECTED;
}

int tls_write(struct tls_session *session, const void *data, size_t size)
{
    const unsigned char *at = data;
    while (size > 0) {
        int rc = mbedtls_ssl_write(&session->ssl, at, size);
        if (rc <= 0)
            return OTA_E_DISCONNECTED;
        at += rc;
        size -= (size_t)rc;
    }
    return OTA_OK;
}

void tls_goodbye(struct tls_session *session)
{
    (void)mbedtls_ssl_close_notify(&session->ssl);
}

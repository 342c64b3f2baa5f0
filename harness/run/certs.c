#include "harness/run/certs.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DAY   86400L
#define HERE  "DNS:localhost,IP:127.0.0.1"
#define THERE "DNS:ota.example.org,IP:192.0.2.1"

struct identity {
    const char *name;
    const char *subject;
    const char *issuer; /* name of one above; NULL: signs itself */
    const char *forger; /* name of one above, whose key really signs; NULL: the issuer's */
    const char *hosts;  /* subjectAltName; NULL: none */
    bool authority;
    long from; /* days from now */
    long to;
};

static const struct identity identities[] = {
    {NB_CERTS_CA, "nobrick test authority", NULL, NULL, NULL, true, -1, 30},
    {"ca-unknown", "an authority nobody knows", NULL, NULL, NULL, true, -1, 30},
    {"server", "nobrick test server", NB_CERTS_CA, NULL, HERE, false, -1, 30},
    {"client", "nobrick test device", NB_CERTS_CA, NULL, NULL, false, -1, 30},
    {"stranger", "nobrick test device", "ca-unknown", NULL, NULL, false, -1, 30},
    {"impostor", "nobrick test server", NB_CERTS_CA, "ca-unknown", HERE, false, -1, 30},
    {"unknown-ca", "nobrick test server", "ca-unknown", NULL, HERE, false, -1, 30},
    {"self-signed", "nobrick test server", NULL, NULL, HERE, false, -1, 30},
    {"expired", "nobrick test server", NB_CERTS_CA, NULL, HERE, false, -30, -1},
    {"early", "nobrick test server", NB_CERTS_CA, NULL, HERE, false, 10, 30},
    {"wrong-name", "localhost", NB_CERTS_CA, NULL, THERE, false, -1, 30},
};

const char *nb_certs_server(enum nb_tls kind)
{
    bool good = kind <= NB_TLS_STRANGER;
    return good ? "server" : nb_tls_words[kind];
}

const char *nb_certs_client(enum nb_tls kind)
{
    return nb_certs_mutual(kind) ? nb_tls_words[kind] : NULL;
}

bool nb_certs_mutual(enum nb_tls kind)
{
    return kind == NB_TLS_CLIENT || kind == NB_TLS_STRANGER;
}

/* ---- making ------------------------------------------------------------------------------ */

static FILE *open_pem(const char *dir, const char *name, const char *ending, const char *mode)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
    return fopen(path, mode);
}

static EVP_PKEY *read_key(const char *dir, const char *name)
{
    FILE *file = open_pem(dir, name, "key", "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    return key;
}

static X509 *read_certificate(const char *dir, const char *name)
{
    FILE *file = open_pem(dir, name, "crt", "r");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    return certificate;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context = {0};
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool set_name(X509_NAME *name, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1,
                                      0) == 1;
}

/* Key identifiers as real authorities write them. A forger copies that of the issuer, or it would
 * be found out before anybody looks at the signature. */
static bool fill(X509 *certificate, const struct identity *identity, long serial, EVP_PKEY *key,
                 X509 *issuer)
{
    return X509_set_version(certificate, 2) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), identity->from * DAY) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), identity->to * DAY) &&
           set_name(X509_get_subject_name(certificate), identity->subject) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, issuer, NID_basic_constraints,
                         identity->authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           (!identity->hosts ||
            add_extension(certificate, issuer, NID_subject_alt_name, identity->hosts));
}

/* Mosquitto reads the key before it gives up root's rights, where it has them; others need not. */
static bool write_pems(const char *dir, const struct identity *identity, X509 *certificate,
                       EVP_PKEY *key)
{
    FILE *file = open_pem(dir, identity->name, "crt", "w");
    bool good = file && PEM_write_X509(file, certificate) == 1;
    if (file && fclose(file) != 0)
        good = false;
    file = good ? open_pem(dir, identity->name, "key", "w") : NULL;
    good = file && fchmod(fileno(file), S_IRUSR | S_IWUSR) == 0 &&
           PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    return file && fclose(file) == 0 && good;
}

static bool make(const char *dir, const struct identity *identity, long serial)
{
    const char *signs = identity->forger ? identity->forger : identity->issuer;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *signer = signs ? read_key(dir, signs) : NULL;
    X509 *issuer = identity->issuer ? read_certificate(dir, identity->issuer) : NULL;
    X509 *certificate = X509_new();
    bool good = key && certificate && (!signs || (signer && issuer)) &&
                fill(certificate, identity, serial, key, issuer ? issuer : certificate) &&
                X509_sign(certificate, signer ? signer : key, EVP_sha256()) != 0 &&
                write_pems(dir, identity, certificate, key);
    X509_free(certificate);
    X509_free(issuer);
    EVP_PKEY_free(signer);
    EVP_PKEY_free(key);
    return good;
}

int nb_certs_make(const char *dir)
{
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++)
        if (!make(dir, &identities[i], (long)i + 1))
            return OTA_E_IO;
    return 0;
}

/* Throw-away certificates for the tests of the TLS clients: PEM files in a temporary directory. */
#ifndef NOBRICK_SIM_POSIX_CERTS_RIG_H
#define NOBRICK_SIM_POSIX_CERTS_RIG_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RIG_PATH 300
#define RIG_DAY  86400L

static char rig_dir[256];

struct rig_identity {
    const char *name; /* of the files: NAME.crt, NAME.key */
    const char *subject;
    const char *issuer; /* name of one made before; NULL: itself */
    const char *hosts;  /* subjectAltName; NULL: an authority or a client */
    long from;          /* seconds from now */
    long to;
};

static const struct rig_identity rig_identities[] = {
    {"ca", "Test CA", NULL, NULL, -RIG_DAY, RIG_DAY},
    {"impostor", "Test CA", NULL, NULL, -RIG_DAY, RIG_DAY}, /* same name, another key */
    {"stranger", "Stranger", NULL, NULL, -RIG_DAY, RIG_DAY},
    {"good", "good", "ca", "DNS:localhost,IP:127.0.0.1", -RIG_DAY, RIG_DAY},
    {"client", "client", "ca", NULL, -RIG_DAY, RIG_DAY},
    {"device-of-stranger", "client", "stranger", NULL, -RIG_DAY, RIG_DAY},
    {"of-impostor", "good", "impostor", "DNS:localhost,IP:127.0.0.1", -RIG_DAY, RIG_DAY},
    {"of-stranger", "good", "stranger", "DNS:localhost,IP:127.0.0.1", -RIG_DAY, RIG_DAY},
    {"self-signed", "good", NULL, "DNS:localhost,IP:127.0.0.1", -RIG_DAY, RIG_DAY},
    {"expired", "good", "ca", "DNS:localhost,IP:127.0.0.1", -2 * RIG_DAY, -RIG_DAY},
    {"early", "good", "ca", "DNS:localhost,IP:127.0.0.1", RIG_DAY, 2 * RIG_DAY},
    {"elsewhere", "localhost", "ca", "DNS:example.org,IP:127.0.0.2", -RIG_DAY, RIG_DAY},
};

/* Static; good until the fourth call after. */
static inline const char *rig_file(const char *name, const char *suffix)
{
    static char paths[4][RIG_PATH];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, RIG_PATH, "%s/%s.%s", rig_dir, name, suffix);
    return path;
}

static inline EVP_PKEY *rig_read_key(const char *name)
{
    FILE *file = fopen(rig_file(name, "key"), "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(key);
    return key;
}

static inline void rig_set_name(X509_NAME *name, const char *text)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)text, -1, -1, 0),
                     1);
}

static inline const char *rig_subject(const char *name)
{
    size_t i = 0;
    while (strcmp(rig_identities[i].name, name) != 0)
        i++;
    return rig_identities[i].subject;
}

static inline void rig_extend(X509 *certificate, int id, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, id, text);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void rig_make(const struct rig_identity *who, int number)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *signer = key;
    X509 *certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    if (who->issuer != NULL)
        signer = rig_read_key(who->issuer);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), number + 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), who->from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), who->to);
    rig_set_name(X509_get_subject_name(certificate), who->subject);
    rig_set_name(X509_get_issuer_name(certificate),
                 who->issuer != NULL ? rig_subject(who->issuer) : who->subject);
    X509_set_pubkey(certificate, key);
    if (who->hosts != NULL)
        rig_extend(certificate, NID_subject_alt_name, who->hosts);
    else if (who->issuer == NULL)
        rig_extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
    FILE *file = fopen(rig_file(who->name, "crt"), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = fopen(rig_file(who->name, "key"), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    if (signer != key)
        EVP_PKEY_free(signer);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

#define RIG_IDENTITIES (sizeof rig_identities / sizeof rig_identities[0])

static inline void rig_make_all(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(rig_dir, sizeof rig_dir, "%s/certs.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig_dir));
    for (size_t i = 0; i < RIG_IDENTITIES; i++)
        rig_make(&rig_identities[i], (int)i);
}

static inline void rig_remove_all(void)
{
    for (size_t i = 0; i < RIG_IDENTITIES; i++) {
        unlink(rig_file(rig_identities[i].name, "crt"));
        unlink(rig_file(rig_identities[i].name, "key"));
    }
    rmdir(rig_dir);
}

#endif

#include "harness/image/sign.h"

#include "harness/image/ecdsa.h"
#include "harness/image/image.h"
#include "sim/crypto_openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Without it OpenSSL would ask the terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

int nb_signer_open(const char *path, struct nb_signer *out, char *reason, size_t reason_size)
{
    struct crypto_key key;
    uint8_t *der = NULL;

    memset(out, 0, sizeof *out);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(reason, reason_size, "%s: %s", path, strerror(errno));
        return OTA_E_IO;
    }
    out->pkey = PEM_read_PrivateKey(file, NULL, no_pass_phrase, NULL);
    (void)fclose(file);
    ERR_clear_error();
    int err =
        out->pkey != NULL ? crypto_openssl_encode_public(out->pkey, &key, &der) : OTA_E_IMG_KEY;
    if (err == OTA_OK) {
        out->scheme = key.scheme;
        if (EVP_Digest(der, key.der_size, out->key_hash, NULL, EVP_sha256(), NULL) != 1) {
            err = OTA_E_IO;
        }
    }
    free(der);
    if (err < 0) {
        snprintf(reason, reason_size,
                 "%s: not a PEM private key (P-256 or RSA-2048, no pass phrase)", path);
        nb_signer_close(out);
    }
    return err;
}

/* The DER of an ECDSA signature has 70 to 72 bytes. Signing until it has the commonest size gives
 * images of one size whatever the key, so that a power cut in a replayed run falls on the same
 * operation of the same length. */
static int sign_ecdsa(const struct nb_signer *signer, const uint8_t digest[CRYPTO_SHA256_SIZE],
                      uint8_t signature[NB_SIGNATURE_MAX], size_t *size)
{
    int err = OTA_OK;
    *size = 0;
    for (uint32_t attempt = 0; err == OTA_OK && *size != NB_ECDSA_SIZE; attempt++)
        err = nb_ecdsa_sign(signer->pkey, digest, attempt, signature, size);
    return err;
}

static int sign_rsa(const struct nb_signer *signer, const uint8_t digest[CRYPTO_SHA256_SIZE],
                    uint8_t signature[NB_SIGNATURE_MAX], size_t *size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, signer->pkey, NULL);
    *size = NB_SIGNATURE_MAX;
    bool done = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, CRYPTO_SHA256_SIZE) == 1 &&
                EVP_PKEY_sign(ctx, signature, size, digest, CRYPTO_SHA256_SIZE) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return done ? OTA_OK : OTA_E_IMG_SIGNATURE;
}

int nb_signer_sign(const struct nb_signer *signer, const uint8_t digest[CRYPTO_SHA256_SIZE],
                   uint8_t signature[NB_SIGNATURE_MAX], size_t *size)
{
    return signer->scheme == CRYPTO_ECDSA_P256 ? sign_ecdsa(signer, digest, signature, size)
                                               : sign_rsa(signer, digest, signature, size);
}

void nb_signer_close(struct nb_signer *signer)
{
    EVP_PKEY_free(signer->pkey);
    signer->pkey = NULL;
}

static int write_pem(const char *prefix, const char *suffix, EVP_PKEY *pkey, bool private_part)
{
    char path[PATH_SIZE];

    int n = snprintf(path, sizeof path, "%s%s", prefix, suffix);
    if (n < 0 || (size_t)n >= sizeof path) {
        return OTA_E_NO_SPACE;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return OTA_E_IO;
    }
    FILE *file = fdopen(fd, "wb");
    if (file == NULL) {
        (void)close(fd);
        return OTA_E_IO;
    }
    int written = private_part ? PEM_write_PKCS8PrivateKey(file, pkey, NULL, NULL, 0, NULL, NULL)
                               : PEM_write_PUBKEY(file, pkey);
    bool closed = fclose(file) == 0;
    return written == 1 && closed ? OTA_OK : OTA_E_IO;
}

/* Writes both parts and frees the key; NULL: there was no memory for one. */
static int write_pair(const char *prefix, EVP_PKEY *pkey)
{
    if (pkey == NULL) {
        return OTA_E_NO_SPACE;
    }
    int err = write_pem(prefix, ".pem", pkey, true);
    if (err == OTA_OK) {
        err = write_pem(prefix, ".pub.pem", pkey, false);
    }
    EVP_PKEY_free(pkey);
    return err;
}

int nb_image_make_key(const char *prefix, enum crypto_scheme scheme)
{
    return write_pair(prefix,
                      scheme == CRYPTO_ECDSA_P256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048));
}

int nb_image_derive_key(const char *prefix, const char *text)
{
    return write_pair(prefix, nb_ecdsa_key(text));
}

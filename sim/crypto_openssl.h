/* The crypto seam on OpenSSL, for every world that runs on the host.
 *
 * With `remember`, digests of flash ranges and signature verdicts are kept by content: the range's
 * fingerprint stands for its bytes (see flash_sim_fingerprint), so a range that was hashed once is
 * not hashed again. The loader cannot tell the difference, except by time. */
#ifndef NOBRICK_SIM_CRYPTO_OPENSSL_H
#define NOBRICK_SIM_CRYPTO_OPENSSL_H

#include "flashsim/flashsim.h"

struct crypto_openssl;

struct crypto_counts {
    uint64_t hashes; /* asked for */
    uint64_t hashes_computed;
    uint64_t hashed_bytes;
    uint64_t verifies;
    uint64_t verifies_computed;
};

/* `sim` (may be NULL) is the flash whose port is passed to sha256_flash; needed to remember. */
struct crypto_openssl *crypto_openssl_new(struct flash_sim *sim, bool remember);
void crypto_openssl_free(struct crypto_openssl *crypto);
const struct crypto_port *crypto_openssl_port(struct crypto_openssl *crypto);
void crypto_openssl_counts(const struct crypto_openssl *crypto, struct crypto_counts *out);

/* Reads a PEM public key into the DER that MCUboot hashes for KEYHASH (EC: SubjectPublicKeyInfo,
 * RSA: PKCS#1 RSAPublicKey). *der is malloc'ed and the caller's. OTA_E_IO with errno when it cannot
 * be opened, OTA_E_IMG_KEY when it is not a P-256 or RSA-2048 public key. */
OTA_MUST_CHECK int crypto_openssl_read_public(const char *path, struct crypto_key *key,
                                              uint8_t **der);

/* The same for a key that OpenSSL has parsed (an EVP_PKEY, public or private). */
struct evp_pkey_st;
OTA_MUST_CHECK int crypto_openssl_encode_public(struct evp_pkey_st *pkey, struct crypto_key *key,
                                                uint8_t **der);

#endif

/* A private key from a PEM file, ready to sign image digests. Private to harness/image. */
#ifndef NOBRICK_HARNESS_IMAGE_SIGN_H
#define NOBRICK_HARNESS_IMAGE_SIGN_H

#include "agent/ports.h"

#define NB_SIGNATURE_MAX 256u
#define NB_ECDSA_SIZE    71u /* of the DER that nb_signer_sign makes */

struct nb_signer {
    struct evp_pkey_st *pkey;
    enum crypto_scheme scheme;
    uint8_t key_hash[CRYPTO_SHA256_SIZE];
};

/* Opens the key at `path`. On failure a one-line reason in `reason`: OTA_E_IO when the file cannot
 * be read, OTA_E_IMG_KEY when it is not a P-256 or RSA-2048 private key without a pass phrase. */
OTA_MUST_CHECK int nb_signer_open(const char *path, struct nb_signer *out, char *reason,
                                  size_t reason_size);
/* Signs a digest. */
OTA_MUST_CHECK int nb_signer_sign(const struct nb_signer *signer,
                                  const uint8_t digest[CRYPTO_SHA256_SIZE],
                                  uint8_t signature[NB_SIGNATURE_MAX], size_t *size);
void nb_signer_close(struct nb_signer *signer);

#endif

/* ECDSA on P-256 without chance: keys that follow from a text, and signatures that follow from key
 * and digest (RFC 6979). So an image made twice is the same twice, and a run that is repeated in
 * another process writes the same bytes into flash. For test keys: whoever knows the text has the
 * key. Private to harness/image. */
#ifndef NOBRICK_HARNESS_IMAGE_ECDSA_H
#define NOBRICK_HARNESS_IMAGE_ECDSA_H

#include "agent/ports.h"

struct evp_pkey_st;

/* The key pair of a text; the caller frees it with EVP_PKEY_free. NULL when memory runs out. */
struct evp_pkey_st *nb_ecdsa_key(const char *text);

/* The same for a private scalar of 32 bytes, big-endian; NULL also when it is none. */
struct evp_pkey_st *nb_ecdsa_key_from(const uint8_t scalar[32]);

/* Signs a SHA-256 digest: DER into `out` (72 bytes), its length into *size. `attempt` 0 is the
 * signature of RFC 6979 section 3.2, others are of its variant with additional data (3.6).
 * OTA_E_IMG_SIGNATURE when it cannot. */
OTA_MUST_CHECK int nb_ecdsa_sign(struct evp_pkey_st *pkey, const uint8_t digest[CRYPTO_SHA256_SIZE],
                                 uint32_t attempt, uint8_t *out, size_t *size);

#endif

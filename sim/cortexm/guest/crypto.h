/* The crypto seam on Mbed TLS. ECDSA on P-256; RSA-PSS only where the program links crypto_rsa.c,
 * a loader for ECDSA keys does without. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_CRYPTO_H
#define NOBRICK_SIM_CORTEXM_GUEST_CRYPTO_H

#include "agent/ports.h"

typedef int guest_verifier(const struct crypto_key *key, const uint8_t digest[CRYPTO_SHA256_SIZE],
                           const uint8_t *signature, size_t signature_size);

struct guest_crypto {
    struct crypto_port port;
    guest_verifier *verify_rsa; /* NULL: RSA keys are OTA_E_UNSUPPORTED */
};

void guest_crypto_init(struct guest_crypto *crypto, guest_verifier *verify_rsa);

/* For `verify_rsa`. */
guest_verifier guest_verify_rsa;

#endif

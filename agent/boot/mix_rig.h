/* For the tests of the loader, which only compares digests: in place of SHA-256 a faster function
 * of every byte, and signatures that are never good. */
#ifndef NOBRICK_AGENT_BOOT_MIX_RIG_H
#define NOBRICK_AGENT_BOOT_MIX_RIG_H

#include "agent/ports.h"

static inline void rig_mix(const uint8_t *data, size_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ data[i]) * 1099511628211u;
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
        digest[i] = (uint8_t)(h >> (8 * (i % 8)));
}

static inline int rig_sha256(void *context, const void *data, size_t length,
                             uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    rig_mix(data, length, digest);
    return 0;
}

static inline int rig_verify(void *context, const struct crypto_key *key,
                             const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                             size_t signature_size)
{
    (void)context, (void)key, (void)digest, (void)signature, (void)signature_size;
    return OTA_E_IMG_SIGNATURE;
}

#endif

#include "sim/cortexm/guest/crypto.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/sha256.h>
#include <string.h>

#define HASH_STEP 512u

/* A SubjectPublicKeyInfo of a P-256 key (RFC 5480): nothing varies before the point, which comes
 * uncompressed: 0x04, X, Y. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                    0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                    0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
#define POINT_SIZE 65u

static int sha256(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    return mbedtls_sha256_ret(data, length, digest, 0) == 0 ? OTA_OK : OTA_E_IO;
}

static int sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint8_t bytes[HASH_STEP];
    mbedtls_sha256_context hash;
    (void)context;
    mbedtls_sha256_init(&hash);
    int result = mbedtls_sha256_starts_ret(&hash, 0) == 0 ? OTA_OK : OTA_E_IO;
    while (result == OTA_OK && length > 0) {
        uint32_t step = length < sizeof bytes ? length : sizeof bytes;
        result = flash->read(flash->context, address, bytes, step);
        if (result == OTA_OK && mbedtls_sha256_update_ret(&hash, bytes, step) != 0)
            result = OTA_E_IO;
        address += step;
        length -= step;
    }
    if (result == OTA_OK && mbedtls_sha256_finish_ret(&hash, digest) != 0)
        result = OTA_E_IO;
    mbedtls_sha256_free(&hash);
    return result;
}

static int verify_ecdsa(const struct crypto_key *key, const uint8_t digest[CRYPTO_SHA256_SIZE],
                        const uint8_t *signature, size_t signature_size)
{
    mbedtls_ecdsa_context ecdsa;
    if (key->der_size != sizeof spki_head + POINT_SIZE ||
        memcmp(key->der, spki_head, sizeof spki_head) != 0)
        return OTA_E_IMG_KEY;
    mbedtls_ecdsa_init(&ecdsa);
    int result = OTA_E_IMG_SIGNATURE;
    if (mbedtls_ecp_group_load(&ecdsa.grp, MBEDTLS_ECP_DP_SECP256R1) == 0 &&
        mbedtls_ecp_point_read_binary(&ecdsa.grp, &ecdsa.Q, key->der + sizeof spki_head,
                                      POINT_SIZE) == 0 &&
        mbedtls_ecp_check_pubkey(&ecdsa.grp, &ecdsa.Q) == 0 &&
        mbedtls_ecdsa_read_signature(&ecdsa, digest, CRYPTO_SHA256_SIZE, signature,
                                     signature_size) == 0)
        result = OTA_OK;
    mbedtls_ecdsa_free(&ecdsa);
    return result;
}

static int verify(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size)
{
    const struct guest_crypto *crypto = context;
    if (key->scheme == CRYPTO_ECDSA_P256)
        return verify_ecdsa(key, digest, signature, signature_size);
    return crypto->verify_rsa != NULL ? crypto->verify_rsa(key, digest, signature, signature_size)
                                      : OTA_E_UNSUPPORTED;
}

void guest_crypto_init(struct guest_crypto *crypto, guest_verifier *verify_rsa)
{
    crypto->port = (struct crypto_port){crypto, sha256, sha256_flash, verify};
    crypto->verify_rsa = verify_rsa;
}

#include "sim/cortexm/guest/crypto.h"

#include <mbedtls/asn1.h>
#include <mbedtls/md.h>
#include <mbedtls/rsa.h>

#define SALT_SIZE 32

/* RSAPublicKey (RFC 8017, A.1.1): SEQUENCE { modulus, publicExponent }. */
static int read_key(const struct crypto_key *key, mbedtls_rsa_context *rsa)
{
    unsigned char *at = (unsigned char *)(uintptr_t)key->der; /* read only, for all its type */
    const unsigned char *end = at + key->der_size;
    size_t length;
    if (mbedtls_asn1_get_tag(&at, end, &length, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) !=
            0 ||
        mbedtls_asn1_get_mpi(&at, end, &rsa->N) != 0 ||
        mbedtls_asn1_get_mpi(&at, end, &rsa->E) != 0)
        return OTA_E_IMG_KEY;
    rsa->len = mbedtls_mpi_size(&rsa->N);
    return mbedtls_rsa_check_pubkey(rsa) == 0 ? OTA_OK : OTA_E_IMG_KEY;
}

int guest_verify_rsa(const struct crypto_key *key, const uint8_t digest[CRYPTO_SHA256_SIZE],
                     const uint8_t *signature, size_t signature_size)
{
    mbedtls_rsa_context rsa;
    mbedtls_rsa_init(&rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
    int result = read_key(key, &rsa);
    if (result == OTA_OK &&
        (signature_size != rsa.len ||
         mbedtls_rsa_rsassa_pss_verify_ext(&rsa, NULL, NULL, MBEDTLS_RSA_PUBLIC, MBEDTLS_MD_SHA256,
                                           CRYPTO_SHA256_SIZE, digest, MBEDTLS_MD_SHA256, SALT_SIZE,
                                           signature) != 0))
        result = OTA_E_IMG_SIGNATURE;
    mbedtls_rsa_free(&rsa);
    return result;
}

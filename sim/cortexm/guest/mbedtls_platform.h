/* Mbed TLS for applications: what the loader has, RSA beside it, and what the network needs. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_MBEDTLS_PLATFORM_H
#define NOBRICK_SIM_CORTEXM_GUEST_MBEDTLS_PLATFORM_H

#include <limits.h> /* oid.c relies on it */

#define MBEDTLS_HAVE_ASM
#define MBEDTLS_SHA256_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_NO_INTERNAL_RNG
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_MD_C
#define MBEDTLS_OID_C
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_RSA_C

#endif

/* SHA-256 behind the crypto seam, for the tests of what takes a `struct crypto_port`; OpenSSL does
 * the work, contexts are not used. */
#ifndef NOBRICK_AGENT_SHA256_RIG_H
#define NOBRICK_AGENT_SHA256_RIG_H

#include "agent/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <stdlib.h>

static inline int rig_sha256(void *context, const void *data, size_t length,
                             uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    SHA256(data, length, digest);
    return 0;
}

static inline int rig_sha256_flash(void *context, const struct flash_port *flash, uint32_t address,
                                   uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint8_t *data = malloc(length + 1u);
    (void)context;
    assert_non_null(data);
    int err = flash->read(flash->context, address, data, length);
    SHA256(data, length, digest);
    free(data);
    return err;
}

#endif

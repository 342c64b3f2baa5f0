#include "sim/cortexm/guest/random.h"

#include <mbedtls/sha256.h>
#include <string.h>

static struct {
    uint8_t seed[GUEST_SEED_SIZE];
    uint32_t boots;
    uint32_t count;
} state;

void guest_random_seed(const uint8_t seed[GUEST_SEED_SIZE], uint32_t boots)
{
    memcpy(state.seed, seed, sizeof state.seed);
    state.boots = boots;
    state.count = 0;
}

static int bytes(void *context, void *out, size_t length)
{
    uint8_t block[CRYPTO_SHA256_SIZE];
    uint8_t *next = out;
    (void)context;
    while (length > 0) {
        size_t step = length < sizeof block ? length : sizeof block;
        state.count++;
        if (mbedtls_sha256_ret((const unsigned char *)&state, sizeof state, block, 0) != 0)
            return OTA_E_IO;
        memcpy(next, block, step);
        next += step;
        length -= step;
    }
    return OTA_OK;
}

const struct random_port guest_random = {NULL, bytes};

#include "harness/image/ecdsa.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <string.h>

#define SIZE 32 /* of a digest, a scalar, a coordinate */

/* ---- keys -------------------------------------------------------------------------------- */

/* The pair as OpenSSL takes it: group, private scalar, uncompressed public point. */
static EVP_PKEY *import_pair(const BIGNUM *scalar, const uint8_t *point, size_t point_size)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, point_size) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

EVP_PKEY *nb_ecdsa_key_from(const uint8_t scalar[SIZE])
{
    uint8_t point[2 * SIZE + 1];
    EVP_PKEY *pkey = NULL;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *d = BN_bin2bn(scalar, SIZE, NULL);
    EC_POINT *q = group != NULL ? EC_POINT_new(group) : NULL;
    if (d != NULL && q != NULL && !BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
        EC_POINT_mul(group, q, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL) ==
            sizeof point)
        pkey = import_pair(d, point, sizeof point);
    EC_POINT_free(q);
    BN_free(d);
    EC_GROUP_free(group);
    return pkey;
}

EVP_PKEY *nb_ecdsa_key(const char *text)
{
    uint8_t scalar[SIZE];
    /* A digest is a valid scalar but for one in 2^32 texts: no test uses such a one. */
    if (EVP_Digest(text, strlen(text), scalar, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    return nb_ecdsa_key_from(scalar);
}

/* ---- the nonce of RFC 6979 --------------------------------------------------------------- */

struct generator {
    uint8_t k[SIZE];
    uint8_t v[SIZE];
};

static bool hmac(const uint8_t key[SIZE], const uint8_t *data, size_t size, uint8_t out[SIZE])
{
    return HMAC(EVP_sha256(), key, SIZE, data, size, out, NULL) != NULL;
}

/* K = HMAC(K, V || step || seed), V = HMAC(K, V). */
static bool stir(struct generator *g, uint8_t step, const uint8_t *seed, size_t size)
{
    uint8_t data[SIZE + 1 + 2 * SIZE + 4];
    memcpy(data, g->v, SIZE);
    data[SIZE] = step;
    if (size > 0)
        memcpy(data + SIZE + 1, seed, size);
    return hmac(g->k, data, SIZE + 1 + size, g->k) && hmac(g->k, g->v, SIZE, g->v);
}

static bool begin(struct generator *g, const BIGNUM *d, const uint8_t digest[SIZE],
                  const BIGNUM *order, uint32_t attempt)
{
    uint8_t seed[2 * SIZE + 4];
    size_t size = 2 * SIZE + (attempt > 0 ? 4u : 0u);
    BIGNUM *z = BN_bin2bn(digest, SIZE, NULL);
    if (z == NULL)
        return false;
    bool good = BN_cmp(z, order) < 0 || BN_sub(z, z, order) == 1;
    good =
        good && BN_bn2binpad(d, seed, SIZE) == SIZE && BN_bn2binpad(z, seed + SIZE, SIZE) == SIZE;
    BN_free(z);
    for (int i = 0; i < 4; i++)
        seed[2 * SIZE + i] = (uint8_t)(attempt >> (24 - 8 * i));
    memset(g->k, 0, SIZE);
    memset(g->v, 1, SIZE);
    return good && stir(g, 0, seed, size) && stir(g, 1, seed, size);
}

/* The next candidate in [1, order). */
static bool next_nonce(struct generator *g, const BIGNUM *order, BIGNUM *nonce)
{
    for (;;) {
        if (!hmac(g->k, g->v, SIZE, g->v) || BN_bin2bn(g->v, SIZE, nonce) == NULL)
            return false;
        if (!BN_is_zero(nonce) && BN_cmp(nonce, order) < 0)
            return true;
        if (!stir(g, 0, NULL, 0))
            return false;
    }
}

/* ---- signing ----------------------------------------------------------------------------- */

/* r and s for this nonce (SEC 1, section 4.1.3). False when one of them is zero or OpenSSL fails.
 */
static bool compute(const EC_GROUP *group, const BIGNUM *d, const uint8_t digest[SIZE],
                    const BIGNUM *nonce, BIGNUM *r, BIGNUM *s)
{
    const BIGNUM *order = EC_GROUP_get0_order(group);
    BN_CTX *ctx = BN_CTX_new();
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *z = BN_bin2bn(digest, SIZE, NULL);
    BIGNUM *inverse = ctx != NULL ? BN_mod_inverse(NULL, nonce, order, ctx) : NULL;
    bool good = point != NULL && z != NULL && inverse != NULL &&
                EC_POINT_mul(group, point, nonce, NULL, NULL, ctx) == 1 &&
                EC_POINT_get_affine_coordinates(group, point, r, NULL, ctx) == 1 &&
                BN_nnmod(r, r, order, ctx) == 1 && BN_mod_mul(s, r, d, order, ctx) == 1 &&
                BN_mod_add(s, s, z, order, ctx) == 1 &&
                BN_mod_mul(s, s, inverse, order, ctx) == 1 && !BN_is_zero(r) && !BN_is_zero(s);
    BN_free(inverse);
    BN_free(z);
    EC_POINT_free(point);
    BN_CTX_free(ctx);
    return good;
}

int nb_ecdsa_sign(EVP_PKEY *pkey, const uint8_t digest[CRYPTO_SHA256_SIZE], uint32_t attempt,
                  uint8_t *out, size_t *size)
{
    struct generator g;
    BIGNUM *d = NULL;
    BIGNUM *nonce = BN_new();
    BIGNUM *r = BN_new();
    BIGNUM *s = BN_new();
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    int length = 0;
    bool good = nonce != NULL && r != NULL && s != NULL && group != NULL && signature != NULL &&
                EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1 &&
                begin(&g, d, digest, EC_GROUP_get0_order(group), attempt);
    bool found = false;
    while (good && !found) {
        good = next_nonce(&g, EC_GROUP_get0_order(group), nonce);
        found = good && compute(group, d, digest, nonce, r, s);
        good = good && (found || stir(&g, 0, NULL, 0));
    }
    if (good && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        length = i2d_ECDSA_SIG(signature, &out);
    }
    ECDSA_SIG_free(signature);
    EC_GROUP_free(group);
    BN_free(r);
    BN_free(s);
    BN_clear_free(nonce);
    BN_clear_free(d);
    *size = length > 0 ? (size_t)length : 0;
    return length > 0 ? OTA_OK : OTA_E_IMG_SIGNATURE;
}

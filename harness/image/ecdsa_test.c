#include "harness/image/ecdsa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

/* RFC 6979, appendix A.2.5: P-256, SHA-256, message "sample". */
static const uint8_t scalar[32] = {0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21,
                                   0x57, 0x67, 0xB1, 0xD6, 0x93, 0x4E, 0x50, 0xC3, 0xDB, 0x36, 0xE8,
                                   0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B, 0x12, 0x0F, 0x67, 0x21};
static const uint8_t published[72] = {
    0x30, 0x46, 0x02, 0x21, 0x00, 0xEF, 0xD4, 0x8B, 0x2A, 0xAC, 0xB6, 0xA8, 0xFD, 0x11, 0x40,
    0xDD, 0x9C, 0xD4, 0x5E, 0x81, 0xD6, 0x9D, 0x2C, 0x87, 0x7B, 0x56, 0xAA, 0xF9, 0x91, 0xC3,
    0x4D, 0x0E, 0xA8, 0x4E, 0xAF, 0x37, 0x16, 0x02, 0x21, 0x00, 0xF7, 0xCB, 0x1C, 0x94, 0x2D,
    0x65, 0x7C, 0x41, 0xD4, 0x36, 0xC7, 0xA1, 0xB6, 0xE2, 0x9F, 0x65, 0xF3, 0xE9, 0x00, 0xDB,
    0xB9, 0xAF, 0xF4, 0x06, 0x4D, 0xC4, 0xAB, 0x2F, 0x84, 0x3A, 0xCD, 0xA8};

static void sample(uint8_t digest[32])
{
    assert_int_equal(EVP_Digest("sample", 6, digest, NULL, EVP_sha256(), NULL), 1);
}

static bool verifies(EVP_PKEY *pkey, const uint8_t digest[32], const uint8_t *signature,
                     size_t size)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool good =
        EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, signature, size, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static void published_signature(void **state)
{
    uint8_t digest[32];
    uint8_t signature[72];
    size_t size;
    (void)state;
    sample(digest);
    EVP_PKEY *pkey = nb_ecdsa_key_from(scalar);
    assert_non_null(pkey);
    assert_int_equal(nb_ecdsa_sign(pkey, digest, 0, signature, &size), OTA_OK);
    assert_int_equal(size, sizeof published);
    assert_memory_equal(signature, published, sizeof published);
    EVP_PKEY_free(pkey);
}

static void attempts_differ_and_verify(void **state)
{
    uint8_t digest[32];
    uint8_t signature[2][72];
    size_t size[2];
    (void)state;
    sample(digest);
    EVP_PKEY *pkey = nb_ecdsa_key("attempts");
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        assert_int_equal(nb_ecdsa_sign(pkey, digest, attempt, signature[attempt], &size[attempt]),
                         OTA_OK);
        assert_true(verifies(pkey, digest, signature[attempt], size[attempt]));
    }
    assert_true(size[0] != size[1] || memcmp(signature[0], signature[1], size[0]) != 0);
    digest[0] ^= 1;
    assert_false(verifies(pkey, digest, signature[0], size[0]));
    EVP_PKEY_free(pkey);
}

static void keys_follow_from_texts(void **state)
{
    (void)state;
    EVP_PKEY *one = nb_ecdsa_key("one");
    EVP_PKEY *again = nb_ecdsa_key("one");
    EVP_PKEY *two = nb_ecdsa_key("two");
    assert_int_equal(EVP_PKEY_eq(one, again), 1);
    assert_int_equal(EVP_PKEY_eq(one, two), 0);
    EVP_PKEY_free(one);
    EVP_PKEY_free(again);
    EVP_PKEY_free(two);
}

static void scalars_that_are_none(void **state)
{
    uint8_t zero[32] = {0};
    uint8_t large[32];
    (void)state;
    memset(large, 0xFF, sizeof large);
    assert_null(nb_ecdsa_key_from(zero));
    assert_null(nb_ecdsa_key_from(large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_signature),
        cmocka_unit_test(attempts_differ_and_verify),
        cmocka_unit_test(keys_follow_from_texts),
        cmocka_unit_test(scalars_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

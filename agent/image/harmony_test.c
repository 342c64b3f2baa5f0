/* Harmony's images: the block as measured, rows whole or refused, signatures as DER, versions. */
#include "agent/image/harmony.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <string.h>

/* As measured on the images of the original. */
static const uint8_t block_digest[CRYPTO_SHA256_SIZE] = {
    0x3e, 0x69, 0x04, 0xdd, 0x49, 0xc0, 0xa3, 0x4f, 0x68, 0x6b, 0x4b, 0xad, 0x0f, 0xe7, 0x0f, 0x28,
    0xab, 0xa4, 0x95, 0xa5, 0xbf, 0x70, 0x28, 0x03, 0x75, 0xe7, 0xc6, 0xcc, 0xa0, 0x28, 0x73, 0x2c};

static void block_is_that_of_the_original(void **state)
{
    static uint8_t block[IMG_HARMONY_BLOCK];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    (void)state;
    img_harmony_block(block);
    SHA256(block, sizeof block, digest);
    assert_memory_equal(digest, block_digest, sizeof digest);
}

static struct img_row some_row(void)
{
    struct img_row row = {.name = "app_v5.bin",
                          .version = 5,
                          .size = 70000,
                          .type = IMG_ROW_PRODUCTION,
                          .is_signed = true};
    memset(row.digest, 0x11, sizeof row.digest);
    memset(row.signature, 0x22, sizeof row.signature);
    return row;
}

static void row_comes_back_and_no_changed_byte_does(void **state)
{
    const struct img_row row = some_row();
    struct img_row back;
    uint8_t raw[IMG_ROW_SIZE];
    (void)state;
    img_row_encode(&row, raw);
    assert_int_equal(img_row_decode(raw, &back), 0);
    assert_memory_equal(&back, &row, sizeof row);
    for (size_t i = 0; i < sizeof raw; i++) {
        raw[i] ^= 0x40;
        assert_int_not_equal(img_row_decode(raw, &back), 0);
        raw[i] ^= 0x40;
    }
}

static void unsigned_row_keeps_no_signature(void **state)
{
    static const uint8_t zeros[IMG_RS_SIZE];
    struct img_row row = some_row();
    uint8_t raw[IMG_ROW_SIZE];
    (void)state;
    row.is_signed = false;
    img_row_encode(&row, raw);
    assert_int_equal(img_row_decode(raw, &row), 0);
    assert_memory_equal(row.signature, zeros, sizeof zeros);
}

/* Expected by hand: DER integers are as short as can be, and never negative. */
static void signature_becomes_der(void **state)
{
    uint8_t rs[IMG_RS_SIZE];
    uint8_t der[IMG_RS_DER_MAX];
    (void)state;
    memset(rs, 0x80, sizeof rs);
    assert_int_equal(img_rs_to_der(rs, der), 72);
    assert_memory_equal(der, "\x30\x46\x02\x21\x00\x80", 6);
    assert_memory_equal(der + 37, "\x02\x21\x00\x80", 4);
    memset(rs, 0, sizeof rs);
    rs[31] = 0x7F;
    rs[62] = 0x80;
    assert_int_equal(img_rs_to_der(rs, der), 10);
    assert_memory_equal(der, "\x30\x08\x02\x01\x7F\x02\x03\x00\x80\x00", 10);
}

static void versions_keep_their_order_and_come_back(void **state)
{
    static const uint32_t numbers[] = {1,   2,   9,    10,    16,    99,        100,
                                       255, 256, 1000, 65535, 65536, 0x10000FEu};
    struct img_version last = {0};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct img_version version = img_harmony_version(numbers[i]);
        uint32_t back;
        assert_true(img_version_compare(&last, &version) < 0);
        assert_int_equal(img_harmony_number(&version, &back), 0);
        assert_int_equal(back, numbers[i]);
        last = version;
    }
    const struct img_version other = {.major = 2, .minor = 1};
    uint32_t none;
    assert_int_equal(img_harmony_number(&other, &none), OTA_E_IMG_VERSION);
    assert_int_equal(img_harmony_version(7).major, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_is_that_of_the_original),
        cmocka_unit_test(row_comes_back_and_no_changed_byte_does),
        cmocka_unit_test(unsigned_row_keeps_no_signature),
        cmocka_unit_test(signature_becomes_der),
        cmocka_unit_test(versions_keep_their_order_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

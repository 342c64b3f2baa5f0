/* Needs NOBRICK_DATA: real signatures come from the golden images. */
#include "sim/crypto_openssl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECTOR 4096u
#define COUNT  16u
#define PATH   4096

static const char *golden_path(const char *name)
{
    static char path[PATH];
    const char *data = getenv("NOBRICK_DATA");

    snprintf(path, sizeof path, "%s/golden/%s", data != NULL ? data : "scenarios", name);
    return path;
}

static struct flash_sim *new_sim(void)
{
    static const struct flash_chip chip = {
        .part = {.name = "test",
                 .size = SECTOR * COUNT,
                 .runs = {{COUNT, SECTOR}},
                 .run_count = 1,
                 .unit = 8,
                 .erased = 0xFF,
                 .programs = 1,
                 .program_per = 8},
    };
    struct flash_sim *sim = flash_sim_memory(&chip, 1);

    assert_non_null(sim);
    return sim;
}

static void test_known_digest(void **state)
{
    static const uint8_t abc[CRYPTO_SHA256_SIZE] = {
        0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA, 0x41, 0x41, 0x40,
        0xDE, 0x5D, 0xAE, 0x22, 0x23, 0xB0, 0x03, 0x61, 0xA3, 0x96, 0x17,
        0x7A, 0x9C, 0xB4, 0x10, 0xFF, 0x61, 0xF2, 0x00, 0x15, 0xAD,
    };
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    uint8_t digest[CRYPTO_SHA256_SIZE];

    (void)state;
    assert_int_equal(port->sha256(port->context, "abc", 3, digest), OTA_OK);
    assert_memory_equal(digest, abc, sizeof abc);
    crypto_openssl_free(crypto);
}

static void test_flash_digest(void **state)
{
    struct flash_sim *sim = new_sim();
    uint8_t bytes[SECTOR * COUNT];
    uint8_t expected[CRYPTO_SHA256_SIZE];
    uint8_t digest[CRYPTO_SHA256_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(flash_sim_put(sim, 0, bytes, sizeof bytes), OTA_OK);
    for (int remember = 0; remember < 2; remember++) {
        struct crypto_openssl *crypto = crypto_openssl_new(sim, remember != 0);
        const struct crypto_port *port = crypto_openssl_port(crypto);
        const uint32_t ranges[][2] = {{0, 0}, {0, 1}, {3, 16384}, {5, 50001}, {0, sizeof bytes}};
        for (int round = 0; round < 2; round++) {
            for (size_t i = 0; i < 5; i++) {
                uint32_t at = ranges[i][0];
                assert_int_equal(port->sha256(port->context, bytes + at, ranges[i][1], expected),
                                 OTA_OK);
                assert_int_equal(port->sha256_flash(port->context, flash_sim_port(sim), at,
                                                    ranges[i][1], digest),
                                 OTA_OK);
                assert_memory_equal(digest, expected, sizeof digest);
            }
        }
        struct crypto_counts counts;
        crypto_openssl_counts(crypto, &counts);
        assert_int_equal(counts.hashes, 10);
        assert_int_equal(counts.hashes_computed, remember ? 5 : 10);
        assert_int_equal(counts.hashed_bytes, (remember ? 1 : 2) * (1 + 16384 + 50001 + 65536));
        crypto_openssl_free(crypto);
    }
    flash_sim_close(sim);
}

static void test_memory_follows_content(void **state)
{
    struct flash_sim *sim = new_sim();
    struct crypto_openssl *crypto = crypto_openssl_new(sim, true);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    const struct flash_port *flash = flash_sim_port(sim);
    uint8_t blank[CRYPTO_SHA256_SIZE];
    uint8_t digest[CRYPTO_SHA256_SIZE];
    struct crypto_counts counts;

    (void)state;
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 8192, blank), OTA_OK);
    assert_int_equal(flash->program(flash->context, 4096, "changed!", 8), OTA_OK);
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 8192, digest), OTA_OK);
    assert_memory_not_equal(digest, blank, sizeof digest);
    assert_int_equal(flash->erase(flash->context, 4096), OTA_OK);
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 8192, digest), OTA_OK);
    assert_memory_equal(digest, blank, sizeof digest);
    crypto_openssl_counts(crypto, &counts);
    assert_int_equal(counts.hashes, 3);
    assert_int_equal(counts.hashes_computed, 2);

    assert_int_equal(flash_sim_break_unit(sim, 64), OTA_OK);
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 8192, digest), OTA_E_FLASH_READ);
    crypto_openssl_free(crypto);
    flash_sim_close(sim);
}

static enum flash_tear cut_always(void *context, struct flash_sim *sim, const struct flash_op *op)
{
    (void)context;
    (void)sim;
    (void)op;
    return FLASH_TEAR_BEFORE;
}

static void test_no_memory_without_power(void **state)
{
    struct flash_sim *sim = new_sim();
    struct crypto_openssl *crypto = crypto_openssl_new(sim, true);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    const struct flash_port *flash = flash_sim_port(sim);
    uint8_t digest[CRYPTO_SHA256_SIZE];

    (void)state;
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 64, digest), OTA_OK);
    flash_sim_observe(sim, cut_always, NULL);
    assert_int_equal(flash->erase(flash->context, 4096), OTA_E_POWER);
    assert_int_equal(port->sha256_flash(port->context, flash, 0, 64, digest), OTA_E_POWER);
    crypto_openssl_free(crypto);
    flash_sim_close(sim);
}

static int zeros_read(void *context, uint32_t address, void *data, uint32_t length)
{
    (void)context;
    (void)address;
    memset(data, 0, length);
    return OTA_OK;
}

static void test_foreign_port_is_computed(void **state)
{
    struct flash_sim *sim = new_sim();
    struct crypto_openssl *crypto = crypto_openssl_new(sim, true);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    struct flash_port foreign = *flash_sim_port(sim);
    uint8_t own[CRYPTO_SHA256_SIZE];
    uint8_t digest[CRYPTO_SHA256_SIZE];

    (void)state;
    foreign.read = zeros_read;
    assert_int_equal(port->sha256_flash(port->context, flash_sim_port(sim), 0, 64, own), OTA_OK);
    assert_int_equal(port->sha256_flash(port->context, &foreign, 0, 64, digest), OTA_OK);
    assert_memory_not_equal(own, digest, sizeof own);
    crypto_openssl_free(crypto);
    flash_sim_close(sim);
}

/* Reads `length` bytes at `offset` of a golden file. */
static void golden_bytes(const char *name, long offset, void *out, size_t length)
{
    FILE *file = fopen(golden_path(name), "rb");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fread(out, 1, length, file), length);
    fclose(file);
}

/* Verifies a golden image's signature, then with every byte of it wrong in turn. */
static void verify_golden(bool remember, const char *key_name, const char *image,
                          long digest_offset, long signature_offset, size_t size)
{
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, remember);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    struct crypto_key key;
    uint8_t *der;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t signature[256];
    struct crypto_counts counts;

    assert_int_equal(crypto_openssl_read_public(golden_path(key_name), &key, &der), OTA_OK);
    golden_bytes(image, digest_offset, digest, sizeof digest);
    golden_bytes(image, signature_offset, signature, size);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(port->verify(port->context, &key, digest, signature, size), OTA_OK);
        for (size_t i = 0; i < size; i++) {
            signature[i] ^= 0x10;
            assert_int_equal(port->verify(port->context, &key, digest, signature, size),
                             OTA_E_IMG_SIGNATURE);
            signature[i] ^= 0x10;
        }
    }
    assert_int_equal(port->verify(port->context, &key, digest, signature, size - 1),
                     OTA_E_IMG_SIGNATURE);
    assert_int_equal(port->verify(port->context, &key, digest, signature, 0), OTA_E_IMG_SIGNATURE);
    digest[31] ^= 1;
    assert_int_equal(port->verify(port->context, &key, digest, signature, size),
                     OTA_E_IMG_SIGNATURE);
    crypto_openssl_counts(crypto, &counts);
    assert_int_equal(counts.verifies, 3 * (size + 1) + 3);
    assert_int_equal(counts.verifies_computed, (remember ? 1 : 3) * (size + 1) + 3);
    free(der);
    crypto_openssl_free(crypto);
}

static void test_verify_ecdsa(void **state)
{
    (void)state;
    verify_golden(false, "p256.pub.pem", "p256-v1.2.3.img", 0xFDD0, 0xFE18, 71);
    verify_golden(true, "p256.pub.pem", "p256-v1.2.3.img", 0xFDD0, 0xFE18, 71);
}

static void test_verify_rsa(void **state)
{
    (void)state;
    verify_golden(false, "rsa2048.pub.pem", "rsa2048-v1.2.4.img", 0xFDD0, 0xFE18, 256);
    verify_golden(true, "rsa2048.pub.pem", "rsa2048-v1.2.4.img", 0xFDD0, 0xFE18, 256);
}

static void test_more_keys_than_the_cache(void **state)
{
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    struct crypto_key key;
    uint8_t *der;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t signature[71];

    (void)state;
    assert_int_equal(crypto_openssl_read_public(golden_path("p256.pub.pem"), &key, &der), OTA_OK);
    golden_bytes("p256-v1.2.3.img", 0xFDD0, digest, sizeof digest);
    golden_bytes("p256-v1.2.3.img", 0xFE18, signature, sizeof signature);
    for (int i = 0; i < 20; i++) {
        uint8_t junk[91];
        memcpy(junk, der, sizeof junk);
        junk[90] = (uint8_t)i; /* a point off the curve */
        struct crypto_key broken = {key.scheme, junk, sizeof junk};
        assert_true(port->verify(port->context, &broken, digest, signature, sizeof signature) < 0);
        assert_int_equal(port->verify(port->context, &key, digest, signature, sizeof signature),
                         OTA_OK);
    }
    key.scheme = CRYPTO_RSA2048_PSS;
    assert_int_equal(port->verify(port->context, &key, digest, signature, sizeof signature),
                     OTA_E_ARGUMENT);
    free(der);
    crypto_openssl_free(crypto);
}

static void test_read_public(void **state)
{
    struct crypto_key key;
    uint8_t *der;

    (void)state;
    assert_int_equal(crypto_openssl_read_public(golden_path("p256.pub.pem"), &key, &der), OTA_OK);
    assert_int_equal(key.scheme, CRYPTO_ECDSA_P256);
    assert_int_equal(key.der_size, 91);
    free(der);
    assert_int_equal(crypto_openssl_read_public(golden_path("rsa2048.pub.pem"), &key, &der),
                     OTA_OK);
    assert_int_equal(key.scheme, CRYPTO_RSA2048_PSS);
    assert_int_equal(key.der_size, 270);
    free(der);
    assert_int_equal(crypto_openssl_read_public(golden_path("no.pem"), &key, &der), OTA_E_IO);
    assert_null(der);
    assert_int_equal(crypto_openssl_read_public(golden_path("app-a.bin"), &key, &der),
                     OTA_E_IMG_KEY);
    assert_null(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digest),
        cmocka_unit_test(test_flash_digest),
        cmocka_unit_test(test_memory_follows_content),
        cmocka_unit_test(test_no_memory_without_power),
        cmocka_unit_test(test_foreign_port_is_computed),
        cmocka_unit_test(test_verify_ecdsa),
        cmocka_unit_test(test_verify_rsa),
        cmocka_unit_test(test_more_keys_than_the_cache),
        cmocka_unit_test(test_read_public),
    };
    return cmocka_run_group_tests_name("sim/crypto_openssl", tests, NULL, NULL);
}

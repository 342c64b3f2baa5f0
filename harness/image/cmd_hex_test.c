/* `nobrick image hex2bin|bin2hex|merge|sign` as a user meets them. */
#include "harness/image/cmd_rig.h"
#include "harness/image/harmony.h"
#include "sim/crypto_openssl.h"

#include <openssl/evp.h>

static void unified_image_keeps_all_and_overlaps_are_named(void **state)
{
    static const char words[] = ":020000041FC01B\n:043FC000FFFFFF7F81\n:00000001FF\n";
    uint8_t app[5000];
    uint8_t *again;
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof app; i++)
        app[i] = (uint8_t)(i * 7u);
    put("app.bin", app, sizeof app);
    put("words.hex", words, sizeof words - 1);
    assert_int_equal(run("bin2hex --base 0x10020000 -o app.hex app.bin"), 0);
    assert_int_equal(run("bin2hex --base 0x10000000 -o loader.hex app.bin"), 0);
    assert_int_equal(run("merge -o all.hex app.hex words.hex loader.hex"), 0);
    assert_int_equal(run("hex2bin --base 0x10020000 -o again.bin all.hex"), 0);
    assert_true(said("2 pieces of all.hex lie outside"));
    assert_int_equal(nb_read_file("again.bin", 100000, &again, &size), 0);
    assert_int_equal(size, sizeof app);
    assert_memory_equal(again, app, sizeof app);
    free(again);
    assert_int_equal(run("hex2bin --base 0x1FC03FC0 -o again.bin all.hex"), 0);
    assert_int_equal(nb_read_file("again.bin", 100000, &again, &size), 0);
    assert_int_equal(size, 4);
    assert_memory_equal(again, "\xFF\xFF\xFF\x7F", 4);
    free(again);
    assert_int_equal(unlink("all.hex"), 0);
    assert_int_equal(run("bin2hex --base 0x10020100 -o loader.hex app.bin"), 0);
    assert_int_equal(run("merge -o all.hex app.hex loader.hex"), 2);
    assert_true(said("loader.hex: 0x10020100 to 0x10021487 overlaps app.hex: 0x10020000 to "
                     "0x10021387"));
    assert_int_equal(access("all.hex", F_OK), -1);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    put("app.bin", "abc", 3);
    assert_int_equal(run("hex2bin -o again.bin app.bin"), 2);
    assert_true(said("needs --base ADDRESS"));
    assert_int_equal(run("hex2bin --base 0 -o again.bin app.bin"), 2);
    assert_true(said("app.bin:1: expected ':'"));
    assert_int_equal(run("merge -o all.hex"), 2);
    assert_int_equal(run("sign app.bin"), 2);
    assert_true(said("needs --key FILE"));
    assert_int_equal(run("sign --key nosuch.pem app.bin"), 2);
    assert_true(said("nosuch.pem"));
}

/* The signature of a manifest, r and s, is one that openssl takes. */
static void signature_verifies(void **state)
{
    struct img_row row = {.type = IMG_ROW_PRODUCTION};
    uint8_t der[IMG_RS_DER_MAX];
    char reason[160];
    (void)state;
    assert_int_equal(nb_image_derive_key("key", "cmd_hex_test"), 0);
    put("app.bin", "abc", 3);
    assert_int_equal(run("sign --key key.pem app.bin"), 0);
    assert_true(
        said("size      3\ndigest    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
             "f20015ad\nsignature "));
    assert_int_equal(
        nb_harmony_sign((const uint8_t *)"abc", 3, "key.pem", &row, reason, sizeof reason), 0);
    char text[100];
    EVP_EncodeBlock((unsigned char *)text, row.signature, IMG_RS_SIZE);
    assert_true(said(text));
    struct crypto_key key;
    uint8_t *public = NULL;
    assert_int_equal(crypto_openssl_read_public("key.pub.pem", &key, &public), 0);
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    size_t size = img_rs_to_der(row.signature, der);
    assert_int_equal(port->verify(port->context, &key, row.digest, der, size), 0);
    put("app.der", der, size);
    assert_int_equal(
        system("openssl dgst -sha256 -verify key.pub.pem -signature app.der app.bin >said"), 0);
    assert_true(said("Verified OK"));
    der[size - 1] ^= 1;
    put("app.der", der, size);
    assert_int_not_equal(
        system("openssl dgst -sha256 -verify key.pub.pem -signature app.der app.bin >said 2>&1"),
        0);
    der[size - 1] ^= 1;
    row.digest[0] ^= 1;
    assert_int_equal(port->verify(port->context, &key, row.digest, der, size), OTA_E_IMG_SIGNATURE);
    crypto_openssl_free(crypto);
    free(public);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unified_image_keeps_all_and_overlaps_are_named),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(signature_verifies),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}

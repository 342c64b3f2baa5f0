/* Manifests, byte for byte, with every field; and the URLs that devices get along with. */
#include "harness/peers/harmony_manifest.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
/* SHA-256 of the block with which every image of the original begins. */
#define BLOCK "3e6904dd49c0a34f686b4bad0fe70f28aba495a5bf70280375e7c6cca028732c"

static const uint8_t block[CRYPTO_SHA256_SIZE] = {
    0x3e, 0x69, 0x04, 0xdd, 0x49, 0xc0, 0xa3, 0x4f, 0x68, 0x6b, 0x4b, 0xad, 0x0f, 0xe7, 0x0f, 0x28,
    0xab, 0xa4, 0x95, 0xa5, 0xbf, 0x70, 0x28, 0x03, 0x75, 0xe7, 0xc6, 0xcc, 0xa0, 0x28, 0x73, 0x2c};

static void expect_text(const struct harmony_entry *entries, size_t count, const char *expected)
{
    cJSON *manifest = harmony_manifest(entries, count);
    assert_non_null(manifest);
    char *text = harmony_manifest_text(manifest);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    cJSON_Delete(manifest);
}

static void an_unsigned_image(void **state)
{
    const struct harmony_entry entry = {.version = 5,
                                        .url = "http://192.168.0.101:8000/app_v5.bin"};
    (void)state;
    expect_text(&entry, 1,
                "{\"ota\":[{\"Version\":5,\"URL\":\"http://192.168.0.101:8000/app_v5.bin\","
                "\"Digest\":\"" ZEROS "\",\"EraseVer\":false}]}");
}

static void every_field(void **state)
{
    const struct harmony_patch patches[] = {
        {.base_version = 1, .url = "http://a/1.patch"},
        {.base_version = 4294967295u, .url = "https://a/2.patch"},
    };
    struct harmony_entry entry = {.version = 2147483648u,
                                  .url = "https://a/2.bin",
                                  .is_signed = true,
                                  .patches = patches,
                                  .patch_count = 2};
    struct harmony_patch copies[2];
    (void)state;
    memcpy(copies, patches, sizeof copies);
    memcpy(entry.digest, block, sizeof block);
    memcpy(copies[0].base_digest, block, sizeof block);
    memcpy(copies[0].digest, block, sizeof block);
    memcpy(copies[1].target_digest, block, sizeof block);
    entry.patches = copies;
    for (uint8_t i = 0; i < IMG_RS_SIZE; i++)
        entry.signature[i] = i;
    expect_text(
        &entry, 1,
        "{\"ota\":[{\"Version\":2147483648,\"URL\":\"https://a/2.bin\",\"Digest\":\"" BLOCK
        "\",\"Signature\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
        "MDEyMzQ1Njc4OTo7PD0+Pw==\",\"EraseVer\":false,\"Patch\":["
        "{\"BaseVersion\":1,\"BaseVerDigest\":\"" BLOCK "\",\"PatchURL\":\"http://a/1.patch\","
        "\"PatchDigest\":\"" BLOCK "\",\"TargetDigest\":\"" ZEROS "\"},"
        "{\"BaseVersion\":4294967295,\"BaseVerDigest\":\"" ZEROS
        "\",\"PatchURL\":\"https://a/2.patch\",\"PatchDigest\":\"" ZEROS
        "\",\"TargetDigest\":\"" BLOCK "\"}]}]}");
}

/* The order is the caller's: the last one counts. */
static void several_entries(void **state)
{
    const struct harmony_entry entries[] = {
        {.version = 9, .url = "http://a/9.bin"},
        {.version = 2, .erase = true, .url = "http://a/2.bin"},
    };
    (void)state;
    expect_text(entries, 2,
                "{\"ota\":[{\"Version\":9,\"URL\":\"http://a/9.bin\",\"Digest\":\"" ZEROS
                "\",\"EraseVer\":false},{\"Version\":2,\"EraseVer\":true}]}");
    expect_text(NULL, 0, "{\"ota\":[]}");
}

/* What devices of the original get along with. */
static void urls(void **state)
{
    static const struct {
        const char *url;
        const char *trouble;
    } rows[] = {
        {"http://192.168.0.101:8000/app_v5.bin", NULL},
        {"https://a/b.c/v2.bin", NULL},
        {"ftp://a/v2.bin", "begins with neither http:// nor https://"},
        {"HTTP://a/v2.bin", "begins with neither http:// nor https://"},
        {"v2.bin", "begins with neither http:// nor https://"},
        {"http://a/v2.bin?x", "has a query, which devices leave out"},
        {"http://a/v2.bin#x", "has a query, which devices leave out"},
        {"http://a.b/fw", "names a file without an extension"},
        {"http://a/b.c/", "names a file without an extension"},
    };
    char url[120];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *trouble = harmony_url_trouble(rows[i].url);
        assert_true((trouble == NULL) == (rows[i].trouble == NULL));
        if (trouble != NULL)
            assert_string_equal(trouble, rows[i].trouble);
    }
    memset(url, 'x', sizeof url);
    memcpy(url, "http://a/v2.", 12);
    url[99] = '\0';
    assert_null(harmony_url_trouble(url));
    url[99] = 'x';
    url[100] = '\0';
    assert_string_equal(harmony_url_trouble(url),
                        "is longer than the 99 characters that a device keeps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unsigned_image),
        cmocka_unit_test(every_field),
        cmocka_unit_test(several_entries),
        cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

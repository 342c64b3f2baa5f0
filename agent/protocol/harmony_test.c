#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/image/harmony.h"
#include "agent/protocol/harmony.h"

#include <stdio.h>
#include <string.h>

/* SHA-256 of the boot control block that the original's linker writes. */
#define DIGEST         "3e6904dd49c0a34f686b4bad0fe70f28aba495a5bf70280375e7c6cca028732c"
#define LARGE          "3E6904DD49C0A34F686B4BAD0FE70F28ABA495A5BF70280375E7C6CCA028732C"
#define URL            "\"URL\": \"http://192.168.0.101:8000/app_v5.bin\""
#define IMAGE          URL ", \"Digest\": \"" DIGEST "\""
#define ENTRY(members) "{ \"ota\": [ { " members " } ] }"

/* Bytes 0, 1, 2 … 63, as base64. */
#define SIGNATURE                                                                                  \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

static int parse(const char *text, struct ota_message *out)
{
    return harmony_manifest_parse((const uint8_t *)text, strlen(text), out);
}

static uint32_t number_of(const struct ota_message *message)
{
    uint32_t number = 0;
    assert_int_equal(img_harmony_number(&message->version, &number), 0);
    return number;
}

/* ---- what the original's servers offer ---------------------------------------------------- */

static void an_offer_is_read_whole(void **state)
{
    struct ota_message message;
    (void)state;
    assert_int_equal(parse(ENTRY("\"Version\": 5, " IMAGE ", \"Signature\": \"" SIGNATURE
                                 "\", \"EraseVer\": false, \"Patch\": []"),
                           &message),
                     0);
    assert_int_equal(message.kind, OTA_MESSAGE_JOB);
    assert_int_equal(number_of(&message), 5);
    assert_int_equal(message.source.connection, OTA_BY_HTTP);
    assert_string_equal(message.source.host, "192.168.0.101");
    assert_int_equal(message.source.port, 8000);
    assert_string_equal(message.source.path, "/app_v5.bin");
    assert_int_equal(message.voucher.digest[0], 0x3E);
    assert_int_equal(message.voucher.digest[31], 0x2C);
    assert_true(message.voucher.is_signed);
    for (size_t i = 0; i < sizeof message.voucher.signature; i++)
        assert_int_equal(message.voucher.signature[i], i);
    assert_null(message.fault);
}

/* Names in any case; the first of two equal ones; what is unknown is passed over. */
static void names_are_read_as_the_original_reads_them(void **state)
{
    struct ota_message message;
    (void)state;
    assert_int_equal(parse("{\"x\": [[1]], \"OTA\": [{\"VERSION\": 7, \"version\": 8, \"url\": "
                           "\"HTTPS://fw.example.com/d/v7.bin?k=1#top\", \"digest\": \"" LARGE
                           "\", \"note\": {\"by\": \"me\"}}]}",
                           &message),
                     0);
    assert_int_equal(number_of(&message), 7);
    assert_int_equal(message.source.connection, OTA_BY_HTTPS);
    assert_string_equal(message.source.host, "fw.example.com");
    assert_int_equal(message.source.port, 443);
    assert_string_equal(message.source.path, "/d/v7.bin?k=1");
    assert_int_equal(message.voucher.digest[31], 0x2C);
    assert_false(message.voucher.is_signed);
}

static void the_last_entry_is_the_offer(void **state)
{
    struct ota_message message;
    (void)state;
    assert_int_equal(
        parse("{\"ota\": [{\"Version\": 9, " IMAGE "}, {\"Version\": 2, " IMAGE "}]}", &message),
        0);
    assert_int_equal(number_of(&message), 2);
    assert_int_equal(
        parse("{\"ota\": [{\"Version\": \"?\"}, {\"Version\": 3, " IMAGE "}]}", &message), 0);
    assert_int_equal(number_of(&message), 3);
    assert_int_equal(parse("{\"ota\": []}", &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_NO_UPDATE);
}

/* As much history as a device's document buffer has room for. */
static void a_long_history_is_passed_over(void **state)
{
    static char text[4096];
    struct ota_message message;
    size_t length = (size_t)snprintf(text, sizeof text, "{\"ota\": [");
    uint32_t version = 0;
    (void)state;
    while (length + 400 < sizeof text) {
        version++;
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "{\"Version\": %u, " IMAGE ", \"EraseVer\": false}, ", version);
    }
    snprintf(text + length, sizeof text - length, "{\"Version\": 99, " IMAGE "}]}");
    assert_true(version > 15);
    assert_int_equal(parse(text, &message), 0);
    assert_int_equal(number_of(&message), 99);
}

/* B8: it holds for its manifest only. */
static void erasing_needs_a_version_and_no_more(void **state)
{
    struct ota_message message;
    (void)state;
    assert_int_equal(parse(ENTRY("\"Version\": 300, \"EraseVer\": true"), &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_ERASE);
    assert_int_equal(number_of(&message), 300);
    assert_int_equal(parse(ENTRY("\"Version\": 4, " IMAGE), &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_JOB);
}

/* B7: each of them is itself. */
static void versions_are_whole_numbers(void **state)
{
    static const uint32_t good[] = {1, 9, 10, 99, 100, 255, 256, 1000, 65535, 65536, 16777470};
    static const char *const bad[] = {"0",           "-1",         "2.9",    "\"5\"",
                                      "16777471",    "4294967295", "1e9999", "null",
                                      "-4294967295", "[5]",        "true"};
    struct ota_message message;
    char text[300];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, ENTRY("\"Version\": %u, " IMAGE), good[i]);
        assert_int_equal(parse(text, &message), 0);
        assert_int_equal(number_of(&message), good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, ENTRY("\"Version\": %s, " IMAGE), bad[i]);
        assert_int_equal(parse(text, &message), OTA_E_JOB_FIELD);
        assert_string_equal(message.fault, "Version");
    }
}

/* ---- what is refused, and by which name --------------------------------------------------- */

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *fault;
    } rows[] = {
        {"", OTA_E_JSON, "manifest"},
        {"[]", OTA_E_JSON, "manifest"},
        {"{\"ota\": [", OTA_E_JSON, "manifest"},
        {"{} {}", OTA_E_JSON, "manifest"},
        {"{\"ota\": [[[[[[[[1]]]]]]]]}", OTA_E_JSON, "manifest"},
        {"{}", OTA_E_JOB_FIELD, "ota"},
        {"{\"ota\": {\"Version\": 5}}", OTA_E_JOB_FIELD, "ota"},
        {"{\"Version\": 5, " IMAGE "}", OTA_E_JOB_FIELD, "ota"},
        {"{\"ota\": [5]}", OTA_E_JOB_FIELD, "ota"},
        {ENTRY(IMAGE), OTA_E_JOB_FIELD, "Version"},
        {ENTRY("\"Version\": 5, \"EraseVer\": \"false\", " IMAGE), OTA_E_JOB_FIELD, "EraseVer"},
        {ENTRY("\"Version\": 5, \"EraseVer\": 1"), OTA_E_JOB_FIELD, "EraseVer"},
        {ENTRY("\"EraseVer\": true"), OTA_E_JOB_FIELD, "Version"},
        {ENTRY("\"Version\": 5, \"Digest\": \"" DIGEST "\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": 7"), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"/v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"ftp://h/v5.bin\""), OTA_E_UNSUPPORTED, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http:///v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://me@h/v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://h:0/v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://h:65536/v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://h:/v5.bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://h/v5 .bin\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, \"URL\": \"http://h/v\\r\\nX: 1\""), OTA_E_JOB_FIELD, "URL"},
        {ENTRY("\"Version\": 5, " URL), OTA_E_JOB_FIELD, "Digest"},
        {ENTRY("\"Version\": 5, " URL ", \"Digest\": 5"), OTA_E_JOB_FIELD, "Digest"},
        {ENTRY("\"Version\": 5, " URL ", \"Digest\": \"3e69\""), OTA_E_JOB_FIELD, "Digest"},
        {ENTRY("\"Version\": 5, " URL ", \"Digest\": \"" DIGEST "0\""), OTA_E_JOB_FIELD, "Digest"},
        {ENTRY("\"Version\": 5, " IMAGE ", \"Signature\": \"\""), OTA_E_JOB_FIELD, "Signature"},
        {ENTRY("\"Version\": 5, " IMAGE ", \"Signature\": null"), OTA_E_JOB_FIELD, "Signature"},
        {ENTRY("\"Version\": 5, " IMAGE ", \"Signature\": \"*" SIGNATURE "\""), OTA_E_JOB_FIELD,
         "Signature"},
        {ENTRY("\"Version\": 5, " IMAGE ", \"Patch\": {}"), OTA_E_JOB_FIELD, "Patch"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ota_message message;
        int error = parse(rows[i].text, &message);
        if (error != rows[i].error || message.fault == NULL ||
            strcmp(message.fault, rows[i].fault) != 0)
            fail_msg("row %zu '%s': %s, %s", i, rows[i].text, ota_err_word(error),
                     message.fault != NULL ? message.fault : "(none)");
    }
}

/* B30: the longest of each is used as it is, and one more is refused by name. */
static void long_addresses_are_whole_or_refused(void **state)
{
    struct ota_message message;
    char text[1200];
    char name[OTA_PATH_MAX + 1];
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        memset(name, 'p', sizeof name);
        name[OTA_PATH_MAX - 2 + more] = '\0';
        snprintf(text, sizeof text,
                 ENTRY("\"Version\": 5, \"URL\": \"http://h/%s\", \"Digest\": \"" DIGEST "\""),
                 name);
        assert_int_equal(parse(text, &message), more ? OTA_E_NO_SPACE : 0);
        if (more == 0)
            assert_string_equal(message.source.path + 1, name);
        else
            assert_string_equal(message.fault, "URL");
        name[OTA_HOST_MAX - 1 + more] = '\0';
        memset(name, 'h', OTA_HOST_MAX - 1 + more);
        snprintf(text, sizeof text,
                 ENTRY("\"Version\": 5, \"URL\": \"http://%s/fw\", \"Digest\": \"" DIGEST "\""),
                 name);
        assert_int_equal(parse(text, &message), more ? OTA_E_NO_SPACE : 0);
        if (more == 0)
            assert_string_equal(message.source.host, name);
    }
}

/* ---- patches ------------------------------------------------------------------------------ */

#define BASE(number) "\"BaseVersion\": " number ", \"BaseVerDigest\": \"" DIGEST "\""
#define REST                                                                                       \
    ", \"PatchURL\": \"http://h/p.patch\", \"PatchDigest\": \"" LARGE "\", \"TargetDigest\": "     \
    "\"" DIGEST "\""

static int patch(const char *text, size_t from_last, struct ota_patch *out)
{
    return harmony_patch_parse((const uint8_t *)text, strlen(text), from_last, out);
}

static void patches_are_read_from_the_last_on(void **state)
{
    static const char text[] = ENTRY("\"Version\": 5, " IMAGE ", \"Patch\": [{" BASE("1") REST
                                     "}, {" BASE("2") "}, {" BASE("3") REST "}]");
    struct ota_patch found;
    struct ota_message message;
    (void)state;
    assert_int_equal(parse(text, &message), 0);
    assert_int_equal(patch(text, 0, &found), 0);
    assert_int_equal(found.base_version, 3);
    assert_string_equal(found.source.path, "/p.patch");
    assert_int_equal(found.digest[0], 0x3E);
    assert_int_equal(found.target_digest[31], 0x2C);
    assert_int_equal(found.base_digest[1], 0x69);
    assert_int_equal(patch(text, 1, &found), OTA_E_JOB_FIELD); /* the next may still do */
    assert_int_equal(patch(text, 2, &found), 0);
    assert_int_equal(found.base_version, 1);
    assert_int_equal(patch(text, 3, &found), OTA_E_NO_IMAGE);
    assert_int_equal(patch(ENTRY("\"Version\": 5, " IMAGE), 0, &found), OTA_E_NO_IMAGE);
    assert_int_equal(patch("{\"ota\": []}", 0, &found), OTA_E_NO_IMAGE);
    assert_int_equal(patch("{", 0, &found), OTA_E_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_read_whole),
        cmocka_unit_test(names_are_read_as_the_original_reads_them),
        cmocka_unit_test(the_last_entry_is_the_offer),
        cmocka_unit_test(a_long_history_is_passed_over),
        cmocka_unit_test(erasing_needs_a_version_and_no_more),
        cmocka_unit_test(versions_are_whole_numbers),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(long_addresses_are_whole_or_refused),
        cmocka_unit_test(patches_are_read_from_the_last_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

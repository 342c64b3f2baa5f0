/* Images against the goldens of MCUboot's own tool: what it made verifies here, what we make is
 * byte for byte what it made, and what is malformed is refused for the reason in its name. */
#include "harness/image/image.h"

#include "harness/cli/paths.h"
#include "harness/files/files.h"
#include "sim/crypto_openssl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH 4096

struct world {
    char dir[PATH / 2];
    struct crypto_key keys[2]; /* the goldens' P-256 and RSA-2048 */
    uint8_t *der[2];
};

struct bytes {
    uint8_t *data;
    size_t size;
};

static struct bytes golden(const char *name)
{
    char path[PATH];
    struct bytes bytes = {NULL, 0};

    snprintf(path, sizeof path, "%s/golden/%s", nb_data_dir(), name);
    if (nb_read_file(path, 1 << 20, &bytes.data, &bytes.size) != OTA_OK) {
        fail_msg("cannot read %s", path);
    }
    return bytes;
}

static int set_up(void **state)
{
    static struct world w;
    static const char *const names[] = {"p256.pub.pem", "rsa2048.pub.pem"};
    const char *tmp = getenv("TMPDIR");
    char path[PATH];

    snprintf(w.dir, sizeof w.dir, "%s/nobrick-image-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(w.dir) == NULL) {
        return -1;
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/golden/%s", nb_data_dir(), names[i]);
        if (crypto_openssl_read_public(path, &w.keys[i], &w.der[i]) != OTA_OK) {
            return -1;
        }
    }
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const made[] = {"ec.pem", "ec.pub.pem", "rsa.pem", "rsa.pub.pem"};
    struct world *w = *state;
    char path[PATH];

    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, made[i]);
        (void)unlink(path);
    }
    free(w->der[0]);
    free(w->der[1]);
    return rmdir(w->dir);
}

static const char *in_dir(const struct world *w, const char *name)
{
    static char path[PATH];

    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return path;
}

static void test_golden_verdicts(void **state)
{
    static const struct {
        const char *name;
        int code;
        int also; /* as good an answer; 0: none */
        uint8_t version[3];
        uint32_t end;
    } rows[] = {
        {"p256-v1.2.3.img", OTA_OK, 0, {1, 2, 3}, 65119},
        {"p256-v1.3.0-sec7.img", OTA_OK, 0, {1, 3, 0}, 60194},
        {"p256-tiny.img", OTA_OK, 0, {1, 0, 0}, 184},
        {"rsa2048-v1.2.4.img", OTA_OK, 0, {1, 2, 4}, 65304},
        {"p256-v1.3.0-confirmed.slot", OTA_OK, 0, {1, 3, 0}, 60182},
        {"p256-v2.0.0-hdr400-pending.slot", OTA_OK, 0, {2, 0, 0}, 61175},
        {"p256-align32-confirmed.slot", OTA_OK, 0, {1, 2, 3}, 60183},
        {"unsigned-v1.2.5.img", OTA_E_IMG_NO_SIGNATURE, 0, {0}, 0},
        {"otherkey-v9.0.0.img", OTA_E_IMG_KEY, 0, {0}, 0},
        {"malformed/bad-magic.img", OTA_E_IMG_MAGIC, 0, {0}, 0},
        {"malformed/header-size-0.img", OTA_E_IMG_HEADER, 0, {0}, 0},
        {"malformed/size-overflow.img", OTA_E_IMG_SIZE, 0, {0}, 0},
        {"malformed/flip-payload.img", OTA_E_IMG_HASH, 0, {0}, 0},
        {"malformed/flip-header-version.img", OTA_E_IMG_HASH, 0, {0}, 0},
        {"malformed/truncated-payload.img", OTA_E_IMG_TRUNCATED, 0, {0}, 0},
        {"malformed/truncated-tlv.img", OTA_E_IMG_TRUNCATED, OTA_E_IMG_TLV, {0}, 0},
        {"malformed/tlv-len-lies.img", OTA_E_IMG_TLV, 0, {0}, 0},
        {"malformed/tlv-total-lies.img", OTA_E_IMG_TLV, 0, {0}, 0},
        {"malformed/no-signature.img", OTA_E_IMG_NO_SIGNATURE, 0, {0}, 0},
    };
    struct world *w = *state;
    struct img_rules rules = {w->keys, 2, 0};
    struct img_info info;
    struct img_fault fault;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes image = golden(rows[i].name);
        int code = nb_image_check(image.data, image.size, &rules, &info, &fault);
        if (code != rows[i].code && (rows[i].also == 0 || code != rows[i].also)) {
            fail_msg("%s: %s, not %s", rows[i].name, ota_err_word(code),
                     ota_err_word(rows[i].code));
        }
        if (code == OTA_OK) {
            assert_int_equal(info.header.version.major, rows[i].version[0]);
            assert_int_equal(info.header.version.minor, rows[i].version[1]);
            assert_int_equal(info.header.version.revision, rows[i].version[2]);
            assert_int_equal(info.end, rows[i].end);
            assert_int_equal(info.key, strncmp(rows[i].name, "rsa", 3) == 0 ? 1 : 0);
        } else {
            assert_non_null(fault.what);
            assert_true(fault.offset <= image.size);
        }
        free(image.data);
    }
}

static void test_golden_details(void **state)
{
    static const uint8_t digest[CRYPTO_SHA256_SIZE] = {
        0x08, 0x8E, 0x5D, 0xE1, 0x4C, 0x91, 0x71, 0x42, 0xF8, 0x63, 0x27,
        0xFA, 0x49, 0x72, 0xAF, 0xAF, 0xC6, 0x99, 0xA8, 0x41, 0x8A, 0xBD,
        0x0C, 0xA6, 0x86, 0xF9, 0x28, 0x43, 0x45, 0x49, 0x22, 0x13,
    };
    struct world *w = *state;
    struct img_rules rules = {w->keys, 2, 0};
    struct img_info info;

    struct bytes image = golden("p256-v1.2.3.img");
    assert_int_equal(nb_image_check(image.data, image.size, &rules, &info, NULL), OTA_OK);
    assert_int_equal(info.header.version.build, 4);
    assert_memory_equal(info.digest, digest, sizeof digest);
    assert_false(info.has_counter);
    free(image.data);

    image = golden("p256-v1.3.0-sec7.img");
    assert_int_equal(nb_image_check(image.data, image.size, &rules, &info, NULL), OTA_OK);
    assert_true(info.has_counter);
    assert_int_equal(info.counter, 7);
    free(image.data);

    image = golden("p256-v2.0.0-hdr400-pending.slot");
    assert_int_equal(nb_image_check(image.data, image.size, &rules, &info, NULL), OTA_OK);
    assert_int_equal(info.header.hdr_size, 0x400);
    free(image.data);
}

/* In a slot nothing ends: what is behind a short file is erased flash, of either value. */
static void test_malformed_in_slots(void **state)
{
    static const struct {
        const char *name;
        int code;
    } rows[] = {
        {"malformed/bad-magic.img", OTA_E_IMG_MAGIC},
        {"malformed/header-size-0.img", OTA_E_IMG_HEADER},
        {"malformed/size-overflow.img", OTA_E_IMG_SIZE},
        {"malformed/flip-payload.img", OTA_E_IMG_HASH},
        {"malformed/flip-header-version.img", OTA_E_IMG_HASH},
        {"malformed/truncated-payload.img", OTA_E_IMG_TLV},
        {"malformed/truncated-tlv.img", OTA_E_IMG_SIGNATURE},
        {"malformed/tlv-len-lies.img", OTA_E_IMG_TLV},
        {"malformed/tlv-total-lies.img", OTA_E_IMG_TLV},
        {"malformed/no-signature.img", OTA_E_IMG_NO_SIGNATURE},
    };
    static const struct img_trailer_format format = {.align = 8, .write_size = 8, .max_sectors = 0};
    static const uint8_t erased[] = {0xFF, 0x00};
    struct world *w = *state;
    struct img_rules rules = {w->keys, 2, 0};
    struct img_info info;

    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        struct bytes image = golden(rows[i / 2].name);
        uint8_t *slot = NULL;
        assert_int_equal(nb_image_pad(image.data, image.size, 0x20000, &format, erased[i % 2], true,
                                      false, &slot),
                         OTA_OK);
        int code = nb_image_check(slot, 0x20000, &rules, &info, NULL);
        if (code != rows[i / 2].code) {
            fail_msg("%s: %s, not %s", rows[i / 2].name, ota_err_word(code),
                     ota_err_word(rows[i / 2].code));
        }
        free(slot);
        free(image.data);
    }
}

/* A public key file may hold the point compressed; the key hash is over the uncompressed one. */
static void test_compressed_public_key(void **state)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACg5fvVXiyXWJvYi4rDnlNWnLwUlL9\n"
                              "VK5M8dzsvPgUJVA=\n"
                              "-----END PUBLIC KEY-----\n";
    struct world *w = *state;
    struct crypto_key key;
    uint8_t *der;

    FILE *file = fopen(in_dir(w, "ec.pub.pem"), "w");
    assert_non_null(file);
    assert_int_equal(fputs(pem, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(crypto_openssl_read_public(in_dir(w, "ec.pub.pem"), &key, &der), OTA_OK);
    assert_int_equal(key.der_size, w->keys[0].der_size);
    assert_memory_equal(der, w->der[0], key.der_size);
    free(der);
}

/* Cut anywhere, a golden image is refused, and mostly as cut short. */
static void test_golden_cut_everywhere(void **state)
{
    struct world *w = *state;
    struct img_rules rules = {w->keys, 2, 0};
    struct img_info info;
    struct bytes image = golden("p256-tiny.img");

    for (size_t size = 0; size < image.size; size++) {
        int code = nb_image_check(image.data, size, &rules, &info, NULL);
        assert_true(code == OTA_E_IMG_TRUNCATED || code == OTA_E_IMG_TLV || code == OTA_E_IMG_SIZE);
    }
    free(image.data);
}

static struct bytes create(const struct nb_image_spec *spec)
{
    struct bytes image;
    char reason[256] = "";

    int err = nb_image_create(spec, &image.data, &image.size, reason, sizeof reason);
    if (err < 0) {
        fail_msg("%s: %s", ota_err_word(err), reason);
    }
    return image;
}

static void test_recreate_golden(void **state)
{
    struct bytes payload = golden("app-a.bin");
    struct nb_image_spec spec = {
        .payload = payload.data,
        .payload_size = payload.size,
        .version = {1, 2, 5, 0},
        .header_size = 32,
    };
    struct world *w = *state;

    struct bytes expected = golden("unsigned-v1.2.5.img");
    struct bytes image = create(&spec);
    assert_int_equal(image.size, expected.size);
    assert_memory_equal(image.data, expected.data, expected.size);
    free(expected.data);
    free(image.data);

    /* Signed: all but the signature, whose key nobody has kept. */
    assert_int_equal(nb_image_make_key(in_dir(w, "ec"), CRYPTO_ECDSA_P256), OTA_OK);
    spec.key_path = in_dir(w, "ec.pem");
    spec.version = (struct img_version){1, 2, 3, 4};
    expected = golden("p256-v1.2.3.img");
    image = create(&spec);
    size_t tlvs = 32 + payload.size;
    assert_memory_equal(image.data, expected.data, tlvs);
    assert_memory_equal(image.data + tlvs + 4, expected.data + tlvs + 4, 36 + 4);
    assert_memory_equal(image.data + tlvs + 76, "\x22\x00", 2);
    free(expected.data);
    free(image.data);
    free(payload.data);
}

static void test_recreate_golden_with_counter(void **state)
{
    struct bytes payload = golden("app-b.bin");
    struct nb_image_spec spec = {
        .payload = payload.data,
        .payload_size = payload.size,
        .version = {1, 3, 0, 0},
        .header_size = 32,
        .with_counter = true,
        .counter = 7,
    };

    (void)state;
    struct bytes expected = golden("p256-v1.3.0-sec7.img");
    struct bytes image = create(&spec);
    size_t tlvs = 32 + payload.size + 12;
    assert_memory_equal(image.data, expected.data, tlvs);
    assert_memory_equal(image.data + tlvs + 4, expected.data + tlvs + 4, 36);
    free(image.data);
    free(expected.data);
    free(payload.data);
}

/* The hash that selects the key is the one that MCUboot's tool put there. */
static void test_key_hash_is_the_golden_one(void **state)
{
    struct world *w = *state;
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    const struct crypto_port *port = crypto_openssl_port(crypto);
    static const char *const names[] = {"p256-v1.2.3.img", "rsa2048-v1.2.4.img"};
    uint8_t hash[CRYPTO_SHA256_SIZE];

    for (size_t i = 0; i < 2; i++) {
        struct bytes image = golden(names[i]);
        assert_int_equal(port->sha256(port->context, w->der[i], w->keys[i].der_size, hash), OTA_OK);
        assert_memory_equal(image.data + 32 + 64936 + 4 + 36 + 4, hash, sizeof hash);
        free(image.data);
    }
    crypto_openssl_free(crypto);
}

static void test_sign_and_check(void **state)
{
    static const struct {
        enum crypto_scheme scheme;
        const char *prefix, *private_name, *public_name;
    } rows[] = {
        {CRYPTO_ECDSA_P256, "ec", "ec.pem", "ec.pub.pem"},
        {CRYPTO_RSA2048_PSS, "rsa", "rsa.pem", "rsa.pub.pem"},
    };
    struct world *w = *state;
    struct img_info info;

    for (size_t i = 0; i < 2; i++) {
        struct nb_image_spec spec = {.payload_size = 5000,
                                     .seed = 7,
                                     .with_tag = true,
                                     .behaviour = APP_HANGS,
                                     .version = {4, 5, 6, 7},
                                     .header_size = 0x200,
                                     .load_addr = 0x10000000,
                                     .with_counter = true,
                                     .counter = 99};
        struct crypto_key key;
        uint8_t *der;
        struct stat status;
        assert_int_equal(nb_image_make_key(in_dir(w, rows[i].prefix), rows[i].scheme), OTA_OK);
        assert_int_equal(stat(in_dir(w, rows[i].private_name), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        assert_int_equal(crypto_openssl_read_public(in_dir(w, rows[i].public_name), &key, &der),
                         OTA_OK);
        spec.key_path = in_dir(w, rows[i].private_name);
        struct bytes image = create(&spec);
        struct img_rules rules = {&key, 1, 0};
        assert_int_equal(nb_image_check(image.data, image.size, &rules, &info, NULL), OTA_OK);
        assert_true(info.is_signed);
        assert_int_equal(info.end, image.size);
        assert_int_equal(info.header.hdr_size, 0x200);
        assert_int_equal(info.header.load_addr, 0x10000000);
        assert_int_equal(info.header.version.build, 7);
        assert_int_equal(info.counter, 99);
        rules.keys = w->keys;
        rules.key_count = 2;
        assert_int_equal(nb_image_check(image.data, image.size, &rules, &info, NULL),
                         OTA_E_IMG_KEY);
        assert_false(info.is_signed);
        free(image.data);
        free(der);
    }
}

static void test_filler(void **state)
{
    struct nb_image_spec spec = {.payload_size = 40000, .seed = 1, .header_size = 32};

    (void)state;
    struct bytes one = create(&spec);
    struct bytes same = create(&spec);
    spec.seed = 2;
    struct bytes other = create(&spec);
    assert_memory_equal(one.data, same.data, one.size);
    assert_memory_not_equal(one.data + 32, other.data + 32, 64);
    for (size_t i = 32; i < 32 + spec.payload_size; i++) {
        assert_true(one.data[i] != 0x00 && one.data[i] != 0xFF);
    }
    free(one.data);
    free(same.data);
    free(other.data);
}

static void test_tag_places(void **state)
{
    static const struct {
        size_t payload;
        size_t at; /* SIZE_MAX: none */
    } rows[] = {{31, SIZE_MAX}, {32, 0}, {0x21F, 0}, {0x220, 0x200}, {70000, 0x200}};
    uint8_t tag[APP_TAG_SIZE];

    (void)state;
    app_tag_write(APP_FORGETS, tag);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool tagged = rows[i].at != SIZE_MAX;
        struct nb_image_spec spec = {.payload_size = rows[i].payload,
                                     .with_tag = true,
                                     .behaviour = tagged ? APP_FORGETS : APP_GOOD,
                                     .header_size = 64};
        struct bytes image = create(&spec);
        if (tagged) {
            assert_memory_equal(image.data + 64 + rows[i].at, tag, sizeof tag);
        } else {
            assert_null(memmem(image.data, image.size, tag, strlen((const char *)tag)));
        }
        free(image.data);
    }
}

static void test_create_refuses(void **state)
{
    struct world *w = *state;
    struct nb_image_spec spec = {.payload_size = 10, .header_size = 31};
    struct bytes image;
    char reason[256] = "";

    assert_int_equal(nb_image_create(&spec, &image.data, &image.size, reason, sizeof reason),
                     OTA_E_ARGUMENT);
    assert_non_null(strstr(reason, "header size"));
    spec.header_size = 32;
    spec.payload_size = 0;
    assert_int_equal(nb_image_create(&spec, &image.data, &image.size, reason, sizeof reason),
                     OTA_E_ARGUMENT);
    spec.payload_size = UINT32_MAX;
    assert_int_equal(nb_image_create(&spec, &image.data, &image.size, reason, sizeof reason),
                     OTA_E_IMG_SIZE);
    spec.payload_size = APP_TAG_SIZE - 1;
    spec.behaviour = APP_FORGETS;
    assert_int_equal(nb_image_create(&spec, &image.data, &image.size, reason, sizeof reason),
                     OTA_E_IMG_SIZE);
    assert_non_null(strstr(reason, "a payload of 31 bytes cannot say"));
    spec.behaviour = APP_GOOD;
    spec.payload_size = 10;
    spec.key_path = in_dir(w, "none.pem");
    assert_int_equal(nb_image_create(&spec, &image.data, &image.size, reason, sizeof reason),
                     OTA_E_IO);
    assert_non_null(strstr(reason, "none.pem"));
    assert_null(image.data);
}

/* Padding the image inside a golden slot gives that slot. */
static void test_recreate_golden_slots(void **state)
{
    static const struct {
        const char *name;
        size_t image;
        struct img_trailer_format format;
        bool pending, confirmed;
    } rows[] = {
        {"p256-v1.3.0-confirmed.slot",
         60182,
         {.align = 8, .write_size = 8, .max_sectors = 128},
         false,
         true},
        {"p256-v2.0.0-hdr400-pending.slot",
         61175,
         {.align = 8, .write_size = 8, .max_sectors = 128},
         true,
         false},
        {"p256-align32-confirmed.slot",
         60183,
         {.align = 32, .write_size = 32, .max_sectors = 128},
         false,
         true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes slot = golden(rows[i].name);
        uint8_t *made = NULL;
        assert_int_equal(nb_image_pad(slot.data, rows[i].image, (uint32_t)slot.size,
                                      &rows[i].format, 0xFF, rows[i].pending, rows[i].confirmed,
                                      &made),
                         OTA_OK);
        assert_memory_equal(made, slot.data, slot.size);
        free(made);
        free(slot.data);
    }
}

static void test_pad_limits(void **state)
{
    static const struct img_trailer_format format = {
        .align = 8, .write_size = 8, .max_sectors = 128};
    static const uint8_t image[1000] = {1};
    uint8_t *slot = NULL;

    (void)state;
    assert_int_equal(
        nb_image_pad(image, sizeof image, 1000 + 3120, &format, 0x00, false, false, &slot), OTA_OK);
    for (size_t i = sizeof image; i < 1000 + 3120; i++) {
        assert_int_equal(slot[i], 0x00);
    }
    free(slot);
    assert_int_equal(
        nb_image_pad(image, sizeof image, 1000 + 3119, &format, 0xFF, true, false, &slot),
        OTA_E_IMG_SIZE);
    assert_null(slot);
    assert_int_equal(nb_image_pad(image, 1, 3000, &format, 0xFF, true, false, &slot),
                     OTA_E_IMG_SIZE);
}

static void test_version_parse(void **state)
{
    static const char *const bad[] = {"",      "v1",        "1.",      "1..2",   "256",
                                      "1.256", "1.2.65536", "1.2.3.4", "1.2.3+", "1.2.3+4294967296",
                                      "1+2.3", " 1",        "1 ",      "-1",     "1.2.3+4+5"};
    struct img_version v;

    (void)state;
    assert_int_equal(nb_version_parse("1.2.3+4", &v), OTA_OK);
    assert_true(v.major == 1 && v.minor == 2 && v.revision == 3 && v.build == 4);
    assert_int_equal(nb_version_parse("255.255.65535+4294967295", &v), OTA_OK);
    assert_true(v.major == 255 && v.minor == 255 && v.revision == 65535 && v.build == UINT32_MAX);
    assert_int_equal(nb_version_parse("7", &v), OTA_OK);
    assert_true(v.major == 7 && v.minor == 0 && v.revision == 0 && v.build == 0);
    assert_int_equal(nb_version_parse("7.1+9", &v), OTA_OK);
    assert_true(v.major == 7 && v.minor == 1 && v.revision == 0 && v.build == 9);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(nb_version_parse(bad[i], &v), OTA_E_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_verdicts),
        cmocka_unit_test(test_golden_details),
        cmocka_unit_test(test_malformed_in_slots),
        cmocka_unit_test(test_compressed_public_key),
        cmocka_unit_test(test_golden_cut_everywhere),
        cmocka_unit_test(test_recreate_golden),
        cmocka_unit_test(test_recreate_golden_with_counter),
        cmocka_unit_test(test_key_hash_is_the_golden_one),
        cmocka_unit_test(test_sign_and_check),
        cmocka_unit_test(test_filler),
        cmocka_unit_test(test_tag_places),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_recreate_golden_slots),
        cmocka_unit_test(test_pad_limits),
        cmocka_unit_test(test_version_parse),
    };
    return cmocka_run_group_tests_name("harness/image/image", tests, set_up, tear_down);
}

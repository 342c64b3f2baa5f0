/* img_check: whose signature counts, and which refuses. */
#include "agent/image/mcuboot_rig.h"

static void test_without_keys(void **state)
{
    struct world *w = *state;
    struct img_info info;
    struct img_rules rules = {NULL, 0, 0};

    make_image(w, KEY_EC);
    w->bytes[w->size - 1] ^= 1;
    assert_int_equal(img_check(&w->area, &rules, &w->crypto, &info, NULL), OTA_OK);
    assert_false(info.is_signed);
    w->bytes[40] ^= 1;
    assert_int_equal(img_check(&w->area, &rules, &w->crypto, &info, NULL), OTA_E_IMG_HASH);
}

enum part { NOTHING, STRANGER, TRUST_EC, TRUST_RSA, SIG_EC, SIG_RSA, SIG_BAD, SIG_ED, PLAIN };

/* TLVs behind the hash as `parts` says; the last is NOTHING. */
static void make_signed(struct world *w, const enum part *parts)
{
    static const struct crypto_key stranger = {CRYPTO_ECDSA_P256, (const uint8_t *)"who", 3};
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t other[CRYPTO_SHA256_SIZE] = {0};

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_hash(w, digest);
    for (; *parts != NOTHING; parts++) {
        switch (*parts) {
        case STRANGER:
            put_key_hash(w, &stranger);
            break;
        case TRUST_EC:
            put_key_hash(w, &keys[KEY_EC]);
            break;
        case TRUST_RSA:
            put_key_hash(w, &keys[KEY_RSA]);
            break;
        case SIG_EC:
            put_signature(w, CRYPTO_ECDSA_P256, digest);
            break;
        case SIG_RSA:
            put_signature(w, CRYPTO_RSA2048_PSS, digest);
            break;
        case SIG_BAD:
            put_signature(w, CRYPTO_ECDSA_P256, other);
            break;
        case SIG_ED:
            put_tlv(w, IMG_TLV_ED25519, digest, CRYPTO_SHA256_SIZE);
            break;
        default:
            put_tlv(w, 0x00A0, "vendor", 6);
            break;
        }
    }
    end_tlvs(w);
}

static void test_signature_rules(void **state)
{
    static const struct {
        enum part parts[8];
        int code;
    } cases[] = {
        {{TRUST_EC, SIG_EC}, OTA_OK},
        {{TRUST_RSA, SIG_RSA}, OTA_OK},
        {{PLAIN, TRUST_EC, PLAIN, SIG_EC, PLAIN}, OTA_OK},
        {{NOTHING}, OTA_E_IMG_NO_SIGNATURE},
        {{TRUST_EC}, OTA_E_IMG_NO_SIGNATURE},
        {{SIG_EC}, OTA_E_IMG_KEY}, /* nobody says whose */
        {{STRANGER, SIG_EC}, OTA_E_IMG_KEY},
        {{STRANGER, SIG_ED}, OTA_E_IMG_KEY},
        {{TRUST_EC, SIG_BAD}, OTA_E_IMG_SIGNATURE},
        {{TRUST_EC, SIG_RSA}, OTA_E_IMG_SIGNATURE},
        {{TRUST_RSA, SIG_EC}, OTA_E_IMG_SIGNATURE},
        {{TRUST_EC, SIG_ED}, OTA_E_IMG_SIGNATURE},
        {{STRANGER, SIG_BAD, TRUST_EC, SIG_EC}, OTA_OK},
        {{TRUST_EC, SIG_EC, STRANGER, SIG_BAD}, OTA_OK},
        {{TRUST_EC, SIG_EC, TRUST_RSA, SIG_RSA}, OTA_OK},
        {{TRUST_EC, SIG_EC, TRUST_EC, SIG_BAD}, OTA_E_IMG_SIGNATURE},
        {{TRUST_EC, SIG_BAD, TRUST_EC, SIG_EC}, OTA_E_IMG_SIGNATURE},
        {{TRUST_EC, STRANGER, SIG_EC}, OTA_E_IMG_KEY}, /* the nearest key hash counts */
        {{TRUST_EC, SIG_EC, SIG_BAD}, OTA_OK},         /* a key hash serves one signature */
    };
    struct world *w = *state;
    struct img_info info;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_signed(w, cases[i].parts);
        int code = check(w, &info, NULL);
        if (code != cases[i].code) {
            fail_msg("case %zu: %s, not %s", i, ota_err_word(code), ota_err_word(cases[i].code));
        }
        assert_int_equal(info.is_signed, code == OTA_OK);
    }
}

static void test_key_hash_length(void **state)
{
    struct world *w = *state;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];

    toy_add(hash, ec_der, sizeof ec_der);
    for (uint32_t length = 0; length < sizeof hash; length++) {
        begin_image(w, 0);
        begin_tlvs(w, IMG_TLV_MAGIC);
        put_hash(w, digest);
        put_tlv(w, IMG_TLV_KEYHASH, hash, length);
        put_signature(w, CRYPTO_ECDSA_P256, digest);
        end_tlvs(w);
        assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 36 + 2, "key hash length");
    }
}

/* An image whose EC signature TLV is the right signature, `padding` zeros and then `tail`. */
static int check_padded(struct world *w, uint32_t padding, uint8_t tail)
{
    struct img_info info;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t signature[256];

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_hash(w, digest);
    put_key_hash(w, &keys[KEY_EC]);
    uint32_t size = (uint32_t)toy_sign(CRYPTO_ECDSA_P256, digest, signature) + padding;
    signature[size] = tail;
    put_tlv(w, IMG_TLV_ECDSA_SIG, signature, size + (tail != 0 ? 1 : 0));
    end_tlvs(w);
    return check(w, &info, NULL);
}

static void test_signature_padding(void **state)
{
    struct world *w = *state;

    assert_int_equal(check_padded(w, 0, 0), OTA_OK);
    assert_int_equal(check_padded(w, 2, 0), OTA_OK);
    assert_int_equal(check_padded(w, 72 - 34, 0), OTA_OK);
    assert_int_equal(check_padded(w, 73 - 34, 0), OTA_E_IMG_SIGNATURE);
    assert_int_equal(check_padded(w, 2, 1), OTA_E_IMG_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_keys),
        cmocka_unit_test(test_signature_rules),
        cmocka_unit_test(test_key_hash_length),
        cmocka_unit_test(test_signature_padding),
    };
    return cmocka_run_group_tests_name("agent/image/mcuboot_signature", tests, set_up, NULL);
}

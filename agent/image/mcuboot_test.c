/* img_check: header, TLV areas, hashes, counter. */
#include "agent/image/mcuboot_rig.h"

static void test_good(void **state)
{
    struct world *w = *state;
    struct img_info info;
    struct img_fault fault;

    for (size_t key = 0; key < KEYS; key++) {
        make_image(w, key);
        assert_int_equal(check(w, &info, &fault), OTA_OK);
        assert_int_equal(info.tlv_offset, 132);
        assert_int_equal(info.end, w->size);
        assert_int_equal(info.header.version.major, 1);
        assert_int_equal(info.header.version.minor, 2);
        assert_int_equal(info.header.version.revision, 3);
        assert_int_equal(info.header.version.build, 4);
        assert_int_equal(info.header.load_addr, 0x08000000);
        assert_false(info.has_counter);
        assert_true(info.is_signed);
        assert_int_equal(info.key, key);
    }
}

static void test_area_smaller_than_image(void **state)
{
    struct world *w = *state;
    struct img_info info;

    make_image(w, KEY_EC);
    uint32_t end = w->size;
    for (uint32_t size = 0; size < end; size++) {
        w->area.size = size;
        assert_true(check(w, &info, NULL) < 0);
    }
    w->area.size = end;
    assert_int_equal(check(w, &info, NULL), OTA_OK);
    w->area.size = AREA_SIZE;
}

static void test_every_bit_counts(void **state)
{
    struct world *w = *state;
    struct img_info info;
    uint32_t end;

    make_image(w, KEY_EC);
    end = w->size;
    for (uint32_t i = 0; i < end * 8; i++) {
        w->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_true(check(w, &info, NULL) < 0);
        w->bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(check(w, &info, NULL), OTA_OK);
}

static void test_unreadable(void **state)
{
    struct world *w = *state;
    struct img_info info;

    make_image(w, KEY_EC);
    for (uint32_t i = 0; i < w->size; i++) {
        w->unreadable = i;
        assert_int_equal(check(w, &info, NULL), OTA_E_FLASH_READ);
    }
    w->unreadable = w->size;
    assert_int_equal(check(w, &info, NULL), OTA_OK);
}

static void test_header_fields(void **state)
{
    static const uint32_t refused[] = {
        IMG_F_PIC,
        IMG_F_ENCRYPTED_AES128,
        IMG_F_ENCRYPTED_AES256,
        IMG_F_NON_BOOTABLE,
        IMG_F_RAM_LOAD,
        IMG_F_ROM_FIXED,
        IMG_F_COMPRESSED_LZMA1,
        IMG_F_COMPRESSED_LZMA2,
        IMG_F_COMPRESSED_ARM_THUMB,
    };
    struct world *w = *state;

    make_image(w, KEY_EC);
    w->bytes[0] = 0x3C;
    assert_refused(w, OTA_E_IMG_MAGIC, 0, "header magic");
    for (uint32_t size = 0; size < IMG_HEADER_SIZE; size++) {
        make_image(w, KEY_EC);
        patch_u16(w, 8, size);
        assert_refused(w, OTA_E_IMG_HEADER, 8, "header size");
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        make_image(w, KEY_EC);
        patch_u16(w, 16, refused[i]);
        assert_refused(w, OTA_E_IMG_HEADER, 16, "header flags");
    }
    make_image(w, KEY_EC);
    patch_u16(w, 8, AREA_SIZE);
    assert_refused(w, OTA_E_IMG_SIZE, 8, "header size");
    make_image(w, KEY_EC);
    patch_u16(w, 12, AREA_SIZE - 32);
    assert_refused(w, OTA_E_IMG_SIZE, 12, "image size");
    make_image(w, KEY_EC);
    memset(w->bytes + 12, 0xFF, 4);
    assert_refused(w, OTA_E_IMG_SIZE, 12, "image size");
    make_image(w, KEY_EC);
    patch_u16(w, 10, 0xFFFF);
    assert_refused(w, OTA_E_IMG_SIZE, 10, "protected TLV size");
}

static void test_max_end(void **state)
{
    struct world *w = *state;
    struct img_info info;
    struct img_fault fault;

    make_image(w, KEY_EC);
    struct img_rules rules = {keys, KEYS, w->size};
    assert_int_equal(img_check(&w->area, &rules, &w->crypto, &info, &fault), OTA_OK);
    rules.max_end = w->size - 1;
    assert_int_equal(img_check(&w->area, &rules, &w->crypto, &info, &fault), OTA_E_IMG_SIZE);
}

static void test_tlv_infos(void **state)
{
    struct world *w = *state;

    make_image(w, KEY_EC);
    patch_u16(w, 132, IMG_TLV_PROTECTED_MAGIC);
    assert_refused(w, OTA_E_IMG_TLV, 132, "TLV magic");
    make_image(w, KEY_EC);
    patch_u16(w, 134, 3);
    assert_refused(w, OTA_E_IMG_TLV, 134, "TLV total");
    patch_u16(w, 134, AREA_SIZE - 132 + 1);
    assert_refused(w, OTA_E_IMG_TLV, 134, "TLV total");
    make_image(w, KEY_EC);
    patch_u16(w, 134, w->size - 132 - 1);
    assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 36 + 36 + 2, "TLV length");
    make_image(w, KEY_EC);
    patch_u16(w, 134, w->size - 132 + 3);
    assert_refused(w, OTA_E_IMG_TLV, w->size, "TLV entry");
    for (int erased = 0; erased < 2; erased++) { /* erased flash is no entry */
        make_image(w, KEY_EC);
        memset(w->bytes + w->size, erased == 0 ? 0x00 : 0xFF, AREA_SIZE - w->size);
        patch_u16(w, 134, w->size - 132 + 400);
        assert_refused(w, OTA_E_IMG_TLV, w->size, "TLV type");
    }
}

static void test_protected_area(void **state)
{
    struct world *w = *state;
    struct img_info info;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    static const uint8_t counter[4] = {7, 0, 0, 1};

    begin_image(w, 12);
    begin_tlvs(w, IMG_TLV_PROTECTED_MAGIC);
    put_tlv(w, IMG_TLV_SEC_CNT, counter, 4);
    end_tlvs(w);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_hash(w, digest);
    put_key_hash(w, &keys[KEY_EC]);
    put_signature(w, CRYPTO_ECDSA_P256, digest);
    end_tlvs(w);
    assert_int_equal(check(w, &info, NULL), OTA_OK);
    assert_true(info.has_counter);
    assert_int_equal(info.counter, 0x01000007);
    assert_int_equal(info.end, w->size);

    w->bytes[132 + 8] ^= 1; /* the counter is hashed */
    assert_refused(w, OTA_E_IMG_HASH, 132 + 12 + 4 + 4, "SHA-256");
    w->bytes[132 + 8] ^= 1;
    patch_u16(w, 132, IMG_TLV_MAGIC);
    assert_refused(w, OTA_E_IMG_TLV, 132, "protected TLV magic");
    patch_u16(w, 132, IMG_TLV_PROTECTED_MAGIC);
    patch_u16(w, 134, 11);
    assert_refused(w, OTA_E_IMG_TLV, 134, "protected TLV total");
    patch_u16(w, 134, 12);
    patch_u16(w, 132 + 6, 5); /* would reach into the next area */
    assert_refused(w, OTA_E_IMG_TLV, 132 + 6, "TLV length");
}

/* An image with security counters of that length and number, protected or not. */
static void make_counters(struct world *w, bool is_protected, uint32_t length, uint32_t count)
{
    static const uint8_t counter[8] = {7};
    uint8_t digest[CRYPTO_SHA256_SIZE];

    begin_image(w, is_protected ? 4 + count * (4 + length) : 0);
    if (is_protected) {
        begin_tlvs(w, IMG_TLV_PROTECTED_MAGIC);
        for (uint32_t i = 0; i < count; i++) {
            put_tlv(w, IMG_TLV_SEC_CNT, counter, length);
        }
        end_tlvs(w);
    }
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_hash(w, digest);
    for (uint32_t i = 0; !is_protected && i < count; i++) {
        put_tlv(w, IMG_TLV_SEC_CNT, counter, length);
    }
    put_key_hash(w, &keys[KEY_EC]);
    put_signature(w, CRYPTO_ECDSA_P256, digest);
    end_tlvs(w);
}

static void test_counter_rules(void **state)
{
    struct world *w = *state;

    make_counters(w, true, 3, 1);
    assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 2, "security counter length");
    make_counters(w, true, 4, 2);
    assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 8, "second security counter");
    make_counters(w, false, 4, 1);
    assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 36, "unprotected security counter");
}

static void test_hashes(void **state)
{
    struct world *w = *state;
    struct img_info info;
    uint8_t digest[CRYPTO_SHA256_SIZE];

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    end_tlvs(w);
    assert_refused(w, OTA_E_IMG_NO_HASH, 132, "SHA-256");

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_tlv(w, IMG_TLV_SHA512, w->bytes, 64);
    end_tlvs(w);
    assert_refused(w, OTA_E_IMG_NO_HASH, 132, "SHA-256");

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_tlv(w, IMG_TLV_SHA256, w->bytes, 31);
    end_tlvs(w);
    assert_refused(w, OTA_E_IMG_TLV, 132 + 4 + 2, "SHA-256 length");

    for (int wrong = 0; wrong < 2; wrong++) {
        begin_image(w, 0);
        begin_tlvs(w, IMG_TLV_MAGIC);
        put_hash(w, digest);
        put_hash(w, digest);
        put_key_hash(w, &keys[KEY_EC]);
        put_signature(w, CRYPTO_ECDSA_P256, digest);
        end_tlvs(w);
        if (!wrong) {
            assert_int_equal(check(w, &info, NULL), OTA_OK);
        } else {
            w->bytes[132 + 4 + 36 + 4 + 31] ^= 0x80; /* the second of two */
            assert_refused(w, OTA_E_IMG_HASH, 132 + 4 + 36 + 4, "SHA-256");
        }
    }
}

static void test_version_compare(void **state)
{
    static const struct img_version order[] = {
        {0, 0, 0, 0},   {0, 0, 1, 0}, {0, 0, 65535, 0}, {0, 1, 0, 0},
        {0, 255, 0, 0}, {1, 0, 0, 0}, {255, 0, 0, 0},
    };
    size_t count = sizeof order / sizeof order[0];

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            int sign = img_version_compare(&order[i], &order[j]);
            assert_int_equal((sign > 0) - (sign < 0), (i > j) - (i < j));
        }
    }
    struct img_version a = {1, 2, 3, 4};
    struct img_version b = {1, 2, 3, 5};
    assert_int_equal(img_version_compare(&a, &b), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_area_smaller_than_image),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_max_end),
        cmocka_unit_test(test_tlv_infos),
        cmocka_unit_test(test_protected_area),
        cmocka_unit_test(test_counter_rules),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_version_compare),
    };
    return cmocka_run_group_tests_name("agent/image/mcuboot", tests, set_up, NULL);
}

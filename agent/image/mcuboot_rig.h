/* What the tests of img_check share: images built byte by byte in a flash that lets nobody look
 * beyond the area, with a toy hash and toy signatures. The rules are tested, not the
 * cryptography. */
#ifndef NOBRICK_AGENT_IMAGE_MCUBOOT_RIG_H
#define NOBRICK_AGENT_IMAGE_MCUBOOT_RIG_H

#include "agent/image/mcuboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define AREA_AT   0x1000u
#define AREA_SIZE 2048u

enum { KEY_EC, KEY_RSA, KEYS };

static const uint8_t ec_der[] = "trusted ec";
static const uint8_t rsa_der[] = "trusted rsa";
static const struct crypto_key keys[KEYS] = {
    [KEY_EC] = {CRYPTO_ECDSA_P256, ec_der, sizeof ec_der},
    [KEY_RSA] = {CRYPTO_RSA2048_PSS, rsa_der, sizeof rsa_der},
};

/* ---- a flash that lets nobody look beyond the area ---------------------------------------- */

struct world {
    uint8_t bytes[AREA_SIZE];
    uint32_t size;       /* of the image so far */
    uint32_t info_at;    /* of the TLV area being written */
    uint32_t unreadable; /* offset of a byte that cannot be read; UINT32_MAX: none */
    struct flash_port port;
    struct crypto_port crypto;
    struct flash_area area;
};

static inline int area_read(void *context, uint32_t address, void *data, uint32_t length)
{
    struct world *w = context;

    assert_true(address >= AREA_AT && address - AREA_AT <= w->area.size);
    assert_true(length <= w->area.size - (address - AREA_AT));
    uint32_t offset = address - AREA_AT;
    if (w->unreadable >= offset && w->unreadable - offset < length) {
        return OTA_E_FLASH_READ;
    }
    memcpy(data, w->bytes + offset, length);
    return OTA_OK;
}

static inline void toy_add(uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *p, size_t length)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < length; i++) {
        h = (h ^ p[i]) * 16777619u;
    }
    for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++) {
        h = (h ^ (uint32_t)i) * 16777619u;
        digest[i] = (uint8_t)(h >> 24);
    }
}

static inline int toy_hash(void *context, const void *data, size_t length,
                           uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    toy_add(digest, data, length);
    return OTA_OK;
}

static inline int toy_hash_flash(void *context, const struct flash_port *flash, uint32_t address,
                                 uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint8_t copy[AREA_SIZE];

    (void)context;
    int err = flash->read(flash->context, address, copy, length);
    if (err < 0) {
        return err;
    }
    toy_add(digest, copy, length);
    return OTA_OK;
}

/* A toy signature is a prefix by scheme, then the digest, then (RSA) zeros to 256 bytes. */
static inline size_t toy_sign(enum crypto_scheme scheme, const uint8_t digest[CRYPTO_SHA256_SIZE],
                              uint8_t out[256])
{
    memset(out, 0, 256);
    out[0] = scheme == CRYPTO_ECDSA_P256 ? 0x30 : 0xBC;
    out[1] = CRYPTO_SHA256_SIZE;
    memcpy(out + 2, digest, CRYPTO_SHA256_SIZE);
    return scheme == CRYPTO_ECDSA_P256 ? 2 + CRYPTO_SHA256_SIZE : 256;
}

static inline int toy_verify(void *context, const struct crypto_key *key,
                             const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                             size_t signature_size)
{
    uint8_t right[256];

    (void)context;
    size_t size = toy_sign(key->scheme, digest, right);
    return size == signature_size && memcmp(right, signature, size) == 0 ? OTA_OK
                                                                         : OTA_E_IMG_SIGNATURE;
}

/* ---- building images ---------------------------------------------------------------------- */

static inline void put_u16(struct world *w, uint32_t value)
{
    w->bytes[w->size++] = (uint8_t)value;
    w->bytes[w->size++] = (uint8_t)(value >> 8);
}

static inline void put_u32(struct world *w, uint32_t value)
{
    put_u16(w, value & 0xFFFF);
    put_u16(w, value >> 16);
}

static inline void patch_u16(struct world *w, uint32_t at, uint32_t value)
{
    w->bytes[at] = (uint8_t)value;
    w->bytes[at + 1] = (uint8_t)(value >> 8);
}

static inline void put_tlv(struct world *w, uint32_t type, const void *data, uint32_t length)
{
    put_u16(w, type);
    put_u16(w, length);
    memcpy(w->bytes + w->size, data, length);
    w->size += length;
}

static inline void begin_tlvs(struct world *w, uint32_t magic)
{
    w->info_at = w->size;
    put_u16(w, magic);
    put_u16(w, 0);
}

static inline void end_tlvs(struct world *w)
{
    patch_u16(w, w->info_at + 2, w->size - w->info_at);
}

/* Header of 32 bytes, version 1.2.3+4, and 100 bytes of payload. */
static inline void begin_image(struct world *w, uint32_t protect_tlv_size)
{
    memset(w->bytes, 0xFF, sizeof w->bytes);
    w->size = 0;
    w->unreadable = UINT32_MAX;
    put_u32(w, IMG_MAGIC);
    put_u32(w, 0x08000000);
    put_u16(w, 32);
    put_u16(w, protect_tlv_size);
    put_u32(w, 100);
    put_u32(w, 0);
    put_u32(w, 0x00030201);
    put_u32(w, 4);
    put_u32(w, 0);
    for (uint32_t i = 0; i < 100; i++) {
        w->bytes[w->size++] = (uint8_t)(i + 1);
    }
}

static inline void put_hash(struct world *w, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    toy_add(digest, w->bytes, w->info_at);
    put_tlv(w, IMG_TLV_SHA256, digest, CRYPTO_SHA256_SIZE);
}

static inline void put_key_hash(struct world *w, const struct crypto_key *key)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];

    toy_add(hash, key->der, key->der_size);
    put_tlv(w, IMG_TLV_KEYHASH, hash, sizeof hash);
}

static inline void put_signature(struct world *w, enum crypto_scheme scheme,
                                 const uint8_t digest[CRYPTO_SHA256_SIZE])
{
    uint8_t signature[256];
    size_t size = toy_sign(scheme, digest, signature);

    put_tlv(w, scheme == CRYPTO_ECDSA_P256 ? IMG_TLV_ECDSA_SIG : IMG_TLV_RSA2048_PSS, signature,
            (uint32_t)size);
}

/* A complete image signed with that key. */
static inline void make_image(struct world *w, size_t key)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];

    begin_image(w, 0);
    begin_tlvs(w, IMG_TLV_MAGIC);
    put_hash(w, digest);
    put_key_hash(w, &keys[key]);
    put_signature(w, keys[key].scheme, digest);
    end_tlvs(w);
}

static inline int set_up(void **state)
{
    static struct world w;

    w.port = (struct flash_port){.context = &w, .read = area_read};
    w.crypto = (struct crypto_port){NULL, toy_hash, toy_hash_flash, toy_verify};
    w.area = (struct flash_area){&w.port, AREA_AT, AREA_SIZE};
    *state = &w;
    return 0;
}

static inline int check(struct world *w, struct img_info *info, struct img_fault *fault)
{
    struct img_rules rules = {keys, KEYS, 0};

    return img_check(&w->area, &rules, &w->crypto, info, fault);
}

static inline void assert_refused(struct world *w, int code, uint32_t offset, const char *what)
{
    struct img_info info;
    struct img_fault fault = {0};

    assert_string_equal(ota_err_word(check(w, &info, &fault)), ota_err_word(code));
    assert_string_equal(fault.what, what);
    assert_int_equal(fault.offset, offset);
    assert_int_equal(check(w, &info, NULL), code);
}

#endif

/* img_check over arbitrary bytes: never a read outside the area, never a crash, and what passes
 * really is what it claims. The SHA-256 is real; so that inputs get past it, a hash that is wrong
 * is put right and the image tried again. Every signature of the right shape is good. */
#include "agent/image/mcuboot.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define AREA_AT 0x10000u
#define LARGEST 65536u
#define REPAIRS 4

static const uint8_t ec_der[] = {'e', 'c'};
static const uint8_t rsa_der[] = {'r', 's', 'a'};

struct memory {
    uint8_t bytes[LARGEST];
    uint32_t size;
    uint32_t unreadable;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static int memory_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct memory *m = context;

    require(address >= AREA_AT && address - AREA_AT <= m->size);
    uint32_t offset = address - AREA_AT;
    require(length <= m->size - offset);
    if (m->unreadable >= offset && m->unreadable - offset < length) {
        return OTA_E_FLASH_READ;
    }
    memcpy(data, m->bytes + offset, length);
    return OTA_OK;
}

static int hash(void *context, const void *data, size_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    (void)context;
    SHA256(data, length, digest);
    return OTA_OK;
}

static int hash_flash(void *context, const struct flash_port *flash, uint32_t address,
                      uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE])
{
    static uint8_t copy[LARGEST];

    (void)context;
    require(length <= sizeof copy);
    int err = flash->read(flash->context, address, copy, length);
    if (err == OTA_OK) {
        SHA256(copy, length, digest);
    }
    return err;
}

static int verify(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size)
{
    (void)context;
    (void)digest;
    if (key->scheme == CRYPTO_ECDSA_P256) {
        require(signature_size >= 2 && signature_size <= 72 && signature[0] == 0x30);
    } else {
        require(signature_size == 256);
    }
    return OTA_OK;
}

static const struct crypto_port crypto = {NULL, hash, hash_flash, verify};

static void require_true_info(const struct memory *m, const struct img_info *info, bool keys)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint32_t hashed = info->tlv_offset + info->header.protect_tlv_size;

    require(info->tlv_offset == info->header.hdr_size + info->header.img_size);
    require(info->end <= m->size && hashed < info->end);
    SHA256(m->bytes, hashed, digest);
    require(memcmp(digest, info->digest, sizeof digest) == 0);
    require(memmem(m->bytes + hashed, info->end - hashed, digest, sizeof digest) != NULL);
    require(info->is_signed == keys);
}

static int check(struct memory *m, const struct img_rules *rules, struct img_info *info,
                 struct img_fault *fault)
{
    const struct flash_port port = {.context = m, .read = memory_read};
    const struct flash_area area = {&port, AREA_AT, m->size};

    int code = img_check(&area, rules, &crypto, info, fault);
    if (code == OTA_OK) {
        require_true_info(m, info, rules->key_count != 0);
    } else {
        require(code < 0 && fault->what != NULL && fault->what[0] != '\0');
        require(fault->offset <= m->size);
    }
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memory m;
    static const struct crypto_key keys[] = {
        {CRYPTO_ECDSA_P256, ec_der, sizeof ec_der},
        {CRYPTO_RSA2048_PSS, rsa_der, sizeof rsa_der},
    };
    const struct img_rules rules[] = {{keys, 2, 0}, {NULL, 0, 0}, {keys, 2, 200}};
    struct img_info info;
    struct img_fault fault;

    if (size > sizeof m.bytes) {
        return 0;
    }
    if (size > 0) {
        memcpy(m.bytes, data, size);
    }
    m.size = (uint32_t)size;
    m.unreadable = UINT32_MAX;
    int code = check(&m, &rules[0], &info, &fault);
    for (int i = 0; i < REPAIRS && code == OTA_E_IMG_HASH; i++) {
        memcpy(m.bytes + fault.offset, info.digest, sizeof info.digest);
        code = check(&m, &rules[0], &info, &fault);
    }
    (void)check(&m, &rules[1], &info, &fault);
    (void)check(&m, &rules[2], &info, &fault);
    if (size > 0) {
        m.unreadable = data[size - 1] * 4u % m.size;
        (void)check(&m, &rules[0], &info, &fault);
    }
    return 0;
}

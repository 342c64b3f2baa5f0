#include "harness/image/image.h"
#include "harness/image/memory.h"
#include "sim/crypto_openssl.h"

#include <string.h>

static uint32_t get_u16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | get_u16(p + 2) << 16;
}

static int truncated(struct img_fault *fault, size_t size, const char *what)
{
    if (fault != NULL) {
        fault->offset = (uint32_t)size;
        fault->what = what;
    }
    return OTA_E_IMG_TRUNCATED;
}

/* A file can end early, which a slot cannot. Tells that from sizes that lie: OTA_E_IMG_TRUNCATED
 * when the payload, or a TLV entry that its area has room for, goes on beyond the file. Whatever
 * else is wrong is left to img_check. */
static int check_ends_early(const uint8_t *image, size_t size, struct img_fault *fault)
{
    if (size >= 4 && get_u32(image) != IMG_MAGIC) {
        return OTA_OK;
    }
    if (size < IMG_HEADER_SIZE) {
        return truncated(fault, size, "header");
    }
    uint64_t at = (uint64_t)get_u16(image + 8) + get_u32(image + 12) + get_u16(image + 10);
    if (at > UINT32_MAX || get_u16(image + 8) < IMG_HEADER_SIZE) {
        return OTA_OK;
    }
    if (at > size) {
        return truncated(fault, size, "payload");
    }
    if (size - at < IMG_TLV_INFO_SIZE) {
        return truncated(fault, size, "TLV info");
    }
    uint64_t end = at + get_u16(image + at + 2);
    at += IMG_TLV_INFO_SIZE;
    while (at + 4 <= size && at + 4 <= end) {
        uint64_t next = at + 4 + get_u16(image + at + 2);
        if (next > size && next <= end) {
            return truncated(fault, size, "TLV data");
        }
        at = next;
    }
    return OTA_OK;
}

int nb_image_check(const uint8_t *image, size_t size, const struct img_rules *rules,
                   struct img_info *out, struct img_fault *fault)
{
    struct nb_memory memory;

    memset(out, 0, sizeof *out);
    if (size > UINT32_MAX) {
        return OTA_E_IMG_SIZE;
    }
    int err = check_ends_early(image, size, fault);
    if (err < 0) {
        return err;
    }
    struct crypto_openssl *crypto = crypto_openssl_new(NULL, false);
    if (crypto == NULL) {
        return OTA_E_NO_SPACE;
    }
    nb_memory_init(&memory, image, (uint32_t)size, 0xFF);
    err = img_check(&memory.area, rules, crypto_openssl_port(crypto), out, fault);
    crypto_openssl_free(crypto);
    return err;
}

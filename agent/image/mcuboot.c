#include "agent/image/mcuboot.h"

#include <string.h>

#define ECDSA_SIG_MAX 72u
#define RSA_SIG_SIZE  256u
#define ECDSA224_SIG  0x21u /* withdrawn, but still a signature when it turns up */

#define REFUSED_FLAGS                                                                              \
    ((uint32_t)IMG_F_PIC | (uint32_t)IMG_F_ENCRYPTED_AES128 | (uint32_t)IMG_F_ENCRYPTED_AES256 |   \
     (uint32_t)IMG_F_NON_BOOTABLE | (uint32_t)IMG_F_RAM_LOAD | (uint32_t)IMG_F_ROM_FIXED |         \
     (uint32_t)IMG_F_COMPRESSED_LZMA1 | (uint32_t)IMG_F_COMPRESSED_LZMA2 |                         \
     (uint32_t)IMG_F_COMPRESSED_ARM_THUMB)

/* Byte offsets of the header fields that a fault can name. */
enum {
    AT_MAGIC = 0,
    AT_LOAD_ADDR = 4,
    AT_HDR_SIZE = 8,
    AT_PROTECT_TLV_SIZE = 10,
    AT_IMG_SIZE = 12,
    AT_FLAGS = 16,
    AT_VERSION = 20,
    AT_TLV_TOTAL = 2,
    AT_TLV_LEN = 2,
};

static uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int refuse(struct img_fault *fault, int code, uint32_t offset, const char *what)
{
    if (fault != NULL) {
        fault->offset = offset;
        fault->what = what;
    }
    return code;
}

int img_version_compare(const struct img_version *a, const struct img_version *b)
{
    if (a->major != b->major) {
        return a->major < b->major ? -1 : 1;
    }
    if (a->minor != b->minor) {
        return a->minor < b->minor ? -1 : 1;
    }
    if (a->revision != b->revision) {
        return a->revision < b->revision ? -1 : 1;
    }
    return 0;
}

void img_version_get(const uint8_t raw[IMG_VERSION_SIZE], struct img_version *out)
{
    out->major = raw[0];
    out->minor = raw[1];
    out->revision = get_u16(raw + 2);
    out->build = get_u32(raw + 4);
}

void img_version_put(uint8_t raw[IMG_VERSION_SIZE], const struct img_version *version)
{
    raw[0] = version->major;
    raw[1] = version->minor;
    raw[2] = (uint8_t)version->revision;
    raw[3] = (uint8_t)(version->revision >> 8);
    for (unsigned i = 0; i < 4; i++)
        raw[4 + i] = (uint8_t)(version->build >> (8 * i));
}

int img_header_parse(const uint8_t raw[IMG_HEADER_SIZE], uint32_t slot_size, struct img_header *out,
                     struct img_fault *fault)
{
    if (get_u32(raw + AT_MAGIC) != IMG_MAGIC) {
        return refuse(fault, OTA_E_IMG_MAGIC, AT_MAGIC, "header magic");
    }
    out->load_addr = get_u32(raw + AT_LOAD_ADDR);
    out->hdr_size = get_u16(raw + AT_HDR_SIZE);
    out->protect_tlv_size = get_u16(raw + AT_PROTECT_TLV_SIZE);
    out->img_size = get_u32(raw + AT_IMG_SIZE);
    out->flags = get_u32(raw + AT_FLAGS);
    img_version_get(raw + AT_VERSION, &out->version);

    if (out->hdr_size < IMG_HEADER_SIZE) {
        return refuse(fault, OTA_E_IMG_HEADER, AT_HDR_SIZE, "header size");
    }
    if ((out->flags & REFUSED_FLAGS) != 0) {
        return refuse(fault, OTA_E_IMG_HEADER, AT_FLAGS, "header flags");
    }
    if (out->hdr_size >= slot_size) {
        return refuse(fault, OTA_E_IMG_SIZE, AT_HDR_SIZE, "header size");
    }
    if (out->img_size >= slot_size - out->hdr_size) {
        return refuse(fault, OTA_E_IMG_SIZE, AT_IMG_SIZE, "image size");
    }
    if (out->protect_tlv_size >= slot_size - out->hdr_size - out->img_size) {
        return refuse(fault, OTA_E_IMG_SIZE, AT_PROTECT_TLV_SIZE, "protected TLV size");
    }
    return OTA_OK;
}

static int read_tlv_info(const struct flash_area *area, uint32_t offset, uint16_t *magic,
                         uint16_t *total, struct img_fault *fault)
{
    uint8_t raw[IMG_TLV_INFO_SIZE];

    if (offset > area->size || area->size - offset < sizeof raw) {
        return refuse(fault, OTA_E_IMG_TLV, offset, "TLV info beyond the end");
    }
    int err = flash_area_read(area, offset, raw, sizeof raw);
    if (err < 0) {
        return refuse(fault, err, offset, "TLV info");
    }
    *magic = get_u16(raw);
    *total = get_u16(raw + AT_TLV_TOTAL);
    return OTA_OK;
}

static int measure_tlvs(const struct flash_area *area, struct img_info *info,
                        struct img_fault *fault)
{
    uint32_t offset = info->tlv_offset;
    uint32_t protect = info->header.protect_tlv_size;
    uint16_t magic;
    uint16_t total;

    if (protect != 0) {
        int err = read_tlv_info(area, offset, &magic, &total, fault);
        if (err < 0) {
            return err;
        }
        if (magic != IMG_TLV_PROTECTED_MAGIC) {
            return refuse(fault, OTA_E_IMG_TLV, offset, "protected TLV magic");
        }
        if (total != protect || total < IMG_TLV_INFO_SIZE) {
            return refuse(fault, OTA_E_IMG_TLV, offset + AT_TLV_TOTAL, "protected TLV total");
        }
        offset += protect;
    }
    int err = read_tlv_info(area, offset, &magic, &total, fault);
    if (err < 0) {
        return err;
    }
    if (magic != IMG_TLV_MAGIC) {
        return refuse(fault, OTA_E_IMG_TLV, offset, "TLV magic");
    }
    if (total < IMG_TLV_INFO_SIZE || total > area->size - offset) {
        return refuse(fault, OTA_E_IMG_TLV, offset + AT_TLV_TOTAL, "TLV total");
    }
    info->end = offset + total;
    return OTA_OK;
}

int img_measure(const struct flash_area *area, struct img_info *out, struct img_fault *fault)
{
    uint8_t raw[IMG_HEADER_SIZE];

    memset(out, 0, sizeof *out);
    (void)refuse(fault, OTA_OK, 0, "");
    if (area->size < sizeof raw) {
        return refuse(fault, OTA_E_IMG_TRUNCATED, area->size, "header");
    }
    int err = flash_area_read(area, 0, raw, sizeof raw);
    if (err < 0) {
        return refuse(fault, err, 0, "header");
    }
    err = img_header_parse(raw, area->size, &out->header, fault);
    if (err < 0) {
        return err;
    }
    out->tlv_offset = out->header.hdr_size + out->header.img_size;
    return measure_tlvs(area, out, fault);
}

/* Walks the entries of the protected and then of the unprotected area. */
struct tlv_walk {
    const struct flash_area *area;
    uint32_t next;
    uint32_t section_end; /* of the area that `next` is in */
    uint32_t end;
};

struct tlv {
    uint32_t at; /* offset of the entry */
    uint32_t data;
    uint16_t type;
    uint16_t len;
    bool is_protected;
};

static void tlv_walk_start(struct tlv_walk *walk, const struct flash_area *area,
                           const struct img_info *info)
{
    uint32_t protect = info->header.protect_tlv_size;

    walk->area = area;
    walk->next = info->tlv_offset + IMG_TLV_INFO_SIZE;
    walk->section_end = protect != 0 ? info->tlv_offset + protect : info->end;
    walk->end = info->end;
}

/* 1: `out` is the next entry. 0: no more. Negative: malformed or unreadable. */
static int tlv_walk_next(struct tlv_walk *walk, struct tlv *out, struct img_fault *fault)
{
    uint8_t raw[4];

    if (walk->next == walk->section_end && walk->section_end != walk->end) {
        walk->next += IMG_TLV_INFO_SIZE;
        walk->section_end = walk->end;
    }
    if (walk->next == walk->section_end) {
        return 0;
    }
    if (walk->section_end - walk->next < sizeof raw) {
        return refuse(fault, OTA_E_IMG_TLV, walk->next, "TLV entry");
    }
    int err = flash_area_read(walk->area, walk->next, raw, sizeof raw);
    if (err < 0) {
        return refuse(fault, err, walk->next, "TLV entry");
    }
    out->at = walk->next;
    out->data = walk->next + (uint32_t)sizeof raw;
    out->type = get_u16(raw);
    out->len = get_u16(raw + AT_TLV_LEN);
    out->is_protected = walk->section_end != walk->end;
    if (out->type == 0 || out->type == UINT16_MAX) {
        /* No type at all: erased flash, taken for entries by a total that lies. */
        return refuse(fault, OTA_E_IMG_TLV, out->at, "TLV type");
    }
    if (out->len > walk->section_end - out->data) {
        return refuse(fault, OTA_E_IMG_TLV, out->at + AT_TLV_LEN, "TLV length");
    }
    walk->next = out->data + out->len;
    return 1;
}

static bool is_signature(uint16_t type)
{
    return type == IMG_TLV_RSA2048_PSS || type == ECDSA224_SIG || type == IMG_TLV_ECDSA_SIG ||
           type == IMG_TLV_RSA3072_PSS || type == IMG_TLV_ED25519;
}

static int take_counter(const struct flash_area *area, const struct tlv *tlv, struct img_info *out,
                        struct img_fault *fault)
{
    uint8_t raw[4];

    if (!tlv->is_protected) {
        return refuse(fault, OTA_E_IMG_TLV, tlv->at, "unprotected security counter");
    }
    if (out->has_counter) {
        return refuse(fault, OTA_E_IMG_TLV, tlv->at, "second security counter");
    }
    if (tlv->len != sizeof raw) {
        return refuse(fault, OTA_E_IMG_TLV, tlv->at + AT_TLV_LEN, "security counter length");
    }
    int err = flash_area_read(area, tlv->data, raw, sizeof raw);
    if (err < 0) {
        return refuse(fault, err, tlv->data, "security counter");
    }
    out->has_counter = true;
    out->counter = get_u32(raw);
    return OTA_OK;
}

/* First walk: every entry is well-formed, a SHA-256 is there, the counter is in its place. */
static int check_structure(const struct flash_area *area, struct img_info *out,
                           struct img_fault *fault)
{
    struct tlv_walk walk;
    struct tlv tlv;
    bool has_hash = false;
    int got;

    tlv_walk_start(&walk, area, out);
    while ((got = tlv_walk_next(&walk, &tlv, fault)) > 0) {
        switch (tlv.type) {
        case IMG_TLV_SHA256:
            if (tlv.len != CRYPTO_SHA256_SIZE) {
                return refuse(fault, OTA_E_IMG_TLV, tlv.at + AT_TLV_LEN, "SHA-256 length");
            }
            has_hash = true;
            break;
        case IMG_TLV_KEYHASH:
            if (tlv.len != CRYPTO_SHA256_SIZE) {
                return refuse(fault, OTA_E_IMG_TLV, tlv.at + AT_TLV_LEN, "key hash length");
            }
            break;
        case IMG_TLV_SEC_CNT: {
            int err = take_counter(area, &tlv, out, fault);
            if (err < 0) {
                return err;
            }
            break;
        }
        default:
            break;
        }
    }
    if (got < 0) {
        return got;
    }
    if (!has_hash) {
        return refuse(fault, OTA_E_IMG_NO_HASH, out->tlv_offset, "SHA-256");
    }
    return OTA_OK;
}

/* Second walk: every SHA-256 entry equals the digest. */
static int check_hashes(const struct flash_area *area, const struct img_info *info,
                        struct img_fault *fault)
{
    struct tlv_walk walk;
    struct tlv tlv;
    uint8_t claimed[CRYPTO_SHA256_SIZE];
    int got;

    tlv_walk_start(&walk, area, info);
    while ((got = tlv_walk_next(&walk, &tlv, fault)) > 0) {
        if (tlv.type != IMG_TLV_SHA256) {
            continue;
        }
        int err = flash_area_read(area, tlv.data, claimed, sizeof claimed);
        if (err < 0) {
            return refuse(fault, err, tlv.data, "SHA-256");
        }
        if (memcmp(claimed, info->digest, sizeof claimed) != 0) {
            return refuse(fault, OTA_E_IMG_HASH, tlv.data, "SHA-256");
        }
    }
    return got;
}

/* 1: *index is the trusted key with the hash in `tlv`. 0: nobody's. */
static int find_key(const struct flash_area *area, const struct img_rules *rules,
                    const struct crypto_port *crypto, const struct tlv *tlv, size_t *index,
                    struct img_fault *fault)
{
    uint8_t wanted[CRYPTO_SHA256_SIZE];
    uint8_t hash[CRYPTO_SHA256_SIZE];

    int err = flash_area_read(area, tlv->data, wanted, sizeof wanted);
    if (err < 0) {
        return refuse(fault, err, tlv->data, "key hash");
    }
    for (size_t i = 0; i < rules->key_count; i++) {
        err = crypto->sha256(crypto->context, rules->keys[i].der, rules->keys[i].der_size, hash);
        if (err < 0) {
            return refuse(fault, err, tlv->data, "key hash");
        }
        if (memcmp(wanted, hash, sizeof hash) == 0) {
            *index = i;
            return 1;
        }
    }
    return 0;
}

/* Length of the DER sequence at the start of `sig`, when nothing but zeros follows it; else 0. Old
 * signing tools padded the signature with zeros to a fixed size. */
static size_t der_length(const uint8_t *sig, size_t size)
{
    if (size < 2 || sig[0] != 0x30 || sig[1] > size - 2) {
        return 0;
    }
    size_t length = 2u + sig[1];
    for (size_t i = length; i < size; i++) {
        if (sig[i] != 0) {
            return 0;
        }
    }
    return length;
}

static int verify_signature(const struct flash_area *area, const struct crypto_key *key,
                            const struct crypto_port *crypto, const struct img_info *info,
                            const struct tlv *tlv, struct img_fault *fault)
{
    uint8_t sig[RSA_SIG_SIZE];
    bool ec = key->scheme == CRYPTO_ECDSA_P256;
    size_t size = tlv->len;

    if (tlv->type != (ec ? IMG_TLV_ECDSA_SIG : IMG_TLV_RSA2048_PSS)) {
        return refuse(fault, OTA_E_IMG_SIGNATURE, tlv->at, "signature type");
    }
    if (ec ? size > ECDSA_SIG_MAX : size != RSA_SIG_SIZE) {
        return refuse(fault, OTA_E_IMG_SIGNATURE, tlv->at + AT_TLV_LEN, "signature length");
    }
    int err = flash_area_read(area, tlv->data, sig, tlv->len);
    if (err < 0) {
        return refuse(fault, err, tlv->data, "signature");
    }
    if (ec) {
        size = der_length(sig, size);
        if (size == 0) {
            return refuse(fault, OTA_E_IMG_SIGNATURE, tlv->data, "signature encoding");
        }
    }
    err = crypto->verify(crypto->context, key, info->digest, sig, size);
    if (err < 0) {
        return refuse(fault, err, tlv->data, "signature");
    }
    return OTA_OK;
}

/* Third walk: pairs of key hash and signature. A key hash selects the key of the next signature
 * only; a bad signature by a known key refuses at once, whatever else there is. */
static int check_signatures(const struct flash_area *area, const struct img_rules *rules,
                            const struct crypto_port *crypto, struct img_info *out,
                            struct img_fault *fault)
{
    struct tlv_walk walk;
    struct tlv tlv;
    size_t key = 0;
    uint32_t key_at = 0;
    int known = 0;
    bool any = false;
    bool verified = false;
    int got;

    tlv_walk_start(&walk, area, out);
    while ((got = tlv_walk_next(&walk, &tlv, fault)) > 0) {
        if (tlv.type == IMG_TLV_KEYHASH) {
            key_at = tlv.data;
            known = find_key(area, rules, crypto, &tlv, &key, fault);
            if (known < 0) {
                return known;
            }
        } else if (is_signature(tlv.type)) {
            any = true;
            if (known > 0) {
                int err = verify_signature(area, &rules->keys[key], crypto, out, &tlv, fault);
                if (err < 0) {
                    return err;
                }
                if (!verified) {
                    verified = true;
                    out->key = key;
                }
            }
            known = 0;
        }
    }
    if (got < 0) {
        return got;
    }
    if (!any) {
        return refuse(fault, OTA_E_IMG_NO_SIGNATURE, out->tlv_offset, "signature");
    }
    if (!verified) {
        return refuse(fault, OTA_E_IMG_KEY, key_at != 0 ? key_at : out->tlv_offset, "key hash");
    }
    out->is_signed = true;
    return OTA_OK;
}

int img_inspect(const struct flash_area *area, struct img_info *out, struct img_fault *fault)
{
    int err = img_measure(area, out, fault);
    return err < 0 ? err : check_structure(area, out, fault);
}

int img_check(const struct flash_area *area, const struct img_rules *rules,
              const struct crypto_port *crypto, struct img_info *out, struct img_fault *fault)
{
    int err = img_measure(area, out, fault);
    if (err < 0) {
        return err;
    }
    if (rules->max_end != 0 && out->end > rules->max_end) {
        return refuse(fault, OTA_E_IMG_SIZE, out->end, "image end");
    }
    err = check_structure(area, out, fault);
    if (err < 0) {
        return err;
    }
    err = crypto->sha256_flash(crypto->context, area->flash, area->address,
                               out->tlv_offset + out->header.protect_tlv_size, out->digest);
    if (err < 0) {
        return refuse(fault, err, 0, "image content");
    }
    err = check_hashes(area, out, fault);
    if (err < 0) {
        return err;
    }
    if (rules->key_count == 0) {
        return OTA_OK;
    }
    return check_signatures(area, rules, crypto, out, fault);
}

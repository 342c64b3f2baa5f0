/* MCUboot image format: header, TLV areas, and the check that an image may be trusted.
 *
 * Reads an image where it lies in flash; copies nothing but the header and one TLV at a time, owns
 * nothing, never reads outside the area it was given. Source of the format: MCUboot's published
 * design document ("Image Format") as measured on its tool's output.
 *
 *   header | payload | [protected TLV area] | TLV area          all integers little-endian
 *
 *   off size header field           off size header field
 *     0    4 magic 0x96F3B83D        12    4 img_size (payload only)
 *     4    4 load_addr               16    4 flags
 *     8    2 hdr_size                20    8 version: major u8, minor u8, revision u16, build u32
 *    10    2 protect_tlv_size        28    4 pad
 *
 *   TLV area: {u16 magic, u16 total} then entries {u16 type, u16 len, data}; magic 0x6908
 *   protected, 0x6907 unprotected. The hash covers header, payload and the whole protected area;
 *   the signature is over that hash. */
#ifndef NOBRICK_AGENT_IMAGE_MCUBOOT_H
#define NOBRICK_AGENT_IMAGE_MCUBOOT_H

#include "agent/flash_area.h"

#define IMG_MAGIC               0x96F3B83Du
#define IMG_HEADER_SIZE         32u
#define IMG_TLV_INFO_SIZE       4u
#define IMG_TLV_MAGIC           0x6907u
#define IMG_TLV_PROTECTED_MAGIC 0x6908u

enum img_flag_bits { /* header flags */
                     IMG_F_PIC = 0x1,
                     IMG_F_ENCRYPTED_AES128 = 0x4,
                     IMG_F_ENCRYPTED_AES256 = 0x8,
                     IMG_F_NON_BOOTABLE = 0x10,
                     IMG_F_RAM_LOAD = 0x20,
                     IMG_F_ROM_FIXED = 0x100,
                     IMG_F_COMPRESSED_LZMA1 = 0x200,
                     IMG_F_COMPRESSED_LZMA2 = 0x400,
                     IMG_F_COMPRESSED_ARM_THUMB = 0x800,
};

enum img_tlv_type {
    IMG_TLV_KEYHASH = 0x01,
    IMG_TLV_PUBKEY = 0x02,
    IMG_TLV_SHA256 = 0x10,
    IMG_TLV_SHA384 = 0x11,
    IMG_TLV_SHA512 = 0x12,
    IMG_TLV_RSA2048_PSS = 0x20,
    IMG_TLV_ECDSA_SIG = 0x22,
    IMG_TLV_RSA3072_PSS = 0x23,
    IMG_TLV_ED25519 = 0x24,
    IMG_TLV_DEPENDENCY = 0x40,
    IMG_TLV_SEC_CNT = 0x50,
};

struct img_version {
    uint8_t major;
    uint8_t minor;
    uint16_t revision;
    uint32_t build;
};

struct img_header {
    uint32_t load_addr;
    uint16_t hdr_size;
    uint16_t protect_tlv_size;
    uint32_t img_size;
    uint32_t flags;
    struct img_version version;
};

/* What a valid image says about itself. */
struct img_info {
    struct img_header header;
    uint32_t tlv_offset; /* of the first TLV area: hdr_size + img_size */
    uint32_t end;        /* one past the last TLV byte: the image's size in flash */
    uint8_t digest[CRYPTO_SHA256_SIZE];
    bool has_counter;
    uint32_t counter;
    bool is_signed; /* a signature by a trusted key was verified */
    size_t key;     /* index of that key in img_rules.keys */
};

/* What the caller asks of an image. */
struct img_rules {
    const struct crypto_key *keys; /* NULL and 0: signatures are not checked */
    size_t key_count;
    uint32_t max_end; /* largest acceptable img_info.end; 0: the area's size */
};

/* Where a check failed, for messages: byte offset in the image, and the field or TLV there. */
struct img_fault {
    uint32_t offset;
    const char *what; /* static */
};

/* As headers and the agent's records hold it: major u8, minor u8, revision u16, build u32,
 * little-endian. */
#define IMG_VERSION_SIZE 8u
void img_version_get(const uint8_t raw[IMG_VERSION_SIZE], struct img_version *out);
void img_version_put(uint8_t raw[IMG_VERSION_SIZE], const struct img_version *version);

/* Order by major, minor, revision; the build number does not count. <0, 0, >0. */
int img_version_compare(const struct img_version *a, const struct img_version *b);

/* Parses and bounds-checks 32 raw header bytes for a slot of `slot_size` bytes. Errors: IMG_MAGIC,
 * IMG_HEADER (header size or flags), IMG_SIZE (sizes overflow or reach the slot size). */
OTA_MUST_CHECK int img_header_parse(const uint8_t raw[IMG_HEADER_SIZE], uint32_t slot_size,
                                    struct img_header *out, struct img_fault *fault);

/* Reads header and both TLV infos only: fills header, tlv_offset and end. No crypto. `fault` may
 * be NULL in all of these. */
OTA_MUST_CHECK int img_measure(const struct flash_area *area, struct img_info *out,
                               struct img_fault *fault);

/* As above, and the TLV walk: the entries are well-formed, a SHA-256 is there, has_counter and
 * counter are filled. No crypto: nothing of it is proven. */
OTA_MUST_CHECK int img_inspect(const struct flash_area *area, struct img_info *out,
                               struct img_fault *fault);

/* The whole check: header, TLV walk, hash, signature. Every SHA-256 entry must match; the image
 * must carry one; with keys, one signature by a trusted key must verify (KEYHASH selects the key
 * of the next signature; unknown keys are skipped; a known key with a bad signature refuses).
 * Exactly one security counter is allowed and only in the protected area. */
OTA_MUST_CHECK int img_check(const struct flash_area *area, const struct img_rules *rules,
                             const struct crypto_port *crypto, struct img_info *out,
                             struct img_fault *fault);

#endif

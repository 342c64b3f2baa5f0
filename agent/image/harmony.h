/* Images of Microchip Harmony's OTA service, and the row that says what one is.
 *
 * An image file is the raw execution area: its first 4096 bytes are a boot control block, which the
 * digest covers as it covers the rest. The block says nothing that could be trusted (its version is
 * 1 in every image, its digest is never valid), so what an image is, and who vouches for it, stands
 * in a row beside it: in the head of its place in the store (agent/store), or, for the image that
 * the factory put down, in an area of its own. The block is as measured on the original's images:
 *
 *   off  size                      as the linker leaves it
 *     0     1 status               0xFF
 *     1     2 slot, order          0xFF 0xFF
 *     3     1 type                 3: 0 programmer, 1 production, 2 debug, 3 factory
 *     4     4 size                 0xFFFFFFFF            integers little-endian
 *     8     4 version              1
 *    12     4 address of the entry 0xB0021000
 *    16  4079 zeros
 *  4095     1                      0xF8
 *
 * The row is nobrick's own:
 *
 *     0     4 magic, "NBHR"
 *     4     4 version
 *     8     4 size of the image file, in bytes
 *    12     1 type, as above
 *    13     1 1: it is signed
 *    14     2 0
 *    16    32 name, filled up with zeros
 *    48    32 SHA-256 of the image file
 *    80    64 ECDSA P-256 signature over that digest: r || s
 *   144     4 CRC-32 (IEEE 802.3) of all before it */
#ifndef NOBRICK_AGENT_IMAGE_HARMONY_H
#define NOBRICK_AGENT_IMAGE_HARMONY_H

#include "agent/image/mcuboot.h"

#define IMG_HARMONY_BLOCK 4096u /* bytes of the boot control block */
#define IMG_ROW_SIZE      148u
#define IMG_ROW_NAME      32u
#define IMG_RS_SIZE       64u

/* The life of a row. Each step clears one more of the low bits. */
enum img_row_status {
    IMG_ROW_FREE = 0xFF,       /* there is no image */
    IMG_ROW_DOWNLOADED = 0xFE, /* whole and verified, never ran */
    IMG_ROW_UNBOOTED = 0xFC,   /* runs, or ran, and has not confirmed itself */
    IMG_ROW_VALID = 0xF8,      /* has confirmed itself */
    IMG_ROW_DISABLED = 0xF0,   /* rolled back, failed too often, or found to be bad */
};

enum img_row_type {
    IMG_ROW_PROGRAMMER = 0,
    IMG_ROW_PRODUCTION = 1,
    IMG_ROW_DEBUG = 2,
    IMG_ROW_FACTORY = 3,
};

struct img_row {
    char name[IMG_ROW_NAME]; /* with its NUL */
    uint32_t version;
    uint32_t size;
    uint8_t type;
    bool is_signed;
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t signature[IMG_RS_SIZE];
};

/* The block of every image, as the table has it. */
void img_harmony_block(uint8_t out[IMG_HARMONY_BLOCK]);

void img_row_encode(const struct img_row *row, uint8_t out[IMG_ROW_SIZE]);

/* OTA_E_IMG_MAGIC, OTA_E_IMG_HEADER (checksum, type, name or flag). */
OTA_MUST_CHECK int img_row_decode(const uint8_t raw[IMG_ROW_SIZE], struct img_row *out);

/* The row at the start of an area; also the flash's errors. */
OTA_MUST_CHECK int img_row_read(const struct flash_area *area, struct img_row *out);

/* May this image run? It lies at the start of `area`. IMG_SIZE before anything is read; IMG_HEADER
 * for a type that is no application of ours; IMG_HASH; with keys IMG_NO_SIGNATURE and
 * IMG_SIGNATURE; or the flash's errors. */
OTA_MUST_CHECK int img_row_check(const struct img_row *row, const struct flash_area *area,
                                 const struct img_rules *rules, const struct crypto_port *crypto);

/* The part of it that needs no image: the row's signature over its digest. 0 without keys. */
OTA_MUST_CHECK int img_row_check_signature(const struct img_row *row, const struct img_rules *rules,
                                           const struct crypto_port *crypto);

/* A signature r || s as the DER that crypto ports take: SEQUENCE of two INTEGERs. Returns its
 * length. */
#define IMG_RS_DER_MAX 72u
size_t img_rs_to_der(const uint8_t rs[IMG_RS_SIZE], uint8_t out[IMG_RS_DER_MAX]);

/* Rows count versions by one number, the rest of the agent by four. N is N.0.0 up to 255; what is
 * above goes on in the lower places, so that the order stays. OTA_E_IMG_VERSION for a version that
 * is none of these numbers. */
#define IMG_HARMONY_VERSION_MAX (255u + 0xFFFFFFu) /* what is larger counts as this */
struct img_version img_harmony_version(uint32_t number);
OTA_MUST_CHECK int img_harmony_number(const struct img_version *version, uint32_t *out);

#endif

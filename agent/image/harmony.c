#include "agent/image/harmony.h"

#include "agent/ring.h"

#include <string.h>

#define ROW_MAGIC 0x5248424Eu /* "NBHR" */
#define ENTRY     0xB0021000u
#define MAJOR_MAX 255u /* minor and revision hold 24 bits more */

enum {
    AT_VERSION = 4,
    AT_SIZE = 8,
    AT_TYPE = 12,
    AT_SIGNED = 13,
    AT_NAME = 16,
    AT_DIGEST = 48,
    AT_SIGNATURE = 80,
    AT_CRC = 144
};
_Static_assert(AT_NAME + IMG_ROW_NAME == AT_DIGEST &&
                   AT_DIGEST + CRYPTO_SHA256_SIZE == AT_SIGNATURE &&
                   AT_SIGNATURE + IMG_RS_SIZE == AT_CRC && AT_CRC + 4 == IMG_ROW_SIZE,
               "the row is as its table says");

void img_harmony_block(uint8_t out[IMG_HARMONY_BLOCK])
{
    memset(out, 0, IMG_HARMONY_BLOCK);
    memset(out, 0xFF, 8);
    out[3] = IMG_ROW_FACTORY;
    ota_put32(out + 8, 1);
    ota_put32(out + 12, ENTRY);
    out[IMG_HARMONY_BLOCK - 1] = 0xF8;
}

/* ---- rows -------------------------------------------------------------------------------- */

void img_row_encode(const struct img_row *row, uint8_t out[IMG_ROW_SIZE])
{
    memset(out, 0, IMG_ROW_SIZE);
    ota_put32(out, ROW_MAGIC);
    ota_put32(out + AT_VERSION, row->version);
    ota_put32(out + AT_SIZE, row->size);
    out[AT_TYPE] = row->type;
    out[AT_SIGNED] = row->is_signed;
    memcpy(out + AT_NAME, row->name, strnlen(row->name, IMG_ROW_NAME - 1));
    memcpy(out + AT_DIGEST, row->digest, CRYPTO_SHA256_SIZE);
    if (row->is_signed)
        memcpy(out + AT_SIGNATURE, row->signature, IMG_RS_SIZE);
    ota_put32(out + AT_CRC, ota_crc32(0, out, AT_CRC));
}

int img_row_decode(const uint8_t raw[IMG_ROW_SIZE], struct img_row *out)
{
    memset(out, 0, sizeof *out);
    if (ota_get32(raw) != ROW_MAGIC)
        return OTA_E_IMG_MAGIC;
    if (ota_get32(raw + AT_CRC) != ota_crc32(0, raw, AT_CRC) || raw[AT_TYPE] > IMG_ROW_FACTORY ||
        raw[AT_SIGNED] > 1 || raw[AT_NAME + IMG_ROW_NAME - 1] != 0)
        return OTA_E_IMG_HEADER;
    out->version = ota_get32(raw + AT_VERSION);
    out->size = ota_get32(raw + AT_SIZE);
    out->type = raw[AT_TYPE];
    out->is_signed = raw[AT_SIGNED] != 0;
    memcpy(out->name, raw + AT_NAME, IMG_ROW_NAME);
    memcpy(out->digest, raw + AT_DIGEST, CRYPTO_SHA256_SIZE);
    memcpy(out->signature, raw + AT_SIGNATURE, IMG_RS_SIZE);
    return 0;
}

int img_row_read(const struct flash_area *area, struct img_row *out)
{
    uint8_t raw[IMG_ROW_SIZE];
    int err = flash_area_read(area, 0, raw, sizeof raw);
    return err != 0 ? err : img_row_decode(raw, out);
}

/* ---- trust ------------------------------------------------------------------------------- */

/* Appends an INTEGER: without leading zeros, and with one where it would read as negative. */
static size_t put_integer(uint8_t *out, const uint8_t value[32])
{
    size_t skip = 0;
    size_t length = 0;
    while (skip < 31 && value[skip] == 0)
        skip++;
    bool padded = (value[skip] & 0x80) != 0;
    out[length++] = 0x02;
    out[length++] = (uint8_t)(32 - skip + padded);
    if (padded)
        out[length++] = 0;
    memcpy(out + length, value + skip, 32 - skip);
    return length + 32 - skip;
}

size_t img_rs_to_der(const uint8_t rs[IMG_RS_SIZE], uint8_t out[IMG_RS_DER_MAX])
{
    size_t length = 2;
    length += put_integer(out + length, rs);
    length += put_integer(out + length, rs + IMG_RS_SIZE / 2);
    out[0] = 0x30;
    out[1] = (uint8_t)(length - 2);
    return length;
}

int img_row_check_signature(const struct img_row *row, const struct img_rules *rules,
                            const struct crypto_port *crypto)
{
    uint8_t der[IMG_RS_DER_MAX];
    if (rules->key_count == 0)
        return 0;
    if (!row->is_signed)
        return OTA_E_IMG_NO_SIGNATURE;
    size_t size = img_rs_to_der(row->signature, der);
    int err = OTA_E_IMG_SIGNATURE;
    for (size_t i = 0; err == OTA_E_IMG_SIGNATURE && i < rules->key_count; i++)
        if (rules->keys[i].scheme == CRYPTO_ECDSA_P256)
            err = crypto->verify(crypto->context, &rules->keys[i], row->digest, der, size);
    return err;
}

int img_row_check(const struct img_row *row, const struct flash_area *area,
                  const struct img_rules *rules, const struct crypto_port *crypto)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint32_t most =
        rules->max_end != 0 && rules->max_end < area->size ? rules->max_end : area->size;
    if (row->size == 0 || row->size > most)
        return OTA_E_IMG_SIZE;
    if (row->type != IMG_ROW_PRODUCTION && row->type != IMG_ROW_FACTORY)
        return OTA_E_IMG_HEADER;
    int err = img_row_check_signature(row, rules, crypto);
    if (err == 0)
        err = crypto->sha256_flash(crypto->context, area->flash, area->address, row->size, digest);
    if (err == 0 && memcmp(digest, row->digest, sizeof digest) != 0)
        err = OTA_E_IMG_HASH;
    return err;
}

/* ---- versions ---------------------------------------------------------------------------- */

struct img_version img_harmony_version(uint32_t number)
{
    if (number <= MAJOR_MAX)
        return (struct img_version){.major = (uint8_t)number};
    uint32_t rest =
        (number < IMG_HARMONY_VERSION_MAX ? number : IMG_HARMONY_VERSION_MAX) - MAJOR_MAX;
    return (struct img_version){MAJOR_MAX, (uint8_t)(rest >> 16), (uint16_t)rest, 0};
}

int img_harmony_number(const struct img_version *version, uint32_t *out)
{
    uint32_t rest = (uint32_t)version->minor << 16 | version->revision;
    *out = version->major + rest;
    return (version->major == MAJOR_MAX || rest == 0) && version->build == 0 ? 0
                                                                             : OTA_E_IMG_VERSION;
}

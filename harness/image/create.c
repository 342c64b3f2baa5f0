#include "harness/image/image.h"
#include "harness/image/sign.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define TAG_OFFSET 0x200u
#define TLV_HEAD   4u
#define TLVS_MAX   (512u + NB_SIGNATURE_MAX) /* more than all the TLVs written here */

/* Appends to the image; the buffer was made large enough for all of it. */
struct writer {
    uint8_t *data;
    size_t size;
};

static void put_u16(struct writer *w, uint32_t value)
{
    w->data[w->size++] = (uint8_t)value;
    w->data[w->size++] = (uint8_t)(value >> 8);
}

static void put_u32(struct writer *w, uint32_t value)
{
    put_u16(w, value & 0xFFFFu);
    put_u16(w, value >> 16);
}

static void put_bytes(struct writer *w, const void *data, size_t length)
{
    memcpy(w->data + w->size, data, length);
    w->size += length;
}

static void put_tlv(struct writer *w, enum img_tlv_type type, const void *data, size_t length)
{
    put_u16(w, (uint32_t)type);
    put_u16(w, (uint32_t)length);
    put_bytes(w, data, length);
}

static void put_header(struct writer *w, const struct nb_image_spec *spec, uint32_t protect_size)
{
    put_u32(w, IMG_MAGIC);
    put_u32(w, spec->load_addr);
    put_u16(w, spec->header_size);
    put_u16(w, protect_size);
    put_u32(w, (uint32_t)spec->payload_size);
    put_u32(w, spec->flags);
    w->data[w->size++] = spec->version.major;
    w->data[w->size++] = spec->version.minor;
    put_u16(w, spec->version.revision);
    put_u32(w, spec->version.build);
    memset(w->data + w->size, 0, spec->header_size - w->size);
    w->size = spec->header_size;
}

/* Deterministic bytes that are neither erased value, so that no part of them passes for blank. */
static void put_filler(struct writer *w, size_t length, uint32_t seed)
{
    uint64_t state = seed;

    for (size_t i = 0; i < length; i++) {
        state += 0x9E3779B97F4A7C15u;
        uint64_t z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        uint8_t byte = (uint8_t)(z >> 56);
        w->data[w->size++] = byte == 0x00 || byte == 0xFF ? 0x5A : byte;
    }
}

static void place_tag(uint8_t *payload, size_t size, enum app_behaviour behaviour)
{
    if (size >= TAG_OFFSET + APP_TAG_SIZE) {
        app_tag_write(behaviour, payload + TAG_OFFSET);
    } else if (size >= APP_TAG_SIZE) {
        app_tag_write(behaviour, payload);
    }
}

/* The unprotected area: SHA-256, then the key's hash and the signature when there is a signer. */
static int put_unprotected(struct writer *w, const struct nb_signer *signer)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t signature[NB_SIGNATURE_MAX];
    size_t signature_size = 0;
    uint32_t total = IMG_TLV_INFO_SIZE + TLV_HEAD + CRYPTO_SHA256_SIZE;

    if (EVP_Digest(w->data, w->size, digest, NULL, EVP_sha256(), NULL) != 1) {
        return OTA_E_IO;
    }
    if (signer != NULL) {
        int err = nb_signer_sign(signer, digest, signature, &signature_size);
        if (err < 0) {
            return err;
        }
        total += 2 * TLV_HEAD + CRYPTO_SHA256_SIZE + (uint32_t)signature_size;
    }
    put_u16(w, IMG_TLV_MAGIC);
    put_u16(w, total);
    put_tlv(w, IMG_TLV_SHA256, digest, sizeof digest);
    if (signer != NULL) {
        put_tlv(w, IMG_TLV_KEYHASH, signer->key_hash, sizeof signer->key_hash);
        put_tlv(w, signer->scheme == CRYPTO_ECDSA_P256 ? IMG_TLV_ECDSA_SIG : IMG_TLV_RSA2048_PSS,
                signature, signature_size);
    }
    return OTA_OK;
}

static int check_spec(const struct nb_image_spec *spec, char *reason, size_t reason_size)
{
    if (spec->header_size < IMG_HEADER_SIZE) {
        snprintf(reason, reason_size, "header size %u is below %u", spec->header_size,
                 IMG_HEADER_SIZE);
        return OTA_E_ARGUMENT;
    }
    if (spec->payload_size == 0) {
        snprintf(reason, reason_size, "payload is empty");
        return OTA_E_ARGUMENT;
    }
    if (spec->with_tag && spec->behaviour != APP_GOOD && spec->payload_size < APP_TAG_SIZE) {
        snprintf(reason, reason_size, "a payload of %zu bytes cannot say what its application does",
                 spec->payload_size);
        return OTA_E_IMG_SIZE;
    }
    if (spec->program_size > spec->payload_size) {
        snprintf(reason, reason_size, "a payload of %zu bytes has no room for the program's %zu",
                 spec->payload_size, spec->program_size);
        return OTA_E_IMG_SIZE;
    }
    if (spec->payload_size > UINT32_MAX - UINT16_MAX - TLVS_MAX) {
        snprintf(reason, reason_size, "payload of %zu bytes is too large for the format",
                 spec->payload_size);
        return OTA_E_IMG_SIZE;
    }
    return OTA_OK;
}

static int build(const struct nb_image_spec *spec, const struct nb_signer *signer, struct writer *w)
{
    uint32_t protect_size = spec->with_counter ? IMG_TLV_INFO_SIZE + TLV_HEAD + 4 : 0;

    put_header(w, spec, protect_size);
    if (spec->payload != NULL) {
        put_bytes(w, spec->payload, spec->payload_size);
    } else {
        put_filler(w, spec->payload_size, spec->seed);
        if (spec->program != NULL) {
            memcpy(w->data + spec->header_size, spec->program, spec->program_size);
        }
    }
    if (spec->with_tag) {
        place_tag(w->data + spec->header_size, spec->payload_size, spec->behaviour);
    }
    if (spec->with_counter) {
        put_u16(w, IMG_TLV_PROTECTED_MAGIC);
        put_u16(w, protect_size);
        put_u16(w, IMG_TLV_SEC_CNT);
        put_u16(w, 4);
        put_u32(w, spec->counter);
    }
    return put_unprotected(w, signer);
}

int nb_image_create(const struct nb_image_spec *spec, uint8_t **out, size_t *size, char *reason,
                    size_t reason_size)
{
    struct nb_signer signer = {0};

    *out = NULL;
    *size = 0;
    int err = check_spec(spec, reason, reason_size);
    if (err < 0) {
        return err;
    }
    if (spec->key_path != NULL) {
        err = nb_signer_open(spec->key_path, &signer, reason, reason_size);
        if (err < 0) {
            return err;
        }
    }
    struct writer w = {malloc(spec->header_size + spec->payload_size + TLVS_MAX), 0};
    if (w.data == NULL) {
        err = OTA_E_NO_SPACE;
        snprintf(reason, reason_size, "no memory for %zu bytes", spec->payload_size);
    } else {
        err = build(spec, spec->key_path != NULL ? &signer : NULL, &w);
        if (err < 0) {
            snprintf(reason, reason_size, "signing failed: %s", ota_err_text(err));
        }
    }
    nb_signer_close(&signer);
    if (err < 0) {
        free(w.data);
        return err;
    }
    *out = w.data;
    *size = w.size;
    return OTA_OK;
}

int nb_image_pad(const uint8_t *image, size_t size, uint32_t slot_size,
                 const struct img_trailer_format *format, uint8_t erased, bool pending,
                 bool confirmed, uint8_t **out)
{
    uint32_t trailer = img_trailer_size(format);

    *out = NULL;
    if (trailer > slot_size || size > slot_size - trailer) {
        return OTA_E_IMG_SIZE;
    }
    uint8_t *slot = malloc(slot_size);
    if (slot == NULL) {
        return OTA_E_NO_SPACE;
    }
    memcpy(slot, image, size);
    memset(slot + size, erased, slot_size - size);
    if (pending || confirmed) {
        memcpy(slot + slot_size - IMG_TRAILER_MAGIC_SIZE, img_trailer_magic(format->align),
               IMG_TRAILER_MAGIC_SIZE);
    }
    if (confirmed) {
        slot[slot_size - img_trailer_image_ok(format)] = 0x01;
    }
    *out = slot;
    return OTA_OK;
}

/* One number of a version, up to `max`. NULL: there is none. */
static const char *parse_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;

    if (*text < '0' || *text > '9') {
        return NULL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max) {
            return NULL;
        }
    }
    *out = (uint32_t)value;
    return text;
}

int nb_version_parse(const char *text, struct img_version *out)
{
    static const uint32_t max[] = {UINT8_MAX, UINT8_MAX, UINT16_MAX, UINT32_MAX};
    uint32_t numbers[4] = {0};

    text = parse_number(text, max[0], &numbers[0]);
    for (int i = 1; i < 3 && text != NULL && *text == '.'; i++) {
        text = parse_number(text + 1, max[i], &numbers[i]);
    }
    if (text != NULL && *text == '+') {
        text = parse_number(text + 1, max[3], &numbers[3]);
    }
    if (text == NULL || *text != '\0') {
        return OTA_E_ARGUMENT;
    }
    *out = (struct img_version){(uint8_t)numbers[0], (uint8_t)numbers[1], (uint16_t)numbers[2],
                                numbers[3]};
    return OTA_OK;
}

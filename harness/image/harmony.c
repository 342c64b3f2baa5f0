#include "harness/image/harmony.h"
#include "harness/image/sign.h"

#include <openssl/evp.h>
#include <string.h>

int nb_harmony_create(const struct nb_image_spec *spec, uint8_t **out, size_t *size, char *reason,
                      size_t reason_size)
{
    struct nb_image_spec inner = *spec;
    inner.header_size = IMG_HARMONY_BLOCK;
    inner.with_counter = false;
    inner.key_path = NULL;
    int err = nb_image_create(&inner, out, size, reason, reason_size);
    if (err != 0)
        return err;
    img_harmony_block(*out); /* in place of the header; the TLVs behind the payload are cut off */
    *size = IMG_HARMONY_BLOCK + spec->payload_size;
    return 0;
}

/* One INTEGER of a DER signature, right-aligned in 32 bytes. Returns what follows it, or NULL. */
static const uint8_t *take_integer(const uint8_t *at, const uint8_t *end, uint8_t out[32])
{
    if (end - at < 2 || at[0] != 0x02 || at[1] == 0 || at[1] > end - at - 2)
        return NULL;
    size_t length = at[1];
    const uint8_t *value = at + 2;
    const uint8_t *next = value + length;
    while (length > 1 && value[0] == 0) {
        value++;
        length--;
    }
    if (length > 32)
        return NULL;
    memset(out, 0, 32);
    memcpy(out + 32 - length, value, length);
    return next;
}

static int from_der(const uint8_t *der, size_t size, uint8_t out[IMG_RS_SIZE])
{
    const uint8_t *end = der + size;
    const uint8_t *at = size > 2 && der[0] == 0x30 && der[1] == size - 2 ? der + 2 : NULL;
    if (at != NULL)
        at = take_integer(at, end, out);
    if (at != NULL)
        at = take_integer(at, end, out + IMG_RS_SIZE / 2);
    return at == end ? 0 : OTA_E_IMG_SIGNATURE;
}

int nb_harmony_sign(const uint8_t *image, size_t size, const char *key_path, struct img_row *row,
                    char *reason, size_t reason_size)
{
    struct nb_signer signer;
    uint8_t der[NB_SIGNATURE_MAX];
    size_t der_size = 0;
    row->size = (uint32_t)size;
    row->is_signed = key_path != NULL;
    if (EVP_Digest(image, size, row->digest, NULL, EVP_sha256(), NULL) != 1)
        return OTA_E_IO;
    if (key_path == NULL)
        return 0;
    int err = nb_signer_open(key_path, &signer, reason, reason_size);
    if (err != 0)
        return err;
    if (signer.scheme != CRYPTO_ECDSA_P256) {
        snprintf(reason, reason_size, "%.100s: Harmony's signatures are ECDSA on P-256", key_path);
        err = OTA_E_IMG_KEY;
    } else {
        err = nb_signer_sign(&signer, row->digest, der, &der_size);
    }
    if (err == 0)
        err = from_der(der, der_size, row->signature);
    nb_signer_close(&signer);
    return err;
}

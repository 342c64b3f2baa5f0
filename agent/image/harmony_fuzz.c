/* A row of arbitrary bytes: refused, or what is encoded again from it is the same; and signatures
 * become DER within its bounds. */
#include "agent/image/harmony.h"

#include "agent/ring.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A good checksum, so that the fields behind it are reached. */
static void mend(uint8_t raw[IMG_ROW_SIZE])
{
    ota_put32(raw, 0x5248424Eu);
    ota_put32(raw + IMG_ROW_SIZE - 4, ota_crc32(0, raw, IMG_ROW_SIZE - 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t raw[IMG_ROW_SIZE] = {0};
    uint8_t again[IMG_ROW_SIZE];
    uint8_t der[IMG_RS_DER_MAX];
    struct img_row row;
    struct img_row back;
    if (size == 0)
        return 0;
    memcpy(raw, data + 1, size - 1 < sizeof raw ? size - 1 : sizeof raw);
    if (data[0] & 1)
        mend(raw);
    if (img_row_decode(raw, &row) != 0)
        return 0;
    require(memchr(row.name, 0, sizeof row.name) != NULL);
    img_row_encode(&row, again);
    require(img_row_decode(again, &back) == 0);
    require(back.version == row.version && back.size == row.size &&
            memcmp(back.digest, row.digest, sizeof row.digest) == 0);
    size_t length = img_rs_to_der(row.signature, der);
    require(length >= 8 && length <= sizeof der && der[1] == length - 2);
    return 0;
}

/* Whatever is downloaded: read or refused, the same in any pieces, and what is handed on is as long
 * as was announced. The first byte says how the rest is cut; the second has bit 0 set when headers
 * get a checksum that fits, so that the fuzzer comes to what lies behind. */
#include "agent/update/untar.h"

#include <stdlib.h>
#include <string.h>

struct outcome {
    int error;
    uint32_t begun;
    uint32_t announced;
    uint32_t handed_on;
    uint32_t sum;
};

static void demand(bool kept)
{
    if (!kept)
        abort();
}

static int on_begin(void *context, const struct img_version *version, uint32_t size)
{
    struct outcome *outcome = context;
    (void)version;
    outcome->begun++;
    outcome->announced = size;
    demand(size > 0);
    return 0;
}

static int on_data(void *context, const uint8_t *data, size_t length)
{
    struct outcome *outcome = context;
    demand(outcome->begun == 1 && length > 0);
    demand(length <= outcome->announced - outcome->handed_on);
    for (size_t i = 0; i < length; i++)
        outcome->sum = outcome->sum * 31 + data[i];
    outcome->handed_on += (uint32_t)length;
    return 0;
}

static struct outcome feed(const uint8_t *data, size_t size, size_t step)
{
    struct outcome outcome = {0};
    const struct ota_untar_sink sink = {&outcome, on_begin, on_data};
    struct ota_untar untar;
    uint8_t buffer[OTA_TAR_LIST_MAX];
    ota_untar_init(&untar, &sink, buffer);
    for (size_t at = 0; at < size && outcome.error == 0; at += step) {
        size_t length = size - at < step ? size - at : step;
        uint8_t *piece = malloc(length);
        demand(piece != NULL);
        memcpy(piece, data + at, length);
        outcome.error = ota_untar_write(&untar, piece, length);
        free(piece);
    }
    demand((outcome.error != 0) == (untar.state == OTA_UNTAR_FAILED));
    demand(untar.complete == (outcome.begun == 1 && outcome.handed_on == outcome.announced));
    if (outcome.error == 0)
        outcome.error = ota_untar_finish(&untar);
    demand(outcome.error == 0 || outcome.error == OTA_E_ARCHIVE ||
           outcome.error == OTA_E_UNSUPPORTED);
    demand((outcome.error != 0) == (untar.fault != NULL));
    demand(outcome.error != 0 || untar.complete);
    return outcome;
}

/* Checksums that fit, in every block that looks like a header. */
static void seal_headers(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 512 <= size; at += 512) {
        unsigned sum = 0;
        if (memcmp(data + at + 257, "ustar", 5) != 0)
            continue;
        memset(data + at + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
            sum += data[at + i];
        for (size_t i = 0; i < 6; i++)
            data[at + 148 + i] = (uint8_t)('0' + (sum >> (15 - 3 * i) & 7u));
        data[at + 154] = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[0] == 0 ? 512 : data[0];
    uint8_t *copy = malloc(size);
    demand(copy != NULL);
    memcpy(copy, data + 2, size - 2);
    if ((data[1] & 1u) != 0)
        seal_headers(copy, size - 2);
    struct outcome one = feed(copy, size - 2, step);
    struct outcome other = feed(copy, size - 2, size);
    demand(one.error == other.error && one.announced == other.announced);
    demand(one.handed_on == other.handed_on && one.sum == other.sum);
    free(copy);
    return 0;
}

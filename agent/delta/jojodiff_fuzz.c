/* Whatever a server sends for a patch: applied or refused, the same in any pieces and when it is
 * cut off and resumed. The first byte: bit 0 takes the later format too, the rest cuts. */
#include "agent/delta/jojodiff_rig.h"

#include <stdlib.h>

#define SOURCE 700u

static void demand(bool kept)
{
    if (!kept)
        abort();
}

static const uint8_t *source(void)
{
    static uint8_t bytes[SOURCE];
    for (uint32_t i = 0; i < SOURCE; i++)
        bytes[i] = (uint8_t)(i * 37 ^ i >> 3);
    return bytes;
}

static void check_error(const struct rig *rig, int err)
{
    demand(err == 0 || err == OTA_E_PATCH || err == OTA_E_IMG_SIZE || err == OTA_E_UNSUPPORTED);
    demand((err != 0) == (rig->delta.fault != NULL));
    demand(err != 0 || rig->delta.at.target_at == rig->target_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool later = (data[0] & 1u) != 0;
    struct rig whole = {.target_size = 0}, pieces = whole;
    struct rig cut = {.stop_after = 1u + (data[0] >> 1)};
    rig_begin(&whole, source(), SOURCE, later);
    int err = rig_apply(&whole, data + 1, size - 1, size);
    check_error(&whole, err);
    rig_begin(&pieces, source(), SOURCE, later);
    demand(rig_apply(&pieces, data + 1, size - 1, 1u + (data[0] >> 5)) == err);
    demand(pieces.target_size == whole.target_size || err != 0);
    demand(memcmp(pieces.target, whole.target, err == 0 ? whole.target_size : 0) == 0);
    rig_begin(&cut, source(), SOURCE, later);
    int end = rig_apply(&cut, data + 1, size - 1, size);
    if (end == OTA_E_POWER) {
        rig_begin(&cut, source(), SOURCE, later);
        demand(ota_jojodiff_resume(&cut.delta, cut.point) == OTA_OK);
        end = rig_apply(&cut, data + 1, size - 1, size);
    }
    demand(end == err);
    demand(cut.target_size == whole.target_size);
    demand(memcmp(cut.target, whole.target, whole.target_size) == 0);
    return 0;
}

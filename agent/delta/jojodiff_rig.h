/* Patches applied to memory, for the tests. */
#ifndef NOBRICK_AGENT_DELTA_JOJODIFF_RIG_H
#define NOBRICK_AGENT_DELTA_JOJODIFF_RIG_H

#include "agent/delta/jojodiff.h"

#include <string.h>

#define RIG_TARGET 4096u

struct rig {
    const uint8_t *source;
    uint32_t source_size;
    uint8_t target[RIG_TARGET];
    uint32_t target_size;
    uint8_t buffer[32];
    struct ota_jojodiff delta;
    uint8_t point[OTA_JOJODIFF_POINT]; /* saved inside the last write */
    uint32_t stop_after;               /* writes; 0: never */
    bool pauses;                       /* after each write */
};

static int rig_read(void *context, uint32_t offset, void *data, uint32_t length)
{
    const struct rig *rig = context;
    if (length == 0 || offset > rig->source_size || length > rig->source_size - offset)
        return OTA_E_FLASH_BOUNDS;
    memcpy(data, rig->source + offset, length);
    return OTA_OK;
}

static int rig_write(void *context, const uint8_t *data, uint32_t length)
{
    struct rig *rig = context;
    if (length == 0 || length > RIG_TARGET - rig->target_size)
        return OTA_E_FLASH_BOUNDS;
    memcpy(rig->target + rig->target_size, data, length);
    rig->target_size += length;
    ota_jojodiff_save(&rig->delta, rig->point);
    if (rig->stop_after > 0 && --rig->stop_after == 0)
        return OTA_E_POWER;
    return rig->pauses ? OTA_DELTA_PAUSE : OTA_OK;
}

static void rig_begin(struct rig *rig, const uint8_t *source, uint32_t source_size, bool later)
{
    const struct ota_delta_ends ends = {.context = rig,
                                        .read = rig_read,
                                        .write = rig_write,
                                        .source_size = source_size,
                                        .target_limit = RIG_TARGET};
    rig->source = source;
    rig->source_size = source_size;
    ota_jojodiff_init(&rig->delta, &ends, later, rig->buffer, sizeof rig->buffer);
}

/* The whole patch in pieces of `step` bytes. */
static int rig_apply(struct rig *rig, const uint8_t *patch, size_t size, size_t step)
{
    int err = 0;
    for (size_t at = rig->delta.at.patch_at; at < size && err == 0; at += step)
        err = ota_jojodiff_write(&rig->delta, patch + at, size - at < step ? size - at : step);
    return err == 0 ? ota_jojodiff_finish(&rig->delta) : err;
}

#endif

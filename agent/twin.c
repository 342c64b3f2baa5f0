#include "agent/twin.h"

#include <string.h>

#define HALVES 2u

static uint32_t count_sectors(const struct flash_area *area)
{
    struct flash_sector sector;
    uint32_t count = 0;
    for (uint32_t at = 0; at < area->size; at = sector.start + sector.size, count++)
        if (flash_area_sector(area, at, &sector) != 0)
            return 0;
    return count;
}

/* Where the second half begins: half of the sectors, rounded up, lie before it. */
static int split(const struct flash_area *area, uint32_t *at)
{
    struct flash_sector sector;
    uint32_t sectors = count_sectors(area);
    *at = 0;
    if (sectors < OTA_TWIN_SECTORS)
        return OTA_E_LAYOUT;
    for (uint32_t i = 0; i < (sectors + 1) / 2; i++) {
        int err = flash_area_sector(area, *at, &sector);
        if (err != 0)
            return err;
        *at = sector.start + sector.size;
    }
    return 0;
}

/* Numbers wrap, as the rings' do; 0 stands for no record. */
static bool is_later(uint32_t sequence, uint32_t than)
{
    return sequence != 0 && (than == 0 || sequence - than - 1 < UINT32_MAX / 2);
}

int ota_twin_open(struct ota_twin *twin, const struct ota_ring_kind *kind,
                  const struct flash_area *area)
{
    uint32_t middle;
    memset(twin, 0, sizeof *twin);
    int err = kind->size <= sizeof twin->newest ? split(area, &middle) : OTA_E_NO_SPACE;
    for (unsigned i = 0; err == 0 && i < HALVES; i++) {
        const struct flash_area half = {area->flash, area->address + (i == 0 ? 0 : middle),
                                        i == 0 ? middle : area->size - middle};
        uint8_t raw[OTA_TWIN_RECORD_MAX];
        err = ota_ring_open(&twin->halves[i], kind, &half, raw);
        if (err == 0 && is_later(twin->halves[i].sequence, twin->sequence)) {
            twin->sequence = twin->halves[i].sequence;
            memcpy(twin->newest, raw, kind->size);
        }
    }
    return err;
}

int ota_twin_settle(struct ota_twin *twin, const struct ota_ring_kind *kind,
                    const struct flash_area *area)
{
    int err = ota_twin_open(twin, kind, area);
    for (int i = 1; err == 0 && i < OTA_TWIN_READS; i++) {
        struct ota_twin again;
        err = ota_twin_open(&again, kind, area);
        if (err == 0 && is_later(again.sequence, twin->sequence))
            *twin = again;
    }
    int mended = err == 0 ? ota_twin_mend(twin) : 0;
    (void)mended; /* the newest record is enough to go on with */
    return err;
}

int ota_twin_prepare(struct ota_twin *twin)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        err = ota_ring_prepare(&twin->halves[i]);
    return err;
}

/* One half; the sequence number is the same in both, whatever a half missed. */
static int write_half(struct ota_twin *twin, unsigned half)
{
    twin->halves[half].sequence = twin->sequence - 1;
    return ota_ring_write(&twin->halves[half], twin->newest);
}

int ota_twin_put(struct ota_twin *twin)
{
    int err = 0;
    twin->sequence = twin->sequence < UINT32_MAX ? twin->sequence + 1 : 1;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        err = write_half(twin, i);
    return err;
}

int ota_twin_mend(struct ota_twin *twin)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        if (twin->halves[i].sequence != twin->sequence)
            err = write_half(twin, i);
    return err;
}

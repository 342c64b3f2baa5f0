#include "agent/ring.h"

#include <string.h>

#define UNIT_MAX 512u

/* ---- numbers ----------------------------------------------------------------------------- */

void ota_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void ota_put32(uint8_t *at, uint32_t value)
{
    ota_put16(at, (uint16_t)value);
    ota_put16(at + 2, (uint16_t)(value >> 16));
}

uint16_t ota_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t ota_get32(const uint8_t *at)
{
    return ota_get16(at) | (uint32_t)ota_get16(at + 2) << 16;
}

/* ---- places ------------------------------------------------------------------------------ */

/* Bytes from one record to the next: whole units, so that no unit is ever programmed twice. */
static uint32_t stride(const struct ota_ring *ring, const struct flash_sector *sector)
{
    return (ring->kind->size + sector->unit - 1) / sector->unit * sector->unit;
}

static uint32_t sector_end(const struct ota_ring *ring, const struct flash_sector *sector)
{
    uint32_t step = stride(ring, sector);
    uint32_t places = sector->size / step;
    if (ring->kind->most != 0 && places > ring->kind->most)
        places = ring->kind->most;
    return sector->start + places * step;
}

/* The sector after the one at `start`, around the end of the area. */
static uint32_t next_sector(const struct flash_area *area, const struct flash_sector *sector)
{
    uint32_t end = sector->start + sector->size;
    return end < area->size ? end : 0;
}

static bool is_record(const struct ota_ring *ring, const uint8_t *raw)
{
    uint32_t body = ring->kind->size - OTA_RING_TAIL;
    return ota_get32(raw) == ring->kind->magic &&
           ota_get32(raw + body) == ota_crc32(0, raw, body) && ota_get32(raw + 4) != 0 &&
           ring->kind->accept(raw);
}

/* Numbers wrap: of two records the later one is less than half of all numbers ahead, for a ring
 * holds far fewer. */
static bool is_later(const struct ota_ring *ring, const uint8_t *raw)
{
    return ring->sequence == 0 || ota_get32(raw + 4) - ring->sequence - 1 < UINT32_MAX / 2;
}

/* Reads the records of one sector; keeps the newest of all so far. */
static void scan(struct ota_ring *ring, const struct flash_sector *sector, uint8_t *newest,
                 struct flash_sector *home)
{
    uint32_t step = stride(ring, sector);
    for (uint32_t at = sector->start; at < sector_end(ring, sector); at += step) {
        uint8_t raw[OTA_RING_RECORD_MAX];
        if (flash_area_read(&ring->area, at, raw, ring->kind->size) == 0 && is_record(ring, raw) &&
            is_later(ring, raw)) {
            ring->sequence = ota_get32(raw + 4);
            memcpy(newest, raw, ring->kind->size);
            *home = *sector;
        }
    }
}

/* The first place of `sector` behind everything that was ever begun there. */
static uint32_t free_place(const struct ota_ring *ring, const struct flash_sector *sector)
{
    uint32_t step = stride(ring, sector);
    uint32_t end = sector_end(ring, sector);
    uint32_t at = end;
    while (at > sector->start && flash_area_is_erased(&ring->area, at - step, step) == 1)
        at -= step;
    return at < end ? at : ring->area.size;
}

int ota_ring_open(struct ota_ring *ring, const struct ota_ring_kind *kind,
                  const struct flash_area *area, uint8_t *out)
{
    struct flash_sector sector;
    struct flash_sector home = {0};
    *ring = (struct ota_ring){.kind = kind, .area = *area};
    for (uint32_t at = 0; at < area->size; at = sector.start + sector.size) {
        int error = flash_area_sector(area, at, &sector);
        if (error != 0)
            return error;
        if (sector.size == area->size || sector.unit > UNIT_MAX ||
            stride(ring, &sector) > sector.size)
            return OTA_E_LAYOUT;
        scan(ring, &sector, out, &home);
    }
    if (ring->sequence == 0) {
        ring->next = area->size; /* what lies there may be torn: start on a fresh sector */
        ring->turn = 0;
        return 0;
    }
    ring->next = free_place(ring, &home);
    ring->turn = next_sector(area, &home);
    return 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

static int program_record(const struct ota_ring *ring, uint32_t at, uint32_t step,
                          const uint8_t *raw)
{
    const struct flash_area *area = &ring->area;
    uint8_t units[UNIT_MAX + OTA_RING_RECORD_MAX] = {0};
    memcpy(units, raw, ring->kind->size);
    int error = flash_area_program(area, at, units, step);
    if (error == 0)
        error = area->flash->sync(area->flash->context);
    return error != 0 ? error : flash_area_compare(area, at, raw, ring->kind->size);
}

int ota_ring_prepare(struct ota_ring *ring)
{
    if (ring->next != ring->area.size || ring->prepared)
        return 0;
    /* The sector may look erased after a cut erase, and not be: it is erased in any case. */
    int error = flash_area_erase_back(&ring->area, ring->turn, ring->turn + 1);
    ring->prepared = error == 0;
    return error;
}

int ota_ring_write(struct ota_ring *ring, uint8_t *record)
{
    const struct flash_area *area = &ring->area;
    bool fresh = ring->next == area->size;
    uint32_t at = fresh ? ring->turn : ring->next;
    uint32_t body = ring->kind->size - OTA_RING_TAIL;
    struct flash_sector sector;
    int error = ota_ring_prepare(ring);
    if (error == 0)
        error = flash_area_sector(area, at, &sector);
    if (error != 0)
        return error;
    ring->prepared = false;
    uint32_t step = stride(ring, &sector);
    ota_put32(record, ring->kind->magic);
    ring->sequence = ring->sequence < UINT32_MAX ? ring->sequence + 1 : 1; /* 0 means none */
    ota_put32(record + 4, ring->sequence);
    ota_put32(record + body, ota_crc32(0, record, body));
    error = program_record(ring, at, step, record);
    /* The first record of a sector failed: the newest one lies in the sector before, which must
     * not be the next to be erased. */
    if (error != 0 && fresh)
        return error;
    ring->next = at + step < sector_end(ring, &sector) ? at + step : area->size;
    ring->turn = next_sector(area, &sector);
    return error;
}

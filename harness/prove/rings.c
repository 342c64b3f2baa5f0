#include "harness/prove/rings.h"

#include "agent/store/store.h"
#include "agent/update/journal.h"
#include "agent/update/progress.h"

#include <stdlib.h>
#include <string.h>

#define NONSENSE 0x5Au

/* The place of the newest record; the ring has one. OTA_E_NO_IMAGE: it is not there. */
static int find_newest(const struct ota_ring *ring, const uint8_t *bytes, uint32_t *out)
{
    struct flash_sector sector;
    for (uint32_t start = 0; start < ring->area.size; start = sector.start + sector.size) {
        int rc = flash_area_sector(&ring->area, start, &sector);
        if (rc != 0)
            return rc;
        uint32_t step = (ring->kind->size + sector.unit - 1) / sector.unit * sector.unit;
        for (uint32_t at = start; at + step <= start + sector.size; at += step) {
            uint32_t body = ring->kind->size - OTA_RING_TAIL;
            if (ota_get32(bytes + at) == ring->kind->magic &&
                ota_get32(bytes + at + 4) == ring->sequence &&
                ota_get32(bytes + at + body) == ota_crc32(0, bytes + at, body)) {
                *out = at;
                return 0;
            }
        }
    }
    return OTA_E_NO_IMAGE;
}

/* The last place that was begun behind the newest record at `at`; `at` when none was. */
static int last_begun(const struct ota_ring *ring, uint32_t at, uint32_t *out)
{
    struct flash_sector sector;
    int rc = flash_area_sector(&ring->area, at, &sector);
    if (rc != 0)
        return rc;
    uint32_t step = (ring->kind->size + sector.unit - 1) / sector.unit * sector.unit;
    uint32_t places = sector.size / step;
    if (ring->kind->most != 0 && places > ring->kind->most)
        places = ring->kind->most;
    uint32_t end = ring->next != ring->area.size ? ring->next : sector.start + places * step;
    *out = end - step;
    return 0;
}

/* Changes the area's bytes into the one form of the ring that was found in them, whose newest
 * record gets this number. */
static int rewrite(const struct ota_ring *ring, const uint8_t *record, uint32_t number,
                   uint8_t *bytes)
{
    struct flash_sector sector;
    uint32_t at = 0;
    uint32_t last = 0;
    int rc = flash_area_sector(&ring->area, 0, &sector);
    if (rc == 0 && ring->sequence != 0)
        rc = find_newest(ring, bytes, &at);
    if (rc == 0 && ring->sequence != 0)
        rc = last_begun(ring, at, &last);
    if (rc != 0)
        return rc;
    memset(bytes, sector.erased, ring->area.size);
    if (ring->sequence == 0)
        return 0;
    uint32_t body = ring->kind->size - OTA_RING_TAIL;
    memcpy(bytes + at, record, ring->kind->size);
    ota_put32(bytes + at + 4, number);
    ota_put32(bytes + at + body, ota_crc32(0, bytes + at, body));
    /* Records are filled up with zeros to whole units. */
    uint32_t step = (ring->kind->size + sector.unit - 1) / sector.unit * sector.unit;
    memset(bytes + at + ring->kind->size, 0, step - ring->kind->size);
    if (last != at)
        memset(bytes + last, NONSENSE, sector.unit);
    return 0;
}

static int normalise(struct flash_sim *sim, const struct ota_ring *ring, const uint8_t *record,
                     uint32_t number)
{
    const struct flash_area *area = &ring->area;
    uint8_t *bytes = malloc(area->size);
    if (bytes == NULL)
        return OTA_E_NO_SPACE;
    int rc = flash_sim_peek(sim, area->address, bytes, area->size);
    if (rc == 0)
        rc = rewrite(ring, record, number, bytes);
    if (rc == 0)
        rc = flash_sim_put(sim, area->address, bytes, area->size);
    free(bytes);
    return rc;
}

static int normalise_agent(struct flash_sim *sim, const struct sim_device *device)
{
    const struct flash_port *port = flash_sim_port(sim);
    const struct flash_area journal_area = {port, device->journal.address, device->journal.size};
    const struct flash_area area = {port, device->progress.address, device->progress.size};
    const struct flash_area slot = {port, device->secondary.address, device->secondary.size};
    uint8_t record[OTA_RING_RECORD_MAX];
    struct ota_journal journal;
    struct ota_progress progress;
    struct ota_record ignored;
    int rc = ota_journal_open(&journal, &journal_area, &ignored);
    if (rc == 0)
        rc = ota_ring_open(&journal.ring, journal.ring.kind, &journal_area, record);
    if (rc == 0)
        rc = normalise(sim, &journal.ring, record, 1);
    if (rc != 0 || area.size == 0)
        return rc;
    rc = ota_progress_open(&progress, &area, &slot);
    if (rc == 0)
        rc = ota_ring_open(&progress.ring, progress.ring.kind, &area, record);
    return rc == 0 ? normalise(sim, &progress.ring, record, 1) : rc;
}

/* Of a twin's halves the newer one counts, whatever the numbers; so it has 2 when they differ. */
static int normalise_store(struct flash_sim *sim, const struct sim_device *device)
{
    const struct flash_port *port = flash_sim_port(sim);
    const struct store_config config = {
        .images = {port, device->secondary.address, device->secondary.size},
        .directory = {port, device->status.address, device->status.size},
        .execution = {port, device->primary.address, device->primary.size},
    };
    struct store store;
    int rc = store_open(&store, &config);
    const struct ota_ring *halves = store.twin.halves;
    const uint32_t last = rc == 0 && halves[0].sequence != halves[1].sequence ? 2 : 1;
    for (unsigned i = 0; rc == 0 && i < 2; i++) {
        uint8_t record[OTA_TWIN_RECORD_MAX];
        struct ota_ring half;
        rc = ota_ring_open(&half, halves[i].kind, &halves[i].area, record);
        if (rc == 0)
            rc = normalise(sim, &half, record, half.sequence == store.twin.sequence ? last : 1);
    }
    return rc;
}

int nb_rings_normalise(struct flash_sim *sim, const struct sim_device *device)
{
    int rc = normalise_agent(sim, device);
    return rc == 0 && device->scheme->store ? normalise_store(sim, device) : rc;
}

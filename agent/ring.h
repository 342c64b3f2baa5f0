/* Records that survive a reset: appended to flash, the newest whole one counts.
 *
 * Each record has its own program unit(s), a sequence number and a checksum. Sectors are used in
 * turn: the next one is erased only when the present one is full, so that a valid record exists at
 * every moment. A torn or unreadable record counts as absent. The area holds at least two erase
 * sectors and is its owner's alone. What is in a record is the owner's (journal.h, progress.h), but
 * for these fields:
 *
 *        0    4 magic                  integers little-endian; each record rounded up to whole
 *        4    4 sequence, from 1;      program units
 *               after 2^32-1 1 again
 *   size-4    4 CRC-32 (IEEE 802.3) of all before it                                           */
#ifndef NOBRICK_AGENT_RING_H
#define NOBRICK_AGENT_RING_H

#include "agent/crc32.h"
#include "agent/flash_area.h"

#define OTA_RING_HEAD       8u /* bytes of magic and sequence: the owner's fields begin here */
#define OTA_RING_TAIL       4u
#define OTA_RING_RECORD_MAX 352u

/* What its owner writes into a ring. */
struct ota_ring_kind {
    uint32_t magic;
    uint32_t size; /* of a record, at most OTA_RING_RECORD_MAX */
    /* A sector takes no more records than this, so that looking for the newest stays short where
     * sectors are large; 0: as many as fit. */
    uint32_t most;
    /* The record, magic and checksum of which are right, is one that the owner understands. */
    bool (*accept)(const uint8_t *record);
};

struct ota_ring {
    const struct ota_ring_kind *kind;
    struct flash_area area;
    uint32_t sequence; /* of the newest record; 0: there is none */
    uint32_t next;     /* offset of the next free record, or area.size when the turn comes first */
    uint32_t turn;     /* offset of the sector that is erased at that turn */
    bool prepared;     /* that sector was erased since the ring was opened */
};

/* Finds the newest record and copies its kind->size bytes to `out`, which stays as it is when there
 * is none (ring->sequence is 0 then). OTA_E_LAYOUT when the area has less than two sectors or a
 * sector has no room for a record. */
OTA_MUST_CHECK int ota_ring_open(struct ota_ring *ring, const struct ota_ring_kind *kind,
                                 const struct flash_area *area, uint8_t *out);

/* Appends `record`, whose magic, sequence and checksum are filled in; durable and read back when
 * this returns 0. On an error the newest record is either the old or the new one, and the next call
 * takes a fresh place. */
OTA_MUST_CHECK int ota_ring_write(struct ota_ring *ring, uint8_t *record);

/* Erases the sector that the next record goes to, when one must be erased: the next write only
 * programs. Since the ring was opened, once a turn. */
OTA_MUST_CHECK int ota_ring_prepare(struct ota_ring *ring);

/* Little-endian integers, as records hold them. */
void ota_put16(uint8_t *at, uint16_t value);
void ota_put32(uint8_t *at, uint32_t value);
uint16_t ota_get16(const uint8_t *at);
uint32_t ota_get32(const uint8_t *at);

#endif

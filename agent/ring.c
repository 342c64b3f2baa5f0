#include "agent/ring.h"

#include <string.h>

#define UNIT_MAX 512u

/* ---- numbers ----------------------------------------------------------------------------- */

/* A row for each place of a half byte among eight bytes: what it leaves of the checksum when the
 * half bytes above it have gone by. Eight bytes at a time, at a size (1 KiB) that a chip can spare.
 */
static const uint32_t nibbles[16][16] = {
    {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
     0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278,
     0xBDBDF21C},
    {0x00000000, 0x77073096, 0xEE0E612C, 0x990951BA, 0x076DC419, 0x706AF48F, 0xE963A535, 0x9E6495A3,
     0x0EDB8832, 0x79DCB8A4, 0xE0D5E91E, 0x97D2D988, 0x09B64C2B, 0x7EB17CBD, 0xE7B82D07,
     0x90BF1D91},
    {0x00000000, 0x4AC21251, 0x958424A2, 0xDF4636F3, 0xF0794F05, 0xBABB5D54, 0x65FD6BA7, 0x2F3F79F6,
     0x3B83984B, 0x71418A1A, 0xAE07BCE9, 0xE4C5AEB8, 0xCBFAD74E, 0x8138C51F, 0x5E7EF3EC,
     0x14BCE1BD},
    {0x00000000, 0x191B3141, 0x32366282, 0x2B2D53C3, 0x646CC504, 0x7D77F445, 0x565AA786, 0x4F4196C7,
     0xC8D98A08, 0xD1C2BB49, 0xFAEFE88A, 0xE3F4D9CB, 0xACB54F0C, 0xB5AE7E4D, 0x9E832D8E,
     0x87981CCF},
    {0x00000000, 0x1C26A370, 0x384D46E0, 0x246BE590, 0x709A8DC0, 0x6CBC2EB0, 0x48D7CB20, 0x54F16850,
     0xE1351B80, 0xFD13B8F0, 0xD9785D60, 0xC55EFE10, 0x91AF9640, 0x8D893530, 0xA9E2D0A0,
     0xB5C473D0},
    {0x00000000, 0x01C26A37, 0x0384D46E, 0x0246BE59, 0x0709A8DC, 0x06CBC2EB, 0x048D7CB2, 0x054F1685,
     0x0E1351B8, 0x0FD13B8F, 0x0D9785D6, 0x0C55EFE1, 0x091AF964, 0x08D89353, 0x0A9E2D0A,
     0x0B5C473D},
    {0x00000000, 0x5019579F, 0xA032AF3E, 0xF02BF8A1, 0x9B14583D, 0xCB0D0FA2, 0x3B26F703, 0x6B3FA09C,
     0xED59B63B, 0xBD40E1A4, 0x4D6B1905, 0x1D724E9A, 0x764DEE06, 0x2654B999, 0xD67F4138,
     0x866616A7},
    {0x00000000, 0xB8BC6765, 0xAA09C88B, 0x12B5AFEE, 0x8F629757, 0x37DEF032, 0x256B5FDC, 0x9DD738B9,
     0xC5B428EF, 0x7D084F8A, 0x6FBDE064, 0xD7018701, 0x4AD6BFB8, 0xF26AD8DD, 0xE0DF7733,
     0x58631056},
    {0x00000000, 0x60E09782, 0xC1C12F04, 0xA121B886, 0x58F35849, 0x3813CFCB, 0x9932774D, 0xF9D2E0CF,
     0xB1E6B092, 0xD1062710, 0x70279F96, 0x10C70814, 0xE915E8DB, 0x89F57F59, 0x28D4C7DF,
     0x4834505D},
    {0x00000000, 0x3D6029B0, 0x7AC05360, 0x47A07AD0, 0xF580A6C0, 0xC8E08F70, 0x8F40F5A0, 0xB220DC10,
     0x30704BC1, 0x0D106271, 0x4AB018A1, 0x77D03111, 0xC5F0ED01, 0xF890C4B1, 0xBF30BE61,
     0x825097D1},
    {0x00000000, 0x03D6029B, 0x07AC0536, 0x047A07AD, 0x0F580A6C, 0x0C8E08F7, 0x08F40F5A, 0x0B220DC1,
     0x1EB014D8, 0x1D661643, 0x191C11EE, 0x1ACA1375, 0x11E81EB4, 0x123E1C2F, 0x16441B82,
     0x15921919},
    {0x00000000, 0xCB5CD3A5, 0x4DC8A10B, 0x869472AE, 0x9B914216, 0x50CD91B3, 0xD659E31D, 0x1D0530B8,
     0xEC53826D, 0x270F51C8, 0xA19B2366, 0x6AC7F0C3, 0x77C2C07B, 0xBC9E13DE, 0x3A0A6170,
     0xF156B2D5},
    {0x00000000, 0x67DE9CCE, 0xCFBD399C, 0xA863A552, 0x440B7579, 0x23D5E9B7, 0x8BB64CE5, 0xEC68D02B,
     0x8816EAF2, 0xEFC8763C, 0x47ABD36E, 0x20754FA0, 0xCC1D9F8B, 0xABC30345, 0x03A0A617,
     0x647E3AD9},
    {0x00000000, 0xA6770BB4, 0x979F1129, 0x31E81A9D, 0xF44F2413, 0x52382FA7, 0x63D0353A, 0xC5A73E8E,
     0x33EF4E67, 0x959845D3, 0xA4705F4E, 0x020754FA, 0xC7A06A74, 0x61D761C0, 0x503F7B5D,
     0xF64870E9},
    {0x00000000, 0x7CBB312B, 0xF9766256, 0x85CD537D, 0x299DC2ED, 0x5526F3C6, 0xD0EBA0BB, 0xAC509190,
     0x533B85DA, 0x2F80B4F1, 0xAA4DE78C, 0xD6F6D6A7, 0x7AA64737, 0x061D761C, 0x83D02561,
     0xFF6B144A},
    {0x00000000, 0xCCAA009E, 0x4225077D, 0x8E8F07E3, 0x844A0EFA, 0x48E00E64, 0xC66F0987, 0x0AC50919,
     0xD3E51BB5, 0x1F4F1B2B, 0x91C01CC8, 0x5D6A1C56, 0x57AF154F, 0x9B0515D1, 0x158A1232,
     0xD92012AC},
};

/* What a word leaves when it is followed by the `row` half bytes that remain. */
static uint32_t pass(uint32_t word, const uint32_t rows[8][16])
{
    return rows[7][word & 15u] ^ rows[6][word >> 4 & 15u] ^ rows[5][word >> 8 & 15u] ^
           rows[4][word >> 12 & 15u] ^ rows[3][word >> 16 & 15u] ^ rows[2][word >> 20 & 15u] ^
           rows[1][word >> 24 & 15u] ^ rows[0][word >> 28];
}

uint32_t ota_crc32(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (; length >= 8; bytes += 8, length -= 8)
        crc = pass(crc ^ ota_get32(bytes), nibbles + 8) ^ pass(ota_get32(bytes + 4), nibbles);
    for (; length > 0; bytes++, length--) {
        crc ^= *bytes;
        crc = crc >> 4 ^ nibbles[0][crc & 15u];
        crc = crc >> 4 ^ nibbles[0][crc & 15u];
    }
    return ~crc;
}

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
    uint8_t back[OTA_RING_RECORD_MAX];
    memcpy(units, raw, ring->kind->size);
    int error = flash_area_program(area, at, units, step);
    if (error == 0)
        error = area->flash->sync(area->flash->context);
    if (error == 0)
        error = flash_area_read(area, at, back, ring->kind->size);
    if (error == 0 && memcmp(back, raw, ring->kind->size) != 0)
        error = OTA_E_FLASH_PROGRAM;
    return error;
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

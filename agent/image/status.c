#include "agent/image/status.h"

#include "agent/ring.h"

#include <string.h>

#define MAGIC  0x5753424Eu /* "NBSW" */
#define SIZE   24u
#define HALVES 2u

enum { AT_REQUEST = 8, AT_TRIAL = 9, AT_SWAP = 10, AT_LARGER_END = 12, AT_STEPS = 16 };
_Static_assert(AT_REQUEST == OTA_RING_HEAD && AT_STEPS + 4 + OTA_RING_TAIL == SIZE,
               "the record is as its table says");

/* ---- one record -------------------------------------------------------------------------- */

static void encode(const struct img_status *status, uint8_t raw[SIZE])
{
    memset(raw, 0, SIZE);
    raw[AT_REQUEST] = (uint8_t)status->request;
    raw[AT_TRIAL] = status->trial;
    raw[AT_SWAP] = (uint8_t)status->swap;
    ota_put32(raw + AT_LARGER_END, status->larger_end);
    ota_put32(raw + AT_STEPS, status->steps);
}

static void decode(const uint8_t raw[SIZE], struct img_status *out)
{
    *out = (struct img_status){
        .request = (enum img_swap_type)raw[AT_REQUEST],
        .trial = raw[AT_TRIAL] != 0,
        .swap = (enum img_swap_type)raw[AT_SWAP],
        .larger_end = ota_get32(raw + AT_LARGER_END),
        .steps = ota_get32(raw + AT_STEPS),
    };
}

static bool accept(const uint8_t *raw)
{
    return raw[AT_REQUEST] >= IMG_SWAP_NONE && raw[AT_REQUEST] <= IMG_SWAP_PERM &&
           raw[AT_TRIAL] <= 1 && raw[AT_SWAP] >= IMG_SWAP_NONE && raw[AT_SWAP] <= IMG_SWAP_REVERT;
}

static const struct ota_ring_kind kind = {
    .magic = MAGIC, .size = SIZE, .most = 16, .accept = accept};

/* ---- both halves ------------------------------------------------------------------------- */

struct halves {
    struct ota_ring rings[HALVES];
    uint32_t sequence; /* the newest; 0: there is none */
    uint8_t newest[SIZE];
};

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
    if (sectors < IMG_STATUS_SECTORS)
        return OTA_E_LAYOUT;
    for (uint32_t i = 0; i < (sectors + 1) / 2; i++) {
        int err = flash_area_sector(area, *at, &sector);
        if (err != 0)
            return err;
        *at = sector.start + sector.size;
    }
    return 0;
}

static int open_halves(const struct flash_area *area, struct halves *out)
{
    uint32_t middle;
    memset(out, 0, sizeof *out);
    int err = split(area, &middle);
    const struct flash_area areas[HALVES] = {
        {area->flash, area->address, middle},
        {area->flash, area->address + middle, area->size - middle},
    };
    for (unsigned i = 0; err == 0 && i < HALVES; i++) {
        uint8_t raw[OTA_RING_RECORD_MAX];
        err = ota_ring_open(&out->rings[i], &kind, &areas[i], raw);
        if (err == 0 && out->rings[i].sequence > out->sequence) {
            out->sequence = out->rings[i].sequence;
            memcpy(out->newest, raw, SIZE);
        }
    }
    return err;
}

static void decode_newest(const struct halves *halves, struct img_status *out)
{
    *out = (struct img_status){.request = IMG_SWAP_NONE, .swap = IMG_SWAP_NONE};
    if (halves->sequence != 0)
        decode(halves->newest, out);
}

static int write_both(struct halves *halves, const struct img_status *status)
{
    uint8_t raw[SIZE];
    int err = 0;
    encode(status, raw);
    for (unsigned i = 0; err == 0 && i < HALVES; i++) {
        halves->rings[i].sequence = halves->sequence; /* the same in both, whatever it missed */
        err = ota_ring_write(&halves->rings[i], raw);
    }
    return err;
}

int img_status_read(const struct flash_area *area, struct img_status *out)
{
    struct halves halves;
    int err = open_halves(area, &halves);
    decode_newest(&halves, out);
    return err;
}

int img_status_write(const struct flash_area *area, const struct img_status *status)
{
    struct halves halves;
    int err = open_halves(area, &halves);
    return err != 0 ? err : write_both(&halves, status);
}

int img_status_mend(const struct flash_area *area)
{
    struct halves halves;
    int err = open_halves(area, &halves);
    for (unsigned i = 0; err == 0 && i < HALVES; i++) {
        if (halves.rings[i].sequence == halves.sequence)
            continue;
        halves.rings[i].sequence = halves.sequence - 1;
        err = ota_ring_write(&halves.rings[i], halves.newest);
    }
    return err;
}

int img_status_ask(const struct flash_area *area, enum img_swap_type request)
{
    struct halves halves;
    struct img_status status;
    int err = open_halves(area, &halves);
    decode_newest(&halves, &status);
    if (err != 0 || status.request == request)
        return err;
    status.request = request;
    return write_both(&halves, &status);
}

int img_status_confirm(const struct flash_area *area)
{
    struct halves halves;
    struct img_status status;
    int err = open_halves(area, &halves);
    decode_newest(&halves, &status);
    if (err != 0 || !status.trial)
        return err;
    status.trial = false;
    return write_both(&halves, &status);
}

#include "agent/image/status.h"

#include <string.h>

#define MAGIC  0x5753424Eu /* "NBSW" */
#define SIZE   IMG_STATUS_RECORD
#define HALVES 2u

enum {
    AT_REQUEST = 8,
    AT_TRIAL = 9,
    AT_SWAP = 10,
    AT_LARGER_END = 12,
    AT_STEPS = 16,
    AT_ZEROS = 20
};
_Static_assert(AT_REQUEST == OTA_RING_HEAD && AT_ZEROS + 8 + OTA_RING_TAIL == SIZE,
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

/* Numbers wrap, as the rings' do; 0 stands for no record. */
static bool is_later(uint32_t sequence, uint32_t than)
{
    return sequence != 0 && (than == 0 || sequence - than - 1 < UINT32_MAX / 2);
}

int img_status_open(const struct flash_area *area, struct img_status_log *out)
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
        err = ota_ring_open(&out->halves[i], &kind, &areas[i], raw);
        if (err == 0 && is_later(out->halves[i].sequence, out->sequence)) {
            out->sequence = out->halves[i].sequence;
            memcpy(out->newest, raw, SIZE);
        }
    }
    return err;
}

void img_status_get(const struct img_status_log *log, struct img_status *out)
{
    *out = (struct img_status){.request = IMG_SWAP_NONE, .swap = IMG_SWAP_NONE};
    if (log->sequence != 0)
        decode(log->newest, out);
}

int img_status_read(const struct flash_area *area, struct img_status *out)
{
    struct img_status_log log;
    int err = img_status_open(area, &log);
    img_status_get(&log, out);
    return err;
}

int img_status_prepare(struct img_status_log *log)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        err = ota_ring_prepare(&log->halves[i]);
    return err;
}

/* One half; the sequence number is the same in both, whatever a half missed. */
static int write_half(struct ota_ring *half, uint32_t sequence, uint8_t raw[SIZE])
{
    half->sequence = sequence - 1;
    return ota_ring_write(half, raw);
}

int img_status_put(struct img_status_log *log, const struct img_status *status)
{
    int err = 0;
    encode(status, log->newest);
    log->sequence = log->sequence < UINT32_MAX ? log->sequence + 1 : 1;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        err = write_half(&log->halves[i], log->sequence, log->newest);
    return err;
}

int img_status_mend(struct img_status_log *log)
{
    int err = 0;
    for (unsigned i = 0; err == 0 && i < HALVES; i++)
        if (log->halves[i].sequence != log->sequence)
            err = write_half(&log->halves[i], log->sequence, log->newest);
    return err;
}

int img_status_settle(const struct flash_area *area, struct img_status *out)
{
    struct img_status_log log;
    int err = img_status_open(area, &log);
    for (int i = 1; err == 0 && i < IMG_STATUS_READS; i++) {
        struct img_status_log again;
        err = img_status_open(area, &again);
        if (err == 0 && is_later(again.sequence, log.sequence))
            log = again;
    }
    img_status_get(&log, out);
    int mended = err == 0 ? img_status_mend(&log) : 0;
    (void)mended; /* the newest record is enough to go on with */
    return err;
}

int img_status_ask(const struct flash_area *area, enum img_swap_type request)
{
    struct img_status_log log;
    struct img_status status;
    int err = img_status_open(area, &log);
    img_status_get(&log, &status);
    if (err != 0 || status.request == request)
        return err;
    status.request = request;
    return img_status_put(&log, &status);
}

/* Asks for it, unless something is asked for already. */
static int pend(const struct flash_area *area, enum img_swap_type request)
{
    struct img_status status;
    int err = img_status_read(area, &status);
    return err == 0 && status.request != IMG_SWAP_NONE ? 0 : img_status_ask(area, request);
}

int img_status_confirm(const struct flash_area *area)
{
    struct img_status_log log;
    struct img_status status;
    int err = img_status_open(area, &log);
    img_status_get(&log, &status);
    if (err != 0 || !status.trial)
        return err;
    status.trial = false;
    return img_status_put(&log, &status);
}

const struct img_in_status img_in_status = {img_status_read, pend, img_status_ask,
                                            img_status_confirm};

#include "agent/image/status.h"

#include <string.h>

#define MAGIC 0x5753424Eu /* "NBSW" */
#define SIZE  IMG_STATUS_RECORD

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

int img_status_open(const struct flash_area *area, struct ota_twin *out)
{
    return ota_twin_open(out, &kind, area);
}

void img_status_get(const struct ota_twin *log, struct img_status *out)
{
    *out = (struct img_status){.request = IMG_SWAP_NONE, .swap = IMG_SWAP_NONE};
    if (log->sequence != 0)
        decode(log->newest, out);
}

int img_status_read(const struct flash_area *area, struct img_status *out)
{
    struct ota_twin log;
    int err = img_status_open(area, &log);
    img_status_get(&log, out);
    return err;
}

int img_status_put(struct ota_twin *log, const struct img_status *status)
{
    encode(status, log->newest);
    return ota_twin_put(log);
}

int img_status_settle(const struct flash_area *area, struct img_status *out)
{
    struct ota_twin log;
    int err = ota_twin_settle(&log, &kind, area);
    img_status_get(&log, out);
    return err;
}

int img_status_ask(const struct flash_area *area, enum img_swap_type request)
{
    struct ota_twin log;
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
    struct ota_twin log;
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

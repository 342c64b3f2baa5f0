/* Status records: where a device without trailers keeps what is asked of its loader, whether the
 * running image is on trial, and how far a swap has come.
 *
 * For parts that program whole rows: a flag there costs a row and its erase, so everything that
 * changes together is one record. The format is nobrick's own; the status area is a twin
 * (agent/twin.h).
 *
 *   0   4  magic, "NBSW"              integers little-endian
 *   4   4  sequence number, from 1
 *   8   1  request      enum img_swap_type: 1 nothing is asked for, 2 TEST, 3 PERM
 *   9   1  trial        1: the running image goes back unless it confirms; 0: it stays
 *  10   1  swap         enum img_swap_type of the swap under way: 1 none, 2, 3, 4 REVERT
 *  11   1  0
 *  12   4  larger_end   of the swap under way: end of the larger image, in bytes; else 0
 *  16   4  steps        of the swap under way: steps that are done; else 0
 *  20   8  0: a record divides a page, and so is one program everywhere
 *  28   4  CRC-32 (IEEE 802.3) of all before it
 *
 * No record at all means: nothing asked for, no trial, no swap. */
#ifndef NOBRICK_AGENT_IMAGE_STATUS_H
#define NOBRICK_AGENT_IMAGE_STATUS_H

#include "agent/image/trailer.h"
#include "agent/twin.h"

#define IMG_STATUS_SECTORS OTA_TWIN_SECTORS

struct img_status {
    enum img_swap_type request;
    bool trial;
    enum img_swap_type swap;
    uint32_t larger_end;
    uint32_t steps;
};

#define IMG_STATUS_RECORD 32u

/* Finds the newest record. OTA_E_LAYOUT: the area has less than four sectors. */
OTA_MUST_CHECK int img_status_open(const struct flash_area *area, struct ota_twin *out);

/* What the newest record says. */
void img_status_get(const struct ota_twin *log, struct img_status *out);

/* Both at once. */
OTA_MUST_CHECK int img_status_read(const struct flash_area *area, struct img_status *out);

/* As ota_twin_put. */
OTA_MUST_CHECK int img_status_put(struct ota_twin *log, const struct img_status *status);

/* As ota_twin_settle. */
OTA_MUST_CHECK int img_status_settle(const struct flash_area *area, struct img_status *out);

/* Changes the request, or ends the trial, and leaves the rest; writes nothing that stands already.
 */
OTA_MUST_CHECK int img_status_ask(const struct flash_area *area, enum img_swap_type request);
OTA_MUST_CHECK int img_status_confirm(const struct flash_area *area);

/* What the application's calls of trailer.h do where state is kept here: a device names it in its
 * format, and one with trailers does not link it. */
struct img_in_status {
    int (*read)(const struct flash_area *area, struct img_status *out);
    int (*pend)(const struct flash_area *area, enum img_swap_type request);
    int (*ask)(const struct flash_area *area, enum img_swap_type request);
    int (*confirm)(const struct flash_area *area);
};

extern const struct img_in_status img_in_status;

#endif

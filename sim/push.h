/* A host that pushes an image to a device piece by piece, as over a serial line or Bluetooth, and
 * the device's side of it on top of agent/update/push.h.
 *
 * The stages are those of AnyCloud's control point: PREPARE, DOWNLOAD with a size, the data, VERIFY
 * with a CRC-32 (the device then asks for installation), and ABORT at any time. The event lines are
 * those of a session where they mean the same: "state prepare", "progress 500 65719", "reject
 * bad-checksum", "pending 2.0.0", "idle cancelled". */
#ifndef NOBRICK_SIM_PUSH_H
#define NOBRICK_SIM_PUSH_H

#include "agent/update/push.h"
#include "sim/device.h"

#define SIM_PUSH_PIECE 500u /* bytes of a piece, unless the plan says otherwise */

enum sim_push_abort {
    SIM_ABORT_NEVER,
    SIM_ABORT_PREPARED, /* once the slot is erased */
    SIM_ABORT_WRITTEN,  /* when half of the image was written */
    SIM_ABORT_VERIFIED,
    SIM_ABORT_PENDING, /* when the loader was asked already */
};

struct sim_push_plan {
    const uint8_t *image;
    uint32_t size;
    uint32_t piece; /* 0: SIM_PUSH_PIECE */
    bool wrong_crc;
    bool insists; /* asks for installation although the image was refused */
    enum sim_push_abort abort;
};

/* The push interface of that device; the running image is what it pushes from. `progress` (may be
 * NULL) is opened on the device's area. */
OTA_MUST_CHECK int sim_push_init(struct ota_push *push, const struct sim_device *device,
                                 const struct boot_config *boot, bool permanent,
                                 struct ota_progress *progress);

/* Plays the plan. 0: pending, or aborted as planned; OTA_E_POWER: the power was cut; else why the
 * device refused, which an event has said. `code` is what the line's word stands for, if it has
 * one. */
OTA_MUST_CHECK int sim_push(struct ota_push *push, const struct sim_push_plan *plan,
                            void (*event)(void *context, const char *line, int code),
                            void *context);

#endif

/* Slots as a programmer leaves them: what the engines put down while no device runs. */
#ifndef NOBRICK_HARNESS_RUN_SLOT_H
#define NOBRICK_HARNESS_RUN_SLOT_H

#include "sim/device.h"

/* The value that the slot's flash erases to. */
OTA_MUST_CHECK int nb_slot_erased(struct flash_sim *sim, const struct sim_region *slot,
                                  uint8_t *out);

/* Fills the whole slot: `size` bytes, and the erased value behind them. OTA_E_IMG_SIZE when they do
 * not fit. */
OTA_MUST_CHECK int nb_slot_fill(struct flash_sim *sim, const struct sim_region *slot,
                                const uint8_t *bytes, uint32_t size);

/* What a trailer in the slot would say went with its content; where it stands in a status area, it
 * is forgotten there: the request for slot 1, the trial of slot 0. */
OTA_MUST_CHECK int nb_slot_forget(struct flash_sim *sim, const struct sim_device *device,
                                  unsigned slot);

/* Offset in the slot of what a step names, counted from its end when `from_end`.
 * OTA_E_FLASH_BOUNDS when it lies outside. */
OTA_MUST_CHECK int nb_slot_offset(const struct sim_region *slot, uint32_t value, bool from_end,
                                  uint32_t *out);

#endif

/* The flash driver: NOR chips mapped at BOARD_FLASH, programmed and erased by plain stores.
 *
 * It keeps the rules of the parts, as its settings describe them: whole aligned units, inside a
 * page and a sector, bits away from the erased value only, a write-once unit only when it reads
 * erased; what they forbid is an error and changes nothing. Stores ascend, a word at a time where
 * they can. `device` must outlive the driver. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_FLASH_H
#define NOBRICK_SIM_CORTEXM_GUEST_FLASH_H

#include "sim/device.h"

void guest_flash_init(struct flash_port *out, const struct sim_device *device);

#endif

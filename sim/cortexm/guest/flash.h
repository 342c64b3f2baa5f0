/* The flash driver: NOR chips mapped at BOARD_FLASH, programmed and erased by plain stores.
 *
 * It keeps the rules of the parts, as its settings describe them: whole aligned units, inside a
 * page and a sector, bits away from the erased value only, a write-once unit only when it reads
 * erased; what they forbid is an error and changes nothing. Stores ascend, a word at a time where
 * they can, and the doorbell is rung after each operation. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_FLASH_H
#define NOBRICK_SIM_CORTEXM_GUEST_FLASH_H

#include "sim/device.h"

struct guest_flash {
    struct flash_port port;
    const struct sim_device *device;
    uint32_t marks;
};

/* `device` must outlive the driver. At `marks` in the flash window, behind the chips, stands what
 * cannot be read, as a chip would answer with an error: how many ranges, and address and length of
 * each, in words; and 4092 bytes behind that, after an operation, a word that is not 0 when it has
 * failed, as a chip's status would say. 0: all can be read, and nothing fails. */
void guest_flash_init(struct guest_flash *flash, const struct sim_device *device, uint32_t marks);

#endif

/* Flash that fails: one program or erase, named by its number, does not do what it should;
 * everything else passes through to the simulator. The caller owns the struct and keeps the
 * simulator open. */
#ifndef NOBRICK_FLASHSIM_FAILING_H
#define NOBRICK_FLASHSIM_FAILING_H

#include "flashsim/flashsim.h"

enum flash_failure {
    FLASH_FAIL_ERROR,   /* an error is returned, nothing changes */
    FLASH_FAIL_SILENT,  /* no error, nothing changes */
    FLASH_FAIL_PARTIAL, /* no error; a program's first half lands, in whole units; of an erase
                         * nothing */
};

struct flash_failing {
    struct flash_port port; /* for the device; its context is this struct */
    struct flash_sim *sim;
    uint32_t operation; /* fails instead of being the operation with this index (flash_op) */
    enum flash_failure failure;
    bool armed;
    bool fired; /* since it was armed */
};

/* Not armed yet. */
void flash_failing_init(struct flash_failing *failing, struct flash_sim *sim);
/* Once. An error is OTA_E_FLASH_PROGRAM or OTA_E_FLASH_ERASE. */
void flash_failing_arm(struct flash_failing *failing, uint32_t operation,
                       enum flash_failure failure);
void flash_failing_disarm(struct flash_failing *failing);

#endif

/* The plugin's part of QEMU's command line: who watches the board's flash, and when the power goes.
 */
#ifndef NOBRICK_SIM_CORTEXM_HOST_WATCH_H
#define NOBRICK_SIM_CORTEXM_HOST_WATCH_H

#include "flashsim/failing.h"
#include "flashsim/flashsim.h"
#include "sim/device.h"

#define CORTEXM_WATCH_SIZE 2048
#define CORTEXM_MARKS      0xFFF000u /* where the driver finds what cannot be read */

struct cortexm_watch {
    const char *plugin;    /* the shared object */
    const char *flash;     /* the flash file */
    const char *parts_dir; /* where part files lie */
    const struct sim_device *device;
    const char *journal; /* file to which operations are appended; NULL: none */
    bool rings;          /* the board's driver does: not so in somebody else's firmware */
    bool is_cut;         /* in operation cut_operation … */
    uint32_t cut_operation;
    enum flash_tear cut_tear; /* … like this */
    bool is_fail;             /* fail_operation fails … */
    uint32_t fail_operation;
    enum flash_failure failure; /* … like this */
};

/* How large a device's flash is, all chips. */
uint32_t cortexm_flash_end(const struct sim_device *device);

/* Is there room behind the chips for what cannot be read? */
bool cortexm_has_marks(const struct sim_device *device);

/* Writes "FILE.so,key=value,…" for cortexm_board_config.plugin: events go to QEMU's standard
 * output, between the board's own lines. OTA_E_NO_SPACE when it does not fit. */
OTA_MUST_CHECK int cortexm_watch_words(const struct cortexm_watch *watch,
                                       char out[CORTEXM_WATCH_SIZE]);

#endif

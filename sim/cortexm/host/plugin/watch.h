/* Watches the stores of a guest into its flash window: a shadow of the flash, the operations that
 * the stores amount to, the part's rules, and the power cut.
 *
 * The guest programs and erases by plain stores into memory that it shares with us. The shadow is a
 * simulator of the same chips; it holds what the flash held when the last operation was over.
 * Stores that follow each other address by address are a run. A run that ends is an operation,
 * which the shadow is asked to do: it refuses what the part forbids, numbers it for the journal,
 * and tears it when it is to be cut. How a run ends, and what it was, is in README.md.
 *
 * The caller owns all that it fills in. Addresses are the device's. Nothing here fails but by a
 * verdict; after one other than PLUGIN_GOES_ON the guest must not run on. */
#ifndef NOBRICK_SIM_CORTEXM_PLUGIN_WATCH_H
#define NOBRICK_SIM_CORTEXM_PLUGIN_WATCH_H

#include "sim/cortexm/host/plugin/options.h"
#include "sim/device_flash.h"

enum plugin_verdict {
    PLUGIN_GOES_ON,
    PLUGIN_POWER_OFF, /* the power was cut: the window holds what is left */
    PLUGIN_VIOLATION, /* the guest did what its flash forbids */
    PLUGIN_FAILED,    /* the shadow's memory or files failed us */
};

#define PLUGIN_VIOLATION_EXIT 10 /* of QEMU; a cut has SIM_CUT_EXIT */
#define PLUGIN_FAILED_EXIT    11

/* What cannot be read, for the guest's driver, when `marks` is given: at that offset of the window,
 * in words of 32 bits of the guest's byte order,
 *
 *     offset  what
 *     0       how many ranges there are
 *     4       address of the first, in the device
 *     8       its length in bytes
 *     12      address of the second, and so on
 *     4092    1: the operation that was rung for last has failed; else 0 */
#define PLUGIN_MAX_MARKS ((PLUGIN_MARKS_SIZE - 8) / 8)
#define PLUGIN_STATUS    (PLUGIN_MARKS_SIZE - 4)

/* What the flash driver says of the stores that it has just made. */
enum plugin_ring { PLUGIN_RING_PROGRAM, PLUGIN_RING_ERASE };

#define PLUGIN_MAX_STORE 16u /* bytes of one */

/* Stores that follow each other, and that the shadow does not have yet. */
struct plugin_run {
    uint32_t from;
    uint32_t program_from; /* where it begins if it turns out to be a program */
    uint32_t to;           /* from == to: there is none */
    uint32_t pc;           /* of the last of them */
    bool fill;             /* it began at a sector's start: may be an erase */
    bool blank;            /* all of them stored the erased value */
    bool changed;          /* one of them changed something */
};

struct plugin_watch {
    /* the caller's */
    struct flash_sim *shadow;
    uint8_t *window; /* what the guest changes, mapped; as long as the chips, or with marks whole */
    const struct plugin_options *options;
    void (*journal)(void *context, const char *line);
    void (*event)(void *context, const char *line);
    void *context;
    /* its own */
    struct sim_device_flash flash;
    struct flash_failing failing; /* between that and the shadow */
    struct plugin_run run;
    uint32_t operations;
    uint64_t stores;
    bool is_off;
    bool cut_came;
};

/* Window and shadow hold the same. */
void plugin_watch_begin(struct plugin_watch *watch);

/* The guest has stored `length` bytes at `address`, which may lie outside the chips. */
enum plugin_verdict plugin_watch_store(struct plugin_watch *watch, uint32_t address,
                                       uint32_t length, uint32_t pc);
/* The guest's driver has rung: a whole operation of that kind is over. */
enum plugin_verdict plugin_watch_ring(struct plugin_watch *watch, enum plugin_ring ring);
/* The guest has stored to a register of some device. */
enum plugin_verdict plugin_watch_register(struct plugin_watch *watch);
/* The guest was reset: an operation that was going on stays torn. */
enum plugin_verdict plugin_watch_reset(struct plugin_watch *watch);
/* The guest's machine ends. Tells of a cut or an error that never came. */
enum plugin_verdict plugin_watch_end(struct plugin_watch *watch);

#endif

/* The flash of a simulated device, as its software sees it, in any world: the simulator's port, and
 * around it what the world tells of it: a journal line for each operation, violations of the
 * part's rules, and the power cut, after which nothing of this device runs.
 *
 * The caller owns the struct, fills in its first part, and keeps the simulator open as long as the
 * port is used. The simulator's observer is taken. */
#ifndef NOBRICK_SIM_DEVICE_FLASH_H
#define NOBRICK_SIM_DEVICE_FLASH_H

#include "flashsim/flashsim.h"

struct sim_device_flash {
    /* the caller's */
    struct flash_sim *sim;
    const struct flash_port *inner; /* whom the port asks; NULL: the simulator's own */
    uint32_t *operations;           /* how many there were before: the number of the next one */
    /* How the operation of that number is to be cut; NULL: never. */
    enum flash_tear (*cut)(void *context, const struct flash_op *op, uint32_t number);
    void (*journal)(void *context, const char *line); /* without newline; NULL: not wanted */
    void (*event)(void *context, const char *line, int code);
    /* The power went, and the lines that tell it were said: must not return. */
    void (*power_off)(void *context);
    void *context;
    /* its own */
    struct flash_port port;
    uint32_t first_operation; /* number of the operation with index 0 */
    uint32_t cut_number;      /* the latest that was to be cut, and how */
    enum flash_tear cut_tear;
    uint64_t violations; /* told so far */
    bool misfit_told;
};

void sim_device_flash_init(struct sim_device_flash *flash);

/* The journal's line of an operation, the same in every world, so that journals compare:
 * "NUMBER erase 0xADDRESS LENGTH" or "NUMBER program 0xADDRESS LENGTH HASH", HASH being the 32-bit
 * FNV-1a of its bytes in eight hexadecimal digits. */
#define SIM_JOURNAL_LINE 64
void sim_journal_line(const struct flash_op *op, uint32_t number, char out[SIM_JOURNAL_LINE]);

/* A hash over lines so far (0: none yet) and one more: equal journals, equal hashes. */
uint64_t sim_journal_hash(uint64_t hash, const char *line);

#endif

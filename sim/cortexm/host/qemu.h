/* The board in QEMU: builds the command line, starts it on pipes, and sees to it that it ends with
 * whoever started it.
 *
 * A started board writes its event lines to `out` (a descriptor to be read) and takes an operator's
 * commands (`check`, `stop`, a line each) from `in`. It ends by itself with the device's exit code,
 * after "exit N"; whoever kills it cuts the device's power. Descriptors and process are the
 * caller's until cortexm_board_end. */
#ifndef NOBRICK_SIM_CORTEXM_HOST_QEMU_H
#define NOBRICK_SIM_CORTEXM_HOST_QEMU_H

#include "agent/ports.h"

#include <sys/types.h>

#define CORTEXM_FLASH_SIZE 0x1000000u  /* QEMU takes a file of this size and no other */
#define CORTEXM_DOORBELL   0x200FFFF0u /* where the board's flash driver rings (BOARD_DOORBELL) */

struct cortexm_board_config {
    const char *programs;    /* directory with loader-SCHEME.elf and platform.elf */
    const char *scheme;      /* which loader … */
    bool rsa;                /* … and may keys be RSA: a larger one */
    const char *loader;      /* somebody else's ELF, which brings all it needs; NULL: ours */
    const char *flash;       /* the flash file, CORTEXM_FLASH_SIZE bytes */
    const char *settings;    /* see settings.h; only for ours */
    const char *entry;       /* a file with stack and start of an application that is up already,
                              * so that no loader runs (cortexm_program_entry); NULL: it does */
    const char *image;       /* a file for its RAM, to be downloaded from there; NULL: none */
    const char *log;         /* file to which the board's log and QEMU's own words are appended */
    const char *plugin;      /* "FILE.so,key=value" for -plugin; NULL: none */
    const char *const *more; /* further arguments, NULL-terminated; NULL: none (no network) */
};

/* For `more`: QEMU's user network. The board gets its address by DHCP; its gateway, and to the
 * board also localhost, is this machine's 127.0.0.1. */
extern const char *const cortexm_user_network[];

struct cortexm_board {
    pid_t pid;
    int in;
    int out;
};

/* The directory of the board's programs: $NOBRICK_CORTEXM, or `cortexm` beside the program that
 * runs, or beside one of the two directories above. False: there is none with programs in it. */
bool cortexm_programs(char *out, size_t size);

/* The plugin that watches its flash lies beside that directory. False: it is not there. */
bool cortexm_plugin(char *out, size_t size);

/* Why this machine cannot run the board, in words; NULL: it can. Static. $NOBRICK_BOARD chooses
 * among the boards that there are: mps2-an385 (a Cortex-M3, where it says nothing), mps2-an386 (a
 * Cortex-M4). */
const char *cortexm_missing(void);

/* Where cortexm_missing() is NULL. OTA_E_IO with errno set. A QEMU that does not come up ends, with
 * its words in the log. */
OTA_MUST_CHECK int cortexm_board_start(const struct cortexm_board_config *config,
                                       struct cortexm_board *out);

/* Waits for its end at most `ms`, then kills it. Its exit code, 128 + signal when killed. Closes
 * the descriptors. */
int cortexm_board_end(struct cortexm_board *board, uint32_t ms);

/* The flash file of a device has its chips' size: makes it CORTEXM_FLASH_SIZE for QEMU, and later
 * `size` again. OTA_E_IO with errno set. */
OTA_MUST_CHECK int cortexm_flash_widen(const char *path);
OTA_MUST_CHECK int cortexm_flash_narrow(const char *path, uint32_t size);

#endif

/* The plugin's arguments, as QEMU hands them over: key=value, between commas on its command line.
 *
 *     flash=FILE            the file that QEMU maps as the guest's flash, with its .state; needed
 *     parts=DIR             where part files lie; before the first part
 *     part=NAME[:SIZE]      the next chip of the device, cut to SIZE bytes; needed, up to 4
 *     base=ADDRESS          of the window; 0x21000000 when not given
 *     fixed=ADDRESS:SIZE    bytes of the device that the guest may not change; up to 4
 *     doorbell=ADDRESS      where the guest's flash driver rings after each operation
 *     marks=OFFSET          in the window, behind the chips: where the guest is told what cannot be
 *                           read; a multiple of 4096
 *     first=NUMBER          of the first operation; 0 when not given
 *     cut=store:NUMBER      the power goes before the store of that number (0: the first)
 *     cut=op:NUMBER:TEAR    the power goes in that operation; tears as flashsim names them
 *     fail=NUMBER:KIND      that operation fails: error, silent or partial; needs doorbell and
 * marks journal=FILE          operations are appended, a line each events=FILE           what is to
 * be told is appended, a line each; else standard error
 *
 * Numbers are decimal, or hexadecimal after 0x. Texts point into what was parsed. */
#ifndef NOBRICK_SIM_CORTEXM_PLUGIN_OPTIONS_H
#define NOBRICK_SIM_CORTEXM_PLUGIN_OPTIONS_H

#include "flashsim/failing.h"
#include "flashsim/flashsim.h"

#define PLUGIN_MAX_FIXED   4
#define PLUGIN_WINDOW_BASE 0x21000000u
#define PLUGIN_WINDOW_SIZE 0x1000000u /* QEMU takes a file of this size and no other */

#define PLUGIN_MARKS_SIZE 4096u

enum plugin_cut { PLUGIN_CUT_NEVER, PLUGIN_CUT_STORE, PLUGIN_CUT_OPERATION };

struct plugin_range {
    uint32_t address;
    uint32_t size;
};

struct plugin_options {
    const char *flash;
    const char *parts;
    const char *journal;
    const char *events;
    struct flash_chip chips[FLASH_MAX_CHIPS];
    size_t chip_count;
    struct plugin_range fixed[PLUGIN_MAX_FIXED];
    size_t fixed_count;
    uint32_t base;
    uint32_t first;
    bool has_doorbell;
    uint32_t doorbell;
    uint32_t marks; /* 0: none */
    enum plugin_cut cut;
    uint32_t cut_number;
    enum flash_tear cut_tear;
    bool fails;
    uint32_t fail_number;
    enum flash_failure failure;
};

/* 0; or OTA_E_ARGUMENT, and `why` says in one line what is wrong with which argument. */
OTA_MUST_CHECK int plugin_options_parse(struct plugin_options *options, int count,
                                        char *const *arguments, char *why, size_t size);

#endif

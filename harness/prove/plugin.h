/* Your bootloader, for `nobrick prove --plugin`: the one entry point, and the flash that it gets.
 *
 * Build your bootloader as a shared object that defines the two symbols at the end of this file:
 *
 *     cc -shared -fPIC -g -I DIRECTORY_OF_THIS_FILE -o myboot.so myboot.c
 *
 * nobrick calls nobrick_boot once for each state of the flash that power cuts can reach, in one
 * process. Before each call all static variables of the shared object have the values that they had
 * when it was loaded, as after a reset of the device. A power cut does not return: the call that is
 * cut never comes back. The same flash must give the same boot: no clock, no chance, no files.
 *
 * This file needs nothing else of nobrick. It may be copied into your sources. */
#ifndef NOBRICK_PLUGIN_H
#define NOBRICK_PLUGIN_H

#include <stdint.h>

/* Of this file. It changes when a plugin must be built anew. */
#define NOBRICK_PLUGIN_VERSION 1u

/* Returned by nobrick_boot when there is nothing that it could start. */
#define NOBRICK_NOTHING 0xFFFFFFFFu

struct nobrick_area { /* a line `area` of the device file, in its order */
    const char *name;
    uint32_t address; /* in the device's flash: its parts one after another */
    uint32_t size;
};

struct nobrick_sector {
    uint32_t start; /* address of its first byte */
    uint32_t size;  /* bytes that are erased together */
    uint32_t unit;  /* a program writes whole units, and starts at one */
    uint32_t page;  /* a program may not cross a multiple of this; 0: no limit */
    uint8_t erased; /* value of an erased byte: 0xFF or 0x00 */
};

/* `context` is nobrick's and comes first in every call. The calls return 0, or a negative number
 * when a unit cannot be read any more (after a torn write, on parts with ECC). What the part
 * forbids (to program what is not erased, parts of units, outside the areas) does not return: it
 * ends the boot and is a finding. */
struct nobrick_flash {
    void *context;
    int (*read)(void *context, uint32_t address, void *data, uint32_t length);
    int (*program)(void *context, uint32_t address, const void *data, uint32_t length);
    int (*erase)(void *context, uint32_t address); /* the sector that starts there */
    int (*sector)(void *context, uint32_t address, struct nobrick_sector *out);
    const struct nobrick_area *areas;
    uint32_t area_count;
};

/* Your plugin has this line:
 *     const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION; */
extern const uint32_t nobrick_plugin_version;

/* Your bootloader from reset until it jumps: does to the flash what it has to do, and returns the
 * address of the first byte of the image that it would start, or NOBRICK_NOTHING. */
uint32_t nobrick_boot(const struct nobrick_flash *flash);

#endif

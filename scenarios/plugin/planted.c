/* A bootloader with mistakes, to see what nobrick says of them: the first byte of the area `mistake`
 * says which one. Without one it is sound: it installs slot 1 when the flags ask for it.
 *
 *   cc -shared -fPIC -g -I harness/prove -o planted.so scenarios/plugin/planted.c
 *   nobrick prove --plugin planted.so --device scenarios/plugin/planted.device */
#include "plugin.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MISTAKE, SLOT0, SLOT1, FLAGS }; /* areas, in the order of the device file */
enum { REQUEST = 0, BEGUN = 64, DONE = 128 }; /* offsets of flags: words that are not erased */

enum mistake {
    NONE,
    TWO_CUTS, /* an installation that goes on forgets its request for a moment */
    TORN,     /* a record of two words is believed when the first one is there */
    ABORTS,   /* these happen when an installation goes on after a cut: */
    CRASHES,
    DIVIDES,
    RECURSES,
    LOOPS,
    ERASES_FOR_EVER,
    SLEEPS,
    EXITS,
    NOT_ERASED, /* what the flash forbids */
    UNALIGNED,
    OUTSIDE,
    READ_ONLY,
    READS_OUTSIDE,
    BAD_POINTER,
    OTHER_IMAGE,  /* it starts what is no image */
    LOST_REQUEST, /* it believes that it had finished */
    NO_REST       /* every boot writes */
};

const uint32_t nobrick_plugin_version = NOBRICK_PLUGIN_VERSION;

static const struct nobrick_flash *flash;
static uint8_t page[256];
/* Both would be wrong in the second boot, if they were not set back. */
static unsigned installations_left = 1;
static bool installed;

static uint32_t at(int area, uint32_t offset)
{
    return flash->areas[area].address + offset;
}

static uint32_t word(int area, uint32_t offset)
{
    uint32_t value = 0xFFFFFFFF;
    return flash->read(flash->context, at(area, offset), &value, sizeof value) == 0 ? value : 0;
}

static void set_flag(uint32_t offset)
{
    static const uint32_t set = 0x51455224;
    flash->program(flash->context, at(FLAGS, offset), &set, sizeof set);
}

static bool is_image(int slot)
{
    uint32_t size = word(slot, 4), crc = 0xFFFFFFFF;
    if (word(slot, 0) != 0x4D49424E || size < 16 || size > flash->areas[slot].size)
        return false;
    for (uint32_t i = 0; i < size; i++) {
        if (i % sizeof page == 0 &&
            flash->read(flash->context, at(slot, i), page, sizeof page) != 0)
            return false;
        crc ^= page[i % sizeof page];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return crc == 0xDEBB20E3;
}

static void copy(void)
{
    const uint32_t size = flash->areas[SLOT0].size, sector = 4096;
    for (uint32_t i = 0; i < size; i += sector)
        flash->erase(flash->context, at(SLOT0, i));
    for (uint32_t i = 0; i < size; i += sizeof page) {
        flash->read(flash->context, at(SLOT1, i), page, sizeof page);
        flash->program(flash->context, at(SLOT0, i), page, sizeof page);
    }
}

/* Notes that slot 0 is complete, and how large it is. */
static void set_done(void)
{
    const uint32_t record[2] = {0x454E4F44, flash->areas[SLOT0].size};
    flash->program(flash->context, at(FLAGS, DONE), record, sizeof record);
}

static unsigned deeper(volatile unsigned *depth)
{
    volatile unsigned here = *depth + 1;
    return here == 0 ? 0 : deeper(&here) + here;
}

static void go_on(enum mistake mistake)
{
    volatile unsigned zero = 0;
    switch (mistake) {
    case TWO_CUTS:
        flash->erase(flash->context, at(FLAGS, 0));
        set_flag(REQUEST);
        break;
    case ABORTS:
        assert(!"the installation goes on");
        break;
    case CRASHES:
        *(volatile uint32_t *)0 = 1;
        break;
    case DIVIDES:
        zero = 7 / zero;
        break;
    case RECURSES:
        zero = deeper(&zero);
        break;
    case LOOPS:
        while (zero == 0)
            ;
        break;
    case ERASES_FOR_EVER:
        for (;;)
            flash->erase(flash->context, at(SLOT0, 0));
    case SLEEPS:
        for (;;)
            pause();
    case EXITS:
        exit(3);
    case NOT_ERASED:
        flash->program(flash->context, at(FLAGS, REQUEST), "\377\377\377\377", 4);
        break;
    case UNALIGNED:
        flash->program(flash->context, at(FLAGS, 129), "\0\0\0\0", 4);
        break;
    case OUTSIDE:
        flash->erase(flash->context, at(FLAGS, flash->areas[FLAGS].size));
        break;
    case READ_ONLY:
        flash->erase(flash->context, at(MISTAKE, 0));
        break;
    case READS_OUTSIDE:
        flash->read(flash->context, at(FLAGS, flash->areas[FLAGS].size), page, 1);
        break;
    case BAD_POINTER:
        flash->read(flash->context, at(FLAGS, 0), (void *)8, 4);
        break;
    case LOST_REQUEST:
        flash->erase(flash->context, at(FLAGS, 0));
        break;
    default:
        break;
    }
}

uint32_t nobrick_boot(const struct nobrick_flash *device_flash)
{
    flash = device_flash;
    enum mistake mistake = (enum mistake)(word(MISTAKE, 0) & 0xFF);
    bool requested = word(FLAGS, REQUEST) != 0xFFFFFFFF;
    bool begun = word(FLAGS, BEGUN) != 0xFFFFFFFF;
    if (requested && begun)
        go_on(mistake);
    requested = word(FLAGS, REQUEST) != 0xFFFFFFFF;
    if (mistake == TORN && word(FLAGS, DONE) == 0x454E4F44)
        return word(FLAGS, DONE + 4) == flash->areas[SLOT0].size ? at(SLOT0, 0) : NOBRICK_NOTHING;
    if (requested && installations_left > 0 && !installed) {
        installations_left--;
        installed = true;
        if (word(FLAGS, BEGUN) == 0xFFFFFFFF)
            set_flag(BEGUN);
        copy();
        if (mistake == TORN)
            set_done();
        else
            flash->erase(flash->context, at(FLAGS, 0));
    } else if (mistake == NO_REST) {
        flash->erase(flash->context, at(FLAGS, 0));
    }
    if (mistake == OTHER_IMAGE && begun)
        return at(SLOT0, 16);
    return is_image(SLOT0) ? at(SLOT0, 0) : NOBRICK_NOTHING;
}

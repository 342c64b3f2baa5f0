/* The power comes on: the loader runs once and says in event lines what it did, the same lines in
 * every world, whether the loader is a part of the life (sim/life.h) or a program of its own.
 *
 * Nothing is allocated and nothing kept; the caller owns all that is passed. */
#ifndef NOBRICK_SIM_POWER_ON_H
#define NOBRICK_SIM_POWER_ON_H

#include "agent/boot/boot.h"
#include "sim/line.h"

#define SIM_LIFE_RESET  (-1) /* the device resets and begins anew, with fresh memory */
#define SIM_MAX_CRASHES 8    /* in a row, under `once` */
#define SIM_CRASH_PAUSE_MS                                                                         \
    200 /* before the life after a crash: a loop of them eats no processor                         \
         */

/* What outlives a reset besides flash and counter. All zeros at first power-on. */
struct sim_past {
    uint32_t operations; /* flash operations so far */
    uint32_t crashes;    /* resets in a row that were not asked for */
    int failure;         /* 0, or why an image was refused or reverted on the way */
    bool pushed;         /* the image of `push` was handed over: once is enough */
};

struct sim_power {
    bool once; /* the device ends after one check, and so after some crashes in a row */
    void (*event)(void *context, const char *line, int code); /* as in struct sim_life_config */
    void *context;
};

/* A reset that nobody asked for: is there a next life? Not when a check has had enough of them. */
bool sim_past_begins_anew(struct sim_past *past, bool once);

/* One boot. 0: `out` says what runs; SIM_LIFE_RESET when the loader met an error and may have
 * better luck the next time; 1 when nothing boots, and *error says why. */
int sim_power_on(const struct sim_power *power, const struct boot_config *config,
                 struct sim_past *past, struct boot_result *out, int *error);

/* "boot 2.0.0 trial test resumed". */
void sim_boot_line(const struct boot_result *result, struct sim_line *out);

#endif

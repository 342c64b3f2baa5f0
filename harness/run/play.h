/* One script and cell with a device, a cloud side and a network between them: what is the same in
 * every world (play.c, play_flash.c), and what each world adds (struct nb_stage).
 *
 * posix.c has device processes, flash files and real servers; virtual.c has all of it in this
 * process, on a virtual clock. Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_PLAY_H
#define NOBRICK_HARNESS_RUN_PLAY_H

#include "harness/run/kit.h"
#include "harness/run/net.h"
#include "harness/run/oracle.h"
#include "harness/run/trace.h"
#include "sim/world.h"

struct nb_play;

/* How a world plays a device. */
struct nb_stage {
    /* The flash, erased, and whatever the device is made of; `play->device` is known. With a
     * reason in error->message. What was made is cleared whatever comes of it. */
    int (*prepare)(struct nb_play *play, struct flash_text_error *error);
    void (*clear)(struct nb_play *play);
    /* The flash while no device runs, until it is given back. */
    int (*open_flash)(struct nb_play *play, struct flash_sim **out, struct flash_text_error *error);
    void (*close_flash)(struct nb_play *play, struct flash_sim *sim);
    int (*raise_counter)(struct nb_play *play, uint32_t value);
    /* Runs the device until its check, or with `boot_only` its boot, has ended; plays the armed
     * cut and flash error. Its lines go to nb_play_device_line, *code is its exit code.
     * OTA_E_TIMEOUT when it takes longer than any device may. */
    int (*run_device)(struct nb_play *play, bool boot_only, int *code);
    /* What the device last wrote for people, "" when nothing: for a device that says nothing else.
     */
    void (*last_words)(const struct nb_play *play, char *out, size_t size);
    /* Why this world cannot play the step, or NULL. */
    const char *(*cannot)(const struct nb_play *play, const struct nb_step *step);
    uint32_t settle_ms; /* for messages under way when the device has ended */
    uint32_t expect_ms; /* for a line of the cloud that is still to come */
    uint32_t limit_s;   /* the longest that a device may take, for messages */
};

struct nb_play {
    const struct nb_script *script;
    const struct nb_cell *cell;
    struct nb_outcome *outcome;
    const struct nb_stage *stage;
    void *own; /* the stage's */
    const struct sim_world *world;
    struct sim_device device;
    bool has_device;
    uint8_t *loader_before; /* bytes of the bootloader's region when the run began */
    struct nb_net net;
    int err; /* of a callback */
    /* what happened */
    struct nb_trace trace;
    struct nb_oracle oracle;
    /* armed for the next device step */
    bool cut_armed;
    bool cut_returns; /* the power comes back at once, and the step goes on */
    struct nb_cut cut;
    enum flash_tears sweep_tears;
    bool sweep_armed; /* `@flash:* cut`: every cut of this step is to be tried (prove/cuts.h) */
    size_t next_cut;  /* of the cell's list */
    bool fail_armed;
    bool fail_fired;
    uint32_t fail_op;
    enum flash_failure failure;
};

/* Plays the whole script. `play` has script, cell, outcome, stage, own, world and the net's world,
 * makers and own; the rest is zero. */
void nb_play_run(struct nb_play *play);

/* The same in three: device and flash, with v1 in it; the network and every step; what open made.
 * False, with an outcome, when there is nothing to be played; closed all the same. */
bool nb_play_open(struct nb_play *play);
void nb_play_steps(struct nb_play *play);
void nb_play_close(struct nb_play *play);

/* A line of the device. */
void nb_play_device_line(void *context, const char *text);

/* ---- flash (play_flash.c) ---------------------------------------------------------------- */

/* Puts v1 into the primary slot, unless the script puts its own there. */
OTA_MUST_CHECK int nb_play_fill_flash(struct nb_play *play, struct flash_text_error *error);
/* A `flash …` or `device counter` step. */
OTA_MUST_CHECK int nb_play_flash_step(struct nb_play *play, const struct nb_step *step,
                                      struct flash_text_error *error);
/* `expect flash …`. False with a reason. */
bool nb_play_expect_wear(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE]);
bool nb_play_expect_flash(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE]);
/* Shows the oracle what lies in flash. */
OTA_MUST_CHECK int nb_play_show_flash(struct nb_play *play);
/* 64-bit fingerprint of the whole flash. */
OTA_MUST_CHECK int nb_play_fingerprint(struct nb_play *play, uint64_t *out);
/* The image as the oracle knows it. */
void nb_play_known(const struct nb_image *image, const struct nb_blob *blob,
                   struct nb_oracle_image *out);

#endif

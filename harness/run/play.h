/* One script and cell with a device, a cloud side and a network between them: what is the same in
 * every world (play.c, play_device.c, play_flash.c), and what each world adds (struct nb_stage).
 *
 * posix.c has device processes, flash files and real servers; virtual.c has all of it in this
 * process, on a virtual clock. Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_PLAY_H
#define NOBRICK_HARNESS_RUN_PLAY_H

#include "agent/store/store.h"
#include "harness/run/kit.h"
#include "harness/run/net.h"
#include "harness/run/oracle.h"
#include "harness/run/trace.h"
#include "sim/life.h"
#include "sim/world.h"

#include <stdio.h>

struct nb_play;

/* What happened to one of the devices. */
struct nb_unit {
    struct nb_trace trace; /* its lines, and all of the cloud's */
    struct nb_oracle oracle;
    struct nb_blob staged; /* of a store: what `pending` downloads; data NULL: nothing */
};

/* What a device ends with that was switched off at the end of `device live`: by SIGTERM. */
#define NB_SWITCHED_OFF (128 + 15)

/* How a world plays a device. */
struct nb_stage {
    /* The flash of every device, erased, and whatever they are made of; `play->device` is known.
     * With a reason in error->message. What was made is cleared whatever comes of it. */
    int (*prepare)(struct nb_play *play, struct flash_text_error *error);
    void (*clear)(struct nb_play *play);
    /* The flash of the present device while none runs, until it is given back. */
    int (*open_flash)(struct nb_play *play, struct flash_sim **out, struct flash_text_error *error);
    void (*close_flash)(struct nb_play *play, struct flash_sim *sim);
    int (*raise_counter)(struct nb_play *play, uint32_t value);
    /* Runs the devices until their checks, or with `boot_only` their boots, have ended, or with
     * play->live_ms for that long (a code is NB_SWITCHED_OFF then), or with play->act until that is
     * done; plays the armed cut and flash error. Their lines go to nb_play_device_line, `codes` are
     * their exit codes. OTA_E_TIMEOUT when it takes longer than any device may. */
    int (*run_device)(struct nb_play *play, bool boot_only, int codes[NB_DEVICES]);
    /* What the present device last wrote for people, "" when nothing: for a device that says
     * nothing else.
     */
    void (*last_words)(const struct nb_play *play, char *out, size_t size);
    /* Why this world cannot play the step, or NULL. */
    const char *(*cannot)(const struct nb_play *play, const struct nb_step *step);
    bool live_flash;    /* the flash can be opened while a device runs, too */
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
    struct sim_region places[STORE_PLACES]; /* of images, in a store; size 0: there is none */
    uint8_t *loader_before; /* bytes of the bootloader's region when the run began */
    struct nb_net net;
    int err; /* of a callback */
    /* what happened */
    struct nb_unit units[NB_DEVICES];
    size_t unit_count;
    struct nb_unit *unit;      /* the present device */
    bool initiate;             /* of the present device step: fetches what it finds, hold or not */
    uint32_t live_ms;          /* of the present device step; 0: until the check ends */
    const struct sim_act *act; /* … what the application does in it, without a boot; or NULL */
    uint64_t lasted;           /* ms of the last device step */
    uint64_t longest;          /* … of the longest one since the script began */
    /* armed for the next device step */
    bool cut_armed;
    bool cut_returns; /* the power comes back at once, and the step goes on */
    struct nb_cut cut;
    enum flash_tears sweep_tears;
    bool sweep_armed; /* `@flash:*`: every cut or error of this step is tried (prove/cuts.h) */
    bool sweep_fails; /* … it is errors */
    size_t next_cut;  /* of the cell's list */
    bool fail_armed;
    bool fail_fired;
    uint32_t fail_op;
    enum flash_failure failure;
    /* hashes so far, under cell->hash: of every line said, and of the flash journal */
    uint64_t history_hash;
    uint64_t flash_hash;
    FILE *journal; /* cell->journal, while the steps are played */
};

/* Plays the whole script. `play` has script, cell, outcome, stage, own, world and the net's world,
 * makers and own; the rest is zero. */
void nb_play_run(struct nb_play *play);

/* The same in three: device and flash, with v1 in it; the network and every step; what open made.
 * False, with an outcome, when there is nothing to be played; closed all the same. */
bool nb_play_open(struct nb_play *play);
void nb_play_steps(struct nb_play *play);
void nb_play_close(struct nb_play *play);

/* The steps in front of a `prove` line, of one kind. */
enum nb_front {
    NB_FRONT_FLASH,  /* what lies in flash, and the counter */
    NB_FRONT_CLOUD,  /* what is on offer; the network has started */
    NB_FRONT_FAULTS, /* of cloud and network */
};
/* False, with an outcome, when one of them fails. */
bool nb_play_front(struct nb_play *play, enum nb_front front);

/* Does it for each device in turn, until one says false: that one stays the present one. */
bool nb_play_each(struct nb_play *play, const struct nb_step *step,
                  bool (*look)(struct nb_play *play, const struct nb_step *step));

/* A line of the present device; of the cloud, its proxies, or whoever says that a fault fired.
 * `context` is the play. */
void nb_play_device_line(void *context, const char *text);
void nb_play_cloud_line(void *context, const char *text);
/* The `agent` line and the cell's links, as a device is told of them. */
struct sim_session nb_play_session(const struct nb_play *play);
/* A line of the flash journal. `context` is the play. */
void nb_play_journal_line(void *context, const char *line);

/* ---- device steps (play_device.c) -------------------------------------------------------- */

/* A `device live`, `check` or `boot`, or an `until` step. False, with an outcome, when the run is
 * over; what a device did wrong may also be an outcome alone. */
bool nb_play_device_step(struct nb_play *play, const struct nb_step *step);
/* The longest that a device may take, in seconds: the stage's, and less in histories, which are
 * many and have the usual timing. */
uint32_t nb_play_limit_s(const struct nb_play *play);

/* ---- flash (play_flash.c) ---------------------------------------------------------------- */

/* All of these are about the present device.
 *
 * Puts v1 into the primary slot, unless the script puts its own there. */
OTA_MUST_CHECK int nb_play_fill_flash(struct nb_play *play, struct flash_text_error *error);
/* A `flash …` or `device counter` step. */
OTA_MUST_CHECK int nb_play_flash_step(struct nb_play *play, const struct nb_step *step,
                                      struct flash_text_error *error);
/* `expect flash …`. False with a reason. */
bool nb_play_expect_wear(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE]);
bool nb_play_expect_flash(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE]);
/* Shows the oracle what lies in flash. */
OTA_MUST_CHECK int nb_play_show_flash(struct nb_play *play);
/* 64-bit fingerprint of the whole flash; of that of all devices together. */
OTA_MUST_CHECK int nb_play_fingerprint(struct nb_play *play, uint64_t *out);
OTA_MUST_CHECK int nb_play_fingerprint_all(struct nb_play *play, uint64_t *out);
/* The image as the oracle knows it. */
void nb_play_known(const struct nb_image *image, const struct nb_blob *blob,
                   struct nb_oracle_image *out);

#endif

/* What an application does by its own hand, without an update session: confirms, asks for the
 * image in the second slot, and, where the device has a store, downloads into it, rolls back,
 * resets to the factory image, forgets a version. The same in every world, so that scripts without
 * a cloud
 * (`device confirm` …) mean the same everywhere.
 *
 * The event lines are those of a session where they mean the same: "pending 2.0.0",
 * "confirmed 2.0.0", "reject bad-hash". Nothing is allocated; the caller owns what is passed. */
#ifndef NOBRICK_SIM_ACT_H
#define NOBRICK_SIM_ACT_H

#include "agent/boot/boot.h"

enum sim_act_kind {
    SIM_ACT_NONE,
    SIM_ACT_CONFIRM,       /* what runs is good */
    SIM_ACT_PENDING,       /* asks for the second slot; of a store: a whole download of `image` */
    SIM_ACT_ROLL_BACK,     /* of a store: what runs gives way to the next in rank */
    SIM_ACT_FACTORY_RESET, /* … to the factory image */
    SIM_ACT_FORGET,        /* … a version is erased */
};

struct sim_act {
    enum sim_act_kind kind;
    bool permanent;             /* PENDING: without a trial */
    struct img_version version; /* FORGET: which */
    const uint8_t *image;       /* PENDING, of a store; NULL: there is none to be downloaded */
    uint32_t size;
    const uint8_t *row; /* … its IMG_ROW_SIZE bytes */
};

/* The words of kinds, NULL for NONE: as scripts and settings have them. */
const char *sim_act_word(enum sim_act_kind kind);

/* As in struct sim_life_config. */
typedef void sim_act_event(void *context, const char *line, int code);

/* Says what the application is about to ask for, if anything: a power cut in the act cannot take
 * it back. */
void sim_act_announce(const struct sim_act *act, const struct boot_config *config,
                      sim_act_event *event, void *context);

/* Does it. 0, also when it was refused, which an event says; OTA_E_POWER; the flash's errors. */
OTA_MUST_CHECK int sim_act(const struct sim_act *act, const struct boot_config *config,
                           sim_act_event *event, void *context);

/* ---- of a device with a store, without events ---- */

/* What runs after the act unless it is refused. OTA_E_NO_IMAGE: nothing follows from it. */
OTA_MUST_CHECK int sim_act_next(const struct sim_act *act, const struct boot_config *config,
                                struct img_version *out);

/* PENDING, ROLL_BACK, FACTORY_RESET, FORGET. The errors of the store. */
OTA_MUST_CHECK int sim_act_on_store(const struct sim_act *act, const struct boot_config *config);

/* CONFIRM: which version, and was there anything to confirm? */
OTA_MUST_CHECK int sim_act_confirm_stored(const struct boot_config *config,
                                          struct img_version *version, bool *changed);

#endif

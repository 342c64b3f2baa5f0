/* The bench: loader and application calls on flash in memory, in this process.
 *
 * Runs scenarios without a cloud: it boots through boot_go, confirms and asks for installation as
 * the application does, cuts the power, and judges every boot. All that changes while a scenario
 * runs is in struct nb_bench_state and in the flash, so that a sweep (harness/prove/sweep.c) can
 * branch from any moment. */
#ifndef NOBRICK_HARNESS_RUN_BENCH_H
#define NOBRICK_HARNESS_RUN_BENCH_H

#include "flashsim/failing.h"
#include "harness/image/image.h"
#include "harness/run/kit.h"
#include "harness/run/oracle.h"
#include "sim/crypto_openssl.h"

#define NB_BENCH_EVENTS   48
#define NB_BENCH_LINE     72
#define NB_BENCH_IMAGES   NB_ORACLE_IMAGES
#define NB_BENCH_MAX_BOOT 8 /* uncut boots within which a device must be stable */

struct nb_bench_state {
    uint32_t counter; /* the device's security counter */
    struct nb_oracle oracle;
    char events[NB_BENCH_EVENTS][NB_BENCH_LINE];
    size_t event_count;
    struct nb_blob staged; /* of a store: what `pending` downloads; data NULL: nothing */
    size_t cursor; /* events before it have met an expectation, or are older than the last step */
};

/* What an image in the primary slot looks like to the flash's fingerprint. */
struct nb_bench_known {
    struct img_version version;
    uint32_t end;
    uint64_t fingerprint;
    bool genuine;
    const uint8_t *data; /* the kit's */
};

struct nb_bench {
    const struct nb_script *script;
    const struct nb_cell *cell;
    struct sim_device device;
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct boot_config config;
    struct nv_port nv;
    uint8_t buffer[SIM_COPY_BUFFER];
    uint64_t loader_fingerprint;
    uint64_t violations; /* of the flash's rules, told so far */
    struct nb_bench_known known[NB_BENCH_IMAGES];
    size_t known_count;
    struct nb_bench_state state;
    bool cut_armed; /* `@flash:N cut`, for the next device step */
    struct nb_cut cut;
    bool cut_returns; /* as in a sweep the power comes back at once; else the device stays off */
    bool sweep_armed; /* `@flash:*` */
    bool sweep_fails; /* … `fail` */
    enum flash_tears sweep_tears;
    enum flash_failure sweep_failure;
    struct flash_failing failing; /* `@flash:N fail` */
};

/* The device's own part of a step: 0, OTA_E_POWER when the power was cut in it, or its error. */
OTA_MUST_CHECK int nb_bench_act(struct nb_bench *bench, const struct nb_step *step);

/* A device step begins. What the application says it is about to do is an event that a cut in the
 * step cannot take back. */
void nb_bench_announce(struct nb_bench *bench, const struct nb_step *step);

/* The power is cut in this step. What the device may have done before that is allowed for. */
void nb_bench_cut(struct nb_bench *bench, const struct nb_step *step, uint32_t op,
                  enum flash_tear tear);

/* One boot, with its event, its judgement and, after a flash error, the resets that follow. */
void nb_bench_boot(struct nb_bench *bench);

/* Puts an image into a slot like a programmer would, with the trailer that `step` (may be NULL)
 * says. The reason of a failure in error->message. */
OTA_MUST_CHECK int nb_bench_put(struct nb_bench *bench, unsigned slot, const struct nb_image *image,
                                const struct nb_step *step, struct flash_text_error *error);
/* `flash slotN erase|flip|break`. The reason of a failure may be in error->message. */
OTA_MUST_CHECK int nb_bench_damage(struct nb_bench *bench, const struct nb_step *step,
                                   struct flash_text_error *error);
/* `expect flash slotN …`: pass, fail, or error when it cannot be told; with a reason. */
enum nb_verdict nb_bench_expect_flash(struct nb_bench *bench, const struct nb_step *step,
                                      char reason[NB_LINE]);
/* `expect wear N`. */
enum nb_verdict nb_bench_expect_wear(struct nb_bench *bench, const struct nb_step *step,
                                     char reason[NB_LINE]);
/* `pending` of this step means for good. */
bool nb_bench_permanent(const struct nb_bench *bench, const struct nb_step *step);

/* Judges what happened so far, then runs steps [from, count) in the present state. Pass, or the
 * verdict of the first step that did not go well, and why: fail for what the device did, vacuous
 * for a fault that never fired, error for a step that this machine or engine could not play. */
enum nb_verdict nb_bench_steps(struct nb_bench *bench, size_t from, char reason[NB_LINE],
                               struct nb_outcome *outcome);

/* The image of this step (`device push`) is on offer from now on. */
OTA_MUST_CHECK int nb_bench_offer(struct nb_bench *bench, const struct nb_step *step,
                                  struct nb_blob *blob);
/* `device push`: the device's own part, as nb_bench_act has it. */
OTA_MUST_CHECK int nb_bench_push(struct nb_bench *bench, const struct nb_step *step);

/* Appends an event line and shows it to the oracle. */
void nb_bench_event(struct nb_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif

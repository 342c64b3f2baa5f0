/* The posix engine's insides: one script and cell with a device process, a cloud side in this
 * process, and a broker between them. Private to harness/run/posix*.c. */
#ifndef NOBRICK_HARNESS_RUN_POSIX_RUN_H
#define NOBRICK_HARNESS_RUN_POSIX_RUN_H

#include "harness/run/kit.h"
#include "harness/run/oracle.h"
#include "harness/run/posix_net.h"
#include "harness/run/trace.h"
#include "sim/posix/loop.h"

#define NB_PATH 300

struct nb_posix {
    const struct nb_script *script;
    const struct nb_cell *cell;
    struct nb_outcome *outcome;
    struct sim_device device;
    bool has_device;
    char device_path[NB_PATH];
    char flash_path[NB_PATH];
    char log_path[NB_PATH];
    uint8_t *loader_before; /* bytes of the bootloader's region when the run began */
    /* network */
    struct posix_loop *loop;
    struct nb_net net;
    int err; /* of a callback */
    /* what happened */
    struct nb_trace trace;
    struct nb_oracle oracle;
    /* armed for the next device step */
    bool cut_armed;
    struct nb_cut cut;
    size_t next_cut; /* of a replay's list */
};

/* ---- flash (posix_flash.c) --------------------------------------------------------------- */

/* Makes the flash file, with v1 in the primary slot unless the script puts its own there. */
OTA_MUST_CHECK int nb_posix_make_flash(struct nb_posix *run, struct flash_text_error *error);
/* A `flash …` or `device counter` step. */
OTA_MUST_CHECK int nb_posix_flash_step(struct nb_posix *run, const struct nb_step *step,
                                       struct flash_text_error *error);
/* `expect flash …`. False with a reason. */
bool nb_posix_expect_flash(struct nb_posix *run, const struct nb_step *step, char reason[NB_LINE]);
/* Shows the oracle what lies in flash. */
OTA_MUST_CHECK int nb_posix_show_flash(struct nb_posix *run);
/* 64-bit fingerprint of the whole flash file. */
OTA_MUST_CHECK int nb_posix_fingerprint(const struct nb_posix *run, uint64_t *out);
/* The image as the oracle knows it. */
void nb_posix_known(const struct nb_image *image, const struct nb_blob *blob,
                    struct nb_oracle_image *out);

#endif

/* A device that is a process on a flash file, real servers around it, and the wall's clock: what
 * the posix world (posix.c) and the cortexm world (cortexm.c) share. Private to harness/run. */
#ifndef NOBRICK_HARNESS_RUN_POSIX_H
#define NOBRICK_HARNESS_RUN_POSIX_H

#include "harness/prove/cuts.h"
#include "harness/run/net_posix.h"
#include "harness/run/play.h"
#include "sim/posix/world.h"

#define NB_PATH 300

/* play->own of such a stage. */
struct nb_posix {
    struct posix_loop *loop;
    struct posix_world *world;
    struct nb_net_posix net;
    char device_path[NB_PATH];
    char flash_path[NB_PATH];
    char log_path[NB_PATH];
    char journal_path[NB_PATH]; /* of the present device step, under cell->hash */
    uint32_t starts;            /* of devices so far */
    /* of the board: */
    struct nb_cut_list *cuts; /* to be filled with those of the step that a sweep is for; or NULL */
    uint32_t kill_ms;         /* QEMU is killed after so long; 0: it is not */
    bool unwatched;           /* it runs without the plugin */
};

/* The posix world's; another world takes it and changes what it does otherwise. */
extern const struct nb_stage nb_posix_stage;

/* Plays a cell on such a stage; `cuts` is for the board. OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_posix_play(const struct nb_script *script, const struct nb_cell *cell,
                                 const struct nb_stage *stage, struct nb_cut_list *cuts,
                                 struct nb_outcome *outcome);

/* Hands over what the device wrote into its flash in this run, and removes the file. OTA_E_IO. */
OTA_MUST_CHECK int nb_posix_journal(struct nb_play *play);

#endif

/* A whole device with its network as a machine of the prover: one run is one life in the virtual
 * world, from power-on until its check is over, through all resets on the way.
 *
 * A state is flash and surroundings (around.h), of which the search sees the number. The agent's
 * rings count in one form (rings.h). In a phase of trouble the script's faults of cloud and network
 * strike in each life; a device may be out of it at any power-on. */
#ifndef NOBRICK_HARNESS_PROVE_LIFE_H
#define NOBRICK_HARNESS_PROVE_LIFE_H

#include "harness/prove/around.h"
#include "harness/prove/search.h"

struct nb_life_machine {
    struct nb_machine machine;
    struct nb_virtual *virtual;
    const struct nb_step *prove;  /* what may boot */
    const struct nb_step *stable; /* what runs in the end; NULL: any of these */
    const struct nb_step *report; /* what is delivered in the end; NULL: what fits what runs */
    bool answers;                 /* a result is sent to whoever sends a job */
    struct img_version old, new;
    struct nb_arounds arounds;
    uint32_t around; /* number of the present ones */
    bool fired;      /* every fault of trouble struck in some life */
    int err;         /* of the harness */
    struct nb_outcome refusal;
    /* the present life */
    const struct nb_seam *seam;
    struct flash_port port;
    const struct nb_cut *cut; /* to be played; NULL: none */
    struct nb_around now;
    size_t heard;  /* lines of the trace that were looked at */
    bool is_cut;   /* … was */
    uint32_t told; /* in this life, by the device */
    uint32_t got;  /* and what the cloud side got */
    bool strange;  /* something booted that may not */
    struct nb_texts *texts;
};

/* Of the script's `prove` line; `virtual` has been prepared and outlives it. OTA_E_ARGUMENT with a
 * reason, or OTA_E_NO_SPACE; what was made is closed in any case. */
OTA_MUST_CHECK int nb_life_open(struct nb_life_machine *life, struct nb_virtual *virtual,
                                const struct nb_script *script, char reason[NB_LINE]);
void nb_life_close(struct nb_life_machine *life);

/* One life from the present flash and surroundings, cut as `cut` says (NULL: not), without a
 * search. Afterwards the surroundings are the present ones. */
void nb_life_play(struct nb_life_machine *life, const struct nb_cut *cut, struct nb_end *end);

#endif

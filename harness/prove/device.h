/* The bench's device as a machine for the search: its loader, and what its application does. */
#ifndef NOBRICK_HARNESS_PROVE_DEVICE_H
#define NOBRICK_HARNESS_PROVE_DEVICE_H

#include "harness/prove/search.h"
#include "harness/run/bench.h"

struct nb_prove_device {
    struct nb_machine machine;
    struct nb_bench *bench;
    enum nb_phase phase; /* where it stands now */
    struct img_version old;
    struct img_version new;
    bool has_new;
    struct sim_act act; /* what is asked for, of a store */
    /* of the run at hand */
    const struct nb_seam *seam;
    struct crypto_port crypto;
};

/* The bench as it stands, for `step` (a `prove`) and the `until stable` behind it (or NULL). Keeps
 * pointers to the bench. OTA_E_ARGUMENT with a reason when it does not say which image is which. */
OTA_MUST_CHECK int nb_prove_device_init(struct nb_prove_device *device, struct nb_bench *bench,
                                        const struct nb_step *step, const struct nb_step *rest,
                                        char reason[NB_LINE]);

#endif

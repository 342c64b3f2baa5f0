/* A store as a programmer leaves it, in every engine: what is put down while no device runs. */
#ifndef NOBRICK_HARNESS_RUN_STORE_H
#define NOBRICK_HARNESS_RUN_STORE_H

#include "harness/run/kit.h"

/* What the factory leaves: the image where it runs, its row, and a directory that is erased. */
OTA_MUST_CHECK int nb_store_factory(struct flash_sim *sim, const struct sim_device *device,
                                    const struct nb_blob *blob);

/* An image that was downloaded before the script begins, good or bad; `valid`: it needs no trial.
 */
OTA_MUST_CHECK int nb_store_insert(struct flash_sim *sim, const struct boot_config *config,
                                   const struct nb_blob *blob, bool valid);

#endif

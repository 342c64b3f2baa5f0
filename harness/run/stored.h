/* Devices that keep images in a store, as a programmer leaves them: what the engines put down while
 * no device runs. */
#ifndef NOBRICK_HARNESS_RUN_STORED_H
#define NOBRICK_HARNESS_RUN_STORED_H

#include "agent/store/store.h"
#include "harness/run/kit.h"

/* What the factory leaves: the image where it runs, its row, and a directory that is erased. */
OTA_MUST_CHECK int nb_stored_factory(struct flash_sim *sim, const struct sim_device *device,
                                     const struct nb_blob *blob);

/* An image that was downloaded before the script begins: its bytes as the blob has them, good or
 * bad, and an entry that says that it was good; `valid`: it needs no trial. */
OTA_MUST_CHECK int nb_stored_insert(struct flash_sim *sim, const struct sim_device *device,
                                    const struct nb_blob *blob, bool valid);

/* It is switched on once, and then off: its store has the factory image. */
OTA_MUST_CHECK int nb_stored_switch_on(struct flash_sim *sim, const struct sim_device *device);

/* Where the image of that version is stored; size 0: nowhere. */
struct sim_region nb_stored_region(struct flash_sim *sim, const struct sim_device *device,
                                   const struct img_version *version);
/* Where the image of the N-th place lies; size 0: there is no such place. */
struct sim_region nb_stored_place(struct flash_sim *sim, const struct sim_device *device,
                                  uint8_t place);

#endif

/* The agent's rings of records (agent/ring.h) in the one form that stands for all that means the
 * same to it.
 *
 * Of a ring matter its newest record, but for the number, where that lies, and the first place
 * behind everything that was begun in that sector. Numbers are compared with each other only, older
 * records are never looked at again, a torn one is not told from another, and a sector is erased
 * when its turn comes, whatever it holds. So the one form is: the newest record, as number 1, in
 * its place; a unit of nonsense in the last place that was begun, if that is another; all else
 * erased. Without any record, everything is.
 *
 * A store's directory (agent/store/store.h) is two such rings with numbers in common: where they
 * differ, the newer record is number 2. */
#ifndef NOBRICK_HARNESS_PROVE_RINGS_H
#define NOBRICK_HARNESS_PROVE_RINGS_H

#include "flashsim/flashsim.h"
#include "sim/device.h"

/* Puts the device's rings into that form, by flash_sim_put: journal, progress, directory. A
 * negative ota_err when they cannot be read as rings. */
OTA_MUST_CHECK int nb_rings_normalise(struct flash_sim *sim, const struct sim_device *device);

#endif

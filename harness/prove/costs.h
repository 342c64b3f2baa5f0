/* What an update costs the flash: operations, erases, modelled time and wear of the loader's work,
 * for each part and scheme, beside what no algorithm of that kind can go below. */
#ifndef NOBRICK_HARNESS_PROVE_COSTS_H
#define NOBRICK_HARNESS_PROVE_COSTS_H

#include "harness/run/kit.h"

struct nb_cost {
    uint64_t programs;
    uint64_t erases;
    uint64_t us;   /* modelled, by typical times */
    uint32_t wear; /* erases of the sector that has most */
};

struct nb_costs {
    struct nb_cost update; /* the request, the installation and the confirmation */
    struct nb_cost revert; /* the boot that puts the old image back; all 0 when there is none */
    struct nb_cost bound;  /* of the installation, and of the revert */
};

/* Plays an update of the script's v1 to v2 on the cell's device. An error of the flash, of the
 * loader or of the machine; OTA_E_NO_IMAGE when the wrong image boots. */
OTA_MUST_CHECK int nb_costs_measure(const struct nb_script *script, const struct nb_cell *cell,
                                    struct nb_costs *out);

/* The least that any loader does which brings the images to where this one has them, copies from
 * flash to flash and never has the only copy of a sector in RAM: `old` and `new` are what lies in
 * the two slots, of `size` bytes each.
 *
 * - Without a way back each sector of the new image is erased and programmed once.
 * - With one, the images change places sector by sector: a pair of sectors needs three copies,
 *   because the first of the two that is erased must lie somewhere else by then. The third copies
 *   go to sectors as large as the part has, erased once each time they are full.
 *
 * A sector that stays as it is costs nothing, nor does one without data that becomes blank.
 * Requests, trailers and status records are not in it. */
struct nb_cost nb_costs_bound(const struct sim_device *device, const uint8_t *old,
                              const uint8_t *new, uint32_t size);

/* The verb `bench costs`: a Markdown table. Returns the exit code. */
int nb_bench_costs(struct nb_kit *kit);

#endif

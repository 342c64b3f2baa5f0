/* The bench's device when its scheme keeps images in a store: what a programmer puts there, and
 * what the application does with it. */
#ifndef NOBRICK_HARNESS_RUN_BENCH_STORE_H
#define NOBRICK_HARNESS_RUN_BENCH_STORE_H

#include "agent/store/store.h"
#include "harness/run/bench.h"

/* What the factory leaves: the image where it runs, its row, and a directory that is erased. */
OTA_MUST_CHECK int nb_bench_store_factory(struct nb_bench *bench, const struct nb_blob *blob);

/* An image that was downloaded before the script begins; `valid`: it needs no trial. */
OTA_MUST_CHECK int nb_bench_store_insert(struct nb_bench *bench, const struct nb_blob *blob,
                                         bool valid);

/* What the application does, on the flash of bench->config: a whole download (the place freed and
 * erased, the image programmed, the row written) of the image that was put down last and not
 * inserted; a confirmation; a request. OTA_E_NO_IMAGE when there is nothing of the kind. */
OTA_MUST_CHECK int nb_bench_store_ask(struct nb_bench *bench, enum nb_store_call call,
                                      bool permanent);
OTA_MUST_CHECK int nb_bench_store_confirm(struct nb_bench *bench, struct img_version *version,
                                          bool *changed);
OTA_MUST_CHECK int nb_bench_store_erase(struct nb_bench *bench, const struct img_version *version);

/* What runs after `call` unless it is refused. OTA_E_NO_IMAGE: nothing follows from it. */
OTA_MUST_CHECK int nb_bench_store_next(struct nb_bench *bench, enum nb_store_call call,
                                       struct img_version *out);

/* What the loader is asked for: NONE, TEST or PERM. */
enum img_swap_type nb_bench_store_requested(struct nb_bench *bench);

/* Where the image of that version is stored; size 0: nowhere. */
struct sim_region nb_bench_store_region(struct nb_bench *bench, const struct img_version *version);

#endif

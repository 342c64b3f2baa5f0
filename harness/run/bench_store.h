/* The bench's device when its scheme keeps images in a store: what the application does with it.
 * What a programmer puts there is in stored.h. */
#ifndef NOBRICK_HARNESS_RUN_BENCH_STORE_H
#define NOBRICK_HARNESS_RUN_BENCH_STORE_H

#include "agent/store/store.h"
#include "harness/run/bench.h"

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

#endif

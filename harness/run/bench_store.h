/* The bench's device when its scheme keeps images in a store: what is to become of them, and where
 * they lie. */
#ifndef NOBRICK_HARNESS_RUN_BENCH_STORE_H
#define NOBRICK_HARNESS_RUN_BENCH_STORE_H

#include "agent/store/store.h"
#include "harness/run/bench.h"

/* What the loader is asked for: NONE, TEST or PERM. */
enum img_swap_type nb_bench_store_requested(struct nb_bench *bench);

/* Where the image of that version is stored; size 0: nowhere. */
struct sim_region nb_bench_store_region(struct nb_bench *bench, const struct img_version *version);

#endif

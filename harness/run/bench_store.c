#include "harness/run/bench_store.h"

/* `config` must outlive the store. */
static int open_store(const struct nb_bench *bench, struct store_config *config,
                      struct store *store)
{
    boot_store_config(&bench->config, config);
    return store_open(store, config);
}

enum img_swap_type nb_bench_store_requested(struct nb_bench *bench)
{
    struct store_config config;
    struct store store;
    if (open_store(bench, &config, &store) != 0)
        return IMG_SWAP_NONE;
    uint8_t first = store_first(&store);
    if (first == store.state.installed)
        return IMG_SWAP_NONE;
    return store.state.entries[first].status == IMG_ROW_VALID ? IMG_SWAP_PERM : IMG_SWAP_TEST;
}

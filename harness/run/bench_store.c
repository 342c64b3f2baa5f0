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

struct sim_region nb_bench_store_region(struct nb_bench *bench, const struct img_version *version)
{
    struct store_config config;
    struct store store;
    uint32_t number;
    uint8_t place = STORE_PLACES;
    if (open_store(bench, &config, &store) == 0 && img_harmony_number(version, &number) == 0)
        place = store_find(&store, number);
    if (place == STORE_PLACES)
        return (struct sim_region){0, 0};
    const struct flash_area image = store_place(&store, place);
    return (struct sim_region){image.address, image.size};
}

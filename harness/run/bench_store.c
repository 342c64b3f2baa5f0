#include "harness/run/bench_store.h"

#include <string.h>

#define PIECE SIM_COPY_BUFFER

/* `config` must outlive the store. */
static int open_store(const struct nb_bench *bench, struct store_config *config,
                      struct store *store)
{
    boot_store_config(&bench->config, config);
    return store_open(store, config);
}

/* ---- what the application does ----------------------------------------------------------- */

static int write_image(const struct flash_area *place, const struct nb_blob *blob)
{
    int err = 0;
    for (uint32_t at = 0; err == 0 && at < blob->size;) {
        uint8_t piece[PIECE] = {0};
        struct flash_sector sector;
        uint32_t size = blob->size - at < PIECE ? blob->size - at : PIECE;
        err = flash_area_sector(place, at, &sector);
        if (err == 0 && at == sector.start)
            err = flash_area_erase_sector(place, at);
        memcpy(piece, blob->data + at, size);
        if (err == 0)
            err = flash_area_program(place, at, piece,
                                     (size + sector.unit - 1) / sector.unit * sector.unit);
        at += size;
    }
    return err;
}

static int download(struct store *store, const struct nb_blob *blob, bool permanent)
{
    struct img_row row;
    uint8_t place;
    if (blob->data == NULL)
        return OTA_E_NO_IMAGE;
    int err = img_row_decode(blob->row, &row);
    if (err == 0)
        err = store_reserve(store, &row, &place);
    if (err != 0)
        return err;
    const struct flash_area image = store_place(store, place);
    err = write_image(&image, blob);
    return err != 0 ? err : store_insert(store, place, &row, permanent);
}

int nb_bench_store_ask(struct nb_bench *bench, enum nb_store_call call, bool permanent)
{
    struct store_config config;
    struct store store;
    int err = open_store(bench, &config, &store);
    if (err != 0)
        return err;
    if (call == NB_STORE_ROLL_BACK)
        return store_roll_back(&store);
    if (call == NB_STORE_FACTORY_RESET)
        return store_factory_reset(&store);
    return download(&store, &bench->state.staged, permanent);
}

int nb_bench_store_confirm(struct nb_bench *bench, struct img_version *version, bool *changed)
{
    struct store_config config;
    struct store store;
    int err = open_store(bench, &config, &store);
    if (err != 0)
        return err;
    const struct store_entry *entry = &store.state.entries[store.state.installed];
    *version = img_harmony_version(entry->version);
    *changed = entry->status == IMG_ROW_UNBOOTED;
    return store_confirm(&store);
}

int nb_bench_store_erase(struct nb_bench *bench, const struct img_version *version)
{
    struct store_config config;
    struct store store;
    uint32_t number;
    int err = open_store(bench, &config, &store);
    if (err == 0)
        err = img_harmony_number(version, &number);
    return err != 0 ? err : store_erase(&store, number);
}

/* ---- what is asked for ------------------------------------------------------------------- */

int nb_bench_store_next(struct nb_bench *bench, enum nb_store_call call, struct img_version *out)
{
    struct store_config config;
    struct store store;
    struct img_row row;
    int err = open_store(bench, &config, &store);
    if (err != 0)
        return err;
    if (call == NB_STORE_DOWNLOAD) {
        if (bench->state.staged.data == NULL)
            return OTA_E_NO_IMAGE;
        err = img_row_decode(bench->state.staged.row, &row);
        *out = img_harmony_version(row.version);
        return err;
    }
    if (!store.known)
        return OTA_E_NO_IMAGE;
    store.state.entries[store.state.installed].status = IMG_ROW_DISABLED;
    uint8_t next = call == NB_STORE_ROLL_BACK ? store_first(&store) : STORE_FACTORY;
    err = store_row(&store, next, &row);
    *out = img_harmony_version(row.version);
    return err;
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

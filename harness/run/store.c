#include "harness/run/store.h"
#include "agent/crc32.h"
#include "harness/run/slot.h"

int nb_store_factory(struct flash_sim *sim, const struct sim_device *device,
                     const struct nb_blob *blob)
{
    uint8_t raw[IMG_ROW_SIZE];
    struct img_row row;
    int err = img_row_decode(blob->row, &row);
    row.type = IMG_ROW_FACTORY;
    img_row_encode(&row, raw);
    if (err == 0)
        err = nb_slot_fill(sim, &device->primary, blob->data, blob->size);
    if (err == 0)
        err = nb_slot_fill(sim, &device->factory, raw, sizeof raw);
    if (err == 0)
        err = nb_slot_fill(sim, &device->status, NULL, 0);
    return err;
}

/* The image's bytes as the blob has them, and an entry that says that they were good. */
int nb_store_insert(struct flash_sim *sim, const struct boot_config *config,
                    const struct nb_blob *blob, bool valid)
{
    struct store_config places;
    struct store store;
    struct img_row row;
    uint8_t place;
    boot_store_config(config, &places);
    int err = store_open(&store, &places);
    if (err == 0)
        err = img_row_decode(blob->row, &row);
    if (err == 0)
        err = store_reserve(&store, &row, &place);
    if (err != 0)
        return err;
    const struct flash_area image = store_place(&store, place);
    const struct sim_region region = {image.address, image.size};
    const struct sim_region head = {image.address - store.head, store.head};
    err = nb_slot_fill(sim, &region, blob->data, blob->size);
    if (err == 0)
        err = nb_slot_fill(sim, &head, blob->row, IMG_ROW_SIZE);
    store.state.entries[place] =
        (struct store_entry){valid ? IMG_ROW_VALID : IMG_ROW_DOWNLOADED, 0, row.version,
                             ota_crc32(0, blob->row, IMG_ROW_SIZE)};
    return err != 0 ? err : store_commit(&store);
}

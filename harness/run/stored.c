#include "harness/run/stored.h"
#include "harness/run/slot.h"
#include "sim/crypto_openssl.h"

#include <string.h>

/* The store on that flash, and what it stands on. */
struct opened {
    uint8_t buffer[SIM_COPY_BUFFER];
    struct boot_config boot;
    struct store_config config;
    struct store store;
};

static int open_store(struct opened *opened, struct flash_sim *sim, const struct sim_device *device)
{
    sim_device_boot_config(device, flash_sim_port(sim), NULL, NULL, NULL, opened->buffer,
                           sizeof opened->buffer, &opened->boot);
    boot_store_config(&opened->boot, &opened->config);
    return store_open(&opened->store, &opened->config);
}

int nb_stored_factory(struct flash_sim *sim, const struct sim_device *device,
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

int nb_stored_insert(struct flash_sim *sim, const struct sim_device *device,
                     const struct nb_blob *blob, bool valid)
{
    struct opened opened;
    struct store *store = &opened.store;
    struct img_row row;
    uint8_t place;
    int err = open_store(&opened, sim, device);
    if (err == 0)
        err = img_row_decode(blob->row, &row);
    if (err == 0)
        err = store_reserve(store, &row, &place);
    if (err != 0)
        return err;
    const struct flash_area image = store_place(store, place);
    const struct sim_region region = {image.address, image.size};
    const struct sim_region head = {image.address - store->head, store->head};
    err = nb_slot_fill(sim, &region, blob->data, blob->size);
    if (err == 0)
        err = nb_slot_fill(sim, &head, blob->row, IMG_ROW_SIZE);
    store->state.entries[place] =
        (struct store_entry){valid ? IMG_ROW_VALID : IMG_ROW_DOWNLOADED, 0, row.version,
                             ota_crc32(0, blob->row, IMG_ROW_SIZE)};
    return err != 0 ? err : store_commit(store);
}

static int no_counter(void *context, uint32_t *value)
{
    (void)context;
    *value = 0;
    return 0;
}

static int no_raise(void *context, uint32_t value)
{
    (void)context;
    (void)value;
    return 0;
}

int nb_stored_switch_on(struct flash_sim *sim, const struct sim_device *device)
{
    const struct nv_port nv = {NULL, no_counter, no_raise};
    struct boot_config config;
    struct boot_result result;
    uint8_t buffer[SIM_COPY_BUFFER];
    struct crypto_openssl *crypto = crypto_openssl_new(sim, false);
    if (crypto == NULL)
        return OTA_E_NO_SPACE;
    sim_device_boot_config(device, flash_sim_port(sim), crypto_openssl_port(crypto), &nv, NULL,
                           buffer, sizeof buffer, &config);
    int err = boot_go(&config, &result);
    crypto_openssl_free(crypto);
    return err;
}

struct sim_region nb_stored_region(struct flash_sim *sim, const struct sim_device *device,
                                   const struct img_version *version)
{
    struct opened opened;
    uint32_t number;
    uint8_t place = STORE_PLACES;
    if (open_store(&opened, sim, device) == 0 && img_harmony_number(version, &number) == 0)
        place = store_find(&opened.store, number);
    return nb_stored_place(sim, device, place);
}

struct sim_region nb_stored_place(struct flash_sim *sim, const struct sim_device *device,
                                  uint8_t place)
{
    struct opened opened;
    if (open_store(&opened, sim, device) != 0 || place >= opened.store.places)
        return (struct sim_region){0, 0};
    const struct flash_area image = store_place(&opened.store, place);
    return (struct sim_region){image.address, image.size};
}

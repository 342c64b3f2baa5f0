#include "harness/image/factory.h"

#include "harness/image/harmony.h"

#include <stdlib.h>
#include <string.h>

static const char *const ROW = "the factory's row";

/* Where a region of the device lies in the file. */
static uint64_t start_of(const struct sim_region *region, uint32_t base)
{
    return (uint64_t)base + region->address;
}

static uint64_t end_of(const struct nb_hex_piece *piece)
{
    return (uint64_t)piece->address + piece->size;
}

/* One past the last byte of the application, or 0. What lies across the slot's end is nobody's. */
static int find_end(const struct nb_hex *hex, uint64_t from, uint64_t to, uint64_t *end,
                    char *reason, size_t size)
{
    *end = 0;
    for (size_t i = 0; i < hex->count; i++) {
        const struct nb_hex_piece *piece = &hex->pieces[i];
        if (end_of(piece) <= from || piece->address >= to)
            continue;
        if (end_of(piece) > to) {
            snprintf(reason, size,
                     "%.100s: 0x%08X to 0x%08X goes beyond the slot, which is 0x%08X to 0x%08X",
                     piece->from, piece->address, (uint32_t)(end_of(piece) - 1), (uint32_t)from,
                     (uint32_t)(to - 1));
            return OTA_E_IMG_SIZE;
        }
        *end = end_of(piece) > *end ? end_of(piece) : *end;
    }
    return 0;
}

int nb_factory_add_row(struct nb_hex *hex, const struct sim_device *device, uint32_t base,
                       const char *key_path, struct img_row *row, char *reason, size_t reason_size)
{
    uint64_t from = start_of(&device->primary, base);
    uint64_t to = from + device->primary.size;
    uint64_t row_at = start_of(&device->factory, base);
    uint64_t end;
    uint8_t raw[IMG_ROW_SIZE];
    if (device->factory.size < IMG_ROW_SIZE || to > UINT32_MAX || row_at > UINT32_MAX) {
        snprintf(reason, reason_size, "%s has no factory area at addresses of 32 bits",
                 device->name);
        return OTA_E_ARGUMENT;
    }
    int err = find_end(hex, from, to, &end, reason, reason_size);
    if (err != 0)
        return err;
    if (end == 0) {
        snprintf(reason, reason_size, "nothing lies in the slot, 0x%08X to 0x%08X", (uint32_t)from,
                 (uint32_t)(to - 1));
        return OTA_E_NO_IMAGE;
    }
    uint32_t size = (uint32_t)(end - from);
    uint8_t *image = malloc(size);
    if (image == NULL)
        return OTA_E_NO_SPACE;
    (void)nb_hex_fill(hex, (uint32_t)from, size, image);
    row->type = IMG_ROW_FACTORY;
    err = nb_harmony_sign(image, size, key_path, row, reason, reason_size);
    free(image);
    if (err != 0)
        return err;
    img_row_encode(row, raw);
    return nb_hex_add_bytes(hex, (uint32_t)row_at, raw, sizeof raw, ROW, reason, reason_size);
}

struct filling {
    const struct nb_hex *hex;
    uint32_t base;
};

static int fill(void *context, struct flash_sim *sim)
{
    const struct filling *filling = context;
    uint64_t end = (uint64_t)filling->base + flash_sim_size(sim);
    int err = 0;
    for (size_t i = 0; err == 0 && i < filling->hex->count; i++) {
        const struct nb_hex_piece *piece = &filling->hex->pieces[i];
        if (piece->address >= filling->base && end_of(piece) <= end)
            err = flash_sim_put(sim, piece->address - filling->base, piece->data, piece->size);
    }
    return err;
}

int nb_factory_flash(const struct nb_hex *hex, const struct sim_device *device, uint32_t base,
                     const char *path, char *reason, size_t reason_size)
{
    struct filling filling = {hex, base};
    struct flash_text_error error = {.message = ""};
    struct flash_sim *sim = NULL;
    bool created = false;
    int err = flash_sim_file_filled(path, device->chips, device->chip_count, fill, &filling,
                                    &created, &sim, &error);
    if (err == 0)
        flash_sim_close(sim);
    if (err == 0 && created)
        return 0;
    snprintf(reason, reason_size, "%s: %s", path, err == 0 ? "exists already" : error.message);
    return err == 0 ? OTA_E_BUSY : err;
}

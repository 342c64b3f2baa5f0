/* The posix engine's steps on the flash file, while no device process runs. */
#include "harness/image/image.h"
#include "harness/run/posix_run.h"
#include "harness/run/slot.h"
#include "sim/posix/nv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct sim_region *region_of(const struct nb_posix *run, unsigned slot)
{
    return slot == 0 ? &run->device.primary : &run->device.secondary;
}

static int open_flash(struct nb_posix *run, struct flash_sim **sim, struct flash_text_error *error)
{
    bool created;
    struct flash_text_error inner = {0};
    int rc = flash_sim_file(run->flash_path, run->device.chips, run->device.chip_count, &created,
                            sim, &inner);
    if (rc)
        snprintf(error->message, sizeof error->message, "%.70s: %.85s", run->flash_path,
                 inner.message[0] ? inner.message : ota_err_text(rc));
    return rc;
}

/* Bytes as they lie in the file; the caller frees. */
static int read_region(const struct nb_posix *run, const struct sim_region *region, uint8_t **out)
{
    *out = malloc(region->size ? region->size : 1);
    int fd = open(run->flash_path, O_RDONLY | O_CLOEXEC);
    bool good = *out && fd >= 0;
    for (uint32_t done = 0; good && done < region->size;) {
        ssize_t got =
            pread(fd, *out + done, region->size - done, (off_t)region->address + (off_t)done);
        good = got > 0;
        done += good ? (uint32_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    if (good)
        return 0;
    free(*out);
    *out = NULL;
    return OTA_E_IO;
}

void nb_posix_known(const struct nb_image *image, const struct nb_blob *blob,
                    struct nb_oracle_image *out)
{
    memset(out, 0, sizeof *out);
    out->version = image->version;
    out->data = blob->data;
    out->size = blob->size;
    out->end = blob->end;
    out->genuine = blob->genuine;
    struct img_info info;
    const struct img_rules rules = {0};
    if (image->file[0] && nb_image_check(blob->data, blob->size, &rules, &info, NULL) == 0)
        out->version = info.header.version;
}

static int put_image(struct nb_posix *run, struct flash_sim *sim, unsigned slot,
                     const struct nb_image *image, const struct nb_step *step,
                     struct flash_text_error *error)
{
    const struct sim_region *region = region_of(run, slot);
    const struct flash_area area = {flash_sim_port(sim), region->address, region->size};
    bool pending = step && step->pending;
    bool confirmed = step && step->confirmed;
    struct nb_blob blob;
    uint8_t *padded = NULL;
    uint8_t erased = 0xFF;
    int rc =
        nb_kit_image(run->cell->kit, run->script, run->cell, &run->device, image, &blob, error);
    if (rc == 0)
        rc = nb_slot_erased(sim, region, &erased);
    if (rc == 0 && confirmed)
        rc = nb_image_pad(blob.data, blob.size, region->size, &run->device.format, erased, false,
                          true, &padded);
    if (rc == 0)
        rc = nb_slot_fill(sim, region, padded ? padded : blob.data,
                          padded ? region->size : blob.size);
    free(padded);
    if (rc == 0 && pending)
        rc = img_set_pending(&area, &run->device.format, step->permanent || run->cell->permanent);
    if (rc)
        return rc;
    struct nb_oracle_image known;
    nb_posix_known(image, &blob, &known);
    nb_oracle_put(&run->oracle, slot, &known, pending, !step || confirmed);
    return 0;
}

int nb_posix_make_flash(struct nb_posix *run, struct flash_text_error *error)
{
    struct flash_sim *sim = NULL;
    int rc = open_flash(run, &sim, error);
    if (rc)
        return rc;
    const struct nb_image *factory = nb_script_factory(run->script);
    if (factory)
        rc = put_image(run, sim, 0, factory, NULL, error);
    flash_sim_close(sim);
    return rc ? rc : read_region(run, &run->device.loader, &run->loader_before);
}

static int damage(struct nb_posix *run, struct flash_sim *sim, const struct nb_step *step,
                  struct flash_text_error *error)
{
    const struct sim_region *region = region_of(run, step->slot);
    uint8_t byte;
    nb_oracle_damage(&run->oracle, step->slot);
    if (step->kind == NB_FLASH_ERASE)
        return nb_slot_fill(sim, region, NULL, 0);
    uint32_t at;
    int rc = nb_slot_offset(region, step->value, step->from_end, &at);
    if (rc) {
        snprintf(error->message, sizeof error->message, "offset %u lies outside the slot",
                 step->value);
        return rc;
    }
    at += region->address;
    if (step->kind == NB_FLASH_BREAK)
        return flash_sim_break_unit(sim, at);
    rc = flash_sim_peek(sim, at, &byte, 1);
    byte ^= 1;
    return rc ? rc : flash_sim_put(sim, at, &byte, 1);
}

static int raise_counter(const struct nb_posix *run, uint32_t value)
{
    struct posix_nv nv;
    char path[NB_PATH + 8];
    snprintf(path, sizeof path, "%s.nv", run->flash_path);
    int rc = posix_nv_init(&nv, path);
    return rc ? rc : nv.port.raise(nv.port.context, value);
}

int nb_posix_flash_step(struct nb_posix *run, const struct nb_step *step,
                        struct flash_text_error *error)
{
    struct flash_sim *sim = NULL;
    if (step->kind == NB_DEVICE_COUNTER)
        return raise_counter(run, step->value);
    int rc = open_flash(run, &sim, error);
    if (rc)
        return rc;
    rc = step->kind == NB_FLASH_IMAGE
             ? put_image(run, sim, step->slot, &run->script->images[step->image], step, error)
             : damage(run, sim, step, error);
    flash_sim_close(sim);
    return rc;
}

/* ---- looking ----------------------------------------------------------------------------- */

bool nb_posix_expect_flash(struct nb_posix *run, const struct nb_step *step, char reason[NB_LINE])
{
    const struct sim_region *region = region_of(run, step->slot);
    struct flash_text_error error = {0};
    struct nb_blob blob = {0};
    uint8_t *slot = NULL;
    struct flash_sim *sim = NULL;
    uint8_t erased = 0xFF;
    int rc = open_flash(run, &sim, &error);
    if (rc == 0) {
        rc = nb_slot_erased(sim, region, &erased);
        flash_sim_close(sim);
    }
    if (rc == 0)
        rc = read_region(run, region, &slot);
    if (rc == 0 && step->image >= 0)
        rc = nb_kit_image(run->cell->kit, run->script, run->cell, &run->device,
                          &run->script->images[step->image], &blob, &error);
    uint32_t size = step->image >= 0 ? blob.end : region->size;
    uint32_t at = 0;
    if (rc == 0)
        while (at < size && at < region->size &&
               slot[at] == (step->image >= 0 ? blob.data[at] : erased))
            at++;
    bool good = rc == 0 && at == size;
    if (!good)
        snprintf(reason, NB_LINE, "line %u: `%.90s`: slot%u differs at offset %u", step->line,
                 step->text, step->slot, at);
    free(slot);
    return good;
}

int nb_posix_show_flash(struct nb_posix *run)
{
    uint8_t *primary = NULL;
    uint8_t *secondary = NULL;
    uint8_t *loader = NULL;
    int rc = read_region(run, &run->device.primary, &primary);
    if (rc == 0)
        rc = read_region(run, &run->device.secondary, &secondary);
    if (rc == 0)
        rc = read_region(run, &run->device.loader, &loader);
    if (rc == 0) {
        const struct nb_oracle_view view = {
            .primary = primary,
            .primary_size = run->device.primary.size,
            .secondary = secondary,
            .secondary_size = run->device.secondary.size,
            .loader_changed = memcmp(loader, run->loader_before, run->device.loader.size) != 0,
        };
        nb_oracle_flash(&run->oracle, &view);
    }
    free(primary);
    free(secondary);
    free(loader);
    return rc;
}

int nb_posix_fingerprint(const struct nb_posix *run, uint64_t *out)
{
    struct stat info;
    uint8_t *bytes = NULL;
    if (stat(run->flash_path, &info) != 0 || info.st_size > UINT32_MAX)
        return OTA_E_IO;
    const struct sim_region whole = {0, (uint32_t)info.st_size};
    int rc = read_region(run, &whole, &bytes);
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; rc == 0 && i < whole.size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    free(bytes);
    *out = hash;
    return rc;
}

/* Steps on the flash, while no device runs, and looks at it. */
#include "harness/image/image.h"
#include "harness/run/play.h"
#include "harness/run/slot.h"
#include "harness/run/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a store, slot 1 is where the image lies that was last put there, or else is on offer; size 0:
 * it does not. */
static struct sim_region region_of(const struct nb_play *play, struct flash_sim *sim, unsigned slot)
{
    const struct nb_oracle *oracle = &play->unit->oracle;
    int index = oracle->in_slot[1] >= 0 ? oracle->in_slot[1] : oracle->offered;
    if (slot == 0)
        return play->device.primary;
    if (!play->device.scheme->store)
        return play->device.secondary;
    if (index < 0)
        return (struct sim_region){0, 0};
    return nb_stored_region(sim, &play->device, &oracle->images[index].version);
}

/* Bytes as they lie there; the caller frees. */
static int read_region(struct nb_play *play, const struct sim_region *region, uint8_t **out)
{
    struct flash_sim *sim = NULL;
    struct flash_text_error error;
    *out = malloc(region->size ? region->size : 1);
    int rc = *out ? play->stage->open_flash(play, &sim, &error) : OTA_E_NO_SPACE;
    if (rc == 0) {
        rc = flash_sim_peek(sim, region->address, *out, region->size);
        play->stage->close_flash(play, sim);
    }
    if (rc == 0)
        return 0;
    free(*out);
    *out = NULL;
    return rc;
}

void nb_play_known(const struct nb_image *image, const struct nb_blob *blob,
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

/* Into a slot, with its trailer. */
static int put_whole(struct nb_play *play, struct flash_sim *sim, unsigned slot,
                     const struct nb_blob *blob, const struct nb_step *step)
{
    const struct sim_region region = region_of(play, sim, slot);
    const struct flash_area area = {flash_sim_port(sim), region.address, region.size};
    const struct img_trailer_format format = sim_device_format(&play->device, area.flash);
    bool confirmed = step && step->confirmed && !play->device.scheme->in_status;
    uint8_t *padded = NULL;
    uint8_t erased = 0xFF;
    int rc = nb_slot_erased(sim, &region, &erased);
    if (rc == 0 && confirmed)
        rc = nb_image_pad(blob->data, blob->size, region.size, &format, erased, false, true,
                          &padded);
    if (rc == 0)
        rc = nb_slot_fill(sim, &region, padded ? padded : blob->data,
                          padded ? region.size : blob->size);
    free(padded);
    if (rc == 0)
        rc = nb_slot_forget(sim, &play->device, slot);
    if (rc == 0 && step && step->pending)
        rc = img_set_pending(&area, &format, step->permanent || play->cell->permanent);
    return rc;
}

/* Into a store, as if it had been downloaded before; or as the factory's, on a device that was
 * switched on once unless the script puts it there itself. */
static int put_stored(struct nb_play *play, struct flash_sim *sim, unsigned slot,
                      const struct nb_blob *blob, const struct nb_step *step)
{
    if (slot == 0) {
        int rc = nb_stored_factory(sim, &play->device, blob);
        return rc || step ? rc : nb_stored_switch_on(sim, &play->device);
    }
    if (!step->pending && !step->confirmed) { /* not there yet: `device pending` downloads it */
        play->unit->staged = *blob;
        return 0;
    }
    return nb_stored_insert(sim, &play->device, blob,
                            step->confirmed || step->permanent || play->cell->permanent);
}

static int put_image(struct nb_play *play, struct flash_sim *sim, unsigned slot,
                     const struct nb_image *image, const struct nb_step *step,
                     struct flash_text_error *error)
{
    bool in_store = play->device.scheme->store;
    struct nb_blob blob;
    int rc =
        nb_kit_image(play->cell->kit, play->script, play->cell, &play->device, image, &blob, error);
    if (rc == 0)
        rc = in_store ? put_stored(play, sim, slot, &blob, step)
                      : put_whole(play, sim, slot, &blob, step);
    if (rc)
        return rc;
    struct nb_oracle_image known;
    nb_play_known(image, &blob, &known);
    bool asked = step && (step->pending || (in_store && step->confirmed));
    nb_oracle_put(&play->unit->oracle, slot, &known, asked, !step || step->confirmed);
    return 0;
}

int nb_play_fill_flash(struct nb_play *play, struct flash_text_error *error)
{
    struct flash_sim *sim = NULL;
    int rc = play->stage->open_flash(play, &sim, error);
    if (rc)
        return rc;
    const struct nb_image *factory = nb_script_factory(play->script);
    if (factory)
        rc = put_image(play, sim, 0, factory, NULL, error);
    /* Where its places are can only be read while the flash has power. */
    for (uint8_t i = 0; rc == 0 && play->device.scheme->store && i < STORE_PLACES; i++)
        play->places[i] = nb_stored_place(sim, &play->device, i);
    play->stage->close_flash(play, sim);
    if (rc || play->loader_before)
        return rc;
    return read_region(play, &play->device.loader, &play->loader_before);
}

/* A store is damaged as a whole: all its places are slot 1. */
static const struct sim_region *whole_region(const struct nb_play *play, unsigned slot)
{
    return slot == 0 ? &play->device.primary : &play->device.secondary;
}

static int erase(struct nb_play *play, struct flash_sim *sim, unsigned slot)
{
    int rc = nb_slot_fill(sim, whole_region(play, slot), NULL, 0);
    return rc ? rc : nb_slot_forget(sim, &play->device, slot);
}

static int damage(struct nb_play *play, struct flash_sim *sim, const struct nb_step *step,
                  struct flash_text_error *error)
{
    const struct sim_region *region = whole_region(play, step->slot);
    uint8_t byte;
    nb_oracle_damage(&play->unit->oracle, step->slot);
    if (step->kind == NB_FLASH_ERASE)
        return erase(play, sim, step->slot);
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
    if (step->kind == NB_FLASH_WEAKEN)
        return flash_sim_weaken_unit(sim, at);
    if (step->kind == NB_FLASH_STICK)
        return flash_sim_stick_sector(sim, at);
    rc = flash_sim_peek(sim, at, &byte, 1);
    byte ^= 1;
    return rc ? rc : flash_sim_put(sim, at, &byte, 1);
}

int nb_play_flash_step(struct nb_play *play, const struct nb_step *step,
                       struct flash_text_error *error)
{
    struct flash_sim *sim = NULL;
    if (step->kind == NB_DEVICE_COUNTER)
        return play->stage->raise_counter(play, step->value);
    int rc = play->stage->open_flash(play, &sim, error);
    if (rc)
        return rc;
    rc = step->kind == NB_FLASH_IMAGE
             ? put_image(play, sim, step->slot, &play->script->images[step->image], step, error)
             : damage(play, sim, step, error);
    play->stage->close_flash(play, sim);
    return rc;
}

/* ---- looking ----------------------------------------------------------------------------- */

bool nb_play_expect_flash(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE])
{
    struct sim_region region = {0, 0};
    struct flash_text_error error = {0};
    struct nb_blob blob = {0};
    uint8_t *slot = NULL;
    struct flash_sim *sim = NULL;
    uint8_t erased = 0xFF;
    int rc = play->stage->open_flash(play, &sim, &error);
    if (rc == 0) {
        region = region_of(play, sim, step->slot);
        rc = region.size ? nb_slot_erased(sim, &region, &erased) : OTA_E_NO_IMAGE;
        play->stage->close_flash(play, sim);
    }
    if (rc == 0)
        rc = read_region(play, &region, &slot);
    if (rc == 0 && step->image >= 0)
        rc = nb_kit_image(play->cell->kit, play->script, play->cell, &play->device,
                          &play->script->images[step->image], &blob, &error);
    uint32_t size = step->image >= 0 ? blob.end : region.size;
    uint32_t at = 0;
    bool good = rc == 0 && size <= region.size;
    if (good && step->image >= 0 && memcmp(slot, blob.data, size) == 0)
        at = size;
    while (good && at < size && slot[at] == (step->image >= 0 ? blob.data[at] : erased))
        at++;
    good = good && at == size;
    if (!good)
        snprintf(reason, NB_LINE, "line %u: `%.90s`: slot%u differs at offset %u", step->line,
                 step->text, step->slot, at);
    free(slot);
    return good;
}

bool nb_play_expect_wear(struct nb_play *play, const struct nb_step *step, char reason[NB_LINE])
{
    struct flash_sim *sim = NULL;
    struct flash_text_error error = {0};
    struct flash_stats stats = {0};
    int rc = play->stage->open_flash(play, &sim, &error);
    if (rc == 0) {
        flash_sim_stats(sim, &stats);
        play->stage->close_flash(play, sim);
    }
    if (rc == 0 && stats.most_erases <= step->value)
        return true;
    snprintf(reason, NB_LINE, "line %u: the sector at 0x%06x was erased %u times", step->line,
             stats.most_erases_at, stats.most_erases);
    return false;
}

/* Where a download goes: the secondary slot, or the place of a store that holds most of what is on
 * offer. */
static int read_secondary(struct nb_play *play, struct sim_region *region, uint8_t **out)
{
    struct flash_sim *sim = NULL;
    struct flash_text_error error;
    const struct nb_oracle *oracle = &play->unit->oracle;
    const struct nb_oracle_image *image =
        oracle->offered >= 0 ? &oracle->images[oracle->offered] : NULL;
    uint32_t most = 0;
    *region = play->device.secondary;
    if (!play->device.scheme->store || !image || !image->data)
        return read_region(play, region, out);
    int rc = play->stage->open_flash(play, &sim, &error);
    for (size_t i = 0; rc == 0 && i < STORE_PLACES; i++) {
        const struct sim_region place = play->places[i];
        const uint32_t size = image->size < place.size ? image->size : place.size;
        uint8_t *bytes = malloc(size ? size : 1);
        rc = bytes ? flash_sim_peek(sim, place.address, bytes, size) : OTA_E_NO_SPACE;
        uint32_t there = rc == 0 ? nb_oracle_equal_bytes(image, bytes, size) : 0;
        if (there > most)
            *region = place;
        most = there > most ? there : most;
        free(bytes);
    }
    if (sim)
        play->stage->close_flash(play, sim);
    return rc ? rc : read_region(play, region, out);
}

int nb_play_show_flash(struct nb_play *play)
{
    uint8_t *primary = NULL;
    uint8_t *secondary = NULL;
    uint8_t *loader = NULL;
    struct sim_region download;
    int rc = read_region(play, &play->device.primary, &primary);
    if (rc == 0)
        rc = read_secondary(play, &download, &secondary);
    if (rc == 0)
        rc = read_region(play, &play->device.loader, &loader);
    if (rc == 0) {
        const struct nb_oracle_view view = {
            .primary = primary,
            .primary_size = play->device.primary.size,
            .secondary = secondary,
            .secondary_size = download.size,
            .loader_changed = memcmp(loader, play->loader_before, play->device.loader.size) != 0,
        };
        nb_oracle_flash(&play->unit->oracle, &view);
    }
    free(primary);
    free(secondary);
    free(loader);
    return rc;
}

int nb_play_fingerprint(struct nb_play *play, uint64_t *out)
{
    struct flash_sim *sim = NULL;
    struct flash_text_error error;
    int rc = play->stage->open_flash(play, &sim, &error);
    if (rc)
        return rc;
    *out = flash_sim_fingerprint(sim, 0, flash_sim_size(sim));
    play->stage->close_flash(play, sim);
    return 0;
}

int nb_play_fingerprint_all(struct nb_play *play, uint64_t *out)
{
    int rc = 0;
    *out = 0;
    for (size_t i = 0; i < play->unit_count && rc == 0; i++) {
        uint64_t one = 0;
        play->unit = &play->units[i];
        rc = nb_play_fingerprint(play, &one);
        *out = (*out << 7 | *out >> 57) ^ one;
    }
    play->unit = &play->units[0];
    return rc;
}

/* The bench's steps that only touch flash: images put down, damage, and what lies there. */
#include "harness/run/bench.h"
#include "harness/run/slot.h"
#include "harness/run/stored.h"

#include <stdlib.h>
#include <string.h>

/* How the blob is known: by its own header, or in a store by what its row says. False: nothing that
 * could ever run. */
static bool identify(const struct nb_bench *bench, const struct nb_blob *blob,
                     struct img_version *version, uint32_t *end)
{
    const struct img_rules rules = {0};
    struct img_info info;
    struct img_fault fault;
    struct img_row row;
    if (bench->device.scheme->store) {
        if (img_row_decode(blob->row, &row) != 0)
            return false;
        *version = img_harmony_version(row.version);
        *end = blob->end;
        return true;
    }
    if (nb_image_check(blob->data, blob->size, &rules, &info, &fault) != 0)
        return false;
    *version = info.header.version;
    *end = info.end;
    return true;
}

static const struct sim_region *slot_region(const struct nb_bench *bench, unsigned slot)
{
    return slot == 0 ? &bench->device.primary : &bench->device.secondary;
}

/* Remembers how the image looks in the primary slot, and its version from its own header. */
static int learn(struct nb_bench *bench, const struct nb_blob *blob, struct img_version *version)
{
    struct nb_bench_known *known = &bench->known[bench->known_count];
    uint32_t end;
    memset(version, 0, sizeof *version);
    if (!identify(bench, blob, version, &end) || end > bench->device.primary.size)
        return 0; /* nothing that could ever run */
    for (size_t i = 0; i < bench->known_count; i++)
        if (bench->known[i].data == blob->data)
            return 0;
    if (bench->known_count == NB_BENCH_IMAGES)
        return OTA_E_NO_SPACE;
    struct flash_sim *scratch = flash_sim_memory(bench->device.chips, bench->device.chip_count);
    if (scratch == NULL)
        return OTA_E_NO_SPACE;
    uint32_t size = end < blob->size ? end : blob->size;
    int err = flash_sim_put(scratch, bench->device.primary.address, blob->data, size);
    known->version = *version;
    known->end = end;
    known->genuine = blob->genuine;
    known->data = blob->data;
    known->fingerprint = flash_sim_fingerprint(scratch, bench->device.primary.address, end);
    bench->known_count += err == 0;
    flash_sim_close(scratch);
    return err;
}

static int put_whole(struct nb_bench *bench, unsigned slot, const struct nb_blob *blob,
                     const struct nb_step *step)
{
    uint8_t *padded = NULL;
    uint8_t erased;
    int err = nb_slot_erased(bench->sim, slot_region(bench, slot), &erased);
    if (err == 0 && step != NULL && step->confirmed && !bench->device.scheme->in_status)
        err = nb_image_pad(blob->data, blob->size, slot_region(bench, slot)->size,
                           &bench->device.format, erased, false, true, &padded);
    if (err == 0)
        err =
            nb_slot_fill(bench->sim, slot_region(bench, slot), padded != NULL ? padded : blob->data,
                         padded != NULL ? slot_region(bench, slot)->size : blob->size);
    free(padded);
    if (err == 0)
        err = nb_slot_forget(bench->sim, &bench->device, slot);
    if (err == 0 && step != NULL && step->pending)
        err = img_set_pending(slot == 0 ? &bench->config.primary : &bench->config.secondary,
                              &bench->config.format, nb_bench_permanent(bench, step));
    return err;
}

/* In a store, slot 1 is whatever place is free. What nobody asked for is not there yet: the
 * application downloads it. */
static int put_stored(struct nb_bench *bench, unsigned slot, const struct nb_blob *blob,
                      const struct nb_step *step)
{
    bool asked = step != NULL && (step->pending || step->confirmed);
    if (slot == 0)
        return nb_stored_factory(bench->sim, &bench->device, blob);
    if (!asked) {
        bench->state.staged = *blob;
        return 0;
    }
    return nb_stored_insert(bench->sim, &bench->device, blob,
                            step->confirmed || nb_bench_permanent(bench, step));
}

int nb_bench_put(struct nb_bench *bench, unsigned slot, const struct nb_image *image,
                 const struct nb_step *step, struct flash_text_error *error)
{
    struct nb_blob blob;
    struct nb_oracle_image known = {0};
    int err = nb_kit_image(bench->cell->kit, bench->script, bench->cell, &bench->device, image,
                           &blob, error);
    if (err == 0)
        err = learn(bench, &blob, &known.version);
    if (err == 0)
        err = bench->device.scheme->store ? put_stored(bench, slot, &blob, step)
                                          : put_whole(bench, slot, &blob, step);
    if (err != 0) {
        if (error->message[0] == '\0')
            snprintf(error->message, sizeof error->message, "%s", ota_err_text(err));
        return err;
    }
    known.data = blob.data;
    known.size = blob.size;
    known.genuine = blob.genuine;
    bool asked =
        step != NULL && (step->pending || (bench->device.scheme->store && step->confirmed));
    nb_oracle_put(&bench->state.oracle, slot, &known, asked, step == NULL || step->confirmed);
    return 0;
}

/* ---- images that are pushed -------------------------------------------------------------- */

int nb_bench_offer(struct nb_bench *bench, const struct nb_step *step, struct nb_blob *blob)
{
    struct flash_text_error error = {0};
    struct nb_oracle_image known = {0};
    int err = nb_kit_image(bench->cell->kit, bench->script, bench->cell, &bench->device,
                           &bench->script->images[step->image], blob, &error);
    if (err == 0)
        err = learn(bench, blob, &known.version);
    if (err != 0)
        return err;
    known.data = blob->data;
    known.size = blob->size;
    known.genuine = blob->genuine;
    nb_oracle_offer(&bench->state.oracle, &known);
    return 0;
}

/* What a scenario looks at; the rest would push it out of the list. */
static void on_push(void *context, const char *line, int code)
{
    (void)code;
    if (strncmp(line, "state ", 6) != 0 && strncmp(line, "progress ", 9) != 0)
        nb_bench_event(context, "%s", line);
}

int nb_bench_push(struct nb_bench *bench, const struct nb_step *step)
{
    struct sim_push_plan plan = step->push;
    struct ota_progress progress;
    struct ota_push push;
    struct nb_blob blob;
    int err = bench->device.scheme->store ? OTA_E_UNSUPPORTED : nb_bench_offer(bench, step, &blob);
    if (err == 0)
        err =
            sim_push_init(&push, &bench->device, &bench->config, bench->cell->permanent, &progress);
    if (err != 0)
        return err;
    plan.image = blob.data;
    plan.size = blob.size;
    err = sim_push(&push, &plan, on_push, bench);
    return err == OTA_E_POWER ? err : 0; /* an event has said what was refused */
}

/* ---- damage ------------------------------------------------------------------------------ */

static int erase(struct nb_bench *bench, unsigned slot)
{
    int err = nb_slot_fill(bench->sim, slot_region(bench, slot), NULL, 0);
    return err != 0 ? err : nb_slot_forget(bench->sim, &bench->device, slot);
}

int nb_bench_damage(struct nb_bench *bench, const struct nb_step *step,
                    struct flash_text_error *error)
{
    const struct sim_region *region = slot_region(bench, step->slot);
    uint32_t at;
    uint8_t byte;
    nb_oracle_damage(&bench->state.oracle, step->slot);
    if (step->kind == NB_FLASH_ERASE)
        return erase(bench, step->slot);
    int err = nb_slot_offset(region, step->value, step->from_end, &at);
    if (err != 0) {
        snprintf(error->message, sizeof error->message, "offset %u lies outside the slot",
                 step->value);
        return err;
    }
    if (step->kind == NB_FLASH_BREAK)
        return flash_sim_break_unit(bench->sim, region->address + at);
    if (step->kind == NB_FLASH_WEAKEN)
        return flash_sim_weaken_unit(bench->sim, region->address + at);
    if (step->kind == NB_FLASH_STICK)
        return flash_sim_stick_sector(bench->sim, region->address + at);
    err = flash_sim_peek(bench->sim, region->address + at, &byte, 1);
    byte ^= 1;
    return err != 0 ? err : flash_sim_put(bench->sim, region->address + at, &byte, 1);
}

enum nb_verdict nb_bench_expect_wear(struct nb_bench *bench, const struct nb_step *step,
                                     char reason[NB_LINE])
{
    struct flash_stats stats;
    flash_sim_stats(bench->sim, &stats);
    if (stats.most_erases <= step->value)
        return NB_PASS;
    snprintf(reason, NB_LINE, "line %u: the sector at 0x%06x was erased %u times", step->line,
             stats.most_erases_at, stats.most_erases);
    return NB_FAIL;
}

enum nb_verdict nb_bench_expect_flash(struct nb_bench *bench, const struct nb_step *step,
                                      char reason[NB_LINE])
{
    const struct sim_region *region = slot_region(bench, step->slot);
    struct nb_blob blob = {0};
    struct flash_text_error error = {0};
    uint8_t *content = malloc(region->size);
    uint8_t erased = 0xFF;
    int err = content == NULL ? OTA_E_NO_SPACE : nb_slot_erased(bench->sim, region, &erased);
    if (err == 0)
        err = flash_sim_peek(bench->sim, region->address, content, region->size);
    if (err == 0 && step->image >= 0)
        err = nb_kit_image(bench->cell->kit, bench->script, bench->cell, &bench->device,
                           &bench->script->images[step->image], &blob, &error);
    uint32_t size = step->image >= 0 ? blob.size : region->size;
    bool good = err == 0 && size <= region->size;
    if (good && step->image >= 0)
        good = memcmp(content, blob.data, size) == 0;
    for (uint32_t i = 0; good && step->image < 0 && i < size; i++)
        good = content[i] == erased;
    free(content);
    if (err != 0)
        snprintf(reason, NB_LINE, "line %u: %s", step->line,
                 error.message[0] != '\0' ? error.message : ota_err_text(err));
    else if (!good)
        snprintf(reason, NB_LINE, "line %u: slot%u does not hold what `%.80s` says", step->line,
                 step->slot, step->text);
    return err != 0 ? NB_ERROR : good ? NB_PASS : NB_FAIL;
}

#include "harness/prove/costs.h"

#include "harness/cli/paths.h"
#include "harness/run/matrix.h"
#include "sim/crypto_openssl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the bound --------------------------------------------------------------------------- */

/* Bytes of the largest program that a loader with our buffer does on the part. */
static uint32_t largest_program(const struct flash_part *part)
{
    return part->page != 0 && part->page < SIM_COPY_BUFFER ? part->page : SIM_COPY_BUFFER;
}

static bool is_blank(const uint8_t *data, uint32_t size, uint8_t erased)
{
    return data[0] == erased && memcmp(data, data + 1, size - 1) == 0;
}

static void add(struct nb_cost *to, const struct nb_cost *from)
{
    to->programs += from->programs;
    to->erases += from->erases;
    to->us += from->us;
}

static struct nb_cost erasing(const struct flash_part *part, uint64_t sectors)
{
    return (struct nb_cost){.erases = sectors, .us = sectors * part->t_erase_us};
}

/* Programming `data` into erased flash: as few programs as cover all that is not erased, and of the
 * time what such pieces take. */
static struct nb_cost programming(const struct flash_part *part, const uint8_t *data, uint32_t size)
{
    struct nb_cost cost = {0};
    uint32_t most = largest_program(part);
    for (uint32_t at = 0; at < size;) {
        if (data[at] == part->erased) {
            at++;
            continue;
        }
        uint32_t end = at + most - (part->page != 0 ? at % most : 0);
        end = end < size ? end : size;
        cost.programs++;
        for (uint32_t from = at; from < end && part->program_per != 0; from += part->program_per) {
            uint32_t length = end - from < part->program_per ? end - from : part->program_per;
            cost.us += is_blank(data + from, length, part->erased) ? 0 : part->t_program_us;
        }
        at = end;
    }
    return cost;
}

struct nb_cost nb_costs_bound(const struct sim_device *device, const uint8_t *old,
                              const uint8_t *new, uint32_t size)
{
    const struct flash_part *part = &device->chips[0].part;
    bool swaps = device->scheme->reverts;
    struct nb_cost bound = {0};
    uint64_t third = 0; /* bytes that wait elsewhere */
    uint32_t largest = 0;
    uint32_t pairs = 0;
    struct flash_sim *sim = flash_sim_memory(device->chips, device->chip_count);
    const struct flash_port *port = sim != NULL ? flash_sim_port(sim) : NULL;
    struct flash_sector sector;
    for (size_t i = 0; i < part->run_count; i++)
        largest = part->runs[i].size > largest ? part->runs[i].size : largest;
    for (uint32_t at = 0; port != NULL && at < size; at += sector.size) {
        if (port->sector(port->context, device->primary.address + at, &sector) != 0)
            break;
        uint32_t length = size - at < sector.size ? size - at : sector.size;
        bool has_old = !is_blank(old + at, length, part->erased);
        bool has_new = !is_blank(new + at, length, part->erased);
        if (memcmp(old + at, new + at, length) == 0)
            continue;
        struct nb_cost to_primary = programming(part, new + at, length);
        struct nb_cost to_secondary = programming(part, old + at, length);
        struct nb_cost erases = erasing(part, (uint64_t)has_old + (swaps && has_new));
        add(&bound, &erases);
        add(&bound, &to_primary);
        if (!swaps)
            continue;
        add(&bound, &to_secondary);
        if (!has_old || !has_new)
            continue;
        add(&bound, to_primary.us < to_secondary.us ? &to_primary : &to_secondary);
        third += sector.size;
        pairs++;
    }
    struct nb_cost elsewhere = erasing(part, largest != 0 ? (third + largest - 1) / largest : 0);
    add(&bound, &elsewhere);
    /* Of a scratch area each sector takes its share; a move has as many sectors as pairs and one
     * more to put all copies but those to the secondary into. */
    uint64_t home =
        device->scratch.size != 0 ? (device->scratch.size + largest - 1) / largest : pairs + 1u;
    uint64_t share = device->scratch.size != 0 ? elsewhere.erases : elsewhere.erases + pairs;
    bound.wear = (uint32_t)(pairs == 0 ? 1 : (share + home - 1) / home);
    if (sim != NULL)
        flash_sim_close(sim);
    return bound;
}

/* ---- the loader's ------------------------------------------------------------------------ */

struct rig {
    struct sim_device device;
    struct flash_sim *sim;
    struct crypto_openssl *crypto;
    struct boot_config config;
    uint8_t buffer[SIM_COPY_BUFFER];
    struct flash_stats before;
};

static int open_rig(struct rig *rig, const struct nb_script *script, const struct nb_cell *cell)
{
    struct flash_text_error error = {0};
    int err = nb_cell_device(script, cell, &rig->device, &error);
    if (err != 0)
        return err;
    rig->sim = flash_sim_memory(rig->device.chips, rig->device.chip_count);
    rig->crypto = rig->sim != NULL ? crypto_openssl_new(rig->sim, true) : NULL;
    if (rig->crypto == NULL)
        return OTA_E_NO_SPACE;
    sim_device_boot_config(&rig->device, flash_sim_port(rig->sim), crypto_openssl_port(rig->crypto),
                           NULL, NULL, rig->buffer, sizeof rig->buffer, &rig->config);
    return 0;
}

static void close_rig(struct rig *rig)
{
    if (rig->crypto != NULL)
        crypto_openssl_free(rig->crypto);
    if (rig->sim != NULL)
        flash_sim_close(rig->sim);
    sim_device_free(&rig->device);
}

/* What was done since the last call. */
static struct nb_cost spent(struct rig *rig)
{
    struct flash_stats now;
    flash_sim_stats(rig->sim, &now);
    const struct nb_cost cost = {now.programs - rig->before.programs,
                                 now.erases - rig->before.erases,
                                 now.modelled_us - rig->before.modelled_us, now.most_erases};
    rig->before = now;
    return cost;
}

static int put(struct rig *rig, const struct nb_script *script, const struct nb_cell *cell,
               unsigned version, const struct sim_region *slot, uint8_t *content, uint32_t *size)
{
    struct nb_blob blob;
    struct flash_text_error error = {0};
    int err = nb_kit_image(cell->kit, script, cell, &rig->device, nb_script_image(script, version),
                           &blob, &error);
    if (err != 0 || blob.size > slot->size)
        return err != 0 ? err : OTA_E_IMG_SIZE;
    memcpy(content, blob.data, blob.size);
    *size = (uint32_t)blob.size > *size ? (uint32_t)blob.size : *size;
    return flash_sim_put(rig->sim, slot->address, blob.data, (uint32_t)blob.size);
}

static int boot(struct rig *rig, unsigned major)
{
    struct boot_result result;
    int err = boot_go(&rig->config, &result);
    return err != 0 ? err : result.image.header.version.major == major ? 0 : OTA_E_NO_IMAGE;
}

static int play(struct rig *rig, struct nb_costs *out)
{
    bool reverts = rig->device.scheme->reverts;
    int err = img_set_pending(&rig->config.secondary, &rig->config.format, false);
    if (err == 0)
        err = boot(rig, 2);
    struct flash_snapshot *trial = err == 0 ? flash_sim_snapshot(rig->sim) : NULL;
    if (err == 0 && trial == NULL)
        err = OTA_E_NO_SPACE;
    if (err == 0)
        err = img_confirm(&rig->config.primary, &rig->config.format);
    out->update = spent(rig);
    if (trial != NULL)
        flash_sim_restore(rig->sim, trial);
    if (err == 0 && reverts)
        err = boot(rig, 1);
    if (err == 0 && reverts)
        out->revert = spent(rig);
    if (trial != NULL)
        flash_snapshot_free(rig->sim, trial);
    return err;
}

int nb_costs_measure(const struct nb_script *script, const struct nb_cell *cell,
                     struct nb_costs *out)
{
    struct rig *rig = calloc(1, sizeof *rig);
    uint32_t size = 0;
    *out = (struct nb_costs){0};
    int err = rig != NULL ? open_rig(rig, script, cell) : OTA_E_NO_SPACE;
    uint32_t room = err == 0 ? rig->device.primary.size : 1;
    uint8_t *old = malloc(room);
    uint8_t *new = malloc(room);
    if (old == NULL || new == NULL)
        err = OTA_E_NO_SPACE;
    if (err == 0) {
        memset(old, rig->device.chips[0].part.erased, room);
        memset(new, rig->device.chips[0].part.erased, room);
        err = put(rig, script, cell, 1, &rig->device.primary, old, &size);
    }
    if (err == 0)
        err = put(rig, script, cell, 2, &rig->device.secondary, new, &size);
    if (err == 0)
        out->bound = nb_costs_bound(&rig->device, old, new, size);
    if (err == 0)
        err = play(rig, out);
    free(old);
    free(new);
    if (rig != NULL)
        close_rig(rig);
    free(rig);
    return err;
}

/* ---- the table --------------------------------------------------------------------------- */

static const char update[] = "title costs\n"
                             "req STOR-02\n"
                             "world virtual\n"
                             "scheme overwrite swap-move swap-scratch swap-status\n"
                             "flash slot0 v1 size=100K\n"
                             "flash slot1 v2 size=100K pending\n"
                             "device boot\n"
                             "expect boot v2\n";

static void print_row(const struct nb_cell *cell, const struct nb_costs *costs, uint32_t endurance)
{
    const struct nb_cost *bound = &costs->bound;
    printf("| %s | %s | %llu (%llu) | %llu (%llu) | %.2f (%.2f) | %u (%u) | %u | ", cell->part,
           cell->scheme, (unsigned long long)costs->update.programs,
           (unsigned long long)bound->programs, (unsigned long long)costs->update.erases,
           (unsigned long long)bound->erases, (double)costs->update.us / 1e6,
           (double)bound->us / 1e6, costs->update.wear, bound->wear,
           costs->update.wear != 0 ? endurance / costs->update.wear : endurance);
    if (costs->revert.erases != 0)
        printf("%llu | %llu | %.2f |\n", (unsigned long long)costs->revert.programs,
               (unsigned long long)costs->revert.erases, (double)costs->revert.us / 1e6);
    else
        printf("- | - | - |\n");
}

static int run_cells(const struct nb_script *script, struct nb_kit *kit)
{
    const struct nb_choice choice = {.every_part = true};
    struct nb_matrix matrix;
    struct flash_text_error error;
    int err = nb_matrix_expand(script, &choice, &matrix, &error);
    if (err != 0) {
        fprintf(stderr, "nobrick bench: %s\n", error.message);
        return err;
    }
    for (size_t i = 0; err == 0 && i < matrix.count && !nb_run_stop; i++) {
        struct nb_cell *cell = &matrix.cells[i];
        struct nb_costs costs;
        struct flash_part part;
        cell->kit = kit;
        err = nb_costs_measure(script, cell, &costs);
        if (err == 0)
            err = flash_part_load(nb_parts_dir(), cell->part, &part, &error);
        if (err == 0)
            print_row(cell, &costs, part.endurance);
        else
            fprintf(stderr, "nobrick bench: %s, %s: %s\n", cell->part, cell->scheme,
                    ota_err_text(err));
    }
    nb_matrix_free(&matrix);
    return err;
}

int nb_bench_costs(struct nb_kit *kit)
{
    struct nb_script script;
    struct flash_text_error error = {0};
    if (nb_script_parse(update, strlen(update), "costs", &script, &error) != 0) {
        fprintf(stderr, "nobrick bench: line %u: %s\n", error.line, error.message);
        return 2;
    }
    printf("| part | scheme | programs | erases | modelled s | most erases of a sector | updates "
           "until worn | programs to revert | erases | s |\n"
           "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    int err = run_cells(&script, kit);
    nb_script_free(&script);
    return err == 0 ? 0 : 2;
}

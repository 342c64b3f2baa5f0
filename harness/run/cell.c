/* The device of a cell. */
#include "harness/cli/paths.h"
#include "harness/run/kit.h"
#include "harness/run/matrix.h"
#include "harness/run/side.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_SYSTEM "anycloud"
#define DEFAULT_PART   "nrf52840"
#define ROW_PART       "psoc6-internal"
#define STORE_PART     "pic32mzw1-internal"
#define DEFAULT_SCHEME "swap-move"

/* Four sectors are the least that a scheme with a way back can work with: trailer, spare and two of
 * image. The others get along with one. */
static uint32_t default_slot(const struct flash_part *part, const struct boot_scheme *scheme)
{
    uint32_t slot = NB_DEFAULT_SLOT;
    uint32_t sectors = scheme->reverts ? 4 : 1;
    for (size_t i = 0; i < part->run_count; i++)
        if (sectors * part->runs[i].size > slot)
            slot = sectors * part->runs[i].size;
    return slot;
}

/* Status records are for parts that program whole rows; a store has the part of its preset. */
static const char *usual_part(const struct boot_scheme *scheme)
{
    if (scheme->store)
        return STORE_PART;
    return scheme->in_status ? ROW_PART : DEFAULT_PART;
}

static int generic_device(const struct nb_script *script, const struct nb_cell *cell,
                          struct sim_device *out, struct flash_text_error *error)
{
    struct flash_part part;
    const char *scheme_name = cell->scheme[0] ? cell->scheme : DEFAULT_SCHEME;
    const struct boot_scheme *scheme = sim_scheme_find(scheme_name);
    if (!scheme) {
        snprintf(error->message, sizeof error->message, "boot scheme %s is not built yet",
                 scheme_name);
        return OTA_E_UNSUPPORTED;
    }
    const char *part_name = cell->part[0] ? cell->part : usual_part(scheme);
    struct flash_text_error inner = {0};
    int rc = flash_part_load(nb_parts_dir(), part_name, &part, &inner);
    if (rc) {
        snprintf(error->message, sizeof error->message, "part %.40s: %.100s", part_name,
                 inner.message);
        return rc;
    }
    uint32_t slot = script->slot_size ? script->slot_size : default_slot(&part, scheme);
    rc = sim_device_generic(&part, scheme, slot, out, error);
    if (rc)
        return rc;
    out->use_counter = script->loader.counter;
    out->validate_primary = !script->loader.no_validate;
    out->refuse_older_version = !script->loader.accept_older;
    return 0;
}

static int preset_device(const struct nb_script *script, const char *name, struct sim_device *out,
                         struct flash_text_error *error)
{
    char path[512];
    int rc = nb_device_path(name, path, sizeof path);
    if (rc) {
        snprintf(error->message, sizeof error->message, "no device %.60s", name);
        return OTA_E_ARGUMENT;
    }
    rc = sim_device_load(path, nb_parts_dir(), out, error);
    if (rc) {
        struct flash_text_error inner = *error;
        snprintf(error->message, sizeof error->message, "device %.40s:%u: %.90s", name, inner.line,
                 inner.message);
        return rc;
    }
    out->use_counter = out->use_counter || script->loader.counter;
    if (script->loader.no_validate)
        out->validate_primary = false;
    if (script->loader.accept_older)
        out->refuse_older_version = false;
    return 0;
}

static int add_keys(const struct nb_script *script, const struct nb_cell *cell,
                    struct sim_device *out, struct flash_text_error *error)
{
    static const char *const goldens[] = {"p256.pub.pem", "rsa2048.pub.pem"};
    int rc = sim_device_add_key(out, nb_kit_trusted_key(cell->kit), error);
    for (size_t i = 0; rc == 0 && script->uses_goldens && i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/golden/%s", nb_data_dir(), goldens[i]);
        rc = sim_device_add_key(out, path, error);
    }
    return rc;
}

/* Both sides of a scenario read them of the device. */
static void rename_device(const struct nb_agent_switches *agent, struct sim_device *device)
{
    if (agent->prefix[0])
        snprintf(device->topic_prefix, sizeof device->topic_prefix, "%s", agent->prefix);
    if (agent->board[0])
        snprintf(device->board, sizeof device->board, "%s", agent->board);
}

const char *nb_cell_system(const struct nb_script *script, const struct nb_cell *cell)
{
    return cell->system[0] ? cell->system : script->system.count ? script->system.items[0] : NULL;
}

/* The usual device of the system that is spoken. */
static const char *cloud_device(const struct nb_script *script, const struct nb_cell *cell)
{
    const char *system = nb_cell_system(script, cell);
    const struct nb_side *side = nb_side_find(system ? system : DEFAULT_SYSTEM);
    return side ? side->device : nb_side_find(DEFAULT_SYSTEM)->device;
}

int nb_cell_device(const struct nb_script *script, const struct nb_cell *cell,
                   struct sim_device *out, struct flash_text_error *error)
{
    memset(error, 0, sizeof *error);
    bool generic = !cell->device[0] &&
                   (cell->part[0] || cell->scheme[0] || script->slot_size || !script->needs_cloud);
    int rc =
        generic ? generic_device(script, cell, out, error)
                : preset_device(script, cell->device[0] ? cell->device : cloud_device(script, cell),
                                out, error);
    if (rc == 0)
        rename_device(&script->agent, out);
    if (rc == 0 && cell->kit) {
        rc = add_keys(script, cell, out, error);
        if (rc)
            sim_device_free(out);
    }
    return rc;
}

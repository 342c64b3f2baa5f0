/* Ranked: images lie in a store (agent/store) and the best one is copied to where it runs.
 *
 * The primary slot is the execution area, the secondary the store's places, the status area its
 * directory. At each boot the highest version that is neither disabled nor out of starts runs; the
 * factory image is always the last of the list. What is to be copied is checked where it is stored,
 * before the execution area is touched, and again where it runs:
 *
 *   installed is not the first in rank   check the stored image    bad: disabled, the next in rank
 *                                        record: its place, not whole
 *                                        erase and copy
 *                                        record: whole, on trial unless it was valid before
 *   installed and first in rank          check what lies there     bad: record not whole, as above
 *                                        on trial: record one more start
 *
 * Each record is old or new under any cut, and the stored image stays as it is: an installation
 * that was cut is simply done again. An image out of starts is disabled. Nothing is written at a
 * boot that finds everything as it was. At the first boot the store has no factory image: it is
 * copied from the execution area, where the factory put it, and checked with the factory's row. */
#include "agent/boot/copy.h"

#include <string.h>

/* Every place may be refused, run out of starts and be installed. */
#define ROUNDS (3u * STORE_PLACES)

void boot_store_config(const struct boot_config *config, struct store_config *out)
{
    *out = (struct store_config){
        .images = config->secondary,
        .directory = config->format.status,
        .factory = config->factory,
        .execution = config->primary,
        .keys = config->keys,
        .key_count = config->key_count,
        .crypto = config->crypto,
        .attempts = config->attempts,
    };
}

static int check(const struct boot_config *config, const char **reason)
{
    struct store_config store;
    *reason = "its images have no security counter";
    if (config->use_counter)
        return OTA_E_LAYOUT;
    boot_store_config(config, &store);
    return store_check(&store, reason);
}

static uint32_t max_end(const struct boot_config *config)
{
    return config->primary.size;
}

static bool is_flash_error(int err)
{
    return err == OTA_E_FLASH_ERASE || err == OTA_E_FLASH_PROGRAM;
}

static uint32_t round_up(uint32_t value, uint32_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static int copy_image(const struct boot_config *config, const struct flash_area *source,
                      const struct flash_area *target, uint32_t size)
{
    struct flash_sector sector;
    int err = flash_area_sector(target, 0, &sector);
    if (err == 0)
        err = boot_erase(config, target, 0, size);
    if (err == 0)
        err = boot_copy(config, source, 0, target, 0, round_up(size, sector.unit));
    return err != 0 ? err : target->flash->sync(target->flash->context);
}

/* Hash and signature of what lies in the execution area. */
static int check_installed(const struct boot_config *config, const struct img_row *row)
{
    const struct img_rules rules = {.keys = config->keys, .key_count = config->key_count};
    return img_row_check(row, &config->primary, &rules, config->crypto);
}

/* ---- the factory image ------------------------------------------------------------------- */

static int record_factory(struct store *store, const struct img_row *row, bool whole)
{
    struct store_state *state = &store->state;
    state->entries[STORE_FACTORY] =
        (struct store_entry){.status = IMG_ROW_VALID, .version = row->version};
    state->installed = state->good = STORE_FACTORY;
    state->whole = whole;
    return store_commit(store);
}

/* There is no record of a factory image in the store: of a device that boots first, or one that has
 * lost its directory. Then what is stored there may still be good. */
static int make_factory(const struct boot_config *config, struct store *store)
{
    struct img_row row;
    const struct flash_area place = store_place(store, STORE_FACTORY);
    int err = store_row(store, STORE_FACTORY, &row);
    if (err == 0)
        err = check_installed(config, &row);
    if (boot_is_verdict(err) && store_verify(store, STORE_FACTORY, &row) == 0)
        return record_factory(store, &row, false);
    if (err != 0)
        return err;
    boot_log(config, OTA_LOG_NOTICE, "keeping the factory image");
    if (store_verify(store, STORE_FACTORY, &row) != 0)
        err = copy_image(config, &config->primary, &place, row.size);
    if (err == 0)
        err = store_verify(store, STORE_FACTORY, &row);
    if (err == 0)
        err = record_factory(store, &row, true);
    if (!is_flash_error(err) && !boot_is_verdict(err))
        return err;
    boot_log(config, OTA_LOG_ERROR, "the store takes nothing: going on without it");
    store->state.installed = STORE_FACTORY;
    store->state.whole = true;
    return 0;
}

/* ---- one boot ---------------------------------------------------------------------------- */

/* An image that had its starts and never confirmed itself. */
static int disable_failed(const struct boot_config *config, struct store *store)
{
    struct store_entry *entry = &store->state.entries[store->state.installed];
    if (entry->status != IMG_ROW_UNBOOTED || entry->attempts < config->attempts)
        return 0;
    boot_log(config, OTA_LOG_WARNING, "no start of the new image was confirmed: disabled");
    entry->status = IMG_ROW_DISABLED;
    return store_commit(store);
}

/* The factory image was asked for. It is looked at before anything else is given up. */
static int reset_to_factory(const struct boot_config *config, struct store *store,
                            struct boot_result *out)
{
    struct img_row row;
    struct store_state *state = &store->state;
    if (!state->reset)
        return 0;
    state->reset = false;
    int err = store_verify(store, STORE_FACTORY, &row);
    if (err == 0) {
        boot_log(config, OTA_LOG_NOTICE, "factory reset");
        state->whole = state->whole && state->installed == STORE_FACTORY;
        state->installed = state->good = STORE_FACTORY;
        for (uint8_t i = 1; i < STORE_PLACES; i++)
            state->entries[i] = (struct store_entry){.status = IMG_ROW_FREE};
    } else if (boot_is_verdict(err)) {
        boot_log(config, OTA_LOG_ERROR, "the factory image is damaged: no reset");
        out->refused = err;
    } else {
        return err;
    }
    return store_commit(store);
}

/* The stored image of that place may not run. */
static int refuse(const struct boot_config *config, struct store *store, uint8_t place, int why,
                  struct boot_result *out)
{
    if (!boot_is_verdict(why))
        return why;
    if (place == STORE_FACTORY)
        return OTA_E_NO_IMAGE;
    boot_log(config, OTA_LOG_WARNING, "stored image refused");
    out->refused = why;
    store->state.entries[place].status = IMG_ROW_DISABLED;
    return store_commit(store);
}

static enum img_swap_type type_of(const struct store *store, uint8_t place, uint32_t version_before)
{
    const struct store_entry *entry = &store->state.entries[place];
    if (entry->version < version_before)
        return IMG_SWAP_REVERT;
    return entry->status == IMG_ROW_VALID ? IMG_SWAP_PERM : IMG_SWAP_TEST;
}

/* Copies the stored image of `place` to where it runs. */
static int install(const struct boot_config *config, struct store *store, uint8_t place,
                   struct boot_result *out)
{
    struct img_row row;
    struct store_state *state = &store->state;
    struct store_entry *entry = &state->entries[place];
    uint32_t before = state->entries[state->installed].version;
    int err = store_verify(store, place, &row);
    if (err != 0)
        return refuse(config, store, place, err, out);
    out->resumed = state->installed == place && !state->whole;
    out->performed = type_of(store, place, before);
    boot_log(config, OTA_LOG_NOTICE, out->resumed ? "going on with an installation" : "installing");
    state->installed = place;
    state->whole = false;
    err = store_commit(store);
    const struct flash_area stored = store_place(store, place);
    if (err == 0)
        err = copy_image(config, &stored, &config->primary, row.size);
    if (err == 0)
        err = check_installed(config, &row);
    if (err != 0) /* the stored image is good: it was the copy */
        return boot_is_verdict(err) ? OTA_E_FLASH_PROGRAM : err;
    state->whole = true;
    if (entry->status == IMG_ROW_DOWNLOADED)
        entry->status = IMG_ROW_UNBOOTED;
    if (entry->status == IMG_ROW_VALID)
        state->good = place;
    return store_commit(store);
}

/* Starts what is installed, if it is what it should be. A record that the flash does not take is no
 * reason not to run. */
static int start(const struct boot_config *config, struct store *store, struct boot_result *out)
{
    struct img_row row;
    struct store_entry *entry = &store->state.entries[store->state.installed];
    int err = store_row(store, store->state.installed, &row);
    if (err == 0 && config->validate_primary)
        err = check_installed(config, &row);
    if (err != 0)
        return err;
    out->trial = entry->status == IMG_ROW_UNBOOTED;
    entry->attempts = (uint8_t)(entry->attempts + out->trial);
    err = store->known ? store_commit(store) : 0;
    if (is_flash_error(err)) {
        boot_log(config, OTA_LOG_ERROR, "the start cannot be counted");
        err = 0;
    }
    uint32_t header = row.size < IMG_HARMONY_BLOCK ? row.size : IMG_HARMONY_BLOCK;
    out->image = (struct img_info){
        .header = {.hdr_size = (uint16_t)header,
                   .img_size = row.size - header,
                   .version = img_harmony_version(row.version)},
        .tlv_offset = row.size,
        .end = row.size,
        .is_signed = row.is_signed,
    };
    memcpy(out->image.digest, row.digest, sizeof row.digest);
    return err;
}

/* One round: *done when an image runs. */
static int take_round(const struct boot_config *config, struct store *store,
                      struct boot_result *out, bool *done)
{
    struct store_state *state = &store->state;
    int err = disable_failed(config, store);
    uint8_t first = store_first(store);
    if (err != 0)
        return err;
    if (first != state->installed || !state->whole)
        return install(config, store, first, out);
    err = start(config, store, out);
    *done = err == 0;
    if (!boot_is_verdict(err))
        return err;
    boot_log(config, OTA_LOG_WARNING, "what is installed is damaged");
    state->whole = false;
    return store_commit(store);
}

static int go(const struct boot_config *config, struct boot_result *out)
{
    struct store_config places;
    struct store store;
    bool done = false;
    boot_store_config(config, &places);
    int err = store_settle(&store, &places);
    if (err == 0 && store.state.entries[STORE_FACTORY].status != IMG_ROW_VALID)
        err = make_factory(config, &store);
    if (err == 0)
        err = reset_to_factory(config, &store, out);
    for (unsigned i = 0; err == 0 && !done && i < ROUNDS; i++)
        err = take_round(config, &store, out, &done);
    if (boot_is_verdict(err) || (err == 0 && !done))
        return OTA_E_NO_IMAGE;
    return err != 0 ? err : config->primary.flash->sync(config->primary.flash->context);
}

const struct boot_scheme boot_ranked = {
    .name = "ranked",
    .reverts = true,
    .store = true,
    .check = check,
    .max_end = max_end,
    .go = go,
};

/* Images go to a place of the store, and its directory says what runs and what is to run.
 *
 * The directory is read anew before each use: loader and application write it, too. An image says
 * nothing of itself there, so what the job vouched for is kept and compared: its signature before
 * anything is fetched, its digest when all of it lies in flash, and both once more by the store. A
 * place is chosen when a fetch begins and given up when it is to be erased, which is when the size
 * is known. */
#include "agent/update/to_store.h"

#include "agent/update/patched.h"
#include "agent/update/steps.h"

#include <string.h>

static int reopen(struct ota_stored *stored)
{
    return store_open(&stored->store, &stored->config);
}

static int running(struct ota_agent *agent, struct img_version *out)
{
    struct ota_stored *stored = agent->config.stored;
    struct img_row row;
    int error = stored != NULL ? reopen(stored) : OTA_E_ARGUMENT;
    if (error == 0)
        error = store_row(&stored->store, stored->store.state.installed, &row);
    if (error == 0)
        *out = img_harmony_version(row.version);
    return error;
}

static bool is_unbooted(const struct ota_stored *stored)
{
    const struct store_state *state = &stored->store.state;
    return state->entries[state->installed].status == IMG_ROW_UNBOOTED;
}

static bool is_on_trial(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    int error = reopen(stored);
    if (error != 0)
        ota_log(agent, OTA_LOG_ERROR, "store", error);
    return error == 0 && is_unbooted(stored);
}

/* ---- the offer --------------------------------------------------------------------------- */

/* An outcome of its own: whatever it is, there is no update. */
static int forget(struct ota_agent *agent, const struct img_version *version)
{
    struct ota_stored *stored = agent->config.stored;
    uint32_t number;
    int error = reopen(stored);
    if (error == 0)
        error = img_harmony_number(version, &number);
    if (error == 0)
        error = store_erase(&stored->store, number);
    agent->offer = *version;
    ota_notify(agent, OTA_NOTICE_ERASED, error);
    return 0;
}

/* The last part of the path, as long as a row has room for it. */
static void put_name(const char *path, char out[IMG_ROW_NAME])
{
    size_t length = strcspn(path, "?");
    size_t from = length;
    while (from > 0 && path[from - 1] != '/')
        from--;
    length -= from;
    memset(out, 0, IMG_ROW_NAME);
    memcpy(out, path + from, length < IMG_ROW_NAME ? length : IMG_ROW_NAME - 1);
}

static int take(struct ota_agent *agent, const struct ota_message *message)
{
    const struct ota_config *config = &agent->config;
    const struct ota_voucher *voucher = &message->voucher;
    const struct img_rules rules = {config->keys, config->key_count, config->max_end};
    struct img_row *row = &config->stored->row;
    if (message->kind == OTA_MESSAGE_ERASE)
        return forget(agent, &message->version);
    bool other = memcmp(row->digest, voucher->digest, sizeof row->digest) != 0;
    *row = (struct img_row){.type = IMG_ROW_PRODUCTION, .is_signed = voucher->is_signed};
    put_name(message->source.path, row->name);
    memcpy(row->digest, voucher->digest, sizeof row->digest);
    memcpy(row->signature, voucher->signature, sizeof row->signature);
    int error = img_harmony_number(&message->version, &row->version);
    if (error == 0)
        error = img_row_check_signature(row, &rules, agent->ports.crypto);
    if (error == 0 && config->stored->patched != NULL)
        other |= config->stored->patched->calls->find(agent);
    return error == 0 && other && agent->fetching ? OTA_E_CHANGED : error;
}

static int mix(const struct ota_agent *agent, uint8_t key[CRYPTO_SHA256_SIZE])
{
    const struct crypto_port *crypto = agent->ports.crypto;
    uint8_t both[2 * CRYPTO_SHA256_SIZE];
    memcpy(both, key, CRYPTO_SHA256_SIZE);
    memcpy(both + CRYPTO_SHA256_SIZE, agent->config.stored->row.digest, CRYPTO_SHA256_SIZE);
    return crypto->sha256(crypto->context, both, sizeof both, key);
}

/* ---- the place --------------------------------------------------------------------------- */

static int choose(struct ota_agent *agent)
{
    struct ota_config *config = &agent->config;
    struct ota_stored *stored = config->stored;
    int error = reopen(stored);
    if (error == 0)
        error = store_choose(&stored->store, stored->row.version, &stored->place);
    if (error != 0)
        return error;
    config->secondary = store_place(&stored->store, stored->place);
    error = ota_progress_open(&agent->progress, &config->progress, &config->secondary);
    return error == 0 && stored->patched != NULL ? stored->patched->calls->choose(agent) : error;
}

static int give_up(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    uint8_t place;
    int error = reopen(stored);
    stored->row.size = agent->total;
    if (error == 0)
        error = store_reserve(&stored->store, &stored->row, &place);
    if (error == 0 && place != stored->place)
        error = OTA_E_BUSY;
    return error == 0 && stored->patched != NULL ? stored->patched->calls->give_up(agent) : error;
}

static int complete(struct ota_agent *agent)
{
    const struct ota_patched *patched = agent->config.stored->patched;
    return patched != NULL ? patched->calls->make(agent) : 0;
}

static int check(struct ota_agent *agent, struct img_info *out)
{
    const struct ota_config *config = &agent->config;
    const struct img_rules rules = {config->keys, config->key_count, config->max_end};
    struct img_row *row = &config->stored->row;
    row->size = ota_image_total(agent);
    int error = ota_is_taken_over(agent)
                    ? 0
                    : img_row_check(row, &config->secondary, &rules, agent->ports.crypto);
    *out = (struct img_info){.header = {.version = img_harmony_version(row->version)},
                             .end = row->size,
                             .is_signed = row->is_signed};
    memcpy(out->digest, row->digest, sizeof out->digest);
    return error;
}

/* ---- the loader -------------------------------------------------------------------------- */

static int hand_over(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    int error = reopen(stored);
    return error != 0
               ? error
               : store_insert(&stored->store, stored->place, &stored->row, agent->config.permanent);
}

static int withdraw(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    int error = reopen(stored);
    if (error == 0)
        error = store_erase(&stored->store, stored->row.version);
    return error == OTA_E_NO_IMAGE ? 0 : error;
}

/* A directory that took it in one of its halves has it: the loader mends the other. */
static int confirm(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    int error = reopen(stored);
    if (error == 0)
        error = store_confirm(&stored->store);
    return error != 0 && reopen(stored) == 0 && !is_unbooted(stored) ? 0 : error;
}

const struct ota_target ota_to_store = {
    .running = running,
    .is_on_trial = is_on_trial,
    .take = take,
    .mix = mix,
    .choose = choose,
    .give_up = give_up,
    .complete = complete,
    .check = check,
    .hand_over = hand_over,
    .withdraw = withdraw,
    .confirm = confirm,
};

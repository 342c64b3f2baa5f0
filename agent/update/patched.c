#include "agent/update/patched.h"

#include "agent/update/steps.h"
#include "agent/update/to_store.h"

#include <string.h>

#define POINT_SECTORS 2u
#define SESSIONS_MAX  3u
#define POINT_EVERY   16384u /* bytes of the image: at most so much is made again after a reset */

/* ---- the offer --------------------------------------------------------------------------- */

/* The place of the image that a patch is for; STORE_PLACES: it is not here. */
static uint8_t find_base(const struct store *store, const struct ota_patch *patch)
{
    struct img_row row;
    uint8_t place = store_find(store, patch->base_version);
    if (place == STORE_PLACES)
        place = STORE_FACTORY;
    if (store_row(store, place, &row) != 0 || row.version != patch->base_version ||
        memcmp(row.digest, patch->base_digest, sizeof row.digest) != 0)
        return STORE_PLACES;
    return place;
}

/* Its base is here and stays while the image is made, its target is what was offered. */
static bool is_way(struct ota_agent *agent, const struct ota_patch *patch)
{
    struct ota_stored *stored = agent->config.stored;
    struct ota_patched *patched = stored->patched;
    uint8_t place;
    patched->base = find_base(&stored->store, patch);
    return patched->base != STORE_PLACES &&
           memcmp(patch->target_digest, stored->row.digest, sizeof patch->target_digest) == 0 &&
           memcmp(patch->target_digest, patched->spoiled, sizeof patch->target_digest) != 0 &&
           ota_way_of(agent, patch->source.connection) != NULL &&
           store_choose(&stored->store, stored->row.version, &place) == 0 && place != patched->base;
}

/* One more session sets out with a patch to that image. False: there were enough. */
static bool count_session(const struct ota_agent *agent, struct ota_patched *patched, bool same)
{
    if (!same)
        patched->sessions = 0;
    if (!agent->fetching)
        patched->sessions++;
    return patched->sessions <= SESSIONS_MAX;
}

static bool find(struct ota_agent *agent)
{
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    struct ota_stored *stored = agent->config.stored;
    struct ota_patched *patched = stored->patched;
    const struct ota_patch *offer = &patched->offer;
    uint8_t patch[CRYPTO_SHA256_SIZE];
    uint8_t target[CRYPTO_SHA256_SIZE];
    bool was_active = patched->active;
    int error =
        protocol->patch != NULL ? store_open(&stored->store, &stored->config) : OTA_E_NO_IMAGE;
    memcpy(patch, offer->digest, sizeof patch);
    memcpy(target, offer->target_digest, sizeof target);
    patched->active = false;
    patched->missed = false;
    for (size_t i = 0; !patched->active && (error == 0 || error == OTA_E_JOB_FIELD); i++) {
        patched->missed = i > 0 && memcmp(patched->spoiled, stored->row.digest, sizeof target) != 0;
        error = protocol->patch((const uint8_t *)agent->text, (size_t)agent->text_length, i,
                                &patched->offer);
        patched->active = error == 0 && is_way(agent, offer);
    }
    if (patched->active)
        patched->active =
            count_session(agent, patched, memcmp(target, offer->target_digest, sizeof target) == 0);
    if (patched->active)
        agent->source = offer->source;
    return was_active != patched->active ||
           (was_active && memcmp(patch, offer->digest, sizeof patch) != 0);
}

/* ---- where it goes ----------------------------------------------------------------------- */

static int sector_start(const struct flash_area *area, uint32_t offset, uint32_t *start)
{
    struct flash_sector sector;
    int error = flash_area_sector(area, offset, &sector);
    *start = sector.start;
    return error;
}

/* The top end of the place for a patch of that size, and the points below it. */
static int lay_out(struct ota_patched *patched, uint32_t size, struct flash_area *out)
{
    const struct flash_area *place = &patched->place;
    uint32_t patch = 0;
    uint32_t points = 0;
    int error = size < place->size ? sector_start(place, place->size - size, &patch) : 0;
    points = patch;
    for (uint32_t i = 0; error == 0 && i < POINT_SECTORS; i++)
        error = points > 0 ? sector_start(place, points - 1, &points) : OTA_E_IMG_SIZE;
    if (error == 0 && points == 0)
        error = OTA_E_IMG_SIZE;
    *out = (struct flash_area){place->flash, place->address + patch, place->size - patch};
    patched->job.points =
        (struct flash_area){place->flash, place->address + points, patch - points};
    return error;
}

/* The download of that key and version goes there. */
static int move(struct ota_agent *agent, const struct flash_area *area)
{
    struct ota_progress *progress = &agent->progress;
    struct ota_config *config = &agent->config;
    config->secondary = *area;
    return ota_progress_open(progress, &config->progress, area);
}

static int choose(struct ota_agent *agent)
{
    struct ota_patched *patched = agent->config.stored->patched;
    struct flash_area area;
    patched->fetched = false;
    patched->begun = false;
    patched->place = agent->config.secondary;
    if (patched->active || patched->missed)
        ota_notify(agent, OTA_NOTICE_PATCH, patched->active ? 0 : OTA_E_NO_IMAGE);
    if (!patched->active || agent->progress.total == 0 ||
        lay_out(patched, agent->progress.total, &area) != 0)
        return 0;
    return move(agent, &area);
}

/* The image itself is fetched instead, as long as this program runs. */
static int spoil(struct ota_agent *agent, int error, const char *fault)
{
    struct ota_patched *patched = agent->config.stored->patched;
    ota_log(agent, OTA_LOG_WARNING, fault, error);
    ota_notify(agent, OTA_NOTICE_PATCH, error);
    memcpy(patched->spoiled, patched->offer.target_digest, sizeof patched->spoiled);
    return OTA_E_CHANGED;
}

static int give_up(struct ota_agent *agent)
{
    struct ota_patched *patched = agent->config.stored->patched;
    struct img_version version = agent->progress.version;
    uint8_t key[CRYPTO_SHA256_SIZE];
    struct flash_area area;
    if (!patched->active)
        return 0;
    int error = lay_out(patched, agent->total, &area);
    if (error == OTA_E_IMG_SIZE)
        return spoil(agent, error, "patch");
    if (error != 0 || area.address == agent->config.secondary.address)
        return error;
    memcpy(key, agent->progress.key, sizeof key);
    error = move(agent, &area);
    if (error == 0)
        error = ota_progress_start(&agent->progress, key, &version);
    return error != 0 ? error : ota_progress_expect(&agent->progress, agent->total, agent->etag);
}

/* ---- the image --------------------------------------------------------------------------- */

static int begin(struct ota_agent *agent)
{
    struct ota_stored *stored = agent->config.stored;
    struct ota_patched *patched = stored->patched;
    struct ota_apply_job *job = &patched->job;
    struct img_row row;
    int error = store_open(&stored->store, &stored->config);
    if (error == 0)
        error = store_row(&stored->store, patched->base, &row);
    if (error != 0)
        return error;
    job->base = store_place(&stored->store, patched->base);
    job->base_size = row.size;
    job->patch = agent->config.secondary;
    job->patch_size = agent->total;
    job->target = patched->place;
    job->every = POINT_EVERY;
    job->takes_later_format = patched->takes_later_format;
    memcpy(job->base_digest, patched->offer.base_digest, sizeof job->base_digest);
    memcpy(job->patch_digest, patched->offer.digest, sizeof job->patch_digest);
    memcpy(job->target_digest, patched->offer.target_digest, sizeof job->target_digest);
    job->crypto = agent->ports.crypto;
    job->buffer = agent->piece;
    job->buffer_size = (uint32_t)agent->config.piece_size;
    return ota_apply_open(&patched->apply, job);
}

/* Of the patch, that is, not of flash. */
static bool is_its_fault(int error)
{
    return error == OTA_E_PATCH || error == OTA_E_UNSUPPORTED || error == OTA_E_IMG_SIZE ||
           error == OTA_E_IMG_HASH;
}

/* One piece: to open it is one, too. */
static int go_on(struct ota_agent *agent)
{
    struct ota_patched *patched = agent->config.stored->patched;
    if (patched->begun)
        return ota_apply_step(&patched->apply);
    int error = begin(agent);
    patched->begun = error == 0;
    if (error == 0)
        ota_notify(agent, OTA_NOTICE_PATCH, 0);
    return error != 0 ? error : 1;
}

static int make(struct ota_agent *agent)
{
    struct ota_patched *patched = agent->config.stored->patched;
    if (!patched->active)
        return 0;
    if (!patched->fetched) {
        patched->fetched = true;
        return 1;
    }
    int left = go_on(agent);
    if (is_its_fault(left))
        return spoil(agent, left, patched->apply.fault != NULL ? patched->apply.fault : "patch");
    if (left == 0) {
        patched->active = false;
        patched->sessions = 0;
        agent->config.secondary = patched->place;
        agent->total = patched->apply.written;
        ota_notify(agent, OTA_NOTICE_PATCH, 0);
    }
    return left;
}

const struct ota_patches ota_patches = {
    .find = find, .choose = choose, .give_up = give_up, .make = make};

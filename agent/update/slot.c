#include "agent/update/steps.h"

#include <string.h>

#define RESTARTS_MAX   3u
#define TRAFFIC_FACTOR 4u            /* times the size of the image, and … */
#define TRAFFIC_FREE   OTA_HTTP_STEP /* … a little for the first requests and for headers */

/* ---- coverage ---------------------------------------------------------------------------- */

bool ota_is_covered(const struct ota_agent *agent, uint32_t offset)
{
    uint32_t index = offset / agent->grain;
    return ((uint32_t)agent->coverage[index / 8] >> index % 8 & 1u) != 0;
}

static void cover(struct ota_agent *agent, uint32_t offset, uint32_t size)
{
    uint32_t index = offset / agent->grain;
    agent->coverage[index / 8] |= (uint8_t)(1u << index % 8);
    agent->done += size;
}

/* Nothing is known of the image, nothing of it lies in flash. */
static void forget(struct ota_agent *agent)
{
    agent->peeked = false;
    agent->prepared = false;
    agent->held = false;
    agent->resumed = false;
    agent->total = 0;
    agent->done = 0;
    agent->grain = OTA_CHUNK_SIZE;
    agent->kept = 0;
    agent->unpacked = 0;
    agent->asked_count = 0;
    memset(agent->etag, 0, sizeof agent->etag);
    memset(agent->coverage, 0, sizeof agent->coverage);
    memset(&agent->untar, 0, sizeof agent->untar);
}

/* Which image this is, wherever the bytes come from next; the version goes beside it. */
static int make_key(const struct ota_agent *agent, uint8_t key[CRYPTO_SHA256_SIZE])
{
    const struct crypto_port *crypto = agent->ports.crypto;
    memset(key, 0, CRYPTO_SHA256_SIZE);
    int error = ota_progress_key(crypto, key, agent->config.identity.board);
    if (error == 0)
        error = ota_progress_key(crypto, key, agent->source.host);
    if (error == 0)
        error = ota_progress_key(crypto, key, agent->source.path);
    if (error == 0 && ota_parts(agent)->target->mix != NULL)
        error = ota_parts(agent)->target->mix(agent, key);
    return error;
}

/* What nobody can tell from a later image at the same place is not gone on with: without a version
 * that was announced only an entity tag can. */
static bool may_resume(const struct ota_agent *agent)
{
    if (agent->progress.archive != 0 && ota_parts(agent)->archive == NULL)
        return false;
    return agent->announced ||
           (agent->source.connection != OTA_BY_MQTT && agent->progress.etag[0] != 0);
}

/* What was recorded of an image lies there: that much of the file itself need not be fetched. */
static void resume_image(struct ota_agent *agent)
{
    agent->total = agent->progress.total;
    for (uint32_t offset = 0; offset < agent->total; offset += OTA_CHUNK_SIZE) {
        uint32_t rest = agent->total - offset;
        if (ota_progress_has(&agent->progress, offset))
            cover(agent, offset, rest < OTA_CHUNK_SIZE ? rest : OTA_CHUNK_SIZE);
    }
    agent->resumed = agent->done > 0;
    agent->peeked = agent->resumed && agent->announced;
}

int ota_slot_begin(struct ota_agent *agent)
{
    uint8_t key[CRYPTO_SHA256_SIZE];
    forget(agent);
    agent->archived = false;
    int error = make_key(agent, key);
    if (error == 0 && ota_parts(agent)->target->choose != NULL)
        error = ota_parts(agent)->target->choose(agent);
    if (error == 0)
        error = ota_progress_start(&agent->progress, key, &agent->offer);
    if (error == 0 && ota_progress_done(&agent->progress) > 0 && !may_resume(agent))
        error = ota_progress_restart(&agent->progress);
    if (error != 0 || agent->progress.total > OTA_MAX_CHUNKS * OTA_CHUNK_SIZE ||
        agent->progress.archive > OTA_MAX_CHUNKS * OTA_CHUNK_SIZE)
        return error;
    memcpy(agent->etag, agent->progress.etag, sizeof agent->etag);
    if (agent->progress.archive != 0)
        ota_parts(agent)->archive->resume(agent);
    else
        resume_image(agent);
    if (agent->resumed)
        ota_notify(agent, OTA_NOTICE_PROGRESS, 0);
    else
        agent->total = 0; /* whatever was known of it is learned anew */
    return 0;
}

int ota_slot_move(struct ota_agent *agent)
{
    uint8_t key[CRYPTO_SHA256_SIZE];
    int error = make_key(agent, key);
    if (error != 0)
        return error;
    ota_progress_move(&agent->progress, key);
    agent->resumed = agent->done > 0;
    return 0;
}

int ota_slot_count(struct ota_agent *agent, size_t length)
{
    uint32_t total = agent->total != 0 ? agent->total : agent->config.max_end;
    agent->fetched += length;
    return agent->fetched > (uint64_t)total * TRAFFIC_FACTOR + TRAFFIC_FREE ? OTA_E_TRAFFIC : 0;
}

enum ota_state ota_slot_restart(struct ota_agent *agent, int code)
{
    ota_log(agent, OTA_LOG_NOTICE, "download starts over", code);
    agent->restarts++;
    if (agent->restarts > RESTARTS_MAX)
        return ota_fail(agent, code);
    int error = ota_progress_restart(&agent->progress);
    if (error != 0)
        return ota_fail(agent, error);
    bool had_some = agent->done > 0;
    forget(agent);
    if (had_some) /* what was said of it before is void */
        ota_notify(agent, OTA_NOTICE_PROGRESS, 0);
    return ota_proceed(agent);
}

int ota_slot_expect(struct ota_agent *agent, uint64_t total, const char *etag)
{
    uint32_t max_end = agent->config.max_end;
    int error = 0;
    uint32_t around = ota_parts(agent)->archive != NULL ? OTA_TAR_AROUND : 0;
    if (total == 0 || total > (uint64_t)max_end + around || total > OTA_MAX_CHUNKS * agent->grain)
        return OTA_E_IMG_SIZE;
    if (strlen(etag) >= sizeof agent->etag)
        return OTA_E_NO_SPACE;
    if (agent->total != 0 && (total != agent->total || ota_progress_is_other(agent->etag, etag)))
        return OTA_E_CHANGED;
    if (!ota_is_archived(agent) &&
        total <= max_end) /* if it is an archive after all, that is undone */
        error = ota_progress_expect(&agent->progress, (uint32_t)total, etag);
    if (error == 0) {
        if (agent->total == 0)
            memcpy(agent->etag, etag, strlen(etag) + 1);
        agent->total = (uint32_t)total;
        agent->resumed = false;
    }
    return error;
}

enum ota_state ota_slot_failed(struct ota_agent *agent, int code)
{
    return code == OTA_E_CHANGED ? ota_slot_restart(agent, code) : ota_decline(agent, code);
}

/* ---- erasing ----------------------------------------------------------------------------- */

enum ota_state ota_erase_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = ota_parts(agent)->target->give_up(agent);
    if (error == OTA_E_CHANGED)
        return ota_ask_anew(agent);
    if (error != 0)
        return ota_fail(agent, error);
    ota_wait(agent, 0);
    return OTA_STATE_ERASE;
}

/* Backwards, so that the trailer goes first: half an old image must not look pending. */
enum ota_state ota_erase_next(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int left = ota_progress_erase(&agent->progress);
    if (left < 0)
        return ota_fail(agent, left);
    if (left > 0) {
        ota_wait(agent, 0);
        return OTA_STATE_ERASE;
    }
    agent->prepared = true;
    if (ota_is_holding(agent)) {
        agent->held = false;
        uint32_t size = agent->total < OTA_CHUNK_SIZE ? agent->total : OTA_CHUNK_SIZE;
        int error = ota_slot_store(agent, 0, size, agent->piece);
        if (error != 0)
            return ota_slot_failed(agent, error);
        if (agent->done == agent->total)
            return OTA_STATE_VERIFY;
    }
    return ota_proceed(agent);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Whole units; the last one of the image is filled up with the erased value. */
int ota_slot_program(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data)
{
    const struct flash_area *slot = &agent->config.secondary;
    uint32_t rest = size % agent->unit_size;
    uint32_t whole = size - rest;
    int error = 0;
    if (whole > 0)
        error = flash_area_program(slot, offset, data, whole);
    if (error == 0 && rest > 0) {
        memmove(agent->piece, data + whole, rest);
        memset(agent->piece + rest, agent->erased, agent->unit_size - rest);
        error = flash_area_program(slot, offset + whole, agent->piece, agent->unit_size);
    }
    return error;
}

void ota_slot_note(struct ota_agent *agent, uint32_t offset, uint32_t size)
{
    int error = ota_progress_note(&agent->progress, offset, size);
    if (error != 0) /* costs a reset its resumption and nothing else */
        ota_log(agent, OTA_LOG_WARNING, "progress not recorded", error);
}

/* A chunk of the image as it is. */
static int store_plain(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data,
                       bool written)
{
    int error = written ? 0 : ota_slot_program(agent, offset, size, data);
    if (error == 0)
        ota_slot_note(agent, offset, size);
    return error;
}

int ota_slot_look(struct ota_agent *agent, const uint8_t *data, uint32_t size)
{
    const struct ota_archive *archive = ota_parts(agent)->archive;
    agent->archived = archive != NULL && archive->is_one(data, size);
    if (ota_is_archived(agent))
        return archive->look(agent, data, size);
    /* If the record was of an archive, this is what tells. */
    return agent->total > agent->config.max_end
               ? OTA_E_IMG_SIZE
               : ota_progress_expect(&agent->progress, agent->total, agent->etag);
}

bool ota_slot_wants(const struct ota_agent *agent, uint32_t offset)
{
    if (ota_is_archived(agent))
        return offset == agent->done;
    return offset == 0 || agent->total <= agent->config.max_end;
}

int ota_slot_store(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data)
{
    int error = offset == 0 ? ota_slot_look(agent, data, size) : 0;
    if (error != 0)
        return error;
    uint32_t skip = 0;
    bool written = false;
    if (ota_parts(agent)->say != NULL)
        error = ota_parts(agent)->say->write(agent, &written);
    if (error != 0)
        return error;
    error = ota_is_archived(agent)
                ? ota_parts(agent)->archive->take(agent, offset, size, data, written, &skip)
                : store_plain(agent, offset, size, data, written);
    if (error != 0)
        return error;
    cover(agent, offset, size);
    for (uint32_t at = offset + size; skip > 0; at += OTA_CHUNK_SIZE, skip -= OTA_CHUNK_SIZE)
        cover(agent, at, OTA_CHUNK_SIZE);
    agent->waits = 0;
    agent->tries = 0;
    ota_notify(agent, OTA_NOTICE_PROGRESS, 0);
    return 0;
}

uint32_t ota_image_total(const struct ota_agent *agent)
{
    return ota_is_archived(agent) ? agent->untar.size : agent->total;
}

uint32_t ota_image_done(const struct ota_agent *agent)
{
    return ota_is_archived(agent) ? agent->unpacked : agent->done;
}

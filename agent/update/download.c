#include "agent/update/steps.h"

#include <string.h>

#define BAD_CHUNKS_MAX 16u /* of one session, before its sender is given up */
#define REVERTS_MAX    2u  /* installations of one version, before it is not tried again */

static int publish_ask(struct ota_agent *agent)
{
    struct ota_speaker speaker;
    ota_speaker(agent, &speaker);
    return ota_publish(agent,
                       agent->config.protocol->ask(&speaker, agent->text, sizeof agent->text));
}

/* ---- the offer --------------------------------------------------------------------------- */

enum ota_state ota_ask_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = publish_ask(agent);
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "availability request", error);
        return ota_retry(agent);
    }
    ota_wait(agent, agent->config.timing.job_wait);
    return OTA_STATE_ASK;
}

/* Newer than what runs, and not known to fail. */
static int judge_offer(const struct ota_agent *agent)
{
    const struct ota_record *record = &agent->record;
    if (img_version_compare(&agent->offer, &agent->running) <= 0)
        return OTA_E_JOB_VERSION;
    if (record->failures >= REVERTS_MAX && img_version_compare(&agent->offer, &record->failed) == 0)
        return OTA_E_REJECTED;
    return 0;
}

static void begin_fetch(struct ota_agent *agent)
{
    agent->fetching = true;
    agent->resume = false;
    agent->tries = 0;
    agent->total = 0;
    agent->done = 0;
    agent->bad_chunks = 0;
    agent->asked_count = 0;
    memset(agent->coverage, 0, sizeof agent->coverage);
    ota_notify(agent, OTA_NOTICE_JOB, 0);
}

enum ota_state ota_ask_message(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_speaker speaker;
    struct ota_message message;
    ota_speaker(agent, &speaker);
    int error = agent->config.protocol->read(&speaker, event->data, event->length, &message);
    bool same = message.kind == OTA_MESSAGE_JOB && error == 0 &&
                img_version_compare(&message.version, &agent->running) == 0;
    if (message.kind == OTA_MESSAGE_NO_UPDATE || same) { /* many publishers never say the first */
        agent->outcome = OTA_E_NO_UPDATE;
        return OTA_STATE_LEAVE;
    }
    if (message.kind != OTA_MESSAGE_JOB)
        return OTA_STATE_ASK; /* chunks of nothing, the answer to an earlier report */
    agent->offered = true;
    agent->offer = message.version;
    if (error == 0)
        error = judge_offer(agent);
    if (error != 0)
        return ota_fail(agent, error);
    begin_fetch(agent);
    return OTA_STATE_ERASE;
}

enum ota_state ota_ask_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    if (agent->unacked > 0)
        return ota_retry(agent); /* not even the broker answers */
    agent->outcome = OTA_E_TIMEOUT;
    return OTA_STATE_LEAVE;
}

/* ---- the slot ---------------------------------------------------------------------------- */

enum ota_state ota_erase_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->erased_from = agent->config.secondary.size;
    ota_wait(agent, 0);
    return OTA_STATE_ERASE;
}

/* Backwards, so that the trailer goes first: half an old image must not look pending. */
enum ota_state ota_erase_next(struct ota_agent *agent, const struct ota_event *event)
{
    const struct flash_area *slot = &agent->config.secondary;
    struct flash_sector sector;
    (void)event;
    int error = flash_area_sector(slot, agent->erased_from - 1, &sector);
    if (error == 0)
        error = flash_area_erase_sector(slot, sector.start);
    if (error != 0)
        return ota_fail(agent, error);
    agent->erased_from = sector.start;
    if (agent->erased_from > 0) {
        ota_wait(agent, 0);
        return OTA_STATE_ERASE;
    }
    return agent->linked ? OTA_STATE_REQUEST : OTA_STATE_CONNECT;
}

/* ---- asking for data --------------------------------------------------------------------- */

static bool is_covered(const struct ota_agent *agent, uint32_t offset)
{
    uint32_t index = offset / OTA_CHUNK_SIZE;
    return ((uint32_t)agent->coverage[index / 8] >> index % 8 & 1u) != 0;
}

/* Asks for the first few missing chunks, each by itself. The size is the full one even for the last
 * chunk: publishers count index and total of their answer in units of the size asked for. */
static int request_missing(struct ota_agent *agent)
{
    const struct ota_protocol *protocol = agent->config.protocol;
    struct ota_speaker speaker;
    int error = 0;
    ota_speaker(agent, &speaker);
    agent->asked_count = 0;
    for (uint32_t offset = 0;
         offset < agent->total && agent->asked_count < OTA_ASKED_MAX && error == 0;
         offset += OTA_CHUNK_SIZE) {
        if (is_covered(agent, offset))
            continue;
        agent->asked[agent->asked_count++] = offset;
        error = ota_publish(agent, protocol->request_chunk(&speaker, offset, OTA_CHUNK_SIZE,
                                                           agent->text, sizeof agent->text));
    }
    return error;
}

/* All that was asked for one by one has come, and something was. */
static bool asked_is_over(const struct ota_agent *agent)
{
    for (size_t i = 0; i < agent->asked_count; i++)
        if (!is_covered(agent, agent->asked[i]))
            return false;
    return agent->asked_count > 0;
}

enum ota_state ota_request_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_speaker speaker;
    (void)event;
    ota_speaker(agent, &speaker);
    int error = ota_publish(
        agent, agent->config.protocol->request(&speaker, agent->text, sizeof agent->text));
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "update request", error);
        return ota_retry(agent);
    }
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_REQUEST;
}

enum ota_state ota_publish_failed(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code == 0)
        return agent->state;
    ota_log(agent, OTA_LOG_NOTICE, "not published", event->code);
    return ota_retry(agent);
}

enum ota_state ota_request_published(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0)
        return ota_publish_failed(agent, event);
    return agent->unacked == 0 ? OTA_STATE_RECEIVE : OTA_STATE_REQUEST;
}

/* ---- receiving --------------------------------------------------------------------------- */

enum ota_state ota_receive_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    bool resume = agent->resume;
    agent->resume = false;
    ota_wait(agent, agent->config.timing.data_wait);
    if (!resume || request_missing(agent) == 0)
        return OTA_STATE_RECEIVE;
    return ota_retry(agent);
}

/* Against the job and the chunks before; the chunk is consistent in itself. */
static int judge_chunk(const struct ota_agent *agent, const struct ota_chunk *chunk)
{
    if (img_version_compare(&chunk->version, &agent->offer) != 0 ||
        (agent->total != 0 && chunk->total != agent->total))
        return OTA_E_CHUNK;
    if (chunk->total > agent->config.max_end || chunk->total > OTA_MAX_CHUNKS * OTA_CHUNK_SIZE)
        return OTA_E_IMG_SIZE;
    return 0;
}

/* Programs whole units; the last one of the image is filled up with the erased value. */
static int store(struct ota_agent *agent, const struct ota_chunk *chunk)
{
    const struct flash_area *slot = &agent->config.secondary;
    uint32_t rest = chunk->size % agent->unit_size;
    uint32_t whole = chunk->size - rest;
    int error = 0;
    if (whole > 0)
        error = flash_area_program(slot, chunk->offset, chunk->data, whole);
    if (error == 0 && rest > 0) {
        memset(agent->unit, agent->erased, agent->unit_size);
        memcpy(agent->unit, chunk->data + whole, rest);
        error = flash_area_program(slot, chunk->offset + whole, agent->unit, agent->unit_size);
    }
    return error;
}

static enum ota_state drop_chunk(struct ota_agent *agent)
{
    ota_log(agent, OTA_LOG_NOTICE, "message dropped", OTA_E_CHUNK);
    agent->bad_chunks++;
    return agent->bad_chunks < BAD_CHUNKS_MAX ? agent->state : ota_fail(agent, OTA_E_CHUNK);
}

static enum ota_state keep_chunk(struct ota_agent *agent, const struct ota_chunk *chunk)
{
    agent->total = chunk->total;
    if (is_covered(agent, chunk->offset))
        return agent->state; /* no second write, and no progress either */
    int error = store(agent, chunk);
    if (error != 0)
        return ota_fail(agent, error);
    uint32_t index = chunk->offset / OTA_CHUNK_SIZE;
    agent->coverage[index / 8] |= (uint8_t)(1u << index % 8);
    agent->done += chunk->size;
    agent->waits = 0;
    agent->tries = 0;
    ota_notify(agent, OTA_NOTICE_PROGRESS, 0);
    if (agent->done == agent->total)
        return OTA_STATE_VERIFY;
    ota_wait(agent, agent->config.timing.data_wait);
    if (asked_is_over(agent) && request_missing(agent) != 0)
        ota_log(agent, OTA_LOG_NOTICE, "chunk request", OTA_E_DISCONNECTED);
    return OTA_STATE_RECEIVE;
}

enum ota_state ota_receive_message(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_speaker speaker;
    struct ota_message message;
    ota_speaker(agent, &speaker);
    int error = agent->config.protocol->read(&speaker, event->data, event->length, &message);
    if (error == 0 && message.kind != OTA_MESSAGE_CHUNK)
        return agent->state; /* the job once more, or another: this one is finished first */
    if (error == 0)
        error = judge_chunk(agent, &message.chunk);
    if (error == OTA_E_IMG_SIZE)
        return ota_fail(agent, error);
    return error == 0 ? keep_chunk(agent, &message.chunk) : drop_chunk(agent);
}

enum ota_state ota_receive_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->waits++;
    if (agent->waits > agent->config.timing.data_tries)
        return ota_fail(agent, OTA_E_TIMEOUT);
    ota_log(agent, OTA_LOG_NOTICE, "chunks are missing", 0);
    if (agent->unacked > 0)
        return ota_retry(agent); /* not even the broker answers */
    if (agent->total == 0)
        return OTA_STATE_REQUEST;
    if (request_missing(agent) != 0)
        return ota_retry(agent);
    ota_wait(agent, agent->config.timing.data_wait);
    return OTA_STATE_RECEIVE;
}

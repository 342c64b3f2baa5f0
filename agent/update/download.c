#include "agent/update/steps.h"

#include <string.h>

#define BAD_CHUNKS_MAX 16u /* of one session, before its sender is given up */

/* ---- asking for data --------------------------------------------------------------------- */

/* Something of these bytes does not lie in flash. */
static bool is_missing(const struct ota_agent *agent, uint32_t offset, uint32_t size)
{
    uint32_t rest = agent->total - offset;
    uint32_t end = offset + (size < rest ? size : rest);
    while (offset < end && ota_is_covered(agent, offset))
        offset += agent->grain;
    return offset < end;
}

/* What is asked for one by one: as configured, but no finer than what is there. */
static uint32_t step_of(const struct ota_agent *agent)
{
    uint32_t size = agent->config.chunk_size;
    return size > agent->grain ? size : agent->grain;
}

/* The size is the full one even for the last chunk: publishers count index and total of their
 * answer in units of the size asked for. */
static int request(struct ota_agent *agent, uint32_t offset)
{
    agent->asked[agent->asked_count++] = offset;
    return ota_publish(agent, ota_parts(agent)->protocol->request_chunk(&agent->speaker, offset,
                                                                        step_of(agent), agent->text,
                                                                        OTA_JSON_MAX));
}

/* Asks for the first few missing chunks, each by itself; when a reset came after the last one, for
 * the first again: it says whether the image is still the same. */
static int request_missing(struct ota_agent *agent)
{
    int error = 0;
    /* What an archive's first chunk says decides which others are missing. */
    uint32_t most = ota_is_archived(agent) && agent->done == 0 ? 1 : OTA_ASKED_MAX;
    agent->asked_count = 0;
    if (agent->done == agent->total)
        return request(agent, 0);
    for (uint32_t offset = 0; offset < agent->total && agent->asked_count < most && error == 0;
         offset += step_of(agent)) {
        if (!is_missing(agent, offset, step_of(agent)))
            continue;
        error = request(agent, offset);
    }
    return error;
}

/* All that was asked for one by one has come, and something was. */
static bool asked_is_over(const struct ota_agent *agent)
{
    for (size_t i = 0; i < agent->asked_count; i++)
        if (is_missing(agent, agent->asked[i], agent->grain))
            return false;
    return agent->asked_count > 0;
}

enum ota_state ota_request_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = ota_publish(agent, agent->text_length);
    agent->asked[0] = 0;
    agent->asked_count = agent->config.chunk_size != 0;
    return ota_asked(agent, error, agent->config.timing.connect_wait);
}

enum ota_state ota_publish_failed(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code == 0)
        return agent->state;
    ota_log(agent, OTA_LOG_NOTICE, "not published", event->code);
    return ota_retry(agent, event->code);
}

enum ota_state ota_request_published(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0)
        return ota_publish_failed(agent, event);
    return agent->unacked == 0 ? OTA_STATE_RECEIVE : OTA_STATE_REQUEST;
}

/* ---- receiving --------------------------------------------------------------------------- */

/* Entered with a known size the fetch goes on: only what is missing is asked for. */
enum ota_state ota_receive_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    bool resume = agent->total != 0 && !agent->following;
    agent->following = false;
    ota_wait(agent, agent->config.timing.data_wait);
    int error = resume ? request_missing(agent) : 0;
    return error == 0 ? OTA_STATE_RECEIVE : ota_retry(agent, error);
}

/* The first chunk says how finely the image is cut; those after it may be cut as finely or less,
 * never finer, and none across program units. */
static bool fits_grain(struct ota_agent *agent, const struct ota_chunk *chunk)
{
    if (agent->done == 0)
        agent->grain = chunk->step < OTA_CHUNK_SIZE ? chunk->step : OTA_CHUNK_SIZE;
    return chunk->step % agent->grain == 0 && agent->grain % agent->unit_size == 0;
}

/* Against the job and the chunks before; the chunk is consistent in itself. */
static int judge_chunk(struct ota_agent *agent, const struct ota_chunk *chunk)
{
    if (ota_is_direct(agent) && !agent->announced) {
        int error = ota_parts(agent)->direct->announce(agent, &chunk->version);
        if (error != 0)
            return error;
    }
    if (img_version_compare(&chunk->version, &agent->offer) != 0 || !fits_grain(agent, chunk))
        return OTA_E_CHUNK;
    if (agent->total != 0 && chunk->total != agent->total)
        return agent->resumed ? OTA_E_CHANGED : OTA_E_CHUNK;
    return ota_slot_expect(agent, chunk->total, "");
}

static enum ota_state drop_chunk(struct ota_agent *agent)
{
    ota_log(agent, OTA_LOG_NOTICE, "message dropped", OTA_E_CHUNK);
    agent->bad_chunks++;
    return agent->bad_chunks < BAD_CHUNKS_MAX ? agent->state : ota_fail(agent, OTA_E_CHUNK);
}

/* Are these the bytes that lie in the slot? */
static bool lies_there(const struct ota_agent *agent, const struct ota_chunk *chunk)
{
    return flash_area_compare(&agent->config.secondary, chunk->offset, chunk->data, chunk->size) ==
           0;
}

static enum ota_state keep_chunk(struct ota_agent *agent, const struct ota_chunk *chunk)
{
    if (agent->done == agent->total) /* it was asked for to see whether it is still the same */
        return lies_there(agent, chunk) ? OTA_STATE_VERIFY : ota_slot_restart(agent, OTA_E_CHANGED);
    uint32_t before = agent->done;
    for (uint32_t at = 0; at < chunk->size; at += agent->grain) {
        uint32_t rest = chunk->size - at;
        if (ota_is_covered(agent, chunk->offset + at))
            continue; /* no second write, and no progress either */
        if (!ota_slot_wants(agent, chunk->offset + at))
            break; /* it will be asked for again when its turn comes */
        int error = ota_slot_store(agent, chunk->offset + at,
                                   rest < agent->grain ? rest : agent->grain, chunk->data + at);
        if (error != 0)
            return ota_slot_failed(agent, error);
    }
    if (agent->done == before)
        return agent->state;
    if (agent->done == agent->total)
        return OTA_STATE_VERIFY;
    agent->following = agent->state != OTA_STATE_RECEIVE;
    ota_wait(agent, agent->config.timing.data_wait);
    if (asked_is_over(agent) && request_missing(agent) != 0)
        ota_log(agent, OTA_LOG_NOTICE, "chunk request", OTA_E_DISCONNECTED);
    return OTA_STATE_RECEIVE;
}

enum ota_state ota_receive_message(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_message message;
    if (ota_slot_count(agent, event->length) != 0)
        return ota_fail(agent, OTA_E_TRAFFIC);
    int error =
        ota_parts(agent)->protocol->read(&agent->speaker, event->data, event->length, &message);
    if (error == 0 && message.kind != OTA_MESSAGE_CHUNK)
        return agent->state; /* the job once more, or another: this one is finished first */
    if (error == 0)
        error = judge_chunk(agent, &message.chunk);
    switch (error) {
    case 0:
        return keep_chunk(agent, &message.chunk);
    case OTA_E_CHANGED:
        return ota_slot_restart(agent, error);
    case OTA_E_JOB_VERSION:
    case OTA_E_REJECTED:
        return ota_decline(agent, error);
    case OTA_E_IMG_SIZE:
        return ota_fail(agent, error);
    default:
        return drop_chunk(agent);
    }
}

enum ota_state ota_receive_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->waits++;
    agent->failure = OTA_E_TIMEOUT;
    if (agent->waits > agent->config.timing.data_tries && agent->resumed) {
        /* Nobody has what is missing: the image may be another one by now, and a smaller one. */
        agent->waits = 0;
        return ota_slot_restart(agent, OTA_E_CHANGED);
    }
    if (agent->waits > agent->config.timing.data_tries)
        return ota_fail(agent, OTA_E_TIMEOUT);
    ota_log(agent, OTA_LOG_NOTICE, "chunks are missing", 0);
    if (agent->unacked > 0)
        return ota_retry(agent, OTA_E_TIMEOUT); /* not even the broker answers */
    if (agent->total == 0)
        return OTA_STATE_REQUEST;
    int error = request_missing(agent);
    if (error != 0)
        return ota_retry(agent, error);
    ota_wait(agent, agent->config.timing.data_wait);
    return OTA_STATE_RECEIVE;
}

/* The image by HTTP, in ranges.
 *
 * Two states share these handlers. PEEK asks for the first chunk, before anything is erased: it
 * tells size, tag and (in direct flow) version. FETCH asks for what is missing, OTA_HTTP_STEP bytes
 * at a time. Whatever pieces the network makes of a body, flash sees whole chunks; a chunk that did
 * not come whole is asked for again.
 *
 * The size must be said, by Content-Range or by the Content-Length of a whole body: what might not
 * fit is not begun. A server that sends the whole image instead of a range is listened to only from
 * the first byte on and with an empty slot; anything else would join bytes of two images. */
#include "agent/update/steps.h"

#include <string.h>

#define RENEWALS_MAX 8u /* new jobs in a session: pre-signed URLs may live for minutes only */

/* ---- asking ------------------------------------------------------------------------------ */

/* The first run of missing chunks, to its end or the step's. */
static void next_range(struct ota_agent *agent, uint32_t *from, uint32_t *end)
{
    uint32_t at = 0;
    while (at < agent->total && ota_is_covered(agent, at))
        at += OTA_CHUNK_SIZE;
    *from = at;
    while (at < agent->total && at - *from < OTA_HTTP_STEP && !ota_is_covered(agent, at))
        at += OTA_CHUNK_SIZE;
    *end = at < agent->total ? at : agent->total;
}

static enum ota_state ask_for_range(struct ota_agent *agent)
{
    const char *etag = agent->etag;
    uint32_t from = 0;
    uint32_t end = OTA_CHUNK_SIZE;
    if (agent->state == OTA_STATE_FETCH)
        next_range(agent, &from, &end);
    const struct http_request request = {
        .method = HTTP_GET,
        .tls = agent->source.connection == OTA_BY_HTTPS,
        .host = agent->source.host[0] != 0 ? agent->source.host : NULL,
        .port = agent->source.port,
        .path = agent->source.path,
        .ranged = true,
        .from = from,
        .to = end - 1,
        .if_range = agent->total != 0 && etag[0] != 0 ? etag : NULL,
    };
    int error = ota_request(agent, &request);
    if (error != 0)
        return ota_retry_request(agent, error);
    agent->reply.end = end;
    return agent->state;
}

enum ota_state ota_fetch_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    if (agent->total != 0 && agent->done == agent->total)
        return OTA_STATE_VERIFY;
    ota_wait(agent, agent->config.timing.data_wait);
    return ask_for_range(agent);
}

/* ---- what the server says ---------------------------------------------------------------- */

/* The image was there and is not any more, or not for us: a link that has expired. */
static bool is_gone(const struct ota_agent *agent, const struct http_head *head)
{
    static const unsigned statuses[] = {401, 403, 404, 410};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (head->status == statuses[i])
            return agent->done > 0;
    return false;
}

/* After a pause: once more, and with a new job where there are jobs. */
static enum ota_state renew(struct ota_agent *agent)
{
    enum ota_state next = ota_retry_request(agent, OTA_E_HTTP_STATUS);
    bool may = !ota_is_direct(agent) && agent->renewals < RENEWALS_MAX;
    if (next != OTA_STATE_PAUSE || !may)
        return next;
    agent->renewals++;
    agent->renewing = true;
    return next;
}

/* What tells these bytes from those of another image: a strong entity tag, or the date where there
 * is no tag; "": nothing does. A weak tag says nothing of single bytes: copies of one file on
 * several servers have several. */
static const char *validator(const struct http_head *head)
{
    if (head->etag[0] == 0)
        return head->modified;
    return head->etag[0] == '"' ? head->etag : "";
}

/* A range must be the one that was asked for, or the beginning of it, and say how much there is. */
static int judge_range(const struct ota_agent *agent, const struct http_head *head)
{
    const struct ota_reply *reply = &agent->reply;
    if (!head->has_range || !head->has_total || head->from != reply->from ||
        head->to < head->from || head->to >= head->total || head->to >= reply->end ||
        (head->has_length && head->length != head->to - head->from + 1))
        return OTA_E_HTTP_RANGE;
    if (agent->total == 0 || head->total == agent->total)
        return 0;
    return agent->resumed ? OTA_E_CHANGED : OTA_E_HTTP_RANGE;
}

/* A whole body: OTA_E_CHANGED when it cannot be joined to what lies in flash. */
static int judge_whole(const struct ota_agent *agent, const struct http_head *head)
{
    if (agent->done > 0)
        return OTA_E_CHANGED;
    if (!head->has_length || (agent->total != 0 && head->length != agent->total))
        return OTA_E_HTTP_RANGE;
    return 0;
}

static int judge_head(const struct ota_agent *agent, const struct http_head *head)
{
    bool other = ota_progress_is_other(agent->etag, validator(head));
    if (head->status == 412 || (head->status < 300 && other))
        return OTA_E_CHANGED;
    if (head->status == 416)
        return agent->past_end || agent->total == 0 ? OTA_E_HTTP_STATUS : OTA_E_CHANGED;
    if (head->status == 206)
        return judge_range(agent, head);
    return head->status == 200 ? judge_whole(agent, head) : OTA_E_HTTP_STATUS;
}

enum ota_state ota_fetch_head(struct ota_agent *agent, const struct ota_event *event)
{
    const struct http_head *head = event->head;
    struct ota_reply *reply = &agent->reply;
    bool whole = head->status == 200;
    int error = judge_head(agent, head);
    ota_heed(agent, head);
    agent->past_end = agent->past_end || head->status == 416;
    if (error == OTA_E_CHANGED)
        return ota_slot_restart(agent, error);
    if (error != 0)
        return is_gone(agent, head) ? renew(agent) : ota_retry_request(agent, error);
    error = ota_slot_expect(agent, whole ? head->length : head->total, validator(head));
    if (error == OTA_E_CHANGED)
        return ota_slot_restart(agent, error);
    if (error != 0)
        return ota_fail(agent, error);
    reply->begun = true;
    reply->from = whole ? 0 : (uint32_t)head->from;
    reply->end = whole ? agent->total : (uint32_t)head->to + 1;
    reply->at = reply->from;
    reply->whole = whole;
    return agent->state;
}

/* ---- the bytes --------------------------------------------------------------------------- */

static uint32_t chunk_size(const struct ota_agent *agent, uint32_t offset)
{
    uint32_t rest = agent->total - offset;
    return rest < OTA_CHUNK_SIZE ? rest : OTA_CHUNK_SIZE;
}

/* The first chunk is there: it says whether this is an archive, and in direct flow which version.
 * It waits in `piece` until the slot is erased, unless the server can only send everything at once.
 */
static enum ota_state peeked(struct ota_agent *agent)
{
    struct img_header header;
    int error = ota_slot_look(agent, agent->piece, chunk_size(agent, 0));
    if (error == 0 && !agent->announced) {
        error = img_header_parse(agent->piece, agent->config.secondary.size, &header, NULL);
        if (error == 0)
            error = ota_parts(agent)->direct->announce(agent, &header.version);
    }
    if (error != 0)
        return ota_slot_failed(agent, error);
    agent->peeked = true;
    agent->held = !agent->reply.whole && !ota_is_covered(agent, 0);
    agent->tries = 0;
    return ota_proceed(agent);
}

/* A whole chunk lies in `piece`. */
static enum ota_state take_piece(struct ota_agent *agent, uint32_t offset, uint32_t size)
{
    if (agent->state == OTA_STATE_PEEK)
        return peeked(agent);
    int error = ota_slot_store(agent, offset, size, agent->piece);
    if (error != 0)
        return ota_slot_failed(agent, error);
    agent->reply.progress = true;
    if (agent->done == agent->total)
        return OTA_STATE_VERIFY;
    ota_wait(agent, agent->config.timing.data_wait);
    return agent->state;
}

enum ota_state ota_fetch_body(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_reply *reply = &agent->reply;
    const uint8_t *data = event->data;
    size_t left = event->length;
    enum ota_state next = agent->state;
    if (!reply->begun)
        return next; /* of a page that explains an error */
    if (ota_slot_count(agent, left) != 0)
        return ota_fail(agent, OTA_E_TRAFFIC);
    while (left > 0 && next == agent->state) {
        uint32_t offset = reply->at / OTA_CHUNK_SIZE * OTA_CHUNK_SIZE;
        uint32_t size = chunk_size(agent, offset);
        uint32_t room = offset + size - reply->at;
        uint32_t take = left < room ? (uint32_t)left : room;
        if (take > reply->end - reply->at)
            return ota_retry_request(agent, OTA_E_HTTP_RANGE); /* more than it promised */
        memcpy(agent->piece + (reply->at - offset), data, take);
        reply->at += take;
        data += take;
        left -= take;
        if (take == room)
            next = take_piece(agent, offset, size);
    }
    return next;
}

/* Less than promised: the rest is asked for again, at once only if this request was of use. */
enum ota_state ota_fetch_done(struct ota_agent *agent, const struct ota_event *event)
{
    const struct ota_reply *reply = &agent->reply;
    if (event->code != 0)
        return ota_retry_request(agent, event->code);
    if (!reply->begun || reply->at < reply->end)
        return ota_retry_request(agent, OTA_E_DISCONNECTED);
    if (!reply->progress)
        return ota_retry_request(agent, OTA_E_HTTP_RANGE); /* ranges smaller than a chunk */
    return ask_for_range(agent);
}

/* Not even one chunk came in this time, however many bytes trickled. */
enum ota_state ota_fetch_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    return ota_retry_request(agent, OTA_E_TIMEOUT);
}

#include "agent/update/steps.h"

#include <string.h>

/* ---- asking for a job by MQTT ------------------------------------------------------------ */

enum ota_state ota_ask_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    int error = ota_publish(agent, agent->text_length);
    return ota_asked(agent, error, agent->config.timing.job_wait);
}

enum ota_state ota_ask_message(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_message message;
    int error =
        ota_parts(agent)->protocol->read(&agent->speaker, event->data, event->length, &message);
    if (message.kind == OTA_MESSAGE_CHUNK || (error == 0 && message.kind == OTA_MESSAGE_OTHER))
        return OTA_STATE_ASK; /* chunks of nothing, the answer to an earlier report */
    size_t length = event->length <= OTA_JSON_MAX ? event->length : 0;
    if (length > 0)
        memcpy(agent->text, event->data, length);
    agent->text_length = event->length <= OTA_JSON_MAX ? (int)length : OTA_E_JSON;
    return ota_take_document(agent);
}

enum ota_state ota_take_document(struct ota_agent *agent)
{
    bool whole =
        agent->text_length >= 0 && memchr(agent->text, 0, (size_t)agent->text_length) == NULL;
    if (!whole) {
        agent->offered = true;
        return ota_fail(agent, OTA_E_JSON);
    }
    agent->text[agent->text_length] = 0;
    return OTA_STATE_PARSE;
}

enum ota_state ota_ask_late(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    if (agent->unacked > 0)
        return ota_retry(agent, OTA_E_TIMEOUT); /* not even the broker answers */
    ota_log(agent, OTA_LOG_NOTICE, "no answer", OTA_E_TIMEOUT);
    if (agent->renewing)
        return ota_fail(agent, OTA_E_TIMEOUT);
    agent->outcome = OTA_E_TIMEOUT;
    return OTA_STATE_LEAVE;
}

/* ---- judging ----------------------------------------------------------------------------- */

int ota_judge_offer(const struct ota_agent *agent)
{
    const struct ota_record *record = &agent->record;
    if (img_version_compare(&agent->offer, &agent->speaker.running) <= 0)
        return OTA_E_JOB_VERSION;
    if (ota_record_failures(record, &agent->offer) >= OTA_REVERTS_MAX)
        return OTA_E_REJECTED;
    return 0;
}

enum ota_state ota_decline(struct ota_agent *agent, int code)
{
    if (code != OTA_E_JOB_VERSION || !ota_is_direct(agent))
        return ota_fail(agent, code);
    agent->fetching = false;
    agent->outcome = OTA_E_NO_UPDATE;
    return OTA_STATE_LEAVE;
}

enum ota_state ota_begin_fetch(struct ota_agent *agent)
{
    agent->offered = true;
    agent->fetching = true;
    agent->tries = 0;
    agent->waits = 0;
    if (agent->announced)
        ota_notify(agent, OTA_NOTICE_JOB, 0);
    int error = ota_slot_begin(agent);
    return error != 0 ? ota_fail(agent, error) : ota_proceed(agent);
}

enum ota_state ota_ask_anew(struct ota_agent *agent)
{
    agent->renewing = true;
    return ota_proceed(agent);
}

/* The new job is for the version that is being fetched, wherever it lies by now. */
static enum ota_state go_on(struct ota_agent *agent)
{
    int error = ota_slot_move(agent);
    return error != 0 ? ota_fail(agent, error) : ota_proceed(agent);
}

/* Many publishers, and every document on a server, go on offering what this device runs by now. */
static bool is_nothing_new(const struct ota_agent *agent, int error)
{
    return error == OTA_E_JOB_VERSION &&
           img_version_compare(&agent->offer, &agent->speaker.running) == 0;
}

/* This device does not speak so; or no HTTPS where the job says so and names no server of its own:
 * what was meant to be secret is not fetched in clear text. */
static int judge_source(const struct ota_agent *agent)
{
    const struct ota_source *source = &agent->source;
    bool clear = source->connection == OTA_BY_HTTPS && source->host[0] == 0 &&
                 agent->config.connection != OTA_BY_HTTPS && !agent->config.server_tls;
    return clear || ota_way_of(agent, source->connection) == NULL ? OTA_E_UNSUPPORTED : 0;
}

/* What the document says beside version and place concerns who keeps the images. */
static int take(struct ota_agent *agent, const struct ota_message *message)
{
    const struct ota_target *target = ota_parts(agent)->target;
    return target->take != NULL ? target->take(agent, message) : 0;
}

static bool is_waived(int error)
{
    return error == OTA_E_JOB_BOARD || error == OTA_E_JOB_VERSION || error == OTA_E_REJECTED;
}

enum ota_state ota_parse_begin(struct ota_agent *agent, const struct ota_event *event)
{
    struct ota_message message;
    bool renewed = agent->renewing;
    (void)event;
    agent->renewing = false;
    int error = ota_parts(agent)->protocol->read(&agent->speaker, (const uint8_t *)agent->text,
                                                 (size_t)agent->text_length, &message);
    if (error != 0 && message.fault != NULL)
        ota_log(agent, OTA_LOG_WARNING, message.fault, error);
    if (error == 0 && message.kind == OTA_MESSAGE_ERASE)
        error = take(agent, &message);
    if (error == 0 && message.kind != OTA_MESSAGE_JOB) {
        agent->outcome = OTA_E_NO_UPDATE;
        return OTA_STATE_LEAVE;
    }
    agent->offered = true;
    renewed = renewed && img_version_compare(&agent->offer, &message.version) == 0;
    agent->offer = message.version;
    agent->source = message.source;
    if (error == 0)
        error = judge_source(agent);
    if (error == 0)
        error = ota_judge_offer(agent);
    if (ota_is_taken_over(agent) && is_waived(error))
        error = judge_source(agent);
    if (error == 0)
        error = take(agent, &message);
    if (error == OTA_E_CHANGED) {
        renewed = false;
        error = 0;
    }
    if (is_nothing_new(agent, error)) {
        agent->outcome = OTA_E_NO_UPDATE;
        return OTA_STATE_LEAVE;
    }
    if (error != 0)
        return ota_fail(agent, error);
    agent->announced = true;
    return renewed ? go_on(agent) : ota_begin_fetch(agent);
}

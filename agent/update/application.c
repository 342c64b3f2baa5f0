#include "agent/update/steps.h"

#include <string.h>

/* ---- asking ------------------------------------------------------------------------------ */

/* All of the image, or its first chunk. */
static int compose_request(struct ota_agent *agent, const struct ota_speaker *speaker)
{
    const struct ota_protocol *protocol = agent->config.protocol;
    if (agent->config.chunk_size != 0)
        return protocol->request_chunk(speaker, 0, agent->config.chunk_size, agent->text,
                                       OTA_JSON_MAX);
    return agent->config.send_direct ? protocol->request_direct(speaker, agent->text, OTA_JSON_MAX)
                                     : protocol->request(speaker, agent->text, OTA_JSON_MAX);
}

void ota_compose(struct ota_agent *agent)
{
    const struct ota_protocol *protocol = agent->config.protocol;
    bool success = agent->record.phase == OTA_PHASE_SUCCEEDED;
    const char *path = agent->record.path[0] != 0 ? agent->record.path : agent->config.http_file;
    struct ota_speaker speaker;
    char *text = agent->text;
    ota_speaker(agent, &speaker);
    switch (agent->state) {
    case OTA_STATE_ASK:
        agent->text_length = protocol->ask(&speaker, text, OTA_JSON_MAX);
        break;
    case OTA_STATE_REQUEST:
        agent->text_length = compose_request(agent, &speaker);
        break;
    case OTA_STATE_REPORT:
        agent->text_length = protocol->result(&speaker, success, text, OTA_JSON_MAX);
        break;
    case OTA_STATE_POST:
        agent->text_length = protocol->result_body(path, success, text, OTA_JSON_MAX);
        break;
    default:
        break;
    }
}

static enum ota_connection present_connection(const struct ota_agent *agent)
{
    bool data = agent->fetching && !agent->renewing;
    return data ? agent->source.connection : agent->config.connection;
}

enum ota_answer ota_consult(struct ota_agent *agent, const char *state, enum ota_ask ask, int code)
{
    if (agent->config.decide == NULL)
        return OTA_ANSWER_CONTINUE;
    struct ota_question question = {
        .ask = ask,
        .state = state,
        .code = code,
        .connection = present_connection(agent),
        .version = agent->offer,
        .done = ota_image_done(agent),
        .total = ota_image_total(agent),
        .document = agent->text,
        .document_size = sizeof agent->text,
    };
    enum ota_answer answer = agent->config.decide(agent->config.decide_context, &question);
    agent->text[sizeof agent->text - 1] = 0;
    if (agent->text_length >= 0 && ask == OTA_ASK_STEP)
        agent->text_length = (int)strlen(agent->text);
    return answer;
}

/* ---- obeying ----------------------------------------------------------------------------- */

enum ota_state ota_stop(struct ota_agent *agent, int code)
{
    agent->restart = false;
    if (agent->fetching)
        return ota_fail(agent, code);
    ota_log(agent, OTA_LOG_NOTICE, "session ends", code);
    if (agent->outcome == 0)
        agent->outcome = code;
    return OTA_STATE_LEAVE;
}

enum ota_state ota_taken_over(struct ota_agent *agent)
{
    switch (agent->state) {
    case OTA_STATE_CONNECT:
        agent->linked = true;
        agent->unacked = 0;
        return OTA_STATE_SUBSCRIBE;
    case OTA_STATE_SUBSCRIBE:
    case OTA_STATE_PAUSE:
        return ota_proceed(agent);
    case OTA_STATE_PROBE:
        return OTA_STATE_CONFIRM;
    case OTA_STATE_ASK:
    case OTA_STATE_QUERY:
        return OTA_STATE_PARSE;
    case OTA_STATE_ERASE:
        agent->prepared = true;
        return ota_proceed(agent);
    case OTA_STATE_REQUEST:
        return OTA_STATE_RECEIVE;
    case OTA_STATE_RECEIVE:
    case OTA_STATE_PEEK:
    case OTA_STATE_FETCH:
        return OTA_STATE_VERIFY;
    case OTA_STATE_REPORT:
    case OTA_STATE_POST:
        return ota_reported(agent, true);
    case OTA_STATE_RESET:
        agent->restart = false;
        return OTA_STATE_LEAVE;
    default: /* verify, install, confirm, parse know; there is nothing to take over in the others */
        agent->taken_over = true;
        return agent->state;
    }
}

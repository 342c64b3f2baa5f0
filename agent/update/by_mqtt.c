/* What a device needs to speak MQTT: rows of the state table, and what its states send. */
#include "agent/update/states.h"

static const struct ota_row rows[] = {OTA_ROWS_BY_MQTT(OTA_ROW)};

/* All of the image, or its first chunk. */
static int compose_request(struct ota_agent *agent, const struct ota_speaker *speaker)
{
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    if (agent->config.chunk_size != 0)
        return protocol->request_chunk(speaker, 0, agent->config.chunk_size, agent->text,
                                       OTA_JSON_MAX);
    return ota_is_sent_direct(agent) ? protocol->request_direct(speaker, agent->text, OTA_JSON_MAX)
                                     : protocol->request(speaker, agent->text, OTA_JSON_MAX);
}

static void compose(struct ota_agent *agent)
{
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    if (agent->state == OTA_STATE_ASK)
        agent->text_length = protocol->ask(&agent->speaker, agent->text, OTA_JSON_MAX);
    else if (agent->state == OTA_STATE_REQUEST)
        agent->text_length = compose_request(agent, &agent->speaker);
    else if (agent->state == OTA_STATE_REPORT)
        agent->text_length =
            protocol->result(&agent->speaker, ota_succeeded(agent), agent->text, OTA_JSON_MAX);
}

static enum ota_state next(const struct ota_agent *agent)
{
    if (!agent->linked)
        return OTA_STATE_CONNECT;
    if (agent->astray != ota_is_for_other_broker(agent))
        return OTA_STATE_SWITCH;
    if (ota_is_due(agent))
        return ota_is_settled(agent) ? OTA_STATE_REPORT : OTA_STATE_CONFIRM;
    if (!ota_wants_data(agent))
        return OTA_STATE_ASK;
    if (!agent->prepared)
        return OTA_STATE_ERASE;
    return agent->total != 0 ? OTA_STATE_RECEIVE : OTA_STATE_REQUEST;
}

const struct ota_way ota_by_mqtt = {rows, sizeof rows / sizeof rows[0], next, compose};

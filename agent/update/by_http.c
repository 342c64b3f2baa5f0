/* What a device needs to speak HTTP: rows of the state table, and what its states send. */
#include "agent/update/states.h"

static const struct ota_row rows[] = {OTA_ROWS_BY_HTTP(OTA_ROW)};

static void compose(struct ota_agent *agent)
{
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    if (agent->state == OTA_STATE_POST)
        agent->text_length = protocol->result_body(ota_result_path(agent), ota_succeeded(agent),
                                                   agent->text, OTA_JSON_MAX);
}

static enum ota_state next(const struct ota_agent *agent)
{
    if (ota_is_due(agent))
        return ota_is_settled(agent) ? OTA_STATE_POST : OTA_STATE_PROBE;
    if (!ota_wants_data(agent))
        return OTA_STATE_QUERY;
    if (!agent->peeked)
        return OTA_STATE_PEEK;
    return agent->prepared ? OTA_STATE_FETCH : OTA_STATE_ERASE;
}

const struct ota_way ota_by_http = {rows, sizeof rows / sizeof rows[0], next, compose};

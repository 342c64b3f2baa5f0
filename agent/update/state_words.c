/* The names of the states, and where they lead: for who is told of states, or asked about them. */
#include "agent/update/states.h"

#include <string.h>

static const struct {
    uint32_t next;
    uint8_t state;
} leads[] = {
#define LEAD(state, event, handler, next, what) {next, OTA_STATE_##state},
    OTA_ROWS(LEAD) OTA_ROWS_BY_MQTT(LEAD) OTA_ROWS_BY_HTTP(LEAD)
#undef LEAD
};

static const char *const state_names[OTA_STATES] = {
    [OTA_STATE_IDLE] = "idle",       [OTA_STATE_CONNECT] = "connect",
    [OTA_STATE_PAUSE] = "pause",     [OTA_STATE_SUBSCRIBE] = "subscribe",
    [OTA_STATE_SWITCH] = "switch",   [OTA_STATE_PROBE] = "probe",
    [OTA_STATE_CONFIRM] = "confirm", [OTA_STATE_REPORT] = "report",
    [OTA_STATE_POST] = "post",       [OTA_STATE_ASK] = "ask",
    [OTA_STATE_QUERY] = "query",     [OTA_STATE_PARSE] = "parse",
    [OTA_STATE_PEEK] = "peek",       [OTA_STATE_ERASE] = "erase",
    [OTA_STATE_REQUEST] = "request", [OTA_STATE_RECEIVE] = "receive",
    [OTA_STATE_FETCH] = "fetch",     [OTA_STATE_VERIFY] = "verify",
    [OTA_STATE_INSTALL] = "install", [OTA_STATE_LEAVE] = "leave",
    [OTA_STATE_RESET] = "reset",
};

const char *ota_state_name(const struct ota_agent *agent)
{
    return state_names[agent->state];
}

bool ota_is_step(const char *name)
{
    for (size_t i = 0; i < OTA_STATES; i++)
        if (strcmp(name, state_names[i]) == 0)
            return true;
    return strcmp(name, "write") == 0;
}

const char *ota_state_word(unsigned state)
{
    return state < OTA_STATES ? state_names[state] : NULL;
}

bool ota_state_leads_to(unsigned from, unsigned to)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (leads[i].state == from && (leads[i].next & 1u << to) != 0)
            return true;
    return false;
}

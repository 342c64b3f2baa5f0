/* The state table in words: linked by who prints it, and for an application that is asked about
 * states by name. */
#include "agent/update/states.h"

#include <string.h>

#define ROW_TEXT_MAX 320u

static const struct {
    int state;
    int event;
    uint32_t next;
    const char *what;
} table[] = {
#define WORDS(state, event, handler, next, what) {OTA_STATE_##state, event, next, what},
    OTA_ROWS(WORDS) OTA_ROWS_BY_MQTT(WORDS) OTA_ROWS_BY_HTTP(WORDS)
#undef WORDS
};

#define ROWS (sizeof table / sizeof table[0])

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

static const char *event_name(int event)
{
    static const char *const names[] = {
        [OTA_EVENT_START] = "start",
        [OTA_EVENT_TIMER] = "timer",
        [OTA_EVENT_CHECK] = "check",
        [OTA_EVENT_MQTT_CONNECTED] = "connected",
        [OTA_EVENT_MQTT_SUBSCRIBED] = "subscribed",
        [OTA_EVENT_MQTT_PUBLISHED] = "published",
        [OTA_EVENT_MQTT_MESSAGE] = "message",
        [OTA_EVENT_MQTT_CLOSED] = "closed",
        [OTA_EVENT_HTTP_HEAD] = "head",
        [OTA_EVENT_HTTP_BODY] = "body",
        [OTA_EVENT_HTTP_DONE] = "done",
    };
    return event == ENTER ? "(enter)" : names[event];
}

const char *ota_state_word(unsigned state)
{
    return state < OTA_STATES ? state_names[state] : NULL;
}

bool ota_state_leads_to(unsigned from, unsigned to)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].state == (int)from && (table[i].next & 1u << to) != 0)
            return true;
    return false;
}

/* Appends to a line of bounded length. */
static size_t append(char *line, size_t size, size_t at, const char *text)
{
    for (; *text != 0 && at + 1 < size; text++)
        line[at++] = *text;
    line[at] = 0;
    return at;
}

void ota_states_print(void (*line)(void *context, const char *text), void *context)
{
    line(context, "| state | event | what happens | next |");
    line(context, "|---|---|---|---|");
    for (size_t i = 0; i < ROWS; i++) {
        char text[ROW_TEXT_MAX];
        size_t at = append(text, sizeof text, 0, "| ");
        at = append(text, sizeof text, at, state_names[table[i].state]);
        at = append(text, sizeof text, at, " | ");
        at = append(text, sizeof text, at, event_name(table[i].event));
        at = append(text, sizeof text, at, " | ");
        at = append(text, sizeof text, at, table[i].what);
        at = append(text, sizeof text, at, " |");
        for (unsigned next = 0; next < OTA_STATES; next++) {
            if ((table[i].next & 1u << next) == 0)
                continue;
            at = append(text, sizeof text, at, " ");
            at = append(text, sizeof text, at, state_names[next]);
        }
        append(text, sizeof text, at, " |");
        line(context, text);
    }
}

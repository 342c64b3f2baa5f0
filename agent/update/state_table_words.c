/* The state table in words: linked by who prints it. */
#include "agent/update/states.h"

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
        at = append(text, sizeof text, at, ota_state_word((unsigned)table[i].state));
        at = append(text, sizeof text, at, " | ");
        at = append(text, sizeof text, at, event_name(table[i].event));
        at = append(text, sizeof text, at, " | ");
        at = append(text, sizeof text, at, table[i].what);
        at = append(text, sizeof text, at, " |");
        for (unsigned next = 0; next < OTA_STATES; next++) {
            if ((table[i].next & 1u << next) == 0)
                continue;
            at = append(text, sizeof text, at, " ");
            at = append(text, sizeof text, at, ota_state_word(next));
        }
        append(text, sizeof text, at, " |");
        line(context, text);
    }
}

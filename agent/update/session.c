#include "agent/update/steps.h"

#include <assert.h>
#include <string.h>

#define ENTER        (-1) /* the event of coming into a state */
#define THE_TIMER    0u
#define ROW_TEXT_MAX 320u
#define TO(name)     (1u << OTA_STATE_##name)
/* A failure: another try; or the last one has failed, which is reported if a job is behind it. */
#define TO_RETRY (TO(PAUSE) | TO(LEAVE) | TO(RESET) | TO_RESULT)
/* A result, over the connection that the first word came by. */
#define TO_RESULT (TO(REPORT) | TO(POST) | TO(CONNECT) | TO(SWITCH) | TO(LEAVE))
/* What is next to be fetched, over the connection that the job names. */
#define TO_DATA                                                                                    \
    (TO(CONNECT) | TO(SWITCH) | TO(PEEK) | TO(ERASE) | TO(REQUEST) | TO(RECEIVE) | TO(FETCH))
/* Whatever is to be done: see ota_proceed. */
#define TO_PROCEED  (TO_RESULT | TO_DATA | TO(CONFIRM) | TO(PROBE) | TO(ASK) | TO(QUERY))
#define TO_RECEIVED (TO(RECEIVE) | TO(VERIFY) | TO(ERASE) | TO_RESULT)
#define TO_FETCHED  (TO(VERIFY) | TO(PEEK) | TO(ERASE) | TO(FETCH) | TO_RETRY)

/* ---- the state table --------------------------------------------------------------------- */

struct row {
    enum ota_state state;
    int event; /* ENTER or an ota_event_type */
    ota_handler *handler;
    uint32_t next; /* the states that the handler may return besides its own */
    const char *what;
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

/* clang-format off */
#define ROW(state, event, handler, next, what) {OTA_STATE_##state, event, handler, next, what}
static const struct row table[] = {
ROW(IDLE, ENTER, ota_idle_begin, 0, "say how the session ended; wait for the next check"),
ROW(IDLE, OTA_EVENT_START, ota_idle_start, TO_PROCEED, "go on if a confirmation or result is due, else wait for the first check"),
ROW(IDLE, OTA_EVENT_TIMER, ota_idle_check, TO_PROCEED, "begin a session, unless the running image is unconfirmed or another waits for a reset"),
ROW(IDLE, OTA_EVENT_CHECK, ota_idle_check, TO_PROCEED, "the same, now"),

ROW(CONNECT, ENTER, ota_connect_begin, TO_RETRY, "open the MQTT connection, to the broker that the next step is for"),
ROW(CONNECT, OTA_EVENT_MQTT_CONNECTED, ota_connect_answered, TO(SUBSCRIBE) | TO_RETRY, "connected, or try again"),
ROW(CONNECT, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again"),
ROW(CONNECT, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "nobody answered: try again"),

ROW(SWITCH, ENTER, ota_switch_begin, TO_PROCEED, "close the MQTT connection: the next step is for another broker"),
ROW(SWITCH, OTA_EVENT_MQTT_CLOSED, ota_switch_done, TO_PROCEED, "go on"),
ROW(SWITCH, OTA_EVENT_TIMER, ota_switch_done, TO_PROCEED, "the same"),

ROW(PAUSE, ENTER, ota_pause_begin, 0, "back off, twice as long each time"),
ROW(PAUSE, OTA_EVENT_TIMER, ota_pause_over, TO_PROCEED, "try again"),

ROW(SUBSCRIBE, ENTER, ota_subscribe_begin, TO_RETRY, "subscribe to the topic of this session"),
ROW(SUBSCRIBE, OTA_EVENT_MQTT_SUBSCRIBED, ota_subscribe_answered, TO_PROCEED | TO_RETRY, "self-test passed; go on with what is due, under way, or wanted"),
ROW(SUBSCRIBE, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again"),
ROW(SUBSCRIBE, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "nobody answered: try again"),

ROW(PROBE, ENTER, ota_probe_begin, TO_RETRY, "HTTP: ask for one byte, to see whether the server can be reached"),
ROW(PROBE, OTA_EVENT_HTTP_HEAD, ota_probe_head, TO(CONFIRM), "self-test passed, whatever the answer"),
ROW(PROBE, OTA_EVENT_HTTP_DONE, ota_probe_failed, TO_RETRY, "try again"),
ROW(PROBE, OTA_EVENT_TIMER, ota_probe_failed, TO_RETRY, "nobody answered: try again"),

ROW(CONFIRM, ENTER, ota_confirm_begin, TO_PROCEED | TO(RESET), "confirm the running image; record that Success is owed"),

ROW(REPORT, ENTER, ota_report_begin, TO_RETRY, "publish Success or Failure"),
ROW(REPORT, OTA_EVENT_MQTT_PUBLISHED, ota_report_published, TO_PROCEED | TO_RETRY, "the broker has it: nothing is owed any more"),
ROW(REPORT, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again"),
ROW(REPORT, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "not acknowledged: try again"),

ROW(POST, ENTER, ota_post_begin, TO_RETRY, "HTTP: post Success or Failure"),
ROW(POST, OTA_EVENT_HTTP_HEAD, ota_post_head, TO_PROCEED | TO_RETRY, "the server has it, or will never take it: nothing is owed any more; else try again"),
ROW(POST, OTA_EVENT_HTTP_DONE, ota_post_failed, TO_RETRY, "no answer: try again"),
ROW(POST, OTA_EVENT_TIMER, ota_post_failed, TO_RETRY, "the same"),

ROW(ASK, ENTER, ota_ask_begin, TO_RETRY, "publish Update Availability"),
ROW(ASK, OTA_EVENT_MQTT_MESSAGE, ota_ask_message, TO(PARSE) | TO_RESULT, "a document came"),
ROW(ASK, OTA_EVENT_MQTT_PUBLISHED, ota_publish_failed, TO_RETRY, "refused: try again"),
ROW(ASK, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again"),
ROW(ASK, OTA_EVENT_TIMER, ota_ask_late, TO_RETRY, "no answer: end the session; not acknowledged: try again"),

ROW(QUERY, ENTER, ota_query_begin, TO_RETRY, "HTTP: get the job document"),
ROW(QUERY, OTA_EVENT_HTTP_HEAD, ota_query_head, TO_RETRY, "an error status or a document too long: refuse"),
ROW(QUERY, OTA_EVENT_HTTP_BODY, ota_query_body, TO_RESULT, "collect it"),
ROW(QUERY, OTA_EVENT_HTTP_DONE, ota_query_done, TO(PARSE) | TO_RETRY, "a document came, or try again"),
ROW(QUERY, OTA_EVENT_TIMER, ota_query_late, TO_RETRY, "try again"),

ROW(PARSE, ENTER, ota_parse_begin, TO_DATA | TO_RESULT, "accept the job, refuse it, or there is none; or go on where the download was, from where the new job says"),

ROW(PEEK, ENTER, ota_fetch_begin, TO(VERIFY) | TO_RETRY, "HTTP: ask for the first chunk"),
ROW(PEEK, OTA_EVENT_HTTP_HEAD, ota_fetch_head, TO_FETCHED, "learn size and tag; try again or refuse"),
ROW(PEEK, OTA_EVENT_HTTP_BODY, ota_fetch_body, TO_FETCHED, "when the chunk is whole, erase"),
ROW(PEEK, OTA_EVENT_HTTP_DONE, ota_fetch_done, TO_RETRY, "it is not: try again"),
ROW(PEEK, OTA_EVENT_TIMER, ota_fetch_late, TO_RETRY, "the same"),

ROW(ERASE, ENTER, ota_erase_begin, 0, "begin at the end of the slot, with its trailer"),
ROW(ERASE, OTA_EVENT_TIMER, ota_erase_next, TO(VERIFY) | TO_DATA | TO_RESULT, "erase one sector; when all are, fetch (connect first if the line dropped)"),

ROW(REQUEST, ENTER, ota_request_begin, TO_RETRY, "publish Request Update"),
ROW(REQUEST, OTA_EVENT_MQTT_PUBLISHED, ota_request_published, TO(RECEIVE) | TO_RETRY, "the broker has it"),
ROW(REQUEST, OTA_EVENT_MQTT_MESSAGE, ota_receive_message, TO_RECEIVED, "the first chunk may be faster than the acknowledgement"),
ROW(REQUEST, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again"),
ROW(REQUEST, OTA_EVENT_TIMER, ota_link_failed, TO_RETRY, "not acknowledged: try again"),

ROW(RECEIVE, ENTER, ota_receive_begin, TO_RETRY, "after a lost connection or a reset ask for what is missing"),
ROW(RECEIVE, OTA_EVENT_MQTT_MESSAGE, ota_receive_message, TO_RECEIVED, "put the chunk into flash; drop what does not belong"),
ROW(RECEIVE, OTA_EVENT_MQTT_PUBLISHED, ota_publish_failed, TO_RETRY, "refused: try again"),
ROW(RECEIVE, OTA_EVENT_MQTT_CLOSED, ota_link_failed, TO_RETRY, "try again; what lies in flash stays"),
ROW(RECEIVE, OTA_EVENT_TIMER, ota_receive_late, TO(REQUEST) | TO(ERASE) | TO_RETRY, "ask for what is missing, a few times; after a reset at last for all of it"),

ROW(FETCH, ENTER, ota_fetch_begin, TO(VERIFY) | TO_RETRY, "HTTP: ask for the next range that is missing"),
ROW(FETCH, OTA_EVENT_HTTP_HEAD, ota_fetch_head, TO_FETCHED, "another image or the whole of it: begin anew; another range or an error: try again, with a new job if the link has expired"),
ROW(FETCH, OTA_EVENT_HTTP_BODY, ota_fetch_body, TO_FETCHED, "put each whole chunk into flash"),
ROW(FETCH, OTA_EVENT_HTTP_DONE, ota_fetch_done, TO_RETRY, "the next range; or the rest of this one, after a pause"),
ROW(FETCH, OTA_EVENT_TIMER, ota_fetch_late, TO_RETRY, "too slow: try again"),

ROW(VERIFY, ENTER, ota_verify_begin, TO(INSTALL) | TO_RESULT, "check what lies in flash"),

ROW(INSTALL, ENTER, ota_install_begin, TO_RESULT, "record it; ask the loader"),

ROW(LEAVE, ENTER, ota_leave_begin, TO(IDLE) | TO(RESET), "close the connection"),
ROW(LEAVE, OTA_EVENT_MQTT_CLOSED, ota_leave_done, TO(IDLE) | TO(RESET), "reset when the loader has work, else idle"),
ROW(LEAVE, OTA_EVENT_TIMER, ota_leave_done, TO(IDLE) | TO(RESET), "the same"),

ROW(RESET, ENTER, ota_reset_begin, 0, "ask the platform for a reset"),
ROW(RESET, OTA_EVENT_TIMER, ota_reset_begin, 0, "ask again"),
};
#undef ROW
/* clang-format on */

#define ROWS (sizeof table / sizeof table[0])

static const struct row *find_row(enum ota_state state, int event)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].state == state && table[i].event == event)
            return &table[i];
    return NULL;
}

static enum ota_state run(struct ota_agent *agent, const struct row *row,
                          const struct ota_event *event)
{
    enum ota_state next = row->handler(agent, event);
    assert(next == agent->state || (row->next & 1u << next) != 0);
    return next;
}

/* What every state must know: is there a connection, how much does the broker still owe, is there a
 * request. */
static void follow_link(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->type == OTA_EVENT_MQTT_CLOSED ||
        (event->type == OTA_EVENT_MQTT_CONNECTED && event->code != 0)) {
        agent->linked = false;
        agent->unacked = 0;
    }
    if (event->type == OTA_EVENT_MQTT_PUBLISHED && event->code == 0 && agent->unacked > 0)
        agent->unacked--;
    if (event->type == OTA_EVENT_HTTP_DONE)
        agent->requested = false;
}

static bool concerns(const struct ota_agent *agent, const struct ota_event *event)
{
    if (event->type == OTA_EVENT_TIMER)
        return event->id == THE_TIMER;
    if (event->type == OTA_EVENT_MQTT_MESSAGE)
        return event->topic != NULL && strcmp(event->topic, agent->inbox) == 0;
    if (event->type == OTA_EVENT_HTTP_HEAD)
        return event->head != NULL && agent->requested;
    return event->type != OTA_EVENT_HTTP_BODY || agent->requested;
}

static void change_state(struct ota_agent *agent, enum ota_state next)
{
    agent->state = next;
    agent->again = false;
    agent->failure = 0;
    agent->ports.clock->disarm(agent->ports.clock->context, THE_TIMER);
    if (agent->requested)
        agent->ports.http->cancel(agent->ports.http->context);
    agent->requested = false;
    ota_notify(agent, OTA_NOTICE_STATE, 0);
}

/* In these the session has ended: there is nothing left to stop or to take over. */
static bool is_final(enum ota_state state)
{
    return state == OTA_STATE_IDLE || state == OTA_STATE_LEAVE;
}

/* Tells the application how the state that is being left ended. Returns where to go, which is
 * `next` unless the application stops the session. */
static enum ota_state leave_state(struct ota_agent *agent, enum ota_state next)
{
    int failure = agent->failure;
    enum ota_answer answer = ota_consult(agent, ota_state_name(agent),
                                         failure != 0 ? OTA_ASK_FAILURE : OTA_ASK_SUCCESS, failure);
    if (is_final(agent->state) || (failure != 0 && next != OTA_STATE_PAUSE))
        return next;
    if (answer == OTA_ANSWER_STOP)
        return ota_stop(agent, OTA_E_STOPPED);
    return answer == OTA_ANSWER_FAILED && failure == 0 ? ota_stop(agent, OTA_E_APP) : next;
}

/* Does a state's first work, or what the application wishes instead. False: the state is left. */
static bool enter_state(struct ota_agent *agent, const struct ota_event *event,
                        enum ota_state *next)
{
    const struct row *row = find_row(agent->state, ENTER);
    ota_compose(agent);
    enum ota_answer answer = ota_consult(agent, ota_state_name(agent), OTA_ASK_STEP, 0);
    if (is_final(agent->state))
        answer = OTA_ANSWER_CONTINUE;
    agent->taken_over = false;
    if (answer == OTA_ANSWER_STOP || answer == OTA_ANSWER_FAILED) {
        *next = ota_stop(agent, answer == OTA_ANSWER_STOP ? OTA_E_STOPPED : OTA_E_APP);
        return false;
    }
    *next = answer == OTA_ANSWER_DONE ? ota_taken_over(agent) : agent->state;
    if (*next != agent->state)
        return false;
    *next = run(agent, row, event);
    return *next == agent->state && !agent->again;
}

void ota_step(struct ota_agent *agent, const struct ota_event *event)
{
    bool concerned = concerns(agent, event);
    agent->failure = 0;
    follow_link(agent, event);
    const struct row *row = concerned ? find_row(agent->state, (int)event->type) : NULL;
    if (row == NULL) {
        ota_log(agent, OTA_LOG_DEBUG, "event without meaning here", 0);
        return;
    }
    enum ota_state next = run(agent, row, event);
    bool settled = next == agent->state && !agent->again;
    /* Ends: every chain of entries leads to a state that waits. */
    while (!settled) {
        next = leave_state(agent, next);
        change_state(agent, next);
        settled = enter_state(agent, event, &next);
    }
}

/* ---- shared by the handlers -------------------------------------------------------------- */

/* Appends to a line of bounded length. */
static size_t append(char *line, size_t size, size_t at, const char *text)
{
    for (; *text != 0 && at + 1 < size; text++)
        line[at++] = *text;
    line[at] = 0;
    return at;
}

void ota_log(const struct ota_agent *agent, enum ota_log_level level, const char *text, int code)
{
    char line[128];
    size_t at = append(line, sizeof line, 0, text);
    if (code < 0) {
        at = append(line, sizeof line, at, ": ");
        append(line, sizeof line, at, ota_err_text(code));
    }
    agent->ports.platform->log(agent->ports.platform->context, level, line);
}

void ota_notify(const struct ota_agent *agent, enum ota_notice_type type, int code)
{
    bool mine = type == OTA_NOTICE_CONFIRMED || (type == OTA_NOTICE_REPORTED && !agent->offered);
    struct ota_notice notice = {
        .type = type,
        .code = code,
        .text = type == OTA_NOTICE_STATE ? ota_state_name(agent) : ota_err_word(code),
        .version = mine ? agent->record.target : agent->offer,
        .done = ota_image_done(agent),
        .total = ota_image_total(agent),
    };
    if (agent->config.notify != NULL)
        agent->config.notify(agent->config.notify_context, &notice);
}

void ota_wait(const struct ota_agent *agent, uint32_t ms)
{
    const struct clock_port *clock = agent->ports.clock;
    int error = clock->arm(clock->context, THE_TIMER, ms);
    if (error != 0)
        ota_log(agent, OTA_LOG_ERROR, "timer", error);
}

void ota_speaker(const struct ota_agent *agent, struct ota_speaker *out)
{
    *out = (struct ota_speaker){
        .identity = &agent->config.identity,
        .topic_prefix = agent->config.topic_prefix,
        .inbox = agent->inbox,
        .running = agent->running,
    };
}

int ota_publish(struct ota_agent *agent, int length)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    if (length < 0)
        return length;
    int error = mqtt->publish(mqtt->context, agent->outbox, agent->text, (size_t)length, 1);
    if (error == 0)
        agent->unacked++;
    return error;
}

/* ---- setting up -------------------------------------------------------------------------- */

/* Why these:
 * - 10 s until the first check: the network comes up first; a day until the next, as the vendor's.
 * - 30 s for a job, 20 s for a chunk: a cloud side that answers at all answers within seconds.
 * - 20 s for a connection: TCP's third SYN is sent after 3 s, its fourth after 7 s, TLS is slow.
 * - 5 s doubling to 5 min and six tries: about three minutes before a new image is given up.
 * - 60 s of keep-alive, as the vendor's: a broker that is gone is noticed within two minutes. */
const struct ota_timing ota_default_timing = {
    .initial_check = 10u * 1000,
    .next_check = 24u * 3600 * 1000,
    .job_wait = 30u * 1000,
    .data_wait = 20u * 1000,
    .connect_wait = 20u * 1000,
    .retry_first = 5u * 1000,
    .retry_last = 300u * 1000,
    .keep_alive = 60u * 1000,
    .connect_tries = 6,
    .data_tries = 5,
};

static void default_timing(struct ota_timing *timing)
{
    const struct ota_timing *usual = &ota_default_timing;
#define DEFAULT(field) (timing->field = timing->field != 0 ? timing->field : usual->field)
    DEFAULT(initial_check);
    DEFAULT(next_check);
    DEFAULT(job_wait);
    DEFAULT(data_wait);
    DEFAULT(connect_wait);
    DEFAULT(retry_first);
    DEFAULT(retry_last);
    DEFAULT(keep_alive);
    DEFAULT(connect_tries);
    DEFAULT(data_tries);
#undef DEFAULT
}

static bool is_topic_level(const char *text)
{
    return text != NULL && text[0] != 0 && strpbrk(text, "+#") == NULL;
}

/* Where the first request goes, when there is one. */
static int check_http(struct ota_agent *agent)
{
    struct ota_config *config = &agent->config;
    if (config->connection == OTA_BY_MQTT)
        return 0;
    if (config->http_file == NULL && config->flow == OTA_FLOW_JOB)
        config->http_file = config->protocol->job_path;
    bool usable = config->http_file != NULL && config->http_file[0] == '/' &&
                  strlen(config->http_file) < OTA_PATH_MAX;
    return usable && agent->ports.http != NULL ? 0 : OTA_E_ARGUMENT;
}

bool ota_is_chunk_size(uint32_t size)
{
    if (size < OTA_CHUNK_SIZE)
        return size >= OTA_CHUNK_MIN && OTA_CHUNK_SIZE % size == 0;
    return size <= OTA_CHUNK_MAX && size % OTA_CHUNK_SIZE == 0;
}

/* The longest topics of this device must fit, and a chunk must begin at a program unit. */
static int check_config(struct ota_agent *agent)
{
    const struct ota_config *config = &agent->config;
    struct ota_speaker speaker;
    struct flash_sector sector;
    if (config->protocol == NULL || config->max_end == 0 ||
        config->max_end > config->secondary.size || !is_topic_level(config->topic_prefix) ||
        !is_topic_level(config->identity.board))
        return OTA_E_ARGUMENT;
    ota_speaker(agent, &speaker);
    int error = check_http(agent);
    if (error != 0)
        return error;
    int length = config->protocol->inbox(&speaker, UINT64_MAX, agent->inbox, sizeof agent->inbox);
    if (length >= 0)
        length = config->protocol->outbox(&speaker, agent->outbox, sizeof agent->outbox);
    if (length < 0)
        return length;
    error = flash_area_sector(&config->secondary, 0, &sector);
    if (error != 0)
        return error;
    if (sector.unit == 0 || sector.unit > OTA_UNIT_MAX || OTA_CHUNK_SIZE % sector.unit != 0)
        return OTA_E_LAYOUT;
    if (config->chunk_size != 0 &&
        (!ota_is_chunk_size(config->chunk_size) || config->chunk_size % sector.unit != 0))
        return OTA_E_ARGUMENT;
    agent->unit_size = sector.unit;
    agent->erased = sector.erased;
    return 0;
}

int ota_init(struct ota_agent *agent, const struct ota_config *config,
             const struct ota_ports *ports)
{
    struct img_info running;
    memset(agent, 0, sizeof *agent);
    agent->config = *config;
    agent->ports = *ports;
    default_timing(&agent->config.timing);
    int error = check_config(agent);
    if (error == 0)
        error = img_measure(&config->primary, &running, NULL);
    if (error == 0)
        error = ota_journal_open(&agent->journal, &config->journal, &agent->record);
    if (error == 0)
        error = ota_progress_open(&agent->progress, &config->progress, &config->secondary);
    if (error != 0)
        return error;
    agent->running = running.header.version;
    agent->inbox[0] = 0; /* nothing is listened to yet */
    return 0;
}

/* ---- names ------------------------------------------------------------------------------- */

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
        if (table[i].state == from && (table[i].next & 1u << to) != 0)
            return true;
    return false;
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

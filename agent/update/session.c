#include "agent/program.h"
#include "agent/update/states.h"

#include <string.h>

#define THE_TIMER 0u
#define OTA_TIMES 10u /* members of struct ota_timing */

/* ---- the state table --------------------------------------------------------------------- */

static const struct ota_row rows[] = {OTA_ROWS(OTA_ROW)};

static const struct ota_way core = {rows, sizeof rows / sizeof rows[0], NULL, NULL};

static const struct ota_row *find_in(const struct ota_way *way, enum ota_state state, int event)
{
    for (size_t i = 0; way != NULL && i < way->row_count; i++)
        if (way->rows[i].state == state && way->rows[i].event == event)
            return &way->rows[i];
    return NULL;
}

static const struct ota_row *find_row(const struct ota_agent *agent, int event)
{
    const struct ota_row *row = find_in(&core, agent->state, event);
    if (row == NULL)
        row = find_in(ota_parts(agent)->by_mqtt, agent->state, event);
    return row != NULL ? row : find_in(ota_parts(agent)->by_http, agent->state, event);
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
        return event->head != NULL && ota_is_requesting(agent);
    return event->type != OTA_EVENT_HTTP_BODY || ota_is_requesting(agent);
}

static void change_state(struct ota_agent *agent, enum ota_state next)
{
    agent->state = next;
    agent->again = false;
    agent->failure = 0;
    agent->ports.clock->disarm(agent->ports.clock->context, THE_TIMER);
    if (ota_is_requesting(agent))
        agent->ports.http->cancel(agent->ports.http->context);
    agent->requested = false;
    ota_notify(agent, OTA_NOTICE_STATE, 0);
}

/* Writes what the present state is going to send into agent->text. */
static void compose(struct ota_agent *agent)
{
    const struct ota_parts *parts = ota_parts(agent);
    if (parts->by_mqtt != NULL)
        parts->by_mqtt->compose(agent);
    if (parts->by_http != NULL)
        parts->by_http->compose(agent);
}

/* Does a state's first work, or what the application wishes instead. False: the state is left. */
static bool enter_state(struct ota_agent *agent, const struct ota_event *event,
                        enum ota_state *next)
{
    const struct ota_say *say = ota_parts(agent)->say;
    compose(agent);
    agent->taken_over = false;
    if (say != NULL && !say->enter(agent, next))
        return false;
    *next = find_row(agent, ENTER)->handler(agent, event);
    return *next == agent->state && !agent->again;
}

void ota_step(struct ota_agent *agent, const struct ota_event *event)
{
    bool concerned = concerns(agent, event);
    agent->failure = 0;
    follow_link(agent, event);
    const struct ota_row *row = concerned ? find_row(agent, (int)event->type) : NULL;
    if (row == NULL) {
        ota_log(agent, OTA_LOG_DEBUG, "event without meaning here", 0);
        return;
    }
    enum ota_state next = row->handler(agent, event);
    bool settled = next == agent->state && !agent->again;
    /* Ends: every chain of entries leads to a state that waits. */
    while (!settled) {
        if (ota_parts(agent)->say != NULL)
            next = ota_parts(agent)->say->leave(agent, next);
        change_state(agent, next);
        settled = enter_state(agent, event, &next);
    }
}

/* ---- shared by the handlers -------------------------------------------------------------- */

void ota_log(const struct ota_agent *agent, enum ota_log_level level, const char *text, int code)
{
    const struct platform_port *platform = agent->ports.platform;
    if (!ota_program.silent)
        platform->log(platform->context, level, text, code);
}

void ota_notify(const struct ota_agent *agent, enum ota_notice_type type, int code)
{
    bool mine = type == OTA_NOTICE_CONFIRMED || (type == OTA_NOTICE_REPORTED && !agent->offered);
    struct ota_notice notice = {
        .type = type,
        .code = code,
        .state = (unsigned)agent->state,
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

_Static_assert(sizeof(struct ota_timing) == OTA_TIMES * sizeof(uint32_t), "nothing but numbers");

static void default_timing(struct ota_timing *timing)
{
    static const uint8_t none[sizeof(uint32_t)];
    uint8_t *time = (uint8_t *)timing;
    const uint8_t *usual = (const uint8_t *)&ota_default_timing;
    for (size_t at = 0; at < sizeof *timing; at += sizeof none)
        if (memcmp(time + at, none, sizeof none) == 0)
            memcpy(time + at, usual + at, sizeof none);
}

static bool is_topic_level(const char *text)
{
    return text != NULL && text[0] != 0 && strpbrk(text, "+#") == NULL;
}

/* How the first connection is made, and where the first request goes, when there is one. */
static int check_connection(struct ota_agent *agent)
{
    struct ota_config *config = &agent->config;
    if (ota_way_of(agent, config->connection) == NULL ||
        (config->flow == OTA_FLOW_DIRECT && ota_parts(agent)->direct == NULL))
        return OTA_E_ARGUMENT;
    if (config->connection == OTA_BY_MQTT)
        return 0;
    if (config->http_file == NULL && !ota_is_direct(agent))
        config->http_file = ota_parts(agent)->protocol->job_path;
    bool usable = config->http_file != NULL && config->http_file[0] == '/' &&
                  strlen(config->http_file) < OTA_PATH_MAX;
    return usable ? 0 : OTA_E_ARGUMENT;
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
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    struct flash_sector sector;
    if (protocol == NULL || ota_parts(agent)->target == NULL || config->max_end == 0 ||
        config->max_end > config->secondary.size || !is_topic_level(config->topic_prefix) ||
        !is_topic_level(config->identity.board))
        return OTA_E_ARGUMENT;
    agent->speaker.identity = &agent->config.identity;
    agent->speaker.topic_prefix = config->topic_prefix;
    agent->speaker.inbox = agent->inbox;
    int error = check_connection(agent);
    if (error != 0)
        return error;
    int length = protocol->inbox(&agent->speaker, UINT64_MAX, agent->inbox, sizeof agent->inbox);
    if (length >= 0)
        length = protocol->outbox(&agent->speaker, agent->outbox, sizeof agent->outbox);
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
    if (config->piece_size < (ota_parts(agent)->by_http != NULL ? OTA_CHUNK_SIZE : sector.unit) ||
        config->text_size < OTA_JSON_MAX + 1)
        return OTA_E_NO_SPACE;
    agent->piece = config->piece;
    agent->text = config->text;
    agent->unit_size = sector.unit;
    agent->erased = sector.erased;
    return 0;
}

int ota_init(struct ota_agent *agent, const struct ota_config *config,
             const struct ota_ports *ports)
{
    memset(agent, 0, sizeof *agent);
    agent->config = *config;
    agent->ports = *ports;
    default_timing(&agent->config.timing);
    int error = check_config(agent);
    if (error == 0)
        error = ota_parts(agent)->target->running(agent, &agent->speaker.running);
    if (error == 0)
        error = ota_journal_open(&agent->journal, &config->journal, &agent->record);
    if (error == 0)
        error = ota_progress_open(&agent->progress, &config->progress, &config->secondary);
    if (error != 0)
        return error;
    agent->inbox[0] = 0; /* nothing is listened to yet */
    return 0;
}

#include "agent/update/steps.h"

#include <string.h>

#define SERIAL_IN_ID      13u /* with "nb" and 8 digits: 23 characters */
#define NONCE_DIGITS      8u
#define QOS_AT_LEAST_ONCE 1

/* ---- chance ------------------------------------------------------------------------------ */

/* `ms` less up to `part` of it, so that devices that failed together do not come back together. */
static uint32_t jittered(const struct ota_agent *agent, uint32_t ms, uint32_t part)
{
    uint32_t chance = 0;
    if (agent->ports.random->bytes(agent->ports.random->context, &chance, sizeof chance) != 0)
        return ms;
    return ms - chance % (part + 1);
}

static uint32_t doubled(uint32_t ms, uint32_t times, uint32_t most)
{
    for (; times > 0 && ms < most; times--)
        ms = ms > UINT32_MAX / 2 ? UINT32_MAX : ms * 2;
    return ms < most ? ms : most;
}

/* Before the next try: doubled for each one that failed since the last progress. */
static uint32_t pause_ms(const struct ota_agent *agent)
{
    const struct ota_timing *timing = &agent->config.timing;
    return doubled(timing->retry_first, agent->tries > 0 ? agent->tries - 1 : 0,
                   timing->retry_last);
}

/* No shorter than a server has asked for, once. */
static uint32_t as_told(struct ota_agent *agent, uint32_t ms)
{
    uint32_t told = agent->told_ms;
    agent->told_ms = 0;
    return told > ms ? told : ms;
}

/* A topic and a client id that no other device and no earlier session uses. */
static int name_session(struct ota_agent *agent)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t chance[8];
    int error = agent->ports.random->bytes(agent->ports.random->context, chance, sizeof chance);
    if (error != 0)
        return error;
    const char *serial = agent->config.identity.serial;
    size_t at = 0;
    agent->client_id[at++] = 'n';
    agent->client_id[at++] = 'b';
    for (size_t i = 0; serial != NULL && serial[i] != 0 && at < 2 + SERIAL_IN_ID; i++) {
        char c = serial[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            agent->client_id[at++] = c;
    }
    for (size_t i = 0; i < NONCE_DIGITS; i++)
        agent->client_id[at++] = hex[chance[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    agent->client_id[at] = 0;
    uint64_t nonce = ota_get32(chance) | (uint64_t)ota_get32(chance + 4) << 32;
    const struct ota_protocol *protocol = ota_parts(agent)->protocol;
    int length = ota_is_sent_direct(agent)
                     ? protocol->direct_inbox(&agent->speaker, agent->inbox, sizeof agent->inbox)
                     : protocol->inbox(&agent->speaker, nonce, agent->inbox, sizeof agent->inbox);
    return length < 0 ? length : 0;
}

/* ---- idle -------------------------------------------------------------------------------- */

static void begin_session(struct ota_agent *agent, bool checking)
{
    agent->checking = checking;
    agent->offered = false;
    agent->fetching = false;
    agent->renewing = false;
    agent->restart = false;
    agent->outcome = 0;
    agent->tries = 0;
    agent->waits = 0;
    agent->unacked = 0;
    agent->total = 0;
    agent->done = 0;
    agent->archived = false;
    agent->bad_chunks = 0;
    agent->renewals = 0;
    agent->restarts = 0;
    agent->fetched = 0;
    agent->past_end = false;
    agent->announced = false;
    agent->offer = (struct img_version){0};
    agent->source = (struct ota_source){0};
}

/* Until the next session. Neither a network that was away for a minute costs a day, nor is a peer
 * that is gone for good asked for ever as often. */
static uint32_t idle_ms(const struct ota_agent *agent)
{
    const struct ota_timing *timing = &agent->config.timing;
    uint32_t ms = timing->next_check;
    if (agent->setbacks > 0)
        ms = doubled(pause_ms(agent), agent->setbacks - 1, timing->next_check);
    if ((ota_is_due(agent) || agent->trial) && timing->retry_last < ms)
        ms = timing->retry_last; /* neither what is owed nor a confirmation waits for a day */
    return jittered(agent, ms, agent->setbacks > 0 ? ms / 2 : ms / 8);
}

enum ota_state ota_idle_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->setbacks = ota_is_passing(agent->outcome) ? agent->setbacks + 1 : 0;
    ota_notify(agent, OTA_NOTICE_IDLE, agent->outcome);
    ota_wait(agent, as_told(agent, idle_ms(agent)));
    return OTA_STATE_IDLE;
}

static enum ota_state refuse_session(struct ota_agent *agent, int code)
{
    ota_log(agent, OTA_LOG_WARNING, "no session", code);
    agent->outcome = code;
    return ota_idle_begin(agent, NULL);
}

enum ota_state ota_idle_start(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    ota_settle(agent);
    begin_session(agent, false);
    int error = ota_is_due(agent) ? name_session(agent) : 0;
    if (error != 0)
        return refuse_session(agent, error);
    if (ota_is_due(agent))
        return ota_proceed(agent);
    ota_wait(agent, agent->config.timing.initial_check);
    return OTA_STATE_IDLE;
}

enum ota_state ota_idle_check(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    begin_session(agent, true);
    if (agent->pending)
        return refuse_session(agent, OTA_E_PENDING);
    ota_settle(agent); /* the application may have confirmed meanwhile */
    int error = agent->trial && !agent->config.confirm_itself ? OTA_E_UNCONFIRMED : 0;
    if (error == 0)
        error = name_session(agent);
    return error != 0 ? refuse_session(agent, error) : ota_proceed(agent);
}

/* ---- what is next ------------------------------------------------------------------------ */

bool ota_wants_data(const struct ota_agent *agent)
{
    return agent->fetching && !agent->renewing;
}

enum ota_connection ota_connection_now(const struct ota_agent *agent)
{
    return ota_wants_data(agent) ? agent->source.connection : agent->config.connection;
}

static bool is_by_mqtt(const struct ota_agent *agent)
{
    return ota_connection_now(agent) == OTA_BY_MQTT;
}

bool ota_is_for_other_broker(const struct ota_agent *agent)
{
    return ota_wants_data(agent) && is_by_mqtt(agent) && agent->source.host[0] != 0;
}

const struct ota_way *ota_way_of(const struct ota_agent *agent, enum ota_connection connection)
{
    bool mqtt = connection == OTA_BY_MQTT;
    bool usable = mqtt ? agent->ports.mqtt != NULL : agent->ports.http != NULL;
    return usable ? (mqtt ? ota_parts(agent)->by_mqtt : ota_parts(agent)->by_http) : NULL;
}

static enum ota_state next_state(struct ota_agent *agent)
{
    bool due = ota_is_due(agent);
    bool to_check = agent->checking && !agent->offered;
    if (!due && !agent->fetching && to_check && ota_is_direct(agent))
        return ota_parts(agent)->direct->begin(agent);
    if (!due && !agent->fetching && !to_check)
        return OTA_STATE_LEAVE;
    return ota_way_of(agent, ota_connection_now(agent))->next(agent);
}

enum ota_state ota_proceed(struct ota_agent *agent)
{
    enum ota_state next = next_state(agent);
    agent->again = next == agent->state; /* connect to the other broker, begin a fetch anew */
    return next;
}

/* ---- trying again ------------------------------------------------------------------------ */

static void drop_link(struct ota_agent *agent)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    if (agent->linked) {
        int error = mqtt->disconnect(mqtt->context);
        if (error != 0)
            ota_log(agent, OTA_LOG_DEBUG, "disconnect", error);
    }
    agent->linked = false;
    agent->unacked = 0;
}

/* For the application "cannot connect" says enough, but why nobody is trusted matters. */
static int reason_of(int code)
{
    return ota_err_is_tls(code) ? code : OTA_E_CONNECT;
}

static enum ota_state try_again(struct ota_agent *agent, int code)
{
    bool elsewhere = agent->fetching && (!is_by_mqtt(agent) || ota_is_for_other_broker(agent) ||
                                         agent->config.connection != OTA_BY_MQTT);
    agent->failure = code;
    agent->tries++;
    if (agent->tries < agent->config.timing.connect_tries)
        return OTA_STATE_PAUSE;
    if (ota_is_tested(agent)) {
        ota_log(agent, OTA_LOG_ERROR, "new image reaches nobody: reset to have it reverted", 0);
        return OTA_STATE_RESET;
    }
    if (elsewhere) {
        agent->tries = 0; /* whom the result goes to may well be there */
        return ota_fail(agent, code);
    }
    ota_log(agent, OTA_LOG_WARNING, "session given up", code);
    if (agent->fetching)
        ota_owe_failure(agent, code);
    if (agent->outcome == 0)
        agent->outcome = code;
    return OTA_STATE_LEAVE;
}

enum ota_state ota_retry(struct ota_agent *agent, int code)
{
    drop_link(agent);
    return try_again(agent, reason_of(code));
}

enum ota_state ota_asked(struct ota_agent *agent, int error, uint32_t wait_ms)
{
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "not sent", error);
        return ota_retry(agent, error);
    }
    ota_wait(agent, wait_ms);
    return agent->state;
}

enum ota_state ota_retry_request(struct ota_agent *agent, int code)
{
    ota_log(agent, OTA_LOG_NOTICE, "request failed", code);
    return try_again(agent, code);
}

enum ota_state ota_link_failed(struct ota_agent *agent, const struct ota_event *event)
{
    bool closed = event->type == OTA_EVENT_MQTT_CLOSED;
    ota_log(agent, OTA_LOG_NOTICE, closed ? "connection lost" : "broker is silent", event->code);
    return ota_retry(agent, closed ? event->code : OTA_E_TIMEOUT);
}

/* ---- connecting -------------------------------------------------------------------------- */

/* 0 would mean none: a fraction counts as a second. */
static uint16_t keep_alive_s(uint32_t ms)
{
    uint32_t seconds = ms / 1000 + (ms % 1000 != 0);
    return seconds > UINT16_MAX ? UINT16_MAX : (uint16_t)seconds;
}

enum ota_state ota_connect_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    (void)event;
    bool elsewhere = ota_is_for_other_broker(agent);
    const struct mqtt_connect options = {
        .host = elsewhere ? agent->source.host : NULL,
        .port = elsewhere ? agent->source.port : 0,
        .client_id = agent->client_id,
        .keep_alive_s = keep_alive_s(agent->config.timing.keep_alive),
        .clean_session = true,
        .will_topic = ota_parts(agent)->protocol->will_topic,
        .will_payload = ota_parts(agent)->protocol->will_payload,
    };
    int error = mqtt->connect(mqtt->context, &options);
    agent->linked = error == 0;
    agent->astray = elsewhere;
    agent->unacked = 0;
    return ota_asked(agent, error, agent->config.timing.connect_wait);
}

enum ota_state ota_connect_answered(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code == 0)
        return OTA_STATE_SUBSCRIBE;
    ota_log(agent, OTA_LOG_NOTICE, "not connected", event->code);
    return ota_retry(agent, event->code);
}

enum ota_state ota_subscribe_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    (void)event;
    int error = mqtt->subscribe(mqtt->context, agent->inbox, QOS_AT_LEAST_ONCE);
    return ota_asked(agent, error, agent->config.timing.connect_wait);
}

enum ota_state ota_subscribe_answered(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code == 0)
        return ota_proceed(agent);
    ota_log(agent, OTA_LOG_NOTICE, "not subscribed", event->code);
    return ota_retry(agent, event->code);
}

enum ota_state ota_switch_done(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->linked = false;
    agent->unacked = 0;
    return ota_proceed(agent);
}

enum ota_state ota_switch_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    int error = mqtt->disconnect(mqtt->context);
    if (error != 0) {
        ota_log(agent, OTA_LOG_DEBUG, "disconnect", error);
        return ota_switch_done(agent, event);
    }
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_SWITCH;
}

enum ota_state ota_pause_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    uint32_t ms = pause_ms(agent);
    ota_wait(agent, as_told(agent, jittered(agent, ms, ms / 2)));
    return OTA_STATE_PAUSE;
}

enum ota_state ota_pause_over(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    return ota_proceed(agent);
}

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

/* ---- leaving ----------------------------------------------------------------------------- */

enum ota_state ota_leave_done(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    agent->linked = false;
    agent->fetching = false;
    agent->inbox[0] = 0;
    return agent->restart ? OTA_STATE_RESET : OTA_STATE_IDLE;
}

enum ota_state ota_leave_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    if (!agent->linked)
        return ota_leave_done(agent, event);
    int error = mqtt->disconnect(mqtt->context);
    if (error != 0) {
        ota_log(agent, OTA_LOG_DEBUG, "disconnect", error);
        return ota_leave_done(agent, event);
    }
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_LEAVE;
}

enum ota_state ota_reset_begin(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    ota_wait(agent, agent->config.timing.connect_wait);
    agent->ports.platform->reset(agent->ports.platform->context);
    return OTA_STATE_RESET;
}

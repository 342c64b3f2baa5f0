#include "agent/update/steps.h"

#include <string.h>

#define KEEP_ALIVE_S      60
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

/* A topic and a client id that no other device and no earlier session uses. */
static int name_session(struct ota_agent *agent)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t chance[8];
    uint64_t nonce = 0;
    struct ota_speaker speaker;
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
    for (size_t i = 0; i < sizeof chance; i++)
        nonce |= (uint64_t)chance[i] << (8 * i);
    ota_speaker(agent, &speaker);
    int length = agent->config.protocol->inbox(&speaker, nonce, agent->inbox, sizeof agent->inbox);
    return length < 0 ? length : 0;
}

/* ---- idle -------------------------------------------------------------------------------- */

static void begin_session(struct ota_agent *agent, bool checking)
{
    agent->checking = checking;
    agent->offered = false;
    agent->fetching = false;
    agent->restart = false;
    agent->outcome = 0;
    agent->tries = 0;
    agent->waits = 0;
    agent->unacked = 0;
    agent->total = 0;
    agent->done = 0;
    agent->offer = (struct img_version){0};
}

enum ota_state ota_idle_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct ota_timing *timing = &agent->config.timing;
    (void)event;
    uint32_t ms = timing->next_check;
    if ((ota_is_due(agent) || agent->trial) && timing->retry_last < ms)
        ms = timing->retry_last; /* neither what is owed nor a confirmation waits for a day */
    ota_notify(agent, OTA_NOTICE_IDLE, agent->outcome);
    ota_wait(agent, jittered(agent, ms, ms / 8));
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
        return OTA_STATE_CONNECT;
    ota_wait(agent, agent->config.timing.initial_check);
    return OTA_STATE_IDLE;
}

enum ota_state ota_idle_check(struct ota_agent *agent, const struct ota_event *event)
{
    (void)event;
    ota_settle(agent); /* the application may have confirmed meanwhile */
    begin_session(agent, true);
    int error = agent->trial && !agent->config.confirm_itself ? OTA_E_UNCONFIRMED : 0;
    if (error == 0)
        error = name_session(agent);
    return error != 0 ? refuse_session(agent, error) : OTA_STATE_CONNECT;
}

/* ---- connecting -------------------------------------------------------------------------- */

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

enum ota_state ota_retry(struct ota_agent *agent)
{
    drop_link(agent);
    agent->tries++;
    if (agent->tries < agent->config.timing.connect_tries)
        return OTA_STATE_PAUSE;
    if (ota_is_tested(agent)) {
        ota_log(agent, OTA_LOG_ERROR, "new image reaches nobody: reset to have it reverted", 0);
        return OTA_STATE_RESET;
    }
    ota_log(agent, OTA_LOG_WARNING, "session given up", OTA_E_CONNECT);
    if (agent->fetching)
        ota_owe_failure(agent, OTA_E_CONNECT);
    if (agent->outcome == 0)
        agent->outcome = OTA_E_CONNECT;
    return OTA_STATE_LEAVE;
}

enum ota_state ota_link_failed(struct ota_agent *agent, const struct ota_event *event)
{
    bool closed = event->type == OTA_EVENT_MQTT_CLOSED;
    ota_log(agent, OTA_LOG_NOTICE, closed ? "connection lost" : "broker is silent", event->code);
    return ota_retry(agent);
}

enum ota_state ota_connect_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    (void)event;
    const struct mqtt_connect options = {
        .client_id = agent->client_id,
        .keep_alive_s = KEEP_ALIVE_S,
        .clean_session = true,
        .will_topic = agent->config.protocol->will_topic,
        .will_payload = agent->config.protocol->will_payload,
    };
    int error = mqtt->connect(mqtt->context, &options);
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "connect", error);
        return ota_retry(agent);
    }
    agent->linked = true;
    agent->unacked = 0;
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_CONNECT;
}

enum ota_state ota_connect_answered(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code == 0)
        return OTA_STATE_SUBSCRIBE;
    ota_log(agent, OTA_LOG_NOTICE, "not connected", event->code);
    return ota_retry(agent);
}

enum ota_state ota_subscribe_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct mqtt_port *mqtt = agent->ports.mqtt;
    (void)event;
    int error = mqtt->subscribe(mqtt->context, agent->inbox, QOS_AT_LEAST_ONCE);
    if (error != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "subscribe", error);
        return ota_retry(agent);
    }
    ota_wait(agent, agent->config.timing.connect_wait);
    return OTA_STATE_SUBSCRIBE;
}

enum ota_state ota_subscribe_answered(struct ota_agent *agent, const struct ota_event *event)
{
    if (event->code != 0) {
        ota_log(agent, OTA_LOG_NOTICE, "not subscribed", event->code);
        return ota_retry(agent);
    }
    if (ota_is_due(agent)) {
        bool settled =
            agent->record.phase == OTA_PHASE_SUCCEEDED || agent->record.phase == OTA_PHASE_FAILED;
        return settled && !agent->trial ? OTA_STATE_REPORT : OTA_STATE_CONFIRM;
    }
    if (agent->fetching) {
        agent->resume = agent->total != 0;
        return agent->resume ? OTA_STATE_RECEIVE : OTA_STATE_REQUEST;
    }
    return agent->checking ? OTA_STATE_ASK : OTA_STATE_LEAVE;
}

enum ota_state ota_pause_begin(struct ota_agent *agent, const struct ota_event *event)
{
    const struct ota_timing *timing = &agent->config.timing;
    (void)event;
    uint32_t ms = timing->retry_first;
    for (uint32_t i = 1; i < agent->tries && ms < timing->retry_last; i++)
        ms = ms > UINT32_MAX / 2 ? UINT32_MAX : ms * 2;
    if (ms > timing->retry_last)
        ms = timing->retry_last;
    ota_wait(agent, jittered(agent, ms, ms / 2));
    return OTA_STATE_PAUSE;
}

enum ota_state ota_pause_over(struct ota_agent *agent, const struct ota_event *event)
{
    (void)agent;
    (void)event;
    return OTA_STATE_CONNECT;
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

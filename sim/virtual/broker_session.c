#include "sim/virtual/broker_state.h"
#include "sim/virtual/mqtt_topic.h"

#include <stdlib.h>
#include <string.h>

static bool same(struct mqtt_bytes a, struct mqtt_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ---- messages ---------------------------------------------------------------------------- */

static struct mqtt_bytes copy(uint8_t *to, struct mqtt_bytes from)
{
    if (from.size > 0)
        memcpy(to, from.data, from.size);
    return (struct mqtt_bytes){to, from.size};
}

struct broker_message *broker_message_new(struct mqtt_bytes topic, struct mqtt_bytes payload,
                                          uint8_t qos, bool retain)
{
    struct broker_message *message = malloc(sizeof *message + topic.size + payload.size);
    if (message == NULL)
        return NULL;
    *message = (struct broker_message){.holders = 1, .qos = qos, .retain = retain};
    message->topic = copy(message->bytes, topic);
    message->payload = copy(message->bytes + topic.size, payload);
    return message;
}

void broker_message_drop(struct broker_message *message)
{
    if (message != NULL && --message->holders == 0)
        free(message);
}

/* ---- sessions ---------------------------------------------------------------------------- */

struct broker_session *broker_session_find(struct virtual_broker *broker, struct mqtt_bytes id)
{
    struct broker_session *session = broker->sessions;
    while (session != NULL && !same(session->client_id, id))
        session = session->next;
    return session;
}

struct broker_session *broker_session_new(struct virtual_broker *broker, struct mqtt_bytes id)
{
    struct broker_session *session = calloc(1, sizeof *session + id.size);
    if (session == NULL)
        return NULL;
    session->client_id = copy(session->bytes, id);
    struct broker_session **link = &broker->sessions;
    while (*link != NULL)
        link = &(*link)->next;
    *link = session;
    return session;
}

void broker_session_end(struct virtual_broker *broker, struct broker_session *session)
{
    struct broker_session **link = &broker->sessions;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    while (session->filters != NULL) {
        struct broker_filter *filter = session->filters;
        session->filters = filter->next;
        free(filter);
    }
    for (size_t i = 0; i < session->count; i++)
        broker_message_drop(session->outgoing[(session->first + i) % session->room].message);
    for (size_t i = 0; i < session->receiving_count; i++)
        broker_message_drop(session->receiving[i].message);
    free(session->outgoing);
    free(session);
}

/* ---- messages on their way --------------------------------------------------------------- */

static struct broker_outgoing *outgoing_at(const struct broker_session *session, size_t i)
{
    return &session->outgoing[(session->first + i) % session->room];
}

/* Makes room for one more. */
static bool grow(struct broker_session *session)
{
    if (session->count < session->room)
        return true;
    size_t room = session->room > 0 ? 2 * session->room : 32;
    struct broker_outgoing *outgoing = malloc(room * sizeof *outgoing);
    if (outgoing == NULL)
        return false;
    for (size_t i = 0; i < session->count; i++)
        outgoing[i] = *outgoing_at(session, i);
    free(session->outgoing);
    session->outgoing = outgoing;
    session->first = 0;
    session->room = room;
    return true;
}

/* An id that nothing in flight has. */
static uint16_t next_id(struct broker_session *session)
{
    for (;;) {
        bool taken = ++session->last_id == 0;
        for (size_t i = 0; i < session->in_flight && !taken; i++)
            taken = outgoing_at(session, i)->id == session->last_id;
        if (!taken)
            return session->last_id;
    }
}

static void send_message(const struct broker_session *session, struct mqtt_bytes topic,
                         struct mqtt_bytes payload, const struct broker_outgoing *outgoing,
                         bool dup)
{
    const struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                       .dup = dup,
                                       .retain = outgoing->retain,
                                       .qos = outgoing->id > 0,
                                       .id = outgoing->id,
                                       .topic = topic,
                                       .payload = payload};
    broker_send(session->connection, &packet);
}

/* What a clean session has been sent once is never sent again: not kept. */
static void forget_content(struct broker_session *session, struct broker_outgoing *outgoing)
{
    if (!session->clean)
        return;
    broker_message_drop(outgoing->message);
    outgoing->message = NULL;
}

/* Sends what waits, as long as there is a place in flight. */
static void send_waiting(struct broker_session *session)
{
    while (session->connection != NULL && session->in_flight < session->count &&
           session->in_flight < VIRTUAL_BROKER_IN_FLIGHT) {
        struct broker_outgoing *outgoing = outgoing_at(session, session->in_flight);
        outgoing->id = next_id(session);
        session->in_flight++;
        send_message(session, outgoing->message->topic, outgoing->message->payload, outgoing,
                     false);
        forget_content(session, outgoing);
    }
}

void broker_session_resume(struct broker_session *session)
{
    for (size_t i = 0; i < session->in_flight; i++) {
        struct broker_outgoing *outgoing = outgoing_at(session, i);
        send_message(session, outgoing->message->topic, outgoing->message->payload, outgoing, true);
    }
    send_waiting(session);
}

void broker_acknowledged(struct broker_session *session, uint16_t id)
{
    size_t at = 0;
    while (at < session->in_flight && outgoing_at(session, at)->id != id)
        at++;
    if (at == session->in_flight)
        return;
    broker_message_drop(outgoing_at(session, at)->message);
    for (; at > 0; at--)
        *outgoing_at(session, at) = *outgoing_at(session, at - 1);
    session->first = (session->first + 1) % session->room;
    session->count--;
    session->in_flight--;
    send_waiting(session);
}

/* One message on its way to one session. `*shared` is the message when somebody needed a copy of
 * it before. */
static void give(struct broker_session *session, struct mqtt_bytes topic, struct mqtt_bytes payload,
                 uint8_t qos, bool retain, struct broker_message **shared)
{
    struct broker_outgoing outgoing = {.retain = retain};
    bool here = session->connection != NULL;
    bool at_once = here && session->count < VIRTUAL_BROKER_IN_FLIGHT;
    if (qos == 0) {
        if (here)
            send_message(session, topic, payload, &outgoing, false);
        return;
    }
    if (session->count >= session->in_flight + VIRTUAL_BROKER_QUEUED || !grow(session))
        return;
    if (!at_once || !session->clean) {
        if (*shared == NULL)
            *shared = broker_message_new(topic, payload, qos, retain);
        if (*shared == NULL)
            return;
        (*shared)->holders++;
        outgoing.message = *shared;
    }
    if (at_once) {
        outgoing.id = next_id(session);
        session->in_flight++;
    }
    session->count++;
    *outgoing_at(session, session->count - 1) = outgoing;
    if (at_once)
        send_message(session, topic, payload, &outgoing, false);
}

/* ---- subscriptions ----------------------------------------------------------------------- */

int broker_subscribe(struct broker_session *session, struct mqtt_bytes text, uint8_t qos)
{
    struct broker_filter **link = &session->filters;
    for (; *link != NULL; link = &(*link)->next)
        if (same((*link)->text, text)) {
            (*link)->qos = qos;
            return OTA_OK;
        }
    struct broker_filter *filter = calloc(1, sizeof *filter + text.size);
    if (filter == NULL)
        return OTA_E_NO_SPACE;
    filter->qos = qos;
    filter->text = copy(filter->bytes, text);
    *link = filter;
    return OTA_OK;
}

void broker_unsubscribe(struct broker_session *session, struct mqtt_bytes text)
{
    for (struct broker_filter **link = &session->filters; *link != NULL; link = &(*link)->next)
        if (same((*link)->text, text)) {
            struct broker_filter *filter = *link;
            *link = filter->next;
            free(filter);
            return;
        }
}

void broker_send_retained(struct virtual_broker *broker, struct broker_session *session,
                          struct mqtt_bytes filter, uint8_t qos)
{
    for (struct broker_message *at = broker->retained; at != NULL; at = at->next)
        if (mqtt_topic_matches(filter, at->topic)) {
            struct broker_message *shared = at;
            give(session, at->topic, at->payload, qos < at->qos ? qos : at->qos, true, &shared);
        }
}

/* ---- publishing -------------------------------------------------------------------------- */

/* Replaces what is retained for the topic; an empty payload just removes it. */
static void retain_message(struct virtual_broker *broker, struct mqtt_bytes topic,
                           struct mqtt_bytes payload, uint8_t qos)
{
    struct broker_message **link = &broker->retained;
    while (*link != NULL && !same((*link)->topic, topic))
        link = &(*link)->next;
    struct broker_message *old = *link;
    struct broker_message *now =
        payload.size > 0 ? broker_message_new(topic, payload, qos, true) : NULL;
    if (old != NULL)
        *link = old->next;
    if (now != NULL) {
        now->next = *link;
        *link = now;
    }
    broker_message_drop(old);
}

/* The best of all that the session subscribed to and that match: it gets the message once (section
 * 3.3.5). -1: none. */
static int granted_qos(const struct broker_session *session, struct mqtt_bytes topic)
{
    int granted = -1;
    for (const struct broker_filter *at = session->filters; at != NULL; at = at->next)
        if (at->qos > granted && mqtt_topic_matches(at->text, topic))
            granted = at->qos;
    return granted;
}

void broker_publish(struct virtual_broker *broker, struct mqtt_bytes topic,
                    struct mqtt_bytes payload, uint8_t qos, bool retain)
{
    struct broker_message *shared = NULL;
    if (topic.size >= 4 && memcmp(topic.data, "$SYS", 4) == 0)
        return; /* the broker's own */
    for (struct broker_session *session = broker->sessions; session != NULL;
         session = session->next) {
        int granted = granted_qos(session, topic);
        if (granted >= 0)
            give(session, topic, payload, qos < granted ? qos : (uint8_t)granted, false, &shared);
    }
    broker_message_drop(shared);
    if (retain)
        retain_message(broker, topic, payload, qos);
}

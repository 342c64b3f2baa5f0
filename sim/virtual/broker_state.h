/* The virtual broker's insides. Private to sim/virtual/broker*.c.
 *
 * broker.c           connections: packets in, keep-alive, wills, how they end
 * broker_session.c   sessions: subscriptions, messages on their way, what is retained */
#ifndef NOBRICK_SIM_VIRTUAL_BROKER_STATE_H
#define NOBRICK_SIM_VIRTUAL_BROKER_STATE_H

#include "sim/virtual/broker.h"
#include "sim/virtual/mqtt_reader.h"

#define BROKER_RECEIVING 20 /* messages of QoS 2 that a client has not released yet */

/* A message, shared by all who wait for it; topic and payload lie behind it. */
struct broker_message {
    struct broker_message *next; /* among those retained */
    unsigned holders;
    uint8_t qos;
    bool retain;
    struct mqtt_bytes topic;
    struct mqtt_bytes payload;
    uint8_t bytes[];
};

struct broker_filter {
    struct broker_filter *next;
    uint8_t qos;
    struct mqtt_bytes text;
    uint8_t bytes[];
};

/* A message of QoS 1 for one client. */
struct broker_outgoing {
    struct broker_message *message; /* NULL: sent, and never to be sent again */
    uint16_t id;                    /* 0: waits for a place in flight */
    bool retain;
};

/* A message of QoS 2 from one client: passed on when it is released. */
struct broker_incoming {
    struct broker_message *message;
    uint16_t id;
};

struct broker_connection;

struct broker_session {
    struct broker_session *next;
    struct broker_connection *connection; /* NULL: away */
    bool clean;
    struct broker_filter *filters; /* in the order of subscribing */
    /* Outgoing messages, oldest first, in a ring of `room`; the first `in_flight` are sent. */
    struct broker_outgoing *outgoing;
    size_t first;
    size_t count;
    size_t room;
    size_t in_flight;
    uint16_t last_id;
    struct broker_incoming receiving[BROKER_RECEIVING];
    size_t receiving_count;
    struct mqtt_bytes client_id;
    uint8_t bytes[];
};

struct broker_connection {
    struct broker_connection *next;
    struct virtual_broker *broker;
    struct virtual_tls *end; /* NULL: closed; freed when nobody looks at it any more */
    struct mqtt_reader reader;
    struct broker_session *session; /* NULL: no CONNECT yet */
    struct broker_message *will;
    uint16_t keep_alive; /* s; 0: for ever */
    uint64_t heard;      /* ms, when something came last */
    bool reading;
};

struct virtual_broker {
    const struct sim_world *world;
    struct virtual_broker_config config;
    struct virtual_tls_server tls;
    struct sim_listener *listener;
    struct sim_listener *tls_listener;
    struct sim_clock *clock; /* timer 0: the next keep-alive that may run out */
    uint64_t next_check;     /* ms; UINT64_MAX: none is armed */
    struct broker_connection *connections;
    struct broker_session *sessions;
    struct broker_message *retained;
    uint64_t nameless; /* clients that brought no client id */
    uint8_t *out;      /* one packet */
    size_t out_room;
};

/* ---- connections: broker.c --------------------------------------------------------------- */

void broker_send(struct broker_connection *connection, const struct mqtt_packet *packet);
/* Closes it, and publishes its will unless `orderly`. Does not free the struct. */
void broker_drop(struct broker_connection *connection, bool orderly);

/* ---- sessions: broker_session.c ---------------------------------------------------------- */

/* NULL when memory runs out. `holders` is 1. */
struct broker_message *broker_message_new(struct mqtt_bytes topic, struct mqtt_bytes payload,
                                          uint8_t qos, bool retain);
void broker_message_drop(struct broker_message *message); /* NULL is fine */

struct broker_session *broker_session_find(struct virtual_broker *broker, struct mqtt_bytes id);
struct broker_session *broker_session_new(struct virtual_broker *broker, struct mqtt_bytes id);
void broker_session_end(struct virtual_broker *broker, struct broker_session *session);
/* The client is back: everything in flight again, with DUP, and then what waited. */
void broker_session_resume(struct broker_session *session);

/* OTA_E_NO_SPACE. */
OTA_MUST_CHECK int broker_subscribe(struct broker_session *session, struct mqtt_bytes filter,
                                    uint8_t qos);
void broker_unsubscribe(struct broker_session *session, struct mqtt_bytes filter);
/* What is retained for this filter goes to the session. */
void broker_send_retained(struct virtual_broker *broker, struct broker_session *session,
                          struct mqtt_bytes filter, uint8_t qos);

/* To everybody who subscribed; topic and payload may lie anywhere. */
void broker_publish(struct virtual_broker *broker, struct mqtt_bytes topic,
                    struct mqtt_bytes payload, uint8_t qos, bool retain);
void broker_acknowledged(struct broker_session *session, uint16_t id);

#endif

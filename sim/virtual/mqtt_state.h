/* The virtual MQTT client's insides. Private to sim/virtual/mqtt*.c.
 *
 * mqtt.c        the seam, what the world and the broker say, and how a connection ends
 * mqtt_send.c   what is sent: packets, and commands that wait for their answer */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_STATE_H
#define NOBRICK_SIM_VIRTUAL_MQTT_STATE_H

#include "sim/virtual/mqtt.h"
#include "sim/virtual/mqtt_reader.h"

enum state { STATE_OFF, STATE_CONNECTING, STATE_UP, STATE_CLOSING };

enum { TIMER_PATIENCE, TIMER_KEEP_ALIVE, TIMER_TELL };

/* SUBSCRIBE, UNSUBSCRIBE or PUBLISH that the broker has not answered yet. */
struct command {
    struct command *next;
    enum mqtt_type type;
    uint8_t qos;
    uint16_t id;
    size_t size; /* of the packet, while it waits for a place in flight; 0: it was sent */
    uint8_t packet[];
};

struct virtual_mqtt {
    const struct sim_world *world;
    struct virtual_mqtt_config config;
    struct mqtt_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    struct sim_clock *timers;
    enum state state;
    const char *reason;
    bool busy; /* the world calls: free leaves the freeing to leave() */
    bool freed;
    unsigned number; /* of the present connection */
    /* of the present connection */
    struct virtual_tls *end; /* NULL: not there, or lost */
    bool greeted;            /* by CONNACK */
    bool clean;
    struct mqtt_reader reader;
    struct command *commands; /* in the order in which they were given */
    size_t in_flight;         /* messages of QoS 1 among them */
    size_t waiting;           /* packets among them */
    unsigned untold;          /* messages of QoS 0 that were sent: PUBLISHED is due */
    uint16_t last_id;
    uint32_t keep_alive_ms; /* 0: none */
    uint64_t sent;          /* ms, when something was last */
    uint64_t received;
    uint64_t pinged;
    bool ping_outstanding;
    /* memory that serves again */
    uint8_t *out; /* one packet; while connecting, CONNECT */
    size_t out_size;
    size_t out_room;
    char *topic; /* of a message, as a C string */
    size_t topic_room;
};

uint64_t mqtt_client_now(const struct virtual_mqtt *mqtt);
void mqtt_client_arm(struct virtual_mqtt *mqtt, unsigned timer, uint64_t ms);

/* Encodes into `out`. False when memory runs out or the packet is too long. */
OTA_MUST_CHECK bool mqtt_client_encode(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet);
/* When the connection is gone, its end will say so. */
void mqtt_client_send(struct virtual_mqtt *mqtt, const uint8_t *bytes, size_t size);
/* A packet with an id at most. */
void mqtt_client_send_code(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id);

/* An id that no command has. */
uint16_t mqtt_client_next_id(struct virtual_mqtt *mqtt);
/* Sends the packet, which `out` holds encoded, or keeps it until there is a place in flight.
 * OTA_E_NO_SPACE. */
OTA_MUST_CHECK int mqtt_client_command(struct virtual_mqtt *mqtt, const struct mqtt_packet *packet);
/* The command that this answers is over. False when there is none. */
bool mqtt_client_answered(struct virtual_mqtt *mqtt, enum mqtt_type type, uint16_t id);
/* Sends what was kept, as far as there are places. */
void mqtt_client_send_waiting(struct virtual_mqtt *mqtt);
void mqtt_client_drop_commands(struct virtual_mqtt *mqtt);

#endif

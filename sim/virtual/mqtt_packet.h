/* The packets of MQTT 3.1.1 (OASIS Standard, 29 October 2014), decoded and encoded.
 *
 *   fixed header   type 4 bits, flags 4 bits; remaining length, 1 to 4 bytes of 7 bits, low first
 *   CONNECT     1  "MQTT", level 4, flags, keep-alive; client id, will topic, will, user, password
 *   CONNACK     2  session present, return code
 *   PUBLISH     3  flags: dup, qos, retain; topic; id when qos > 0; payload
 *   PUBACK      4  id (and PUBREC 5, PUBREL 6 with flags 2, PUBCOMP 7)
 *   SUBSCRIBE   8  flags 2; id; filters: text and qos, one or more
 *   SUBACK      9  id; a code for each filter: 0 to 2, or 0x80
 *   UNSUBSCRIBE 10 flags 2; id; filters: text, one or more
 *   UNSUBACK    11 id
 *   PINGREQ 12, PINGRESP 13, DISCONNECT 14: nothing
 *
 * Numbers are big-endian, 16 bits; texts are a 16-bit length and UTF-8 (section 1.5.3). A decoded
 * packet points into the bytes that it was decoded from; nothing is copied. */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_PACKET_H
#define NOBRICK_SIM_VIRTUAL_MQTT_PACKET_H

#include "agent/ports.h"

#define MQTT_MAX_LENGTH    268435455u /* the largest remaining length */
#define MQTT_REFUSED       0x80       /* a code of SUBACK */
#define MQTT_LEVEL         4
#define MQTT_FILTER_OUT(n) ((n) + 3) /* bytes of a filter of n bytes in SUBSCRIBE */

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
};

struct mqtt_bytes {
    const uint8_t *data;
    size_t size;
};

/* What belongs to no field of a type is 0. */
struct mqtt_packet {
    enum mqtt_type type;
    bool dup;
    bool retain; /* of PUBLISH; CONNECT: of the will */
    uint8_t qos;
    uint16_t id;
    struct mqtt_bytes topic;   /* of PUBLISH; CONNECT: of the will */
    struct mqtt_bytes payload; /* of PUBLISH; CONNECT: the will; filters; codes of SUBACK */
    /* CONNECT. Of another level than 4 nothing but the level is decoded, and none is encoded. */
    uint8_t level;
    bool clean;
    bool has_will;
    bool has_user;
    bool has_password;
    uint16_t keep_alive; /* s */
    struct mqtt_bytes client_id;
    struct mqtt_bytes user;
    struct mqtt_bytes password;
    /* CONNACK */
    bool session_present;
    uint8_t code;
};

/* Decodes the packet that begins at `data`. Returns its size in bytes; 0 when more bytes are
 * needed; OTA_E_ARGUMENT when it is malformed, as soon as its header says so; OTA_E_NO_SPACE when
 * it is larger than `limit` bytes, header included. */
OTA_MUST_CHECK int mqtt_packet_decode(const uint8_t *data, size_t size, size_t limit,
                                      struct mqtt_packet *out);

/* Bytes that the packet takes; 0 when a text or the whole is too long. */
size_t mqtt_packet_size(const struct mqtt_packet *packet);
/* Encodes it. `out` has room for mqtt_packet_size bytes, which is returned. */
size_t mqtt_packet_encode(const struct mqtt_packet *packet, uint8_t *out);

/* Takes the next filter out of what is left of the payload of SUBSCRIBE (with its qos) or
 * UNSUBSCRIBE (qos NULL). False behind the last one. */
bool mqtt_filter_next(struct mqtt_bytes *left, struct mqtt_bytes *filter, uint8_t *qos);
/* Appends a filter; qos < 0: of UNSUBSCRIBE. `out` has room for MQTT_FILTER_OUT(filter.size).
 * Returns the bytes used. */
size_t mqtt_filter_put(uint8_t *out, struct mqtt_bytes filter, int qos);

/* UTF-8 without what section 1.5.3 forbids or advises against: U+0000, surrogates, control
 * characters, non-characters. */
bool mqtt_text_is_good(struct mqtt_bytes text);
/* Of a C string. */
struct mqtt_bytes mqtt_bytes_of(const char *text);

#endif

#include "sim/virtual/mqtt_packet.h"

#include <string.h>

#define TEXT_MAX 65535u

/* Flags of CONNECT, section 3.1.2.3. */
enum {
    FLAG_RESERVED = 0x01,
    FLAG_CLEAN = 0x02,
    FLAG_WILL = 0x04,
    FLAG_WILL_QOS = 0x18,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER = 0x80,
};

/* ---- texts ------------------------------------------------------------------------------- */

struct mqtt_bytes mqtt_bytes_of(const char *text)
{
    return (struct mqtt_bytes){(const uint8_t *)text, strlen(text)};
}

/* Bytes of the character that begins there, and its code; 0 when it is none. */
static size_t character(const uint8_t *at, size_t left, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80   ? 1
                  : at[0] < 0xC0 ? 0
                  : at[0] < 0xE0 ? 2
                  : at[0] < 0xF0 ? 3
                  : at[0] < 0xF5 ? 4
                                 : 0;
    if (size == 0 || size > left)
        return 0;
    uint32_t code = size == 1 ? at[0] : at[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3F);
    }
    *out = code;
    return code >= least[size] && code <= 0x10FFFF ? size : 0;
}

bool mqtt_text_is_good(struct mqtt_bytes text)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t code = 0;
        size_t size = character(text.data + at, text.size - at, &code);
        bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        bool none = (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
        if (size == 0 || control || surrogate || none)
            return false;
        at += size;
    }
    return true;
}

/* ---- decoding ---------------------------------------------------------------------------- */

static bool take_u8(struct mqtt_bytes *left, uint8_t *out)
{
    if (left->size < 1)
        return false;
    *out = *left->data++;
    left->size--;
    return true;
}

static bool take_u16(struct mqtt_bytes *left, uint16_t *out)
{
    if (left->size < 2)
        return false;
    *out = (uint16_t)(left->data[0] << 8 | left->data[1]);
    left->data += 2;
    left->size -= 2;
    return true;
}

/* A 16-bit length and as many bytes. */
static bool take_bytes(struct mqtt_bytes *left, struct mqtt_bytes *out)
{
    uint16_t size;
    if (!take_u16(left, &size) || size > left->size)
        return false;
    *out = (struct mqtt_bytes){left->data, size};
    left->data += size;
    left->size -= size;
    return true;
}

static bool take_text(struct mqtt_bytes *left, struct mqtt_bytes *out)
{
    return take_bytes(left, out) && mqtt_text_is_good(*out);
}

static bool take_id(struct mqtt_bytes *left, uint16_t *id)
{
    return take_u16(left, id) && *id != 0;
}

static bool decode_connect(struct mqtt_bytes left, struct mqtt_packet *out)
{
    struct mqtt_bytes name;
    uint8_t flags;
    if (!take_bytes(&left, &name) || name.size != 4 || memcmp(name.data, "MQTT", 4) != 0 ||
        !take_u8(&left, &out->level))
        return false;
    if (out->level != MQTT_LEVEL)
        return true;
    if (!take_u8(&left, &flags) || (flags & FLAG_RESERVED) != 0 ||
        !take_u16(&left, &out->keep_alive) || !take_text(&left, &out->client_id))
        return false;
    out->clean = (flags & FLAG_CLEAN) != 0;
    out->has_will = (flags & FLAG_WILL) != 0;
    out->qos = (uint8_t)((flags & FLAG_WILL_QOS) >> 3);
    out->retain = (flags & FLAG_WILL_RETAIN) != 0;
    out->has_user = (flags & FLAG_USER) != 0;
    out->has_password = (flags & FLAG_PASSWORD) != 0;
    if (out->qos > 2 || (!out->has_will && (out->qos > 0 || out->retain)) ||
        (out->has_password && !out->has_user))
        return false;
    if (out->has_will && (!take_text(&left, &out->topic) || !take_bytes(&left, &out->payload)))
        return false;
    if (out->has_user && !take_text(&left, &out->user))
        return false;
    if (out->has_password && !take_bytes(&left, &out->password))
        return false;
    return left.size == 0;
}

static bool decode_connack(struct mqtt_bytes left, struct mqtt_packet *out)
{
    uint8_t flags;
    if (!take_u8(&left, &flags) || !take_u8(&left, &out->code) || flags > 1)
        return false;
    out->session_present = flags == 1;
    return left.size == 0;
}

/* DUP makes no sense with QoS 0, and nobody minds. */
static bool decode_publish(struct mqtt_bytes left, struct mqtt_packet *out)
{
    if (out->qos > 2 || !take_text(&left, &out->topic) || out->topic.size == 0 ||
        (out->qos > 0 && !take_id(&left, &out->id)))
        return false;
    out->payload = left;
    return true;
}

static bool decode_ack(struct mqtt_bytes left, struct mqtt_packet *out)
{
    return take_id(&left, &out->id) && left.size == 0;
}

static bool decode_suback(struct mqtt_bytes left, struct mqtt_packet *out)
{
    if (!take_id(&left, &out->id))
        return false;
    for (size_t i = 0; i < left.size; i++)
        if (left.data[i] > 2 && left.data[i] != MQTT_REFUSED)
            return false;
    out->payload = left;
    return left.size > 0;
}

static bool decode_filters(struct mqtt_bytes left, struct mqtt_packet *out)
{
    struct mqtt_bytes filter;
    uint8_t qos = 0;
    if (!take_id(&left, &out->id) || left.size == 0)
        return false;
    out->payload = left;
    while (left.size > 0)
        if (!take_text(&left, &filter) || filter.size == 0 ||
            (out->type == MQTT_SUBSCRIBE && (!take_u8(&left, &qos) || qos > 2)))
            return false;
    return true;
}

static bool decode_nothing(struct mqtt_bytes left, struct mqtt_packet *out)
{
    (void)out;
    return left.size == 0;
}

/* By type: the flags that it must have (PUBLISH has its own), and what decodes the rest. */
static const struct {
    uint8_t flags;
    bool (*decode)(struct mqtt_bytes left, struct mqtt_packet *out);
} types[] = {
    [MQTT_CONNECT] = {0, decode_connect},  [MQTT_CONNACK] = {0, decode_connack},
    [MQTT_PUBLISH] = {0, decode_publish},  [MQTT_PUBACK] = {0, decode_ack},
    [MQTT_PUBREC] = {0, decode_ack},       [MQTT_PUBREL] = {2, decode_ack},
    [MQTT_PUBCOMP] = {0, decode_ack},      [MQTT_SUBSCRIBE] = {2, decode_filters},
    [MQTT_SUBACK] = {0, decode_suback},    [MQTT_UNSUBSCRIBE] = {2, decode_filters},
    [MQTT_UNSUBACK] = {0, decode_ack},     [MQTT_PINGREQ] = {0, decode_nothing},
    [MQTT_PINGRESP] = {0, decode_nothing}, [MQTT_DISCONNECT] = {0, decode_nothing},
};

/* Type and flags of the first byte. False when there is no such packet. */
static bool decode_first(uint8_t byte, struct mqtt_packet *out)
{
    *out = (struct mqtt_packet){.type = (enum mqtt_type)(byte >> 4)};
    if (out->type < MQTT_CONNECT || out->type > MQTT_DISCONNECT)
        return false;
    if (out->type != MQTT_PUBLISH)
        return (byte & 0x0F) == types[out->type].flags;
    out->dup = (byte & 0x08) != 0;
    out->qos = (uint8_t)((byte & 0x06) >> 1);
    out->retain = (byte & 0x01) != 0;
    return out->qos <= 2;
}

int mqtt_packet_decode(const uint8_t *data, size_t size, size_t limit, struct mqtt_packet *out)
{
    size_t length = 0;
    size_t at = 1;
    if (size == 0)
        return 0;
    if (!decode_first(data[0], out))
        return OTA_E_ARGUMENT;
    for (;; at++) {
        if (at == 5)
            return OTA_E_ARGUMENT;
        if (at >= size)
            return 0;
        length |= (size_t)(data[at] & 0x7F) << (7 * (at - 1));
        if ((data[at] & 0x80) == 0)
            break;
    }
    at++;
    if (length + at > limit)
        return OTA_E_NO_SPACE;
    if (length > size - at)
        return 0;
    if (!types[out->type].decode((struct mqtt_bytes){data + at, length}, out))
        return OTA_E_ARGUMENT;
    return (int)(length + at);
}

/* ---- encoding ---------------------------------------------------------------------------- */

/* Remaining length; SIZE_MAX when a text is too long. */
static size_t body_size(const struct mqtt_packet *packet)
{
    if (packet->topic.size > TEXT_MAX || packet->client_id.size > TEXT_MAX ||
        packet->user.size > TEXT_MAX || packet->password.size > TEXT_MAX)
        return SIZE_MAX;
    switch (packet->type) {
    case MQTT_CONNECT:
        if (packet->has_will && packet->payload.size > TEXT_MAX)
            return SIZE_MAX;
        return 10 + 2 + packet->client_id.size +
               (packet->has_will ? 4 + packet->topic.size + packet->payload.size : 0) +
               (packet->has_user ? 2 + packet->user.size : 0) +
               (packet->has_password ? 2 + packet->password.size : 0);
    case MQTT_PUBLISH:
        return 2 + packet->topic.size + (packet->qos > 0 ? 2 : 0) + packet->payload.size;
    case MQTT_SUBSCRIBE:
    case MQTT_SUBACK:
    case MQTT_UNSUBSCRIBE:
        return 2 + packet->payload.size;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
    case MQTT_DISCONNECT:
        return 0;
    default:
        return 2;
    }
}

size_t mqtt_packet_size(const struct mqtt_packet *packet)
{
    size_t length = body_size(packet);
    if (length > MQTT_MAX_LENGTH)
        return 0;
    return length + (length < 1u << 7 ? 2 : length < 1u << 14 ? 3 : length < 1u << 21 ? 4 : 5);
}

static uint8_t *put_u16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return out + 2;
}

static uint8_t *put_raw(uint8_t *out, struct mqtt_bytes bytes)
{
    if (bytes.size > 0)
        memcpy(out, bytes.data, bytes.size);
    return out + bytes.size;
}

static uint8_t *put_bytes(uint8_t *out, struct mqtt_bytes bytes)
{
    return put_raw(put_u16(out, bytes.size), bytes);
}

static void encode_connect(const struct mqtt_packet *packet, uint8_t *out)
{
    unsigned will = packet->has_will ? FLAG_WILL | (unsigned)packet->qos << 3 : 0;
    unsigned flags = (packet->clean ? FLAG_CLEAN : 0u) | will |
                     (packet->has_will && packet->retain ? FLAG_WILL_RETAIN : 0u) |
                     (packet->has_user ? FLAG_USER : 0u) |
                     (packet->has_password ? FLAG_PASSWORD : 0u);
    out = put_bytes(out, mqtt_bytes_of("MQTT"));
    *out++ = MQTT_LEVEL;
    *out++ = (uint8_t)flags;
    out = put_u16(out, packet->keep_alive);
    out = put_bytes(out, packet->client_id);
    if (packet->has_will)
        out = put_bytes(put_bytes(out, packet->topic), packet->payload);
    if (packet->has_user)
        out = put_bytes(out, packet->user);
    if (packet->has_password)
        (void)put_bytes(out, packet->password);
}

static void encode_body(const struct mqtt_packet *packet, uint8_t *out)
{
    switch (packet->type) {
    case MQTT_CONNECT:
        encode_connect(packet, out);
        break;
    case MQTT_CONNACK:
        out[0] = packet->session_present;
        out[1] = packet->code;
        break;
    case MQTT_PUBLISH:
        out = put_bytes(out, packet->topic);
        if (packet->qos > 0)
            out = put_u16(out, packet->id);
        (void)put_raw(out, packet->payload);
        break;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
    case MQTT_DISCONNECT:
        break;
    default: /* an id, and whatever follows it */
        (void)put_raw(put_u16(out, packet->id), packet->payload);
        break;
    }
}

size_t mqtt_packet_encode(const struct mqtt_packet *packet, uint8_t *out)
{
    size_t size = mqtt_packet_size(packet);
    size_t length = body_size(packet);
    unsigned flags = types[packet->type].flags;
    if (size == 0)
        return 0;
    if (packet->type == MQTT_PUBLISH)
        flags = (packet->dup ? 8u : 0u) | (unsigned)packet->qos << 1 | (packet->retain ? 1u : 0u);
    *out++ = (uint8_t)((unsigned)packet->type << 4 | flags);
    do {
        *out++ = (uint8_t)((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
        length >>= 7;
    } while (length > 0);
    encode_body(packet, out);
    return size;
}

/* ---- filters ----------------------------------------------------------------------------- */

bool mqtt_filter_next(struct mqtt_bytes *left, struct mqtt_bytes *filter, uint8_t *qos)
{
    return take_bytes(left, filter) && (qos == NULL || take_u8(left, qos));
}

size_t mqtt_filter_put(uint8_t *out, struct mqtt_bytes filter, int qos)
{
    uint8_t *end = put_bytes(out, filter);
    if (qos >= 0)
        *end++ = (uint8_t)qos;
    return (size_t)(end - out);
}

/* MQTT 3.1.1 as it passes: fixed header, remaining length, and as much of CONNECT and PUBLISH as
 * the faults need. What does not parse makes the link blind, and goes through as it is. */
#include "harness/faults/proxy_link.h"

#include <string.h>

#define MAX_PACKET (1u << 20)

enum { CONNECT = 1, CONNACK = 2, PUBLISH = 3, PUBACK = 4, PINGRESP = 13 };

/* Size of the packet that begins here, header included, and the offset behind its length; 0 when
 * more bytes are needed, SIZE_MAX when it is none. */
static size_t packet_size(const uint8_t *data, size_t size, size_t *header)
{
    size_t length = 0;
    for (size_t i = 1; i < 5; i++) {
        if (i >= size)
            return 0;
        length |= (size_t)(data[i] & 0x7F) << (7 * (i - 1));
        if (data[i] & 0x80)
            continue;
        *header = i + 1;
        return length > MAX_PACKET ? SIZE_MAX : length + i + 1;
    }
    return SIZE_MAX;
}

static size_t u16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static void remember_client(struct nb_link *link, const uint8_t *packet, size_t size, size_t at)
{
    /* protocol name, level, flags, keep-alive, then the client id */
    if (size < at + 2 || size < at + 2 + u16(packet + at) + 4)
        return;
    at += 2 + u16(packet + at) + 4;
    if (size < at + 2 || u16(packet + at) >= sizeof link->client_id ||
        size < at + 2 + u16(packet + at))
        return;
    size_t length = u16(packet + at);
    memcpy(link->client_id, packet + at + 2, length);
    link->client_id[length] = '\0';
}

/* Where the image's bytes of a PUBLISH begin; `size` when it carries none. */
static size_t data_at(const struct nb_link *link, const uint8_t *packet, size_t size, size_t at)
{
    const struct nb_proxy_config *config = &link->proxy->config;
    size_t magic = config->chunk_magic ? strlen(config->chunk_magic) : 0;
    if (magic == 0 || size < at + 2)
        return size;
    at += 2 + u16(packet + at) + (packet[0] & 0x06 ? 2 : 0);
    bool chunk = at < size && size - at >= config->chunk_header && size - at >= magic &&
                 memcmp(packet + at, config->chunk_magic, magic) == 0;
    return chunk ? at + config->chunk_header : size;
}

/* The armed fault that is for this packet, the `number`-th of its type. */
static struct nb_armed *for_packet(struct nb_proxy *proxy, unsigned type, uint32_t number)
{
    static const uint8_t types[NB_FAULT_KINDS] = {
        [NB_MQTT_DROP_PUBACK] = PUBACK,   [NB_MQTT_DOUBLE_PUBACK] = PUBACK,
        [NB_MQTT_DROP_PUBLISH] = PUBLISH, [NB_MQTT_DOUBLE_PUBLISH] = PUBLISH,
        [NB_MQTT_SWAP_PUBLISH] = PUBLISH, [NB_MQTT_NO_CONNACK] = CONNACK,
        [NB_MQTT_NO_PINGRESP] = PINGRESP, [NB_MQTT_DOUBLE_PINGRESP] = PINGRESP,
    };
    for (size_t i = 0; i < proxy->armed_count; i++) {
        struct nb_armed *armed = &proxy->armed[i];
        if (types[armed->fault.kind] == type && armed->left && number >= armed->fault.value)
            return armed;
    }
    return NULL;
}

static void forward(struct nb_link *link, uint8_t *packet, size_t size, size_t header)
{
    bool publish = packet[0] >> 4 == PUBLISH;
    size_t from = publish ? data_at(link, packet, size, header) : size;
    nb_link_forward(link, packet, size, from, size - from);
}

static void hold_back(struct nb_link *link, const uint8_t *packet, size_t size,
                      struct nb_armed *armed)
{
    link->swap = armed;
    if (!nb_bytes_add(&link->overdue, packet, size))
        nb_link_kill(link, true);
}

/* The PUBLISH that waited follows the one that has just gone. */
static void let_go(struct nb_link *link, uint32_t number)
{
    struct nb_bytes *overdue = &link->overdue;
    size_t header = 0;
    nb_proxy_fired(link->proxy, link->swap, "packet %u", number - 1);
    link->swap = NULL;
    (void)packet_size(overdue->data, overdue->size, &header);
    forward(link, overdue->data, overdue->size, header);
    overdue->size = 0;
}

static void to_device(struct nb_link *link, uint8_t *packet, size_t size, size_t header)
{
    unsigned type = packet[0] >> 4;
    struct nb_proxy *proxy = link->proxy;
    uint32_t number = ++proxy->packets[type];
    bool swapped = type == PUBLISH && link->swap;
    struct nb_armed *armed = swapped ? NULL : for_packet(proxy, type, number);
    size_t copies = 1;
    if (armed && armed->fault.kind == NB_MQTT_SWAP_PUBLISH) {
        hold_back(link, packet, size, armed);
        return;
    }
    if (armed) {
        bool twice = armed->fault.kind == NB_MQTT_DOUBLE_PUBACK ||
                     armed->fault.kind == NB_MQTT_DOUBLE_PUBLISH ||
                     armed->fault.kind == NB_MQTT_DOUBLE_PINGRESP;
        copies = twice ? (size_t)armed->left + 1 : 0;
        armed->left = twice ? 0 : armed->left;
        nb_proxy_fired(proxy, armed, "packet %u", number);
    }
    for (; copies > 0; copies--)
        forward(link, packet, size, header);
    if (swapped)
        let_go(link, number);
}

void nb_mqtt_eat(struct nb_link *link, enum nb_way way)
{
    struct nb_bytes *held = &link->lanes[way].held;
    size_t eaten = 0;
    while (!link->dead && eaten < held->size) {
        uint8_t *packet = held->data + eaten;
        size_t header = 0;
        size_t size = packet_size(packet, held->size - eaten, &header);
        if (size == SIZE_MAX)
            link->blind = true;
        if (size == SIZE_MAX || size == 0 || size > held->size - eaten)
            break;
        eaten += size;
        if (way == NB_TO_DEVICE) {
            to_device(link, packet, size, header);
            continue;
        }
        if (packet[0] >> 4 == CONNECT)
            remember_client(link, packet, size, header);
        nb_link_put(link, way, packet, size);
    }
    nb_bytes_drop(held, eaten);
}

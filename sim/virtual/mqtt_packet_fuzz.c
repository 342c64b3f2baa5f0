/* Packets of MQTT out of arbitrary bytes: never a byte too far, and what decodes is the same again
 * when it was encoded and decoded once more. */
#include "sim/virtual/mqtt_topic.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(struct mqtt_bytes a, struct mqtt_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_again(const struct mqtt_packet *packet, size_t largest)
{
    struct mqtt_packet again;
    size_t size = mqtt_packet_size(packet);
    if (size == 0 || size > largest)
        abort();
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        return;
    if (mqtt_packet_encode(packet, bytes) != size ||
        mqtt_packet_decode(bytes, size, size, &again) != (int)size)
        abort();
    if (again.type != packet->type || again.id != packet->id || again.qos != packet->qos ||
        again.dup != packet->dup || again.retain != packet->retain || again.code != packet->code ||
        again.keep_alive != packet->keep_alive || !same(again.topic, packet->topic) ||
        !same(again.payload, packet->payload) || !same(again.client_id, packet->client_id) ||
        !same(again.user, packet->user) || !same(again.password, packet->password))
        abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        struct mqtt_packet packet;
        struct mqtt_bytes filter;
        uint8_t qos;
        int used = mqtt_packet_decode(data + at, size - at, 4096, &packet);
        if (used > 0 && (size_t)used > size - at)
            abort();
        if (used <= 0)
            break;
        at += (size_t)used;
        if (packet.type != MQTT_CONNECT || packet.level == MQTT_LEVEL)
            check_again(&packet, (size_t)used);
        struct mqtt_bytes left = packet.payload;
        bool lists = packet.type == MQTT_SUBSCRIBE || packet.type == MQTT_UNSUBSCRIBE;
        while (lists &&
               mqtt_filter_next(&left, &filter, packet.type == MQTT_SUBSCRIBE ? &qos : NULL))
            (void)(mqtt_topic_is_filter(filter) && mqtt_topic_matches(filter, filter));
        if (lists && left.size > 0)
            abort();
    }
    return 0;
}

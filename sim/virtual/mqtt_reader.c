#include "sim/virtual/mqtt_reader.h"

#include <stdlib.h>
#include <string.h>

/* Appends to what is held. */
static int hold(struct mqtt_reader *reader, const uint8_t *data, size_t size)
{
    if (size > reader->room - reader->size) {
        size_t room = reader->room > 0 ? reader->room : 256;
        while (room - reader->size < size)
            room *= 2;
        uint8_t *held = realloc(reader->held, room);
        if (held == NULL)
            return OTA_E_NO_SPACE;
        reader->held = held;
        reader->room = room;
    }
    memcpy(reader->held + reader->size, data, size);
    reader->size += size;
    return OTA_OK;
}

int mqtt_reader_feed(struct mqtt_reader *reader, const uint8_t *data, size_t size, size_t limit,
                     bool (*take)(void *context, const struct mqtt_packet *packet), void *context)
{
    bool holding = reader->size > 0;
    size_t eaten = 0;
    if (size == 0)
        return OTA_OK;
    if (holding) {
        int result = hold(reader, data, size);
        if (result != OTA_OK)
            return result;
        data = reader->held;
        size = reader->size;
    }
    for (;;) {
        struct mqtt_packet packet;
        int used = mqtt_packet_decode(data + eaten, size - eaten, limit, &packet);
        if (used < 0)
            return used;
        if (used == 0)
            break;
        eaten += (size_t)used;
        if (!take(context, &packet))
            return OTA_E_CANCELLED;
    }
    if (!holding)
        return eaten < size ? hold(reader, data + eaten, size - eaten) : OTA_OK;
    reader->size -= eaten;
    if (eaten > 0 && reader->size > 0)
        memmove(reader->held, reader->held + eaten, reader->size);
    return OTA_OK;
}

void mqtt_reader_clear(struct mqtt_reader *reader)
{
    reader->size = 0;
}

void mqtt_reader_free(struct mqtt_reader *reader)
{
    free(reader->held);
    *reader = (struct mqtt_reader){0};
}

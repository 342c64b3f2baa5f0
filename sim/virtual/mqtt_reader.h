/* Cuts a stream of bytes into packets of MQTT. Whole packets are handed on where they lie; only
 * what is still incomplete is kept. A zeroed reader is ready; mqtt_reader_free releases what it
 * keeps. */
#ifndef NOBRICK_SIM_VIRTUAL_MQTT_READER_H
#define NOBRICK_SIM_VIRTUAL_MQTT_READER_H

#include "sim/virtual/mqtt_packet.h"

struct mqtt_reader {
    uint8_t *held;
    size_t size;
    size_t room;
};

/* Calls `take` for each packet; it returns false when it wants no more of this stream, and must not
 * free the reader. OTA_OK: all was read. OTA_E_CANCELLED: `take` said no. OTA_E_ARGUMENT and
 * OTA_E_NO_SPACE as mqtt_packet_decode, the latter also when memory runs out. After anything but
 * OTA_OK the reader is to be cleared. */
OTA_MUST_CHECK int mqtt_reader_feed(struct mqtt_reader *reader, const uint8_t *data, size_t size,
                                    size_t limit,
                                    bool (*take)(void *context, const struct mqtt_packet *packet),
                                    void *context);
void mqtt_reader_clear(struct mqtt_reader *reader); /* for the next stream */
void mqtt_reader_free(struct mqtt_reader *reader);

#endif

/* AnyCloud: topics, paths, JSON documents and the chunk header.
 *
 * Facts: the vendor's published interface. The device publishes everything on its board's
 * `publish_notify` topic and listens on a topic of its own that it names in each document.
 *
 *   off size chunk header (little-endian), followed by data
 *     0   8  magic "OTAImage"
 *     8   2  offset_to_data        from the message's first byte, 32 or more
 *    10   2  image type            0
 *    12   6  version               major, minor, build: 2 bytes each
 *    18   4  total_size            of the image
 *    22   4  image_offset          of this chunk's data
 *    26   2  data_size
 *    28   2  total_num_payloads    ceil(total_size / chunk size)
 *    30   2  this_payload_index    image_offset / chunk size
 *
 * The chunk size, 4096 of the vendor's publisher, stands nowhere: it is offset / index, and the
 * data_size of the first chunk. Sizes that ota_is_chunk_size takes are understood. */
#ifndef NOBRICK_AGENT_PROTOCOL_ANYCLOUD_H
#define NOBRICK_AGENT_PROTOCOL_ANYCLOUD_H

#include "agent/protocol/protocol.h"

#define ANYCLOUD_HEADER_SIZE 32u
#define ANYCLOUD_MAGIC       "OTAImage"

/* The rules of the seam in protocol.h for this system. */
extern const struct ota_protocol ota_anycloud;

/* Parses and checks one chunk message. OTA_E_CHUNK when any field is wrong; then *what (may be
 * NULL) names it. */
OTA_MUST_CHECK int anycloud_chunk_parse(const uint8_t *data, size_t length, struct ota_chunk *out,
                                        const char **what);

/* Parses a document: its Message into out->kind, a job's version, and where the data is. A job for
 * another board than `board` is OTA_E_JOB_BOARD. Not JSON, nested deeper than any job, or longer
 * than OTA_JSON_MAX: OTA_E_JSON. More members than there is room for: OTA_E_NO_SPACE. A field
 * missing, mistyped or out of range (a Port that is no number, a host or File that no request line
 * could carry): OTA_E_JOB_FIELD. A Connection that is none of MQTT, HTTP, HTTPS (in any case):
 * OTA_E_UNSUPPORTED.
 *
 * Broker or Server empty keeps the configured address, whatever Port says: the vendor's sample
 * names 1883 beside an empty Broker. With a host, an empty or zero Port is the usual one: 1883, 80
 * or 443. HTTP and HTTPS need a File; a missing leading '/' is added. */
OTA_MUST_CHECK int anycloud_job_parse(const char *board, const uint8_t *data, size_t length,
                                      struct ota_message *out);

#endif

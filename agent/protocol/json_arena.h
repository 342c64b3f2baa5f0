/* JSON on a device without a heap: reading with cJSON on a fixed arena, which is the program's
 * (agent/program.h), writing with bounds.
 *
 * One document at a time: what json_read returned is valid until json_release, which must be called
 * before the next one. cJSON's allocator is global; it is put back when the document is released,
 * so nobody else may be using cJSON in between. */
#ifndef NOBRICK_AGENT_PROTOCOL_JSON_ARENA_H
#define NOBRICK_AGENT_PROTOCOL_JSON_ARENA_H

#include "agent/image/mcuboot.h"
#include "agent/ports.h"

#include <cjson/cJSON.h>

#define JSON_DEPTH_FLAT 4u /* of documents that are nearly flat */

/* Bytes of an arena for so many values with 24 bytes of text each, on this machine. A job document
 * has 14, the list of an archive up to 36. */
#define JSON_ARENA(values) ((values) * (sizeof(cJSON) + 24u))

/* Reads one object. OTA_E_JSON: not an object, something behind it, or nested deeper than `depth`,
 * which bounds the stack. OTA_E_NO_SPACE: more members than the arena has room for. */
OTA_MUST_CHECK int json_read(const uint8_t *data, size_t length, unsigned depth, cJSON **out);
void json_release(void);

/* A flat object of strings, written into `out`. An overflow is remembered and json_end tells. */
struct json_writer {
    char *out;
    size_t size;
    size_t length;
    bool overflow;
};

/* Opens the object with its first member (no space after the colon, as AnyCloud's devices do). */
void json_begin(struct json_writer *writer, char *out, size_t size, const char *name,
                const char *value);
/* Adds a member; a NULL value is written as "". */
void json_member(struct json_writer *writer, const char *name, const char *value);
void json_member_number(struct json_writer *writer, const char *name, uint32_t value);
/* Closes the object. Returns its length without the NUL, or OTA_E_NO_SPACE. */
OTA_MUST_CHECK int json_end(struct json_writer *writer);

/* The decimal digits of `value`, NUL-terminated, into room for 11. Returns how many. */
size_t json_decimal(char out[11], uint32_t value);

/* One decimal number of at most `limit`, without sign or spaces, at the beginning of `text`.
 * Returns what follows it; NULL when there is none, or it is larger. */
const char *json_read_decimal(const char *text, uint32_t limit, uint32_t *out);

/* "MAJOR.MINOR.REVISION" and nothing else, as far as an image can say it. False: it is not, or
 * NULL. */
bool json_read_version(const char *text, struct img_version *out);

#endif

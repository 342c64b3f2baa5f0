#include "agent/protocol/json_arena.h"

#include "agent/program.h"

#include <string.h>

#define ARENA_STEP sizeof(max_align_t)

static size_t arena_used;
static bool arena_full;

/* ---- reading ----------------------------------------------------------------------------- */

static void *arena_take(size_t size)
{
    size_t room = ota_program.json_size - arena_used;
    if (size > room) {
        arena_full = true;
        return NULL;
    }
    void *taken = (uint8_t *)ota_program.json + arena_used;
    size = (size + ARENA_STEP - 1) / ARENA_STEP * ARENA_STEP;
    arena_used += size < room ? size : room;
    return taken;
}

static void arena_give(void *taken)
{
    (void)taken; /* all at once, in json_release */
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* cJSON descends once a level: a bound on the nesting bounds the stack. A NUL, plain or escaped,
 * would make a string shorter than it is. */
static bool is_harmless(const uint8_t *data, size_t length, unsigned most)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        if (data[i] == 0)
            return false;
        if (in_string && data[i] == '\\') {
            if (length - i >= 6 && memcmp(data + i, "\\u0000", 6) == 0)
                return false;
            i++;
        } else if (data[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && (data[i] == '{' || data[i] == '[')) {
            if (++depth > most)
                return false;
        } else if (!in_string && (data[i] == '}' || data[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

int json_read(const uint8_t *data, size_t length, unsigned depth, cJSON **out)
{
    static cJSON_Hooks hooks = {arena_take, arena_give};
    const char *end = NULL;
    *out = NULL;
    if (!is_harmless(data, length, depth))
        return OTA_E_JSON;
    arena_used = 0;
    arena_full = false;
    cJSON_InitHooks(&hooks);
    cJSON *root = cJSON_ParseWithLengthOpts((const char *)data, length, &end, 0);
    size_t at = root == NULL ? 0 : (size_t)(end - (const char *)data);
    while (root != NULL && at < length && is_space(data[at]))
        at++;
    if (root != NULL && at == length && cJSON_IsObject(root)) {
        *out = root;
        return 0;
    }
    json_release();
    return arena_full ? OTA_E_NO_SPACE : OTA_E_JSON;
}

void json_release(void)
{
    cJSON_InitHooks(NULL);
    arena_used = 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

static void put(struct json_writer *writer, char c)
{
    if (writer->length + 1 < writer->size)
        writer->out[writer->length++] = c;
    else
        writer->overflow = true;
}

static void put_plain(struct json_writer *writer, const char *text)
{
    for (; *text != 0; text++)
        put(writer, *text);
}

static void put_string(struct json_writer *writer, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    put(writer, '"');
    for (; text != NULL && *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20) {
            put_plain(writer, "\\u00");
            put(writer, hex[c >> 4]);
            put(writer, hex[c & 15]);
            continue;
        }
        if (c == '"' || c == '\\')
            put(writer, '\\');
        put(writer, *text);
    }
    put(writer, '"');
}

void json_begin(struct json_writer *writer, char *out, size_t size, const char *name,
                const char *value)
{
    *writer = (struct json_writer){.out = out, .size = size};
    put(writer, '{');
    put_string(writer, name);
    put(writer, ':');
    put_string(writer, value);
}

void json_member(struct json_writer *writer, const char *name, const char *value)
{
    put_plain(writer, ", ");
    put_string(writer, name);
    put_plain(writer, ": ");
    put_string(writer, value);
}

void json_member_number(struct json_writer *writer, const char *name, uint32_t value)
{
    char digits[11];
    json_decimal(digits, value);
    json_member(writer, name, digits);
}

int json_end(struct json_writer *writer)
{
    put(writer, '}');
    if (writer->size > 0)
        writer->out[writer->length] = 0;
    return writer->overflow ? OTA_E_NO_SPACE : (int)writer->length;
}

size_t json_decimal(char out[11], uint32_t value)
{
    char reversed[10];
    size_t count = 0;
    size_t length = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        out[length++] = reversed[--count];
    out[length] = 0;
    return length;
}

/* ---- texts that are numbers -------------------------------------------------------------- */

const char *json_read_decimal(const char *text, uint32_t limit, uint32_t *out)
{
    const char *at = text;
    uint32_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint32_t digit = (uint32_t)(*at - '0');
        if (value > limit / 10 || digit > limit - value * 10)
            return NULL;
        value = value * 10 + digit;
    }
    *out = value;
    return at == text ? NULL : at;
}

bool json_read_version(const char *text, struct img_version *out)
{
    static const uint32_t limits[3] = {UINT8_MAX, UINT8_MAX, UINT16_MAX};
    uint32_t part[3];
    for (int i = 0; i < 3; i++) {
        text = text != NULL ? json_read_decimal(text, limits[i], &part[i]) : NULL;
        if (text == NULL || *text != (i < 2 ? '.' : 0))
            return false;
        text++;
    }
    *out = (struct img_version){(uint8_t)part[0], (uint8_t)part[1], (uint16_t)part[2], 0};
    return true;
}

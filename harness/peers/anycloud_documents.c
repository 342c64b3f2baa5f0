#include "harness/peers/anycloud_documents.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REQUEST 4096u
#define MAX_NUMBER  4294967295.0
#define MAX_LEVELS  200u /* of a topic: what mosquitto takes */

static const struct {
    const char *text;
    enum anycloud_request_kind kind;
} messages[] = {
    {"Update Availability", ANYCLOUD_UPDATE_AVAILABILITY},
    {"Request Update", ANYCLOUD_REQUEST_UPDATE},
    {"Request Data Chunk", ANYCLOUD_REQUEST_DATA_CHUNK},
    {"Success", ANYCLOUD_SUCCESS},
    {"Failure", ANYCLOUD_FAILURE},
    {"Send Direct Update", ANYCLOUD_SEND_DIRECT_UPDATE},
};

/* Reads one character of well-formed UTF-8; its length in bytes, 0 when it is not one, or is NUL.
 */
static size_t read_character(const uint8_t *at, size_t length, uint32_t *out)
{
    static const uint32_t least[] = {1, 0x80, 0x800, 0x10000};
    size_t more = at[0] < 0x80 ? 0 : at[0] < 0xE0 ? 1 : at[0] < 0xF0 ? 2 : 3;
    uint32_t code = more == 0 ? at[0] : at[0] & (0x3Fu >> more);
    if (at[0] >= 0xF8 || (at[0] >= 0x80 && at[0] < 0xC2) || length <= more)
        return 0;
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    *out = code;
    return more + 1;
}

/* What both JSON and MQTT demand of text. */
static bool is_utf8(const uint8_t *at, size_t length)
{
    for (uint32_t code; length > 0;) {
        size_t used = read_character(at, length, &code);
        if (used == 0)
            return false;
        at += used;
        length -= used;
    }
    return true;
}

/* A topic for which no broker hangs up on us: that would disturb every other device as well. */
static bool can_be_published_to(const char *topic)
{
    const uint8_t *at = (const uint8_t *)topic;
    size_t levels = 1;
    if (*at == '$')
        return false;
    while (*at != 0) {
        uint32_t code = 0;
        size_t used = read_character(at, strlen((const char *)at), &code);
        bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
        bool no_character = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF);
        if (used == 0 || control || no_character || code == '+' || code == '#')
            return false;
        levels += code == '/';
        at += used;
    }
    return levels <= MAX_LEVELS;
}

/* ---- what devices ask -------------------------------------------------------------------- */

static int parse_kind(const cJSON *root, struct anycloud_request *out, const char **why)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "Message");
    *why = "document without a Message";
    if (!cJSON_IsString(item))
        return OTA_E_JOB_FIELD;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (strcmp(item->valuestring, messages[i].text) == 0) {
            out->kind = messages[i].kind;
            return OTA_OK;
        }
    *why = "unknown Message";
    return OTA_E_JOB_FIELD;
}

/* A topic that may be published to, and printed. */
static int parse_topic(const cJSON *root, struct anycloud_request *out, const char **why)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "UniqueTopicName");
    if (out->kind == ANYCLOUD_SEND_DIRECT_UPDATE)
        return OTA_OK;
    *why = "document without a UniqueTopicName";
    if (!cJSON_IsString(item) || item->valuestring[0] == '\0')
        return OTA_E_JOB_FIELD;
    *why = "UniqueTopicName is too long";
    if (strlen(item->valuestring) >= sizeof out->topic)
        return OTA_E_JOB_FIELD;
    *why = "UniqueTopicName cannot be published to";
    if (!can_be_published_to(item->valuestring))
        return OTA_E_JOB_FIELD;
    snprintf(out->topic, sizeof out->topic, "%s", item->valuestring);
    return OTA_OK;
}

/* One to three numbers with dots; what follows ("+4", "-rc1") does not count. */
static bool parse_version(const char *text, struct img_version *out)
{
    unsigned long numbers[3] = {0, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        numbers[i] = strtoul(text, &end, 10);
        text = end;
        if (*text != '.')
            break;
        text++;
    }
    if (numbers[0] > UINT8_MAX || numbers[1] > UINT8_MAX || numbers[2] > UINT16_MAX)
        return false;
    *out = (struct img_version){(uint8_t)numbers[0], (uint8_t)numbers[1], (uint16_t)numbers[2], 0};
    return *text == '\0' || *text == '+' || *text == '-';
}

/* A number, or a string that is one. *given: it was there. */
static bool parse_number(const cJSON *root, const char *name, int64_t *out, bool *given)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    *given = item != NULL;
    if (item == NULL)
        return true;
    if (cJSON_IsNumber(item)) {
        if (!(item->valuedouble >= -1.0 && item->valuedouble <= MAX_NUMBER))
            return false;
        *out = (int64_t)item->valuedouble;
        return (double)*out == item->valuedouble;
    }
    if (!cJSON_IsString(item) || strlen(item->valuestring) > 12)
        return false;
    char *end;
    *out = strtoll(item->valuestring, &end, 10);
    return end != item->valuestring && *end == '\0' && *out >= -1;
}

static int parse_fields(const cJSON *root, struct anycloud_request *out, const char **why)
{
    *why = "not a JSON object";
    if (!cJSON_IsObject(root))
        return OTA_E_JSON;
    int result = parse_kind(root, out, why);
    if (result == OTA_OK)
        result = parse_topic(root, out, why);
    if (result != OTA_OK)
        return result;
    const cJSON *board = cJSON_GetObjectItemCaseSensitive(root, "BoardName");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "Version");
    if (cJSON_IsString(board) && strlen(board->valuestring) < sizeof out->board)
        snprintf(out->board, sizeof out->board, "%s", board->valuestring);
    *why = "Version is not a version";
    out->has_version = version != NULL;
    if (version != NULL &&
        (!cJSON_IsString(version) || !parse_version(version->valuestring, &out->version)))
        return OTA_E_JOB_FIELD;
    *why = "Offset or Size is not a number";
    if (!parse_number(root, "Offset", &out->offset, &out->has_offset) ||
        !parse_number(root, "Size", &out->size, &out->has_size))
        return OTA_E_JOB_FIELD;
    return OTA_OK;
}

int anycloud_request_parse(const uint8_t *data, size_t length, struct anycloud_request *out,
                           const char **why)
{
    memset(out, 0, sizeof *out);
    *why = length == 0 ? "empty message" : "message is too long";
    if (length == 0 || length > MAX_REQUEST)
        return OTA_E_JSON;
    *why = "not UTF-8 text";
    if (!is_utf8(data, length))
        return OTA_E_JSON;
    *why = "not JSON";
    cJSON *root = cJSON_ParseWithLength((const char *)data, length);
    if (root == NULL)
        return OTA_E_JSON;
    int result = parse_fields(root, out, why);
    cJSON_Delete(root);
    return result;
}

/* ---- what it answers --------------------------------------------------------------------- */

/* Escapes what JSON cannot hold as it is. `text` has no control characters. */
static bool escape(const char *text, char *out, size_t size)
{
    size_t at = 0;
    for (; *text != '\0'; text++) {
        if (at + 3 > size)
            return false;
        if (*text == '"' || *text == '\\')
            out[at++] = '\\';
        out[at++] = *text;
    }
    out[at] = '\0';
    return true;
}

/* ", "Broker": …" or its HTTP counterpart. false: no room. */
static bool write_place(const struct anycloud_job *job, char *out, size_t size)
{
    static const struct {
        const char *name;
        const char *host_field;
        unsigned port;
    } rows[] = {
        [ANYCLOUD_OVER_MQTT] = {"MQTT", "Broker", 1883},
        [ANYCLOUD_OVER_HTTP] = {"HTTP", "Server", 80},
        [ANYCLOUD_OVER_HTTPS] = {"HTTPS", "Server", 443},
    };
    char file[2 * ANYCLOUD_TOPIC + 2];
    unsigned port = job->port != 0 ? job->port : rows[job->connection].port;
    int n = snprintf(out, size, "\"Connection\": \"%s\", \"%s\": \"%s\", \"Port\": \"%u\"",
                     rows[job->connection].name, rows[job->connection].host_field, job->host, port);
    if (n < 0 || (size_t)n >= size)
        return false;
    if (job->connection == ANYCLOUD_OVER_MQTT)
        return true;
    if (!escape(job->file, file, sizeof file))
        return false;
    int more = snprintf(out + n, size - (size_t)n, ", \"File\": \"%s\"", file);
    return more >= 0 && (size_t)more < size - (size_t)n;
}

int anycloud_document(const struct anycloud_job *job, char *out, size_t size)
{
    const struct img_version *version = &job->version;
    char place[ANYCLOUD_DOCUMENT];
    char topic[2 * ANYCLOUD_TOPIC + 2] = "";
    if (!write_place(job, place, sizeof place) ||
        (job->topic != NULL && !escape(job->topic, topic, sizeof topic)))
        return OTA_E_NO_SPACE;
    int n = snprintf(out, size,
                     "{\"Message\": \"%s\", \"Manufacturer\": \"Express Widgits Corporation\", "
                     "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "
                     "\"SerialNumber\": \"ABC213450001\", \"Board\": \"%s\", "
                     "\"Version\": \"%u.%u.%u\", %s%s%s%s}",
                     job->message, job->board, version->major, version->minor, version->revision,
                     place, job->topic != NULL ? ", \"UniqueTopicName\": \"" : "", topic,
                     job->topic != NULL ? "\"" : "");
    return n >= 0 && (size_t)n < size ? n : OTA_E_NO_SPACE;
}

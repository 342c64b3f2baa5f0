#include "agent/protocol/anycloud.h"

#include "agent/protocol/json_arena.h"

#include <string.h>

#define SERIAL_IN_TOPIC 24u

/* ---- chunks ------------------------------------------------------------------------------ */

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* The size that the image is cut into; 0: the chunk's place and number belong to none that could be
 * kept. A chunk that is the whole image counts as cut into blocks. */
static uint32_t chunk_step(const struct ota_chunk *chunk, uint32_t index, uint32_t count)
{
    uint32_t step = chunk->size;
    if (index == 0 && count == 1)
        step = (chunk->total + OTA_CHUNK_SIZE - 1) / OTA_CHUNK_SIZE * OTA_CHUNK_SIZE;
    else if (index != 0)
        step = chunk->offset % index == 0 ? chunk->offset / index : 0;
    return ota_is_chunk_size(step) ? step : 0;
}

/* Names the first field that is wrong; NULL when all is well. */
static const char *chunk_fault(const uint8_t *data, size_t length, struct ota_chunk *out)
{
    if (length < ANYCLOUD_HEADER_SIZE)
        return "length";
    if (memcmp(data, ANYCLOUD_MAGIC, 8) != 0)
        return "magic";
    uint32_t data_at = get16(data + 8);
    uint32_t count = get16(data + 28);
    uint32_t index = get16(data + 30);
    out->total = get32(data + 18);
    out->offset = get32(data + 22);
    out->size = get16(data + 26);
    out->data = data + data_at;
    if (data_at < ANYCLOUD_HEADER_SIZE || data_at > length)
        return "offset_to_data";
    if (get16(data + 10) != 0)
        return "image type";
    if (get16(data + 12) > UINT8_MAX || get16(data + 14) > UINT8_MAX)
        return "version";
    out->version = (struct img_version){data[12], data[14], get16(data + 16), 0};
    if (out->total == 0)
        return "total_size";
    if (out->size == 0 || out->size > length - data_at)
        return "data_size";
    if (out->offset >= out->total || out->size > out->total - out->offset)
        return "image_offset";
    if (index == 0 && out->offset != 0)
        return "this_payload_index";
    if (index == 0 && count == 1 && out->size != out->total)
        return "total_num_payloads";
    out->step = chunk_step(out, index, count);
    if (out->step == 0)
        return index == 0 ? "data_size" : "this_payload_index";
    if (count != out->total / out->step + (out->total % out->step != 0)) /* and so index < count */
        return "total_num_payloads";
    uint32_t rest = out->total - out->offset;
    if (out->size != (rest < out->step ? rest : out->step))
        return "data_size";
    return NULL;
}

int anycloud_chunk_parse(const uint8_t *data, size_t length, struct ota_chunk *out,
                         const char **what)
{
    memset(out, 0, sizeof *out);
    const char *fault = chunk_fault(data, length, out);
    if (what != NULL)
        *what = fault;
    return fault == NULL ? 0 : OTA_E_CHUNK;
}

/* ---- job documents ----------------------------------------------------------------------- */

/* The member's text. NULL when it is missing or no string. */
static const char *text_of(const cJSON *root, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(root, name));
}

/* 0 when the document names none, or an empty one. */
static int read_port(const cJSON *port, uint16_t *out)
{
    uint32_t value = 0;
    *out = 0;
    if (port == NULL)
        return 0;
    if (cJSON_IsNumber(port)) {
        int number = port->valueint;
        if (number < 0 || number > UINT16_MAX || port->valuedouble != number)
            return OTA_E_JOB_FIELD;
        *out = (uint16_t)number;
        return 0;
    }
    if (!cJSON_IsString(port))
        return OTA_E_JOB_FIELD;
    const char *end = port->valuestring;
    if (*end != 0)
        end = json_read_decimal(end, UINT16_MAX, &value);
    *out = (uint16_t)value;
    return end != NULL && *end == 0 ? 0 : OTA_E_JOB_FIELD;
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A name or address, and nothing that could end a header line or a URL's host. */
static int read_host(const char *host, char out[OTA_HOST_MAX])
{
    size_t length = host == NULL ? 0 : strlen(host);
    if (length >= OTA_HOST_MAX)
        return OTA_E_JOB_FIELD;
    for (size_t i = 0; i < length; i++)
        if (!is_alphanumeric(host[i]) && strchr(".-_:[]", host[i]) == NULL)
            return OTA_E_JOB_FIELD;
    memcpy(out, host == NULL ? "" : host, length + 1);
    return 0;
}

/* What a request line can carry, with the leading '/' that some publishers leave out. */
static int read_path(const char *file, char out[OTA_PATH_MAX])
{
    size_t length = file == NULL ? 0 : strlen(file);
    size_t at = 0;
    if (length > 0 && file[0] != '/')
        out[at++] = '/';
    if (at + length >= OTA_PATH_MAX)
        return OTA_E_JOB_FIELD;
    for (size_t i = 0; i < length; i++) {
        if (file[i] <= ' ' || file[i] > '~' || file[i] == '#')
            return OTA_E_JOB_FIELD;
        out[at++] = file[i];
    }
    out[at] = 0;
    return 0;
}

static bool same_word(const char *a, const char *b)
{
    for (; *a != 0 && *b != 0; a++, b++) {
        char upper = *a >= 'a' && *a <= 'z' ? (char)(*a - 'a' + 'A') : *a;
        if (upper != *b)
            return false;
    }
    return *a == *b;
}

static int read_source(const cJSON *root, struct ota_source *out)
{
    static const struct {
        const char *word;
        enum ota_connection connection;
        uint16_t port;
    } ways[] = {
        {"MQTT", OTA_BY_MQTT, 1883}, {"HTTP", OTA_BY_HTTP, 80}, {"HTTPS", OTA_BY_HTTPS, 443}};
    const size_t way_count = sizeof ways / sizeof ways[0];
    const char *connection = text_of(root, "Connection");
    const char *host = text_of(root, "Broker");
    size_t way = 0;
    if (connection == NULL || read_port(cJSON_GetObjectItem(root, "Port"), &out->port) != 0)
        return OTA_E_JOB_FIELD;
    while (way < way_count && !same_word(connection, ways[way].word))
        way++;
    if (way == way_count)
        return OTA_E_UNSUPPORTED;
    out->connection = ways[way].connection;
    if (host == NULL || host[0] == 0)
        host = text_of(root, "Server");
    if (read_host(host, out->host) != 0 || read_path(text_of(root, "File"), out->path) != 0)
        return OTA_E_JOB_FIELD;
    if (out->host[0] == 0 || out->port == 0)
        out->port = out->host[0] == 0 ? 0 : ways[way].port;
    return out->connection == OTA_BY_MQTT || out->path[0] != 0 ? 0 : OTA_E_JOB_FIELD;
}

static int read_offer(const char *board, const cJSON *root, struct ota_message *out)
{
    const char *version = text_of(root, "Version");
    const char *for_board = text_of(root, "Board");
    if (for_board == NULL)
        for_board = text_of(root, "BoardName");
    if (version == NULL || for_board == NULL || !json_read_version(version, &out->version))
        return OTA_E_JOB_FIELD;
    int error = read_source(root, &out->source);
    if (error != 0)
        return error;
    return strcmp(for_board, board) == 0 ? 0 : OTA_E_JOB_BOARD;
}

static int read_document(const char *board, const cJSON *root, struct ota_message *out)
{
    const char *message = text_of(root, "Message");
    if (message == NULL)
        return OTA_E_JOB_FIELD;
    if (strcmp(message, "Update Available") == 0)
        return read_offer(board, root, out);
    if (strcmp(message, "No Update Available") == 0)
        out->kind = OTA_MESSAGE_NO_UPDATE;
    else if (strcmp(message, "Result Received") == 0)
        out->kind = OTA_MESSAGE_OTHER;
    else
        return OTA_E_JOB_FIELD;
    return 0;
}

int anycloud_job_parse(const char *board, const uint8_t *data, size_t length,
                       struct ota_message *out)
{
    cJSON *root;
    memset(out, 0, sizeof *out);
    out->kind = OTA_MESSAGE_JOB;
    if (length > OTA_JSON_MAX)
        return OTA_E_JSON;
    int error = json_read(data, length, JSON_DEPTH_FLAT, &root);
    if (error != 0)
        return error;
    error = read_document(board, root, out);
    json_release();
    return error;
}

static int read_message(const struct ota_speaker *speaker, const uint8_t *data, size_t length,
                        struct ota_message *out)
{
    if (length < sizeof ANYCLOUD_MAGIC - 1 ||
        memcmp(data, ANYCLOUD_MAGIC, sizeof ANYCLOUD_MAGIC - 1) != 0)
        return anycloud_job_parse(speaker->identity->board, data, length, out);
    memset(out, 0, sizeof *out);
    out->kind = OTA_MESSAGE_CHUNK;
    return anycloud_chunk_parse(data, length, &out->chunk, NULL);
}

/* ---- topics ------------------------------------------------------------------------------ */

struct topic {
    char *out;
    size_t size;
    size_t at;
};

static void put(struct topic *topic, char c)
{
    if (topic->at + 1 < topic->size)
        topic->out[topic->at++] = c;
}

static void put_text(struct topic *topic, const char *text)
{
    for (; text != NULL && *text != 0; text++)
        put(topic, *text);
}

/* The beginning of all topics of the board. */
static struct topic begin_topic(const struct ota_speaker *speaker, char *out, size_t size)
{
    struct topic topic = {.out = out, .size = size};
    put_text(&topic, speaker->topic_prefix);
    put(&topic, '/');
    put_text(&topic, speaker->identity->board);
    return topic;
}

static int end_topic(struct topic *topic)
{
    if (topic->size > 0)
        topic->out[topic->at] = 0;
    return topic->at + 1 < topic->size ? (int)topic->at : OTA_E_NO_SPACE;
}

/* Two devices that start at the same instant must not share a topic: serial number, with whatever a
 * topic level or filter would trip over made harmless, and chance. */
static int inbox(const struct ota_speaker *speaker, uint64_t nonce, char *out, size_t size)
{
    const uint32_t chances[] = {(uint32_t)nonce, (uint32_t)(nonce >> 32)};
    const char *serial = speaker->identity->serial;
    struct topic topic = begin_topic(speaker, out, size);
    put_text(&topic, "/OTAImage/");
    for (size_t i = 0; serial != NULL && serial[i] != 0 && i < SERIAL_IN_TOPIC; i++)
        put(&topic, is_alphanumeric(serial[i]) ? serial[i] : '-');
    for (size_t i = 0; i < sizeof chances / sizeof chances[0]; i++) {
        char digits[11];
        json_decimal(digits, chances[i]);
        put(&topic, '-');
        put_text(&topic, digits);
    }
    return end_topic(&topic);
}

static int put_topic(const struct ota_speaker *speaker, const char *end, char *out, size_t size)
{
    struct topic topic = begin_topic(speaker, out, size);
    put_text(&topic, end);
    return end_topic(&topic);
}

static int direct_inbox(const struct ota_speaker *speaker, char *out, size_t size)
{
    return put_topic(speaker, "/OTAImage", out, size);
}

static int outbox(const struct ota_speaker *speaker, char *out, size_t size)
{
    return put_topic(speaker, "/publish_notify", out, size);
}

/* ---- documents of the device ------------------------------------------------------------- */

static void write_version(const struct img_version *version, char out[36])
{
    size_t at = json_decimal(out, version->major);
    out[at++] = '.';
    at += json_decimal(out + at, version->minor);
    out[at++] = '.';
    json_decimal(out + at, version->revision);
}

static void begin_identified(struct json_writer *writer, const struct ota_speaker *speaker,
                             const char *message, char *out, size_t size)
{
    const struct ota_identity *identity = speaker->identity;
    char version[36];
    write_version(&speaker->running, version);
    json_begin(writer, out, size, "Message", message);
    json_member(writer, "Manufacturer", identity->manufacturer);
    json_member(writer, "ManufacturerID", identity->manufacturer_id);
    json_member(writer, "ProductID", identity->product);
    json_member(writer, "SerialNumber", identity->serial);
    json_member(writer, "BoardName", identity->board);
    json_member(writer, "Version", version);
    json_member(writer, "UniqueTopicName", speaker->inbox);
}

static int write_identified(const struct ota_speaker *speaker, const char *message, char *out,
                            size_t size)
{
    struct json_writer writer;
    begin_identified(&writer, speaker, message, out, size);
    return json_end(&writer);
}

static int write_ask(const struct ota_speaker *speaker, char *out, size_t size)
{
    return write_identified(speaker, "Update Availability", out, size);
}

static int write_request(const struct ota_speaker *speaker, char *out, size_t size)
{
    return write_identified(speaker, "Request Update", out, size);
}

static int write_request_direct(const struct ota_speaker *speaker, char *out, size_t size)
{
    return write_identified(speaker, "Send Direct Update", out, size);
}

static int write_request_chunk(const struct ota_speaker *speaker, uint32_t offset, uint32_t length,
                               char *out, size_t size)
{
    struct json_writer writer;
    begin_identified(&writer, speaker, "Request Data Chunk", out, size);
    json_member(&writer, "Filename", "ota-update.bin");
    json_member_number(&writer, "Offset", offset);
    json_member_number(&writer, "Size", length);
    return json_end(&writer);
}

static int write_outcome(bool success, const char *name, const char *value, char *out, size_t size)
{
    struct json_writer writer;
    json_begin(&writer, out, size, "Message", success ? "Success" : "Failure");
    json_member(&writer, name, value);
    return json_end(&writer);
}

static int write_result(const struct ota_speaker *speaker, bool success, char *out, size_t size)
{
    return write_outcome(success, "UniqueTopicName", speaker->inbox, out, size);
}

static int write_result_body(const char *path, bool success, char *out, size_t size)
{
    return write_outcome(success, "File", path, out, size);
}

const struct ota_protocol ota_anycloud = {
    .name = "anycloud",
    .will_topic = "cy_ota_device/will",
    .will_payload = "MQTT demo unexpectedly disconnected.",
    .inbox = inbox,
    .direct_inbox = direct_inbox,
    .outbox = outbox,
    .ask = write_ask,
    .request = write_request,
    .request_direct = write_request_direct,
    .request_chunk = write_request_chunk,
    .result = write_result,
    .result_body = write_result_body,
    .job_path = "/ota_update.json",
    .read = read_message,
};

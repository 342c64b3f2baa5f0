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
    if (count != out->total / OTA_CHUNK_SIZE + (out->total % OTA_CHUNK_SIZE != 0))
        return "total_num_payloads";
    if (out->offset != index * OTA_CHUNK_SIZE) /* and so index < count */
        return "this_payload_index";
    uint32_t rest = out->total - out->offset;
    if (out->size != (rest < OTA_CHUNK_SIZE ? rest : OTA_CHUNK_SIZE))
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

/* One decimal number of at most `limit`, without sign or spaces. NULL when there is none. */
static const char *read_number(const char *text, uint32_t limit, uint32_t *out)
{
    const char *at = text;
    uint32_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint32_t)(*at - '0');
        if (value > limit)
            return NULL;
    }
    *out = value;
    return at == text ? NULL : at;
}

static int read_version(const char *text, struct img_version *out)
{
    static const uint32_t limits[3] = {UINT8_MAX, UINT8_MAX, UINT16_MAX};
    uint32_t part[3];
    for (int i = 0; i < 3; i++) {
        text = read_number(text, limits[i], &part[i]);
        if (text == NULL || *text != (i < 2 ? '.' : 0))
            return OTA_E_JOB_FIELD;
        text++;
    }
    *out = (struct img_version){(uint8_t)part[0], (uint8_t)part[1], (uint16_t)part[2], 0};
    return 0;
}

/* The member's text. NULL when it is missing or no string. */
static const char *text_of(const cJSON *root, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(root, name));
}

/* The port is only checked: data comes over the connection that brought the job. */
static bool port_is_valid(const cJSON *port)
{
    uint32_t value;
    if (port == NULL)
        return true;
    if (cJSON_IsNumber(port))
        return port->valuedouble >= 0 && port->valuedouble <= UINT16_MAX;
    if (!cJSON_IsString(port))
        return false;
    if (port->valuestring[0] == 0) /* keep the present one */
        return true;
    const char *end = read_number(port->valuestring, UINT16_MAX, &value);
    return end != NULL && *end == 0;
}

static int read_offer(const char *board, const cJSON *root, struct ota_message *out)
{
    const char *version = text_of(root, "Version");
    const char *connection = text_of(root, "Connection");
    const char *for_board = text_of(root, "Board");
    if (for_board == NULL)
        for_board = text_of(root, "BoardName");
    if (version == NULL || connection == NULL || for_board == NULL ||
        read_version(version, &out->version) != 0 ||
        !port_is_valid(cJSON_GetObjectItem(root, "Port")))
        return OTA_E_JOB_FIELD;
    if (strcmp(for_board, board) != 0)
        return OTA_E_JOB_BOARD;
    return strcmp(connection, "MQTT") == 0 ? 0 : OTA_E_UNSUPPORTED;
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
    int error = json_read(data, length, &root);
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

/* Appends `text`, with whatever a topic level or filter would trip over made harmless. */
static size_t put_level(char *out, size_t size, size_t at, const char *text, size_t most,
                        bool clean)
{
    for (size_t i = 0; text != NULL && text[i] != 0 && i < most && at + 1 < size; i++) {
        char c = text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        out[at++] = clean && !plain ? '-' : c;
    }
    out[at] = 0;
    return at;
}

static size_t put_base(const struct ota_speaker *speaker, char *out, size_t size)
{
    size_t at = put_level(out, size, 0, speaker->topic_prefix, size, false);
    at = put_level(out, size, at, "/", 1, false);
    return put_level(out, size, at, speaker->identity->board, size, false);
}

/* Two devices that start at the same instant must not share a topic: serial number and chance. */
static int inbox(const struct ota_speaker *speaker, uint64_t nonce, char *out, size_t size)
{
    char digits[11];
    if (size == 0)
        return OTA_E_NO_SPACE;
    size_t at = put_base(speaker, out, size);
    at = put_level(out, size, at, "/OTAImage/", size, false);
    at = put_level(out, size, at, speaker->identity->serial, SERIAL_IN_TOPIC, true);
    for (int half = 0; half < 2; half++) {
        json_decimal(digits, (uint32_t)(nonce >> (32 * half)));
        at = put_level(out, size, at, "-", 1, false);
        at = put_level(out, size, at, digits, size, false);
    }
    return at + 1 < size ? (int)at : OTA_E_NO_SPACE;
}

static int outbox(const struct ota_speaker *speaker, char *out, size_t size)
{
    if (size == 0)
        return OTA_E_NO_SPACE;
    size_t at = put_base(speaker, out, size);
    at = put_level(out, size, at, "/publish_notify", size, false);
    return at + 1 < size ? (int)at : OTA_E_NO_SPACE;
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

static int write_ask(const struct ota_speaker *speaker, char *out, size_t size)
{
    struct json_writer writer;
    begin_identified(&writer, speaker, "Update Availability", out, size);
    return json_end(&writer);
}

static int write_request(const struct ota_speaker *speaker, char *out, size_t size)
{
    struct json_writer writer;
    begin_identified(&writer, speaker, "Request Update", out, size);
    return json_end(&writer);
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

static int write_result(const struct ota_speaker *speaker, bool success, char *out, size_t size)
{
    struct json_writer writer;
    json_begin(&writer, out, size, "Message", success ? "Success" : "Failure");
    json_member(&writer, "UniqueTopicName", speaker->inbox);
    return json_end(&writer);
}

const struct ota_protocol ota_anycloud = {
    .name = "anycloud",
    .will_topic = "cy_ota_device/will",
    .will_payload = "MQTT demo unexpectedly disconnected.",
    .inbox = inbox,
    .outbox = outbox,
    .ask = write_ask,
    .request = write_request,
    .request_chunk = write_request_chunk,
    .result = write_result,
    .read = read_message,
};

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/protocol/anycloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- golden: what the vendor's devices and publisher put on the wire ---------------------- */

static const struct ota_identity identity = {"Express Widgits Corporation", "EWCO", "Easy Widgit",
                                             "ABC213450001", "CY8CPROTO_062_4343W"};
static const struct ota_speaker speaker = {
    .identity = &identity,
    .topic_prefix = "anycloud",
    .inbox = "anycloud/CY8CPROTO_062_4343W/OTAImage/40568",
    .running = {1, 0, 0, 0},
};

#define IDENTIFIED                                                                                 \
    ", \"Manufacturer\": \"Express Widgits Corporation\", \"ManufacturerID\": \"EWCO\", "          \
    "\"ProductID\": \"Easy Widgit\", \"SerialNumber\": \"ABC213450001\", \"BoardName\": "          \
    "\"CY8CPROTO_062_4343W\", \"Version\": \"1.0.0\", \"UniqueTopicName\": "                       \
    "\"anycloud/CY8CPROTO_062_4343W/OTAImage/40568\""

static void documents_are_the_originals_to_the_byte(void **state)
{
    (void)state;
    char out[OTA_JSON_MAX];
    int length = ota_anycloud.ask(&speaker, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Update Availability\"" IDENTIFIED "}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.request(&speaker, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Request Update\"" IDENTIFIED "}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.request_chunk(&speaker, 8192, 1808, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Request Data Chunk\"" IDENTIFIED
                             ", \"Filename\": \"ota-update.bin\", \"Offset\": \"8192\", "
                             "\"Size\": \"1808\"}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.result(&speaker, true, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Success\", \"UniqueTopicName\": "
                             "\"anycloud/CY8CPROTO_062_4343W/OTAImage/40568\"}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.result(&speaker, false, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Failure\", \"UniqueTopicName\": "
                             "\"anycloud/CY8CPROTO_062_4343W/OTAImage/40568\"}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.result_body("/ota-update.bin", true, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Success\", \"File\": \"/ota-update.bin\"}");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.result_body("/ota-update.bin", false, out, sizeof out);
    assert_string_equal(out, "{\"Message\":\"Failure\", \"File\": \"/ota-update.bin\"}");
    assert_string_equal(ota_anycloud.job_path, "/ota_update.json");
    assert_int_equal(ota_anycloud.ask(&speaker, out, 100), OTA_E_NO_SPACE);
}

static void topics(void **state)
{
    (void)state;
    char out[OTA_TOPIC_MAX];
    struct ota_identity odd = identity;
    struct ota_speaker other = speaker;
    int length = ota_anycloud.outbox(&speaker, out, sizeof out);
    assert_string_equal(out, "anycloud/CY8CPROTO_062_4343W/publish_notify");
    assert_int_equal(length, strlen(out));
    length = ota_anycloud.inbox(&speaker, 0x0000000200000009u, out, sizeof out);
    assert_string_equal(out, "anycloud/CY8CPROTO_062_4343W/OTAImage/ABC213450001-9-2");
    assert_int_equal(length, strlen(out));
    odd.serial = "a/b+c#d e";
    odd.board = "APP_CY8CPROTO_062_4343W";
    other.identity = &odd;
    other.topic_prefix = "OTAUpdate";
    assert_true(ota_anycloud.inbox(&other, 1, out, sizeof out) > 0);
    assert_string_equal(out, "OTAUpdate/APP_CY8CPROTO_062_4343W/OTAImage/a-b-c-d-e-1-0");
    odd.serial = NULL;
    assert_true(ota_anycloud.inbox(&other, 1, out, sizeof out) > 0);
    for (size_t size = 1; size < 40; size++)
        assert_int_equal(ota_anycloud.inbox(&other, 1, out, size), OTA_E_NO_SPACE);
    assert_string_equal(ota_anycloud.will_topic, "cy_ota_device/will");
    assert_string_equal(ota_anycloud.will_payload, "MQTT demo unexpectedly disconnected.");
}

/* The publisher's three chunks of a 10000-byte image of version 2.0.0. */
static const struct {
    uint8_t header[ANYCLOUD_HEADER_SIZE];
    size_t length;
    uint32_t offset;
    uint32_t size;
} observed[] = {
    {{0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0x00, 0x00,
      0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x27, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x03, 0x00, 0x00, 0x00},
     4128,
     0,
     4096},
    {{0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0x00, 0x00,
      0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x27, 0x00, 0x00,
      0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x03, 0x00, 0x01, 0x00},
     4128,
     4096,
     4096},
    {{0x4f, 0x54, 0x41, 0x49, 0x6d, 0x61, 0x67, 0x65, 0x20, 0x00, 0x00,
      0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x27, 0x00, 0x00,
      0x00, 0x20, 0x00, 0x00, 0x10, 0x07, 0x03, 0x00, 0x02, 0x00},
     1840,
     8192,
     1808},
};

/* Parses a message of exactly `length` bytes that begins with `header`. */
static int parse(const uint8_t *header, size_t length, struct ota_chunk *out, const char **what)
{
    uint8_t *message = calloc(1, length == 0 ? 1 : length);
    memcpy(message, header, length < ANYCLOUD_HEADER_SIZE ? length : ANYCLOUD_HEADER_SIZE);
    int error = anycloud_chunk_parse(message, length, out, what);
    out->data -= error == 0 ? (size_t)message : 0; /* an offset, for the comparison */
    free(message);
    return error;
}

static void observed_chunks_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct ota_chunk chunk;
        assert_int_equal(parse(observed[i].header, observed[i].length, &chunk, NULL), 0);
        assert_int_equal(chunk.version.major, 2);
        assert_int_equal(chunk.version.minor, 0);
        assert_int_equal(chunk.version.revision, 0);
        assert_int_equal(chunk.total, 10000);
        assert_int_equal(chunk.offset, observed[i].offset);
        assert_int_equal(chunk.size, observed[i].size);
        assert_int_equal((size_t)chunk.data, 32);
    }
}

/* ---- chunks: every field wrong ------------------------------------------------------------ */

struct change {
    uint8_t at;
    uint8_t size;
    uint32_t value;
    const char *what;
};

static void assert_refused(size_t which, const struct change *change)
{
    uint8_t header[ANYCLOUD_HEADER_SIZE];
    struct ota_chunk chunk;
    const char *what;
    memcpy(header, observed[which].header, sizeof header);
    for (size_t i = 0; i < change->size; i++)
        header[change->at + i] = (uint8_t)(change->value >> (8 * i));
    assert_int_equal(parse(header, observed[which].length, &chunk, &what), OTA_E_CHUNK);
    assert_string_equal(what, change->what);
}

static void a_wrong_field_is_named(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {8, 2, 0, "offset_to_data"},
        {8, 2, 31, "offset_to_data"},
        {8, 2, 33, "data_size"},
        {8, 2, 4128, "data_size"},
        {8, 2, 4129, "offset_to_data"},
        {8, 2, 65535, "offset_to_data"},
        {10, 2, 1, "image type"},
        {10, 2, 256, "image type"},
        {12, 2, 256, "version"},
        {14, 2, 256, "version"},
        {18, 4, 0, "total_size"},
        {18, 4, 4096, "image_offset"},
        {18, 4, 8191, "image_offset"},
        {18, 4, 12289, "total_num_payloads"},
        {18, 4, UINT32_MAX, "total_num_payloads"},
        {22, 4, 4095, "this_payload_index"},
        {22, 4, 0, "this_payload_index"},
        {22, 4, 8192, "image_offset"},
        {22, 4, UINT32_MAX, "image_offset"},
        {22, 4, UINT32_MAX - 4095, "image_offset"},
        {26, 2, 0, "data_size"},
        {26, 2, 4095, "data_size"},
        {26, 2, 4097, "data_size"},
        {26, 2, 65535, "data_size"},
        {28, 2, 0, "total_num_payloads"},
        {28, 2, 2, "total_num_payloads"},
        {28, 2, 4, "total_num_payloads"},
        {30, 2, 0, "this_payload_index"},
        {30, 2, 2, "total_num_payloads"}, /* of chunks of 2048 */
        {30, 2, 3, "this_payload_index"},
        {30, 2, 65535, "this_payload_index"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        assert_refused(1, &changes[i]);
    for (uint8_t i = 0; i < 8; i++) /* B24: all eight bytes of the magic */
        assert_refused(1, &(struct change){i, 1, 'X', "magic"});
    assert_refused(2, &(struct change){26, 2, 1807, "data_size"});
    assert_refused(2, &(struct change){18, 4, 9999, "image_offset"});
    assert_refused(2, &(struct change){18, 4, 10001, "data_size"});
}

/* B14: never read past the end, never promise bytes that are not there. */
static void a_chunk_cut_at_every_byte_is_refused(void **state)
{
    (void)state;
    struct ota_chunk chunk;
    for (size_t length = 0; length < observed[2].length; length++)
        assert_int_equal(parse(observed[2].header, length, &chunk, NULL), OTA_E_CHUNK);
    assert_int_equal(parse(observed[2].header, observed[2].length + 5, &chunk, NULL), 0);
}

static void padding_behind_the_header_is_legal(void **state)
{
    (void)state;
    uint8_t header[ANYCLOUD_HEADER_SIZE];
    struct ota_chunk chunk;
    memcpy(header, observed[0].header, sizeof header);
    header[8] = 40;
    assert_int_equal(parse(header, 4136, &chunk, NULL), 0);
    assert_int_equal((size_t)chunk.data, 40);
}

/* ---- job documents ------------------------------------------------------------------------ */

static int read_job(const char *text, size_t length, struct ota_message *out)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, text, length);
    int error = ota_anycloud.read(&speaker, copy, length, out);
    free(copy);
    return error;
}

static int job(const char *text, struct ota_message *out)
{
    return read_job(text, strlen(text), out);
}

/* As in the vendor's documentation. */
static const char published[] =
    "{\"Message\": \"Update Available\", \"Manufacturer\": \"Express Widgits Corporation\", "
    "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", \"SerialNumber\": "
    "\"ABC213450001\", \"Board\": \"CY8CPROTO_062_4343W\", \"Version\": \"1.6.0\", "
    "\"Connection\": \"MQTT\", \"Broker\": \"\", \"Port\": \"1883\", \"UniqueTopicName\": "
    "\"<unique>\"}";

static void the_publishers_job_is_understood(void **state)
{
    (void)state;
    struct ota_message message;
    assert_int_equal(job(published, &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_JOB);
    assert_int_equal(message.version.major, 1);
    assert_int_equal(message.version.minor, 6);
    assert_int_equal(message.version.revision, 0);
    for (size_t length = 0; length < sizeof published - 1; length++) {
        assert_int_equal(read_job(published, length, &message), OTA_E_JSON);
        assert_int_equal(message.kind, OTA_MESSAGE_JOB);
    }
}

static void messages_are_told_apart(void **state)
{
    (void)state;
    struct ota_message message;
    assert_int_equal(job("{\"Message\": \"No Update Available\"}", &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_NO_UPDATE);
    assert_int_equal(job("{\"Message\": \"No Update Available\", \"Board\": "
                         "\"CY8CPROTO_062_4343W\", \"Version\": \"9.9.9\"}",
                         &message),
                     0); /* B15 */
    assert_int_equal(message.kind, OTA_MESSAGE_NO_UPDATE);
    assert_int_equal(job("{\"Message\": \"Result Received\", \"Version\": \"9.9.9\"}", &message),
                     0);
    assert_int_equal(message.kind, OTA_MESSAGE_OTHER);
    uint8_t chunk[1840] = {0};
    memcpy(chunk, observed[2].header, ANYCLOUD_HEADER_SIZE);
    assert_int_equal(read_job((const char *)chunk, sizeof chunk, &message), 0);
    assert_int_equal(message.kind, OTA_MESSAGE_CHUNK);
    assert_int_equal(message.chunk.offset, 8192);
    assert_int_equal(read_job((const char *)chunk, sizeof chunk - 1, &message), OTA_E_CHUNK);
    assert_int_equal(message.kind, OTA_MESSAGE_CHUNK);
}

/* One document with three slots: what follows Message, the version, the rest. */
static int with(const char *board, const char *version, const char *rest)
{
    char text[2048];
    struct ota_message message;
    snprintf(text, sizeof text, "{\"Message\": \"Update Available\", %s, \"Version\": %s, %s}",
             board, version, rest);
    int error = job(text, &message);
    assert_int_equal(message.kind, OTA_MESSAGE_JOB);
    return error;
}

#define BOARD "\"Board\": \"CY8CPROTO_062_4343W\""
#define MQTT  "\"Connection\": \"MQTT\""

/* B16 and DISC-13: a version is three numbers in range and nothing else. */
static void versions_are_strict(void **state)
{
    (void)state;
    static const char *const good[] = {"\"0.0.0\"", "\"255.255.65535\"", "\"2.0.0\"", "\"01.2.3\""};
    static const char *const bad[] = {"\"\"",
                                      "\"2\"",
                                      "\"2.0\"",
                                      "\"2.0.0.0\"",
                                      "\"2.0.0 \"",
                                      "\" 2.0.0\"",
                                      "\"2.0.x\"",
                                      "\"-2.0.0\"",
                                      "\"2..0\"",
                                      "\"2.0.\"",
                                      "\".0.0\"",
                                      "\"256.0.0\"",
                                      "\"0.256.0\"",
                                      "\"0.0.65536\"",
                                      "\"65537.0.0\"",
                                      "\"4294967298.0.0\"",
                                      "\"2.0.0-rc1\"",
                                      "\"v2.0.0\"",
                                      "2",
                                      "2.0",
                                      "null",
                                      "[]",
                                      "true"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(with(BOARD, good[i], MQTT), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(with(BOARD, bad[i], MQTT), OTA_E_JOB_FIELD);
}

static void board_and_connection(void **state)
{
    (void)state;
    const char *v2 = "\"2.0.0\"";
    assert_int_equal(with("\"BoardName\": \"CY8CPROTO_062_4343W\"", v2, MQTT), 0);
    assert_int_equal(with("\"board\": \"CY8CPROTO_062_4343W\"", v2, MQTT), 0);
    assert_int_equal(with("\"Board\": \"APP_CY8CPROTO_062_4343W\"", v2, MQTT), OTA_E_JOB_BOARD);
    assert_int_equal(with("\"Board\": \"cy8cproto_062_4343w\"", v2, MQTT), OTA_E_JOB_BOARD);
    assert_int_equal(with("\"Board\": \"\"", v2, MQTT), OTA_E_JOB_BOARD);
    assert_int_equal(with("\"Board\": 7", v2, MQTT), OTA_E_JOB_FIELD);
    assert_int_equal(with("\"Other\": \"CY8CPROTO_062_4343W\"", v2, MQTT), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, "\"Connection\": \"HTTP\", \"Server\": \"10.0.0.88\""),
                     OTA_E_JOB_FIELD); /* of what file? */
    assert_int_equal(with(BOARD, v2, "\"Connection\": \"carrier pigeon\""), OTA_E_UNSUPPORTED);
    assert_int_equal(with(BOARD, v2, "\"Connection\": 1"), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, "\"Other\": \"MQTT\""), OTA_E_JOB_FIELD);
}

static void ports_and_unknown_members(void **state)
{
    (void)state;
    const char *v2 = "\"2.0.0\"";
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": 1883"), 0);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": \"\""), 0);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": \"65535\""), 0);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": \"65536\""), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": \"80x\""), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": 65536"), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": -1"), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Port\": []"), OTA_E_JOB_FIELD);
    assert_int_equal(with(BOARD, v2, MQTT ", \"New\": {\"a\": [1, 2]}, \"x\": null"), 0);
    assert_int_equal(with(BOARD, v2, MQTT ", \"Product\": 7, \"ManufacturerID\": \"EWCO\""), 0);
}

/* Where the image is, or why the document does not say. */
static int source(const char *members, struct ota_source *out)
{
    char text[2048];
    struct ota_message message;
    snprintf(text, sizeof text,
             "{\"Message\": \"Update Available\", " BOARD ", \"Version\": \"2.0.0\", %s}", members);
    int error = job(text, &message);
    *out = message.source;
    return error;
}

static void jobs_say_where_the_image_is(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        enum ota_connection connection;
        const char *host;
        uint16_t port;
        const char *path;
    } good[] = {
        {MQTT, OTA_BY_MQTT, "", 0, ""},
        {MQTT ", \"Broker\": \"\", \"Port\": \"1883\"", OTA_BY_MQTT, "", 0, ""},
        {MQTT ", \"Broker\": \"b.example\", \"Port\": \"8884\"", OTA_BY_MQTT, "b.example", 8884,
         ""},
        {MQTT ", \"Broker\": \"b.example\", \"Port\": \"\"", OTA_BY_MQTT, "b.example", 1883, ""},
        {"\"Connection\": \"HTTP\", \"Server\": \"10.0.0.88\", \"Port\": \"80\", \"File\": "
         "\"/ota-update.bin\"",
         OTA_BY_HTTP, "10.0.0.88", 80, "/ota-update.bin"},
        {"\"Connection\": \"http\", \"Server\": \"[::1]\", \"Port\": 8080, \"File\": \"a/b?c=d\"",
         OTA_BY_HTTP, "[::1]", 8080, "/a/b?c=d"},
        {"\"Connection\": \"HTTP\", \"Broker\": \"\", \"Server\": \"h\", \"File\": \"/f\"",
         OTA_BY_HTTP, "h", 80, "/f"},
        {"\"Connection\": \"HTTPS\", \"Server\": \"h\", \"Port\": \"0\", \"File\": \"/f\"",
         OTA_BY_HTTPS, "h", 443, "/f"},
        {"\"Connection\": \"HTTPS\", \"Server\": \"\", \"File\": \"/f\"", OTA_BY_HTTPS, "", 0,
         "/f"},
    };
    struct ota_source found;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(source(good[i].members, &found), 0);
        assert_int_equal(found.connection, good[i].connection);
        assert_string_equal(found.host, good[i].host);
        assert_int_equal(found.port, good[i].port);
        assert_string_equal(found.path, good[i].path);
    }
}

/* TRAN-18: a word nobody knows is not the same as a port that is no number; and nothing gets into a
 * request line that would end it (RSRC-05: nor anything longer than there is room for). */
static void places_that_cannot_be_reached_are_told_apart(void **state)
{
    (void)state;
    struct ota_source found;
    char text[600];
#define HTTP "\"Connection\": \"HTTP\", "
    static const char *const bad[] = {
        HTTP "\"Server\": \"h\"",
        HTTP "\"File\": \"\"",
        HTTP "\"File\": 7",
        HTTP "\"File\": \"/a b\"",
        HTTP "\"File\": \"/a\\r\\nX: y\"",
        HTTP "\"File\": \"/\\u00fc\"",
        HTTP "\"Server\": \"h/x\", \"File\": \"/f\"",
        HTTP "\"Server\": \"user@h\", \"File\": \"/f\"",
        HTTP "\"Server\": \"h\\n\", \"File\": \"/f\"",
        HTTP "\"Port\": \"http\", \"File\": \"/f\"",
        HTTP "\"Port\": 80.5, \"File\": \"/f\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(source(bad[i], &found), OTA_E_JOB_FIELD);
    assert_int_equal(source("\"Connection\": \"FTP\", \"File\": \"/f\"", &found),
                     OTA_E_UNSUPPORTED);
    assert_int_equal(source("\"Connection\": \"HTTPSX\"", &found), OTA_E_UNSUPPORTED);
    assert_int_equal(source("\"Connection\": \"\"", &found), OTA_E_UNSUPPORTED);
    for (int length = 254; length <= 257; length++) {
        snprintf(text, sizeof text, HTTP "\"File\": \"/%0*d\"", length - 1, 0);
        assert_int_equal(source(text, &found), length <= 255 ? 0 : OTA_E_JOB_FIELD);
        snprintf(text, sizeof text, HTTP "\"File\": \"%0*d\"", length - 1, 0);
        assert_int_equal(source(text, &found), length <= 255 ? 0 : OTA_E_JOB_FIELD);
        snprintf(text, sizeof text, HTTP "\"File\": \"/f\", \"Server\": \"%0*d\"", length, 0);
        assert_int_equal(source(text, &found), length <= 255 ? 0 : OTA_E_JOB_FIELD);
    }
#undef HTTP
}

static void a_document_of_1024_bytes_is_the_longest(void **state)
{
    (void)state;
    char text[1200];
    struct ota_message message;
    size_t length = sizeof published - 1;
    memset(text, ' ', sizeof text);
    memcpy(text, published, length);
    assert_int_equal(read_job(text, 1024, &message), 0);
    assert_int_equal(read_job(text, 1025, &message), OTA_E_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_the_originals_to_the_byte),
        cmocka_unit_test(topics),
        cmocka_unit_test(observed_chunks_are_understood),
        cmocka_unit_test(a_wrong_field_is_named),
        cmocka_unit_test(a_chunk_cut_at_every_byte_is_refused),
        cmocka_unit_test(padding_behind_the_header_is_legal),
        cmocka_unit_test(the_publishers_job_is_understood),
        cmocka_unit_test(messages_are_told_apart),
        cmocka_unit_test(versions_are_strict),
        cmocka_unit_test(board_and_connection),
        cmocka_unit_test(ports_and_unknown_members),
        cmocka_unit_test(jobs_say_where_the_image_is),
        cmocka_unit_test(places_that_cannot_be_reached_are_told_apart),
        cmocka_unit_test(a_document_of_1024_bytes_is_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

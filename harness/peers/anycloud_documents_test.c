#include "harness/peers/anycloud_documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TOPIC "anycloud/CY8CPROTO_062_4343W/OTAImage/40568"

/* The texts of the published interface, for each connection. */
static void jobs_of_all_connections(void **state)
{
    static const struct {
        enum anycloud_connection connection;
        const char *host;
        uint16_t port;
        const char *file, *topic, *text;
    } rows[] = {
        {ANYCLOUD_OVER_MQTT, "", 0, NULL, TOPIC,
         "\"Connection\": \"MQTT\", \"Broker\": \"\", \"Port\": \"1883\", "
         "\"UniqueTopicName\": \"" TOPIC "\"}"},
        {ANYCLOUD_OVER_MQTT, "broker.example", 8883, NULL, TOPIC,
         "\"Connection\": \"MQTT\", \"Broker\": \"broker.example\", \"Port\": \"8883\", "
         "\"UniqueTopicName\": \"" TOPIC "\"}"},
        {ANYCLOUD_OVER_HTTP, "10.0.0.88", 0, "/ota-update.bin", TOPIC,
         "\"Connection\": \"HTTP\", \"Server\": \"10.0.0.88\", \"Port\": \"80\", "
         "\"File\": \"/ota-update.bin\", \"UniqueTopicName\": \"" TOPIC "\"}"},
        {ANYCLOUD_OVER_HTTPS, "10.0.0.88", 0, "/ota-update.bin", TOPIC,
         "\"Connection\": \"HTTPS\", \"Server\": \"10.0.0.88\", \"Port\": \"443\", "
         "\"File\": \"/ota-update.bin\", \"UniqueTopicName\": \"" TOPIC "\"}"},
        {ANYCLOUD_OVER_HTTP, "10.0.0.88", 8080, "/a.bin", NULL,
         "\"Connection\": \"HTTP\", \"Server\": \"10.0.0.88\", \"Port\": \"8080\", "
         "\"File\": \"/a.bin\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char expected[ANYCLOUD_DOCUMENT];
        char text[ANYCLOUD_DOCUMENT];
        const struct anycloud_job job = {.message = "Update Available",
                                         .board = "CY8CPROTO_062_4343W",
                                         .version = {1, 6, 0, 0},
                                         .connection = rows[i].connection,
                                         .host = rows[i].host,
                                         .port = rows[i].port,
                                         .file = rows[i].file,
                                         .topic = rows[i].topic};
        snprintf(expected, sizeof expected,
                 "{\"Message\": \"Update Available\", "
                 "\"Manufacturer\": \"Express Widgits Corporation\", "
                 "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "
                 "\"SerialNumber\": \"ABC213450001\", \"Board\": \"CY8CPROTO_062_4343W\", "
                 "\"Version\": \"1.6.0\", %s",
                 rows[i].text);
        assert_int_equal(anycloud_document(&job, text, sizeof text), strlen(expected));
        assert_string_equal(text, expected);
    }
}

/* Whatever does not fit is refused, not cut. */
static void too_long(void **state)
{
    char text[ANYCLOUD_DOCUMENT];
    char file[600];
    struct anycloud_job job = {.message = "Update Available",
                               .board = "KIT",
                               .connection = ANYCLOUD_OVER_HTTP,
                               .host = "h",
                               .file = "/a",
                               .topic = TOPIC};
    (void)state;
    int length = anycloud_document(&job, text, sizeof text);
    assert_true(length > 0);
    for (int size = 0; size <= length; size++)
        assert_int_equal(anycloud_document(&job, text, (size_t)size), OTA_E_NO_SPACE);
    assert_int_equal(anycloud_document(&job, text, (size_t)length + 1), length);
    memset(file, '"', sizeof file - 1);
    file[sizeof file - 1] = '\0';
    job.file = file;
    assert_int_equal(anycloud_document(&job, text, sizeof text), OTA_E_NO_SPACE);
    job.file = "/a";
    job.topic = file;
    assert_int_equal(anycloud_document(&job, text, sizeof text), OTA_E_NO_SPACE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_all_connections),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A broker that only listens, for the tests of the cloud side. */
#ifndef NOBRICK_HARNESS_PEERS_ANYCLOUD_CLOUD_RIG_H
#define NOBRICK_HARNESS_PEERS_ANYCLOUD_CLOUD_RIG_H

#include "harness/peers/anycloud_cloud.h"

#include "harness/peers/anycloud_documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTIFY     "anycloud/CY8CPROTO_062_4343W/publish_notify"
#define TOPIC      "anycloud/CY8CPROTO_062_4343W/OTAImage/40568"
#define IMAGE_SIZE 10000u
#define MAX_SENT   256

/* ---- a broker that only listens ---------------------------------------------------------- */

struct sent {
    char topic[300];
    uint8_t *data;
    size_t size;
};

struct bench {
    struct mqtt_port mqtt;
    struct clock_port clock;
    struct anycloud_cloud *cloud;
    uint8_t image[IMAGE_SIZE];
    struct sent sent[MAX_SENT];
    size_t sent_count;
    size_t acknowledged;
    char lines[8192]; /* what the cloud said, a line each */
    char subscribed[300];
    int publish_result;
    unsigned connects;
    unsigned arms;
};

static inline int bench_connect(void *context, const struct mqtt_connect *options)
{
    struct bench *bench = context;
    assert_true(options->clean_session);
    assert_null(options->will_topic);
    bench->connects++;
    return OTA_OK;
}

static inline int bench_subscribe(void *context, const char *topic, int qos)
{
    struct bench *bench = context;
    assert_int_equal(qos, 1);
    snprintf(bench->subscribed, sizeof bench->subscribed, "%s", topic);
    return OTA_OK;
}

static inline int bench_unsubscribe(void *context, const char *topic)
{
    (void)context, (void)topic;
    return OTA_OK;
}

static inline int bench_publish(void *context, const char *topic, const void *payload,
                                size_t length, int qos)
{
    struct bench *bench = context;
    assert_int_equal(qos, 1);
    if (bench->publish_result != OTA_OK)
        return bench->publish_result;
    assert_true(bench->sent_count < MAX_SENT);
    struct sent *sent = &bench->sent[bench->sent_count++];
    snprintf(sent->topic, sizeof sent->topic, "%s", topic);
    sent->data = malloc(length + 1);
    assert_non_null(sent->data);
    memcpy(sent->data, payload, length);
    sent->data[length] = '\0';
    sent->size = length;
    return OTA_OK;
}

static inline int bench_disconnect(void *context)
{
    (void)context;
    return OTA_OK;
}

static inline uint64_t bench_now(void *context)
{
    (void)context;
    return 1000;
}

static inline int bench_arm(void *context, unsigned id, uint32_t ms)
{
    struct bench *bench = context;
    assert_int_equal(id, 0);
    assert_true(ms > 0);
    bench->arms++;
    return OTA_OK;
}

static inline void bench_disarm(void *context, unsigned id)
{
    (void)context, (void)id;
}

static inline void on_line(void *context, const char *line)
{
    struct bench *bench = context;
    size_t used = strlen(bench->lines);
    snprintf(bench->lines + used, sizeof bench->lines - used, "%s\n", line);
}

static inline void deliver(struct bench *bench, enum ota_event_type type, int code)
{
    const struct ota_event event = {.type = type, .code = code};
    anycloud_cloud_event(bench->cloud, &event);
}

/* Acknowledges everything, and what is sent on that, until nothing is left. */
static inline void acknowledge(struct bench *bench)
{
    while (bench->acknowledged < bench->sent_count) {
        bench->acknowledged++;
        deliver(bench, OTA_EVENT_MQTT_PUBLISHED, OTA_OK);
    }
}

static inline void say_bytes(struct bench *bench, const void *data, size_t length)
{
    const struct ota_event event = {
        .type = OTA_EVENT_MQTT_MESSAGE, .topic = NOTIFY, .data = data, .length = length};
    anycloud_cloud_event(bench->cloud, &event);
}

static inline void say(struct bench *bench, const char *text)
{
    say_bytes(bench, text, strlen(text));
}

static inline void forget(struct bench *bench)
{
    acknowledge(bench);
    for (size_t i = 0; i < bench->sent_count; i++)
        free(bench->sent[i].data);
    bench->sent_count = 0;
    bench->acknowledged = 0;
    bench->lines[0] = '\0';
}

static inline int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->mqtt = (struct mqtt_port){
        bench, bench_connect, bench_subscribe, bench_unsubscribe, bench_publish, bench_disconnect};
    bench->clock = (struct clock_port){bench, bench_now, bench_arm, bench_disarm};
    for (size_t i = 0; i < IMAGE_SIZE; i++)
        bench->image[i] = (uint8_t)(i * 31 + i / 251);
    bench->cloud = anycloud_cloud_new(&bench->mqtt, &bench->clock, "anycloud",
                                      "CY8CPROTO_062_4343W", on_line, bench);
    assert_non_null(bench->cloud);
    const struct anycloud_offer offer = {
        .image = bench->image, .size = IMAGE_SIZE, .version = {2, 0, 0, 0}, .chunk_size = 4096};
    anycloud_cloud_offer(bench->cloud, &offer);
    assert_int_equal(anycloud_cloud_start(bench->cloud), OTA_OK);
    deliver(bench, OTA_EVENT_MQTT_CONNECTED, OTA_OK);
    assert_false(anycloud_cloud_ready(bench->cloud));
    deliver(bench, OTA_EVENT_MQTT_SUBSCRIBED, OTA_OK);
    assert_true(anycloud_cloud_ready(bench->cloud));
    assert_string_equal(bench->subscribed, NOTIFY);
    forget(bench);
    *state = bench;
    return 0;
}

static inline int tear_down(void **state)
{
    struct bench *bench = *state;
    forget(bench);
    anycloud_cloud_free(bench->cloud);
    free(bench);
    return 0;
}

/* ---- what is said ------------------------------------------------------------------------ */

#define AVAILABILITY(board, version)                                                               \
    "{\"Message\":\"Update Availability\", \"Manufacturer\": \"Express Widgits Corporation\", "    \
    "\"ManufacturerID\": \"EWCO\", \"ProductID\": \"Easy Widgit\", "                               \
    "\"SerialNumber\": \"ABC213450001\", \"BoardName\": \"" board "\", \"Version\": \"" version    \
    "\", \"UniqueTopicName\": \"" TOPIC "\"}"

#define JOB(message)                                                                               \
    "{\"Message\": \"" message "\", \"Manufacturer\": \"Express Widgits Corporation\", "           \
    "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "                                 \
    "\"SerialNumber\": \"ABC213450001\", \"Board\": \"CY8CPROTO_062_4343W\", "                     \
    "\"Version\": \"2.0.0\", \"Connection\": \"MQTT\", \"Broker\": \"\", \"Port\": \"1883\", "     \
    "\"UniqueTopicName\": \"" TOPIC "\"}"

#define REQUEST_UPDATE "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"" TOPIC "\"}"

static inline void expect_sent(const struct bench *bench, size_t index, const char *topic,
                               const char *text)
{
    assert_true(index < bench->sent_count);
    assert_string_equal(bench->sent[index].topic, topic);
    assert_string_equal((const char *)bench->sent[index].data, text);
}

#endif

/* The cloud is fed with everything that should not be sent, and must then serve the next device as
 * if nothing had been. NOBRICK_FUZZ_SECONDS says for how long (2). */
#include "harness/cli/cloud_rig.h"

/* ---- nonsense ---------------------------------------------------------------------------- */

/* Good messages to be spoilt, and those that end the original publisher or its threads. */
static const char *const mqtt_corpus[] = {
    "",
    "\xff\xfe\xfd",
    "{\"Message\":\"Update Availability\", \"UniqueTopicName\": \"a/b\"",
    "{\"UniqueTopicName\": \"a/b\"}",
    "{\"Message\":\"Update Availability\"}",
    "{\"Message\":\"Update Availability\", \"Version\": \"1.0.0\", \"UniqueTopicName\": \"\"}",
    "{\"Message\":\"Update Availability\", \"Version\": \"1.0.0\", \"UniqueTopicName\": \"a/#\"}",
    "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"a/+/b\"}",
    "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"a/\\u0085\\uFFFF\"}",
    "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"$SYS/broker\"}",
    "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"" NOTIFY "\"}",
    "{\"Message\":\"Request Update\", \"UniqueTopicName\": \"a/b\"}",
    "{\"Message\":\"Request Data Chunk\", \"Offset\":\"0\", \"Size\":\"-1\", "
    "\"UniqueTopicName\": \"a/c\"}",
    "{\"Message\":\"Request Data Chunk\", \"Offset\":\"0\", \"Size\":\"0\", "
    "\"UniqueTopicName\": \"a/c\"}",
    "{\"Message\":\"Request Data Chunk\", \"Offset\":\"40001\", \"Size\":\"4096\", "
    "\"UniqueTopicName\": \"a/c\"}",
    "{\"Message\":\"Request Data Chunk\", \"Size\":\"4096\", \"UniqueTopicName\": \"a/c\"}",
    "{\"Message\":\"Success\", \"UniqueTopicName\": \"a/b\"}",
    "{\"Message\":\"Failure\", \"UniqueTopicName\": \"a/b\"}",
    "{\"Message\":\"Send Direct Update\"}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

static const char *const http_corpus[] = {
    "GET /ota_update.json HTTP/1.1\r\nHost: h\r\nAccept-Ranges: bytes\r\nRange: bytes=0-\r\n\r\n",
    "GET /x.bin HTTP/1.1\r\nHost: h\r\nRange: bytes=0-4095\r\nIf-Range: \"a\"\r\n\r\n",
    "GET /x.bin HTTP/1.1\r\nHost: h\r\n\r\nGET /x.bin HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /x.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n{\"Message\":\"Success\"}",
    "POST /x.bin HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "15\r\n{\"Message\":\"Success\"}\r\n0\r\n\r\n",
    "POST /x.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n{",
    "HEAD /%2e%2e/%00 HTTP/1.0\r\n\r\n",
    "\x16\x03\x01\x02",
    "\x10\x10\x01\x04MQTT\x04\x02",
};

static uint64_t seed;

static uint32_t choose(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 11) % n;
}

/* One of the corpus, spoilt a little. Returns its length. */
static size_t spoil(const char *const *corpus, size_t count, uint8_t *out, size_t size)
{
    const char *text = corpus[choose((uint32_t)count)];
    size_t length = strlen(text);
    memcpy(out, text, length);
    for (uint32_t edits = choose(6); edits > 0; edits--) {
        uint32_t at = choose((uint32_t)length + 1);
        uint32_t piece = 1 + choose(16);
        switch (choose(5)) {
        case 0: /* change a byte */
            if (at < length)
                out[at] = (uint8_t)choose(256);
            break;
        case 1: /* cut it there */
            length = at;
            break;
        case 2: /* drop a piece */
            if (at + piece <= length) {
                memmove(out + at, out + at + piece, length - at - piece);
                length -= piece;
            }
            break;
        case 3: /* repeat a piece */
            if (at + piece <= length && length + piece <= size) {
                memmove(out + at + piece, out + at, length - at);
                length += piece;
            }
            break;
        default: /* put a piece of another one there */
            text = corpus[choose((uint32_t)count)];
            if (strlen(text) >= piece && length + piece <= size) {
                memmove(out + at + piece, out + at, length - at);
                memcpy(out + at, text + choose((uint32_t)(strlen(text) - piece + 1)), piece);
                length += piece;
            }
            break;
        }
    }
    return length;
}

struct fuzzer {
    struct posix_loop *loop;
    struct posix_mqtt *mqtt;
    unsigned outstanding;
    bool ready;
    unsigned long messages;
    unsigned long requests;
    int held[8]; /* connections left open in the middle of a request; -1: none */
};

static void on_fuzzer(void *context, const struct ota_event *event)
{
    struct fuzzer *fuzzer = context;
    fuzzer->ready |= event->type == OTA_EVENT_MQTT_CONNECTED && event->code == OTA_OK;
    fuzzer->outstanding -= event->type == OTA_EVENT_MQTT_PUBLISHED && fuzzer->outstanding > 0;
    assert_int_not_equal(event->type, OTA_EVENT_MQTT_CLOSED);
}

static void send_nonsense(struct fuzzer *fuzzer, unsigned http_port)
{
    uint8_t bytes[8192];
    const struct mqtt_port *mqtt = posix_mqtt_port(fuzzer->mqtt);
    for (int i = 0; i < 8 && fuzzer->outstanding < 8; i++) {
        size_t length = spoil(mqtt_corpus, COUNT(mqtt_corpus), bytes, sizeof bytes);
        if (mqtt->publish(mqtt->context, NOTIFY, bytes, length, 1) != OTA_OK)
            break;
        fuzzer->outstanding++;
        fuzzer->messages++;
    }
    size_t length = spoil(http_corpus, COUNT(http_corpus), bytes, sizeof bytes);
    int *held = &fuzzer->held[choose(COUNT(fuzzer->held))];
    if (*held >= 0)
        close(*held);
    *held = connect_to(http_port);
    assert_true(*held >= 0);
    (void)!send(*held, bytes, length, MSG_NOSIGNAL);
    (void)!recv(*held, bytes, choose(2) * sizeof bytes, MSG_DONTWAIT);
    fuzzer->requests++;
}

static const struct mqtt_port *start_fuzzer(struct fuzzer *fuzzer)
{
    const struct posix_mqtt_config config = {.host = "127.0.0.1", .port = broker.port};
    const struct mqtt_connect options = {
        .client_id = "fuzzer", .keep_alive_s = 60, .clean_session = true};
    for (size_t i = 0; i < COUNT(fuzzer->held); i++)
        fuzzer->held[i] = -1;
    fuzzer->mqtt = posix_mqtt_new(fuzzer->loop, &config, on_fuzzer, fuzzer);
    assert_non_null(fuzzer->mqtt);
    const struct mqtt_port *mqtt = posix_mqtt_port(fuzzer->mqtt);
    assert_int_equal(mqtt->connect(mqtt->context, &options), OTA_OK);
    return mqtt;
}

static void stop_fuzzer(struct fuzzer *fuzzer)
{
    for (size_t i = 0; i < COUNT(fuzzer->held); i++)
        if (fuzzer->held[i] >= 0)
            close(fuzzer->held[i]);
    posix_mqtt_free(fuzzer->mqtt);
    posix_loop_free(fuzzer->loop);
}

static bool is_alive(const struct peer *peer)
{
    return waitpid(peer->pid, NULL, WNOHANG) == 0;
}

static void fuzz(const struct peer *peer, unsigned seconds)
{
    struct fuzzer fuzzer = {.loop = posix_loop_new()};
    (void)start_fuzzer(&fuzzer);
    seed = (uint64_t)time(NULL) | 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (uint64_t end = posix_now_ms() + seconds * 1000u; posix_now_ms() < end;) {
        (void)posix_loop_run(fuzzer.loop, 1);
        if (fuzzer.ready)
            send_nonsense(&fuzzer, peer->http_port);
        if (!is_alive(peer))
            fail_msg("the cloud died after %lu messages and %lu requests", fuzzer.messages,
                     fuzzer.requests);
    }
    print_message("%u s: %lu MQTT messages, %lu HTTP requests\n", seconds, fuzzer.messages,
                  fuzzer.requests);
    assert_true(fuzzer.messages > 100 && fuzzer.requests > 100);
    stop_fuzzer(&fuzzer);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void never_dies(void **state)
{
    const char *text = getenv("NOBRICK_FUZZ_SECONDS");
    unsigned seconds = text != NULL && atoi(text) > 0 ? (unsigned)atoi(text) : 2;
    (void)state;
    skip_without_broker();
    struct peer peer = start_both("--connection http");
    fuzz(&peer, seconds);
    update_devices(1);
    update_over_http(&peer);
    assert_int_equal(count_events("closed "), 0); /* nobody talked the broker into hanging up */
    assert_int_equal(count_events("connected"), 1);
    stop_peer(&peer);
}

/* Publishing to some topics makes a broker hang up, and that would stop everybody's update. */
static void hostile_topics(void **state)
{
    static const char *const topics[] = {"a\\u0085b", "a\\uFFFF", "a\\uFDD0", "\\uD800", "a\x7f"};
    char text[600];
    (void)state;
    skip_without_broker();
    struct peer peer = start_both("--connection http");
    struct fuzzer fuzzer = {.loop = posix_loop_new()};
    const struct mqtt_port *mqtt = start_fuzzer(&fuzzer);
    while (!fuzzer.ready)
        (void)posix_loop_run(fuzzer.loop, 1);
    for (size_t i = 0; i < COUNT(topics) + 60; i++) {
        char deep[257] = "";
        if (i >= COUNT(topics))
            memset(deep, '/', 195 + i - COUNT(topics));
        int n = snprintf(text, sizeof text,
                         "{\"Message\":\"Request Update\",\"UniqueTopicName\":\"%s\"}",
                         i < COUNT(topics) ? topics[i] : deep);
        assert_int_equal(mqtt->publish(mqtt->context, NOTIFY, text, (size_t)n, 1), OTA_OK);
        (void)posix_loop_run(fuzzer.loop, 2);
    }
    stop_fuzzer(&fuzzer);
    update_devices(1);
    assert_int_equal(count_events("closed "), 0);
    assert_int_equal(count_events("bad UniqueTopicName cannot"), 4 + 60 - 5);
    stop_peer(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_topics),
        cmocka_unit_test(never_dies),
    };
    return cmocka_run_group_tests(tests, cloud_rig_set_up, cloud_rig_tear_down);
}

/* The proxy between a client socket and a server socket of this test, one loop, no threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/faults/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 2000
#define ROOM    (512u * 1024u)

struct stream {
    uint8_t data[ROOM];
    size_t size;
    bool ended;
    bool reset;
};

static struct posix_loop *loop;
static struct nb_proxy *proxy;
static uint16_t proxy_port;
static int listener;
static int server; /* the connection that the real server took last */
static int accepted;
static int client;
static struct stream to_client;
static struct stream to_server;
static char lines[4096]; /* what the proxy reported */

/* ---- sockets ----------------------------------------------------------------------------- */

static void on_line(void *context, const char *line)
{
    size_t used = strlen(lines);
    (void)context;
    snprintf(lines + used, sizeof lines - used, "%s\n", line);
}

static void read_into(struct stream *stream, int fd)
{
    ssize_t got = recv(fd, stream->data + stream->size, ROOM - stream->size, MSG_DONTWAIT);
    if (got > 0) {
        stream->size += (size_t)got;
        return;
    }
    if (got < 0 && errno == EAGAIN)
        return;
    stream->ended = got == 0;
    stream->reset = got < 0 && errno == ECONNRESET;
    posix_loop_unwatch(loop, fd);
}

static void on_client(void *context, int fd)
{
    (void)context;
    read_into(&to_client, fd);
}

static void on_server(void *context, int fd)
{
    (void)context;
    read_into(&to_server, fd);
}

static void on_accept(void *context, int fd)
{
    (void)context;
    server = accept(fd, NULL, NULL);
    accepted++;
    assert_int_equal(posix_loop_watch(loop, server, on_server, NULL), 0);
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Connects the client; errno of the attempt. */
static int dial(void)
{
    struct sockaddr_in address = loopback(proxy_port);
    if (client >= 0) {
        posix_loop_unwatch(loop, client);
        close(client);
    }
    memset(&to_client, 0, sizeof to_client);
    memset(&to_server, 0, sizeof to_server);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(client >= 0);
    if (connect(client, (struct sockaddr *)&address, sizeof address) != 0)
        return errno;
    assert_int_equal(posix_loop_watch(loop, client, on_client, NULL), 0);
    return 0;
}

static void turn(void)
{
    (void)posix_loop_run(loop, 1);
}

/* Runs the loop until `condition` holds; fails when it never does. */
#define until(condition)                                                                           \
    do {                                                                                           \
        uint64_t end = posix_now_ms() + WAIT_MS;                                                   \
        while (!(condition) && posix_now_ms() < end)                                               \
            turn();                                                                                \
        assert_true(condition);                                                                    \
    } while (0)

static void settle(void)
{
    (void)posix_loop_run(loop, 30);
}

static void say(int fd, const void *data, size_t size)
{
    assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* ---- rig --------------------------------------------------------------------------------- */

static void begin(enum nb_fault_talk talk)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    loop = posix_loop_new();
    assert_non_null(loop);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(posix_loop_watch(loop, listener, on_accept, NULL), 0);
    const struct nb_proxy_config config = {.loop = loop,
                                           .name = "server",
                                           .upstream = ntohs(address.sin_port),
                                           .talk = talk,
                                           .chunk_magic = "DATA",
                                           .chunk_header = 8,
                                           .job_path = "/job",
                                           .report = on_line};
    proxy = nb_proxy_new(&config, &proxy_port);
    assert_non_null(proxy);
    client = server = -1;
    accepted = 0;
    lines[0] = '\0';
}

static void end(void)
{
    nb_proxy_free(proxy);
    if (client >= 0)
        close(client);
    if (server >= 0)
        close(server);
    close(listener);
    posix_loop_free(loop);
}

static void meet(void)
{
    int before = accepted;
    assert_int_equal(dial(), 0);
    until(accepted == before + 1);
}

static struct nb_fault fault_of(enum nb_fault_kind kind, enum nb_fault_place place, uint32_t at,
                                uint32_t value)
{
    struct nb_fault fault = {.place = place, .at = at, .value = value};
    nb_fault_complete(&fault, kind);
    return fault;
}

static void arm(enum nb_fault_kind kind, enum nb_fault_place place, uint32_t at, uint32_t value)
{
    const struct nb_fault fault = fault_of(kind, place, at, value);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
}

static void assert_fired(const char *line)
{
    const char *word = "";
    if (nb_proxy_unfired(proxy, &word) != 0 || !strstr(lines, line))
        fail_msg("'%s' not in '%s', unfired: %s", line, lines, word);
}

/* ---- bytes ------------------------------------------------------------------------------- */

static void passes_everything_both_ways(void **state)
{
    static uint8_t much[300000];
    struct nb_proxy_traffic traffic;
    (void)state;
    begin(NB_TALK_BYTES);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 7);
    meet();
    say_text(client, "hello");
    until(to_server.size == 5);
    for (size_t sent = 0; sent < sizeof much; sent += 50000) {
        say(server, much + sent, 50000);
        until(to_client.size == sent + 50000);
    }
    assert_memory_equal(to_client.data, much, sizeof much);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.to_device, sizeof much);
    assert_int_equal(traffic.connections, 1);
    shutdown(client, SHUT_WR);
    until(to_server.ended);
    say_text(server, "bye");
    close(server);
    server = -1;
    until(to_client.ended);
    assert_int_equal(to_client.size, sizeof much + 3);
    assert_string_equal(lines, "");
    end();
}

static void reset_strikes_at_its_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RESET, NB_PLACE_BODY, 4, 0);
    meet();
    say_text(server, "123");
    until(to_client.size == 3);
    say_text(server, "456789");
    until(to_client.reset);
    assert_int_equal(to_client.size, 4);
    assert_fired("fault reset server connection 1, 4 bytes");
    meet();
    say_text(server, "again");
    until(to_client.size == 5); /* only once */
    end();
}

static void half_close_lets_the_device_speak(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_HALF_CLOSE, NB_PLACE_BODY, 2, 0);
    meet();
    say_text(server, "1234");
    until(to_client.ended);
    assert_int_equal(to_client.size, 2);
    say_text(client, "still here");
    until(to_server.size == 10);
    assert_fired("fault half-close");
    end();
}

static void truncate_ends_both_ways(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_TRUNCATE, NB_PLACE_BODY, 3, 0);
    meet();
    say_text(server, "1234");
    until(to_client.ended);
    assert_int_equal(to_client.size, 3);
    say_text(client, "lost");
    settle();
    assert_int_equal(to_server.size, 0);
    assert_fired("fault truncate");
    end();
}

static void stall_keeps_the_connection_and_says_nothing(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_STALL, NB_PLACE_CONNECT, 2, 0);
    meet();
    say_text(server, "one");
    until(to_client.size == 3);
    meet();
    say_text(server, "two");
    say_text(client, "two");
    settle();
    assert_int_equal(to_client.size, 0);
    assert_int_equal(to_server.size, 0);
    assert_false(to_client.ended || to_client.reset);
    assert_fired("fault stall server connection 2");
    meet(); /* the third is served */
    say_text(server, "three");
    until(to_client.size == 5);
    end();
}

static void refuse_closes_the_listener(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    struct nb_fault fault = {.place = NB_PLACE_CONNECT, .at = 2, .times = 2};
    nb_fault_complete(&fault, NB_NET_REFUSE);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    meet();
    until(dial() == ECONNREFUSED);
    nb_proxy_device_gave_up(proxy);
    assert_fired("fault refuse server connection 2");
    assert_int_equal(dial(), ECONNREFUSED);
    nb_proxy_device_gave_up(proxy);
    meet(); /* refused twice, then served */
    end();
}

static void refuse_begins_with_a_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_REFUSE, NB_PLACE_BODY, 3, 0);
    meet();
    say_text(server, "12");
    until(to_client.size == 2);
    meet();
    say_text(server, "3");
    until(to_client.size == 1);
    assert_int_equal(dial(), ECONNREFUSED);
    nb_proxy_device_gave_up(proxy);
    assert_fired("fault refuse server connection 3");
    meet();
    end();
}

static void refuse_lasts_for_a_whole_step(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_REFUSE, NB_PLACE_ANY, 0, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dial(), ECONNREFUSED);
        nb_proxy_device_gave_up(proxy);
    }
    nb_proxy_step(proxy);
    meet();
    end();
}

static void corrupt_flips_one_byte(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_CORRUPT, NB_PLACE_BODY, 5, 0);
    meet();
    say_text(server, "0123456789");
    until(to_client.size == 10);
    assert_memory_equal(to_client.data, "0123446789", 10);
    assert_fired("fault corrupt server byte 5");
    end();
}

static void latency_delays(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_LATENCY, NB_PLACE_ANY, 0, 60);
    meet();
    uint64_t from = posix_now_ms();
    say_text(server, "late");
    until(to_client.size == 4);
    assert_true(posix_now_ms() - from >= 60);
    assert_fired("fault latency 60 ms");
    end();
}

static void rate_limits(void **state)
{
    static uint8_t much[5000];
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RATE, NB_PLACE_ANY, 0, 20000);
    meet();
    uint64_t from = posix_now_ms();
    say(server, much, sizeof much);
    until(to_client.size == sizeof much);
    assert_true(posix_now_ms() - from >= 150); /* 250 ms less what one burst may hold */
    assert_fired("fault rate 20000 B/s");
    end();
}

static void slice_changes_nothing_but_the_pieces(void **state)
{
    static uint8_t much[20000];
    (void)state;
    begin(NB_TALK_BYTES);
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 13);
    arm(NB_NET_SLICE, NB_PLACE_ANY, 0, 1);
    meet();
    say(server, much, sizeof much);
    until(to_client.size > 0);
    assert_in_range(to_client.size, 1, sizeof much - 1);
    until(to_client.size == sizeof much);
    assert_memory_equal(to_client.data, much, sizeof much);
    assert_fired("fault slice 1 bytes");
    end();
}

static void a_step_forgets_what_was_armed(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    arm(NB_NET_RESET, NB_PLACE_BODY, 2, 0);
    nb_proxy_step(proxy);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 0);
    meet();
    say_text(server, "12345");
    until(to_client.size == 5);
    end();
}

static void bytes_know_no_packets(void **state)
{
    (void)state;
    begin(NB_TALK_BYTES);
    const struct nb_fault mqtt = fault_of(NB_MQTT_DROP_PUBACK, NB_PLACE_ANY, 0, 0);
    const struct nb_fault http = fault_of(NB_HTTP_STATUS, NB_PLACE_ANY, 0, 404);
    assert_int_equal(nb_proxy_arm(proxy, &mqtt), OTA_E_UNSUPPORTED);
    assert_int_equal(nb_proxy_arm(proxy, &http), OTA_E_UNSUPPORTED);
    end();
}

/* ---- MQTT -------------------------------------------------------------------------------- */

static const uint8_t connect_packet[] = {0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4,  2,
                                         0,    60, 0, 5, 'd', 'e', 'v', '-', '1'};
static const uint8_t connack[] = {0x20, 2, 0, 0};
static const uint8_t puback[] = {0x40, 2, 0, 7};
static const uint8_t pingresp[] = {0xD0, 0};
/* QoS 1, topic "t", id 9, payload: magic, four more bytes of header, six of data */
static const uint8_t publish[] = {0x32, 19, 0, 1, 't', 0,   9,   'D', 'A', 'T', 'A',
                                  1,    2,  3, 4, 'a', 'b', 'c', 'd', 'e', 'f'};

static void mqtt_session(void)
{
    meet();
    say(client, connect_packet, sizeof connect_packet);
    until(to_server.size == sizeof connect_packet);
}

static void mqtt_packets_are_dropped_and_doubled(void **state)
{
    static const struct {
        enum nb_fault_kind kind;
        const uint8_t *packet;
        size_t size;
        size_t copies[3]; /* of the first, second, third */
    } cases[] = {
        {NB_MQTT_DROP_PUBACK, puback, sizeof puback, {1, 0, 1}},
        {NB_MQTT_DOUBLE_PUBACK, puback, sizeof puback, {1, 2, 1}},
        {NB_MQTT_DROP_PUBLISH, publish, sizeof publish, {1, 0, 1}},
        {NB_MQTT_DOUBLE_PUBLISH, publish, sizeof publish, {1, 2, 1}},
        {NB_MQTT_NO_CONNACK, connack, sizeof connack, {1, 0, 1}},
        {NB_MQTT_NO_PINGRESP, pingresp, sizeof pingresp, {1, 0, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_MQTT);
        arm(cases[i].kind, NB_PLACE_ANY, 0, 2);
        mqtt_session();
        size_t expected = 0;
        for (int n = 0; n < 3; n++) {
            say(server, cases[i].packet, cases[i].size);
            say(server, "\xB0\x02\x00\x01", 4); /* something else, to know when it is through */
            expected += cases[i].copies[n] * cases[i].size + 4;
            until(to_client.size == expected);
        }
        assert_fired("packet 2");
        end();
    }
}

static void mqtt_counts_data_only(void **state)
{
    struct nb_proxy_traffic traffic;
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_NET_CORRUPT, NB_PLACE_BODY, 8, 0);
    mqtt_session();
    say(server, connack, sizeof connack);
    say(server, publish, sizeof publish);
    say(server, publish, 5); /* in two pieces */
    settle();
    say(server, publish + 5, sizeof publish - 5);
    until(to_client.size == 4 + 2 * sizeof publish);
    nb_proxy_traffic(proxy, &traffic);
    assert_int_equal(traffic.data, 12);
    assert_memory_equal(to_client.data + 4, publish, sizeof publish);
    assert_int_equal(to_client.data[4 + 2 * sizeof publish - 4], 'c' ^ 1);
    assert_fired("byte 8");
    end();
}

static void mqtt_take_over_comes_with_the_same_name(void **state)
{
    (void)state;
    begin(NB_TALK_MQTT);
    arm(NB_MQTT_TAKE_OVER, NB_PLACE_BODY, 3, 0);
    mqtt_session();
    memset(&to_server, 0, sizeof to_server);
    say(server, publish, sizeof publish);
    until(accepted == 2);
    until(to_server.size == sizeof connect_packet);
    assert_memory_equal(to_server.data, connect_packet, sizeof connect_packet);
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1); /* not before the broker took it */
    say(server, connack, sizeof connack);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    assert_fired("fault take-over");
    end();
}

static void nonsense_on_mqtt_goes_through(void **state)
{
    static const uint8_t nonsense[] = {0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2};
    (void)state;
    begin(NB_TALK_MQTT);
    meet();
    say(server, nonsense, sizeof nonsense);
    until(to_client.size == sizeof nonsense);
    say(server, puback, sizeof puback);
    until(to_client.size == sizeof nonsense + sizeof puback);
    end();
}

/* ---- HTTP -------------------------------------------------------------------------------- */

#define GET      "GET /image HTTP/1.1\r\nHost: a\r\nRange: bytes=8-15\r\nIf-Range: \"x\"\r\n\r\n"
#define GET_JOB  "GET /job HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD_206 "HTTP/1.1 206 Partial Content\r\n"
#define RANGE    "Content-Range: bytes 8-15/100\r\n"
#define ETAG     "ETag: \"x\"\r\n"
#define LENGTH   "Content-Length: 8\r\n"
#define BODY     "abcdefgh"
#define REPLY    HEAD_206 RANGE ETAG LENGTH "\r\n" BODY

static void assert_client_got(const char *text)
{
    to_client.data[to_client.size] = '\0';
    assert_string_equal((const char *)to_client.data, text);
}

static void http_replies_are_made_wrong(void **state)
{
    static const struct {
        enum nb_fault_kind kind;
        const char *got;
        bool closed;
    } cases[] = {
        {NB_HTTP_WRONG_LENGTH, HEAD_206 RANGE ETAG "Content-Length: 72\r\n\r\n" BODY, true},
        {NB_HTTP_SHORT_BODY, HEAD_206 RANGE ETAG "Content-Length: 4\r\n\r\nabcd", false},
        {NB_HTTP_NO_LENGTH, HEAD_206 RANGE ETAG "Connection: close\r\n\r\nabcd", true},
        {NB_HTTP_WRONG_TOTAL, HEAD_206 ETAG LENGTH "Content-Range: bytes 8-15/4196\r\n\r\n" BODY,
         false},
        {NB_HTTP_STAR_TOTAL, HEAD_206 ETAG LENGTH "Content-Range: bytes 8-15/*\r\n\r\n" BODY,
         false},
        {NB_HTTP_NO_RANGE, HEAD_206 ETAG LENGTH "\r\n" BODY, false},
        {NB_HTTP_CHUNKED,
         HEAD_206 RANGE ETAG "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n\r\n", false},
        {NB_HTTP_BROKEN_CHUNKS,
         HEAD_206 RANGE ETAG "Transfer-Encoding: chunked\r\n\r\nzz8\r\n" BODY "\r\n0\r\n\r\n",
         true},
        {NB_HTTP_EMPTY, HEAD_206 RANGE ETAG "Content-Length: 0\r\n\r\n", false},
        {NB_HTTP_ETAG_CHANGE, HEAD_206 RANGE LENGTH "ETag: \"another-image\"\r\n\r\n" BODY, false},
        {NB_HTTP_OTHER_IMAGE, HEAD_206 RANGE LENGTH "ETag: \"another-image\"\r\n\r\n`cbedgfi",
         false},
        {NB_HTTP_CLOSE, HEAD_206 RANGE ETAG LENGTH "Connection: close\r\n\r\n" BODY, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_HTTP);
        arm(cases[i].kind, NB_PLACE_ANY, 0, 0);
        meet();
        say_text(client, GET);
        until(to_server.size > 0);
        say_text(server, REPLY);
        until(to_client.size >= strlen(cases[i].got));
        settle();
        assert_client_got(cases[i].got);
        assert_int_equal(to_client.ended, cases[i].closed);
        assert_fired("/image");
        end();
    }
}

static void http_long_headers_are_long(void **state)
{
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_LONG_HEADERS, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(client, GET);
    until(to_server.size > 0);
    say_text(server, REPLY);
    until(to_client.size > 2500);
    settle();
    assert_memory_equal(to_client.data + to_client.size - 12, "\r\n\r\n" BODY, 12);
    end();
}

static void http_answers_in_place_of_the_server(void **state)
{
    static const char raw[] = "HTTP/1.0 200\\r\\n\\r\\na\\\\b\\0c";
    char redirect[120];
    snprintf(redirect, sizeof redirect, "%s", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:");
    const struct {
        enum nb_fault_kind kind;
        const char *begins;
    } cases[] = {
        {NB_HTTP_STATUS, "HTTP/1.1 503 Canned\r\nContent-Length: 0\r\n\r\n"},
        {NB_HTTP_REDIRECT, redirect},
        {NB_HTTP_REDIRECT_RELATIVE, "HTTP/1.1 302 Found\r\nLocation: /image\r\n"},
        {NB_HTTP_REDIRECT_NOWHERE, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"},
        {NB_HTTP_RAW, "HTTP/1.0 200\r\n\r\na\\b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(NB_TALK_HTTP);
        struct nb_fault fault = fault_of(cases[i].kind, NB_PLACE_ANY, 0, 503);
        fault.text = raw;
        assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
        meet();
        say_text(client, GET);
        until(to_client.size >= strlen(cases[i].begins));
        settle();
        assert_memory_equal(to_client.data, cases[i].begins, strlen(cases[i].begins));
        assert_int_equal(to_server.size, 0);
        assert_int_equal(to_client.ended, cases[i].kind == NB_HTTP_RAW);
        if (cases[i].kind == NB_HTTP_RAW)
            assert_memory_equal(to_client.data + to_client.size - 2, "\0c", 2);
        end();
    }
}

static void http_fault_meets_its_phase_and_place_only(void **state)
{
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_STATUS, NB_PLACE_BODY, 10, 404);
    meet();
    say_text(client, GET_JOB);
    until(to_server.size == strlen(GET_JOB));
    say_text(server, REPLY); /* a job is no data */
    until(to_client.size == strlen(REPLY));
    for (int i = 1; i <= 2; i++) { /* 8 bytes, 16 bytes */
        say_text(client, GET);
        until(to_server.size == strlen(GET_JOB) + (size_t)i * strlen(GET));
        say_text(server, REPLY);
        until(to_client.size == (size_t)(i + 1) * strlen(REPLY));
    }
    assert_int_equal(nb_proxy_unfired(proxy, NULL), 1);
    say_text(client, GET);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    until(to_client.size > 3 * strlen(REPLY));
    assert_memory_equal(to_client.data + 3 * strlen(REPLY), "HTTP/1.1 404", 12);
    end();
}

static void http_range_is_taken_out_of_the_request(void **state)
{
    static const char without[] = "GET /image HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_IGNORE_RANGE, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(client, GET);
    until(to_server.size == strlen(without));
    assert_memory_equal(to_server.data, without, strlen(without));
    assert_fired("fault ignore-range /image");
    end();
}

static void http_changed_image_has_no_ranges_of_the_old_one(void **state)
{
    static const char request[] = "GET /image HTTP/1.1\r\nRange: bytes=8-15\r\n";
    static const char old[] = "If-Range: \"x\"\r\n\r\n";
    static const char new[] = "If-Range: \"another-image\"\r\n\r\n";
    static const char whole[] = "GET /image HTTP/1.1\r\n\r\n";
    char text[200];
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_ETAG_CHANGE, NB_PLACE_ANY, 0, 0);
    meet();
    snprintf(text, sizeof text, "%s%s", request, old);
    say_text(client, text);
    until(to_server.size == strlen(whole));
    assert_memory_equal(to_server.data, whole, strlen(whole));
    say_text(server, REPLY);
    until(to_client.size > strlen(REPLY));
    snprintf(text, sizeof text, "%s%s", request, new);
    say_text(client, text);
    until(to_server.size == strlen(whole) + strlen(request) + 2);
    assert_memory_equal(to_server.data + strlen(whole), request, strlen(request));
    end();
}

static void http_other_range_is_asked_for(void **state)
{
    static const char other[] = "GET /image HTTP/1.1\r\nHost: a\r\nIf-Range: \"x\"\r\n"
                                "Range: bytes=72-79\r\n\r\n";
    (void)state;
    begin(NB_TALK_HTTP);
    arm(NB_HTTP_WRONG_RANGE, NB_PLACE_ANY, 0, 0);
    meet();
    say_text(client, GET);
    until(to_server.size == strlen(other));
    assert_memory_equal(to_server.data, other, strlen(other));
    assert_fired("fault wrong-range /image");
    end();
}

static void http_post_is_the_result(void **state)
{
    static const char post[] = "POST /image HTTP/1.1\r\nContent-Length: 4\r\n\r\n1234";
    (void)state;
    begin(NB_TALK_HTTP);
    struct nb_fault fault = {.value = 405, .phase = NB_PHASE_RESULT};
    nb_fault_complete(&fault, NB_HTTP_STATUS);
    assert_int_equal(nb_proxy_arm(proxy, &fault), 0);
    meet();
    say_text(client, GET); /* none of its business */
    until(to_server.size == strlen(GET));
    say_text(server, REPLY);
    until(to_client.size == strlen(REPLY));
    say_text(client, post);
    until(nb_proxy_unfired(proxy, NULL) == 0);
    say_text(client, post); /* the second one is the server's */
    until(to_server.size == strlen(GET) + strlen(post));
    assert_memory_equal(to_server.data + strlen(GET), post, strlen(post));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_everything_both_ways),
        cmocka_unit_test(reset_strikes_at_its_byte),
        cmocka_unit_test(half_close_lets_the_device_speak),
        cmocka_unit_test(truncate_ends_both_ways),
        cmocka_unit_test(stall_keeps_the_connection_and_says_nothing),
        cmocka_unit_test(refuse_closes_the_listener),
        cmocka_unit_test(refuse_begins_with_a_byte),
        cmocka_unit_test(refuse_lasts_for_a_whole_step),
        cmocka_unit_test(corrupt_flips_one_byte),
        cmocka_unit_test(latency_delays),
        cmocka_unit_test(rate_limits),
        cmocka_unit_test(slice_changes_nothing_but_the_pieces),
        cmocka_unit_test(a_step_forgets_what_was_armed),
        cmocka_unit_test(bytes_know_no_packets),
        cmocka_unit_test(mqtt_packets_are_dropped_and_doubled),
        cmocka_unit_test(mqtt_counts_data_only),
        cmocka_unit_test(mqtt_take_over_comes_with_the_same_name),
        cmocka_unit_test(nonsense_on_mqtt_goes_through),
        cmocka_unit_test(http_replies_are_made_wrong),
        cmocka_unit_test(http_long_headers_are_long),
        cmocka_unit_test(http_answers_in_place_of_the_server),
        cmocka_unit_test(http_fault_meets_its_phase_and_place_only),
        cmocka_unit_test(http_range_is_taken_out_of_the_request),
        cmocka_unit_test(http_changed_image_has_no_ranges_of_the_old_one),
        cmocka_unit_test(http_other_range_is_asked_for),
        cmocka_unit_test(http_post_is_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

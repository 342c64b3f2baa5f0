/* The cloud side over HTTP, on the servers of both worlds. */
#include "harness/peers/anycloud_http.h"
#include "harness/peers/line_rig.h"

#define IMAGE_SIZE 10000u
#define WAIT_MS    3000u

struct bench {
    struct rig rig;
    struct anycloud_http *http;
    uint8_t image[IMAGE_SIZE];
    struct anycloud_offer offer;
    struct line line; /* the client's */
    char lines[8192];
    unsigned moves; /* of the image to another path */
    /* the last answer */
    unsigned status;
    char head[2048];
    uint8_t body[2 * IMAGE_SIZE];
    size_t body_size;
};

static void on_line(void *context, const char *line)
{
    struct bench *bench = context;
    size_t used = strlen(bench->lines);
    snprintf(bench->lines + used, sizeof bench->lines - used, "%s\n", line);
}

/* ---- a client of raw bytes --------------------------------------------------------------- */

static void hang_up(struct bench *bench)
{
    line_close(&bench->line);
}

static void send_bytes(struct bench *bench, const void *data, size_t size)
{
    if (!bench->line.open)
        line_open(&bench->line, &bench->rig);
    line_send(&bench->line, data, size);
}

/* The value of a header of the last answer; "" when it has none. Static. */
static const char *header(const struct bench *bench, const char *name)
{
    static char value[256];
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(bench->head, line);
    if (at == NULL)
        return "";
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(line), "\r"), at + strlen(line));
    return value;
}

/* Lets the server work until an answer is complete. false: none came, or the line was closed. */
static bool receive(struct bench *bench, bool head_only)
{
    static char buffer[4 * IMAGE_SIZE];
    size_t used = 0;
    char *end = NULL;
    uint64_t until = rig_now(&bench->rig) + WAIT_MS;
    size_t wanted = sizeof buffer;
    while (used < wanted && rig_now(&bench->rig) < until) {
        ssize_t n = line_receive(&bench->line, buffer + used, sizeof buffer - 1 - used);
        if (n == 0)
            return false;
        if (n < 0)
            continue;
        used += (size_t)n;
        buffer[used] = '\0';
        if (end != NULL || (end = strstr(buffer, "\r\n\r\n")) == NULL)
            continue;
        end += 4;
        snprintf(bench->head, sizeof bench->head, "%.*s", (int)(end - buffer), buffer);
        assert_int_equal(sscanf(bench->head, "HTTP/1.1 %u", &bench->status), 1);
        size_t length = strtoul(header(bench, "Content-Length"), NULL, 10);
        wanted = (size_t)(end - buffer) + (head_only ? 0 : length);
    }
    if (end == NULL || used < wanted)
        return false;
    assert_int_equal(used, wanted);
    bench->body_size = wanted - (size_t)(end - buffer);
    memcpy(bench->body, end, bench->body_size);
    bench->body[bench->body_size] = '\0';
    return true;
}

/* Sends "METHOD PATH HTTP/1.1" with these headers (each ends with \r\n) on the present line. */
static void ask(struct bench *bench, const char *what, const char *headers)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: cloud.example:8080\r\n%s\r\n", what,
                     headers);
    bench->lines[0] = '\0';
    send_bytes(bench, text, (size_t)n);
    assert_true(receive(bench, strncmp(what, "HEAD ", 5) == 0));
    assert_true(strlen(bench->head) < 500);
}

static void on_moved(void *context)
{
    struct bench *bench = context;
    bench->moves++;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    rig_open(&bench->rig, *state != NULL);
    const struct anycloud_http_config config = {
        .board = "CY8CPROTO_062_4343W", .moved = on_moved, .moved_context = bench};
    bench->http = anycloud_http_new(bench->rig.peer, &config, on_line, bench);
    assert_non_null(bench->http);
    for (size_t i = 0; i < IMAGE_SIZE; i++)
        bench->image[i] = (uint8_t)(i * 31 + i / 251);
    bench->offer = (struct anycloud_offer){.image = bench->image,
                                           .size = IMAGE_SIZE,
                                           .version = {2, 0, 0, 0},
                                           .connection = ANYCLOUD_OVER_HTTP,
                                           .host = "127.0.0.1",
                                           .port = 8080,
                                           .file = "/ota-update.bin"};
    assert_int_equal(anycloud_http_offer(bench->http, &bench->offer), OTA_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    hang_up(bench);
    anycloud_http_free(bench->http);
    rig_shut(&bench->rig);
    free(bench);
    return 0;
}

static void expect_image(const struct bench *bench, uint32_t from, uint32_t size)
{
    assert_int_equal(bench->body_size, size);
    assert_memory_equal(bench->body, bench->image + from, size);
}

/* ---- the interface ----------------------------------------------------------------------- */

/* Requests as devices in the field send them. */
#define DEVICE_HEADERS "User-Agent: anycloud-http-client\r\nAccept-Ranges: bytes\r\n"

static void job_document(void **state)
{
    static const char *const job =
        "{\"Message\": \"Update Available\", \"Manufacturer\": \"Express Widgits Corporation\", "
        "\"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "
        "\"SerialNumber\": \"ABC213450001\", \"Board\": \"CY8CPROTO_062_4343W\", "
        "\"Version\": \"2.0.0\", \"Connection\": \"HTTP\", \"Server\": \"127.0.0.1\", "
        "\"Port\": \"8080\", \"File\": \"/ota-update.bin\"}";
    struct bench *bench = *state;
    char expected[64];
    ask(bench, "GET /ota_update.json", DEVICE_HEADERS "Range: bytes=0-\r\n");
    assert_int_equal(bench->status, 206);
    assert_string_equal((char *)bench->body, job);
    snprintf(expected, sizeof expected, "bytes 0-%zu/%zu", strlen(job) - 1, strlen(job));
    assert_string_equal(header(bench, "Content-Range"), expected);
    snprintf(expected, sizeof expected, "http get /ota_update.json 0-%zu 206\n", strlen(job) - 1);
    assert_string_equal(bench->lines, expected);
    ask(bench, "GET /ota_update.json", "");
    assert_int_equal(bench->status, 200);
    assert_string_equal((char *)bench->body, job);
    assert_string_equal(header(bench, "Content-Range"), "");
    assert_string_equal(bench->lines, "http get /ota_update.json whole 200\n");
}

static void image_by_ranges(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *range;
        unsigned status;
        uint32_t from, size;
        const char *content_range, *shown;
    } rows[] = {
        {"bytes=0-4095", 206, 0, 4096, "bytes 0-4095/10000", "0-4095"},
        {"bytes=4096-8191", 206, 4096, 4096, "bytes 4096-8191/10000", "4096-8191"},
        {"bytes=8192-12287", 206, 8192, 1808, "bytes 8192-9999/10000", "8192-9999"},
        {"bytes=9999-", 206, 9999, 1, "bytes 9999-9999/10000", "9999-9999"},
        {"bytes=-10", 206, 9990, 10, "bytes 9990-9999/10000", "9990-9999"},
        {"bytes=10000-", 416, 0, 0, "bytes */10000", "10000-"},
        {"bytes=20000-20001", 416, 0, 0, "bytes */10000", "20000-20001"},
        {"bytes=2-1", 200, 0, IMAGE_SIZE, "", "whole"},
        {"bytes=0-1,3-4", 200, 0, IMAGE_SIZE, "", "whole"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, DEVICE_HEADERS "Range: %s\r\n", rows[i].range);
        ask(bench, "GET /ota-update.bin", text);
        assert_int_equal(bench->status, rows[i].status);
        expect_image(bench, rows[i].from, rows[i].size);
        assert_string_equal(header(bench, "Content-Range"), rows[i].content_range);
        snprintf(text, sizeof text, "http get /ota-update.bin %s %u\n", rows[i].shown,
                 rows[i].status);
        assert_string_equal(bench->lines, text);
    } /* all on one connection: it is kept */
    ask(bench, "GET /ota-update.bin", "");
    assert_int_equal(bench->status, 200);
    expect_image(bench, 0, IMAGE_SIZE);
    assert_string_equal(bench->lines, "http get /ota-update.bin whole 200\n");
    ask(bench, "HEAD /ota-update.bin", "");
    assert_int_equal(bench->status, 200);
    assert_string_equal(header(bench, "Content-Length"), "10000");
    assert_string_equal(bench->lines, "http head /ota-update.bin whole 200\n");
}

static void if_range(void **state)
{
    struct bench *bench = *state;
    char etag[64];
    char text[200];
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    snprintf(etag, sizeof etag, "%s", header(bench, "ETag"));
    assert_int_equal(etag[0], '"'); /* strong */
    snprintf(text, sizeof text, "Range: bytes=10-19\r\nIf-Range: %s\r\n", etag);
    ask(bench, "GET /ota-update.bin", text);
    assert_int_equal(bench->status, 206);
    expect_image(bench, 10, 10);
    bench->image[5000] ^= 1; /* another image: another tag */
    assert_int_equal(anycloud_http_offer(bench->http, &bench->offer), OTA_OK);
    ask(bench, "GET /ota-update.bin", text);
    assert_int_equal(bench->status, 200);
    expect_image(bench, 0, IMAGE_SIZE);
    assert_string_not_equal(header(bench, "ETag"), etag);
    ask(bench, "GET /ota-update.bin", "Range: bytes=10-19\r\nIf-Range: W/\"x\"\r\n");
    assert_int_equal(bench->status, 200);
}

static void results(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *headers, *body;
        unsigned status;
        const char *line;
    } rows[] = {
        {DEVICE_HEADERS "Content-Type: application/json\r\nRange: bytes=0-\r\n", "", 200,
         "http post /ota-update.bin empty\n"}, /* neither body nor length: the original */
        {"Content-Length: 0\r\n", "", 200, "http post /ota-update.bin empty\n"},
        {"Content-Length: 48\r\n", "{\"Message\":\"Success\", \"File\":\"/ota-update.bin\" }", 200,
         "http post /ota-update.bin success\n"},
        {"Content-Length: 48\r\n", "{\"Message\":\"Failure\", \"File\":\"/ota-update.bin\" }", 200,
         "http post /ota-update.bin failure\n"},
        {"Transfer-Encoding: chunked\r\n", "15\r\n{\"Message\":\"Success\"}\r\n0\r\n\r\n", 200,
         "http post /ota-update.bin success\n"},
        {"Content-Length: 4\r\n", "nope", 400, "bad http result is not understood\n"},
        {"Content-Length: 15\r\n", "{\"Message\":\"x\"}", 400,
         "bad http result is not understood\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        int n = snprintf(text, sizeof text, "POST /ota-update.bin HTTP/1.1\r\nHost: x\r\n%s\r\n%s",
                         rows[i].headers, rows[i].body);
        bench->lines[0] = '\0';
        send_bytes(bench, text, (size_t)n);
        assert_true(receive(bench, false));
        assert_string_equal(bench->lines, rows[i].line);
        assert_int_equal(bench->status, rows[i].status);
    }
    char *large = calloc(1, 200000);
    assert_non_null(large);
    int n = sprintf(large, "POST /ota-update.bin HTTP/1.1\r\nHost: x\r\n"
                           "Content-Length: 100000\r\n\r\n");
    bench->lines[0] = '\0';
    send_bytes(bench, large, (size_t)n + 100000);
    assert_true(receive(bench, false));
    assert_int_equal(bench->status, 413);
    free(large);
    ask(bench, "POST /ota_update.json", ""); /* the image came by MQTT: there is no other path */
    assert_int_equal(bench->status, 200);
    assert_string_equal(bench->lines, "http post /ota_update.json empty\n");
    ask(bench, "POST /elsewhere", "");
    assert_int_equal(bench->status, 404);
    assert_string_equal(bench->lines, "bad http result for /elsewhere\n");
}

static void other_paths_and_methods(void **state)
{
    struct bench *bench = *state;
    ask(bench, "GET /../etc/passwd", "");
    assert_int_equal(bench->status, 404);
    assert_string_equal(bench->lines, "http get /../etc/passwd whole 404\n");
    ask(bench, "GET /a%0ab%ffc", "Range: bytes=5-9\r\n");
    assert_int_equal(bench->status, 404);
    assert_string_equal(bench->lines, "http get /a?b?c 5-9 404\n");
    ask(bench, "DELETE /ota-update.bin", "");
    assert_int_equal(bench->status, 405);
    hang_up(bench);
    bench->offer.image = NULL;
    assert_int_equal(anycloud_http_offer(bench->http, &bench->offer), OTA_OK);
    ask(bench, "GET /ota-update.bin", "");
    assert_int_equal(bench->status, 404);
    ask(bench, "GET /ota_update.json", "Range: bytes=0-\r\n");
    assert_string_equal((char *)bench->body, ANYCLOUD_NO_UPDATE);
}

/* ---- faults ------------------------------------------------------------------------------ */

static void arm(struct bench *bench, struct anycloud_http_fault fault)
{
    fault.count = fault.count != 0 ? fault.count : 1;
    assert_int_equal(anycloud_http_fault(bench->http, &fault), OTA_OK);
}

static void status_faults(void **state)
{
    struct bench *bench = *state;
    arm(bench,
        (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_STATUS, .argument = 503, .count = 2});
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_STATUS,
                                            .target = ANYCLOUD_HTTP_IMAGE,
                                            .argument = 416,
                                            .from = 4096});
    arm(bench, (struct anycloud_http_fault){
                   .kind = ANYCLOUD_HTTP_STATUS, .target = ANYCLOUD_HTTP_RESULT, .argument = 405});
    assert_int_equal(anycloud_http_unfired(bench->http), 3);
    ask(bench, "GET /ota_update.json", "Range: bytes=0-\r\n");
    assert_int_equal(bench->status, 503);
    assert_string_equal(bench->lines, "fault http-status 503\nhttp get /ota_update.json 0- 503\n");
    ask(bench, "GET /ota-update.bin", "");
    assert_int_equal(bench->status, 503);
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-4095\r\n");
    assert_int_equal(bench->status, 206);
    ask(bench, "GET /ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 416);
    assert_string_equal(header(bench, "Content-Range"), "bytes */10000");
    ask(bench, "GET /ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 206);
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    ask(bench, "POST /ota-update.bin", "");
    assert_int_equal(bench->status, 405);
    assert_int_equal(anycloud_http_unfired(bench->http), 0);
}

static void a_link_that_expires(void **state)
{
    struct bench *bench = *state;
    char file[64];
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_EXPIRE,
                                            .target = ANYCLOUD_HTTP_IMAGE,
                                            .argument = 403,
                                            .from = 4096});
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-4095\r\n");
    assert_int_equal(bench->status, 206);
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    ask(bench, "GET /ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 403);
    assert_int_equal(bench->moves, 1);
    assert_int_equal(anycloud_http_unfired(bench->http), 0);
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-4095\r\n"); /* for good */
    assert_int_equal(bench->status, 403);
    ask(bench, "GET /token-2/ota-update.bin", ""); /* nobody was given that */
    assert_int_equal(bench->status, 404);
    anycloud_http_file(bench->http, file, sizeof file);
    assert_string_equal(file, "/token-1/ota-update.bin");
    ask(bench, "GET /ota_update.json", "Range: bytes=0-\r\n");
    assert_non_null(strstr((char *)bench->body, "\"/token-1/ota-update.bin\""));
    ask(bench, "GET /token-1/ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 206);
    ask(bench, "POST /token-1/ota-update.bin", "");
    assert_int_equal(bench->status, 200);
    assert_int_equal(bench->moves, 1);
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_EXPIRE,
                                            .target = ANYCLOUD_HTTP_IMAGE,
                                            .argument = 410,
                                            .count = ANYCLOUD_HTTP_ALWAYS});
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    ask(bench, "GET /token-1/ota-update.bin", "");
    assert_int_equal(bench->status, 410);
    ask(bench, "GET /token-2/ota-update.bin", "");
    assert_int_equal(bench->status, 410);
    assert_int_equal(anycloud_http_unfired(bench->http), 0);
    anycloud_http_disarm(bench->http);
    ask(bench, "GET /token-3/ota-update.bin", "");
    assert_int_equal(bench->status, 200);
}

static void range_and_etag_faults(void **state)
{
    struct bench *bench = *state;
    char etag[64];
    char text[200];
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_IGNORE_RANGE});
    ask(bench, "GET /ota-update.bin", ""); /* nothing to ignore */
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    ask(bench, "GET /ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 200);
    expect_image(bench, 0, IMAGE_SIZE);
    assert_string_equal(bench->lines,
                        "fault http-ignore-range 0\nhttp get /ota-update.bin whole 200\n");
    ask(bench, "GET /ota-update.bin", "Range: bytes=4096-8191\r\n");
    assert_int_equal(bench->status, 206);
    snprintf(etag, sizeof etag, "%s", header(bench, "ETag"));
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_ETAG_CHANGE});
    ask(bench, "GET /ota_update.json", "");
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    snprintf(text, sizeof text, "Range: bytes=8192-\r\nIf-Range: %s\r\n", etag);
    ask(bench, "GET /ota-update.bin", text);
    assert_int_equal(bench->status, 200);
    assert_string_not_equal(header(bench, "ETag"), etag);
    snprintf(etag, sizeof etag, "%s", header(bench, "ETag"));
    ask(bench, "GET /ota-update.bin", "Range: bytes=8192-\r\n"); /* it stays changed */
    assert_string_equal(header(bench, "ETag"), etag);
    assert_int_equal(anycloud_http_unfired(bench->http), 0);
}

static void redirect_faults(void **state)
{
    struct bench *bench = *state;
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_REDIRECT});
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    assert_int_equal(bench->status, 302);
    assert_string_equal(header(bench, "Location"), "/moved/ota-update.bin");
    ask(bench, "GET /moved/ota-update.bin", "Range: bytes=0-9\r\n");
    assert_int_equal(bench->status, 206);
    expect_image(bench, 0, 10);
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_REDIRECT_ABSOLUTE});
    ask(bench, "GET /ota_update.json", "");
    assert_string_equal(header(bench, "Location"),
                        "http://cloud.example:8080/moved/ota_update.json");
    ask(bench, "GET /moved/ota_update.json", "");
    assert_int_equal(bench->status, 200);
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_REDIRECT,
                                            .location = "http://127.0.0.1:9/x"});
    ask(bench, "POST /ota-update.bin", "");
    assert_int_equal(bench->status, 307);
    assert_string_equal(header(bench, "Location"), "http://127.0.0.1:9/x");
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_REDIRECT_LOOP});
    ask(bench, "GET /ota-update.bin", "");
    assert_string_equal(header(bench, "Location"), "/loop/ota-update.bin");
    for (int i = 0; i < 3; i++) {
        ask(bench, "GET /loop/ota-update.bin", "");
        assert_int_equal(bench->status, 302);
        assert_string_equal(header(bench, "Location"), "/loop/ota-update.bin");
    }
}

static void slow_fault(void **state)
{
    struct bench *bench = *state;
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_SLOW, .argument = 150});
    uint64_t start = rig_now(&bench->rig);
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    assert_true(rig_now(&bench->rig) - start >= 150);
    expect_image(bench, 0, 10);
    start = rig_now(&bench->rig);
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    assert_true(rig_now(&bench->rig) - start < 150);
    /* a request is delayed by one fault only */
    arm(bench,
        (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_SLOW, .argument = 20, .count = 2});
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    assert_int_equal(anycloud_http_unfired(bench->http), 1);
    ask(bench, "GET /ota-update.bin", "Range: bytes=0-9\r\n");
    /* one that is still waiting does not stand in the way of the end */
    arm(bench, (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_SLOW, .argument = 60000});
    send_bytes(bench, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    rig_run(&bench->rig, 50);
    assert_int_equal(anycloud_http_unfired(bench->http), 0);
}

static void refuses_bad_faults(void **state)
{
    struct bench *bench = *state;
    struct anycloud_http_fault fault = {.kind = ANYCLOUD_HTTP_STATUS, .argument = 99, .count = 1};
    assert_int_equal(anycloud_http_fault(bench->http, &fault), OTA_E_ARGUMENT);
    fault = (struct anycloud_http_fault){.kind = ANYCLOUD_HTTP_FAULTS, .count = 1};
    assert_int_equal(anycloud_http_fault(bench->http, &fault), OTA_E_ARGUMENT);
}

/* ---- what nobody should send ------------------------------------------------------------- */

static void survives(void **state)
{
    static const struct {
        const char *text;
        size_t length; /* 0: to the NUL */
    } rows[] = {
        {"\r\n\r\n\r\n", 0},
        {"GET\r\n\r\n", 0},
        {"GET /\r\n\r\n", 0},
        {"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 0},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11}, /* TLS to a plain port */
        {"\x10\x10\0\4MQTT\4\2\0\x3c\0\4nobr", 18},           /* MQTT to it */
        {"GET /ota-update.bin HTTP/1.1\r\n\r\n", 0},          /* no Host */
        {"GET /ota-update.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=", 0},
        {"GET /ota-update.bin HTTP/1.1\r\nHost: x\r\n:\r\n: :\r\n\r\n", 0},
        {"GET /%00%zz% HTTP/1.1\r\nHost: x\r\n\r\n", 0},
        {"GET http://x/ota-update.bin HTTP/1.1\r\nHost: x\r\n\r\n", 0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
         0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
         "Content-Length: 5\r\n\r\nffffffffffffffff\r\n",
         0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"Mess", 0},
        {"POST /ota-update.bin HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
         "Content-Length: 3\r\n\r\n",
         0},
        {"GET /ota-update.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /ota-update.bin HTTP/1.1\r\n\0\0\0",
         0},
        {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 0},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 0},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length = rows[i].length != 0 ? rows[i].length : strlen(rows[i].text);
        send_bytes(bench, rows[i].text, length);
        rig_run(&bench->rig, 5);
        hang_up(bench);
        rig_run(&bench->rig, 1);
        image_by_ranges(state); /* and it still works */
        hang_up(bench);
    }
    char *large = malloc(100000);
    assert_non_null(large);
    memset(large, 'A', 100000);
    memcpy(large, "GET /", 5);
    send_bytes(bench, large, 100000);
    rig_run(&bench->rig, 20);
    hang_up(bench);
    free(large);
    image_by_ranges(state);
}

static void more_clients_than_connections(void **state)
{
    struct bench *bench = *state;
    struct line lines[80];
    for (size_t i = 0; i < 80; i++) {
        line_open(&lines[i], &bench->rig);
        rig_run(&bench->rig, 1);
    }
    for (size_t i = 0; i < 80; i++)
        line_close(&lines[i]);
    rig_run(&bench->rig, 20);
    image_by_ranges(state);
}

static void says_why_it_does_not_start(void **state)
{
    struct bench *bench = *state;
    char reason[200];
    struct nb_http_server_config config = {.port = bench->rig.peer->port};
    assert_null(nb_http_server_new(bench->rig.loop, &config, reason, sizeof reason));
    assert_non_null(strstr(reason, "Address already in use"));
    config = (struct nb_http_server_config){.cert_path = "/nonexistent.pem", .key_path = "/x"};
    assert_null(nb_http_server_new(bench->rig.loop, &config, reason, sizeof reason));
    assert_string_equal(reason, "/nonexistent.pem: No such file or directory");
    config = (struct nb_http_server_config){.cert_path = "/nonexistent.pem"};
    assert_null(nb_http_server_new(bench->rig.loop, &config, reason, sizeof reason));
    assert_string_equal(reason, "a certificate needs its key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_CASE(job_document),
        RIG_CASE(image_by_ranges),
        RIG_CASE(if_range),
        RIG_CASE(results),
        RIG_CASE(other_paths_and_methods),
        RIG_CASE(status_faults),
        RIG_CASE(a_link_that_expires),
        RIG_CASE(range_and_etag_faults),
        RIG_CASE(redirect_faults),
        RIG_CASE(slow_fault),
        RIG_CASE(refuses_bad_faults),
        RIG_CASE(survives),
        RIG_CASE(more_clients_than_connections),
        cmocka_unit_test_setup_teardown(says_why_it_does_not_start, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What only the server of the virtual world is answerable for: libmicrohttpd does it elsewhere. And
 * client, server and cloud side together, plain and with TLS. */
#include "harness/peers/anycloud_http.h"
#include "harness/peers/line_rig.h"
#include "sim/virtual/http.h"

struct bench {
    struct rig rig;
    struct line line;
    char text[10000]; /* what came */
    bool closed;
    char seen[10000]; /* requests: METHOD PATH BODY; and complaints */
    unsigned releases;
};

static void note(struct bench *bench, const char *one, const char *two, const char *three)
{
    size_t used = strlen(bench->seen);
    snprintf(bench->seen + used, sizeof bench->seen - used, "%s %s %s\n", one, two, three);
}

static void on_release(void *owner)
{
    ((struct bench *)owner)->releases++;
}

/* Answers with the path. /wait is answered after 100 ms, /twice after two times that. */
static void on_request(void *owner, const struct nb_peer_request *request)
{
    static unsigned times;
    struct bench *bench = owner;
    const struct nb_peer_server *peer = bench->rig.peer;
    const char *tag = peer->header(request->exchange, "x-tag");
    times = request->again ? times + 1 : 0;
    if ((strcmp(request->path, "/wait") == 0 && times < 1) ||
        (strcmp(request->path, "/twice") == 0 && times < 2)) {
        assert_int_equal(peer->later(request->exchange, 100), OTA_OK);
        return;
    }
    note(bench, request->method, request->path, request->body_cut ? "cut" : request->body);
    const struct nb_peer_header field = {"X-Tag", tag != NULL ? tag : "none"};
    const struct nb_peer_reply reply = {.status = request->body_cut ? 413 : 200,
                                        .headers = &field,
                                        .header_count = 1,
                                        .body = request->path,
                                        .body_size = strlen(request->path),
                                        .release = on_release,
                                        .owner = bench};
    assert_int_equal(peer->reply(request->exchange, &reply), OTA_OK);
}

static void on_complaint(void *owner, const char *text)
{
    note(owner, "complaint", "", text);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    rig_open(&bench->rig, true);
    const struct nb_peer_handler handler = {on_request, on_complaint, bench};
    bench->rig.peer->serve(bench->rig.peer->context, &handler);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    line_close(&bench->line);
    rig_shut(&bench->rig);
    free(bench);
    return 0;
}

/* Sends these bytes, `piece` at a time, and takes what comes within `ms`. */
static void say(struct bench *bench, const char *bytes, size_t length, size_t piece, uint32_t ms)
{
    if (!bench->line.open)
        line_open(&bench->line, &bench->rig);
    bench->seen[0] = '\0';
    for (size_t at = 0; at < length; at += piece)
        line_send(&bench->line, bytes + at, length - at < piece ? length - at : piece);
    rig_run(&bench->rig, ms);
    ssize_t got = line_receive(&bench->line, bench->text, sizeof bench->text - 1);
    bench->text[got > 0 ? got : 0] = '\0';
    bench->closed = bench->line.ended;
}

#define OK_TO(path, length)                                                                        \
    "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\nX-Tag: none\r\n\r\n" path

static void one_after_another(void **state)
{
    static const char three[] = "GET /a?x=y HTTP/1.1\r\nHost: h\r\nX-TAG:  t \r\n\r\n"
                                "POST /%62 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
                                "HEAD /c%zz% HTTP/1.1\r\nHost: h\r\n\r\n";
    struct bench *bench = *state;
    for (size_t piece = 1; piece < sizeof three; piece += piece) {
        say(bench, three, sizeof three - 1, piece, 5);
        assert_string_equal(bench->seen, "GET /a \nPOST /b {}\nHEAD /c%zz% \n");
        assert_string_equal(bench->text,
                            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Tag: t\r\n\r\n/a" OK_TO(
                                "/b", "2") OK_TO("", "6"));
        assert_false(bench->closed);
    }
    assert_true(bench->releases > 0 && bench->releases % 3 == 0);
}

/* What comes behind a request whose reply is delayed waits for it. */
static void in_order(void **state)
{
    static const char two[] = "GET /twice HTTP/1.1\r\nHost: h\r\n\r\n"
                              "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"
                              "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    struct bench *bench = *state;
    say(bench, two, sizeof two - 1, sizeof two, 150);
    assert_string_equal(bench->seen, "");
    say(bench, "GET /c HTTP/1.1\r\nHost: h\r\n\r\n", 28, 28, 100);
    assert_string_equal(bench->seen, "GET /twice \n");
    assert_string_equal(bench->text, OK_TO("/twice", "6"));
    say(bench, "", 0, 1, 100);
    assert_string_equal(bench->text, OK_TO("/wait", "5") OK_TO("/b", "2") OK_TO("/c", "2"));
    say(bench, two, sizeof two - 1, sizeof two, 50); /* it waits when all ends */
    assert_string_equal(bench->seen, "");
}

static void connections_that_end(void **state)
{
    static const struct {
        const char *request;
        const char *seen;
        const char *reply; /* how it begins */
    } rows[] = {
        {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: "
         "h\r\n\r\n",
         "GET /a \n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"},
        {"GET /a HTTP/1.0\r\n\r\n", "GET /a \n",
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n"},
        {"GET /a HTTP/1.1\r\n\r\n", "complaint  the request names no host\n",
         "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
        {"\x16\x03\x01", "complaint  invalid HTTP method\n", "HTTP/1.1 400 Bad Request\r\n"},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(bench, rows[i].request, strlen(rows[i].request), SIZE_MAX / 2, 5);
        assert_string_equal(bench->seen, rows[i].seen);
        assert_memory_equal(bench->text, rows[i].reply, strlen(rows[i].reply));
        assert_true(bench->closed);
        line_close(&bench->line);
    }
}

static void limits(void **state)
{
    struct bench *bench = *state;
    char text[20000];
    int length = snprintf(text, sizeof text, "GET /%07000d HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    say(bench, text, (size_t)length, 1000, 5);
    assert_memory_equal(bench->seen, "GET /000", 8);
    length = snprintf(text, sizeof text, "GET /%09000d HTTP/1.1\r\nHost: h\r\n\r\n", 0);
    say(bench, text, (size_t)length, 1000, 5);
    assert_memory_equal(bench->text, "HTTP/1.1 431 Request Header Fields Too Large\r\n", 46);
    assert_true(bench->closed);
    line_close(&bench->line);
    length = snprintf(text, sizeof text,
                      "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n%01025d", 0);
    say(bench, text, (size_t)length - 1, 700, 5);
    assert_string_equal(bench->seen, "");
    say(bench, "0", 1, 1, 5);
    assert_string_equal(bench->seen, "POST /p cut\n");
    assert_memory_equal(bench->text, "HTTP/1.1 413 ", 13);
    assert_false(bench->closed);
}

/* 64 connections are served at once; one more is turned away, and let in when another has gone. */
static void connections_at_once(void **state)
{
    static struct line lines[66];
    static const char get[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    struct bench *bench = *state;
    char text[200];
    for (size_t i = 0; i < 65; i++)
        line_open(&lines[i], &bench->rig);
    rig_run(&bench->rig, 5);
    assert_true(lines[64].ended);
    line_close(&lines[0]);
    rig_run(&bench->rig, 5);
    line_open(&lines[65], &bench->rig);
    for (size_t i = 1; i < 66; i++) {
        if (i == 64)
            continue;
        line_send(&lines[i], get, sizeof get - 1);
        assert_true(line_receive(&lines[i], text, sizeof text) > 0);
        assert_memory_equal(text, "HTTP/1.1 200", 12);
    }
    for (size_t i = 0; i < 66; i++)
        line_close(&lines[i]);
}

/* ---- together ----------------------------------------------------------------------------- */

#define IMAGE_SIZE 200000u
#define PART       65536u

struct download {
    const struct sim_world *world;
    uint8_t image[IMAGE_SIZE];
    uint8_t got[IMAGE_SIZE];
    size_t length;
    int code;
    unsigned status;
};

static void on_event(void *context, const struct ota_event *event)
{
    struct download *download = context;
    if (event->type == OTA_EVENT_HTTP_HEAD) {
        download->status = event->head->status;
    } else if (event->type == OTA_EVENT_HTTP_BODY) {
        assert_true(download->length + event->length <= IMAGE_SIZE);
        memcpy(download->got + download->length, event->data, event->length);
        download->length += event->length;
    } else {
        download->code = event->code;
        download->world->stop(download->world->context, 1);
    }
}

static void by_ranges(const struct virtual_tls_server *tls)
{
    struct virtual_world *world = virtual_world_new();
    struct download *download = calloc(1, sizeof *download);
    struct nb_virtual_server *server = NULL;
    assert_true(world != NULL && download != NULL);
    const struct sim_world *table = download->world = virtual_world_table(world);
    const struct nb_virtual_server_config listens = {.tls = tls};
    assert_int_equal(nb_virtual_server_new(table, &listens, &server), OTA_OK);
    const struct nb_peer_server *peer = nb_virtual_server_peer(server);
    struct anycloud_http *cloud =
        anycloud_http_new(peer, &(struct anycloud_http_config){.board = "b"}, NULL, NULL);
    for (size_t i = 0; i < IMAGE_SIZE; i++)
        download->image[i] = (uint8_t)(i * 31 + i / 251);
    const struct anycloud_offer offer = {
        .image = download->image, .size = IMAGE_SIZE, .connection = ANYCLOUD_OVER_HTTP};
    assert_int_equal(anycloud_http_offer(cloud, &offer), OTA_OK);
    const struct virtual_http_config config = {
        .client = {.port = peer->port, .use_tls = peer->tls}};
    struct virtual_http *http = virtual_http_new(table, &config, on_event, download);
    const struct http_port *port = sim_http_client_port(virtual_http_client(http));
    for (uint32_t from = 0; from < IMAGE_SIZE; from += PART) {
        const struct http_request request = {
            .path = ANYCLOUD_FILE, .ranged = true, .from = from, .to = from + PART - 1};
        assert_int_equal(port->request(port->context, &request), OTA_OK);
        assert_int_equal(table->run(table->context, 1000), 1);
        assert_int_equal(download->code, OTA_OK);
        assert_int_equal(download->status, 206);
    }
    assert_int_equal(download->length, IMAGE_SIZE);
    assert_memory_equal(download->got, download->image, IMAGE_SIZE);
    virtual_http_free(http);
    anycloud_http_free(cloud);
    nb_virtual_server_free(server);
    virtual_world_free(world);
    free(download);
}

static void whole_image(void **state)
{
    static const struct virtual_tls_server good = {VIRTUAL_CERT_GOOD, false};
    (void)state;
    by_ranges(NULL);
    by_ranges(&good);
}

static void port_in_use(void **state)
{
    struct bench *bench = *state;
    struct nb_virtual_server *server = NULL;
    const struct nb_virtual_server_config config = {.port = bench->rig.peer->port};
    assert_int_equal(nb_virtual_server_new(rig_table(&bench->rig), &config, &server), OTA_E_BUSY);
    assert_null(server);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_after_another),   CASE(in_order),    CASE(connections_that_end),    CASE(limits),
        CASE(connections_at_once), CASE(port_in_use), cmocka_unit_test(whole_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

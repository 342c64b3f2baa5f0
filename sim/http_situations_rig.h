/* What an HTTP client meets, and what it makes of it: the same for the seam of every world. The
 * world's own rig is included first. */
#ifndef NOBRICK_SIM_HTTP_SITUATIONS_RIG_H
#define NOBRICK_SIM_HTTP_SITUATIONS_RIG_H

#include "sim/http_answers_rig.h"
#include "sim/http_rig.h"

static void requests_refused(void **state)
{
    const struct http_request rows[] = {
        {.path = "no-slash"},
        {.path = ""},
        {.path = "/", .host = "", .port = 80},
        {.path = "/", .host = "h", .port = 0},
        {.path = "/", .host = "a b", .port = 80},
        {.path = "/", .host = "me@h", .port = 80},
        {.path = "/", .host = "h/x", .port = 80},
        {.path = "/", .host = "h\r\nX: y", .port = 80},
        {.path = "/", .ranged = true, .from = 5, .to = 4},
        {.path = "/", .if_range = "\"a\"\r\nX: y"},
    };
    struct client client;
    const struct rig_server nowhere = {.port = 1};
    (void)state;
    open_client(&client, &nowhere, "127.0.0.1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (client.port->request(client.port->context, &rows[i]) != OTA_E_ARGUMENT)
            fail_msg("row %zu", i);
    const struct http_request secret = {.path = "/", .tls = true}; /* the server has no TLS */
    assert_int_equal(client.port->request(client.port->context, &secret), OTA_E_UNSUPPORTED);
    close_client(&client);
    open_client(&client, &nowhere, "");
    assert_int_equal(client.port->request(client.port->context, &whole), OTA_E_UNSUPPORTED);
    client.port->cancel(client.port->context);
    assert_int_equal(client_run(&client, 20), OTA_E_TIMEOUT);
    close_client(&client);
}

/* ---- requests, byte for byte ------------------------------------------------------------- */

static void expect_request(const struct scene *scene, size_t number, const char *start,
                           const char *end)
{
    char want[RIG_TEXT];
    snprintf(want, sizeof want,
             "%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%sUser-Agent: nobrick\r\nAccept: */*\r\n%s",
             start, scene->server.port, strchr(end, '|') != NULL ? "Range: bytes=0-3\r\n" : "",
             end + (strchr(end, '|') != NULL));
    assert_string_equal(scene->server.requests[number], want);
}

static void request_bytes(void **state)
{
    struct scene scene;
    const struct http_request odd = {.path = "/a b#c?d=%20/../\x01\xC3"};
    const struct http_request tagged = {
        .path = "/f.bin", .ranged = true, .to = 3, .if_range = "\"tag\""};
    const struct http_request post = {
        .method = HTTP_POST, .path = "/f.bin", .body = "{\"Message\":\"Success\"}"};
    const struct http_request empty = {.method = HTTP_POST, .path = "/f.bin"};
    (void)state;
    OPEN(&scene, {.bytes = OK_FOUR}, {.bytes = OK_FOUR}, {.bytes = OK_FOUR}, {.bytes = OK_FOUR},
         {.bytes = OK_FOUR});
    assert_int_equal(fetch(&scene.client, &whole), OTA_OK);
    assert_int_equal(fetch(&scene.client, &odd), OTA_OK);
    assert_int_equal(fetch(&scene.client, &tagged), OTA_OK);
    assert_int_equal(fetch(&scene.client, &post), OTA_OK);
    assert_int_equal(fetch(&scene.client, &empty), OTA_OK);
    assert_memory_equal(scene.client.body, "abcd", 4);
    close_scene(&scene);
    expect_request(&scene, 0, "GET /f.bin", "\r\n");
    expect_request(&scene, 1, "GET /a%20b%23c?d=%20/../%01%C3", "\r\n");
    expect_request(&scene, 2, "GET /f.bin", "|If-Range: \"tag\"\r\n\r\n");
    expect_request(&scene, 3, "POST /f.bin",
                   "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                   "{\"Message\":\"Success\"}");
    expect_request(&scene, 4, "POST /f.bin",
                   "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(scene.server.connections, 1); /* kept alive all along */
}

/* ---- answers --------------------------------------------------------------------------- */

static void check_answer(const struct answer *row, size_t slice)
{
    struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.server.slice = slice;
    scene.server.replies[0] = row->reply;
    scene.server.reply_count = 1;
    rig_server_start(&scene.server);
    open_client(&scene.client, &scene.server, "127.0.0.1");
    struct client *client = &scene.client;
    int code = fetch(client, &ranged);
    if (code != row->code || client->heads != (row->status != 0) ||
        client->length != strlen(row->body))
        fail_msg("%s: %s (%s), %u heads, %zu bytes", row->name, ota_err_word(code),
                 client_reason(client), client->heads, client->length);
    assert_memory_equal(client->body, row->body, client->length);
    assert_int_equal(client_reason(client)[0] != '\0', row->code != OTA_OK);
    if (row->status != 0) {
        assert_int_equal(client->head.status, row->status);
        assert_int_equal(client->head.has_length, row->has_length);
        assert_string_equal(client->head.etag, row->etag);
    }
    assert_int_equal(client_run(client, 10), OTA_E_TIMEOUT);
    assert_int_equal(client->dones, 1);
    close_scene(&scene);
}

static void every_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        check_answer(&answers[i], 0);
}

static void every_answer_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        check_answer(&answers[i], 1);
}

/* Another range than was asked for is handed on as it is: whether that will do is the agent's. */
static void range_of_the_answer(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-8/9\r\n"
                           "Content-Length: 4\r\n\r\nabcd"});
    assert_int_equal(fetch(&scene.client, &ranged), OTA_OK);
    assert_true(scene.client.head.has_range && scene.client.head.has_total);
    assert_int_equal(scene.client.head.from, 5);
    assert_int_equal(scene.client.head.to, 8);
    assert_int_equal(scene.client.head.total, 9);
    assert_int_equal(client_received(&scene.client),
                     strlen("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-8/9\r\n"
                            "Content-Length: 4\r\n\r\nabcd"));
    close_scene(&scene);
}

/* `lines` header lines of 1,000 bytes before a body of four. */
static int answer_with_headers(unsigned lines)
{
    struct scene scene;
    char *text = calloc(1, lines * 1000u + 200);
    assert_non_null(text);
    strcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n");
    size_t length = strlen(text);
    for (unsigned i = 0; i < lines; i++, length += 1000) {
        memset(text + length, 'x', 1000);
        text[length + 5] = ':';
        memcpy(text + length + 998, "\r\n", 2);
    }
    strcpy(text + length, "\r\nabcd");
    OPEN(&scene, {.bytes = text});
    int code = fetch(&scene.client, &whole);
    assert_int_equal(scene.client.heads, code == OTA_OK);
    close_scene(&scene);
    free(text);
    return code;
}

static void large_headers(void **state)
{
    (void)state;
    assert_int_equal(answer_with_headers(60), OTA_OK);
    assert_int_equal(answer_with_headers(70), OTA_E_HTTP_STATUS);
}

/* ---- redirects --------------------------------------------------------------------------- */

static void redirects(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = TO("/1")}, {.bytes = TO("2?x=y")}, {.bytes = TO("/3")},
         {.bytes = TO("/4")}, {.bytes = TO("/5")}, {.bytes = OK_FOUR});
    assert_int_equal(fetch(&scene.client, &ranged), OTA_OK);
    assert_int_equal(scene.client.heads, 1);
    assert_int_equal(scene.client.head.status, 200);
    assert_string_equal(scene.client.head.etag, "");
    assert_int_equal(scene.client.length, 4);
    assert_memory_equal(scene.client.body, "abcd", 4);
    close_scene(&scene);
    expect_request(&scene, 1, "GET /1", "|\r\n");
    expect_request(&scene, 2, "GET /2?x=y", "|\r\n");
    expect_request(&scene, 5, "GET /5", "|\r\n");
}

static void redirect_to_another_server(void **state)
{
    struct scene first;
    struct scene second;
    char reply[200];
    (void)state;
    OPEN(&second, {.bytes = OK_FOUR});
    snprintf(reply, sizeof reply, TO("http://127.0.0.1:%u/there"), second.server.port);
    OPEN(&first, {.bytes = reply});
    assert_int_equal(fetch(&first.client, &whole), OTA_OK);
    assert_int_equal(first.client.head.status, 200);
    close_scene(&first);
    close_scene(&second);
    expect_request(&second, 0, "GET /there", "\r\n");
}

static void redirect_loop(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = TO("/1")}, {.bytes = TO("/1")}, {.bytes = TO("/1")}, {.bytes = TO("/1")},
         {.bytes = TO("/1")}, {.bytes = TO("/1")}, {.bytes = OK_FOUR});
    assert_int_equal(fetch(&scene.client, &whole), OTA_E_HTTP_STATUS);
    assert_int_equal(scene.client.heads, 0);
    close_scene(&scene);
    assert_int_equal(scene.server.request_count, 6);
}

static void post_stays_post(void **state)
{
    struct scene scene;
    const struct http_request post = {.method = HTTP_POST, .path = "/f.bin", .body = "{}"};
    (void)state;
    OPEN(&scene, {.bytes = TO("/1")}, {.bytes = OK_FOUR});
    assert_int_equal(fetch(&scene.client, &post), OTA_OK);
    close_scene(&scene);
    expect_request(&scene, 1, "POST /1",
                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

/* ---- one after another, and giving up ---------------------------------------------------- */

static void connections(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = OK_FOUR}, {.bytes = OK_FOUR, .then_close = true}, {.bytes = OK_FOUR});
    for (int i = 0; i < 3; i++)
        assert_int_equal(fetch(&scene.client, &whole), OTA_OK);
    assert_int_equal(scene.client.port->request(scene.client.port->context, &whole), OTA_OK);
    assert_int_equal(scene.client.port->request(scene.client.port->context, &whole), OTA_E_BUSY);
    close_scene(&scene); /* in the middle of a request */
    assert_int_equal(scene.server.connections, 2);
    assert_int_equal(scene.client.dones, 1);
}

/* Answers after which a connection is not used again, although the server leaves it open. */
static void not_kept(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nabcd"},
         {.bytes = "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabcd"}, {.bytes = OK_FOUR "EFGH"},
         {.bytes = OK_FOUR}, {.bytes = OK_FOUR});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fetch(&scene.client, &whole), OTA_OK);
        assert_int_equal(scene.client.length, 4);
    }
    close_scene(&scene);
    assert_int_equal(scene.server.connections, 4);
}

static void nobody_there(void **state)
{
    struct client client;
    const struct rig_server nowhere = {.port = 1};
    (void)state;
    open_client(&client, &nowhere, "127.0.0.1");
    assert_int_equal(fetch(&client, &whole), OTA_E_CONNECT);
    assert_non_null(strstr(client_reason(&client), "onnect"));
    close_client(&client);
    open_client(&client, &nowhere, "127.0.0.1");
    const struct http_request elsewhere = {.path = "/", .host = "no-such-host.invalid", .port = 80};
    assert_int_equal(fetch(&client, &elsewhere), OTA_E_CONNECT);
    close_client(&client);
}

/* Cancel, or cancel and ask anew, from within each event. */
static void act_within(enum ota_event_type at, enum act what, const char *first)
{
    struct scene scene;
    OPEN(&scene, {.bytes = first}, {.bytes = "HTTP/1.1 203 Other\r\nContent-Length: 2\r\n\r\nok"});
    struct client *client = &scene.client;
    client->at = at;
    client->act = what;
    client->act_result = 1;
    assert_int_equal(client->port->request(client->port->context, &ranged), OTA_OK);
    assert_int_equal(client_run(client, PATIENCE), what == ACT_REPLACE ? 1 : 2);
    if (what == ACT_CANCEL) {
        assert_int_equal(client_run(client, 30), OTA_E_TIMEOUT);
        assert_int_equal(client->heads + client->bodies + client->dones, 0);
        assert_int_equal(fetch(client, &whole), OTA_OK);
    } else {
        assert_int_equal(client->act_result, OTA_OK);
        assert_int_equal(client->dones, 1);
        assert_int_equal(client->code, OTA_OK);
    }
    assert_int_equal(client->head.status, 203);
    assert_int_equal(client->length, 2);
    assert_memory_equal(client->body, "ok", 2);
    close_scene(&scene);
}

static void cancel_anywhere(void **state)
{
    static const enum ota_event_type types[] = {OTA_EVENT_HTTP_HEAD, OTA_EVENT_HTTP_BODY,
                                                OTA_EVENT_HTTP_DONE};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        act_within(types[i], ACT_CANCEL, OK_FOUR);
        act_within(types[i], ACT_REPLACE, OK_FOUR);
    }
    /* A head that comes with the end, since there is no body. */
    act_within(OTA_EVENT_HTTP_HEAD, ACT_CANCEL, "HTTP/1.1 204 No Content\r\n\r\n");
    act_within(OTA_EVENT_HTTP_HEAD, ACT_REPLACE, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void cancel_from_outside(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcd", .then_wait = true},
         {.bytes = OK_FOUR});
    struct client *client = &scene.client;
    assert_int_equal(client->port->request(client->port->context, &whole), OTA_OK);
    client->port->cancel(client->port->context);
    assert_int_equal(client_run(client, 20), OTA_E_TIMEOUT);
    assert_int_equal(client->heads, 0);
    assert_int_equal(client->port->request(client->port->context, &whole), OTA_OK);
    assert_int_equal(client_run(client, 100), OTA_E_TIMEOUT);
    assert_int_equal(client->length, 4);
    client->port->cancel(client->port->context);
    assert_int_equal(client_run(client, 400), OTA_E_TIMEOUT); /* longer than a stall */
    assert_int_equal(client->dones, 0);
    assert_int_equal(fetch(client, &whole), OTA_OK);
    close_scene(&scene);
}

/* For the list of a test program. */
#define HTTP_SITUATIONS                                                                            \
    cmocka_unit_test(requests_refused), cmocka_unit_test(request_bytes),                           \
        cmocka_unit_test(every_answer), cmocka_unit_test(every_answer_byte_by_byte),               \
        cmocka_unit_test(range_of_the_answer), cmocka_unit_test(large_headers),                    \
        cmocka_unit_test(redirects), cmocka_unit_test(redirect_to_another_server),                 \
        cmocka_unit_test(redirect_loop), cmocka_unit_test(post_stays_post),                        \
        cmocka_unit_test(connections), cmocka_unit_test(not_kept), cmocka_unit_test(nobody_there), \
        cmocka_unit_test(cancel_anywhere), cmocka_unit_test(cancel_from_outside)

#endif

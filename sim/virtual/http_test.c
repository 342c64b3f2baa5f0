/* The HTTP seam of the virtual world: the situations of every world, and what is its own. */
#include "sim/virtual/http_rig.h"

#include "sim/http_situations_rig.h"

/* ---- stricter than libcurl --------------------------------------------------------------- */

/* http-parser refuses what libcurl reads as if the field were not there. */
static void strict(void **state)
{
    static const char *const rows[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 4x\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nX y\xff: b\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        OPEN(&scene, {.bytes = rows[i], .then_close = true});
        if (fetch(&scene.client, &whole) != OTA_E_HTTP_STATUS || scene.client.heads != 0)
            fail_msg("row %zu: %s", i, client_reason(&scene.client));
        close_scene(&scene);
    }
}

/* ---- connections -------------------------------------------------------------------------- */

static struct http_request at(const struct rig_server *server)
{
    return (struct http_request){.path = "/", .host = "localhost", .port = server->port};
}

/* The server closes while the request is on its way to it. */
static void asked_again(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = OK_FOUR}, {.bytes = OK_FOUR});
    struct client *client = &scene.client;
    assert_int_equal(fetch(client, &whole), OTA_OK);
    assert_int_equal(client->port->request(client->port->context, &whole), OTA_OK);
    client->heads = client->dones = 0;
    client->length = 0;
    rig_close(scene.server.first);
    assert_int_equal(client_run(client, PATIENCE), 1);
    assert_int_equal(client->code, OTA_OK);
    assert_int_equal(client->dones, 1);
    assert_int_equal(scene.server.connections, 2);
    assert_int_equal(scene.server.request_count, 2);
    close_scene(&scene);
}

/* Bytes that nobody has asked for spoil a connection. */
static void unasked_bytes(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = OK_FOUR}, {.bytes = OK_FOUR});
    assert_int_equal(fetch(&scene.client, &whole), OTA_OK);
    assert_int_equal(virtual_tls_send(scene.server.first->end, OK_FOUR, 20), 20);
    assert_int_equal(client_run(&scene.client, 10), OTA_E_TIMEOUT);
    assert_int_equal(fetch(&scene.client, &whole), OTA_OK);
    assert_int_equal(scene.server.connections, 2);
    close_scene(&scene);
}

/* A reset is not the end of a body, even of one without a length. */
static void reset_in_a_body(void **state)
{
    struct scene scene;
    (void)state;
    OPEN(&scene, {.bytes = "HTTP/1.1 200 OK\r\n\r\nabcd", .then_wait = true});
    struct client *client = &scene.client;
    assert_int_equal(client->port->request(client->port->context, &whole), OTA_OK);
    assert_int_equal(client_run(client, 10), OTA_E_TIMEOUT);
    assert_int_equal(client->length, 4);
    virtual_tls_close(scene.server.first->end, true);
    scene.server.first->end = NULL;
    assert_int_equal(client_run(client, 10), 1);
    assert_int_equal(client->code, OTA_E_DISCONNECTED);
    close_scene(&scene);
}

/* Four connections are kept: with a fifth the one that was idle longest goes. */
static void several_servers(void **state)
{
    struct scene scenes[5];
    (void)state;
    for (size_t i = 0; i < 5; i++)
        OPEN(&scenes[i], {.bytes = OK_FOUR}, {.bytes = OK_FOUR});
    struct client *client = &scenes[0].client;
    for (size_t i = 0; i < 8; i++) {
        const struct http_request request = at(&scenes[i % 4].server);
        assert_int_equal(fetch(client, &request), OTA_OK);
        assert_int_equal(scenes[i % 4].server.connections, 1);
    }
    const struct http_request fifth = at(&scenes[4].server);
    assert_int_equal(fetch(client, &fifth), OTA_OK);
    assert_int_equal(client_run(client, 10), OTA_E_TIMEOUT);
    for (size_t i = 0; i < 5; i++) /* only the first server's was closed */
        assert_int_equal(scenes[i].server.first->end == NULL, i == 0);
    for (size_t i = 0; i < 5; i++)
        close_scene(&scenes[i]);
}

static void names_that_fail(void **state)
{
    struct scene scene;
    struct client client;
    struct virtual_names names = {.fail_next = 1};
    (void)state;
    OPEN(&scene, {.bytes = OK_FOUR});
    const struct virtual_http_config config = {.names = &names};
    memset(&client, 0, sizeof client);
    client.http = virtual_http_new(virtual_world_table(rig_world), &config, on_event, &client);
    client.port = sim_http_client_port(virtual_http_client(client.http));
    const struct http_request request = at(&scene.server);
    assert_int_equal(fetch(&client, &request), OTA_E_CONNECT);
    assert_non_null(strstr(client_reason(&client), "resolve"));
    assert_int_equal(names.failed, 1);
    assert_int_equal(fetch(&client, &request), OTA_OK);
    close_client(&client);
    close_scene(&scene);
}

/* ---- TLS ---------------------------------------------------------------------------------- */

static void certificates(void **state)
{
    static const struct {
        struct virtual_tls_server server;
        enum virtual_client_cert shows;
        int code;
    } rows[] = {
        {{VIRTUAL_CERT_GOOD, false}, VIRTUAL_CLIENT_NONE, OTA_OK},
        {{VIRTUAL_CERT_GOOD, true}, VIRTUAL_CLIENT_GOOD, OTA_OK},
        {{VIRTUAL_CERT_GOOD, true}, VIRTUAL_CLIENT_NONE, OTA_E_TLS_DEVICE},
        {{VIRTUAL_CERT_GOOD, true}, VIRTUAL_CLIENT_STRANGER, OTA_E_TLS_DEVICE},
        {{VIRTUAL_CERT_UNKNOWN_CA, false}, VIRTUAL_CLIENT_NONE, OTA_E_TLS_CA},
        {{VIRTUAL_CERT_EXPIRED, false}, VIRTUAL_CLIENT_NONE, OTA_E_TLS_EXPIRED},
        {{VIRTUAL_CERT_WRONG_NAME, false}, VIRTUAL_CLIENT_NONE, OTA_E_TLS_NAME},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client client;
        struct rig_server server = {
            .tls = &rows[i].server, .replies = {{.bytes = OK_FOUR}}, .reply_count = 1};
        rig_server_start(&server);
        open_client_as(&client, &server, rows[i].shows, server.port);
        int code = fetch(&client, &ranged);
        if (code != rows[i].code || (code == OTA_OK) != (client.length == 4))
            fail_msg("row %zu: %s: %s", i, ota_err_word(code), client_reason(&client));
        close_client(&client);
        rig_server_stop(&server);
        assert_int_equal(server.request_count, code == OTA_OK);
    }
}

/* Somebody who never answers the handshake: that is connecting, and has its own limit. */
static void silent_handshake(void **state)
{
    struct scene plain;
    (void)state;
    OPEN(&plain, {.bytes = "", .then_wait = true});
    struct http_request request = at(&plain.server);
    request.tls = true;
    const struct sim_world *world = virtual_world_table(rig_world);
    uint64_t start = world->now_ms(world->context);
    assert_int_equal(fetch(&plain.client, &request), OTA_E_CONNECT);
    assert_int_equal(world->now_ms(world->context) - start, 500);
    close_scene(&plain);
}

static void no_way_back_from_tls(void **state)
{
    static const struct virtual_tls_server good = {VIRTUAL_CERT_GOOD, false};
    struct client client;
    struct scene plain;
    char reply[200];
    (void)state;
    OPEN(&plain, {.bytes = OK_FOUR});
    snprintf(reply, sizeof reply, TO("http://127.0.0.1:%u/"), plain.server.port);
    struct rig_server server = {.tls = &good, .replies = {{.bytes = reply}}, .reply_count = 1};
    rig_server_start(&server);
    open_client_as(&client, &server, VIRTUAL_CLIENT_NONE, server.port);
    assert_int_equal(fetch(&client, &whole), OTA_E_HTTP_STATUS);
    close_client(&client);
    rig_server_stop(&server);
    close_scene(&plain);
    assert_int_equal(plain.server.request_count, 0);
}

/* ------------------------------------------------------------------------------------------ */

static int before_all(void **state)
{
    (void)state;
    rig_world = virtual_world_new();
    return rig_world == NULL;
}

static int after_all(void **state)
{
    (void)state;
    virtual_world_free(rig_world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_SITUATIONS,
        cmocka_unit_test(strict),
        cmocka_unit_test(asked_again),
        cmocka_unit_test(unasked_bytes),
        cmocka_unit_test(reset_in_a_body),
        cmocka_unit_test(several_servers),
        cmocka_unit_test(names_that_fail),
        cmocka_unit_test(certificates),
        cmocka_unit_test(silent_handshake),
        cmocka_unit_test(no_way_back_from_tls),
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}

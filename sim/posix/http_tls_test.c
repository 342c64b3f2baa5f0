/* The HTTP seam against servers with good and bad certificates. */
#include "sim/posix/http_rig.h"

static const struct {
    const char *server; /* identity; NULL: no TLS on that side */
    bool wants_client;
    const char *shows; /* the device: identity; NULL: nothing */
    const char *host;
    int code;
} handshakes[] = {
    {"good", false, NULL, "127.0.0.1", OTA_OK},
    {"good", false, "client", "localhost", OTA_OK},
    {"good", true, "client", "127.0.0.1", OTA_OK},
    {"good", true, NULL, "127.0.0.1", OTA_E_TLS_DEVICE},
    {"good", true, "device-of-stranger", "127.0.0.1", OTA_E_TLS_DEVICE},
    {"of-stranger", false, NULL, "127.0.0.1", OTA_E_TLS_CA},
    {"of-impostor", false, NULL, "127.0.0.1", OTA_E_TLS_IMPOSTOR},
    {"self-signed", false, NULL, "127.0.0.1", OTA_E_TLS_SELF},
    {"expired", false, NULL, "127.0.0.1", OTA_E_TLS_EXPIRED},
    {"early", false, NULL, "127.0.0.1", OTA_E_TLS_EXPIRED},
    {"elsewhere", false, NULL, "127.0.0.1", OTA_E_TLS_NAME},
    {"elsewhere", false, NULL, "localhost", OTA_E_TLS_NAME},
};

static void certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof handshakes / sizeof handshakes[0]; i++) {
        struct client client;
        struct rig_server server = {.identity = handshakes[i].server,
                                    .wants_client = handshakes[i].wants_client,
                                    .replies = {{.bytes = OK_FOUR}},
                                    .reply_count = 1};
        rig_server_start(&server);
        open_client_as(&client, &server, handshakes[i].shows, handshakes[i].host);
        int code = fetch(&client, &ranged);
        if (code != handshakes[i].code || (code == OTA_OK) != (client.length == 4))
            fail_msg("row %zu: %s: %s", i, ota_err_word(code), posix_http_reason(client.http));
        close_client(&client);
        rig_server_stop(&server);
        assert_int_equal(server.request_count, code == OTA_OK);
    }
}

static void other_tls_failures(void **state)
{
    struct client client;
    struct scene plain;
    struct http_request request = {.path = "/", .tls = true, .host = "127.0.0.1"};
    (void)state;
    OPEN(&plain, {.bytes = OK_FOUR, .then_close = true});
    request.port = plain.server.port;
    assert_int_equal(fetch(&plain.client, &request), OTA_E_TLS); /* it does not talk TLS */
    close_scene(&plain);
    struct rig_server old = {.identity = "good"};
    rig_server_start(&old);
    SSL_CTX_set_max_proto_version(old.tls, TLS1_1_VERSION);
    open_client_as(&client, &old, NULL, "127.0.0.1");
    assert_int_equal(fetch(&client, &whole), OTA_E_TLS);
    close_client(&client);
    rig_server_stop(&old);
}

static void no_way_back_from_tls(void **state)
{
    struct client client;
    struct scene plain;
    char reply[200];
    (void)state;
    OPEN(&plain, {.bytes = OK_FOUR});
    snprintf(reply, sizeof reply, TO("http://127.0.0.1:%u/"), plain.server.port);
    struct rig_server server = {
        .identity = "good", .replies = {{.bytes = reply}}, .reply_count = 1};
    rig_server_start(&server);
    open_client_as(&client, &server, NULL, "127.0.0.1");
    assert_int_equal(fetch(&client, &whole), OTA_E_HTTP_STATUS);
    close_client(&client);
    rig_server_stop(&server);
    close_scene(&plain);
    assert_int_equal(plain.server.request_count, 0);
}

static void unreadable_files(void **state)
{
    struct client client;
    struct rig_server server = {.identity = "good"};
    (void)state;
    rig_server_start(&server);
    open_client_as(&client, &server, "client", "127.0.0.1");
    strcpy(client.ca, "/nonexistent.pem");
    assert_int_equal(fetch(&client, &whole), OTA_E_TLS);
    snprintf(client.ca, RIG_FILE, "%s", rig_file("ca", "crt"));
    strcpy(client.cert, "/nonexistent.pem");
    assert_int_equal(fetch(&client, &whole), OTA_E_TLS);
    close_client(&client);
    rig_server_stop(&server);
}

/* ------------------------------------------------------------------------------------------ */

static int before_all(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    rig_make_all();
    return 0;
}

static int after_all(void **state)
{
    (void)state;
    rig_remove_all();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(other_tls_failures),
        cmocka_unit_test(no_way_back_from_tls),
        cmocka_unit_test(unreadable_files),
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}

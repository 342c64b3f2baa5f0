/* Modelled TLS: handshakes, and streams that lose, change or end in the middle of something.
 * Between the two ends stands a wire that does it. */
#include "sim/virtual/raw_rig.h"
#include "sim/virtual/tls.h"

/* What one end was told. */
struct told {
    struct virtual_tls *end;
    int opened; /* 1: nothing */
    int ended;  /* 1: nothing */
    unsigned calls_after_end;
    uint8_t got[200000];
    size_t size;
    bool close_at_once; /* inside the next data */
};

static struct told client, server;
static struct virtual_tls_server server_tls;
static struct sim_listener *listener;
static uint16_t server_port;

static void on_opened(void *owner, int code)
{
    struct told *told = owner;
    assert_int_equal(told->opened, 1);
    told->opened = code;
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct told *told = owner;
    told->calls_after_end += told->ended != 1;
    assert_true(size <= sizeof told->got - told->size);
    memcpy(told->got + told->size, data, size);
    told->size += size;
    if (!told->close_at_once)
        return;
    virtual_tls_close(told->end, false);
    told->end = NULL;
}

static void on_ended(void *owner, int code)
{
    struct told *told = owner;
    assert_int_equal(told->ended, 1);
    told->ended = code;
}

static const struct sim_stream_events events = {
    .opened = on_opened, .data = on_data, .ended = on_ended};

static void on_accepted(void *owner, struct sim_stream *stream)
{
    (void)owner;
    server.end = virtual_tls_accept(table, stream, &server_tls, &events, &server);
    assert_non_null(server.end);
}

/* ---- the wire ---------------------------------------------------------------------------- */

/* Two streams, and what passes from the one to the other. */
static struct wire {
    struct sim_listener *listener;
    uint16_t port;
    struct sim_stream *sides[2]; /* to the client, to the server */
    bool connected;
    uint8_t early[1000]; /* of the client, before the server is there */
    size_t early_size;
    size_t passed[2]; /* bytes from the client, from the server */
    int way;          /* where it happens: 0 from the client, 1 from the server */
    size_t at;        /* the byte where it happens; SIZE_MAX: nowhere */
    enum { FLIP, LOSE, CUT } what;
} wire;

static void pass(size_t way, const uint8_t *data, size_t size)
{
    uint8_t copy[32768];
    size_t kept = 0;
    for (size_t i = 0; i < size; i++) {
        bool here = (int)way == wire.way && wire.passed[way]++ == wire.at;
        if ((int)way != wire.way)
            wire.passed[way]++;
        if (here && wire.what == LOSE)
            continue;
        if (here && wire.what == CUT) {
            (void)table->send(wire.sides[1 - way], copy, kept);
            table->end(wire.sides[1 - way]);
            wire.at = SIZE_MAX;
            wire.what = FLIP;
            wire.connected = false;
            return;
        }
        assert_true(kept < sizeof copy);
        copy[kept++] = here ? data[i] ^ 0x10 : data[i];
    }
    (void)table->send(wire.sides[1 - way], copy, kept);
}

static void wire_opened(void *owner, int code)
{
    (void)owner;
    assert_int_equal(code, OTA_OK);
    wire.connected = true;
    pass(0, wire.early, wire.early_size);
}

static void wire_data(void *owner, const uint8_t *data, size_t size)
{
    size_t way = owner == &wire.sides[0] ? 0 : 1;
    if (wire.connected) {
        pass(way, data, size);
    } else if (wire.sides[1] != NULL && wire.passed[0] == 0) {
        memcpy(wire.early, data, size);
        wire.early_size = size;
    }
}

static void wire_ended(void *owner, int code)
{
    size_t way = owner == &wire.sides[0] ? 0 : 1;
    struct sim_stream *other = wire.sides[1 - way];
    if (other == NULL)
        return;
    if (code == OTA_OK) {
        table->end(other);
        return;
    }
    wire.connected = false;
    wire.sides[1 - way] = NULL;
    table->close(other, true);
}

static const struct sim_stream_events wire_events = {
    .opened = wire_opened, .data = wire_data, .ended = wire_ended};

static void wire_accepted(void *owner, struct sim_stream *stream)
{
    (void)owner;
    wire.sides[0] = stream;
    table->receive(stream, &wire_events, &wire.sides[0]);
    assert_int_equal(
        table->connect(table->context, server_port, &wire_events, &wire.sides[1], &wire.sides[1]),
        OTA_OK);
}

/* ---- a scene ----------------------------------------------------------------------------- */

static void begin(enum virtual_server_cert shows, bool wants_client, enum virtual_client_cert mine,
                  const char *name)
{
    const struct virtual_tls_client tls = {mine};
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    client.opened = client.ended = server.opened = server.ended = 1;
    server_tls = (struct virtual_tls_server){shows, wants_client};
    client.end = virtual_tls_connect(table, wire.port, name, &tls, &events, &client);
    assert_non_null(client.end);
    run_for(30);
}

static int set_up(void **state)
{
    rig_open(state);
    wire = (struct wire){.at = SIZE_MAX};
    server_port = 0;
    assert_int_equal(table->listen(table->context, &server_port, on_accepted, NULL, &listener), 0);
    assert_int_equal(table->listen(table->context, &wire.port, wire_accepted, NULL, &wire.listener),
                     0);
    return 0;
}

static void finish(void)
{
    virtual_tls_close(client.end, false);
    virtual_tls_close(server.end, false);
    table->close(wire.sides[0], false);
    table->close(wire.sides[1], false);
    wire.sides[0] = wire.sides[1] = NULL;
    wire.connected = false;
    wire.passed[0] = wire.passed[1] = 0;
}

static int tear_down(void **state)
{
    table->unlisten(listener);
    table->unlisten(wire.listener);
    return rig_close(state);
}

/* ---- tests ------------------------------------------------------------------------------- */

/* The codes are those of sim/posix/mqtt_tls_test.c and http_tls_test.c. */
static void handshakes(void **state)
{
    static const struct {
        enum virtual_server_cert shows;
        bool wants_client;
        enum virtual_client_cert mine;
        const char *name;
        int code;
    } rows[] = {
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_OK},
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_GOOD, "localhost", OTA_OK},
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_STRANGER, "localhost", OTA_OK}, /* not asked */
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_GOOD, "127.0.0.1", OTA_OK},
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_DEVICE},
        {VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_STRANGER, "127.0.0.1", OTA_E_TLS_DEVICE},
        {VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "example.org", OTA_E_TLS_NAME},
        {VIRTUAL_CERT_UNKNOWN_CA, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_CA},
        {VIRTUAL_CERT_IMPOSTOR, false, VIRTUAL_CLIENT_GOOD, "127.0.0.1", OTA_E_TLS_IMPOSTOR},
        {VIRTUAL_CERT_SELF_SIGNED, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_SELF},
        {VIRTUAL_CERT_EXPIRED, false, VIRTUAL_CLIENT_GOOD, "127.0.0.1", OTA_E_TLS_EXPIRED},
        {VIRTUAL_CERT_EARLY, false, VIRTUAL_CLIENT_NONE, "localhost", OTA_E_TLS_EXPIRED},
        {VIRTUAL_CERT_WRONG_NAME, false, VIRTUAL_CLIENT_NONE, "127.0.0.1", OTA_E_TLS_NAME},
        {VIRTUAL_CERT_WRONG_NAME, true, VIRTUAL_CLIENT_GOOD, "localhost", OTA_E_TLS_NAME},
        {VIRTUAL_CERT_WRONG_NAME, false, VIRTUAL_CLIENT_NONE, "ota.example.org", OTA_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].shows, rows[i].wants_client, rows[i].mine, rows[i].name);
        if (client.opened != rows[i].code)
            fail_msg("row %zu: %s", i, ota_err_word(client.opened));
        assert_int_equal(client.ended, 1);
        assert_int_equal(server.ended, rows[i].code == OTA_OK ? 1 : OTA_E_DISCONNECTED);
        assert_int_equal(virtual_tls_send(client.end, "x", 1), rows[i].code == OTA_OK);
        run_for(30);
        assert_int_equal(server.size, rows[i].code == OTA_OK);
        finish();
    }
}

static void data_both_ways(void **state)
{
    uint8_t *large = malloc(100000);
    (void)state;
    assert_non_null(large);
    for (size_t i = 0; i < 100000; i++)
        large[i] = (uint8_t)(i * 7 + i / 256);
    begin(VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "localhost");
    assert_int_equal(virtual_tls_send(client.end, large, 100000), 100000);
    assert_int_equal(virtual_tls_send(server.end, large, 16385), 16385);
    assert_int_equal(virtual_tls_send(server.end, large, 0), 0);
    run_for(30);
    assert_int_equal(server.size, 100000);
    assert_memory_equal(server.got, large, 100000);
    assert_int_equal(client.size, 16385);
    assert_memory_equal(client.got, large, 16385);
    virtual_tls_end(client.end); /* the other way stays open */
    assert_int_equal(virtual_tls_send(client.end, "x", 1), 0);
    run_for(30);
    assert_int_equal(server.ended, OTA_OK);
    client.size = 0;
    assert_int_equal(virtual_tls_send(server.end, "late", 4), 4);
    run_for(30);
    assert_int_equal(client.size, 4);
    server.ended = 1; /* and when it breaks then, that is told as well */
    virtual_tls_close(client.end, true);
    client.end = NULL;
    run_for(30);
    assert_int_equal(server.ended, OTA_E_DISCONNECTED);
    finish();
    begin(VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "localhost");
    virtual_tls_close(server.end, false);
    server.end = NULL;
    run_for(30);
    assert_int_equal(client.ended, OTA_OK);
    finish();
    begin(VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "localhost");
    virtual_tls_close(server.end, true);
    server.end = NULL;
    run_for(30);
    assert_int_equal(client.ended, OTA_E_DISCONNECTED);
    finish();
    free(large);
}

/* Every byte of a whole conversation, both ways: flipped, lost, or the last one. Nothing wrong is
 * ever handed on, and both ends learn that something is wrong. */
static void every_byte(void **state)
{
    static const char text[] = "What the one end says is what the other end hears.";
    size_t lengths[2] = {0, 0};
    (void)state;
    for (int what = FLIP; what <= CUT; what++)
        for (int way = 0; way < 2; way++)
            for (size_t at = 0; at == 0 || at < lengths[way]; at++) {
                if (lengths[way] == 0)
                    at = SIZE_MAX; /* first one that goes well, to count */
                wire.way = way;
                wire.at = at;
                wire.what = what;
                begin(VIRTUAL_CERT_GOOD, true, VIRTUAL_CLIENT_GOOD, "localhost");
                if (client.opened == OTA_OK) {
                    (void)virtual_tls_send(client.end, text, sizeof text);
                    if (server.end != NULL)
                        (void)virtual_tls_send(server.end, text, sizeof text);
                }
                run_for(30);
                if (at == SIZE_MAX) {
                    assert_int_equal(client.size, sizeof text);
                    assert_int_equal(server.size, sizeof text);
                    lengths[way] = wire.passed[way];
                    assert_true(lengths[way] > sizeof text);
                } else {
                    struct told *hurt = way == 0 ? &server : &client;
                    virtual_tls_end(way == 0 ? client.end : server.end); /* a lost byte shows now */
                    run_for(30);
                    assert_int_equal(hurt->size, 0);
                    if (way == 0 || client.opened == OTA_OK)
                        assert_int_equal(hurt->ended, OTA_E_DISCONNECTED);
                    else if (client.opened != OTA_E_TLS && client.opened != OTA_E_DISCONNECTED)
                        fail_msg("%d %d %zu: %s", what, way, at, ota_err_word(client.opened));
                }
                assert_int_equal(client.calls_after_end + server.calls_after_end, 0);
                finish();
            }
}

static void repeated_record(void **state)
{
    struct raw ends;
    uint8_t record[32];
    (void)state;
    raw_listen(&ends);
    const struct virtual_tls_client tls = {VIRTUAL_CLIENT_NONE};
    client.opened = client.ended = 1;
    client.end = virtual_tls_connect(table, ends.port, "localhost", &tls, &events, &client);
    run_for(10);
    assert_int_equal(ends.size, 5 + 10 + 8); /* the hello, with its name */
    assert_memory_equal(ends.got, "\x16\x03\x03\x00\x0a\x01localhost", 15);
    memcpy(record, ends.got, 23);
    raw_send(&ends, "48 54 54 50 2f"); /* HTTP/: no TLS there */
    run_for(10);
    assert_int_equal(client.opened, OTA_E_TLS);
    virtual_tls_close(client.end, false);
    raw_close(&ends);
    memset(&server, 0, sizeof server);
    server.ended = 1;
    server_tls = (struct virtual_tls_server){VIRTUAL_CERT_GOOD, false};
    raw_connect(&ends, server_port);
    for (int i = 0; i < 2; i++) { /* the second time it is not the record that is due */
        assert_int_equal(table->send(ends.stream, record, 23), 23);
        run_for(10);
        assert_int_equal(server.ended, i == 0 ? 1 : OTA_E_DISCONNECTED);
    }
    virtual_tls_close(server.end, false);
    raw_close(&ends);
}

static void nobody_there(void **state)
{
    const struct virtual_tls_client tls = {VIRTUAL_CLIENT_NONE};
    (void)state;
    client.opened = client.ended = 1;
    client.end = virtual_tls_connect(table, 9, "localhost", &tls, &events, &client);
    run_for(10);
    assert_int_equal(client.opened, OTA_E_CONNECT);
    virtual_tls_close(client.end, false);
}

static void paused(void **state)
{
    (void)state;
    begin(VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "localhost");
    virtual_tls_pause(client.end, true);
    (void)virtual_tls_send(server.end, "abc", 3);
    virtual_tls_end(server.end);
    run_for(30);
    assert_int_equal(client.size, 0);
    assert_int_equal(client.ended, 1);
    virtual_tls_pause(client.end, false);
    assert_int_equal(client.size, 0); /* nothing from inside the call */
    run_for(30);
    assert_int_equal(client.size, 3);
    assert_int_equal(client.ended, OTA_OK);
    finish();
}

static void pause_inside(void *owner, const uint8_t *data, size_t size)
{
    on_data(owner, data, size);
    virtual_tls_pause(((struct told *)owner)->end, true);
}

/* Three records, a byte each, and the end come to the client in one piece. What the two ends say
 * goes by hand through `ends` (the client's) and `far` (the server's). */
static void joined_records(struct raw *ends, struct raw *far,
                           const struct sim_stream_events *client_events)
{
    const struct virtual_tls_client tls = {VIRTUAL_CLIENT_NONE};
    raw_listen(ends);
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    client.opened = client.ended = server.ended = 1;
    server_tls = (struct virtual_tls_server){VIRTUAL_CERT_GOOD, false};
    client.end = virtual_tls_connect(table, ends->port, "localhost", &tls, client_events, &client);
    run_for(10);
    raw_connect(far, server_port);
    for (int flights = 0; flights < 4; flights++) {
        struct raw *from = flights % 2 == 0 ? ends : far;
        (void)table->send((from == far ? ends : far)->stream, from->got, from->size);
        from->size = 0;
        run_for(10);
    }
    assert_int_equal(client.opened, OTA_OK);
    (void)virtual_tls_send(server.end, "a", 1);
    (void)virtual_tls_send(server.end, "b", 1);
    (void)virtual_tls_send(server.end, "c", 1);
    virtual_tls_end(server.end);
    run_for(10);
    (void)table->send(ends->stream, far->got, far->size);
    table->end(ends->stream);
}

static void end_joined(struct raw *ends, struct raw *far)
{
    virtual_tls_close(client.end, false);
    virtual_tls_close(server.end, false);
    raw_close(ends);
    raw_close(far);
}

static void paused_between_records(void **state)
{
    static const struct sim_stream_events slow = {
        .opened = on_opened, .data = pause_inside, .ended = on_ended};
    struct raw ends;
    struct raw far;
    (void)state;
    joined_records(&ends, &far, &slow);
    for (size_t i = 1; i <= 3; i++) {
        run_for(10);
        assert_int_equal(client.size, i);
        assert_int_equal(client.ended, 1);
        virtual_tls_pause(client.end, false);
    }
    run_for(10);
    assert_int_equal(client.ended, OTA_OK);
    assert_memory_equal(client.got, "abc", 3);
    end_joined(&ends, &far);
}

static void closed_between_records(void **state)
{
    struct raw ends;
    struct raw far;
    (void)state;
    joined_records(&ends, &far, &events);
    client.close_at_once = true;
    run_for(10);
    assert_int_equal(client.size, 1);
    end_joined(&ends, &far);
}

static void closed_inside(void **state)
{
    (void)state;
    begin(VIRTUAL_CERT_GOOD, false, VIRTUAL_CLIENT_NONE, "localhost");
    client.close_at_once = true;
    (void)virtual_tls_send(server.end, "abc", 3);
    (void)virtual_tls_send(server.end, "def", 3);
    run_for(30);
    assert_int_equal(client.size, 3);
    assert_int_equal(server.ended, OTA_OK);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(handshakes),
        TEST(data_both_ways),
        TEST(every_byte),
        TEST(nobody_there),
        TEST(repeated_record),
        TEST(paused),
        TEST(paused_between_records),
        TEST(closed_inside),
        TEST(closed_between_records),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

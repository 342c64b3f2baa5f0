/* Records on the stream, both ways:
 *
 *   offset size
 *   0      1    kind: 22 handshake, 23 data, 21 alert
 *   1      2    version: 3, 3
 *   3      2    n, bytes of the body, 1 to 16384, big-endian
 *   5      n    body
 *   5 + n  8    checksum of all before and of the record's number in its direction, low byte
 *                first
 *
 * Bodies of the handshake, in this order:
 *
 *   1 hello        client: its name for the server
 *   2 certificate  server: what it shows (1 byte), whether it wants the client's (1 byte)
 *   3 identity     client: what it shows (1 byte)
 *   4 finished     server: nothing; it lets the client in
 *
 * An alert's body is one byte: 0 close, or why the sender gives up. */
#include "sim/virtual/tls.h"

#include <stdlib.h>
#include <string.h>

#define HEAD      5u
#define CHECK     8u
#define BODY_MAX  16384u
#define NAME_ROOM 256u

enum { RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
enum { SAYS_HELLO = 1, SAYS_CERTIFICATE, SAYS_IDENTITY, SAYS_FINISHED };
enum { ALERT_CLOSE, ALERT_RECORD, ALERT_REFUSED };

enum tls_state {
    STATE_PLAIN, /* no TLS here */
    STATE_CONNECTING,
    STATE_AWAITS_HELLO,       /* server */
    STATE_AWAITS_CERTIFICATE, /* client */
    STATE_AWAITS_IDENTITY,    /* server */
    STATE_AWAITS_FINISHED,    /* client */
    STATE_OPEN,
    STATE_OVER, /* nothing is read or said any more */
};

struct virtual_tls {
    const struct sim_world *world;
    struct sim_stream *stream;
    const struct sim_stream_events *events;
    void *owner;
    enum tls_state state;
    bool is_client;
    bool paused;
    bool told_end; /* in order: nothing is read any more, but may still be said */
    bool busy;     /* inside read(): close leaves the freeing to it */
    bool closed;   /* by the owner */
    char name[NAME_ROOM];
    struct virtual_tls_client client;
    struct virtual_tls_server server;
    uint64_t sent; /* records */
    uint64_t received;
    struct sim_clock *clock; /* what was held while paused is read from a timer */
    uint8_t *held;           /* what is not read yet */
    size_t size;
    size_t room;
    uint8_t *out; /* one record */
};

/* ---- who is let in ----------------------------------------------------------------------- */

/* The one table of what a certificate leads to; the name is looked at when the rest is good. */
static const int verdicts[VIRTUAL_SERVER_CERTS] = {
    [VIRTUAL_CERT_GOOD] = OTA_OK,
    [VIRTUAL_CERT_UNKNOWN_CA] = OTA_E_TLS_CA,
    [VIRTUAL_CERT_IMPOSTOR] = OTA_E_TLS_IMPOSTOR,
    [VIRTUAL_CERT_SELF_SIGNED] = OTA_E_TLS_SELF,
    [VIRTUAL_CERT_EXPIRED] = OTA_E_TLS_EXPIRED,
    [VIRTUAL_CERT_EARLY] = OTA_E_TLS_EXPIRED,
    [VIRTUAL_CERT_WRONG_NAME] = OTA_OK,
};

#define DEVICE_REFUSED OTA_E_TLS_DEVICE /* the client's certificate is missing or a stranger's */

int virtual_tls_verdict(enum virtual_server_cert shows, const char *name)
{
    bool here = strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0;
    bool there = strcmp(name, "ota.example.org") == 0;
    if (verdicts[shows] != OTA_OK)
        return verdicts[shows];
    return (shows == VIRTUAL_CERT_WRONG_NAME ? there : here) ? OTA_OK : OTA_E_TLS_NAME;
}

/* ---- records ----------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

/* Each step is one to one in the sum and in the word: what differs in one word is always noticed.
 */
static uint64_t sum_of(uint64_t number, const uint8_t *data, size_t size)
{
    uint64_t sum = number ^ 0x9E3779B97F4A7C15u;
    size_t at = 0;
    for (; size - at >= 8; at += 8) {
        sum = (sum ^ word_at(data + at, 8)) * 0xD6E8FEB86659FD93u;
        sum ^= sum >> 32;
    }
    sum = (sum ^ word_at(data + at, size - at)) * 0xD6E8FEB86659FD93u;
    return sum ^ sum >> 29;
}

static bool send_record(struct virtual_tls *end, unsigned kind, const void *body, size_t size)
{
    uint8_t *out = end->out;
    out[0] = (uint8_t)kind;
    out[1] = 3;
    out[2] = 3;
    out[3] = (uint8_t)(size >> 8);
    out[4] = (uint8_t)size;
    memcpy(out + HEAD, body, size);
    uint64_t sum = sum_of(end->sent++, out, HEAD + size);
    for (size_t i = 0; i < CHECK; i++)
        out[HEAD + size + i] = (uint8_t)(sum >> (8 * i));
    size_t whole = HEAD + size + CHECK;
    return end->world->send(end->stream, out, whole) == whole;
}

static void say(struct virtual_tls *end, unsigned what, unsigned first, unsigned second)
{
    const uint8_t body[] = {(uint8_t)what, (uint8_t)first, (uint8_t)second};
    (void)send_record(end, RECORD_HANDSHAKE, body, sizeof body);
}

static void alert(struct virtual_tls *end, unsigned why)
{
    const uint8_t body = (uint8_t)why;
    (void)send_record(end, RECORD_ALERT, &body, 1);
}

/* Nothing comes any more: tells the owner, a client that was not open yet as `opened`. */
static void finish(struct virtual_tls *end, int code)
{
    bool opening = end->state < STATE_OPEN;
    if (end->state == STATE_OVER || (end->told_end && code == OTA_OK))
        return;
    end->told_end = true;
    if (code != OTA_OK || opening)
        end->state = STATE_OVER;
    if (opening && end->is_client)
        end->events->opened(end->owner, code);
    else
        end->events->ended(end->owner, opening ? OTA_E_DISCONNECTED : code);
}

/* ---- handshake --------------------------------------------------------------------------- */

static void give_up(struct virtual_tls *end, unsigned why, int code)
{
    alert(end, why);
    end->world->end(end->stream);
    finish(end, code);
}

static void on_hello(struct virtual_tls *end, const uint8_t *body)
{
    (void)body; /* every name is served with the one certificate */
    say(end, SAYS_CERTIFICATE, end->server.shows, end->server.wants_client);
    end->state = STATE_AWAITS_IDENTITY;
}

static void on_certificate(struct virtual_tls *end, const uint8_t *body)
{
    int verdict = OTA_E_TLS;
    if (body[1] < VIRTUAL_SERVER_CERTS)
        verdict = virtual_tls_verdict((enum virtual_server_cert)body[1], end->name);
    if (verdict != OTA_OK) {
        give_up(end, ALERT_REFUSED, verdict);
        return;
    }
    say(end, SAYS_IDENTITY, body[2] != 0 ? end->client.shows : VIRTUAL_CLIENT_NONE, 0);
    end->state = STATE_AWAITS_FINISHED;
}

static void on_identity(struct virtual_tls *end, const uint8_t *body)
{
    if (end->server.wants_client && body[1] != VIRTUAL_CLIENT_GOOD) {
        give_up(end, ALERT_REFUSED, OTA_E_DISCONNECTED);
        return;
    }
    say(end, SAYS_FINISHED, 0, 0);
    end->state = STATE_OPEN;
}

static void on_finished(struct virtual_tls *end, const uint8_t *body)
{
    (void)body;
    end->state = STATE_OPEN;
    end->events->opened(end->owner, OTA_OK);
}

/* What an end that awaits something takes, and of how many bytes at least. */
static const struct {
    enum tls_state state;
    uint8_t what;
    size_t size;
    void (*take)(struct virtual_tls *end, const uint8_t *body);
} steps[] = {
    {STATE_AWAITS_HELLO, SAYS_HELLO, 1, on_hello},
    {STATE_AWAITS_CERTIFICATE, SAYS_CERTIFICATE, 3, on_certificate},
    {STATE_AWAITS_IDENTITY, SAYS_IDENTITY, 2, on_identity},
    {STATE_AWAITS_FINISHED, SAYS_FINISHED, 1, on_finished},
};

static void take_handshake(struct virtual_tls *end, const uint8_t *body, size_t size)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].state == end->state && steps[i].what == body[0] && size >= steps[i].size) {
            steps[i].take(end, body);
            return;
        }
    give_up(end, ALERT_RECORD, OTA_E_TLS);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void take_record(struct virtual_tls *end, const uint8_t *record, size_t size)
{
    const uint8_t *body = record + HEAD;
    if (record[0] == RECORD_DATA && end->state == STATE_OPEN)
        end->events->data(end->owner, body, size);
    else if (record[0] == RECORD_HANDSHAKE)
        take_handshake(end, body, size);
    else if (record[0] == RECORD_ALERT && body[0] == ALERT_CLOSE && end->state == STATE_OPEN)
        finish(end, OTA_OK);
    else if (record[0] == RECORD_ALERT && end->state == STATE_OPEN)
        finish(end, OTA_E_DISCONNECTED);
    else if (record[0] == RECORD_ALERT)
        finish(end, end->state == STATE_AWAITS_FINISHED ? DEVICE_REFUSED : OTA_E_TLS);
    else
        give_up(end, ALERT_RECORD, OTA_E_TLS);
}

/* Size of the record's body; 0: more bytes are needed; SIZE_MAX: it is none, or damaged. */
static size_t record_body(struct virtual_tls *end, const uint8_t *at, size_t left)
{
    static const uint8_t version[] = {3, 3};
    if (left < HEAD)
        return 0;
    size_t size = (size_t)at[3] << 8 | at[4];
    if (at[0] < RECORD_ALERT || at[0] > RECORD_DATA || memcmp(at + 1, version, 2) != 0 ||
        size == 0 || size > BODY_MAX)
        return SIZE_MAX;
    if (left < HEAD + size + CHECK)
        return 0;
    if (word_at(at + HEAD + size, CHECK) != sum_of(end->received, at, HEAD + size))
        return SIZE_MAX;
    end->received++;
    return size;
}

static bool is_reading(const struct virtual_tls *end)
{
    return !end->closed && !end->paused && !end->told_end;
}

/* Takes the whole records out of `data`; returns the bytes that they had. */
static size_t read_records(struct virtual_tls *end, const uint8_t *data, size_t size)
{
    size_t eaten = 0;
    while (is_reading(end)) {
        size_t body = record_body(end, data + eaten, size - eaten);
        if (body == SIZE_MAX)
            give_up(end, ALERT_RECORD, end->state == STATE_OPEN ? OTA_E_DISCONNECTED : OTA_E_TLS);
        if (body == 0 || body == SIZE_MAX)
            break;
        const uint8_t *record = data + eaten;
        eaten += HEAD + body + CHECK;
        take_record(end, record, body);
    }
    return eaten;
}

static bool hold(struct virtual_tls *end, const uint8_t *data, size_t size)
{
    if (size > end->room - end->size) {
        size_t room = end->room > 0 ? end->room : 1024;
        while (room - end->size < size)
            room *= 2;
        uint8_t *held = realloc(end->held, room);
        if (held == NULL)
            return false;
        end->held = held;
        end->room = room;
    }
    if (size > 0)
        memcpy(end->held + end->size, data, size);
    end->size += size;
    return true;
}

static void release(struct virtual_tls *end)
{
    end->world->clock_free(end->clock);
    free(end->held);
    free(end->out);
    free(end);
}

static void read_held(struct virtual_tls *end)
{
    size_t eaten = read_records(end, end->held, end->size);
    end->size -= eaten;
    if (eaten > 0 && end->size > 0)
        memmove(end->held, end->held + eaten, end->size);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct virtual_tls *end = owner;
    size_t eaten = 0;
    bool holding = end->size > 0;
    end->busy = true;
    if (!holding)
        eaten = read_records(end, data, size);
    if (eaten < size && !end->closed && !end->told_end && !hold(end, data + eaten, size - eaten))
        give_up(end, ALERT_RECORD, OTA_E_DISCONNECTED);
    else if (holding)
        read_held(end);
    end->busy = false;
    if (end->closed)
        release(end);
}

static void on_resume(void *owner, unsigned id)
{
    struct virtual_tls *end = owner;
    (void)id;
    end->busy = true;
    read_held(end);
    if (!end->closed && !end->paused)
        end->world->pause(end->stream, false);
    end->busy = false;
    if (end->closed)
        release(end);
}

static void on_opened(void *owner, int code)
{
    struct virtual_tls *end = owner;
    uint8_t hello[1 + NAME_ROOM] = {SAYS_HELLO};
    size_t length = strlen(end->name);
    if (code != OTA_OK) {
        finish(end, code);
        return;
    }
    memcpy(hello + 1, end->name, length);
    (void)send_record(end, RECORD_HANDSHAKE, hello, 1 + length);
    end->state = STATE_AWAITS_CERTIFICATE;
}

/* Before the other side said so by TLS, the end of the stream is a broken connection. */
static void on_ended(void *owner, int code)
{
    struct virtual_tls *end = owner;
    finish(end, end->told_end ? code : OTA_E_DISCONNECTED);
}

static void on_writable(void *owner)
{
    struct virtual_tls *end = owner;
    if (end->state == STATE_OPEN && end->events->writable != NULL)
        end->events->writable(end->owner);
}

static const struct sim_stream_events stream_events = {on_opened, on_data, on_ended, on_writable};

/* ---- the calls --------------------------------------------------------------------------- */

static struct virtual_tls *new_end(const struct sim_world *world, bool tls,
                                   const struct sim_stream_events *events, void *owner)
{
    struct virtual_tls *end = calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    *end = (struct virtual_tls){.world = world, .events = events, .owner = owner};
    if (tls)
        end->out = malloc(HEAD + BODY_MAX + CHECK);
    if (!tls || end->out != NULL)
        return end;
    free(end);
    return NULL;
}

struct virtual_tls *virtual_tls_connect(const struct sim_world *world, uint16_t port,
                                        const char *name, const struct virtual_tls_client *tls,
                                        const struct sim_stream_events *events, void *owner)
{
    struct virtual_tls *end =
        strlen(name) < NAME_ROOM ? new_end(world, tls != NULL, events, owner) : NULL;
    if (end == NULL)
        return NULL;
    end->is_client = true;
    strcpy(end->name, name);
    if (tls != NULL) {
        end->state = STATE_CONNECTING;
        end->client = *tls;
    }
    if (world->connect(world->context, port, tls != NULL ? &stream_events : events,
                       tls != NULL ? end : owner, &end->stream) == OTA_OK)
        return end;
    release(end);
    return NULL;
}

struct virtual_tls *virtual_tls_accept(const struct sim_world *world, struct sim_stream *stream,
                                       const struct virtual_tls_server *tls,
                                       const struct sim_stream_events *events, void *owner)
{
    struct virtual_tls *end = new_end(world, tls != NULL, events, owner);
    if (end == NULL) {
        world->close(stream, true);
        return NULL;
    }
    end->stream = stream;
    if (tls != NULL) {
        end->state = STATE_AWAITS_HELLO;
        end->server = *tls;
    }
    world->receive(stream, tls != NULL ? &stream_events : events, tls != NULL ? end : owner);
    return end;
}

size_t virtual_tls_send(struct virtual_tls *end, const void *data, size_t size)
{
    const uint8_t *from = data;
    if (end->state == STATE_PLAIN)
        return end->world->send(end->stream, data, size);
    if (end->state != STATE_OPEN)
        return 0;
    for (size_t left = size; left > 0;) {
        size_t part = left < BODY_MAX ? left : BODY_MAX;
        if (!send_record(end, RECORD_DATA, from, part))
            return 0;
        from += part;
        left -= part;
    }
    return size;
}

/* What is held comes before anything that the stream still has. */
void virtual_tls_pause(struct virtual_tls *end, bool paused)
{
    end->paused = paused;
    if (end->clock == NULL && end->size > 0)
        end->clock = end->world->clock_new(end->world->context, on_resume, end);
    const struct clock_port *clock = end->clock != NULL ? end->world->clock_port(end->clock) : NULL;
    if (paused || end->size == 0 || clock == NULL || clock->arm(clock->context, 0, 0) != OTA_OK)
        end->world->pause(end->stream, paused);
}

void virtual_tls_end(struct virtual_tls *end)
{
    if (end->state == STATE_OPEN)
        alert(end, ALERT_CLOSE);
    end->world->end(end->stream);
}

void virtual_tls_close(struct virtual_tls *end, bool reset)
{
    if (end == NULL)
        return;
    if (end->state == STATE_OPEN && !reset)
        alert(end, ALERT_CLOSE);
    end->world->close(end->stream, reset);
    end->closed = true;
    if (!end->busy)
        release(end);
}

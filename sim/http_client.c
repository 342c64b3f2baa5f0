/* A request lives on one connection, and after a redirect on another. Events are delivered out of
 * the reader, where it must not be touched: what the receiver asks for meanwhile (`cancelled`,
 * `waiting`) is done when the reader has returned. */
#include "sim/http_client.h"
#include "sim/http_pace.h"

#include "sim/http_head.h"
#include "sim/http_order.h"
#include "sim/http_pace.h"
#include "sim/http_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_REDIRECTS 5u
#define MAX_HEADERS   65536u /* of one answer */
#define CONNECTIONS   4u     /* kept at most */

enum timer { TIMER_CONNECT, TIMER_STALL, TIMER_LOOKUP };

struct connection {
    struct sim_http_client *http;
    void *end;
    char host[SIM_HTTP_HOST];
    uint16_t port;
    bool tls;
    bool reused;
    uint64_t used; /* a running number, to find the one that was idle longest */
};

struct sim_http_client {
    const struct sim_http_net *net;
    struct sim_http_client_config config;
    struct http_port port;
    void (*deliver)(void *context, const struct ota_event *event);
    void *context;
    struct sim_clock *clock;
    const struct clock_port *timers;
    struct sim_http_reader *reader;
    struct connection *kept[CONNECTIONS];
    struct connection *active; /* one of them, or NULL */
    uint64_t uses;
    struct sim_http_order order; /* under way */
    bool busy;                   /* somebody waits for its DONE */
    bool inside;                 /* the reader runs and must not be touched */
    bool cancelled;              /* drop it when the reader returns */
    bool powerless;              /* nobody says goodbye: connections are reset */
    struct sim_http_order next;
    bool waiting; /* start `next` when the reader returns */
    unsigned redirects;
    struct sim_http_head head;
    char location[SIM_HTTP_PATH]; /* of a redirect; "": it is none */
    bool encoded;                 /* in a way that is not undone here */
    bool head_sent;
    struct sim_http_pace pace;
    char reason[160];
};

/* ---- timers ------------------------------------------------------------------------------ */

static void arm(struct sim_http_client *http, enum timer timer, uint32_t ms)
{
    (void)http->timers->arm(http->timers->context, timer, ms); /* fails for other ids only */
}

static void disarm(struct sim_http_client *http, enum timer timer)
{
    http->timers->disarm(http->timers->context, timer);
}

static void note_progress(struct sim_http_client *http, size_t length)
{
    if (sim_http_pace_note(&http->pace, length))
        arm(http, TIMER_STALL, http->pace.stall_ms);
}

/* ---- connections ------------------------------------------------------------------------- */

static void drop(struct sim_http_client *http, struct connection *connection)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (http->kept[i] == connection)
            http->kept[i] = NULL;
    if (http->active == connection)
        http->active = NULL;
    http->net->close(connection->end, http->powerless);
    free(connection);
}

static struct connection *find_idle(const struct sim_http_client *http)
{
    const struct sim_http_url *url = &http->order.url;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = http->kept[i];
        if (connection != NULL && connection->port == url->port && connection->tls == url->tls &&
            strcasecmp(connection->host, url->host) == 0)
            return connection;
    }
    return NULL;
}

/* A place for one more; the one that was idle longest may have to go. */
static size_t free_place(struct sim_http_client *http)
{
    size_t place = 0;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (http->kept[i] == NULL)
            return i;
        if (http->kept[i]->used < http->kept[place]->used)
            place = i;
    }
    drop(http, http->kept[place]);
    return place;
}

static int send_order(struct sim_http_client *http)
{
    char text[SIM_HTTP_REQUEST];
    const char *body = http->order.body;
    size_t length = sim_http_order_head(&http->order, text);
    void *end = http->active->end;
    bool good = http->net->send(end, text, length) == length;
    if (good && body != NULL && body[0] != '\0')
        good = http->net->send(end, body, strlen(body)) == strlen(body);
    return good ? OTA_OK : OTA_E_DISCONNECTED;
}

static const struct sim_stream_events stream_events;

static int open_connection(struct sim_http_client *http)
{
    const struct sim_http_url *url = &http->order.url;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return OTA_E_NO_SPACE;
    connection->http = http;
    connection->port = url->port;
    connection->tls = url->tls;
    strcpy(connection->host, url->host);
    connection->end = http->net->open(http->net->context, url->host, url->port, url->tls,
                                      &stream_events, connection);
    if (connection->end == NULL) {
        free(connection);
        return OTA_E_NO_SPACE;
    }
    http->kept[free_place(http)] = connection;
    http->active = connection;
    arm(http, TIMER_CONNECT, http->pace.connect_ms);
    return OTA_OK;
}

/* Makes the request where its URL says: on a connection that is idle, if it may. */
static int begin(struct sim_http_client *http, bool may_reuse)
{
    sim_http_reader_reset(http->reader);
    sim_http_head_start(&http->head);
    http->location[0] = '\0';
    http->encoded = false;
    if (!http->net->find(http->net->context, http->order.url.host)) {
        arm(http, TIMER_LOOKUP, 0);
        return OTA_OK;
    }
    struct connection *connection = may_reuse ? find_idle(http) : NULL;
    if (connection != NULL) {
        http->active = connection;
        connection->reused = true;
        connection->used = ++http->uses;
        if (send_order(http) == OTA_OK)
            return OTA_OK;
        drop(http, connection); /* its end is on its way to us */
    }
    return open_connection(http);
}

/* ---- ending ------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void explain(struct sim_http_client *http,
                                                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(http->reason, sizeof http->reason, format, arguments);
    va_end(arguments);
}

/* Lets go of the request. What is still under way for it goes with its connection. */
static void detach(struct sim_http_client *http)
{
    if (http->active != NULL)
        drop(http, http->active);
    http->cancelled = false;
    disarm(http, TIMER_CONNECT);
    disarm(http, TIMER_STALL);
    disarm(http, TIMER_LOOKUP);
    sim_http_order_clear(&http->order);
}

static void send_head(struct sim_http_client *http)
{
    const struct ota_event event = {.type = OTA_EVENT_HTTP_HEAD, .head = &http->head.head};
    if (http->head_sent)
        return;
    http->head_sent = true;
    http->deliver(http->context, &event);
}

/* The request is over; why, is explained. */
static void conclude(struct sim_http_client *http, int code)
{
    const struct ota_event event = {.type = OTA_EVENT_HTTP_DONE, .code = code};
    detach(http);
    if (code == OTA_OK) {
        http->inside = true; /* what it asks for while it hears of the head comes after */
        send_head(http);
        http->inside = false;
    }
    bool cancelled = http->cancelled;
    http->cancelled = false;
    if (cancelled)
        return;
    http->busy = false;
    http->deliver(http->context, &event);
}

static int start(struct sim_http_client *http)
{
    http->head_sent = false;
    http->redirects = 0;
    http->reason[0] = '\0';
    int rc = begin(http, true);
    if (rc == OTA_OK)
        arm(http, TIMER_STALL, sim_http_pace_start(&http->pace));
    return rc;
}

/* After all that may have delivered something. */
static void catch_up(struct sim_http_client *http)
{
    if (!http->waiting)
        return;
    http->waiting = false;
    http->order = http->next;
    http->next.body = NULL;
    int rc = start(http);
    if (rc != OTA_OK) {
        explain(http, "out of memory");
        conclude(http, rc);
    }
}

static void fail(struct sim_http_client *http, int code)
{
    conclude(http, code);
    catch_up(http);
}

/* ---- answers ----------------------------------------------------------------------------- */

static void on_begin(void *owner)
{
    struct sim_http_client *http = owner;
    sim_http_head_start(&http->head);
    http->location[0] = '\0';
    http->encoded = false;
}

static bool is_text(const char *text, size_t length, const char *wanted)
{
    return length == strlen(wanted) && strncasecmp(text, wanted, length) == 0;
}

static void on_field(void *owner, const char *name, size_t name_length, const char *value,
                     size_t value_length)
{
    struct sim_http_client *http = owner;
    sim_http_head_field(&http->head, name, name_length, value, value_length);
    if (is_text(name, name_length, "Transfer-Encoding")) {
        http->encoded = http->encoded || !(is_text(value, value_length, "chunked") ||
                                           is_text(value, value_length, "identity"));
    } else if (is_text(name, name_length, "Location") && http->location[0] == '\0' &&
               value_length < sizeof http->location) {
        memcpy(http->location, value, value_length);
        http->location[value_length] = '\0';
    }
}

static bool on_head(void *owner)
{
    struct sim_http_client *http = owner;
    sim_http_head_end(&http->head);
    http->head.head.status = sim_http_reader_status(http->reader);
    if (http->head.head.status / 100 != 3)
        http->location[0] = '\0';
    return !http->encoded;
}

static bool on_body(void *owner, const uint8_t *data, size_t length)
{
    struct sim_http_client *http = owner;
    const struct ota_event event = {.type = OTA_EVENT_HTTP_BODY, .data = data, .length = length};
    if (http->location[0] != '\0')
        return true; /* of a redirect: nobody wants it */
    send_head(http);
    if (!http->cancelled)
        http->deliver(http->context, &event);
    return !http->cancelled;
}

static const struct sim_http_events answer_events = {
    .begin = on_begin, .field = on_field, .head = on_head, .body = on_body};

/* OTA_OK: the request is on its way to where it is sent. */
static int follow(struct sim_http_client *http)
{
    struct sim_http_url to;
    if (http->redirects++ == MAX_REDIRECTS) {
        explain(http, "more than %u redirects", MAX_REDIRECTS);
        return OTA_E_HTTP_STATUS;
    }
    int rc = sim_http_url_follow(&http->order.url, http->location, &to);
    if (rc != OTA_OK || (http->order.tls && !to.tls)) {
        explain(http, "redirect to %.100s", http->location);
        return OTA_E_HTTP_STATUS;
    }
    http->order.url = to;
    rc = begin(http, true);
    if (rc != OTA_OK)
        explain(http, "out of memory");
    return rc;
}

/* The answer is complete. */
static void complete(struct sim_http_client *http, bool keeps)
{
    if (!keeps)
        drop(http, http->active);
    http->active = NULL;
    int code = OTA_OK;
    if (http->location[0] != '\0') {
        code = follow(http);
        if (code == OTA_OK)
            return;
    }
    conclude(http, code);
}

/* ---- what a stream says ------------------------------------------------------------------ */

static void on_opened(void *owner, int code)
{
    struct connection *connection = owner;
    struct sim_http_client *http = connection->http;
    disarm(http, TIMER_CONNECT);
    if (code == OTA_OK) {
        connection->used = ++http->uses;
        code = send_order(http);
    }
    if (code == OTA_OK)
        return;
    explain(http, "cannot connect to %.100s:%u: %s", connection->host, connection->port,
            ota_err_text(code));
    fail(http, code);
}

static void on_data(void *owner, const uint8_t *data, size_t size)
{
    struct connection *connection = owner;
    struct sim_http_client *http = connection->http;
    size_t used;
    if (connection != http->active) { /* nobody has asked: this one is spoilt */
        drop(http, connection);
        return;
    }
    http->inside = true;
    enum sim_http_state state = sim_http_reader_feed(http->reader, data, size, &used);
    http->inside = false;
    note_progress(http, state == SIM_HTTP_WHOLE ? used : size);
    switch (state) {
    case SIM_HTTP_IN_HEAD:
    case SIM_HTTP_IN_BODY:
        return;
    case SIM_HTTP_WHOLE:
        complete(http, sim_http_reader_keeps(http->reader) && used == size);
        break;
    case SIM_HTTP_STOPPED:
        detach(http);
        break;
    case SIM_HTTP_LONG_HEAD:
        explain(http, "answer has more than %u bytes of headers", MAX_HEADERS);
        conclude(http, OTA_E_HTTP_STATUS);
        break;
    case SIM_HTTP_BAD_HEAD:
    case SIM_HTTP_BAD_BODY:
        explain(http, "%s", sim_http_reader_fault(http->reader));
        conclude(http, state == SIM_HTTP_BAD_HEAD ? OTA_E_HTTP_STATUS : OTA_E_DISCONNECTED);
        break;
    }
    catch_up(http);
}

static void on_ended(void *owner, int code)
{
    struct connection *connection = owner;
    struct sim_http_client *http = connection->http;
    if (connection != http->active) {
        drop(http, connection);
        return;
    }
    if (connection->reused && !sim_http_reader_began(http->reader)) {
        /* It went while the request was on its way: that one was never answered. */
        drop(http, connection);
        code = begin(http, false);
        if (code == OTA_OK)
            return;
        explain(http, "out of memory");
        fail(http, code);
        return;
    }
    if (code == OTA_OK && sim_http_reader_end(http->reader) == SIM_HTTP_WHOLE) {
        complete(http, false);
    } else {
        explain(http, "%s", code != OTA_OK ? "connection was reset" : "the answer breaks off");
        conclude(http, OTA_E_DISCONNECTED);
    }
    catch_up(http);
}

static const struct sim_stream_events stream_events = {
    .opened = on_opened, .data = on_data, .ended = on_ended};

static void on_timer(void *owner, unsigned id)
{
    struct sim_http_client *http = owner;
    const struct sim_http_url *url = &http->order.url;
    if (id == TIMER_STALL) {
        explain(http, "the server went silent");
        fail(http, OTA_E_TIMEOUT);
        return;
    }
    if (id == TIMER_CONNECT)
        explain(http, "cannot connect to %.100s:%u in time", url->host, url->port);
    else
        explain(http, "cannot resolve host %.100s", url->host);
    fail(http, OTA_E_CONNECT);
}

/* ---- the seam ---------------------------------------------------------------------------- */

static int http_start(void *context, const struct http_request *request)
{
    struct sim_http_client *http = context;
    struct sim_http_order *order = http->inside ? &http->next : &http->order;
    if (http->busy)
        return OTA_E_BUSY;
    const char *host = http->config.host != NULL ? http->config.host : "127.0.0.1";
    const struct sim_http_place place = {host, http->config.port, http->config.use_tls};
    int rc = sim_http_order_make(request, &place, order);
    if (rc == OTA_OK && http->inside) {
        http->waiting = true;
        http->busy = true;
        return OTA_OK;
    }
    if (rc == OTA_OK)
        rc = start(http);
    http->busy = rc == OTA_OK;
    if (rc != OTA_OK)
        sim_http_order_clear(order);
    return rc;
}

static void http_cancel(void *context)
{
    struct sim_http_client *http = context;
    if (!http->busy)
        return;
    http->busy = false;
    if (http->waiting) {
        http->waiting = false;
        sim_http_order_clear(&http->next);
    } else if (http->inside) {
        http->cancelled = true;
    } else {
        detach(http);
    }
}

/* ---- life -------------------------------------------------------------------------------- */

struct sim_http_client *
sim_http_client_new(const struct sim_http_net *net, const struct sim_http_client_config *config,
                    void (*deliver)(void *context, const struct ota_event *event), void *context)
{
    struct sim_http_client *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->net = net;
    http->config = *config;
    sim_http_pace_init(&http->pace, config->connect_ms, config->stall_ms);
    http->deliver = deliver;
    http->context = context;
    http->port = (struct http_port){http, http_start, http_cancel};
    http->clock = net->time->clock_new(net->time->context, on_timer, http);
    http->reader = sim_http_reader_new(SIM_HTTP_ANSWERS, MAX_HEADERS, &answer_events, http);
    if (http->clock == NULL || http->reader == NULL) {
        sim_http_client_free(http);
        return NULL;
    }
    http->timers = net->time->clock_port(http->clock);
    return http;
}

void sim_http_client_free(struct sim_http_client *http)
{
    if (http == NULL)
        return;
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (http->kept[i] != NULL)
            drop(http, http->kept[i]);
    sim_http_order_clear(&http->order);
    sim_http_order_clear(&http->next);
    sim_http_reader_free(http->reader);
    http->net->time->clock_free(http->clock);
    free(http);
}

void sim_http_client_power_off(struct sim_http_client *http)
{
    http->powerless = true;
    http_cancel(http);
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (http->kept[i] != NULL && http->kept[i] != http->active)
            drop(http, http->kept[i]);
}

const struct http_port *sim_http_client_port(struct sim_http_client *http)
{
    return &http->port;
}

const char *sim_http_client_reason(const struct sim_http_client *http)
{
    return http->reason;
}

uint64_t sim_http_client_received(const struct sim_http_client *http)
{
    return http->pace.received;
}

/* HTTP/1.1 as it passes: whose reply it is, how long its body is, and which fault it meets. One
 * request at a time; what does not parse makes the link blind, and goes through as it is. */
#include "harness/faults/proxy_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEAD 16384u

/* Bytes of the head, with the empty line; 0 when it is not whole yet. */
static size_t head_size(const struct nb_bytes *held)
{
    const uint8_t *end = held->size ? memmem(held->data, held->size, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - held->data) + 4 : 0;
}

static uint64_t content_length(const uint8_t *head, size_t size, uint64_t otherwise)
{
    char text[32];
    return nb_http_header(head, size, "content-length", text, sizeof text)
               ? strtoull(text, NULL, 10)
               : otherwise;
}

/* ---- requests ---------------------------------------------------------------------------- */

static bool read_request_line(struct nb_link *link, const uint8_t *head, size_t size)
{
    char line[NB_REQUEST_PATH + 64];
    char method[16];
    size_t length = size < sizeof line ? size : sizeof line - 1;
    memcpy(line, head, length);
    line[length] = '\0';
    struct nb_exchange *http = &link->http;
    if (sscanf(line, "%15s %511s HTTP/1.", method, http->path) != 2)
        return false;
    const char *job = link->proxy->config.job_path;
    http->phase = strcmp(method, "POST") == 0           ? NB_PHASE_RESULT
                  : job && strcmp(http->path, job) == 0 ? NB_PHASE_JOB
                                                        : NB_PHASE_DATA;
    return true;
}

/* The armed fault for the request that was just read. */
static struct nb_armed *for_request(const struct nb_link *link)
{
    struct nb_proxy *proxy = link->proxy;
    for (size_t i = 0; i < proxy->armed_count; i++) {
        struct nb_armed *armed = &proxy->armed[i];
        const struct nb_fault *fault = &armed->fault;
        if (nb_fault_rows[fault->kind].talk != NB_TALK_HTTP || armed->left == 0 ||
            fault->phase != link->http.phase ||
            (fault->place == NB_PLACE_BODY && proxy->traffic.data < fault->at))
            continue;
        return armed;
    }
    return NULL;
}

static void fired(struct nb_link *link, struct nb_armed *armed)
{
    nb_proxy_fired(link->proxy, armed, "%s", link->http.path);
}

/* Answers in place of the server. */
static void answer(struct nb_link *link, struct nb_armed *armed)
{
    struct nb_reply reply = {0};
    if (!nb_http_canned(&armed->fault, link->http.path, link->proxy->port, &reply)) {
        nb_link_kill(link, true);
        return;
    }
    fired(link, armed);
    nb_link_put(link, NB_TO_DEVICE, reply.bytes.data, reply.bytes.size);
    if (reply.close && !link->dead) {
        nb_link_end(link, NB_TO_DEVICE);
        link->silenced = true;
    }
    nb_bytes_free(&reply.bytes);
}

/* Which headers a fault takes out of a request; NULL: none. A server whose image has changed sends
 * all of it to those who want a range of the one before. */
static const char *const *unwanted(const struct nb_armed *armed, const uint8_t *head, size_t size)
{
    static const char *const ranges[] = {"range", "if-range", NULL};
    static const char *const condition[] = {"if-range", NULL};
    char tag[80];
    if (!armed)
        return NULL;
    if (armed->fault.kind == NB_HTTP_IGNORE_RANGE)
        return ranges;
    if (armed->fault.kind == NB_HTTP_OTHER_IMAGE)
        return condition;
    if (armed->fault.kind != NB_HTTP_ETAG_CHANGE ||
        !nb_http_header(head, size, "if-range", tag, sizeof tag))
        return NULL;
    return strcmp(tag, NB_OTHER_ETAG) == 0 ? condition : ranges;
}

/* Makes the request that the server gets, where a fault wants another. False: no memory. */
static bool edit(const struct nb_armed *armed, const uint8_t *head, size_t size,
                 struct nb_bytes *out)
{
    const char *const *names = unwanted(armed, head, size);
    if (armed && armed->fault.kind == NB_HTTP_WRONG_RANGE)
        return nb_http_shift_range(head, size, out);
    return !names || nb_http_without(head, size, names, out);
}

static void pass_request(struct nb_link *link, const uint8_t *head, size_t size)
{
    struct nb_armed *armed = for_request(link);
    struct nb_bytes edited = {0};
    link->http.swallow = false;
    link->http.lie = NULL;
    if (armed && armed->fault.kind >= NB_HTTP_STATUS) {
        link->http.swallow = true;
        answer(link, armed);
        return;
    }
    if (!edit(armed, head, size, &edited)) {
        nb_link_kill(link, true);
        return;
    }
    if (armed &&
        (armed->fault.kind == NB_HTTP_IGNORE_RANGE || armed->fault.kind == NB_HTTP_WRONG_RANGE))
        fired(link, armed);
    else
        link->http.lie = armed;
    nb_link_put(link, NB_TO_SERVER, edited.size ? edited.data : head,
                edited.size ? edited.size : size);
    nb_bytes_free(&edited);
}

static void eat_requests(struct nb_link *link)
{
    struct nb_bytes *held = &link->lanes[NB_TO_SERVER].held;
    struct nb_exchange *http = &link->http;
    while (!link->dead && held->size) {
        if (http->request_left) {
            size_t size = http->request_left < held->size ? (size_t)http->request_left : held->size;
            if (!http->swallow)
                nb_link_put(link, NB_TO_SERVER, held->data, size);
            http->request_left -= size;
            nb_bytes_drop(held, size);
            continue;
        }
        size_t head = head_size(held);
        if (head == 0 && held->size <= MAX_HEAD)
            return;
        if (head == 0 || !read_request_line(link, held->data, head)) {
            link->blind = true;
            return;
        }
        http->request_left = content_length(held->data, head, 0);
        pass_request(link, held->data, head);
        nb_bytes_drop(held, head);
    }
}

/* ---- replies ----------------------------------------------------------------------------- */

/* Sends a reply that was made; its body is data like the server's own. */
static void send_reply(struct nb_link *link, struct nb_reply *reply)
{
    size_t count = link->http.counts ? reply->bytes.size - reply->body : 0;
    nb_link_forward(link, reply->bytes.data, reply->bytes.size, reply->body, count);
    if (reply->close && !link->dead) {
        nb_link_end(link, NB_TO_DEVICE);
        link->silenced = true;
    }
    nb_bytes_free(&reply->bytes);
}

/* A whole reply is there, and a fault is for it. */
static void lie(struct nb_link *link, size_t head, size_t size)
{
    struct nb_bytes *held = &link->lanes[NB_TO_DEVICE].held;
    struct nb_reply reply = {0};
    if (!nb_http_lie(&link->http.lie->fault, held->data, head, size, &reply)) {
        nb_link_kill(link, true);
        return;
    }
    fired(link, link->http.lie);
    link->http.lie = NULL;
    send_reply(link, &reply);
    nb_bytes_drop(held, size);
}

static unsigned status_of(const uint8_t *head, size_t size)
{
    char line[16];
    size_t length = size < sizeof line ? size : sizeof line - 1;
    memcpy(line, head, length);
    line[length] = '\0';
    unsigned status = 0;
    return sscanf(line, "HTTP/%*u.%*u %3u", &status) == 1 ? status : 0;
}

/* Reads the head of a reply. False: more bytes are needed, or the link is blind now. */
static bool begin_reply(struct nb_link *link)
{
    struct nb_bytes *held = &link->lanes[NB_TO_DEVICE].held;
    struct nb_exchange *http = &link->http;
    size_t head = head_size(held);
    unsigned status = head ? status_of(held->data, head) : 0;
    if (head == 0 && held->size <= MAX_HEAD)
        return false;
    if (status == 0) {
        link->blind = true;
        return false;
    }
    bool bodiless = status < 200 || status == 204 || status == 304;
    uint64_t left = bodiless ? 0 : content_length(held->data, head, UINT64_MAX);
    http->counts = http->phase == NB_PHASE_DATA && status >= 200 && status < 300;
    if (http->lie && status >= 200) {
        if (left == UINT64_MAX || held->size - head < left)
            return false;
        lie(link, head, head + (size_t)left);
        return !link->dead;
    }
    nb_link_put(link, NB_TO_DEVICE, held->data, head);
    nb_bytes_drop(held, head);
    http->reply_left = left;
    http->in_body = left > 0;
    return true;
}

static void eat_replies(struct nb_link *link)
{
    struct nb_bytes *held = &link->lanes[NB_TO_DEVICE].held;
    struct nb_exchange *http = &link->http;
    while (!link->dead && held->size) {
        if (!http->in_body) {
            if (!begin_reply(link))
                return;
            continue;
        }
        size_t size = http->reply_left < held->size ? (size_t)http->reply_left : held->size;
        nb_link_forward(link, held->data, size, 0, http->counts ? size : 0);
        if (http->reply_left != UINT64_MAX)
            http->reply_left -= size;
        http->in_body = http->reply_left > 0;
        nb_bytes_drop(held, size);
    }
}

void nb_http_source_ended(struct nb_link *link)
{
    struct nb_bytes *held = &link->lanes[NB_TO_DEVICE].held;
    size_t head = head_size(held);
    if (!link->http.in_body && link->http.lie && head)
        lie(link, head, held->size);
}

void nb_http_eat(struct nb_link *link, enum nb_way way)
{
    if (way == NB_TO_SERVER)
        eat_requests(link);
    else
        eat_replies(link);
}

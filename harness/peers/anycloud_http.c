#include "harness/peers/anycloud_http.h"

#include "harness/peers/http_range.h"

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS       16u
#define MAX_HEADERS  4u
#define PATH_SHOWN   200u
#define MOVED_PREFIX "/moved" /* where redirects lead: the same things again */
#define LOOP_PREFIX  "/loop"
#define LOCATION     1024u
#define TOKEN        "/token-%u" /* before the image's path, once the one before has expired */

/* The image on offer, or one that is being replaced and still on its way to somebody. */
struct content {
    unsigned references;
    uint32_t size;
    uint8_t bytes[];
};

struct fault {
    struct anycloud_http_fault what;
    char *location; /* NULL: here */
    bool fired;
};

struct anycloud_http {
    const struct nb_peer_server *server;
    anycloud_observer observer;
    void *context;
    char board[64];
    char job_path[256];
    struct anycloud_offer offer; /* its image pointer is not used */
    struct content *image;       /* NULL: no update */
    char digest[17];             /* of the image, in hex */
    unsigned generation;         /* ETag changes so far */
    unsigned token;              /* of the image's path; those before have expired … */
    unsigned expired_status;     /* … and are answered with this */
    void (*moved)(void *context);
    void *moved_context;
    struct fault faults[FAULTS];
    size_t fault_count;
};

/* What is asked, while it is answered. */
struct question {
    const struct nb_peer_server *server;
    const struct nb_peer_request *request;
    const char *plain; /* the path without the prefix of a redirect */
    bool post;
    char shown[PATH_SHOWN]; /* path for lines */
    enum anycloud_http_target target;
    bool expired;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct anycloud_http *http,
                                                       const char *format, ...)
{
    char line[PATH_SHOWN + 128];
    va_list arguments;
    if (http->observer == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    http->observer(http->context, line);
}

static void on_complaint(void *context, const char *text)
{
    tell(context, "bad http %s", text);
}

/* ---- faults ------------------------------------------------------------------------------ */

static const char *fault_word(enum anycloud_http_fault_kind kind)
{
    static const char *const words[ANYCLOUD_HTTP_FAULTS] = {
        [ANYCLOUD_HTTP_STATUS] = "status",
        [ANYCLOUD_HTTP_IGNORE_RANGE] = "ignore-range",
        [ANYCLOUD_HTTP_ETAG_CHANGE] = "etag-change",
        [ANYCLOUD_HTTP_REDIRECT] = "redirect",
        [ANYCLOUD_HTTP_REDIRECT_ABSOLUTE] = "redirect-absolute",
        [ANYCLOUD_HTTP_REDIRECT_LOOP] = "redirect-loop",
        [ANYCLOUD_HTTP_SLOW] = "slow",
        [ANYCLOUD_HTTP_EXPIRE] = "expire",
    };
    return words[kind];
}

/* The armed fault of that kind that fits, now fired; or NULL. */
static const struct fault *fire(struct anycloud_http *http, enum anycloud_http_fault_kind kind,
                                enum anycloud_http_target target, uint64_t from)
{
    for (size_t i = 0; i < http->fault_count; i++) {
        struct anycloud_http_fault *what = &http->faults[i].what;
        if (what->kind != kind || what->count == 0 ||
            (what->target != ANYCLOUD_HTTP_ANY && what->target != target) ||
            (what->from > 0 && (target != ANYCLOUD_HTTP_IMAGE || from < what->from)))
            continue;
        if (what->count != ANYCLOUD_HTTP_ALWAYS)
            what->count--;
        http->faults[i].fired = true;
        tell(http, "fault http-%s %u", fault_word(kind), what->argument);
        return &http->faults[i];
    }
    return NULL;
}

int anycloud_http_fault(struct anycloud_http *http, const struct anycloud_http_fault *fault)
{
    char *location = NULL;
    if (http->fault_count == FAULTS)
        return OTA_E_NO_SPACE;
    bool status = fault->kind == ANYCLOUD_HTTP_STATUS || fault->kind == ANYCLOUD_HTTP_EXPIRE;
    if (fault->kind >= ANYCLOUD_HTTP_FAULTS || fault->target > ANYCLOUD_HTTP_RESULT ||
        (status && (fault->argument < 200 || fault->argument > 599)))
        return OTA_E_ARGUMENT;
    if (fault->location != NULL) {
        location = strdup(fault->location);
        if (location == NULL)
            return OTA_E_NO_SPACE;
    }
    http->faults[http->fault_count++] = (struct fault){*fault, location, false};
    return OTA_OK;
}

size_t anycloud_http_unfired(const struct anycloud_http *http)
{
    size_t count = 0;
    for (size_t i = 0; i < http->fault_count; i++) {
        const struct fault *fault = &http->faults[i];
        bool always = fault->what.count == ANYCLOUD_HTTP_ALWAYS;
        count += always ? !fault->fired : fault->what.count > 0;
    }
    return count;
}

void anycloud_http_disarm(struct anycloud_http *http)
{
    for (size_t i = 0; i < http->fault_count; i++)
        free(http->faults[i].location);
    http->fault_count = 0;
}

/* ---- answers ----------------------------------------------------------------------------- */

static void release(void *context)
{
    struct content *content = context;
    if (content != NULL && --content->references == 0)
        free(content);
}

static const char *header(const struct question *question, const char *name)
{
    return question->server->header(question->request->exchange, name);
}

/* A reply that cannot be sent closes the connection: all that can be done about it. */
static void send_reply(const struct question *question, const struct nb_peer_reply *reply)
{
    (void)question->server->reply(question->request->exchange, reply);
}

static void send_status(const struct question *question, unsigned status)
{
    const struct nb_peer_reply reply = {.status = status};
    send_reply(question, &reply);
}

static void tell_get(const struct anycloud_http *http, const struct question *question,
                     const char *range, unsigned status)
{
    bool head = strcmp(question->request->method, "HEAD") == 0;
    tell(http, "http %s %s %s %u", head ? "head" : "get", question->shown, range, status);
}

/* What was asked, of which nothing is served: "FROM-TO", "FROM-" or "whole". */
static void asked_range(const struct question *question, char *out, size_t size)
{
    uint64_t from;
    uint64_t to;
    const char *text = header(question, "Range");
    snprintf(out, size, "whole");
    if (nb_http_range_parse(text, UINT64_MAX, &from, &to) != NB_RANGE_PART)
        return;
    if (to >= UINT64_MAX - 1)
        snprintf(out, size, "%llu-", (unsigned long long)from);
    else
        snprintf(out, size, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
}

/* An answer without content, to whatever was asked. */
static void send_empty(const struct anycloud_http *http, const struct question *question,
                       unsigned status, const char *name, const char *value)
{
    char range[48];
    const struct nb_peer_header field = {name, value};
    const struct nb_peer_reply reply = {
        .status = status, .headers = &field, .header_count = name != NULL};
    if (!question->post) {
        asked_range(question, range, sizeof range);
        tell_get(http, question, range, status);
    }
    send_reply(question, &reply);
}

/* ---- redirects --------------------------------------------------------------------------- */

/* "http://HOST:PORT", as the client sees us (it may come through a proxy). */
static void write_origin(const struct anycloud_http *http, const struct question *question,
                         char *out, size_t size)
{
    const char *scheme = http->server->tls ? "https" : "http";
    const char *host = header(question, "Host");
    bool good = host != NULL && host[0] != '\0' && strlen(host) < 256;
    for (const char *at = host; good && *at != '\0'; at++)
        good = *at > ' ' && *at <= '~' && *at != '/';
    if (good)
        snprintf(out, size, "%s://%s", scheme, host);
    else
        snprintf(out, size, "%s://127.0.0.1:%u", scheme, http->server->port);
}

static void send_redirect(const struct anycloud_http *http, const struct question *question,
                          const char *location)
{
    bool result = question->target == ANYCLOUD_HTTP_RESULT;
    send_empty(http, question, result ? 307 : 302, "Location", location);
}

/* true: a redirect was sent. */
static bool redirects(struct anycloud_http *http, const struct question *question, uint64_t from)
{
    char location[LOCATION];
    char origin[300] = "";
    const char *prefix = MOVED_PREFIX;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_REDIRECT, question->target, from);
    if (fault != NULL && fault->location != NULL) {
        send_redirect(http, question, fault->location);
        return true;
    }
    if (fault == NULL) {
        fault = fire(http, ANYCLOUD_HTTP_REDIRECT_ABSOLUTE, question->target, from);
        if (fault != NULL)
            write_origin(http, question, origin, sizeof origin);
    }
    if (fault == NULL) {
        fault = fire(http, ANYCLOUD_HTTP_REDIRECT_LOOP, question->target, from);
        prefix = LOOP_PREFIX;
    }
    if (fault == NULL)
        return false;
    snprintf(location, sizeof location, "%s%s%s", origin, prefix, question->plain);
    send_redirect(http, question, location);
    return true;
}

/* ---- paths that expire ------------------------------------------------------------------- */

static const char *plain_file(const struct anycloud_http *http)
{
    return http->offer.file[0] != '\0' ? http->offer.file : ANYCLOUD_FILE;
}

void anycloud_http_file(const struct anycloud_http *http, char *out, size_t size)
{
    if (http->token == 0)
        snprintf(out, size, "%s", plain_file(http));
    else
        snprintf(out, size, TOKEN "%s", http->token, plain_file(http));
}

/* The path is the image's, by this token. */
static bool is_file(const struct anycloud_http *http, const char *path, unsigned *token)
{
    int length = 0;
    *token = 0;
    if (strcmp(path, plain_file(http)) == 0)
        return true;
    return sscanf(path, TOKEN "%n", token, &length) == 1 &&
           strcmp(path + length, plain_file(http)) == 0 && *token <= http->token;
}

/* true: the path is no longer good, or is not from now on. */
static bool expires(struct anycloud_http *http, const struct question *question, uint64_t from)
{
    if (question->target != ANYCLOUD_HTTP_IMAGE || question->expired)
        return question->expired;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_EXPIRE, question->target, from);
    if (fault == NULL)
        return false;
    http->token++;
    http->expired_status = fault->what.argument;
    if (http->moved != NULL)
        http->moved(http->moved_context);
    return true;
}

/* ---- the job and the image --------------------------------------------------------------- */

static void write_etag(const struct anycloud_http *http, char *out, size_t size)
{
    snprintf(out, size, "\"%s-%u\"", http->digest, http->generation);
}

/* What can be served by ranges. */
struct entity {
    const uint8_t *bytes;
    uint32_t size;
    struct content *content; /* owner of the bytes; NULL: they are to be copied */
    const char *type;
    const char *etag; /* NULL: none */
};

static void reply_entity(const struct question *question, const struct entity *entity,
                         const char *content_range, uint64_t from, uint64_t length)
{
    struct nb_peer_header headers[MAX_HEADERS] = {{"Accept-Ranges", "bytes"},
                                                  {"Content-Type", entity->type}};
    struct nb_peer_reply reply = {.status = content_range != NULL ? 206 : 200,
                                  .headers = headers,
                                  .header_count = 2,
                                  .body = entity->bytes + from,
                                  .body_size = (size_t)length};
    if (entity->etag != NULL)
        headers[reply.header_count++] = (struct nb_peer_header){"ETag", entity->etag};
    if (content_range != NULL)
        headers[reply.header_count++] = (struct nb_peer_header){"Content-Range", content_range};
    if (entity->content != NULL) {
        entity->content->references++;
        reply.release = release;
        reply.owner = entity->content;
    }
    send_reply(question, &reply);
}

static void send_entity(struct anycloud_http *http, const struct question *question,
                        const struct entity *entity)
{
    char range[48] = "whole";
    char content_range[64];
    uint64_t from;
    uint64_t to;
    const char *text = header(question, "Range");
    const char *if_range = header(question, "If-Range");
    if (if_range != NULL && (entity->etag == NULL || strcmp(if_range, entity->etag) != 0))
        text = NULL;
    if (text != NULL &&
        fire(http, ANYCLOUD_HTTP_IGNORE_RANGE, question->target,
             nb_http_range_parse(text, entity->size, &from, &to) == NB_RANGE_PART ? from : 0) !=
            NULL)
        text = NULL;
    enum nb_http_range kind = nb_http_range_parse(text, entity->size, &from, &to);
    if (kind == NB_RANGE_UNSATISFIABLE) {
        snprintf(content_range, sizeof content_range, "bytes */%u", entity->size);
        send_empty(http, question, 416, "Content-Range", content_range);
        return;
    }
    bool part = kind == NB_RANGE_PART;
    if (part) {
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)from,
                 (unsigned long long)to);
        snprintf(content_range, sizeof content_range, "bytes %s/%u", range, entity->size);
    }
    tell_get(http, question, range, part ? 206 : 200);
    reply_entity(question, entity, part ? content_range : NULL, from,
                 entity->size == 0 ? 0 : to - from + 1);
}

static void send_job(struct anycloud_http *http, const struct question *question)
{
    char text[ANYCLOUD_DOCUMENT] = ANYCLOUD_NO_UPDATE;
    int length = sizeof ANYCLOUD_NO_UPDATE - 1;
    if (http->image != NULL) {
        struct anycloud_offer offer = http->offer;
        anycloud_http_file(http, offer.file, sizeof offer.file);
        length = anycloud_offer_document(&offer, "Update Available", http->board, &offer.version,
                                         NULL, text, sizeof text);
    }
    if (length < 0) {
        tell(http, "bad http job is too long");
        send_status(question, 500);
        return;
    }
    const struct entity entity = {
        .bytes = (const uint8_t *)text, .size = (uint32_t)length, .type = "application/json"};
    send_entity(http, question, &entity);
}

static void send_image(struct anycloud_http *http, const struct question *question)
{
    char etag[40];
    write_etag(http, etag, sizeof etag);
    const struct entity entity = {.bytes = http->image->bytes,
                                  .size = http->image->size,
                                  .content = http->image,
                                  .type = "application/octet-stream",
                                  .etag = etag};
    send_entity(http, question, &entity);
}

/* ---- the result -------------------------------------------------------------------------- */

/* "success", "failure" or "empty"; NULL: something else. */
static const char *result_word(const struct nb_peer_request *request)
{
    if (request->body_size == 0)
        return "empty"; /* all that the original's devices send, whatever the outcome */
    cJSON *root = cJSON_ParseWithLength(request->body, request->body_size);
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "Message"));
    const char *word = NULL;
    if (message != NULL && strcmp(message, "Success") == 0)
        word = "success";
    else if (message != NULL && strcmp(message, "Failure") == 0)
        word = "failure";
    cJSON_Delete(root);
    return word;
}

static void take_result(const struct anycloud_http *http, const struct question *question)
{
    bool cut = question->request->body_cut;
    const char *word = cut ? NULL : result_word(question->request);
    if (word != NULL)
        tell(http, "http post %s %s", question->shown, word);
    else
        tell(http, "bad http result is %s", cut ? "too long" : "not understood");
    send_status(question, word != NULL ? 200 : cut ? 413 : 400);
}

/* ---- requests ---------------------------------------------------------------------------- */

/* The path after `prefix`, which stands before another one; else the path itself. */
static const char *without(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(path, prefix, length) == 0 && path[length] == '/' ? path + length : path;
}

static bool is_get(const struct question *question)
{
    return strcmp(question->request->method, "GET") == 0 ||
           strcmp(question->request->method, "HEAD") == 0;
}

static void find_target(const struct anycloud_http *http, struct question *question)
{
    bool post = strcmp(question->request->method, "POST") == 0;
    unsigned token;
    question->post = post;
    question->plain = without(question->request->path, MOVED_PREFIX);
    question->target = ANYCLOUD_HTTP_ANY;
    if (is_file(http, question->plain, &token)) {
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_IMAGE;
        question->expired = !post && token < http->token;
    } else if (strcmp(question->plain, http->job_path) == 0) /* a job that named no file */
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_JOB;
    size_t length = 0;
    for (const char *at = question->request->path; *at != '\0' && length < PATH_SHOWN - 1; at++)
        question->shown[length++] = (char)(*at > ' ' && *at <= '~' ? *at : '?');
    question->shown[length] = '\0';
}

static void answer(struct anycloud_http *http, const struct question *question)
{
    uint64_t from = 0;
    uint64_t to;
    char size[32];
    const char *path = question->request->path;
    if (!question->post && !is_get(question)) {
        send_empty(http, question, 405, "Allow", "GET, HEAD, POST");
        return;
    }
    if (without(path, LOOP_PREFIX) != path) {
        send_redirect(http, question, path);
        return;
    }
    if (nb_http_range_parse(header(question, "Range"), UINT64_MAX, &from, &to) != NB_RANGE_PART)
        from = 0;
    if (question->target == ANYCLOUD_HTTP_IMAGE &&
        fire(http, ANYCLOUD_HTTP_ETAG_CHANGE, question->target, from) != NULL)
        http->generation++;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_STATUS, question->target, from);
    if (fault != NULL) {
        snprintf(size, sizeof size, "bytes */%u", http->image != NULL ? http->image->size : 0);
        send_empty(http, question, fault->what.argument,
                   fault->what.argument == 416 ? "Content-Range" : NULL, size);
    } else if (redirects(http, question, from)) {
        return;
    } else if (expires(http, question, from)) {
        send_empty(http, question, http->expired_status, NULL, NULL);
    } else if (question->target == ANYCLOUD_HTTP_RESULT) {
        take_result(http, question);
    } else if (question->target == ANYCLOUD_HTTP_JOB) {
        send_job(http, question);
    } else if (question->target == ANYCLOUD_HTTP_IMAGE && http->image != NULL) {
        send_image(http, question);
    } else {
        if (question->post)
            tell(http, "bad http result for %s", question->shown);
        send_empty(http, question, 404, NULL, NULL);
    }
}

static void on_request(void *owner, const struct nb_peer_request *request)
{
    struct anycloud_http *http = owner;
    struct question question = {.server = http->server, .request = request};
    find_target(http, &question);
    if (!request->again) {
        const struct fault *slow = fire(http, ANYCLOUD_HTTP_SLOW, question.target, 0);
        if (slow != NULL && http->server->later(request->exchange, slow->what.argument) == OTA_OK)
            return;
    }
    answer(http, &question);
}

/* ---- life -------------------------------------------------------------------------------- */

int anycloud_http_offer(struct anycloud_http *http, const struct anycloud_offer *offer)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct content *image = NULL;
    if (offer->image != NULL) {
        image = malloc(sizeof *image + offer->size);
        if (image == NULL ||
            EVP_Digest(offer->image, offer->size, digest, NULL, EVP_sha256(), NULL) != 1) {
            free(image);
            return OTA_E_NO_SPACE;
        }
        image->references = 1;
        image->size = offer->size;
        memcpy(image->bytes, offer->image, offer->size);
        for (size_t i = 0; i < 8; i++)
            snprintf(http->digest + 2 * i, 3, "%02x", digest[i]);
    }
    release(http->image);
    http->image = image;
    http->offer = *offer;
    http->token = 0;
    return OTA_OK;
}

struct anycloud_http *anycloud_http_new(const struct nb_peer_server *server,
                                        const struct anycloud_http_config *config,
                                        anycloud_observer observer, void *context)
{
    struct anycloud_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return NULL;
    http->server = server;
    http->observer = observer;
    http->context = context;
    http->moved = config->moved;
    http->moved_context = config->moved_context;
    snprintf(http->board, sizeof http->board, "%s", config->board != NULL ? config->board : "");
    snprintf(http->job_path, sizeof http->job_path, "%s",
             config->job_path != NULL ? config->job_path : ANYCLOUD_JOB_PATH);
    const struct nb_peer_handler handler = {on_request, on_complaint, http};
    server->serve(server->context, &handler);
    return http;
}

void anycloud_http_free(struct anycloud_http *http)
{
    if (http == NULL)
        return;
    http->server->serve(http->server->context, NULL);
    release(http->image);
    anycloud_http_disarm(http);
    free(http);
}

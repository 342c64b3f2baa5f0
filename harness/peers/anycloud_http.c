#include "harness/peers/anycloud_http.h"

#include "harness/peers/http_range.h"
#include "harness/peers/http_server.h"

#include <cjson/cJSON.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS       16u
#define MAX_RESULT   1024u /* of a result's body */
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
    struct nb_http_server *server;
    const char *scheme; /* "http" or "https" */
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

/* One request on its way. */
struct exchange {
    bool delayed;
    bool too_large;
    size_t size;
    char body[MAX_RESULT + 1];
};

/* What is asked, while it is answered. */
struct question {
    struct MHD_Connection *connection;
    const char *path;  /* as asked */
    const char *plain; /* without the prefix of a redirect */
    const char *method;
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
    return MHD_lookup_connection_value(question->connection, MHD_HEADER_KIND, name);
}

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Sends and gives up `response`. */
static enum MHD_Result send_response(const struct question *question, unsigned status,
                                     struct MHD_Response *response)
{
    enum MHD_Result result = MHD_queue_response(question->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static struct MHD_Response *text_response(const char *text)
{
    /* the library only reads what it is told to copy */
    return MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                           MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result send_text(const struct question *question, unsigned status, const char *text)
{
    struct MHD_Response *response = text_response(text);
    return response != NULL ? send_response(question, status, response) : MHD_NO;
}

static void tell_get(const struct anycloud_http *http, const struct question *question,
                     const char *range, unsigned status)
{
    bool head = strcmp(question->method, MHD_HTTP_METHOD_HEAD) == 0;
    tell(http, "http %s %s %s %u", head ? "head" : "get", question->shown, range, status);
}

/* What was asked, of which nothing is served: "FROM-TO", "FROM-" or "whole". */
static void asked_range(const struct question *question, char *out, size_t size)
{
    uint64_t from;
    uint64_t to;
    const char *text = header(question, MHD_HTTP_HEADER_RANGE);
    snprintf(out, size, "whole");
    if (nb_http_range_parse(text, UINT64_MAX, &from, &to) != NB_RANGE_PART)
        return;
    if (to >= UINT64_MAX - 1)
        snprintf(out, size, "%llu-", (unsigned long long)from);
    else
        snprintf(out, size, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
}

/* An answer without content, to whatever was asked. */
static enum MHD_Result send_empty(struct anycloud_http *http, const struct question *question,
                                  unsigned status, const char *name, const char *value)
{
    char range[48];
    struct MHD_Response *response = text_response("");
    if (response == NULL)
        return MHD_NO;
    if (name != NULL && !add(response, name, value)) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    if (strcmp(question->method, MHD_HTTP_METHOD_POST) != 0) {
        asked_range(question, range, sizeof range);
        tell_get(http, question, range, status);
    }
    return send_response(question, status, response);
}

/* ---- redirects --------------------------------------------------------------------------- */

/* "http://HOST:PORT", as the client sees us (it may come through a proxy). */
static void write_origin(const struct anycloud_http *http, const struct question *question,
                         char *out, size_t size)
{
    const char *host = header(question, MHD_HTTP_HEADER_HOST);
    bool good = host != NULL && host[0] != '\0' && strlen(host) < 256;
    for (const char *at = host; good && *at != '\0'; at++)
        good = *at > ' ' && *at <= '~' && *at != '/';
    if (good)
        snprintf(out, size, "%s://%s", http->scheme, host);
    else
        snprintf(out, size, "%s://127.0.0.1:%u", http->scheme, nb_http_server_port(http->server));
}

static enum MHD_Result send_redirect(struct anycloud_http *http, const struct question *question,
                                     const char *location)
{
    bool post = question->target == ANYCLOUD_HTTP_RESULT;
    return send_empty(http, question, post ? MHD_HTTP_TEMPORARY_REDIRECT : MHD_HTTP_FOUND,
                      MHD_HTTP_HEADER_LOCATION, location);
}

/* true: a redirect was sent, with *result. */
static bool redirects(struct anycloud_http *http, const struct question *question, uint64_t from,
                      enum MHD_Result *result)
{
    char location[LOCATION];
    char origin[300] = "";
    const char *prefix = MOVED_PREFIX;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_REDIRECT, question->target, from);
    if (fault != NULL && fault->location != NULL) {
        *result = send_redirect(http, question, fault->location);
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
    *result = send_redirect(http, question, location);
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

static struct MHD_Response *entity_response(const struct entity *entity, uint64_t from,
                                            uint64_t length)
{
    void *at = (void *)(uintptr_t)(entity->bytes + from); /* only read, see text_response */
    if (entity->content == NULL)
        return MHD_create_response_from_buffer((size_t)length, at, MHD_RESPMEM_MUST_COPY);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        (size_t)length, at, release, entity->content);
    if (response != NULL)
        entity->content->references++;
    return response;
}

static enum MHD_Result send_entity(struct anycloud_http *http, const struct question *question,
                                   const struct entity *entity)
{
    char range[48] = "whole";
    char content_range[64];
    uint64_t from;
    uint64_t to;
    const char *text = header(question, MHD_HTTP_HEADER_RANGE);
    const char *if_range = header(question, MHD_HTTP_HEADER_IF_RANGE);
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
        return send_empty(http, question, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                          MHD_HTTP_HEADER_CONTENT_RANGE, content_range);
    }
    bool part = kind == NB_RANGE_PART;
    if (part) {
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)from,
                 (unsigned long long)to);
        snprintf(content_range, sizeof content_range, "bytes %s/%u", range, entity->size);
    }
    struct MHD_Response *response =
        entity_response(entity, from, entity->size == 0 ? 0 : to - from + 1);
    if (response == NULL)
        return MHD_NO;
    if (!add(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes") ||
        !add(response, MHD_HTTP_HEADER_CONTENT_TYPE, entity->type) ||
        (entity->etag != NULL && !add(response, MHD_HTTP_HEADER_ETAG, entity->etag)) ||
        (part && !add(response, MHD_HTTP_HEADER_CONTENT_RANGE, content_range))) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    unsigned status = part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK;
    tell_get(http, question, range, status);
    return send_response(question, status, response);
}

static enum MHD_Result send_job(struct anycloud_http *http, const struct question *question)
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
        return send_text(question, MHD_HTTP_INTERNAL_SERVER_ERROR, "");
    }
    const struct entity entity = {
        .bytes = (const uint8_t *)text, .size = (uint32_t)length, .type = "application/json"};
    return send_entity(http, question, &entity);
}

static enum MHD_Result send_image(struct anycloud_http *http, const struct question *question)
{
    char etag[40];
    write_etag(http, etag, sizeof etag);
    const struct entity entity = {.bytes = http->image->bytes,
                                  .size = http->image->size,
                                  .content = http->image,
                                  .type = "application/octet-stream",
                                  .etag = etag};
    return send_entity(http, question, &entity);
}

/* ---- the result -------------------------------------------------------------------------- */

/* "success", "failure" or "empty"; NULL: something else. */
static const char *result_word(const struct exchange *exchange)
{
    if (exchange->size == 0)
        return "empty"; /* all that the original's devices send, whatever the outcome */
    cJSON *root = cJSON_ParseWithLength(exchange->body, exchange->size);
    const char *message = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "Message"));
    const char *word = NULL;
    if (message != NULL && strcmp(message, "Success") == 0)
        word = "success";
    else if (message != NULL && strcmp(message, "Failure") == 0)
        word = "failure";
    cJSON_Delete(root);
    return word;
}

static enum MHD_Result take_result(struct anycloud_http *http, const struct question *question,
                                   const struct exchange *exchange)
{
    const char *word = exchange->too_large ? NULL : result_word(exchange);
    if (word == NULL) {
        tell(http, "bad http result is %s", exchange->too_large ? "too long" : "not understood");
        return send_text(
            question, exchange->too_large ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST, "");
    }
    tell(http, "http post %s %s", question->shown, word);
    return send_text(question, MHD_HTTP_OK, "");
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
    return strcmp(question->method, MHD_HTTP_METHOD_GET) == 0 ||
           strcmp(question->method, MHD_HTTP_METHOD_HEAD) == 0;
}

static void find_target(const struct anycloud_http *http, struct question *question)
{
    bool post = strcmp(question->method, MHD_HTTP_METHOD_POST) == 0;
    unsigned token;
    question->plain = without(question->path, MOVED_PREFIX);
    question->target = ANYCLOUD_HTTP_ANY;
    if (is_file(http, question->plain, &token)) {
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_IMAGE;
        question->expired = !post && token < http->token;
    } else if (strcmp(question->plain, http->job_path) == 0) /* a job that named no file */
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_JOB;
    size_t length = 0;
    for (const char *at = question->path; *at != '\0' && length < PATH_SHOWN - 1; at++)
        question->shown[length++] = (char)(*at > ' ' && *at <= '~' ? *at : '?');
    question->shown[length] = '\0';
}

static enum MHD_Result answer(struct anycloud_http *http, const struct question *question,
                              const struct exchange *exchange)
{
    enum MHD_Result result;
    uint64_t from = 0;
    uint64_t to;
    char size[32];
    bool post = strcmp(question->method, MHD_HTTP_METHOD_POST) == 0;
    if (!post && !is_get(question))
        return send_empty(http, question, MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW,
                          "GET, HEAD, POST");
    if (without(question->path, LOOP_PREFIX) != question->path)
        return send_redirect(http, question, question->path);
    if (nb_http_range_parse(header(question, MHD_HTTP_HEADER_RANGE), UINT64_MAX, &from, &to) !=
        NB_RANGE_PART)
        from = 0;
    if (question->target == ANYCLOUD_HTTP_IMAGE &&
        fire(http, ANYCLOUD_HTTP_ETAG_CHANGE, question->target, from) != NULL)
        http->generation++;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_STATUS, question->target, from);
    if (fault != NULL) {
        snprintf(size, sizeof size, "bytes */%u", http->image != NULL ? http->image->size : 0);
        return send_empty(http, question, fault->what.argument,
                          fault->what.argument == 416 ? MHD_HTTP_HEADER_CONTENT_RANGE : NULL, size);
    }
    if (redirects(http, question, from, &result))
        return result;
    if (expires(http, question, from))
        return send_empty(http, question, http->expired_status, NULL, NULL);
    if (question->target == ANYCLOUD_HTTP_RESULT)
        return take_result(http, question, exchange);
    if (question->target == ANYCLOUD_HTTP_JOB)
        return send_job(http, question);
    if (question->target == ANYCLOUD_HTTP_IMAGE && http->image != NULL)
        return send_image(http, question);
    if (post)
        tell(http, "bad http result for %s", question->shown);
    return send_empty(http, question, MHD_HTTP_NOT_FOUND, NULL, NULL);
}

static void collect(struct exchange *exchange, const char *data, size_t size)
{
    if (size > MAX_RESULT - exchange->size) {
        exchange->too_large = true;
        return;
    }
    memcpy(exchange->body + exchange->size, data, size);
    exchange->size += size;
}

/* Called when the headers are there, for each piece of a body, and at the end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **slot)
{
    struct anycloud_http *http = context;
    struct exchange *exchange = *slot;
    (void)version;
    if (exchange == NULL) {
        *slot = calloc(1, sizeof *exchange);
        return *slot != NULL ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        collect(exchange, data, *size);
        *size = 0;
        return MHD_YES;
    }
    struct question question = {.connection = connection, .path = url, .method = method};
    find_target(http, &question);
    if (!exchange->delayed) {
        exchange->delayed = true;
        const struct fault *slow = fire(http, ANYCLOUD_HTTP_SLOW, question.target, 0);
        if (slow != NULL &&
            nb_http_server_delay(http->server, connection, slow->what.argument) == OTA_OK)
            return MHD_YES;
    }
    return answer(http, &question, exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    free(*slot);
    *slot = NULL;
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

struct anycloud_http *anycloud_http_new(struct posix_loop *loop,
                                        const struct anycloud_http_config *config,
                                        anycloud_observer observer, void *context, char *reason,
                                        size_t reason_size)
{
    struct anycloud_http *http = calloc(1, sizeof *http);
    snprintf(reason, reason_size, "out of memory");
    if (http == NULL)
        return NULL;
    http->observer = observer;
    http->context = context;
    http->moved = config->moved;
    http->moved_context = config->moved_context;
    http->scheme = config->cert_path != NULL ? "https" : "http";
    snprintf(http->board, sizeof http->board, "%s", config->board != NULL ? config->board : "");
    snprintf(http->job_path, sizeof http->job_path, "%s",
             config->job_path != NULL ? config->job_path : ANYCLOUD_JOB_PATH);
    const struct nb_http_server_config server = {
        .address = config->address,
        .port = config->port,
        .cert_path = config->cert_path,
        .key_path = config->key_path,
        .ca_path = config->ca_path,
        .handle = on_request,
        .completed = on_completed,
        .complain = on_complaint,
        .context = http,
    };
    http->server = nb_http_server_new(loop, &server, reason, reason_size);
    if (http->server != NULL)
        return http;
    free(http);
    return NULL;
}

void anycloud_http_free(struct anycloud_http *http)
{
    if (http == NULL)
        return;
    nb_http_server_free(http->server);
    release(http->image);
    anycloud_http_disarm(http);
    free(http);
}

uint16_t anycloud_http_port(const struct anycloud_http *http)
{
    return nb_http_server_port(http->server);
}

#include "harness/peers/anycloud_http.h"

#include "harness/peers/http_answer.h"
#include "harness/peers/http_range.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS       16u
#define MOVED_PREFIX "/moved" /* where redirects lead: the same things again */
#define LOOP_PREFIX  "/loop"
#define LOCATION     1024u
#define TOKEN        "/token-%u" /* before the image's path, once the one before has expired */

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
    struct nb_content *image;    /* NULL: no update */
    char tag[NB_TAG_SIZE];       /* of the image */
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
    struct nb_asked asked;
    const char *plain; /* the path without the prefix of a redirect */
    bool post;
    enum anycloud_http_target target;
    bool expired;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct anycloud_http *http,
                                                       const char *format, ...)
{
    char line[NB_PATH_SHOWN + 128];
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

/* ---- redirects --------------------------------------------------------------------------- */

/* "http://HOST:PORT", as the client sees us (it may come through a proxy). */
static void write_origin(const struct anycloud_http *http, const struct question *question,
                         char *out, size_t size)
{
    const char *scheme = http->server->tls ? "https" : "http";
    const char *host = nb_asked_header(&question->asked, "Host");
    bool good = host != NULL && host[0] != '\0' && strlen(host) < 256;
    for (const char *at = host; good && *at != '\0'; at++)
        good = *at > ' ' && *at <= '~' && *at != '/';
    if (good)
        snprintf(out, size, "%s://%s", scheme, host);
    else
        snprintf(out, size, "%s://127.0.0.1:%u", scheme, http->server->port);
}

static void send_redirect(const struct question *question, const char *location)
{
    bool result = question->target == ANYCLOUD_HTTP_RESULT;
    nb_answer_status(&question->asked, result ? 307 : 302, "Location", location);
}

/* true: a redirect was sent. */
static bool redirects(struct anycloud_http *http, const struct question *question, uint64_t from)
{
    char location[LOCATION];
    char origin[300] = "";
    const char *prefix = MOVED_PREFIX;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_REDIRECT, question->target, from);
    if (fault != NULL && fault->location != NULL) {
        send_redirect(question, fault->location);
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
    send_redirect(question, location);
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
    snprintf(out, size, "\"%s-%u\"", http->tag, http->generation);
}

static void send_entity(struct anycloud_http *http, const struct question *question,
                        const struct nb_entity *entity)
{
    uint64_t from;
    uint64_t to;
    const char *range = nb_asked_range(&question->asked, entity->etag);
    if (range != NULL &&
        fire(http, ANYCLOUD_HTTP_IGNORE_RANGE, question->target,
             nb_http_range_parse(range, entity->size, &from, &to) == NB_RANGE_PART ? from : 0) !=
            NULL)
        range = NULL;
    nb_answer_entity(&question->asked, entity, range);
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
        nb_answer_status(&question->asked, 500, NULL, NULL);
        return;
    }
    const struct nb_entity entity = {
        .bytes = text, .size = (uint32_t)length, .type = "application/json"};
    send_entity(http, question, &entity);
}

static void send_image(struct anycloud_http *http, const struct question *question)
{
    char etag[40];
    write_etag(http, etag, sizeof etag);
    const struct nb_entity entity = {.bytes = http->image->bytes,
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
    const struct nb_peer_request *request = question->asked.request;
    bool cut = request->body_cut;
    const char *word = cut ? NULL : result_word(request);
    if (word != NULL)
        tell(http, "http post %s %s", question->asked.shown, word);
    else
        tell(http, "bad http result is %s", cut ? "too long" : "not understood");
    nb_answer_status(&question->asked, word != NULL ? 200 : cut ? 413 : 400, NULL, NULL);
}

/* ---- requests ---------------------------------------------------------------------------- */

/* The path after `prefix`, which stands before another one; else the path itself. */
static const char *without(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(path, prefix, length) == 0 && path[length] == '/' ? path + length : path;
}

static void find_target(const struct anycloud_http *http, struct question *question)
{
    const struct nb_peer_request *request = question->asked.request;
    bool post = strcmp(request->method, "POST") == 0;
    unsigned token;
    question->post = post;
    question->plain = without(request->path, MOVED_PREFIX);
    question->target = ANYCLOUD_HTTP_ANY;
    if (is_file(http, question->plain, &token)) {
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_IMAGE;
        question->expired = !post && token < http->token;
    } else if (strcmp(question->plain, http->job_path) == 0) /* a job that named no file */
        question->target = post ? ANYCLOUD_HTTP_RESULT : ANYCLOUD_HTTP_JOB;
}

static void answer(struct anycloud_http *http, const struct question *question)
{
    uint64_t from = 0;
    uint64_t to;
    char size[32];
    const char *path = question->asked.request->path;
    if (!question->post && !nb_asked_for_content(&question->asked)) {
        nb_answer_status(&question->asked, 405, "Allow", "GET, HEAD, POST");
        return;
    }
    if (without(path, LOOP_PREFIX) != path) {
        send_redirect(question, path);
        return;
    }
    if (nb_http_range_parse(nb_asked_header(&question->asked, "Range"), UINT64_MAX, &from, &to) !=
        NB_RANGE_PART)
        from = 0;
    if (question->target == ANYCLOUD_HTTP_IMAGE &&
        fire(http, ANYCLOUD_HTTP_ETAG_CHANGE, question->target, from) != NULL)
        http->generation++;
    const struct fault *fault = fire(http, ANYCLOUD_HTTP_STATUS, question->target, from);
    if (fault != NULL) {
        snprintf(size, sizeof size, "bytes */%u", http->image != NULL ? http->image->size : 0);
        nb_answer_status(&question->asked, fault->what.argument,
                         fault->what.argument == 416 ? "Content-Range" : NULL, size);
    } else if (redirects(http, question, from)) {
        return;
    } else if (expires(http, question, from)) {
        nb_answer_status(&question->asked, http->expired_status, NULL, NULL);
    } else if (question->target == ANYCLOUD_HTTP_RESULT) {
        take_result(http, question);
    } else if (question->target == ANYCLOUD_HTTP_JOB) {
        send_job(http, question);
    } else if (question->target == ANYCLOUD_HTTP_IMAGE && http->image != NULL) {
        send_image(http, question);
    } else {
        if (question->post)
            tell(http, "bad http result for %s", question->asked.shown);
        nb_answer_status(&question->asked, 404, NULL, NULL);
    }
}

static void on_request(void *owner, const struct nb_peer_request *request)
{
    struct anycloud_http *http = owner;
    struct question question = {.post = false};
    nb_asked_init(&question.asked, http->server, request, http->observer, http->context);
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
    struct nb_content *image = NULL;
    if (offer->image != NULL) {
        image = nb_content_new(offer->image, offer->size);
        if (image == NULL)
            return OTA_E_NO_SPACE;
        nb_content_tag(image, http->tag);
    }
    nb_content_release(http->image);
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
    nb_content_release(http->image);
    anycloud_http_disarm(http);
    free(http);
}

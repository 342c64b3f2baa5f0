#include "harness/peers/http_answer.h"

#include "harness/peers/http_range.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS 4u

/* ---- content ------------------------------------------------------------------------------- */

struct nb_content *nb_content_new(const void *bytes, uint32_t size)
{
    struct nb_content *content = malloc(sizeof *content + size);
    if (content == NULL)
        return NULL;
    content->references = 1;
    content->size = size;
    if (size > 0)
        memcpy(content->bytes, bytes, size);
    return content;
}

void nb_content_release(void *context)
{
    struct nb_content *content = context;
    if (content != NULL && --content->references == 0)
        free(content);
}

void nb_content_tag(const struct nb_content *content, char out[NB_TAG_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    out[0] = '\0';
    if (EVP_Digest(content->bytes, content->size, digest, NULL, EVP_sha256(), NULL) != 1)
        return;
    for (size_t i = 0; i < NB_TAG_SIZE / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* ---- requests ------------------------------------------------------------------------------ */

void nb_asked_init(struct nb_asked *asked, const struct nb_peer_server *server,
                   const struct nb_peer_request *request,
                   void (*line)(void *context, const char *text), void *context)
{
    size_t length = 0;
    *asked = (struct nb_asked){server, request, "", line, context};
    for (const char *at = request->path; *at != '\0' && length < NB_PATH_SHOWN - 1; at++)
        asked->shown[length++] = (char)(*at > ' ' && *at <= '~' ? *at : '?');
}

bool nb_asked_for_content(const struct nb_asked *asked)
{
    return strcmp(asked->request->method, "GET") == 0 ||
           strcmp(asked->request->method, "HEAD") == 0;
}

const char *nb_asked_header(const struct nb_asked *asked, const char *name)
{
    return asked->server->header(asked->request->exchange, name);
}

const char *nb_asked_range(const struct nb_asked *asked, const char *etag)
{
    const char *if_range = nb_asked_header(asked, "If-Range");
    if (if_range != NULL && (etag == NULL || strcmp(if_range, etag) != 0))
        return NULL;
    return nb_asked_header(asked, "Range");
}

/* ---- answers ------------------------------------------------------------------------------- */

static void tell(const struct nb_asked *asked, const char *range, unsigned status)
{
    char line[NB_PATH_SHOWN + 128];
    bool head = strcmp(asked->request->method, "HEAD") == 0;
    if (asked->line == NULL)
        return;
    snprintf(line, sizeof line, "http %s %s %s %u", head ? "head" : "get", asked->shown, range,
             status);
    asked->line(asked->context, line);
}

/* A reply that cannot be sent closes the connection: all that can be done about it. */
static void send_reply(const struct nb_asked *asked, const struct nb_peer_reply *reply)
{
    (void)asked->server->reply(asked->request->exchange, reply);
}

/* What was asked, of which nothing is served: "FROM-TO", "FROM-" or "whole". */
static void print_asked(const struct nb_asked *asked, char *out, size_t size)
{
    uint64_t from;
    uint64_t to;
    const char *text = nb_asked_header(asked, "Range");
    snprintf(out, size, "whole");
    if (nb_http_range_parse(text, UINT64_MAX, &from, &to) != NB_RANGE_PART)
        return;
    if (to >= UINT64_MAX - 1)
        snprintf(out, size, "%llu-", (unsigned long long)from);
    else
        snprintf(out, size, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
}

void nb_answer_status(const struct nb_asked *asked, unsigned status, const char *name,
                      const char *value)
{
    char range[48];
    const struct nb_peer_header field = {name, value};
    const struct nb_peer_reply reply = {
        .status = status, .headers = &field, .header_count = name != NULL};
    if (strcmp(asked->request->method, "POST") != 0) {
        print_asked(asked, range, sizeof range);
        tell(asked, range, status);
    }
    send_reply(asked, &reply);
}

static void reply_part(const struct nb_asked *asked, const struct nb_entity *entity,
                       const char *content_range, uint64_t from, uint64_t length)
{
    struct nb_peer_header headers[MAX_HEADERS] = {{"Accept-Ranges", "bytes"},
                                                  {"Content-Type", entity->type}};
    struct nb_peer_reply reply = {.status = content_range != NULL ? 206 : 200,
                                  .headers = headers,
                                  .header_count = 2,
                                  .body = (const uint8_t *)entity->bytes + from,
                                  .body_size = (size_t)length};
    if (entity->etag != NULL)
        headers[reply.header_count++] = (struct nb_peer_header){"ETag", entity->etag};
    if (content_range != NULL)
        headers[reply.header_count++] = (struct nb_peer_header){"Content-Range", content_range};
    if (entity->content != NULL) {
        entity->content->references++;
        reply.release = nb_content_release;
        reply.owner = entity->content;
    }
    send_reply(asked, &reply);
}

void nb_answer_entity(const struct nb_asked *asked, const struct nb_entity *entity,
                      const char *range)
{
    char served[48] = "whole";
    char content_range[64];
    uint64_t from;
    uint64_t to;
    if (entity->size == 0) /* as real servers do: there is no part of nothing */
        range = NULL;
    enum nb_http_range kind = nb_http_range_parse(range, entity->size, &from, &to);
    if (kind == NB_RANGE_UNSATISFIABLE) {
        snprintf(content_range, sizeof content_range, "bytes */%u", entity->size);
        nb_answer_status(asked, 416, "Content-Range", content_range);
        return;
    }
    bool part = kind == NB_RANGE_PART;
    if (part) {
        snprintf(served, sizeof served, "%llu-%llu", (unsigned long long)from,
                 (unsigned long long)to);
        snprintf(content_range, sizeof content_range, "bytes %s/%u", served, entity->size);
    }
    tell(asked, served, part ? 206 : 200);
    reply_part(asked, entity, part ? content_range : NULL, from,
               entity->size == 0 ? 0 : to - from + 1);
}

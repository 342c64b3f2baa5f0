/* Answers of a cloud side over HTTP: bytes by ranges, or a status alone, each with the line that
 * says what was asked and served:
 *   http get PATH FROM-TO|whole STATUS | http head …
 * FROM-TO is what was served; of an answer without content, what was asked (TO may be missing).
 * Private to harness/peers. */
#ifndef NOBRICK_HARNESS_PEERS_HTTP_ANSWER_H
#define NOBRICK_HARNESS_PEERS_HTTP_ANSWER_H

#include "harness/peers/peer.h"

#define NB_PATH_SHOWN 200u

/* Bytes that are served, and still are while others have taken their place. */
struct nb_content {
    unsigned references;
    uint32_t size;
    uint8_t bytes[];
};

/* A copy of the bytes with one reference; NULL when memory runs out. */
struct nb_content *nb_content_new(const void *bytes, uint32_t size);
/* Drops a reference. `content` is a struct nb_content; NULL is fine. */
void nb_content_release(void *content);

/* An entity tag that follows from the bytes, without quotes: 16 hex digits of their SHA-256, ""
 * when that cannot be computed. */
#define NB_TAG_SIZE 17u
void nb_content_tag(const struct nb_content *content, char out[NB_TAG_SIZE]);

/* A request, while it is answered. */
struct nb_asked {
    const struct nb_peer_server *server;
    const struct nb_peer_request *request;
    char shown[NB_PATH_SHOWN]; /* its path, for lines */
    void (*line)(void *context, const char *text);
    void *context;
};

/* `line` may be NULL. */
void nb_asked_init(struct nb_asked *asked, const struct nb_peer_server *server,
                   const struct nb_peer_request *request,
                   void (*line)(void *context, const char *text), void *context);
/* GET or HEAD. */
bool nb_asked_for_content(const struct nb_asked *asked);
/* A header of the request; NULL: it has none. */
const char *nb_asked_header(const struct nb_asked *asked, const char *name);
/* The Range that is to be served of content with this entity tag (NULL: it has none), with If-Range
 * looked at; NULL: all of it. */
const char *nb_asked_range(const struct nb_asked *asked, const char *etag);

/* What can be served by ranges. */
struct nb_entity {
    const void *bytes;
    uint32_t size;
    struct nb_content *content; /* owner of the bytes; NULL: they are copied */
    const char *type;
    const char *etag; /* with its quotes; NULL: none */
};

/* Answers with the entity, or with its part that `range` names; 416 where there is none. */
void nb_answer_entity(const struct nb_asked *asked, const struct nb_entity *entity,
                      const char *range);
/* Answers with a status alone, and one header unless `name` is NULL. Of a POST there is no line. */
void nb_answer_status(const struct nb_asked *asked, unsigned status, const char *name,
                      const char *value);

#endif

/* The AnyCloud cloud side over HTTP(S): the job document, the image by ranges, the result.
 *
 * It stands on harness/peers/peer.h and knows no HTTP library and no world; its observer is called
 * in the server's thread. It answers a Range also for the job document, as devices in the field
 * need, and keeps its headers under 500 bytes. It survives any request. It tells the truth, except
 * for the faults below; replies that no honest HTTP library sends (a wrong length or range, broken
 * chunking) are played by the fault proxy. */
#ifndef NOBRICK_HARNESS_PEERS_ANYCLOUD_HTTP_H
#define NOBRICK_HARNESS_PEERS_ANYCLOUD_HTTP_H

#include "harness/peers/anycloud_cloud.h"
#include "harness/peers/peer.h"

#define ANYCLOUD_JOB_PATH "/ota_update.json"

struct anycloud_http;

struct anycloud_http_config {
    const char *board;    /* named by jobs whose offer names none */
    const char *job_path; /* NULL: ANYCLOUD_JOB_PATH */
    /* May be NULL. The image has another path from now on, see ANYCLOUD_HTTP_EXPIRE: whoever else
     * hands out jobs for it must name anycloud_http_file. */
    void (*moved)(void *context);
    void *moved_context;
};

/* What a request is about. */
enum anycloud_http_target {
    ANYCLOUD_HTTP_ANY,
    ANYCLOUD_HTTP_JOB,
    ANYCLOUD_HTTP_IMAGE,
    ANYCLOUD_HTTP_RESULT, /* a POST */
};

enum anycloud_http_fault_kind {
    ANYCLOUD_HTTP_STATUS,            /* answered with status `argument` (404, 416, 503, …) */
    ANYCLOUD_HTTP_IGNORE_RANGE,      /* 200 and all of it, although a range was asked */
    ANYCLOUD_HTTP_ETAG_CHANGE,       /* the image has another ETag from now on */
    ANYCLOUD_HTTP_REDIRECT,          /* sent to `location`, or to another path by a relative one */
    ANYCLOUD_HTTP_REDIRECT_ABSOLUTE, /* to another path, by a full URL */
    ANYCLOUD_HTTP_REDIRECT_LOOP,     /* to a path that leads to itself for ever */
    ANYCLOUD_HTTP_SLOW,              /* answered after `argument` ms */
    ANYCLOUD_HTTP_EXPIRE, /* the image's path is answered with status `argument` from now on; the
                           * job names another one */
    ANYCLOUD_HTTP_FAULTS
};

#define ANYCLOUD_HTTP_ALWAYS UINT32_MAX

/* Each is consumed by the first request it fits; `count` times. */
struct anycloud_http_fault {
    enum anycloud_http_fault_kind kind;
    enum anycloud_http_target target;
    uint32_t argument;
    uint32_t from;        /* ranges of the image that begin before this byte do not fit */
    uint32_t count;       /* or ANYCLOUD_HTTP_ALWAYS */
    const char *location; /* ANYCLOUD_HTTP_REDIRECT; copied; NULL: here */
};

/* NULL when memory runs out. Lines for the observer, one a request:
 *   http get PATH FROM-TO|whole STATUS | http head … | http post PATH success|failure|empty
 *   fault http-WORD ARGUMENT | bad http WHY
 * FROM-TO is what was served; of an answer without content, what was asked (TO may be missing).
 * The server is the caller's and is freed after this. `config` is not kept. */
struct anycloud_http *anycloud_http_new(const struct nb_peer_server *server,
                                        const struct anycloud_http_config *config,
                                        anycloud_observer observer, void *context);
void anycloud_http_free(struct anycloud_http *http); /* NULL is fine */

/* From now on, at a path that has not expired. The image is copied: answers that are under way keep
 * theirs. Image NULL: the job says that there is no update. */
OTA_MUST_CHECK int anycloud_http_offer(struct anycloud_http *http,
                                       const struct anycloud_offer *offer);
OTA_MUST_CHECK int anycloud_http_fault(struct anycloud_http *http,
                                       const struct anycloud_http_fault *fault);
/* Faults armed and not yet fired. */
size_t anycloud_http_unfired(const struct anycloud_http *http);
/* Forgets all that are armed. What has expired stays so. */
void anycloud_http_disarm(struct anycloud_http *http);
/* The path that a job names for the image at present. */
void anycloud_http_file(const struct anycloud_http *http, char *out, size_t size);

#endif

/* AnyCloud's JSON documents as the cloud side sees them: what devices ask, what it answers.
 *
 * Parsing accepts what the original publisher accepts, and never more than it can use: a topic that
 * cannot be published to is refused here. Numbers may come as strings. */
#ifndef NOBRICK_HARNESS_PEERS_ANYCLOUD_DOCUMENTS_H
#define NOBRICK_HARNESS_PEERS_ANYCLOUD_DOCUMENTS_H

#include "agent/image/mcuboot.h"

#define ANYCLOUD_TOPIC     257u  /* with its NUL */
#define ANYCLOUD_DOCUMENT  1024u /* the largest that devices take */
#define ANYCLOUD_NO_UPDATE "{\"Message\": \"No Update Available\"}"

enum anycloud_request_kind {
    ANYCLOUD_UPDATE_AVAILABILITY,
    ANYCLOUD_REQUEST_UPDATE,
    ANYCLOUD_REQUEST_DATA_CHUNK,
    ANYCLOUD_SUCCESS,
    ANYCLOUD_FAILURE,
    ANYCLOUD_SEND_DIRECT_UPDATE, /* the only one without a topic */
};

struct anycloud_request {
    enum anycloud_request_kind kind;
    char topic[ANYCLOUD_TOPIC]; /* UniqueTopicName; "" for a direct update */
    char board[64];             /* BoardName; "": not given */
    bool has_version;
    struct img_version version; /* what the device runs */
    bool has_offset;
    int64_t offset;
    bool has_size;
    int64_t size;
};

/* 0, or OTA_E_JSON / OTA_E_JOB_FIELD with a static reason in *why. Any bytes may be passed. */
OTA_MUST_CHECK int anycloud_request_parse(const uint8_t *data, size_t length,
                                          struct anycloud_request *out, const char **why);

enum anycloud_connection { ANYCLOUD_OVER_MQTT, ANYCLOUD_OVER_HTTP, ANYCLOUD_OVER_HTTPS };

struct anycloud_job {
    const char *message; /* "Update Available", "Result Received" */
    const char *board;
    struct img_version version;
    enum anycloud_connection connection; /* where the image is */
    const char *host;                    /* Broker or Server; "": where the job came from */
    uint16_t port;                       /* 0: the usual one of the connection */
    const char *file;                    /* HTTP only: path on the server */
    const char *topic;                   /* UniqueTopicName; NULL: the job came by HTTP, without */
};

/* Writes the job document. Returns its length, or OTA_E_NO_SPACE. */
OTA_MUST_CHECK int anycloud_document(const struct anycloud_job *job, char *out, size_t size);

#endif

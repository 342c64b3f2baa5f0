/* The seam between the update session and one system's way of speaking.
 *
 * A protocol is a table of pure functions: it names topics, writes the documents that the device
 * sends and understands what arrives. It keeps no state, touches no flash and sends nothing; the
 * session does. Writers return the length of the text they wrote (NUL-terminated) or a negative
 * ota_err; OTA_E_NO_SPACE when it does not fit. */
#ifndef NOBRICK_AGENT_PROTOCOL_PROTOCOL_H
#define NOBRICK_AGENT_PROTOCOL_PROTOCOL_H

#include "agent/update/session.h"

/* Who speaks: what a writer may mention. `inbox` is the topic on which this session listens. */
struct ota_speaker {
    const struct ota_identity *identity;
    const char *topic_prefix;
    const char *inbox;
    struct img_version running;
};

enum ota_message_kind {
    OTA_MESSAGE_OTHER,     /* understood as none of these: of no interest */
    OTA_MESSAGE_JOB,       /* an offer: `version` */
    OTA_MESSAGE_NO_UPDATE, /* nothing to do */
    OTA_MESSAGE_CHUNK,     /* a piece of the image: `chunk` */
    OTA_MESSAGE_ERASE,     /* forget the stored image of `version`, if it is not needed */
};

/* A piece of the image, consistent in itself: offset + size <= total, size > 0, offset and size are
 * those of piece `offset / step`, and ota_is_chunk_size(step). `data` points into the message. */
struct ota_chunk {
    struct img_version version;
    uint32_t total;
    uint32_t offset;
    uint32_t size;
    uint32_t step; /* what the publisher cuts the image into */
    const uint8_t *data;
};

/* Where a job says the image is. */
struct ota_source {
    enum ota_connection connection;
    char host[OTA_HOST_MAX]; /* "": the broker or server that the world was configured with */
    uint16_t port;           /* with a host only */
    char path[OTA_PATH_MAX]; /* begins with '/'; "": none was named */
};

/* What a job says of an image that says nothing of itself. */
struct ota_voucher {
    uint8_t digest[CRYPTO_SHA256_SIZE]; /* of the whole file */
    bool is_signed;
    uint8_t signature[64]; /* ECDSA P-256 over that digest, r || s */
};

/* A way to the offered image from one that is stored here. */
struct ota_patch {
    uint32_t base_version; /* as rows of a store count them */
    uint8_t base_digest[CRYPTO_SHA256_SIZE];
    struct ota_source source; /* of the patch */
    uint8_t digest[CRYPTO_SHA256_SIZE];
    uint8_t target_digest[CRYPTO_SHA256_SIZE]; /* of what comes out */
};

struct ota_message {
    enum ota_message_kind kind;
    struct img_version version; /* of a job, as far as it was understood */
    struct ota_source source;   /* of a job that was understood */
    struct ota_voucher voucher; /* the same, where the protocol has any */
    const char *fault;          /* what an error is about, static; NULL: not said */
    struct ota_chunk chunk;
};

struct ota_protocol {
    const char *name;
    const char *will_topic;
    const char *will_payload;
    /* The topic to listen on, unlike any other device's or session's. */
    int (*inbox)(const struct ota_speaker *speaker, uint64_t nonce, char *out, size_t size);
    /* The topic that all devices of the board listen on for a direct update. */
    int (*direct_inbox)(const struct ota_speaker *speaker, char *out, size_t size);
    /* The topic that the cloud side listens on. */
    int (*outbox)(const struct ota_speaker *speaker, char *out, size_t size);
    int (*ask)(const struct ota_speaker *speaker, char *out, size_t size);
    int (*request)(const struct ota_speaker *speaker, char *out, size_t size);
    int (*request_direct)(const struct ota_speaker *speaker, char *out, size_t size);
    int (*request_chunk)(const struct ota_speaker *speaker, uint32_t offset, uint32_t length,
                         char *out, size_t size);
    int (*result)(const struct ota_speaker *speaker, bool success, char *out, size_t size);
    /* The same as the body of a POST to `path`. */
    int (*result_body)(const char *path, bool success, char *out, size_t size);
    const char *job_path; /* where an HTTP server keeps the job document */
    /* Understands one message. On an error `kind` still says what it seemed to be: OTA_MESSAGE_JOB
     * with _JSON, _NO_SPACE, _JOB_FIELD, _JOB_BOARD or _UNSUPPORTED, OTA_MESSAGE_CHUNK with
     * _CHUNK. After _JOB_BOARD version and source are as good as after 0. */
    int (*read)(const struct ota_speaker *speaker, const uint8_t *data, size_t length,
                struct ota_message *out);
    /* The patch that stands `from_last` places before the last one that a job document names, which
     * is the one to be looked at first. OTA_E_NO_IMAGE: there are no more; OTA_E_JOB_FIELD: this
     * one makes no sense, the next may. NULL: this protocol has none. */
    int (*patch)(const uint8_t *data, size_t length, size_t from_last, struct ota_patch *out);
};

#endif

/* The seams between what runs on a device and the world around it.
 *
 * agent/ reaches the outside through these structs of function pointers and through nothing else.
 * A world (sim/posix, later sim/virtual and sim/cortexm) fills them in; `context` is the world's
 * own and is passed back first in every call. Nothing blocks: a call that needs time returns at
 * once and its outcome comes later as an event to ota_step(). Every call that can fail returns 0
 * or a negative ota_err and must be checked. Pointers handed into a call are the caller's and are
 * not kept after it returns, unless a comment says otherwise. */
#ifndef NOBRICK_AGENT_PORTS_H
#define NOBRICK_AGENT_PORTS_H

#include "agent/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTA_MUST_CHECK __attribute__((warn_unused_result))

/* ---- flash ------------------------------------------------------------------------------- */

/* One erase sector and the rules of the chip it lies on. Addresses are offsets into the device's
 * flash: its chips one after another, in the device file's order. */
struct flash_sector {
    uint32_t start; /* address of the sector's first byte */
    uint32_t size;  /* bytes erased together */
    uint32_t unit;  /* smallest program, and its alignment, in bytes */
    uint32_t page;  /* a program may not cross a multiple of this; 0: no limit */
    uint8_t erased; /* value of an erased byte: 0xFF or 0x00 */
};

struct flash_port {
    void *context;
    /* Any address and length inside one device. OTA_E_FLASH_READ when a unit cannot be read. */
    int (*read)(void *context, uint32_t address, void *data, uint32_t length);
    /* Whole units, inside one page; bits move away from the erased value only. */
    int (*program)(void *context, uint32_t address, const void *data, uint32_t length);
    /* Exactly one sector: `address` is its start. */
    int (*erase)(void *context, uint32_t address);
    /* Everything programmed and erased so far is durable when this returns. */
    int (*sync)(void *context);
    /* The sector that holds `address`. OTA_E_FLASH_BOUNDS beyond the last chip. */
    int (*sector)(void *context, uint32_t address, struct flash_sector *out);
};

/* ---- crypto ------------------------------------------------------------------------------ */

#define CRYPTO_SHA256_SIZE 32

enum crypto_scheme {
    CRYPTO_ECDSA_P256,  /* signature: DER SEQUENCE of r and s; key: DER SubjectPublicKeyInfo */
    CRYPTO_RSA2048_PSS, /* MGF1-SHA256, salt 32; key: DER PKCS#1 RSAPublicKey */
};

struct crypto_key {
    enum crypto_scheme scheme;
    const uint8_t *der;
    size_t der_size;
};

struct crypto_port {
    void *context;
    int (*sha256)(void *context, const void *data, size_t length,
                  uint8_t digest[CRYPTO_SHA256_SIZE]);
    /* Digest of a range of flash: a port may use its hardware, or remember what it has hashed. */
    int (*sha256_flash)(void *context, const struct flash_port *flash, uint32_t address,
                        uint32_t length, uint8_t digest[CRYPTO_SHA256_SIZE]);
    /* 0: the signature over `digest` is good; OTA_E_IMG_SIGNATURE: it is not. */
    int (*verify)(void *context, const struct crypto_key *key,
                  const uint8_t digest[CRYPTO_SHA256_SIZE], const uint8_t *signature,
                  size_t signature_size);
};

/* ---- monotonic counter ------------------------------------------------------------------- */

struct nv_port {
    void *context;
    int (*get)(void *context, uint32_t *value);
    int (*raise)(void *context, uint32_t value); /* never lowers; lower or equal: 0, no change */
};

/* ---- MQTT -------------------------------------------------------------------------------- */

struct mqtt_connect {
    const char *host; /* NULL: the broker that the world was configured with, as it was */
    uint16_t port;    /* with a host only */
    const char *client_id;
    uint16_t keep_alive_s;
    bool clean_session;
    const char *will_topic; /* NULL: no will */
    const char *will_payload;
};

/* One client connection at a time. Whether it is TLS, and whom it trusts, is the world's to know.
 * Results arrive as OTA_EVENT_MQTT_*. After CLOSED nothing else arrives until the next connect. */
struct mqtt_port {
    void *context;
    int (*connect)(void *context, const struct mqtt_connect *options);
    int (*subscribe)(void *context, const char *topic, int qos);
    int (*unsubscribe)(void *context, const char *topic);
    int (*publish)(void *context, const char *topic, const void *payload, size_t length, int qos);
    int (*disconnect)(void *context); /* CLOSED follows, with code 0 */
};

/* ---- HTTP -------------------------------------------------------------------------------- */

enum http_method { HTTP_GET, HTTP_POST };

struct http_request {
    enum http_method method;
    bool tls;
    const char *host; /* NULL: the server that the world was configured with, with its TLS; when
                       * `tls` and that has none: OTA_E_UNSUPPORTED */
    uint16_t port;
    const char *path; /* begins with '/' */
    bool ranged;      /* ask for bytes [from, to] of it */
    uint32_t from;
    uint32_t to;          /* inclusive; UINT32_MAX: to the end */
    const char *if_range; /* entity tag or date that the range belongs to; NULL: none */
    const char *body;     /* of a POST: JSON; NULL: none */
};

/* What the server answered before the body. Redirects are followed by the world, a few of them. */
struct http_head {
    unsigned status;
    bool has_length;
    uint64_t length; /* of the body */
    bool has_range;  /* Content-Range: from-to/total; has_total false: total is unknown */
    uint64_t from;
    uint64_t to;
    bool has_total;
    uint64_t total;
    char etag[64]; /* "": none, or longer than this */
    /* Last-Modified, where that is a strong validator (RFC 9110, 8.8.2.2: the answer was written a
     * minute after it, or later) and there is no entity tag of any kind; else "". */
    char modified[32];
    uint32_t retry_after_s; /* Retry-After: not asked for sooner, please; 0: not said */
};

/* One request at a time. Its events: HEAD, any number of BODY, and DONE as the last one, with code
 * 0 when the body was complete. After cancel no event of the request comes any more. */
struct http_port {
    void *context;
    int (*request)(void *context, const struct http_request *request);
    void (*cancel)(void *context);
};

/* ---- time, chance, platform -------------------------------------------------------------- */

struct clock_port {
    void *context;
    uint64_t (*now_ms)(void *context); /* monotonic; starts anywhere */
    /* One-shot timer `id` (0..OTA_TIMERS-1): OTA_EVENT_TIMER after `ms`; arming again moves it. */
    int (*arm)(void *context, unsigned id, uint32_t ms);
    void (*disarm)(void *context, unsigned id);
};

#define OTA_TIMERS 4

struct random_port {
    void *context;
    int (*bytes)(void *context, void *out, size_t length);
};

enum ota_log_level { OTA_LOG_ERROR, OTA_LOG_WARNING, OTA_LOG_NOTICE, OTA_LOG_INFO, OTA_LOG_DEBUG };

struct platform_port {
    void *context;
    /* May return: the world resets the device when the running step has returned. */
    void (*reset)(void *context);
    int (*watchdog_start)(void *context, uint32_t timeout_ms);
    void (*watchdog_feed)(void *context);
    /* code: 0, or the ota_err that the text is about, which is not said in it. */
    void (*log)(void *context, enum ota_log_level level, const char *text, int code);
};

/* ---- events ------------------------------------------------------------------------------ */

enum ota_event_type {
    OTA_EVENT_START,           /* the application hands control to the agent */
    OTA_EVENT_TIMER,           /* id */
    OTA_EVENT_CHECK,           /* operator or application: look for an update now */
    OTA_EVENT_MQTT_CONNECTED,  /* code: 0, or why it failed */
    OTA_EVENT_MQTT_SUBSCRIBED, /* code */
    OTA_EVENT_MQTT_PUBLISHED,  /* code: 0 when the broker has it (QoS 1: acknowledged) */
    OTA_EVENT_MQTT_MESSAGE,    /* topic, data, length: valid only during the step */
    OTA_EVENT_MQTT_CLOSED,     /* code: 0 asked for, else why */
    OTA_EVENT_HTTP_HEAD,       /* head: valid only during the step */
    OTA_EVENT_HTTP_BODY,       /* data, length: valid only during the step */
    OTA_EVENT_HTTP_DONE,       /* code: 0, or why the request failed or broke off */
};

struct ota_event {
    enum ota_event_type type;
    int code;
    unsigned id;
    const char *topic;
    const uint8_t *data;
    size_t length;
    const struct http_head *head;
};

#endif

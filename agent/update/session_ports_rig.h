/* What session_rig.h stands on: the ports that its device is given, which tell the story, and the
 * images that are made for it. */
#ifndef NOBRICK_AGENT_UPDATE_SESSION_PORTS_RIG_H
#define NOBRICK_AGENT_UPDATE_SESSION_PORTS_RIG_H

#include "agent/protocol/anycloud.h"
#include "agent/sha256_rig.h"
#include "agent/update/session_state.h"
#include "flashsim/flashsim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_SLOT     (64u * 1024)
#define RIG_MAX_END  (60u * 1024)
#define RIG_JOURNAL  (8u * 1024)
#define RIG_IMAGE    (RIG_SLOT + 8192u)
#define RIG_PROGRESS (8u * 1024)
#define RIG_FLASH    (2 * RIG_SLOT + RIG_JOURNAL + RIG_PROGRESS)
#define RIG_NO_TIMER UINT32_MAX
#define RIG_MESSAGE  (ANYCLOUD_HEADER_SIZE + OTA_CHUNK_MAX)

struct rig {
    struct flash_sim *sim;
    struct ota_agent agent;
    uint8_t piece[OTA_CHUNK_SIZE];
    char text[OTA_JSON_MAX + 1];
    unsigned state; /* of the agent, as far as it was told */
    struct ota_config config;
    struct ota_ports ports;
    struct mqtt_port mqtt;
    struct http_port http;
    struct clock_port clock;
    struct random_port random;
    struct platform_port platform;
    struct crypto_port crypto;
    char story[65536];
    size_t told;    /* up to where the story was checked */
    uint32_t armed; /* the deadline, RIG_NO_TIMER without one */
    uint32_t chance;
    uint16_t keep_alive_s;       /* of the last connect */
    int mqtt_error;              /* what connect, subscribe and publish return */
    int http_error;              /* what request returns */
    struct http_request request; /* the last one: its texts are not to be read */
    bool requested;              /* it is under way */
    unsigned requests;           /* so many there were */
    const char *etag;            /* of the image, as the server says; "": none */
    const char *modified;        /* the same of its date */
    bool linked;                 /* without a connection the latter two fail in any case */
    unsigned resets;
    uint32_t cut_at; /* flash operation, and how it is cut */
    enum flash_tear cut;
    enum flash_tear cuts[FLASH_TEAR_COUNT]; /* all ways to cut it */
    size_t cut_count;
    int verdict; /* of every signature */
    uint8_t image[RIG_IMAGE];
    uint32_t image_size;
    uint32_t step;                    /* bytes of a chunk by MQTT */
    struct img_version image_version; /* as announced */
};

/* ---- the ports --------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static inline void rig_tell(struct rig *rig,
                                                                  const char *format, ...)
{
    va_list args;
    size_t length = strlen(rig->story);
    va_start(args, format);
    vsnprintf(rig->story + length, sizeof rig->story - length, format, args);
    va_end(args);
}

static inline int rig_connect(void *context, const struct mqtt_connect *options)
{
    struct rig *rig = context;
    rig_tell(rig, "> connect %s", options->client_id);
    rig->keep_alive_s = options->keep_alive_s;
    if (options->host != NULL)
        rig_tell(rig, " %s:%u", options->host, options->port);
    rig_tell(rig, "\n");
    return rig->mqtt_error;
}

static inline int rig_subscribe(void *context, const char *topic, int qos)
{
    struct rig *rig = context;
    rig_tell(rig, "> subscribe %s %d\n", topic, qos);
    return rig->linked ? rig->mqtt_error : OTA_E_DISCONNECTED;
}

static inline int rig_publish(void *context, const char *topic, const void *payload, size_t length,
                              int qos)
{
    struct rig *rig = context;
    rig_tell(rig, "> publish %s %d %.*s\n", topic, qos, (int)length, (const char *)payload);
    return rig->linked ? rig->mqtt_error : OTA_E_DISCONNECTED;
}

static inline int rig_disconnect(void *context)
{
    rig_tell(context, "> disconnect\n");
    ((struct rig *)context)->linked = false;
    return 0;
}

/* "> get [tls] [HOST:PORT]PATH [FROM-TO] [if TAG]" or "> post … BODY" */
static inline int rig_request(void *context, const struct http_request *request)
{
    struct rig *rig = context;
    assert_false(rig->requested); /* one at a time */
    rig_tell(rig, "> %s %s", request->method == HTTP_GET ? "get" : "post",
             request->tls ? "tls " : "");
    if (request->host != NULL)
        rig_tell(rig, "%s:%u", request->host, request->port);
    rig_tell(rig, "%s", request->path);
    if (request->ranged && request->to == UINT32_MAX)
        rig_tell(rig, " %u-", request->from);
    else if (request->ranged)
        rig_tell(rig, " %u-%u", request->from, request->to);
    if (request->if_range != NULL)
        rig_tell(rig, " if %s", request->if_range);
    rig_tell(rig, "%s%s\n", request->body != NULL ? " " : "",
             request->body != NULL ? request->body : "");
    rig->request = *request;
    rig->requests++;
    rig->requested = rig->http_error == 0;
    return rig->http_error;
}

static inline void rig_cancel(void *context)
{
    struct rig *rig = context;
    assert_true(rig->requested);
    rig->requested = false;
    rig_tell(rig, "> cancel\n");
}

static inline uint64_t rig_now(void *context)
{
    (void)context;
    return 0;
}

static inline int rig_arm(void *context, unsigned id, uint32_t ms)
{
    struct rig *rig = context;
    assert_int_equal(id, 0);
    rig->armed = ms;
    return 0;
}

static inline void rig_disarm(void *context, unsigned id)
{
    struct rig *rig = context;
    assert_int_equal(id, 0);
    rig->armed = RIG_NO_TIMER;
}

static inline int rig_bytes(void *context, void *out, size_t length)
{
    struct rig *rig = context;
    for (size_t i = 0; i < length; i++) {
        rig->chance = rig->chance * 1103515245u + 12345u;
        ((uint8_t *)out)[i] = (uint8_t)(rig->chance >> 16);
    }
    return 0;
}

static inline void rig_reset(void *context)
{
    struct rig *rig = context;
    rig->resets++;
    rig_tell(rig, "> reset\n");
}

static inline void rig_log(void *context, enum ota_log_level level, const char *text, int code)
{
    (void)context;
    (void)level;
    (void)text;
    (void)code;
}

static inline int rig_verify(void *context, const struct crypto_key *key, const uint8_t digest[32],
                             const uint8_t *signature, size_t size)
{
    (void)key;
    (void)digest;
    (void)signature;
    (void)size;
    return ((struct rig *)context)->verdict;
}

static inline void rig_notify(void *context, const struct ota_notice *notice)
{
    static const char *const words[] = {
        [OTA_NOTICE_STATE] = "state",       [OTA_NOTICE_JOB] = "job",
        [OTA_NOTICE_PROGRESS] = "progress", [OTA_NOTICE_REFUSED] = "refused",
        [OTA_NOTICE_PENDING] = "pending",   [OTA_NOTICE_CONFIRMED] = "confirmed",
        [OTA_NOTICE_REPORTED] = "reported", [OTA_NOTICE_IDLE] = "idle",
        [OTA_NOTICE_ERASED] = "erased",     [OTA_NOTICE_PATCH] = "patch",
    };
    const struct img_version *v = &notice->version;
    struct rig *rig = context;
    /* Whatever a test does: nobody goes where the table does not lead. */
    if (notice->type == OTA_NOTICE_STATE && notice->state != rig->state &&
        rig->agent.config.decide == NULL) /* who leads elsewhere, too */
        assert_true(ota_state_leads_to(rig->state, notice->state));
    rig->state = notice->state;
    if (notice->type == OTA_NOTICE_PROGRESS)
        rig_tell(context, "progress %u %u\n", notice->done, notice->total);
    else if (notice->type == OTA_NOTICE_JOB || notice->type == OTA_NOTICE_PENDING ||
             notice->type == OTA_NOTICE_CONFIRMED)
        rig_tell(context, "%s %u.%u.%u\n", words[notice->type], v->major, v->minor, v->revision);
    else
        rig_tell(context, "%s %s\n", words[notice->type],
                 notice->type == OTA_NOTICE_STATE ? ota_state_word(notice->state)
                                                  : ota_err_word(notice->code));
}

static inline enum flash_tear rig_observe(void *context, struct flash_sim *sim,
                                          const struct flash_op *op)
{
    struct rig *rig = context;
    if (op->index != rig->cut_at)
        return FLASH_TEAR_NONE;
    rig->cut_count = flash_sim_tears(sim, op, rig->cuts);
    return rig->cut;
}

/* ---- images ------------------------------------------------------------------------------ */

static inline void rig_put(uint8_t *at, uint32_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t rig_tlv(uint8_t *at, uint32_t type, const void *data, uint32_t size)
{
    rig_put(at, type, 2);
    rig_put(at + 2, size, 2);
    memcpy(at + 4, data, size);
    return 4 + size;
}

#define RIG_KEY "a public key"

/* An image of version major.0.0 whose payload is made from `seed`. Returns its size. */
static inline uint32_t rig_make_image(uint8_t *out, uint8_t major, uint32_t payload, uint8_t seed)
{
    uint8_t hash[32];
    static const uint8_t signature[] = {0x30, 0x04, 'g', 'o', 'o', 'd'};
    memset(out, 0, IMG_HEADER_SIZE);
    rig_put(out, IMG_MAGIC, 4);
    rig_put(out + 8, IMG_HEADER_SIZE, 2);
    rig_put(out + 12, payload, 4);
    out[20] = major;
    for (uint32_t i = 0; i < payload; i++)
        out[IMG_HEADER_SIZE + i] = (uint8_t)(i * 7 + i / 256 + seed);
    uint32_t tlv = IMG_HEADER_SIZE + payload;
    uint32_t end = tlv + IMG_TLV_INFO_SIZE;
    SHA256(out, tlv, hash);
    end += rig_tlv(out + end, IMG_TLV_SHA256, hash, sizeof hash);
    SHA256((const uint8_t *)RIG_KEY, strlen(RIG_KEY), hash);
    end += rig_tlv(out + end, IMG_TLV_KEYHASH, hash, sizeof hash);
    end += rig_tlv(out + end, IMG_TLV_ECDSA_SIG, signature, sizeof signature);
    rig_put(out + tlv, IMG_TLV_MAGIC, 2);
    rig_put(out + tlv + 2, end - tlv, 2);
    return end;
}

static inline void rig_put_area(struct rig *rig, const struct flash_area *area, uint32_t offset,
                                const void *data, uint32_t size)
{
    assert_int_equal(flash_sim_put(rig->sim, area->address + offset, data, size), 0);
}

/* The image that the cloud offers from now on, announced as what it is. */
static inline void rig_offer(struct rig *rig, uint8_t major, uint32_t payload, uint8_t seed)
{
    rig->image_size = rig_make_image(rig->image, major, payload, seed);
    rig->image_version = (struct img_version){.major = major};
}

#endif

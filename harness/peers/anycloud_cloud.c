#include "harness/peers/anycloud_cloud.h"

#include "harness/peers/anycloud_documents.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_ID     "nobrick-cloud-%08x"
#define KEEP_ALIVE_S  60
#define RECONNECT_MS  1000
#define TIMER_CONNECT 0
#define TIMER_REST    1
#define WINDOW        8 /* chunks that the broker has not acknowledged */
#define SESSIONS      ANYCLOUD_SESSIONS
#define HEADER_SIZE   32u
#define LARGEST_CHUNK 65535u /* the header counts its data in 16 bits */
#define TOPIC_SIZE    ANYCLOUD_TOPIC
#define ALL_OF_IT     (-1)

/* One device's conversation, by the topic on which it listens. */
struct session {
    char topic[TOPIC_SIZE];     /* "": free */
    uint64_t used;              /* when, in messages */
    struct img_version version; /* offered last */
    bool offered;
    /* the sender */
    bool sending;
    bool reverse;
    uint64_t rests_until; /* ms; 0: it does not */
    uint32_t next;        /* chunks handed over so far */
    uint32_t count;
};

struct anycloud_cloud {
    const struct mqtt_port *mqtt;
    const struct clock_port *clock;
    anycloud_observer observer;
    void *context;
    char board[64];
    char notify_topic[TOPIC_SIZE]; /* devices publish here */
    char direct_topic[TOPIC_SIZE];
    bool connected;
    bool ready;
    unsigned outstanding; /* publications without an answer */
    uint64_t messages;
    struct anycloud_offer offer;
    struct session sessions[SESSIONS];
    size_t turn; /* the session that sends next */
    struct anycloud_faults faults;
    uint8_t message[HEADER_SIZE + LARGEST_CHUNK];
};

__attribute__((format(printf, 2, 3))) static void tell(const struct anycloud_cloud *cloud,
                                                       const char *format, ...)
{
    char line[TOPIC_SIZE + 64];
    va_list arguments;
    if (cloud->observer == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    cloud->observer(cloud->context, line);
}

/* ---- faults ------------------------------------------------------------------------------ */

/* The armed fault of that kind that fits, now fired; or NULL. */
static const struct anycloud_armed *fire(struct anycloud_cloud *cloud,
                                         enum anycloud_fault_kind kind, uint32_t index)
{
    const struct anycloud_armed *fault = anycloud_faults_fire(&cloud->faults, kind, index);
    if (fault != NULL)
        tell(cloud, "fault %s %u", anycloud_fault_word(kind), fault->index);
    return fault;
}

int anycloud_cloud_fault(struct anycloud_cloud *cloud, const struct anycloud_fault *fault)
{
    return fault->raw_size > LARGEST_CHUNK ? OTA_E_ARGUMENT
                                           : anycloud_faults_arm(&cloud->faults, fault);
}

void anycloud_cloud_disarm(struct anycloud_cloud *cloud)
{
    anycloud_faults_disarm(&cloud->faults);
}

size_t anycloud_cloud_unfired(const struct anycloud_cloud *cloud)
{
    return anycloud_faults_unfired(&cloud->faults);
}

/* ---- sending ----------------------------------------------------------------------------- */

static int publish(struct anycloud_cloud *cloud, const char *topic, const void *data, size_t size)
{
    int result = cloud->mqtt->publish(cloud->mqtt->context, topic, data, size, 1);
    if (result == OTA_OK)
        cloud->outstanding++;
    else
        tell(cloud, "bad publish: %s", ota_err_word(result));
    return result;
}

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, value);
    put_u16(at + 2, value >> 16);
}

struct chunk {
    uint32_t offset;
    uint32_t size;
    uint32_t index;
    uint32_t total; /* chunks */
};

/* off size  0 8 magic, 8 2 offset of data, 10 2 type, 12 6 version, 18 4 total size,
 * 22 4 image offset, 26 2 data size, 28 2 chunks, 30 2 index; little-endian */
static size_t encode_chunk(struct anycloud_cloud *cloud, const struct img_version *version,
                           const struct chunk *chunk)
{
    uint8_t *at = cloud->message;
    memcpy(at, "OTAImage", 8);
    put_u16(at + 8, HEADER_SIZE);
    put_u16(at + 10, 0);
    put_u16(at + 12, version->major);
    put_u16(at + 14, version->minor);
    put_u16(at + 16, version->revision);
    put_u32(at + 18, cloud->offer.size);
    put_u32(at + 22, chunk->offset);
    put_u16(at + 26, chunk->size);
    put_u16(at + 28, chunk->total);
    put_u16(at + 30, chunk->index);
    memcpy(at + HEADER_SIZE, cloud->offer.image + chunk->offset, chunk->size);
    return HEADER_SIZE + chunk->size;
}

/* What is no other header after it is not worth a word. */
static void patch_message(struct anycloud_cloud *cloud, const struct anycloud_armed *patch)
{
    uint8_t before[HEADER_SIZE];
    memcpy(before, cloud->message, HEADER_SIZE);
    memcpy(cloud->message + patch->at, patch->raw, patch->raw_size);
    if (memcmp(before, cloud->message, HEADER_SIZE) != 0)
        tell(cloud, "header patched %u", patch->index);
}

/* Sends one chunk, faults included. *repeat: it is to be sent once more. */
static int send_chunk(struct anycloud_cloud *cloud, const char *topic,
                      const struct img_version *version, const struct chunk *chunk, bool *repeat)
{
    uint32_t number = chunk->offset / cloud->offer.chunk_size; /* as faults count them */
    if (fire(cloud, ANYCLOUD_DROP_CHUNK, number) != NULL)
        return OTA_OK;
    const struct anycloud_armed *job = fire(cloud, ANYCLOUD_JOB_BEFORE_CHUNK, number);
    if (job != NULL) {
        int result = publish(cloud, topic, job->raw, job->raw_size);
        if (result != OTA_OK)
            return result;
    }
    const struct anycloud_armed *raw = fire(cloud, ANYCLOUD_RAW_CHUNK, number);
    if (raw != NULL)
        return publish(cloud, topic, raw->raw, raw->raw_size);
    size_t size = encode_chunk(cloud, version, chunk);
    if (fire(cloud, ANYCLOUD_CORRUPT_CHUNK, number) != NULL)
        cloud->message[HEADER_SIZE + chunk->size / 2] ^= 0x01;
    const struct anycloud_armed *patch = fire(cloud, ANYCLOUD_PATCH_CHUNK, number);
    if (patch != NULL && patch->at <= size && patch->raw_size <= size - patch->at)
        patch_message(cloud, patch);
    *repeat = fire(cloud, ANYCLOUD_REPEAT_CHUNK, number) != NULL;
    int result = publish(cloud, topic, cloud->message, size);
    if (result == OTA_OK)
        tell(cloud, "chunk %u %u %u", chunk->index, chunk->offset, chunk->size);
    return result;
}

/* A fault made the sender rest, and it is not over. */
static bool rests(struct anycloud_cloud *cloud, struct session *session, uint32_t number)
{
    uint64_t now = cloud->clock->now_ms(cloud->clock->context);
    const struct anycloud_armed *late = fire(cloud, ANYCLOUD_LATE_CHUNK, number);
    if (late != NULL && cloud->clock->arm(cloud->clock->context, TIMER_REST, late->at) == OTA_OK)
        session->rests_until = now + late->at;
    return session->rests_until > now;
}

/* Hands over the next chunk of one sender. false: it has nothing to do, or must wait. */
static bool advance(struct anycloud_cloud *cloud, struct session *session)
{
    uint32_t size = cloud->offer.chunk_size;
    if (!session->sending)
        return false;
    if (session->next < session->count) {
        struct chunk chunk = {.total = session->count};
        bool repeat = false;
        chunk.index = session->reverse ? session->count - 1 - session->next : session->next;
        chunk.offset = chunk.index * size;
        chunk.size = cloud->offer.size - chunk.offset;
        if (chunk.size > size)
            chunk.size = size;
        if (rests(cloud, session, chunk.offset / size))
            return false;
        int result = send_chunk(cloud, session->topic, &session->version, &chunk, &repeat);
        if (result == OTA_E_BUSY && cloud->outstanding > 0)
            return false; /* again when the broker has taken something */
        if (result == OTA_OK && repeat)
            result = send_chunk(cloud, session->topic, &session->version, &chunk, &repeat);
        session->next++;
        session->sending = result == OTA_OK;
    }
    if (session->sending && session->next == session->count) {
        session->sending = false;
        tell(cloud, "sent %s", session->topic);
    }
    return true;
}

/* Lets the senders work in turn, as long as the window has room. */
static void pump(struct anycloud_cloud *cloud)
{
    size_t idle = 0;
    while (cloud->ready && cloud->outstanding < WINDOW && idle < SESSIONS) {
        idle = advance(cloud, &cloud->sessions[cloud->turn]) ? 0 : idle + 1;
        cloud->turn = (cloud->turn + 1) % SESSIONS;
    }
}

/* ---- sessions ---------------------------------------------------------------------------- */

/* The session of `topic`; the one that was silent for longest gives way to a new one. */
static struct session *find_session(struct anycloud_cloud *cloud, const char *topic)
{
    struct session *oldest = &cloud->sessions[0];
    for (size_t i = 0; i < SESSIONS; i++) {
        struct session *session = &cloud->sessions[i];
        if (strcmp(session->topic, topic) == 0) {
            session->used = cloud->messages;
            return session;
        }
        if (session->used < oldest->used)
            oldest = session;
    }
    *oldest = (struct session){.used = cloud->messages};
    snprintf(oldest->topic, sizeof oldest->topic, "%s", topic);
    return oldest;
}

int anycloud_offer_document(const struct anycloud_offer *offer, const char *message,
                            const char *board, const struct img_version *version, const char *topic,
                            char *out, size_t size)
{
    const struct anycloud_job job = {
        .message = message,
        .board = offer->board[0] != '\0' ? offer->board : board,
        .version = *version,
        .connection = offer->connection,
        .host = offer->host,
        .port = offer->port,
        .file = offer->file[0] != '\0' ? offer->file : ANYCLOUD_FILE,
        .topic = topic,
    };
    return anycloud_document(&job, out, size);
}

static int send_document(struct anycloud_cloud *cloud, const char *topic, const char *message,
                         const struct img_version *version)
{
    char text[ANYCLOUD_DOCUMENT];
    int length = anycloud_offer_document(&cloud->offer, message, cloud->board, version, topic, text,
                                         sizeof text);
    if (length < 0) {
        tell(cloud, "bad topic is too long for a job");
        return length;
    }
    return publish(cloud, topic, text, (size_t)length);
}

static void refuse(struct anycloud_cloud *cloud, const char *topic)
{
    if (publish(cloud, topic, ANYCLOUD_NO_UPDATE, sizeof ANYCLOUD_NO_UPDATE - 1) == OTA_OK)
        tell(cloud, "no-update %s", topic);
}

static bool wants_offer(const struct anycloud_cloud *cloud, const struct anycloud_request *request)
{
    if (cloud->offer.image == NULL)
        return false;
    if (cloud->offer.board[0] != '\0' && request->board[0] != '\0' &&
        strcmp(cloud->offer.board, request->board) != 0)
        return false;
    return !request->has_version ||
           img_version_compare(&cloud->offer.version, &request->version) > 0;
}

static void on_available(struct anycloud_cloud *cloud, const struct anycloud_request *request)
{
    const struct img_version *v = &request->version;
    if (request->has_version)
        tell(cloud, "available %u.%u.%u %s", v->major, v->minor, v->revision, request->topic);
    else
        tell(cloud, "available - %s", request->topic);
    struct session *session = find_session(cloud, request->topic);
    session->sending = false;
    if (fire(cloud, ANYCLOUD_SILENT_JOB, 0) != NULL)
        return;
    const struct anycloud_armed *raw = fire(cloud, ANYCLOUD_RAW_JOB, 0);
    if (raw != NULL) {
        (void)publish(cloud, request->topic, raw->raw, raw->raw_size);
        return;
    }
    if (!wants_offer(cloud, request)) {
        refuse(cloud, request->topic);
        return;
    }
    session->version = cloud->offer.version;
    session->offered = true;
    v = &session->version;
    if (send_document(cloud, request->topic, "Update Available", v) == OTA_OK)
        tell(cloud, "offered %u.%u.%u %s", v->major, v->minor, v->revision, request->topic);
}

static void on_request(struct anycloud_cloud *cloud, const char *topic)
{
    uint32_t size = cloud->offer.chunk_size;
    tell(cloud, "request %s", topic);
    if (cloud->offer.image == NULL) {
        refuse(cloud, topic);
        return;
    }
    struct session *session = find_session(cloud, topic);
    if (!session->offered)
        session->version = cloud->offer.version;
    session->next = 0;
    session->count = cloud->offer.size / size + (cloud->offer.size % size != 0);
    if (session->count > UINT16_MAX) {
        tell(cloud, "bad image has more chunks than the header can count");
        return;
    }
    session->sending = true;
    session->reverse = fire(cloud, ANYCLOUD_REVERSE, 0) != NULL;
}

static void on_chunk_request(struct anycloud_cloud *cloud, const struct anycloud_request *request)
{
    uint32_t image = cloud->offer.size;
    if (cloud->offer.image == NULL) {
        refuse(cloud, request->topic);
        return;
    }
    if (!request->has_offset || request->offset < 0 || request->offset >= image) {
        tell(cloud, "bad chunk request: offset is missing or beyond the image");
        return;
    }
    if (!request->has_size || request->size == 0 || request->size < ALL_OF_IT) {
        tell(cloud, "bad chunk request: size is missing or not positive");
        return;
    }
    struct chunk chunk = {.offset = (uint32_t)request->offset};
    uint32_t rest = image - chunk.offset;
    uint32_t step = request->size == ALL_OF_IT || request->size > LARGEST_CHUNK
                        ? LARGEST_CHUNK
                        : (uint32_t)request->size;
    chunk.size = rest < step ? rest : step;
    if (request->size == ALL_OF_IT && chunk.offset % cloud->offer.chunk_size == 0)
        step =
            cloud->offer.chunk_size; /* "the rest" has no size to count in; this fits the others */
    chunk.index = chunk.offset / step;
    chunk.total = image / step + (image % step != 0);
    if (chunk.total > UINT16_MAX) {
        tell(cloud, "bad chunk request: more chunks than the header can count");
        return;
    }
    tell(cloud, "chunk-request %u %u", chunk.offset, chunk.size);
    const struct session *session = find_session(cloud, request->topic);
    bool repeat = false;
    const struct img_version *version =
        session->offered ? &session->version : &cloud->offer.version;
    if (send_chunk(cloud, request->topic, version, &chunk, &repeat) == OTA_OK && repeat)
        (void)send_chunk(cloud, request->topic, version, &chunk, &repeat);
}

static void on_result(struct anycloud_cloud *cloud, const char *topic, bool success)
{
    tell(cloud, "result %s %s", success ? "success" : "failure", topic);
    const struct session *session = find_session(cloud, topic);
    (void)send_document(cloud, topic, "Result Received",
                        session->offered ? &session->version : &cloud->offer.version);
}

/* ---- events ------------------------------------------------------------------------------ */

static void on_message(struct anycloud_cloud *cloud, const struct ota_event *event)
{
    struct anycloud_request request;
    const char *why = "";
    cloud->messages++;
    if (anycloud_request_parse(event->data, event->length, &request, &why) != OTA_OK) {
        tell(cloud, "bad %s", why);
        return;
    }
    if (strcmp(request.topic, cloud->notify_topic) == 0) {
        tell(cloud, "bad UniqueTopicName is the cloud's own topic");
        return;
    }
    switch (request.kind) {
    case ANYCLOUD_UPDATE_AVAILABILITY:
        on_available(cloud, &request);
        break;
    case ANYCLOUD_REQUEST_UPDATE:
        on_request(cloud, request.topic);
        break;
    case ANYCLOUD_SEND_DIRECT_UPDATE:
        tell(cloud, "direct %s", cloud->direct_topic);
        on_request(cloud, cloud->direct_topic);
        break;
    case ANYCLOUD_REQUEST_DATA_CHUNK:
        on_chunk_request(cloud, &request);
        break;
    case ANYCLOUD_SUCCESS:
    case ANYCLOUD_FAILURE:
        on_result(cloud, request.topic, request.kind == ANYCLOUD_SUCCESS);
        break;
    }
}

static void retry_later(struct anycloud_cloud *cloud)
{
    cloud->connected = false;
    cloud->ready = false;
    cloud->outstanding = 0;
    for (size_t i = 0; i < SESSIONS; i++)
        cloud->sessions[i].sending = false;
    if (cloud->clock->arm(cloud->clock->context, TIMER_CONNECT, RECONNECT_MS) != OTA_OK)
        tell(cloud, "bad clock: no more tries");
}

static int open_connection(struct anycloud_cloud *cloud)
{
    char client_id[32];
    snprintf(client_id, sizeof client_id, CLIENT_ID,
             (unsigned)cloud->clock->now_ms(cloud->clock->context));
    const struct mqtt_connect options = {
        .client_id = client_id, .keep_alive_s = KEEP_ALIVE_S, .clean_session = true};
    return cloud->mqtt->connect(cloud->mqtt->context, &options);
}

static void on_connected(struct anycloud_cloud *cloud, int code)
{
    cloud->connected = code == OTA_OK;
    if (code == OTA_OK)
        code = cloud->mqtt->subscribe(cloud->mqtt->context, cloud->notify_topic, 1);
    if (code == OTA_OK)
        return;
    tell(cloud, "closed %s", ota_err_word(code));
    retry_later(cloud);
}

void anycloud_cloud_event(struct anycloud_cloud *cloud, const struct ota_event *event)
{
    int result;
    switch (event->type) {
    case OTA_EVENT_MQTT_CONNECTED:
        on_connected(cloud, event->code);
        break;
    case OTA_EVENT_MQTT_SUBSCRIBED:
        cloud->ready = event->code == OTA_OK;
        tell(cloud, event->code == OTA_OK ? "connected" : "bad subscription refused");
        break;
    case OTA_EVENT_MQTT_PUBLISHED:
        if (cloud->outstanding > 0)
            cloud->outstanding--;
        break;
    case OTA_EVENT_MQTT_MESSAGE:
        on_message(cloud, event);
        break;
    case OTA_EVENT_MQTT_CLOSED:
        tell(cloud, "closed %s", ota_err_word(event->code));
        retry_later(cloud);
        break;
    case OTA_EVENT_TIMER:
        result = event->id == TIMER_CONNECT && !cloud->connected ? open_connection(cloud) : OTA_OK;
        if (result != OTA_OK) {
            tell(cloud, "closed %s", ota_err_word(result));
            retry_later(cloud);
        }
        break;
    default:
        break;
    }
    pump(cloud);
}

/* ---- life -------------------------------------------------------------------------------- */

struct anycloud_cloud *anycloud_cloud_new(const struct mqtt_port *mqtt,
                                          const struct clock_port *clock, const char *topic_prefix,
                                          const char *board, anycloud_observer observer,
                                          void *context)
{
    struct anycloud_cloud *cloud = calloc(1, sizeof *cloud);
    if (cloud == NULL)
        return NULL;
    cloud->mqtt = mqtt;
    cloud->clock = clock;
    cloud->observer = observer;
    cloud->context = context;
    cloud->offer.chunk_size = 4096;
    snprintf(cloud->board, sizeof cloud->board, "%s", board);
    snprintf(cloud->notify_topic, sizeof cloud->notify_topic, "%s/%s/publish_notify", topic_prefix,
             board);
    snprintf(cloud->direct_topic, sizeof cloud->direct_topic, "%s/%s/OTAImage", topic_prefix,
             board);
    return cloud;
}

void anycloud_cloud_free(struct anycloud_cloud *cloud)
{
    if (cloud == NULL)
        return;
    anycloud_cloud_disarm(cloud);
    free(cloud);
}

int anycloud_cloud_start(struct anycloud_cloud *cloud)
{
    return open_connection(cloud);
}

void anycloud_cloud_offer(struct anycloud_cloud *cloud, const struct anycloud_offer *offer)
{
    for (size_t i = 0; i < SESSIONS; i++)
        cloud->sessions[i].sending = false; /* a sender must not mix two images */
    cloud->offer = *offer;
    if (cloud->offer.chunk_size == 0 || cloud->offer.chunk_size > LARGEST_CHUNK)
        cloud->offer.chunk_size = 4096;
}

void anycloud_cloud_memory(const struct anycloud_cloud *cloud, struct anycloud_memory *out)
{
    size_t count = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < SESSIONS; i++) {
        const struct session *session = &cloud->sessions[i];
        size_t at = count;
        if (session->topic[0] == '\0')
            continue;
        for (; at > 0 && strcmp(session->topic, out->topics[at - 1].topic) < 0; at--)
            out->topics[at] = out->topics[at - 1];
        memset(&out->topics[at], 0, sizeof out->topics[at]);
        memcpy(out->topics[at].topic, session->topic, strlen(session->topic));
        out->topics[at].offered = session->offered;
        out->topics[at].version = session->version;
        count++;
    }
}

void anycloud_cloud_recall(struct anycloud_cloud *cloud, const struct anycloud_memory *memory)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        const struct anycloud_remembered *topic = &memory->topics[i];
        cloud->sessions[i] = (struct session){.offered = topic->offered, .version = topic->version};
        memcpy(cloud->sessions[i].topic, topic->topic, sizeof topic->topic);
    }
}

bool anycloud_cloud_ready(const struct anycloud_cloud *cloud)
{
    return cloud->ready;
}

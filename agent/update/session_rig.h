/* A device for the tests of the session: simulated flash with a running v1, scripted ports, and the
 * story of everything the agent said and did, one line each. The tests play broker and cloud. */
#ifndef NOBRICK_AGENT_UPDATE_SESSION_RIG_H
#define NOBRICK_AGENT_UPDATE_SESSION_RIG_H

#include "agent/update/session_ports_rig.h"

/* ---- the device -------------------------------------------------------------------------- */

static inline void rig_event(struct rig *rig, enum ota_event_type type, int code)
{
    const struct ota_event event = {.type = type, .code = code};
    if (type == OTA_EVENT_MQTT_CONNECTED || type == OTA_EVENT_MQTT_CLOSED)
        rig->linked = type == OTA_EVENT_MQTT_CONNECTED && code == 0;
    ota_step(&rig->agent, &event);
}

/* Power on: what the loader left in the primary slot runs. */
static inline void rig_boot(struct rig *rig)
{
    flash_sim_power_on(rig->sim);
    rig->armed = RIG_NO_TIMER;
    rig->state = OTA_STATE_IDLE;
    rig->linked = false;
    rig->requested = false;
    assert_int_equal(ota_init(&rig->agent, &rig->config, &rig->ports), 0);
    rig_event(rig, OTA_EVENT_START, 0);
}

static inline void rig_areas(struct rig *rig)
{
    const struct flash_port *flash = flash_sim_port(rig->sim);
    rig->ports.flash = flash;
    rig->config.primary = (struct flash_area){flash, 0, RIG_SLOT};
    rig->config.secondary = (struct flash_area){flash, RIG_SLOT, RIG_SLOT};
    rig->config.journal = (struct flash_area){flash, 2 * RIG_SLOT, RIG_JOURNAL};
    rig->config.progress = (struct flash_area){flash, 2 * RIG_SLOT + RIG_JOURNAL, 0};
}

static inline void rig_ports(struct rig *rig)
{
    rig->mqtt =
        (struct mqtt_port){rig, rig_connect, rig_subscribe, NULL, rig_publish, rig_disconnect};
    rig->http = (struct http_port){rig, rig_request, rig_cancel};
    rig->clock = (struct clock_port){rig, rig_now, rig_arm, rig_disarm};
    rig->random = (struct random_port){rig, rig_bytes};
    rig->platform = (struct platform_port){.context = rig, .reset = rig_reset, .log = rig_log};
    rig->crypto = (struct crypto_port){rig, rig_sha256, rig_sha256_flash, rig_verify};
    rig->ports.mqtt = &rig->mqtt;
    rig->ports.http = &rig->http;
    rig->ports.clock = &rig->clock;
    rig->ports.random = &rig->random;
    rig->ports.platform = &rig->platform;
    rig->ports.crypto = &rig->crypto;
}

/* A device that runs a confirmed v1, not started yet. Write-once units: a second write fails. */
static inline struct rig *rig_new(void)
{
    static const struct crypto_key key = {CRYPTO_ECDSA_P256, (const uint8_t *)RIG_KEY,
                                          sizeof RIG_KEY - 1};
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    struct flash_chip chip = {.part = {.name = "rig",
                                       .size = RIG_FLASH,
                                       .runs = {{RIG_FLASH / 4096, 4096}},
                                       .run_count = 1,
                                       .unit = 8,
                                       .page = 256,
                                       .erased = 0xFF,
                                       .programs = 1}};
    rig->sim = flash_sim_memory(&chip, 1);
    assert_non_null(rig->sim);
    rig_ports(rig);
    rig_areas(rig);
    rig->chance = 1;
    rig->step = OTA_CHUNK_SIZE;
    rig->etag = "\"one\"";
    rig->modified = "";
    rig->cut_at = UINT32_MAX;
    rig->config.parts.protocol = &ota_anycloud;
    rig->config.parts.by_mqtt = &ota_by_mqtt;
    rig->config.parts.by_http = &ota_by_http;
    rig->config.parts.direct = &ota_direct;
    rig->config.parts.archive = &ota_archive;
    rig->config.parts.say = &ota_say;
    rig->config.piece = rig->piece;
    rig->config.piece_size = sizeof rig->piece;
    rig->config.text = rig->text;
    rig->config.text_size = sizeof rig->text;
    rig->config.parts.target = &ota_to_slots;
    rig->config.identity = (struct ota_identity){"Express Widgits Corporation", "EWCO",
                                                 "Easy Widgit", "ABC213450001", "BOARD_A"};
    rig->config.topic_prefix = "anycloud";
    rig->config.format =
        (struct img_trailer_format){.align = 8, .write_size = 8, .max_sectors = 16};
    rig->config.keys = &key;
    rig->config.key_count = 1;
    rig->config.max_end = RIG_MAX_END;
    rig->config.reverts = true;
    rig->config.confirm_itself = true;
    rig->config.notify = rig_notify;
    rig->config.notify_context = rig;
    flash_sim_observe(rig->sim, rig_observe, rig);
    rig_offer(rig, 1, 5000, 1);
    rig_put_area(rig, &rig->config.primary, 0, rig->image, rig->image_size);
    rig_offer(rig, 2, 9800, 2);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    flash_sim_close(rig->sim);
    free(rig);
}

/* What a loader does on swapping: the image in the secondary slot goes on trial in the primary. */
static inline void rig_swap(struct rig *rig, bool trial)
{
    static uint8_t slot[RIG_SLOT];
    const struct flash_area *primary = &rig->config.primary;
    const struct img_trailer_record record = {
        .swap_type = IMG_SWAP_TEST, .image_ok = !trial, .copy_done = true};
    assert_int_equal(flash_area_read(&rig->config.secondary, 0, slot, RIG_SLOT), 0);
    assert_int_equal(flash_area_erase_back(primary, 0, RIG_SLOT), 0);
    rig_put_area(rig, primary, 0, slot, RIG_SLOT - 4096);
    assert_int_equal(flash_area_erase_back(&rig->config.secondary, RIG_SLOT - 4096, RIG_SLOT), 0);
    assert_int_equal(img_trailer_write(primary, &rig->config.format, &record), 0);
}

/* ---- broker and cloud -------------------------------------------------------------------- */

static inline void rig_timer(struct rig *rig)
{
    assert_int_not_equal(rig->armed, RIG_NO_TIMER);
    rig->armed = RIG_NO_TIMER;
    rig_event(rig, OTA_EVENT_TIMER, 0);
}

static inline void rig_message(struct rig *rig, const void *data, size_t length)
{
    char topic[OTA_TOPIC_MAX];
    uint8_t *copy = malloc(length + 1); /* exact, for the sanitizers */
    memcpy(topic, rig->agent.inbox, sizeof topic);
    memcpy(copy, data, length);
    copy = realloc(copy, length == 0 ? 1 : length);
    const struct ota_event event = {
        .type = OTA_EVENT_MQTT_MESSAGE, .topic = topic, .data = copy, .length = length};
    ota_step(&rig->agent, &event);
    free(copy);
}

static inline void rig_text(struct rig *rig, const char *text)
{
    rig_message(rig, text, strlen(text));
}

/* The job for what is offered, whose data is where `connection` (the members from Connection on)
 * says. */
static inline void rig_write_job(const struct rig *rig, const char *connection, char text[1024])
{
    const struct img_version *v = &rig->image_version;
    snprintf(text, 1024,
             "{\"Message\": \"Update Available\", \"Manufacturer\": \"Express Widgits "
             "Corporation\", \"ManufacturerId\": \"EWCO\", \"Product\": \"Easy Widgit\", "
             "\"SerialNumber\": \"ABC213450001\", \"Board\": \"BOARD_A\", \"Version\": "
             "\"%u.%u.%u\", %s}",
             v->major, v->minor, v->revision, connection);
}

#define RIG_BY_MQTT "\"Connection\": \"MQTT\", \"Broker\": \"\", \"Port\": \"1883\""
#define RIG_BY_HTTP                                                                                \
    "\"Connection\": \"HTTP\", \"Server\": \"\", \"Port\": \"80\", \"File\": \"/v2.bin\""

static inline void rig_job_at(struct rig *rig, const char *connection)
{
    char text[1024];
    rig_write_job(rig, connection, text);
    rig_text(rig, text);
}

static inline void rig_job(struct rig *rig)
{
    rig_job_at(rig, RIG_BY_MQTT);
}

/* Chunk `index` of what is offered, as the publisher sends it. Returns the message's length. */
static inline size_t rig_chunk_bytes(const struct rig *rig, uint32_t index,
                                     uint8_t out[RIG_MESSAGE])
{
    uint32_t offset = index * rig->step;
    uint32_t rest = rig->image_size - offset;
    uint32_t size = rest < rig->step ? rest : rig->step;
    memcpy(out, ANYCLOUD_MAGIC, 8);
    rig_put(out + 8, 32, 2);
    rig_put(out + 10, 0, 2);
    rig_put(out + 12, rig->image_version.major, 2);
    rig_put(out + 14, rig->image_version.minor, 2);
    rig_put(out + 16, rig->image_version.revision, 2);
    rig_put(out + 18, rig->image_size, 4);
    rig_put(out + 22, offset, 4);
    rig_put(out + 26, size, 2);
    rig_put(out + 28, (rig->image_size + rig->step - 1) / rig->step, 2);
    rig_put(out + 30, index, 2);
    memcpy(out + 32, rig->image + offset, size);
    return 32 + size;
}

static inline void rig_chunk(struct rig *rig, uint32_t index)
{
    static uint8_t message[RIG_MESSAGE];
    rig_message(rig, message, rig_chunk_bytes(rig, index, message));
}

static inline uint32_t rig_chunks(const struct rig *rig)
{
    return (rig->image_size + rig->step - 1) / rig->step;
}

/* A connection that works. */
static inline void rig_link(struct rig *rig)
{
    rig_event(rig, OTA_EVENT_MQTT_CONNECTED, 0);
    rig_event(rig, OTA_EVENT_MQTT_SUBSCRIBED, 0);
}

/* … from idle to the answer of the broker to the availability request. */
static inline void rig_to_ask(struct rig *rig)
{
    rig_event(rig, OTA_EVENT_CHECK, 0);
    rig_link(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    assert_string_equal(ota_state_name(&rig->agent), "ask");
}

static inline void rig_erase(struct rig *rig)
{
    while (strcmp(ota_state_name(&rig->agent), "erase") == 0)
        rig_timer(rig);
}

/* … to the first wait for a chunk. */
static inline void rig_to_receive(struct rig *rig)
{
    rig_to_ask(rig);
    rig_job(rig);
    rig_erase(rig);
    rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    assert_string_equal(ota_state_name(&rig->agent), "receive");
}

/* … to the reset (or whatever else follows the last chunk). */
static inline void rig_download(struct rig *rig)
{
    rig_to_receive(rig);
    for (uint32_t i = 0; i < rig_chunks(rig); i++)
        rig_chunk(rig, i);
}

/* ---- server ------------------------------------------------------------------------------ */

static inline void rig_head(struct rig *rig, const struct http_head *head)
{
    const struct ota_event event = {.type = OTA_EVENT_HTTP_HEAD, .head = head};
    ota_step(&rig->agent, &event);
}

static inline void rig_status(struct rig *rig, unsigned status)
{
    const struct http_head head = {.status = status};
    rig_head(rig, &head);
}

static inline void rig_body(struct rig *rig, const void *data, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length); /* exact, for the sanitizers */
    memcpy(copy, data, length);
    const struct ota_event event = {.type = OTA_EVENT_HTTP_BODY, .data = copy, .length = length};
    ota_step(&rig->agent, &event);
    free(copy);
}

static inline void rig_done(struct rig *rig, int code)
{
    rig->requested = false;
    rig_event(rig, OTA_EVENT_HTTP_DONE, code);
}

/* The head of an honest answer to the request under way. */
static inline struct http_head rig_honest(const struct rig *rig)
{
    uint32_t last = rig->image_size - 1;
    struct http_head head = {
        .status = 206,
        .has_length = true,
        .has_range = true,
        .from = rig->request.from,
        .to = rig->request.to < last ? rig->request.to : last,
        .has_total = true,
        .total = rig->image_size,
    };
    head.length = head.to - head.from + 1;
    snprintf(head.etag, sizeof head.etag, "%s", rig->etag);
    snprintf(head.modified, sizeof head.modified, "%s", rig->modified);
    return head;
}

/* The image's bytes [from, end), in pieces of `step`, as long as this request is listened to. True:
 * it still is. */
static inline bool rig_bytes_of(struct rig *rig, uint32_t from, uint32_t end, uint32_t step)
{
    unsigned request = rig->requests;
    for (uint32_t at = from; at < end && rig->requested && rig->requests == request; at += step)
        rig_body(rig, rig->image + at, end - at < step ? end - at : step);
    return rig->requested && rig->requests == request;
}

/* Answers the request under way honestly. */
static inline void rig_serve(struct rig *rig)
{
    const struct http_head head = rig_honest(rig);
    unsigned request = rig->requests;
    assert_true(rig->requested);
    rig_head(rig, &head);
    if (rig->requests == request &&
        rig_bytes_of(rig, (uint32_t)head.from, (uint32_t)head.to + 1, 1000))
        rig_done(rig, 0);
}

/* … and the next ones, with all erasing between them. */
static inline void rig_serve_all(struct rig *rig)
{
    for (int i = 0; i < 100 && (rig->requested || rig->agent.state == OTA_STATE_ERASE); i++)
        if (rig->agent.state == OTA_STATE_ERASE)
            rig_erase(rig);
        else
            rig_serve(rig);
}

/* Answers a request for a document. */
static inline void rig_serve_text(struct rig *rig, const char *text)
{
    const struct http_head head = {.status = 200, .has_length = true, .length = strlen(text)};
    assert_true(rig->requested);
    rig_head(rig, &head);
    rig_body(rig, text, strlen(text));
    rig_done(rig, 0);
}

static inline void rig_serve_job(struct rig *rig, const char *connection)
{
    char text[1024];
    rig_write_job(rig, connection, text);
    rig_serve_text(rig, text);
}

/* ---- the story --------------------------------------------------------------------------- */

/* The story goes on with a line that begins so: skips everything up to it. */
static inline void rig_expect(struct rig *rig, const char *line)
{
    const char *rest = rig->story + rig->told;
    const char *at = rest;
    while (at != NULL && strncmp(at, line, strlen(line)) != 0) {
        at = strchr(at, '\n');
        at = at == NULL || at[1] == 0 ? NULL : at + 1;
    }
    if (at == NULL)
        fail_msg("no \"%s\" in:\n%s", line, rest);
    else
        rig->told = (size_t)(strchr(at, '\n') + 1 - rig->story);
}

/* How often a line that begins so occurs in the whole story. */
static inline unsigned rig_count(const struct rig *rig, const char *line)
{
    unsigned count = 0;
    for (const char *at = rig->story; *at != 0; at = strchr(at, '\n') + 1)
        count += strncmp(at, line, strlen(line)) == 0;
    return count;
}

#define RIG_PUBLISH      "> publish anycloud/BOARD_A/publish_notify 1 {\"Message\":"
#define RIG_SUCCESS      RIG_PUBLISH "\"Success\", \"UniqueTopicName\": \"anycloud/BOARD_A/OTAImage/"
#define RIG_FAILURE      RIG_PUBLISH "\"Failure\", \"UniqueTopicName\": \"anycloud/BOARD_A/OTAImage/"
#define RIG_ASK          RIG_PUBLISH "\"Update Availability\""
#define RIG_REQUEST      RIG_PUBLISH "\"Request Update\""
#define RIG_REQUEST_DATA RIG_PUBLISH "\"Request Data Chunk\""

/* The session ends: the line is closed, and the agent says how. */
static inline void rig_closes(struct rig *rig, const char *idle)
{
    rig_expect(rig, "> disconnect");
    rig_event(rig, OTA_EVENT_MQTT_CLOSED, 0);
    rig_expect(rig, idle);
    assert_string_equal(ota_state_name(&rig->agent), "idle");
}

/* A Failure is reported and the session ends with `word`. */
static inline void rig_fails(struct rig *rig, const char *word)
{
    char line[128];
    snprintf(line, sizeof line, "refused %s", word);
    rig_expect(rig, line);
    rig_expect(rig, RIG_FAILURE);
    for (int i = 0; i < 10 && rig->agent.unacked > 0; i++)
        rig_event(rig, OTA_EVENT_MQTT_PUBLISHED, 0);
    snprintf(line, sizeof line, "reported %s", word);
    rig_expect(rig, line);
    snprintf(line, sizeof line, "idle %s", word);
    rig_closes(rig, line);
    assert_int_equal(rig->agent.record.phase, OTA_PHASE_IDLE);
}

#endif

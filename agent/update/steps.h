/* The handlers that the state table in session.c names, and what they share.
 *
 * A handler does its work and returns the next state: its own to stay (or, from ota_proceed, to
 * begin it again). The first handler of a state
 * (…_begin) runs on entering it and arms the state's deadline. There is one timer, and it is
 * disarmed whenever the state changes; an HTTP request that is under way is cancelled then. */
#ifndef NOBRICK_AGENT_UPDATE_STEPS_H
#define NOBRICK_AGENT_UPDATE_STEPS_H

#include "agent/update/parts.h"

typedef enum ota_state ota_handler(struct ota_agent *agent, const struct ota_event *event);

/* A row of the state table, without its words (agent/update/states.h). */
struct ota_row {
    uint8_t state; /* enum ota_state */
    int8_t event;  /* ENTER or an ota_event_type */
    ota_handler *handler;
};

#define OTA_ROW(state, event, handler, next, what) {OTA_STATE_##state, event, handler},

/* How to speak by one kind of connection. */
struct ota_way {
    const struct ota_row *rows;
    size_t row_count;
    /* The state for what is to be done next over it. */
    enum ota_state (*next)(const struct ota_agent *agent);
    /* Writes what the present state is going to send, if that is one of its own, into agent->text.
     */
    void (*compose)(struct ota_agent *agent);
};

/* How direct flow goes. */
struct ota_direct {
    /* The image is where the configuration says: sets out to fetch it. */
    enum ota_state (*begin)(struct ota_agent *agent);
    /* The data says that it is of this version: judges it as an offer. */
    int (*announce)(struct ota_agent *agent, const struct img_version *version);
};

/* How an archive is read in place of an image. */
struct ota_archive {
    /* The first bytes of a download are an archive's. */
    bool (*is_one)(const void *data, size_t length);
    /* Judges its first chunk. OTA_E_ARCHIVE, _UNSUPPORTED: malformed, or not for this device;
     * _IMG_VERSION: of another version than the job; _IMG_SIZE: the image does not fit; _CHANGED:
     * begin anew; what `announce` of direct flow says. */
    int (*look)(struct ota_agent *agent, const uint8_t *data, uint32_t size);
    /* Reads the next chunk; its image's bytes go into flash unless the application did that
     * (`written`). *skip: bytes behind it that need not be fetched, for they are in flash. */
    int (*take)(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data,
                bool written, uint32_t *skip);
    /* Takes up what the record says of an archive's image. */
    void (*resume)(struct ota_agent *agent);
};

/* Where an image goes, and who says what runs. */
struct ota_target {
    /* The version of the image that runs. */
    int (*running)(struct ota_agent *agent, struct img_version *out);
    /* The running image will be reverted unless it confirms. */
    bool (*is_on_trial)(struct ota_agent *agent);
    /* A document was understood: judges what it says beside its version, keeps what `check` will
     * compare with, and does what it asks of images that lie here. OTA_E_CHANGED: it is another
     * image than the one of that version that is being fetched. NULL: there is nothing to do. */
    int (*take)(struct ota_agent *agent, const struct ota_message *message);
    /* Mixes into the key of a download what else tells this image from others. NULL: nothing. */
    int (*mix)(const struct ota_agent *agent, uint8_t key[CRYPTO_SHA256_SIZE]);
    /* A fetch begins: chooses config.secondary. NULL: there is one place. Changes nothing. */
    int (*choose)(struct ota_agent *agent);
    /* What lies there is given up: it is erased next. OTA_E_CHANGED: something else is to be
     * fetched, as the job document, asked for anew, will say. */
    int (*give_up)(struct ota_agent *agent);
    /* All of it was fetched: makes the image of it, a piece a call. 1: call again; also
     * OTA_E_CHANGED, but not at the first call. NULL: it is the image. */
    int (*complete)(struct ota_agent *agent);
    /* Is what lies there trusted? Also says what it is. An application that took the check over
     * (`taken_over`) has judged hash and signature itself. */
    int (*check)(struct ota_agent *agent, struct img_info *out);
    /* Asks the loader to install it; and undoes that, as far as it was begun. */
    int (*hand_over)(struct ota_agent *agent);
    int (*withdraw)(struct ota_agent *agent);
    int (*confirm)(struct ota_agent *agent);
};

/* How the application is asked, and obeyed. */
struct ota_say {
    /* Before a state's first work. False: it is not done, *next says where that leads. */
    bool (*enter)(struct ota_agent *agent, enum ota_state *next);
    /* A state ended. Where to go, which is `next` unless the application stops the session. */
    enum ota_state (*leave)(struct ota_agent *agent, enum ota_state next);
    /* Before a chunk is written. *written: the application did that. OTA_E_STOPPED, OTA_E_APP. */
    int (*write)(struct ota_agent *agent, bool *written);
};

/* ---- what a device can only be with some part -------------------------------------------- */

/* There is no job: the image is where the configuration says. */
static inline bool ota_is_direct(const struct ota_agent *agent)
{
    return ota_parts(agent)->direct != NULL && agent->config.flow == OTA_FLOW_DIRECT;
}

/* … and by MQTT all devices of the board are told. */
static inline bool ota_is_sent_direct(const struct ota_agent *agent)
{
    return ota_is_direct(agent) && agent->config.send_direct;
}

/* An HTTP request is under way. */
static inline bool ota_is_requesting(const struct ota_agent *agent)
{
    return ota_parts(agent)->by_http != NULL && agent->requested;
}

/* The first chunk came before the slot was erased, and waits in `piece`. */
static inline bool ota_is_holding(const struct ota_agent *agent)
{
    return ota_parts(agent)->by_http != NULL && agent->held;
}

/* An archive is fetched: chunks are taken in order, the first one first. */
static inline bool ota_is_archived(const struct ota_agent *agent)
{
    return ota_parts(agent)->archive != NULL && agent->archived;
}

/* The application did the work of the present state. */
static inline bool ota_is_taken_over(const struct ota_agent *agent)
{
    return ota_parts(agent)->say != NULL && agent->taken_over;
}

/* ---- link.c: from idle over a connection and back ---------------------------------------- */

ota_handler ota_idle_begin;
ota_handler ota_idle_start;
ota_handler ota_idle_check;
ota_handler ota_connect_begin;
ota_handler ota_connect_answered;
ota_handler ota_subscribe_begin;
ota_handler ota_subscribe_answered;
ota_handler ota_switch_begin;
ota_handler ota_switch_done;
ota_handler ota_pause_begin;
ota_handler ota_pause_over;
ota_handler ota_link_failed; /* closed, or not answered in time */
ota_handler ota_leave_begin;
ota_handler ota_leave_done;
ota_handler ota_reset_begin;

/* Data is what is wanted now, from where the job says. */
bool ota_wants_data(const struct ota_agent *agent);
enum ota_connection ota_connection_now(const struct ota_agent *agent);
/* The job names a broker of its own, and its data is what is wanted now. */
bool ota_is_for_other_broker(const struct ota_agent *agent);
/* NULL: this device does not speak so. */
const struct ota_way *ota_way_of(const struct ota_agent *agent, enum ota_connection connection);
/* Ends the session as the application wishes (STOPPED, APP). */
enum ota_state ota_stop(struct ota_agent *agent, int code);
/* The state that does what is to be done next, over the connection that it belongs to: a
 * confirmation or report that is due, the fetch under way, a check; LEAVE when there is nothing. */
enum ota_state ota_proceed(struct ota_agent *agent);
/* MQTT failed with `code`: gives the connection up and waits for the next try; or, after the last
 * one, ends the session, or resets when the running image is on trial. */
enum ota_state ota_retry(struct ota_agent *agent, int code);
/* What begins a state was asked of MQTT: waits for the outcome, or it failed with `error`. */
enum ota_state ota_asked(struct ota_agent *agent, int error, uint32_t wait_ms);
/* The same for HTTP; an MQTT connection stays. */
enum ota_state ota_retry_request(struct ota_agent *agent, int code);

/* ---- server.c: small requests to an HTTP server ------------------------------------------ */

ota_handler ota_probe_begin;
ota_handler ota_probe_head;
ota_handler ota_probe_failed; /* over, or not answered in time */
ota_handler ota_query_begin;
ota_handler ota_query_head;
ota_handler ota_query_body;
ota_handler ota_query_done;
ota_handler ota_query_late;
ota_handler ota_post_begin;
ota_handler ota_post_head;
ota_handler ota_post_failed;

/* Sends a request. Until it is DONE or the state changes, it is the one under way. */
int ota_request(struct ota_agent *agent, const struct http_request *request);
/* A server that is too busy may say for how long: the next pause is no shorter. */
void ota_heed(struct ota_agent *agent, const struct http_head *head);
/* Where a result is posted to. */
const char *ota_result_path(const struct ota_agent *agent);
/* To the configured server. */
struct http_request ota_home_request(const struct ota_agent *agent, const char *path);

/* ---- offer.c: is there an update, and is it one for us ----------------------------------- */

ota_handler ota_ask_begin;
ota_handler ota_ask_message;
ota_handler ota_ask_late;
ota_handler ota_parse_begin;

/* The document in agent->text came; text_length < 0: it was too long. A NUL in it is refused here.
 */
enum ota_state ota_take_document(struct ota_agent *agent);
/* Newer than what runs, and not known to fail. */
int ota_judge_offer(const struct ota_agent *agent);
/* Sets out to fetch what agent->source names. */
enum ota_state ota_begin_fetch(struct ota_agent *agent);
/* What was to be fetched will not do: asks for the job document anew. */
enum ota_state ota_ask_anew(struct ota_agent *agent);
/* The data is nothing new (OTA_E_JOB_VERSION in direct flow) or refused. */
enum ota_state ota_decline(struct ota_agent *agent, int code);

/* ---- slot.c: the secondary slot, chunk by chunk ------------------------------------------ */

ota_handler ota_erase_begin;
ota_handler ota_erase_next;

bool ota_is_covered(const struct ota_agent *agent, uint32_t offset);
/* Takes up what of the fetch lies in the slot already. */
int ota_slot_begin(struct ota_agent *agent);
/* Size and tag of what is fetched are these. OTA_E_CHANGED: they were others before.
 * OTA_E_IMG_SIZE: too large even for an archive, or nothing. */
int ota_slot_expect(struct ota_agent *agent, uint64_t total, const char *etag);
/* The same image lies elsewhere now, so says a new job: what is there stays, unless the next answer
 * says that it is another image after all. */
int ota_slot_move(struct ota_agent *agent);
/* So many bytes of data came, useful or not. OTA_E_TRAFFIC: far more than the image has. */
int ota_slot_count(struct ota_agent *agent, size_t length);
/* The first chunk came: says whether an archive is fetched (agent->archived), and judges what its
 * beginning tells. OTA_E_IMG_SIZE: the image does not fit; what ota_progress_expect and an
 * archive's look say. */
int ota_slot_look(struct ota_agent *agent, const uint8_t *data, uint32_t size);
/* The chunk at `offset` may be stored now: archives are read in order. */
bool ota_slot_wants(const struct ota_agent *agent, uint32_t offset);
/* Size of the image that is fetched, in an archive or not, and how much of it lies in flash. */
uint32_t ota_image_total(const struct ota_agent *agent);
uint32_t ota_image_done(const struct ota_agent *agent);
/* Puts the chunk at `offset` into flash, once, and says so; of an archive what belongs to its
 * image. `data` may be agent->piece. OTA_E_CHANGED: begin the fetch anew. */
int ota_slot_store(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data);
/* Begins the fetch anew, for it cannot be gone on with; a few times, then it fails with `code`. */
enum ota_state ota_slot_restart(struct ota_agent *agent, int code);
/* What follows from an error of ota_slot_store or ota_slot_look: to begin anew, or a refusal. */
enum ota_state ota_slot_failed(struct ota_agent *agent, int code);
/* For archive.c: programs bytes of the image, and records them as programmed. */
int ota_slot_program(struct ota_agent *agent, uint32_t offset, uint32_t size, const uint8_t *data);
void ota_slot_note(struct ota_agent *agent, uint32_t offset, uint32_t size);

/* ---- download.c: chunks by MQTT ---------------------------------------------------------- */

ota_handler ota_request_begin;
ota_handler ota_request_published;
ota_handler ota_receive_begin;
ota_handler ota_receive_message;
ota_handler ota_receive_late;
ota_handler ota_publish_failed; /* a refused publication; an acknowledged one is of no interest */

/* ---- fetch.c: ranges by HTTP ------------------------------------------------------------- */

ota_handler ota_fetch_begin;
ota_handler ota_fetch_head;
ota_handler ota_fetch_body;
ota_handler ota_fetch_done;
ota_handler ota_fetch_late;

/* ---- install.c: from a full slot to a reported result ------------------------------------ */

ota_handler ota_verify_begin;
ota_handler ota_install_begin;
ota_handler ota_confirm_begin;
ota_handler ota_report_begin;
ota_handler ota_report_published;

/* Brings the record up to what runs now: an installation ended well, or was reverted. */
void ota_settle(struct ota_agent *agent);
/* A confirmation or a report is due as soon as the cloud can be reached. */
bool ota_is_due(const struct ota_agent *agent);
/* … and it is the report. */
bool ota_is_settled(const struct ota_agent *agent);
/* … and says Success. */
bool ota_succeeded(const struct ota_agent *agent);
/* What failed was the network or the peer at that moment: it may be well later. */
bool ota_is_passing(int code);
/* The running image must prove itself on its own, or be reverted. */
bool ota_is_tested(const struct ota_agent *agent);
/* Ends what was offered with `code`: says so, records that a Failure is owed, goes to report it. */
enum ota_state ota_fail(struct ota_agent *agent, int code);
/* As above without a word to the application, and not at once: for a fetch that was given up. */
void ota_owe_failure(struct ota_agent *agent, int code);
/* The result was delivered, or nobody will ever take it. */
enum ota_state ota_reported(struct ota_agent *agent, bool delivered);
/* Writes the record to the journal. An error is logged: the record in RAM still counts. */
int ota_save(struct ota_agent *agent);

/* ---- session.c: shared ------------------------------------------------------------------- */

/* A log line; `code` < 0 is what it is about. */
void ota_log(const struct ota_agent *agent, enum ota_log_level level, const char *text, int code);
void ota_notify(const struct ota_agent *agent, enum ota_notice_type type, int code);
/* The state's deadline. */
void ota_wait(const struct ota_agent *agent, uint32_t ms);
/* Publishes the `length` characters in agent->text; a negative length is passed on as the error
 * that it is. */
int ota_publish(struct ota_agent *agent, int length);

#endif

/* The update session: finds a job, fills the secondary slot, verifies what lies there, asks the
 * loader to install it, and after the reboot confirms and reports.
 *
 * A state machine written as one table (session.c), driven by ota_step with one event at a time.
 * Nothing blocks and nothing is allocated: the agent is this struct, which the caller owns. How a
 * device learns of an image and fetches it is a protocol (agent/protocol). What must survive a
 * reset (a result that is owed, versions that failed) lies in the journal (agent/update/journal).
 */
#ifndef NOBRICK_AGENT_UPDATE_SESSION_H
#define NOBRICK_AGENT_UPDATE_SESSION_H

#include "agent/image/mcuboot.h"
#include "agent/image/trailer.h"
#include "agent/ports.h"
#include "agent/update/journal.h"
#include "agent/update/progress.h"

#define OTA_CHUNK_SIZE 4096u /* of a block: what ranges are cut into, and most publishers send */
#define OTA_CHUNK_MIN  512u /* smallest chunk of MQTT: a divisor of a block that is no smaller … */
#define OTA_CHUNK_MAX  65536u /* … or a multiple of one that is no larger */
#define OTA_MAX_CHUNKS 4096u  /* 16 MiB */
#define OTA_TOPIC_MAX  160u
#define OTA_JSON_MAX   1024u /* longest document by MQTT, without a NUL */
#define OTA_HOST_MAX   256u
#define OTA_HTTP_STEP  65536u /* bytes asked for in one HTTP request, whole chunks */

struct ota_ports {
    const struct flash_port *flash;
    const struct crypto_port *crypto;
    const struct mqtt_port *mqtt;
    const struct http_port *http; /* may be NULL where only MQTT is used */
    const struct clock_port *clock;
    const struct random_port *random;
    const struct platform_port *platform;
};

struct ota_identity {
    const char *manufacturer;
    const char *manufacturer_id;
    const char *product;
    const char *serial;
    const char *board;
};

/* Times in milliseconds; 0 takes the default (documented beside ota_default_timing). */
struct ota_timing {
    uint32_t initial_check; /* from start to the first check */
    uint32_t next_check;    /* after a session; sooner after one that failed on the network */
    uint32_t job_wait;      /* for the answer to an availability request */
    uint32_t data_wait;     /* for the next chunk before the missing ones are asked for again */
    uint32_t connect_wait;  /* for a connection, a subscription, an acknowledgement */
    uint32_t retry_first;   /* back-off: first pause, doubled each time … */
    uint32_t retry_last; /* … up to this in a session, with jitter. After a session that failed on
                          * the network the next one comes after the pause that would have come
                          * next, doubled for each such session in a row, up to next_check */
    uint32_t keep_alive; /* of the MQTT connection, which knows whole seconds up to 65535 */
    uint32_t connect_tries; /* in one session */
    uint32_t data_tries;    /* re-requests without any progress before giving up */
};

/* What the application hears of, for its own log, display and tests. */
enum ota_notice_type {
    OTA_NOTICE_STATE,     /* state: it was entered */
    OTA_NOTICE_JOB,       /* version offered; total unknown yet */
    OTA_NOTICE_PROGRESS,  /* done, total: bytes that lie in flash; 0 of 0: it begins anew */
    OTA_NOTICE_REFUSED,   /* code: the offer or the image was refused */
    OTA_NOTICE_PENDING,   /* version: the loader will install it */
    OTA_NOTICE_CONFIRMED, /* version */
    OTA_NOTICE_REPORTED,  /* code: 0 Success was delivered, else Failure (with the reason) */
    OTA_NOTICE_PATCH,     /* code: 0 the patch will be fetched, then: it is what was promised, then:
                           * the image is made of it; NO_IMAGE: what patches are for is not here;
                           * else why the image is fetched instead */
    OTA_NOTICE_ERASED,    /* version: a stored image was forgotten; code: 0, or why it was not */
    OTA_NOTICE_IDLE,      /* code: how the session ended; 0: updated, NO_UPDATE: nothing new */
};

struct ota_notice {
    enum ota_notice_type type;
    int code;
    unsigned state; /* number of the present one: ota_state_word() */
    struct img_version version;
    uint32_t done;
    uint32_t total;
};

/* How the first connection of a session is made, and what it is for. */
enum ota_connection { OTA_BY_MQTT, OTA_BY_HTTP, OTA_BY_HTTPS };
enum ota_flow {
    OTA_FLOW_JOB,    /* ask for a job document, which says where the data is */
    OTA_FLOW_DIRECT, /* fetch the image at once; no result is sent */
};

/* The application's say in a session: asked before a state's work and before each chunk is written
 * (STEP; state "write"), and told how a state's work ended (SUCCESS, FAILURE with `code`).
 *
 * - STOP and FAILED to a STEP end the session: with Failure as its result when a job was accepted
 *   and is not fetched and handed over yet, else without a word. What was owed stays owed. In
 *   "reset": no reset now, the session ends and the image waits. In "idle" and "leave", where the
 *   session has ended anyway, every answer is CONTINUE.
 * - DONE in "ask" and "query": the document that now lies in `document` is the cloud's answer; in
 *   "parse": whatever board and version it is for; in "receive", "peek" and "fetch": the slot is
 *   filled; in "verify": hash and signature are not checked here (the loader does), but what the
 *   image says of itself is; in "confirm": believed only when the trailer says so.
 * - STOP to SUCCESS ends the session as above, so does FAILED; STOP to FAILURE means that there is
 *   no other try. Other answers are CONTINUE. */
enum ota_ask { OTA_ASK_STEP, OTA_ASK_SUCCESS, OTA_ASK_FAILURE };
enum ota_answer {
    OTA_ANSWER_CONTINUE,
    OTA_ANSWER_STOP, /* end the session: OTA_E_STOPPED */
    OTA_ANSWER_DONE, /* to a STEP: the application did the work itself, go on as if it succeeded */
    OTA_ANSWER_FAILED, /* the step failed: OTA_E_APP */
};

struct ota_question {
    enum ota_ask ask;
    const char *state; /* its name, as in the state table */
    int code;          /* of a FAILURE */
    enum ota_connection connection;
    struct img_version version; /* offered */
    uint32_t done;
    uint32_t total;
    /* The job document ("parse"), or what is to be sent ("ask", "request", "report", "post"), with
     * a NUL: may be replaced in place, within this room. */
    char *document;
    size_t document_size;
};

/* What a device is put together from: only what is named is linked. */
struct ota_way; /* how to speak by one kind of connection */
extern const struct ota_way ota_by_mqtt;
extern const struct ota_way ota_by_http; /* and HTTPS */
struct ota_archive;                      /* how an archive is read in place of an image */
extern const struct ota_archive ota_archive;
struct ota_direct; /* direct flow */
extern const struct ota_direct ota_direct;
struct ota_say; /* how the application is asked */
extern const struct ota_say ota_say;
struct ota_target;                           /* where an image goes, and who says what runs */
extern const struct ota_target ota_to_slots; /* two slots and their trailers */
extern const struct ota_target ota_to_store; /* an image store (agent/update/to_store.h) */
struct ota_stored;

struct ota_parts {
    const struct ota_protocol *protocol;
    /* &ota_by_mqtt, &ota_by_http: what a job asks for and is NULL here is refused as
     * OTA_E_UNSUPPORTED. */
    const struct ota_way *by_mqtt;
    const struct ota_way *by_http;
    const struct ota_direct *direct;   /* &ota_direct; NULL: job flow only */
    const struct ota_archive *archive; /* &ota_archive; NULL: only images are understood */
    const struct ota_say *say;         /* &ota_say where `decide` is to be asked; NULL: nobody is */
    const struct ota_target *target;   /* &ota_to_slots or &ota_to_store */
};

struct ota_config {
    struct ota_parts parts;    /* unless the program fixes them (agent/update/parts.h) */
    struct ota_stored *stored; /* working memory of &ota_to_store, the caller's; NULL with slots */
    struct ota_identity identity;
    const char *topic_prefix; /* AnyCloud: "anycloud" or "OTAUpdate" */
    struct flash_area primary;
    struct flash_area secondary; /* where images are fetched to; a store chooses a place in it */
    struct flash_area journal;
    struct flash_area progress; /* of a download, so that a reset resumes it; size 0: none */
    struct img_trailer_format format;
    const struct crypto_key *keys;
    size_t key_count;
    uint32_t max_end;               /* largest image the loader's scheme accepts */
    bool reverts;                   /* the scheme gives an unconfirmed image one trial */
    enum ota_connection connection; /* of the first connection */
    enum ota_flow flow;
    bool server_tls; /* the HTTP server that the world was configured with is an HTTPS one */
    /* Direct flow over MQTT: the board's topic is listened to, which all its devices share, and
     * asked for is Send Direct Update. */
    bool send_direct;
    uint32_t chunk_size;   /* over MQTT: each chunk is asked for, of this size; 0: all in one go */
    const char *http_file; /* path of the job (job flow) or of the image (direct flow), … */
    const char *http_host; /* … on this server; NULL: the one that the world was configured with */
    uint16_t http_port;    /* with a host only */
    bool do_not_send_result;
    bool stay_after_complete; /* the loader has work, but the application resets when it likes */
    /* Working memory, the caller's: OTA_CHUNK_SIZE bytes with &ota_by_http, else a program unit of
     * the secondary slot. */
    uint8_t *piece;
    size_t piece_size;
    /* The document that is sent or read, with its NUL: OTA_JSON_MAX + 1 bytes or more. Longer ones
     * come by HTTP only. */
    char *text;
    size_t text_size;
    enum ota_answer (*decide)(void *context,
                              struct ota_question *question); /* with `say`; or NULL */
    void *decide_context;
    bool permanent;      /* ask for installation without a trial */
    bool confirm_itself; /* confirm once the broker answered; else the application does */
    struct ota_timing timing;
    void (*notify)(void *context, const struct ota_notice *notice); /* may be NULL */
    void *notify_context;
};

struct ota_agent; /* defined below the table in session_state.h so that callers can own one */

extern const struct ota_timing ota_default_timing;

/* Chunks of that size can be kept: 512, 1024, 2048, or a multiple of 4096 up to 65536. */
bool ota_is_chunk_size(uint32_t size);

/* Prepares `agent` for the image that runs from config->primary. Config and ports are copied; what
 * they point to must outlive the agent. Reads flash, writes none. */
OTA_MUST_CHECK int ota_init(struct ota_agent *agent, const struct ota_config *config,
                            const struct ota_ports *ports);

/* Handles one event. Everything the agent does, it does in here. */
void ota_step(struct ota_agent *agent, const struct ota_event *event);

/* Name of the present state ("idle", "connect", …); static. */
const char *ota_state_name(const struct ota_agent *agent);

/* The states by number, from 0 on: name, NULL beyond the last. */
const char *ota_state_word(unsigned state);
/* Does some row of the table lead from one state to another? */
bool ota_state_leads_to(unsigned from, unsigned to);
/* Is this a state's name, or "write": a step that an application may be asked about? */
bool ota_is_step(const char *name);

/* Prints the state table as Markdown rows through `line`, for `nobrick list states`. */
void ota_states_print(void (*line)(void *context, const char *text), void *context);

#endif

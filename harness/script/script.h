/* A scenario script (`.ota`) as parsed: header, images it names, and steps in order.
 *
 * Line-based, `#` starts a comment. Header lines come first (title, req, and lists whose values
 * span the matrix), then steps. The verb table (verbs.c) describes every line once: the parser, its
 * messages and `nobrick list verbs` all read it. A script is parsed whole before anything runs;
 * it owns its memory until nb_script_free. */
#ifndef NOBRICK_HARNESS_SCRIPT_SCRIPT_H
#define NOBRICK_HARNESS_SCRIPT_SCRIPT_H

#include "agent/image/mcuboot.h"
#include "flashsim/failing.h"
#include "harness/faults/fault.h"
#include "sim/act.h"
#include "sim/app.h"
#include "sim/app_tag.h"
#include "sim/push.h"

#define NB_WORD         32  /* a name, with its NUL */
#define NB_TEXT         160 /* a title, a text after `raw` or `cloud`, with its NUL */
#define NB_LIST         16
#define NB_ALTERNATIVES 8   /* as many versions as one `boot` may name */
#define NB_RAW          96  /* bytes of a raw chunk */
#define NB_DEVICES      8   /* at once */
#define NB_JOB          512 /* a raw job document, with its NUL */
#define NB_BASES        4   /* of patches to one image */

/* ---- header ------------------------------------------------------------------------------ */

/* The values of one header line. */
struct nb_list {
    char items[NB_LIST][NB_WORD];
    size_t count;
    bool any;      /* `*`: everything that fits */
    unsigned line; /* where it was given, 0: not given */
};

/* How large v2 is beside v1; NB_SIZE_NONE: as its options say. */
enum nb_size { NB_SIZE_NONE, NB_SIZE_SMALLER, NB_SIZE_EQUAL, NB_SIZE_LARGER, NB_SIZE_MAXIMAL };

/* Switches of the `loader` line, for devices made from a part. Without them the loader validates
 * the primary at every boot and refuses older versions, and uses no counter. */
struct nb_loader_switches {
    bool counter;      /* images need a security counter, kept in nv */
    bool no_validate;  /* the primary is not checked at every boot */
    bool accept_older; /* no downgrade prevention by version */
};

/* The timings that the `agent` line may set; in the order of their words. */
enum nb_agent_timing {
    NB_KEEP_ALIVE,
    NB_JOB_WAIT,
    NB_DATA_WAIT,
    NB_CONNECT_WAIT,
    NB_NEXT_CHECK,
    NB_RETRY,
    NB_RETRY_LAST,
    NB_CONNECT_TRIES, /* a number of tries, and so is … */
    NB_DATA_TRIES,
    NB_AGENT_TIMINGS
};

/* Switches of the `agent` line: how the application runs its agent. */
struct nb_agent_switches {
    bool direct;                        /* no job: the image is fetched at once */
    bool no_result;                     /* do not send a result */
    bool permanent;                     /* ask for an installation without a trial */
    bool send_direct;                   /* direct, on the topic of the board */
    uint32_t chunk;                     /* each chunk is asked for, of this size; 0: all at once */
    bool stay;                          /* do not reset when the update is complete */
    bool hold;                          /* an update that is available waits to be initiated */
    uint32_t seconds[NB_AGENT_TIMINGS]; /* of nb_agent_timing_words; 0: the usual of a test */
    char prefix[32];                    /* of topics, on both sides; "": the device's */
    char board[32];                     /* the same */
    struct app_answers answers;         /* what the application says to its agent */
    char answer_words[APP_ANSWERS][24]; /* … as it was written */
};

/* What carries a job or the data. */
enum nb_link { NB_LINK_NONE, NB_LINK_MQTT, NB_LINK_HTTP, NB_LINK_HTTPS };

/* Who shows which certificate: the words of the `tls` line. */
enum nb_tls {
    NB_TLS_NONE,
    NB_TLS_SERVER,     /* a good one, for localhost and 127.0.0.1 */
    NB_TLS_CLIENT,     /* and the device must show a good one, too */
    NB_TLS_STRANGER,   /* … but its own comes from somebody else's CA */
    NB_TLS_IMPOSTOR,   /* says that our CA signed it, which it did not */
    NB_TLS_UNKNOWN_CA, /* signed by a CA that nobody knows here */
    NB_TLS_SELF_SIGNED,
    NB_TLS_EXPIRED,
    NB_TLS_EARLY, /* not valid yet */
    NB_TLS_WRONG_NAME,
    NB_TLS_KINDS
};

/* ---- images ------------------------------------------------------------------------------ */

enum nb_image_key { NB_KEY_TRUSTED, NB_KEY_OTHER, NB_KEY_NONE };

enum nb_tamper {
    NB_TAMPER_NONE,
    NB_TAMPER_PAYLOAD,   /* one payload byte flipped after signing */
    NB_TAMPER_HEADER,    /* a bit of the header's build number flipped after signing */
    NB_TAMPER_SIGNATURE, /* one byte of the signature flipped */
    NB_TAMPER_TRUNCATE,  /* the last 64 bytes are missing */
};

/* The archive that an offer is packed into, and what is wrong with it: the words of `tar=`. */
enum nb_tar {
    NB_TAR_NONE,
    NB_TAR_GOOD,
    NB_TAR_CHECKSUM,   /* of the image's header */
    NB_TAR_NO_LIST,    /* no components.json */
    NB_TAR_SIZE,       /* the member is longer than listed */
    NB_TAR_NAME,       /* the member has another name than listed */
    NB_TAR_CUT_OFF,    /* it ends inside the image */
    NB_TAR_NO_IMAGE,   /* the list is all there is */
    NB_TAR_VERSION,    /* the list says another version than the job */
    NB_TAR_OTHER_CORE, /* the image is another core's */
};

/* One image that the script speaks of: `vN` with its options, or a golden file. */
struct nb_image {
    unsigned number; /* N of vN; 0: a golden file */
    char file[NB_TEXT];
    struct img_version version; /* in the header; of a golden file: not known (zeros) */
    bool has_announce;          /* the cloud says another version than the header */
    struct img_version announce;
    uint32_t size; /* payload bytes; 0: not given (64 KiB, or what the `size` line says of v2) */
    enum app_behaviour app;
    char board[NB_WORD]; /* "": the device's own */
    bool has_counter;
    bool no_counter; /* `counter=none`: not even where `loader counter` gives every image its N */
    uint32_t counter;
    enum nb_image_key key;
    enum nb_tamper tamper;
    uint32_t extra; /* bytes appended behind the image */
    /* what the job says of it */
    enum nb_link connection; /* NONE: as the `data` line says */
    char path[NB_WORD];      /* of the image over HTTP; "": the usual one */
    bool port_closed;        /* the job names a port where nobody listens */
    uint32_t chunk;          /* bytes of a data chunk; 0: 4096 */
    enum nb_tar tar;
    /* what a manifest says of it */
    int bases[NB_BASES]; /* of patches to it: indices into nb_script.images */
    size_t base_count;
    unsigned lie;           /* of nb_manifest_lies; 0: it tells the truth */
    uint32_t url_length;    /* characters of the image's URL; 0: as it comes */
    uint32_t manifest_size; /* bytes of the manifest; 0: as it comes */
};

/* ---- steps ------------------------------------------------------------------------------- */

enum nb_step_kind {
    NB_CLOUD_OFFER,          /* image */
    NB_CLOUD_ADD,            /* the same, behind what is on offer: the last one counts */
    NB_CLOUD_ERASE,          /* expect.versions: of the stored image that is to go */
    NB_CLOUD_NONE,           /* `cloud offer none`, `cloud withdraw` */
    NB_DEVICE_LIVE,          /* the device process for value seconds, check after check */
    NB_DEVICE_CHECK,         /* the device process until its check has ended, through all reboots */
    NB_DEVICE_BOOT,          /* one boot of the loader */
    NB_DEVICE_CONFIRM,       /* the running application confirms */
    NB_DEVICE_PUSH,          /* image, push: a host pushes it */
    NB_DEVICE_PENDING,       /* the application asks for slot1; permanent */
    NB_DEVICE_ROLL_BACK,     /* … of a store: that what runs gives way to the next in rank */
    NB_DEVICE_FACTORY_RESET, /* … for the factory image */
    NB_DEVICE_FORGET,        /* … that a version is erased; expect.versions */
    NB_DEVICE_COUNTER,       /* value: raise the nv counter */
    NB_PROVE,        /* expect.versions: what may boot; pending, permanent, confirmed: what the
                        application may do */
    NB_FLASH_IMAGE,  /* slot, image, pending, permanent, confirmed */
    NB_FLASH_ERASE,  /* slot */
    NB_FLASH_FLIP,   /* slot, value: offset of the byte whose bit 0 is flipped */
    NB_FLASH_BREAK,  /* slot, value: offset of the unit that cannot be read */
    NB_FLASH_WEAKEN, /* slot, value: offset of the unit that reads unstably */
    NB_FLASH_STICK,  /* slot, value: offset in the sector that does not erase any more */
    NB_FAULT_CUT,    /* value: operation; tear. Or all, and tears */
    NB_FAULT_FAIL,   /* value: operation that fails, or all; failure */
    NB_FAULT_CHUNK,  /* value: chunk; chunk_fault; raw */
    NB_FAULT_REVERSE,
    NB_FAULT_JOB_SILENT,
    NB_FAULT_JOB_RAW,  /* text */
    NB_FAULT_NET,      /* fault: of the network */
    NB_EXPECT,         /* expect */
    NB_EXPECT_FLASH,   /* slot, image; image < 0: the slot is erased */
    NB_EXPECT_WEAR,    /* value: most erases of any one sector since the scenario began */
    NB_EXPECT_TRAFFIC, /* value: most bytes that went to the device in the last device step */
    NB_EXPECT_LASTS,   /* value: least milliseconds that the last device step took */
    NB_EXPECT_TOPICS,  /* value: topics on which devices asked for a job in it */
    NB_UNTIL_STABLE,   /* expect.versions: what boots then */
    NB_UNTIL_REPORTED, /* expect.word: the report that is to be delivered */
};

enum nb_chunk_fault {
    NB_CHUNK_DROP,
    NB_CHUNK_REPEAT,
    NB_CHUNK_CORRUPT,
    NB_CHUNK_RAW,
    NB_CHUNK_PATCH,
    NB_CHUNK_LATE, /* patch_at: ms */
    NB_CHUNK_JOB   /* text: a job that is sent before the chunk */
};

enum nb_expect_kind {
    NB_EXPECT_BOOT,          /* versions, status */
    NB_EXPECT_NO_IMAGE,      /* `boot none` */
    NB_EXPECT_REFUSED,       /* word: loader */
    NB_EXPECT_REJECT,        /* word: agent */
    NB_EXPECT_REPORT,        /* success or failure in word */
    NB_EXPECT_JOB,           /* versions */
    NB_EXPECT_PENDING,       /* versions */
    NB_EXPECT_CONFIRMED,     /* versions */
    NB_EXPECT_RESET,         /* word: install crash watchdog selftest */
    NB_EXPECT_IDLE,          /* word */
    NB_EXPECT_EVENT,         /* word: of a service */
    NB_EXPECT_PAUSE,         /* the device waits before it tries again */
    NB_EXPECT_CHUNK_REQUEST, /* value: offset */
    NB_EXPECT_CLOUD,         /* text: prefix of a cloud line */
    NB_EXPECT_KINDS
};

enum nb_boot_status { NB_STATUS_ANY, NB_STATUS_TRIAL, NB_STATUS_CONFIRMED };

struct nb_expect {
    enum nb_expect_kind kind;
    bool never; /* met when no such line comes in the device step, behind those that
                 * met the expectations before */
    struct img_version versions[NB_ALTERNATIVES];
    size_t version_count;
    enum nb_boot_status status;
    char word[NB_WORD]; /* "": any */
    uint32_t value;
    char text[NB_TEXT];
};

struct nb_step {
    enum nb_step_kind kind;
    unsigned line;              /* in the file */
    char text[NB_TEXT];         /* the line as written, blanks squeezed: for stories and messages */
    int image;                  /* index into nb_script.images, or -1 */
    unsigned slot;              /* 0 primary, 1 secondary */
    enum sim_act_kind call;     /* NB_PROVE, pending: what is asked for; NONE: the second slot */
    bool pending;               /* NB_FLASH_IMAGE: with a trailer that asks for installation … */
    bool permanent;             /* … for good. false: as the cell's `install` says */
    bool confirmed;             /* NB_FLASH_IMAGE: with a trailer that says confirmed */
    bool initiate;              /* NB_DEVICE_CHECK: and what was found before is fetched */
    bool all;                   /* NB_FAULT_CUT, NB_FAULT_FAIL: `@flash:*`, a sweep */
    bool from_end;              /* value counts back from the slot's end */
    enum flash_tear tear;       /* COUNT: none was named */
    enum flash_tears tears;     /* of a sweep */
    enum flash_failure failure; /* NB_FAULT_FAIL */
    struct sim_push_plan push;  /* NB_DEVICE_PUSH: all but the image */
    uint32_t value;
    enum nb_chunk_fault chunk_fault;
    uint32_t patch_at; /* NB_CHUNK_PATCH: where in the message `raw` goes */
    uint8_t raw[NB_RAW];
    size_t raw_size;
    char raw_text[NB_JOB]; /* NB_FAULT_JOB_RAW, NB_CHUNK_JOB, NB_HTTP_RAW */
    struct nb_fault fault; /* NB_FAULT_NET; its text is raw_text */
    struct nb_expect expect;
};

struct nb_script {
    char path[256]; /* as given */
    char title[NB_TEXT];
    struct nb_list req;
    struct nb_list system;
    struct nb_list world;
    struct nb_list device;
    struct nb_list part;
    struct nb_list scheme;
    struct nb_list size;
    struct nb_list install;
    struct nb_list data;
    struct nb_list via;
    struct nb_list tls;
    unsigned devices; /* alike, but for their serial numbers; 1 when nothing is said */
    unsigned nginx;   /* line that says `conformance nginx`; 0: none */
    struct nb_agent_switches agent;
    uint32_t slot_size; /* of devices made from a part; 0: 128 KiB */
    struct nb_loader_switches loader;
    struct nb_image *images;
    size_t image_count;
    struct nb_step *steps;
    size_t step_count;
    bool needs_cloud;  /* a cloud step or `device check`: an engine with a network */
    bool needs_proxy;  /* a fault of the network, or its traffic is looked at */
    bool uses_goldens; /* the device also trusts the goldens' public keys */
};

/* Parses the text of a script. 0, or OTA_E_ARGUMENT with line, column and message in `error`, or
 * OTA_E_NO_SPACE when memory runs out. `out` is valid, and to be freed, only after 0. */
OTA_MUST_CHECK int nb_script_parse(const char *text, size_t length, const char *path,
                                   struct nb_script *out, struct flash_text_error *error);

/* Reads and parses the file; a parse error is printed on stderr as FILE:LINE:COL: message, the line
 * and a caret. OTA_E_IO, with the reason printed, when it cannot be read. What was printed is in
 * `error`, too. */
OTA_MUST_CHECK int nb_script_load(const char *path, struct nb_script *out,
                                  struct flash_text_error *error);

/* Is there a `prove` line in it? */
bool nb_script_proves(const struct nb_script *script);

void nb_script_free(struct nb_script *script);

/* The plain v1 that the primary slot holds when a run begins, or NULL when the script fills or
 * erases that slot itself before its first device step. */
const struct nb_image *nb_script_factory(const struct nb_script *script);

/* The image that `vN` means at the end of the script: the last one declared, or NULL. */
const struct nb_image *nb_script_image(const struct nb_script *script, unsigned number);

/* The words of lists, NULL-terminated; their index is the enum's value. */
extern const char *const nb_link_words[]; /* "", "mqtt", "http", "https" */
extern const char *const nb_tls_words[];
extern const char *const nb_tar_words[];
extern const char
    *const nb_agent_timing_words[]; /* with -- in front: options of `nobrick device` */

/* The page of the language, from the parser's own table. */
void nb_verbs_print(void (*line)(void *context, const char *text), void *context);
/* The faults among them. */
void nb_faults_print(void (*line)(void *context, const char *text), void *context);

#endif

/* What an agent consists of, for those who own one and for the handlers of the state table. Others
 * treat it as opaque: nothing in here is an interface. */
#ifndef NOBRICK_AGENT_UPDATE_SESSION_STATE_H
#define NOBRICK_AGENT_UPDATE_SESSION_STATE_H

#include "agent/protocol/protocol.h"
#include "agent/update/untar.h"

#define OTA_CLIENT_ID_MAX 24u  /* 23 characters: what every broker accepts */
#define OTA_UNIT_MAX      512u /* largest program unit of any part */
#define OTA_ASKED_MAX     4u   /* chunks asked for again at a time */

enum ota_state {
    OTA_STATE_IDLE,
    OTA_STATE_CONNECT,
    OTA_STATE_SUBSCRIBE,
    OTA_STATE_SWITCH,
    OTA_STATE_PAUSE,
    OTA_STATE_PROBE,
    OTA_STATE_CONFIRM,
    OTA_STATE_REPORT,
    OTA_STATE_POST,
    OTA_STATE_ASK,
    OTA_STATE_QUERY,
    OTA_STATE_PARSE,
    OTA_STATE_PEEK,
    OTA_STATE_ERASE,
    OTA_STATE_REQUEST,
    OTA_STATE_RECEIVE,
    OTA_STATE_FETCH,
    OTA_STATE_VERIFY,
    OTA_STATE_INSTALL,
    OTA_STATE_LEAVE,
    OTA_STATE_RESET,
    OTA_STATES
};

/* The answer to an HTTP request, as far as it came. */
struct ota_reply {
    bool begun;    /* its head was accepted */
    bool whole;    /* it is all of the file, not the range that was asked for */
    bool progress; /* a chunk of it lies in flash */
    uint32_t from; /* bytes [from, end) were asked for; then: are what comes */
    uint32_t end;
    uint32_t at; /* of the next byte */
};

/* What is small comes first: the nearer to the beginning, the shorter the instruction on a chip. */
struct ota_agent {
    enum ota_state state;
    bool trial;     /* the running image will be reverted unless it confirms */
    bool pending;   /* the loader has work: nothing new before a reset */
    uint8_t erased; /* value of the secondary slot's erased bytes */

    /* the session, and its download; by fours, for that is how they are cleared */
    bool offered;  /* a job document arrived: whatever comes of it is reported */
    bool fetching; /* … and was accepted: `offer` is being fetched */
    bool renewing; /* … but the place that the job names is gone: a new job comes first */
    bool restart;  /* reset instead of going idle */

    bool announced; /* `offer` is known: from the job, or from the data in direct flow */
    bool past_end;  /* the server said once that there is no such range */
    bool archived;  /* an archive is fetched: chunks are taken in order, the first one first */
    bool written;   /* … by the application, the chunk that is being read */

    bool peeked;   /* its first chunk was seen on the server, or lies in the slot */
    bool prepared; /* the slot is erased but for what lies there already */
    bool held;     /* the first chunk waits in `piece` until it is */
    bool resumed;  /* nothing has confirmed yet that the image is still the recorded one */

    bool linked;     /* an MQTT connection is up or being opened … */
    bool astray;     /* … to the broker that the job names */
    bool requested;  /* an HTTP request is under way */
    bool again;      /* what is next is the present state, from its beginning */
    bool taken_over; /* the application did the work of the present state */
    bool checking;   /* the session is to look for an update, not only to report */
    bool following;  /* the first chunk came before the wait for chunks */

    uint32_t unit_size; /* program unit of the secondary slot */
    int failure;        /* what the present state failed with, for the application */
    int outcome;        /* how the session ended, as far as that is known */
    uint32_t setbacks;  /* sessions in a row that the network ended; outlives the session */
    uint32_t tries;     /* connections and requests that failed since the last progress */
    uint32_t told_ms;   /* a server asked to be left alone for so long; 0: none did */
    uint32_t waits;     /* waits for data that failed since the last progress */
    uint32_t unacked;   /* publications that the broker has not acknowledged */
    uint32_t total;     /* size of what is fetched, image or archive; 0: not known yet */
    uint32_t done;      /* bytes of it that lie in flash, or were read */
    uint32_t grain;     /* bytes of a bit of `coverage`: of a block, or of a smaller chunk */
    uint32_t bad_chunks;
    uint32_t renewals;  /* new jobs asked for, in this session */
    uint32_t restarts;  /* from zero, in this session */
    size_t asked_count; /* of `asked` */
    uint32_t kept;      /* bytes of an archive's image that were in flash before this session */
    uint32_t unpacked;  /* bytes of it that lie in flash */
    int text_length;    /* of `text`, or the error of writing it */
    uint8_t *piece; /* the caller's: a chunk as it comes by HTTP; or the last unit of an image */
    char *text;     /* the caller's: the document being sent or read */

    struct ota_ports ports;
    struct ota_config config;

    struct ota_journal journal;
    struct ota_record record;
    struct ota_speaker speaker; /* with the version that runs */
    struct img_version offer;
    uint64_t fetched; /* bytes of data that came, in this session */
    struct ota_reply reply;
    uint32_t asked[OTA_ASKED_MAX]; /* offsets of the chunks asked for one by one */
    struct ota_source source;      /* where the image is */
    struct ota_progress progress;
    struct ota_untar untar;
    char client_id[OTA_CLIENT_ID_MAX];
    char inbox[OTA_TOPIC_MAX];
    char outbox[OTA_TOPIC_MAX];
    char etag[OTA_ETAG_MAX];              /* of what is fetched, as the server says; "": none */
    uint8_t coverage[OTA_MAX_CHUNKS / 8]; /* a bit a grain: its bytes lie in flash */
};

#endif

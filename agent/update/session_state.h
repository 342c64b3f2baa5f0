/* What an agent consists of, for those who own one and for the handlers of the state table. Others
 * treat it as opaque: nothing in here is an interface. */
#ifndef NOBRICK_AGENT_UPDATE_SESSION_STATE_H
#define NOBRICK_AGENT_UPDATE_SESSION_STATE_H

#include "agent/update/session.h"

#define OTA_CLIENT_ID_MAX 24u  /* 23 characters: what every broker accepts */
#define OTA_UNIT_MAX      512u /* largest program unit of any part */
#define OTA_ASKED_MAX     4u   /* chunks asked for again at a time */

enum ota_state {
    OTA_STATE_IDLE,
    OTA_STATE_CONNECT,
    OTA_STATE_SUBSCRIBE,
    OTA_STATE_PAUSE,
    OTA_STATE_CONFIRM,
    OTA_STATE_REPORT,
    OTA_STATE_ASK,
    OTA_STATE_ERASE,
    OTA_STATE_REQUEST,
    OTA_STATE_RECEIVE,
    OTA_STATE_VERIFY,
    OTA_STATE_INSTALL,
    OTA_STATE_LEAVE,
    OTA_STATE_RESET,
    OTA_STATES
};

struct ota_agent {
    struct ota_config config;
    struct ota_ports ports;
    enum ota_state state;

    /* the device */
    struct ota_journal journal;
    struct ota_record record;
    struct img_version running;
    bool trial; /* the running image will be reverted unless it confirms */

    uint32_t unit_size; /* program unit of the secondary slot */
    uint8_t erased;     /* value of its erased bytes */

    /* the session */
    bool checking;    /* it is to look for an update, not only to report */
    bool offered;     /* a job document arrived: whatever comes of it is reported */
    bool fetching;    /* … and was accepted: `offer` is being fetched */
    bool linked;      /* a connection is up or being opened */
    bool restart;     /* reset instead of going idle */
    int outcome;      /* how the session ended, as far as that is known */
    uint32_t tries;   /* connections that failed since the last progress */
    uint32_t waits;   /* waits for data that failed since the last progress */
    uint32_t unacked; /* publications that the broker has not acknowledged */
    struct img_version offer;
    char client_id[OTA_CLIENT_ID_MAX];
    char inbox[OTA_TOPIC_MAX];
    char outbox[OTA_TOPIC_MAX];

    /* the download */
    uint32_t erased_from; /* the secondary slot is erased from here to its end */
    uint32_t total;       /* size of the image; 0: not known yet */
    uint32_t done;        /* bytes of it that lie in flash */
    uint32_t bad_chunks;
    bool resume;                   /* the connection was lost: ask for what is missing */
    uint32_t asked[OTA_ASKED_MAX]; /* offsets of the chunks asked for one by one */
    size_t asked_count;
    uint8_t coverage[OTA_MAX_CHUNKS / 8]; /* a bit a chunk: its bytes lie in flash */

    char text[OTA_JSON_MAX];    /* the document being published */
    uint8_t unit[OTA_UNIT_MAX]; /* the last, incomplete program unit of a chunk */
};

#endif

/* The service over a session, as applications of Microchip Harmony's OTA know it: what happens is
 * told in the original's events, and messages make something happen.
 *
 * It watches the session's notices, answers its questions, and keeps a few bytes of its own. The
 * application hands it every notice (`notice`) and every question (`decide`, of &ota_say). A device
 * that does not name &ota_service links none of this.
 *
 * What the original does at its end of a check it does not do here: checks go on after every
 * outcome, a message is taken whenever no session is under way, a reset can be asked for whatever
 * was asked before, and what fails says so. */
#ifndef NOBRICK_AGENT_UPDATE_SERVICE_H
#define NOBRICK_AGENT_UPDATE_SERVICE_H

#include "agent/protocol/protocol.h"

/* The original's numbers. 0 to 3 are never told, they are what one asks for (`status`). 24 is told
 * of a patch that cannot be applied, too: the original has no word for that. */
enum ota_service_event {
    OTA_SERVICE_IDLE,
    OTA_SERVICE_WAITING_FOR_NETWORK,
    OTA_SERVICE_WAITING_FOR_CORE,
    OTA_SERVICE_WAITING_FOR_PERIOD,
    OTA_SERVICE_CHECK_START,
    OTA_SERVICE_CHECK_FAILED,
    OTA_SERVICE_UPDATE_AVAILABLE,
    OTA_SERVICE_UPDATE_NOT_AVAILABLE,
    OTA_SERVICE_TRIGGER_FAILED,
    OTA_SERVICE_FACTORY_RESET_SUCCESS,
    OTA_SERVICE_FACTORY_RESET_FAILED,
    OTA_SERVICE_ROLLBACK_SUCCESS,
    OTA_SERVICE_ROLLBACK_FAILED,
    OTA_SERVICE_PATCH_BASE_NOT_FOUND,
    OTA_SERVICE_PATCH_START,
    OTA_SERVICE_PATCH_COMPLETED,
    OTA_SERVICE_DOWNLOAD_START,
    OTA_SERVICE_DOWNLOAD_SUCCESS,
    OTA_SERVICE_DOWNLOAD_FAILED,
    OTA_SERVICE_VERIFY_START,
    OTA_SERVICE_VERIFY_SUCCESS,
    OTA_SERVICE_VERIFY_FAILED,
    OTA_SERVICE_PATCH_VERIFY_START,
    OTA_SERVICE_PATCH_VERIFY_SUCCESS,
    OTA_SERVICE_PATCH_VERIFY_FAILED,
    OTA_SERVICE_STORED,
    OTA_SERVICE_ERASE_FAILED,
    OTA_SERVICE_ERASED,
    OTA_SERVICE_STORE_FULL,
    OTA_SERVICE_NONE,
};

/* Of the original's states of its service, by its numbers, those in which a session here can be
 * found. What it does in between (10 to 12, 14, 15) is done within one call. */
enum ota_service_state {
    OTA_SERVICE_STATE_WAIT_TIMER = 6,
    OTA_SERVICE_STATE_TRIGGER = 8,
    OTA_SERVICE_STATE_WAIT_CORE = 9,
    OTA_SERVICE_STATE_UPDATE_USER = 13,
    OTA_SERVICE_STATE_IDLE = 16,
    OTA_SERVICE_STATE_CONNECT = 18,
    OTA_SERVICE_STATE_READ_JSON = 19,
};

/* … and of its core, in the order in which it comes to them; they have no numbers that an
 * application would see. */
enum ota_core_state {
    OTA_CORE_IDLE,
    OTA_CORE_SEARCH_PATCH_BASE,
    OTA_CORE_DOWNLOAD_IMAGE,
    OTA_CORE_VERIFY_PATCH,
    OTA_CORE_PATCH_BUILD,
    OTA_CORE_VERIFY,
    OTA_CORE_DATABASE_ENTRY,
    OTA_CORE_UPDATE_USER,
};

/* The original's numbers, too. */
enum ota_service_message {
    OTA_SERVICE_CHECK = 1, /* look for an update now */
    OTA_SERVICE_INITIATE,  /* … and fetch it, whatever auto_update says */
    OTA_SERVICE_RESET,     /* … so that the loader does what was asked of it */
    OTA_SERVICE_FACTORY_RESET,
    OTA_SERVICE_ROLLBACK,
};

struct ota_service_config {
    bool auto_update; /* what is available is fetched; else `initiate` is waited for */
    bool auto_reset;  /* what the loader has to do is done at once; else `reset` is waited for */
    bool periodic;    /* a check after each interval; else only those that are asked for */
    uint32_t interval_ms; /* 0: the session's next_check */
    void (*tell)(void *context, enum ota_service_event event);
    void *context;
};

struct ota_service {
    struct ota_service_config config;
    struct ota_agent *agent;
    struct ota_source server; /* where `lead` led */
    uint8_t phase;
    bool asked;    /* this session was */
    bool initiate; /* … to fetch what it finds */
    bool waiting;  /* an update is available, and `initiate` is waited for */
    bool changed;  /* the loader has something to do that no session asked for */
};

/* What a device names to have a service. */
struct ota_service_calls {
    /* Before the agent starts, with the configuration that it will start with. */
    void (*begin)(struct ota_service *service, const struct ota_service_config *config,
                  struct ota_agent *agent, struct ota_config *agent_config);
    void (*notice)(struct ota_service *service, const struct ota_notice *notice);
    enum ota_answer (*decide)(struct ota_service *service, const struct ota_question *question);
    /* OTA_E_BUSY: a session is under way. OTA_E_NO_IMAGE: there is nothing to reset for, or to go
     * back to. Else the errors of the store, which an event told, too. */
    int (*message)(struct ota_service *service, enum ota_service_message message);
    /* Other switches from now on: the next check is a whole interval away. */
    void (*set)(struct ota_service *service, const struct ota_service_config *config);
    /* The manifest is elsewhere from now on. */
    void (*lead)(struct ota_service *service, const struct ota_source *server);
    /* What an application shows: IDLE, WAITING_FOR_PERIOD, or what was told last. */
    enum ota_service_event (*status)(const struct ota_service *service);
    /* Where the original would be now. */
    enum ota_service_state (*state)(const struct ota_service *service);
    enum ota_core_state (*core)(const struct ota_service *service);
};

extern const struct ota_service_calls ota_service;

/* "download-start", "wait-timer", "verify-patch"; static. */
const char *ota_service_event_word(enum ota_service_event event);
const char *ota_service_state_word(enum ota_service_state state);
const char *ota_core_state_word(enum ota_core_state state);

#endif

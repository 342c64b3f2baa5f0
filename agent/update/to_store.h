/* What a session needs whose images go to a store (agent/store): working memory, the caller's. */
#ifndef NOBRICK_AGENT_UPDATE_TO_STORE_H
#define NOBRICK_AGENT_UPDATE_TO_STORE_H

#include "agent/store/store.h"
#include "agent/update/session.h"

struct ota_patched;

struct ota_stored {
    struct ota_patched *patched; /* of one that takes patches, too (patched.h); NULL: none */
    struct store_config config;  /* filled in by the caller, as the loader's */
    struct store store;          /* as it was read last */
    struct img_row row;          /* of what is fetched */
    uint8_t place;               /* where that goes */
};

#endif

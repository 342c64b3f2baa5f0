/* Never linked: the sizes of these are the RAM that agents take (cortexm.mk). */
#include "agent/protocol/json_arena.h"
#include "agent/update/session_state.h"

/* One that does everything. */
struct everything {
    struct ota_agent agent;
    uint8_t piece[OTA_CHUNK_SIZE];
    char text[OTA_JSON_MAX + 1];
    uint8_t json[JSON_ARENA(64)];
};

/* One that knows images only: JSON is read where their pieces go through. */
struct images {
    struct ota_agent agent;
    uint8_t piece_or_json[OTA_CHUNK_SIZE];
    char text[OTA_JSON_MAX + 1];
};

extern struct everything agent;
extern struct images agent_images;
struct everything agent;
struct images agent_images;

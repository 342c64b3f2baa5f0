/* Never linked: its size is the RAM of an agent that does everything (cortexm.mk). */
#include "agent/protocol/json_arena.h"
#include "agent/update/session_state.h"

struct everything {
    struct ota_agent agent;
    uint8_t piece[OTA_CHUNK_SIZE];
    char text[OTA_JSON_MAX + 1];
    uint8_t json[JSON_ARENA(64)];
};

extern struct everything agent_state;
struct everything agent_state;

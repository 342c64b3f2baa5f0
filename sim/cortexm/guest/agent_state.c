/* Never linked: its size is the agent's state (cortexm.mk). */
#include "agent/update/session_state.h"

extern struct ota_agent agent_state;
struct ota_agent agent_state;

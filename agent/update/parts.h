/* What a device is put together from: here its configuration says, when it runs.
 *
 * A program whose devices are all put together from the same parts brings a file of this name,
 * which the compiler finds first and which names them as a constant (sim/cortexm/guest/minimal):
 * then what only other parts would need is not compiled, let alone linked. */
#ifndef NOBRICK_AGENT_UPDATE_PARTS_H
#define NOBRICK_AGENT_UPDATE_PARTS_H

#include "agent/update/session_state.h"

static inline const struct ota_parts *ota_parts(const struct ota_agent *agent)
{
    return &agent->config.parts;
}

#endif

/* The parts of guest/agent_minimal.c: AnyCloud by MQTT, jobs, images as they are, nobody is asked.
 * Takes the place of agent/update/parts.h. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_MINIMAL_AGENT_UPDATE_PARTS_H
#define NOBRICK_SIM_CORTEXM_GUEST_MINIMAL_AGENT_UPDATE_PARTS_H

#include "agent/protocol/anycloud.h"
#include "agent/update/session_state.h"

static const struct ota_parts minimal_parts = {
    .protocol = &ota_anycloud,
    .by_mqtt = &ota_by_mqtt,
    .target = &ota_to_slots,
};

static inline const struct ota_parts *ota_parts(const struct ota_agent *agent)
{
    (void)agent;
    return &minimal_parts;
}

#endif

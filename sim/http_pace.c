#include "sim/http_pace.h"

#define CONNECT_MS 10000u
#define STALL_MS   30000u
#define SLOWEST    16u /* bytes a second that still count as progress */

void sim_http_pace_init(struct sim_http_pace *pace, uint32_t connect_ms, uint32_t stall_ms)
{
    *pace = (struct sim_http_pace){.connect_ms = connect_ms != 0 ? connect_ms : CONNECT_MS,
                                   .stall_ms = stall_ms != 0 ? stall_ms : STALL_MS};
}

uint32_t sim_http_pace_start(struct sim_http_pace *pace)
{
    pace->since = 0;
    return pace->connect_ms + pace->stall_ms;
}

bool sim_http_pace_note(struct sim_http_pace *pace, size_t length)
{
    pace->received += length;
    pace->since += length;
    if (pace->since * 1000 < (uint64_t)SLOWEST * pace->stall_ms)
        return false;
    pace->since = 0;
    return true;
}

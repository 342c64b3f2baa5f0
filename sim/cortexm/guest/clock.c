#include "sim/cortexm/guest/clock.h"

#include "sim/cortexm/guest/board.h"

#include <string.h>

static uint64_t now_ms(void *context)
{
    (void)context;
    return board_now_ms();
}

static int arm(void *context, unsigned id, uint32_t ms)
{
    struct guest_clock *clock = context;
    if (id >= OTA_TIMERS)
        return OTA_E_ARGUMENT;
    clock->due[id] = board_now_ms() + ms;
    clock->armed[id] = true;
    return OTA_OK;
}

static void disarm(void *context, unsigned id)
{
    struct guest_clock *clock = context;
    if (id < OTA_TIMERS)
        clock->armed[id] = false;
}

void guest_clock_init(struct guest_clock *clock, void (*fire)(void *owner, unsigned id),
                      void *owner)
{
    memset(clock, 0, sizeof *clock);
    clock->port = (struct clock_port){clock, now_ms, arm, disarm};
    clock->fire = fire;
    clock->owner = owner;
}

/* The armed timer that is due first; OTA_TIMERS: none is armed. */
static unsigned first(const struct guest_clock *clock)
{
    unsigned found = OTA_TIMERS;
    for (unsigned id = 0; id < OTA_TIMERS; id++)
        if (clock->armed[id] && (found == OTA_TIMERS || clock->due[id] < clock->due[found]))
            found = id;
    return found;
}

bool guest_clock_turn(struct guest_clock *clock)
{
    unsigned id = first(clock);
    if (id == OTA_TIMERS || clock->due[id] > board_now_ms())
        return false;
    clock->armed[id] = false;
    clock->fire(clock->owner, id);
    return true;
}

uint32_t guest_clock_wait(const struct guest_clock *clock)
{
    unsigned id = first(clock);
    if (id == OTA_TIMERS)
        return UINT32_MAX;
    uint64_t now = board_now_ms();
    uint64_t wait = clock->due[id] > now ? clock->due[id] - now : 0;
    return wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
}

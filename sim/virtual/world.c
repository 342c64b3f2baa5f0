#include "sim/virtual/world_state.h"

#include <stdlib.h>

#define FIRST_PORT 1024

/* ---- time -------------------------------------------------------------------------------- */

struct sim_clock {
    struct virtual_world *world;
    struct clock_port port;
    void (*fire)(void *owner, unsigned id);
    void *owner;
};

static uint64_t now_ms(void *context)
{
    return ((struct virtual_world *)context)->now;
}

static uint64_t clock_now(void *context)
{
    return ((struct sim_clock *)context)->world->now;
}

static void on_timer(void *context, uint64_t id)
{
    const struct sim_clock *clock = context;
    clock->fire(clock->owner, (unsigned)id);
}

/* A timer that was moved or disarmed leaves the queue: time must not run on to it. */
static void disarm(void *context, unsigned id)
{
    struct sim_clock *clock = context;
    virtual_queue_remove(&clock->world->queue, clock, id);
}

static int arm(void *context, unsigned id, uint32_t ms)
{
    struct sim_clock *clock = context;
    if (id >= OTA_TIMERS)
        return OTA_E_ARGUMENT;
    disarm(context, id);
    return virtual_queue_add(
        &clock->world->queue,
        (struct virtual_event){
            .due = clock->world->now + ms, .call = on_timer, .context = clock, .value = id});
}

static struct sim_clock *clock_new(void *context, void (*fire)(void *owner, unsigned id),
                                   void *owner)
{
    struct sim_clock *clock = calloc(1, sizeof *clock);
    if (clock == NULL)
        return NULL;
    clock->world = context;
    clock->port = (struct clock_port){clock, clock_now, arm, disarm};
    clock->fire = fire;
    clock->owner = owner;
    return clock;
}

static const struct clock_port *clock_port_of(struct sim_clock *clock)
{
    return &clock->port;
}

static void clock_free(struct sim_clock *clock)
{
    if (clock == NULL)
        return;
    virtual_queue_drop(&clock->world->queue, clock);
    free(clock);
}

/* ---- running ----------------------------------------------------------------------------- */

/* True when the run is over, with its value. */
static bool is_over(struct virtual_world *world, int *value)
{
    if (!world->stopped && !world->failed)
        return false;
    *value = world->failed ? OTA_E_NO_SPACE : world->value;
    world->stopped = false;
    return true;
}

static int run(void *context, uint32_t limit_ms)
{
    struct virtual_world *world = context;
    uint64_t end = limit_ms == UINT32_MAX ? UINT64_MAX : world->now + limit_ms;
    int value = OTA_E_TIMEOUT;
    for (uint32_t i = 0; !is_over(world, &value) && i < VIRTUAL_MAX_EVENTS; i++) {
        struct virtual_event event;
        if (world->queue.count == 0 || world->queue.events[0].due > end) {
            if (end != UINT64_MAX && end > world->now) /* the clock may have jumped beyond */
                world->now = end;
            return OTA_E_TIMEOUT;
        }
        (void)virtual_queue_take(&world->queue, &event);
        if (event.due > world->now)
            world->now = event.due;
        world->events++;
        event.call(event.context, event.value);
    }
    return value;
}

static void stop(void *context, int value)
{
    struct virtual_world *world = context;
    world->stopped = true;
    world->value = value;
}

/* ---- from outside ------------------------------------------------------------------------ */

static int random_bytes(void *context, void *out, size_t length)
{
    choice_bytes(context, out, length);
    return OTA_OK;
}

struct virtual_world *virtual_world_new(void)
{
    struct virtual_world *world = calloc(1, sizeof *world);
    if (world == NULL)
        return NULL;
    choice_init(&world->choice);
    world->random = (struct random_port){&world->choice, random_bytes};
    world->hop = 1;
    world->next_port = FIRST_PORT;
    world->table = (struct sim_world){.context = world,
                                      .now_ms = now_ms,
                                      .clock_new = clock_new,
                                      .clock_port = clock_port_of,
                                      .clock_free = clock_free,
                                      .run = run,
                                      .stop = stop};
    virtual_streams_install(&world->table);
    return world;
}

void virtual_world_free(struct virtual_world *world)
{
    if (world == NULL)
        return;
    virtual_queue_free(&world->queue);
    choice_free(&world->choice);
    free(world);
}

const struct sim_world *virtual_world_table(struct virtual_world *world)
{
    return &world->table;
}

struct choice *virtual_world_choice(struct virtual_world *world)
{
    return &world->choice;
}

const struct random_port *virtual_world_random(struct virtual_world *world)
{
    return &world->random;
}

void virtual_world_jump(struct virtual_world *world, uint64_t ms)
{
    world->now += ms;
}

void virtual_world_hop(struct virtual_world *world, uint32_t ms)
{
    world->hop = ms;
}

uint64_t virtual_world_events(const struct virtual_world *world)
{
    return world->events;
}

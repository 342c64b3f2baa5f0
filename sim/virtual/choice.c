#include "sim/virtual/choice.h"

#include <stdlib.h>
#include <string.h>

/* SplitMix64: public domain algorithm by Sebastiano Vigna; state advances by the golden ratio. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void restart(struct choice *choice)
{
    choice->count = 0;
    choice->state = choice->seed;
    choice->bytes_state = ~choice->seed;
}

void choice_init(struct choice *choice)
{
    memset(choice, 0, sizeof *choice);
    restart(choice);
}

void choice_seed(struct choice *choice, uint64_t seed)
{
    choice->planned = 0;
    choice->seeded = true;
    choice->seed = seed;
    restart(choice);
    choice->strayed = choice->failed = false;
}

void choice_free(struct choice *choice)
{
    free(choice->log);
    memset(choice, 0, sizeof *choice);
}

static bool grow(struct choice *choice, size_t count)
{
    if (count <= choice->room)
        return true;
    size_t room = count < 32 ? 64 : count * 2;
    struct choice_made *log = realloc(choice->log, room * sizeof *log);
    if (log == NULL)
        return false;
    choice->log = log;
    choice->room = room;
    return true;
}

uint32_t choose(struct choice *choice, uint32_t options)
{
    if (options < 2)
        return 0;
    /* drawn even when it is planned, so that what comes behind the plan is as it would have been */
    uint32_t value = choice->seeded ? (uint32_t)(draw(&choice->state) % options) : 0;
    if (choice->count < choice->planned) {
        const struct choice_made *made = &choice->log[choice->count];
        if (made->options == options) {
            choice->count++;
            return made->value;
        }
        choice->strayed = true;
        choice->planned = choice->count;
    }
    if (choice->failed || !grow(choice, choice->count + 1)) {
        choice->failed = true;
        return value;
    }
    choice->log[choice->count++] = (struct choice_made){options, value};
    choice->planned = choice->count;
    return value;
}

void choice_rewind(struct choice *choice)
{
    restart(choice);
}

bool choice_next(struct choice *choice)
{
    while (choice->planned > 0) {
        struct choice_made *last = &choice->log[choice->planned - 1];
        if (last->value + 1 < last->options) {
            last->value++;
            restart(choice);
            return true;
        }
        choice->planned--;
    }
    restart(choice);
    return false;
}

int choice_plan(struct choice *choice, const struct choice_made *made, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (made[i].value >= made[i].options)
            return OTA_E_ARGUMENT;
    if (!grow(choice, count))
        return OTA_E_NO_SPACE;
    if (count > 0)
        memcpy(choice->log, made, count * sizeof *made);
    choice->planned = count;
    restart(choice);
    choice->seeded = false;
    choice->strayed = choice->failed = false;
    return OTA_OK;
}

void choice_bytes(struct choice *choice, void *out, size_t length)
{
    uint8_t *at = out;
    while (length > 0) {
        uint64_t word = draw(&choice->bytes_state);
        size_t count = length < sizeof word ? length : sizeof word;
        for (size_t i = 0; i < count; i++)
            at[i] = (uint8_t)(word >> (8 * i)); /* the same on every byte order */
        at += count;
        length -= count;
    }
}

#include "harness/prove/around.h"
#include "flashsim/flashsim.h"

#include <stdlib.h>
#include <string.h>

/* Where it is, or the free place for it. */
static uint32_t place_of(const struct nb_arounds *arounds, const struct nb_around *around)
{
    uint32_t at = (uint32_t)flash_hash(around, sizeof *around) & (arounds->place_count - 1);
    while (arounds->places[at] != UINT32_MAX &&
           memcmp(arounds->items[arounds->places[at]], around, sizeof *around) != 0)
        at = (at + 1) & (arounds->place_count - 1);
    return at;
}

static bool make_room(struct nb_arounds *arounds)
{
    if (arounds->count < arounds->room)
        return true;
    size_t room = arounds->room ? arounds->room * 2 : 64;
    struct nb_around **items = realloc(arounds->items, room * sizeof *items);
    if (!items)
        return false;
    arounds->items = items;
    uint32_t *places = malloc(2 * room * sizeof *places);
    if (!places)
        return false;
    memset(places, 0xFF, 2 * room * sizeof *places);
    free(arounds->places);
    arounds->places = places;
    arounds->place_count = (uint32_t)(2 * room);
    arounds->room = room;
    for (size_t i = 0; i < arounds->count; i++)
        places[place_of(arounds, items[i])] = (uint32_t)i;
    return true;
}

uint32_t nb_arounds_add(struct nb_arounds *arounds, const struct nb_around *around)
{
    if (arounds->count && memcmp(arounds->items[arounds->last], around, sizeof *around) == 0)
        return arounds->last;
    if (!make_room(arounds))
        return UINT32_MAX;
    uint32_t *place = &arounds->places[place_of(arounds, around)];
    if (*place == UINT32_MAX) {
        struct nb_around *added = malloc(sizeof *added);
        if (!added)
            return UINT32_MAX;
        memcpy(added, around, sizeof *added);
        *place = (uint32_t)arounds->count;
        arounds->items[arounds->count++] = added;
    }
    arounds->last = *place;
    return *place;
}

const struct nb_around *nb_arounds_at(const struct nb_arounds *arounds, uint32_t number)
{
    return arounds->items[number];
}

void nb_arounds_free(struct nb_arounds *arounds)
{
    for (size_t i = 0; i < arounds->count; i++)
        free(arounds->items[i]);
    free(arounds->items);
    free(arounds->places);
    memset(arounds, 0, sizeof *arounds);
}

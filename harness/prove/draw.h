/* Drawing faults: lines of the language, made from the verb table's own patterns, so that every
 * fault that scripts know is drawn as well. All chance comes from sim/virtual/choice.h. */
#ifndef NOBRICK_HARNESS_PROVE_DRAW_H
#define NOBRICK_HARNESS_PROVE_DRAW_H

#include "harness/run/run.h"
#include "harness/script/verbs.h"
#include "sim/virtual/choice.h"

#define NB_VERBS_MAX 128

/* What may be drawn where. */
struct nb_draw_room {
    bool usable[NB_VERBS_MAX]; /* by row of nb_script_verbs: faults that the cell has a place for */
    uint32_t operations;       /* of the flash in a device step */
    uint32_t chunks;           /* of the largest image, over MQTT */
    unsigned steps;            /* device steps */
    bool (*networked)(const void *context, unsigned step); /* from 1: takes faults of the network */
    const void *context;
};

/* A line that fits the pattern of a fault's verb, of numbers that the room has. False when this
 * verb is not one to draw: the sweep of every cut, or an argument of a class that nobody can draw.
 */
bool nb_draw_line(struct choice *choice, const struct nb_script_verb *verb,
                  const struct nb_draw_room *room, char out[NB_TEXT]);

/* Draws which kinds of faults there are at all, then up to six faults of them, for device steps in
 * order. Returns how many. */
size_t nb_draw(struct choice *choice, const struct nb_draw_room *room,
               struct nb_drawn out[NB_DRAWN]);

/* The word with which cloud, proxy or device tell that a fault of this verb fired ("reset", "cut").
 * */
const char *nb_draw_word(const struct nb_script_verb *verb);

#endif

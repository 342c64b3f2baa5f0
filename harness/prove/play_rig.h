/* What tests share that play scripts: a kit, for all of a program's tests, and one play of a text.
 */
#ifndef NOBRICK_HARNESS_PROVE_PLAY_RIG_H
#define NOBRICK_HARNESS_PROVE_PLAY_RIG_H

#include "harness/run/kit_rig.h"

#include <stdlib.h>
#include <string.h>

static inline void parse(const char *text, struct nb_script *script)
{
    struct flash_text_error error;
    if (nb_script_parse(text, strlen(text), "t.ota", script, &error) != 0)
        fail_msg("%u: %s", error.line, error.message);
}

/* Plays the text with that engine, which must return `expected`. To be freed by the caller. */
static inline struct nb_outcome *play_text(int (*engine)(const struct nb_script *script,
                                                         const struct nb_cell *cell,
                                                         struct nb_outcome *outcome),
                                           const char *text, struct nb_cell *cell, int expected)
{
    struct nb_script script;
    struct nb_outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    snprintf(cell->world, sizeof cell->world, "virtual");
    cell->kit = kit;
    parse(text, &script);
    assert_int_equal(engine(&script, cell, outcome), expected);
    nb_script_free(&script);
    return outcome;
}

#endif

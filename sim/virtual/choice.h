/* The only source of chance in the virtual world: choose(n).
 *
 * Every choice is logged, so that a history is repeated by its list of choices, and a search can
 * go through all of them. The caller owns the struct; choice_free releases the log. */
#ifndef NOBRICK_SIM_VIRTUAL_CHOICE_H
#define NOBRICK_SIM_VIRTUAL_CHOICE_H

#include "agent/ports.h"

struct choice_made {
    uint32_t options;
    uint32_t value; /* < options */
};

struct choice {
    struct choice_made *log; /* made so far, and behind `count` those still to be repeated */
    size_t count;
    size_t planned; /* entries of the log in all */
    size_t room;
    bool seeded; /* beyond the plan: drawn; else the first option */
    uint64_t seed;
    uint64_t state;       /* of what is drawn */
    uint64_t bytes_state; /* of choice_bytes */
    bool strayed; /* a planned choice had another number of options: the plan was given up */
    bool failed;  /* memory ran out: nothing more is logged */
};

/* Always the first option; the plan of every search begins so. */
void choice_init(struct choice *choice);
/* The same seed gives the same choices on every machine. */
void choice_seed(struct choice *choice, uint64_t seed);
void choice_free(struct choice *choice);

/* A number in [0, options); options 0 or 1 give 0 and are not logged. */
uint32_t choose(struct choice *choice, uint32_t options);

/* From the beginning again, with the same choices and bytes. */
void choice_rewind(struct choice *choice);
/* Makes the plan the next list of choices in depth-first order. False when every list was tried. */
bool choice_next(struct choice *choice);
/* Repeats the `count` choices of `made`, then the first option. OTA_E_NO_SPACE, or OTA_E_ARGUMENT
 * when a value is none of its options. */
OTA_MUST_CHECK int choice_plan(struct choice *choice, const struct choice_made *made, size_t count);

/* Bytes that depend on the seed and on how many came before: the random seam. Not logged. */
void choice_bytes(struct choice *choice, void *out, size_t length);

#endif

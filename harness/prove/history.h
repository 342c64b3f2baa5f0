/* Histories of a script: its text without what it expects and without its own faults, with others
 * in front of its device steps, and an end in which everything is healed. A history is a script
 * like any other: parsed by the same parser, played by the same engine, fit to be saved. */
#ifndef NOBRICK_HARNESS_PROVE_HISTORY_H
#define NOBRICK_HARNESS_PROVE_HISTORY_H

#include "harness/run/run.h"

struct nb_history_line {
    const char *at;
    size_t length;
    bool device;  /* a device step, which faults may stand in front of */
    bool network; /* … a check: faults of the network, too */
};

/* A script's text, line by line. */
struct nb_history {
    char *text;
    struct nb_history_line *lines;
    size_t count;
    unsigned steps; /* device steps */
};

/* What a history ends with: nothing is wrong any more, and the device is to come to rest. */
struct nb_ending {
    char versions[NB_TEXT]; /* "2.0.0|1.0.0": one of them runs in the end; "": any */
    const char *report;     /* "success", "failure": delivered last; NULL: whatever */
};

/* Takes `text` apart, without `expect`, `never`, `until`, `prove` and `@` lines. OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_history_new(const char *text, size_t length, struct nb_history *out);
void nb_history_free(struct nb_history *history);

/* The step-th device step, from 1, takes faults of the network, too. */
bool nb_history_networked(const struct nb_history *history, unsigned step);

/* The text of a history, malloc'ed, NULL when memory runs out. Bit N of `left_out`: the device step
 * N (from 0) is not there. `fault_lines` (may be NULL) gets the line in which each fault stands. */
char *nb_history_text(const struct nb_history *history, const struct nb_drawn *drawn,
                      size_t drawn_count, uint32_t left_out, const struct nb_ending *ending,
                      unsigned *fault_lines);

#endif

/* A script while it is read, line by line: the line's words (script.c), and what the lines before
 * leave open (order.c). Private to both. */
#ifndef NOBRICK_HARNESS_SCRIPT_PARSER_H
#define NOBRICK_HARNESS_SCRIPT_PARSER_H

#include "harness/script/words.h"

#define NB_MAX_WORDS 40 /* in a line */

struct nb_parser_word {
    const char *at;
    size_t length;
};

struct nb_parser {
    struct nb_script *script;
    struct flash_text_error *error;
    unsigned line;
    const char *start;                             /* of the line */
    const char *end;                               /* without comment and trailing blanks */
    struct nb_parser_word words[NB_MAX_WORDS + 1]; /* the last one: empty, at the end of the line */
    size_t word_count;
    int latest[NB_MAX_NUMBER + 1];
    bool given[NB_HEADER_LOADER + 1];
    unsigned armed_line; /* of a fault that no device step has taken up yet */
    bool armed_cloud;    /* … and only `device check` can */
    unsigned flash_line; /* of a flash fault among them */
    unsigned sweep_line; /* of `@flash:* cut` */
    unsigned prove_line; /* of `prove` */
    bool rests[2];       /* and the `until` lines behind it: stable, reported */
    bool ran_before;     /* a device step stands before it */
    bool troubled;       /* faults of cloud or network do */
    bool device_ran;
    unsigned checks_line; /* of the first expectation */
};

/* Says what is wrong at a place of the present line, or at its start. OTA_E_ARGUMENT, always. */
int nb_parser_fail(struct nb_parser *p, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- order.c ----------------------------------------------------------------------------- */

/* May the step stand here? A fault must meet a device step, an expectation must follow one. Notes
 * what the step leaves open. OTA_E_ARGUMENT with a message. */
OTA_MUST_CHECK int nb_parser_order(struct nb_parser *p, const struct nb_step *step);
/* Has the script, read to its end, all that it needs? OTA_E_ARGUMENT with a message. */
OTA_MUST_CHECK int nb_parser_whole(struct nb_parser *p);

bool nb_step_runs_device(enum nb_step_kind kind);

#endif

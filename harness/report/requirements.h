/* The catalogue of requirements: what a device must do, who says so, and why no scenario shows it
 * where none does. Read from `requirements.csv` in the data directory.
 *
 *   format   CSV as RFC 4180 has it: commas, fields quoted with " where they hold one, "" for a
 *            quote, lines that end in CRLF or LF. No field holds a line break or another control
 *            character. The first line is the heading below, every other line a requirement.
 *   id       four capital letters, a hyphen, two digits; each once
 *   level    M must, S should, O optional
 *   text     one sentence: what a device does
 *   sources  public tests, standards and issues that ask for it
 *   na       why nothing here shows it, one sentence; empty where something does
 *   evidence blank between several: `test:PATH_test.c:NAME` is a unit test, `fuzz:PATH_fuzz.c` a
 *            fuzz target, paths as they lie in the sources; empty where scenarios suffice
 *
 * The catalogue owns its text; every string of a row points into it until
 * nb_requirements_free. */
#ifndef NOBRICK_HARNESS_REPORT_REQUIREMENTS_H
#define NOBRICK_HARNESS_REPORT_REQUIREMENTS_H

#include "agent/ports.h"
#include "flashsim/flashsim.h"

#define NB_REQUIREMENTS_HEADING "id,level,text,sources,na,evidence"

struct nb_requirement {
    const char *id;
    char level; /* 'M', 'S' or 'O' */
    const char *text;
    const char *sources;
    const char *na;       /* "": none */
    const char *evidence; /* "": none */
    unsigned line;
};

struct nb_requirements {
    struct nb_requirement *rows; /* in the order of the file */
    size_t count;
    char *text;
};

/* Takes `length` bytes of CSV apart; keeps a copy of them. OTA_E_ARGUMENT with line, column and
 * message in `error`, OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_requirements_parse(const char *text, size_t length,
                                         struct nb_requirements *out,
                                         struct flash_text_error *error);

/* Reads the catalogue of the data directory. On failure prints one line on stderr, after
 * `nobrick VERB: ` when the file cannot be read and as `FILE:LINE:COLUMN: what` when it is bad. */
OTA_MUST_CHECK int nb_requirements_load(const char *verb, struct nb_requirements *out);

/* The row of that id, or NULL. */
const struct nb_requirement *nb_requirement_find(const struct nb_requirements *requirements,
                                                 const char *id);
void nb_requirements_free(struct nb_requirements *requirements);

#endif

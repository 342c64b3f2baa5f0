/* What a run shows: coloured lines on a terminal, TAP version 14 in a pipe, JUnit in a file.
 *
 * The runner tells the report what happens, in order: plan, then for every scenario begin, its
 * cells, end; then close. The report counts, so it also knows the exit code. */
#ifndef NOBRICK_HARNESS_REPORT_REPORT_H
#define NOBRICK_HARNESS_REPORT_REPORT_H

#include "harness/run/run.h"

#include <stdio.h>

struct nb_junit;

struct nb_report {
    FILE *out;
    bool terminal;
    bool colour;
    struct nb_junit *junit; /* NULL: not asked for */
    size_t planned;
    size_t scenario; /* number of the present one */
    char path[256];  /* of the present one */
    char title[NB_TEXT];
    size_t cells; /* of the present one */
    size_t cell;  /* done of them */
    size_t left_out;
    size_t counts[NB_ERROR + 1]; /* of the present one, by verdict */
    size_t totals[NB_ERROR + 1]; /* scenarios, by verdict */
    char reason[NB_LINE];        /* of its worst cell */
    enum nb_verdict worst;
    double seconds;
    uint64_t points; /* power cuts of the present one */
};

/* `junit_path` may be NULL. OTA_E_IO when it cannot be opened (errno says why). */
OTA_MUST_CHECK int nb_report_open(struct nb_report *report, FILE *out, bool terminal,
                                  const char *junit_path);
void nb_report_plan(struct nb_report *report, size_t scenarios);
void nb_report_begin(struct nb_report *report, const char *path, const char *title, size_t cells,
                     size_t left_out);
/* False when TERM is unset or "dumb", or NO_COLOR is set: no colours, no line written twice. */
bool nb_report_wants_colour(void);
/* The rest of the plan will not be run: says so where a reader of TAP would count. */
void nb_report_bail(struct nb_report *report, const char *why);
/* `name` is the cell's, "" when there is only one; `id` repeats it. */
void nb_report_cell(struct nb_report *report, const char *name, const char *id,
                    const struct nb_outcome *outcome);
void nb_report_end(struct nb_report *report);
/* Writes the rest. OTA_E_IO when the JUnit file could not be written. */
OTA_MUST_CHECK int nb_report_close(struct nb_report *report);

/* 0 pass, 1 fail, 2 bad script or machine, 3 vacuous, 77 when everything was skipped. */
int nb_report_exit_code(const struct nb_report *report);

#endif

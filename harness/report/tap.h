/* TAP version 14: one test a scenario, a subtest for its cells when there are several. */
#ifndef NOBRICK_HARNESS_REPORT_TAP_H
#define NOBRICK_HARNESS_REPORT_TAP_H

#include "harness/report/report.h"

void nb_tap_plan(FILE *out, size_t tests);
void nb_tap_bail(FILE *out, const char *why);
void nb_tap_begin(const struct nb_report *report);
void nb_tap_cell(const struct nb_report *report, const char *name, const char *id,
                 const struct nb_outcome *outcome);
void nb_tap_end(const struct nb_report *report);

#endif

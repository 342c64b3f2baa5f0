/* JUnit XML, as continuous-integration servers read it. Cases are kept in memory, for the counts
 * come first in the file. */
#ifndef NOBRICK_HARNESS_REPORT_JUNIT_H
#define NOBRICK_HARNESS_REPORT_JUNIT_H

#include "harness/run/run.h"

struct nb_junit;

/* NULL, with errno set, when the file cannot be created. */
struct nb_junit *nb_junit_open(const char *path);
void nb_junit_case(struct nb_junit *junit, const char *path, const char *title, const char *cell,
                   const char *id, const struct nb_outcome *outcome);
/* Writes the file and frees. OTA_E_IO. */
OTA_MUST_CHECK int nb_junit_close(struct nb_junit *junit);

#endif

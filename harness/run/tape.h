/* Scenarios side by side: each runs in a forked child with a kit of its own, and tells what comes
 * of it on a tape, a pipe of records. The parent plays the tapes in the order of the scenarios, so
 * what is shown does not depend on who was faster.
 *
 * The kernel ends the children (in order) when the parent goes. */
#ifndef NOBRICK_HARNESS_RUN_TAPE_H
#define NOBRICK_HARNESS_RUN_TAPE_H

#include "harness/report/report.h"
#include "harness/run/matrix.h"

/* Who is told the results of a script: a report, or a tape. One of them is NULL. */
struct nb_teller {
    struct nb_report *report;
    FILE *tape;
};

/* As nb_report_begin, _cell and _end. */
void nb_tell_begin(const struct nb_teller *teller, const char *path, const char *title,
                   size_t cells, size_t left_out);
void nb_tell_cell(const struct nb_teller *teller, const char *name, const char *id,
                  const struct nb_outcome *outcome);
void nb_tell_end(const struct nb_teller *teller);

/* Runs one script and tells; in a child. */
typedef void (*nb_tape_run)(void *context, const struct nb_teller *teller, const char *path);

/* Runs the scripts at `paths`, `jobs` at a time, and reports in their order. `*stop` non-zero ends
 * it: the children are asked to stop, and what they did is not reported. OTA_E_IO when no child can
 * be started. */
OTA_MUST_CHECK int nb_tapes_run(struct nb_report *report, char *const *paths, size_t count,
                                size_t jobs, nb_tape_run run, void *context,
                                const volatile int *stop);

#endif

/* What shows which requirement: the catalogue, and the scenarios of the data directory that name
 * its ids in their `req` lines. Owns both until nb_coverage_free. */
#ifndef NOBRICK_HARNESS_REPORT_COVERAGE_H
#define NOBRICK_HARNESS_REPORT_COVERAGE_H

#include "harness/report/requirements.h"
#include "harness/script/script.h"

/* One script, as far as it matters here. */
struct nb_covering {
    char path[256];   /* below the data directory */
    char worlds[128]; /* in which it runs, blanks between: built ones only; "bench" without a cloud;
                         "": in none yet */
    struct nb_list req;
};

struct nb_coverage {
    struct nb_requirements requirements;
    struct nb_covering *scripts; /* by path */
    size_t count;
};

/* Reads catalogue and scripts. On failure prints what and where on stderr. */
OTA_MUST_CHECK int nb_coverage_load(const char *verb, struct nb_coverage *out);
void nb_coverage_free(struct nb_coverage *coverage);

/* The next script from index `from` on that runs and names `id`, or NULL; `*at` is its index. */
const struct nb_covering *nb_coverage_next(const struct nb_coverage *coverage, const char *id,
                                           size_t from, size_t *at);

/* Takes the next word of `*evidence` off: 1 and the word, 0 at the end. */
int nb_evidence_next(const char **evidence, char *word, size_t size);

/* Finds what is wrong, and tells `line` each, as `FILE:LINE: what`: a requirement that nothing
 * shows and that gives no reason; a reason or a script that contradict each other; an id that the
 * catalogue does not have; evidence that is not there in the directory `sources`. Returns how many.
 */
size_t nb_coverage_check(const struct nb_coverage *coverage, const char *sources,
                         void (*line)(void *context, const char *text), void *context);

#endif

/* The events of one run in the posix world: lines of the device and of the cloud in the order in
 * which they arrived, and how far expectations have read.
 *
 * Device and cloud are two processes: the order among their own lines is certain, the order between
 * them is not. So each side has its own cursor. */
#ifndef NOBRICK_HARNESS_RUN_TRACE_H
#define NOBRICK_HARNESS_RUN_TRACE_H

#include "harness/run/run.h"

struct nb_trace_line {
    bool cloud;
    unsigned step; /* the device step in which it was said, counted from 1 */
    char text[NB_LINE];
};

struct nb_trace {
    struct nb_trace_line *lines;
    size_t count;
    size_t room;
    size_t cursors[2]; /* of the device, of the cloud: lines before it are used up */
    size_t from;       /* first line of the present device step */
    unsigned step;     /* number of the present device step; 0: none yet */
};

/* Empty again; what it has of memory stays. */
void nb_trace_clear(struct nb_trace *trace);
void nb_trace_free(struct nb_trace *trace);

/* Appends a line. OTA_E_NO_SPACE when memory runs out. */
OTA_MUST_CHECK int nb_trace_add(struct nb_trace *trace, bool cloud, const char *text);

/* A device step begins: what came before meets no expectation any more. */
void nb_trace_step(struct nb_trace *trace);

/* Looks for a line that meets `expect`, and moves the cursor of its side behind it. */
bool nb_trace_meets(struct nb_trace *trace, const struct nb_expect *expect);

/* The first line behind the cursor of its side that meets `expect`, which stays where it is; or
 * NULL. */
const char *nb_trace_find(const struct nb_trace *trace, const struct nb_expect *expect);

/* Topics, each counted once, that the cloud's `available VERSION TOPIC` lines of the present device
 * step name. */
size_t nb_trace_topics(const struct nb_trace *trace);

/* True when a device line of the present step begins with this word. */
bool nb_trace_has(const struct nb_trace *trace, const char *word);

/* The last line of the device in the present step that begins with this word, or NULL. */
const char *nb_trace_last(const struct nb_trace *trace, const char *word);

/* The last line of the device in any step that begins with this word, or NULL. */
const char *nb_trace_latest(const struct nb_trace *trace, const char *word);

/* Tells the end of what happened: the last lines, without states, and repeated progress folded. */
void nb_trace_tell(const struct nb_trace *trace, struct nb_outcome *outcome);

#endif

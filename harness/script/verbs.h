/* The verb table: every kind of line that a script may hold, as a pattern that the parser matches
 * and that `nobrick list verbs` prints.
 *
 * A pattern is words separated by blanks. Lower case stands for itself; an upper-case word is an
 * argument of that class (words.h); `[X]` may be missing, `X...` may repeat. A class may follow a
 * prefix: `@flash:N`. */
#ifndef NOBRICK_HARNESS_SCRIPT_VERBS_H
#define NOBRICK_HARNESS_SCRIPT_VERBS_H

#include "harness/script/script.h"

enum nb_script_group { NB_GROUP_HEADER, NB_GROUP_STEP, NB_GROUP_FAULT, NB_GROUP_EXPECT };

enum nb_header {
    NB_HEADER_TITLE,
    NB_HEADER_REQ,
    NB_HEADER_SYSTEM,
    NB_HEADER_WORLD,
    NB_HEADER_DEVICE,
    NB_HEADER_DEVICES,
    NB_HEADER_PART,
    NB_HEADER_SCHEME,
    NB_HEADER_SIZE,
    NB_HEADER_INSTALL,
    NB_HEADER_DATA,
    NB_HEADER_VIA,
    NB_HEADER_TLS,
    NB_HEADER_CONFORMANCE,
    NB_HEADER_AGENT,
    NB_HEADER_SLOT,
    NB_HEADER_LOADER,
};

struct nb_script_verb {
    enum nb_script_group group;
    int kind;    /* nb_header, nb_step_kind (steps, faults) or nb_expect_kind */
    int variant; /* NB_FAULT_CHUNK: nb_chunk_fault; NB_FAULT_NET: nb_fault_kind; expectations: 1 for
                  * `never`; else 0 */
    const char *pattern;
    const char *what;
    const char *example;
};

extern const struct nb_script_verb nb_script_verbs[];
extern const size_t nb_script_verb_count;

/* What a header line ending up in a list belongs to; NULL when it is no list. */
struct nb_list *nb_header_list(struct nb_script *script, enum nb_header header);

#endif

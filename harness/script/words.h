/* Argument classes of the verb patterns: what an upper-case word of a pattern takes. */
#ifndef NOBRICK_HARNESS_SCRIPT_WORDS_H
#define NOBRICK_HARNESS_SCRIPT_WORDS_H

#include "harness/script/verbs.h"

#define NB_MAX_NUMBER 255 /* the N of vN is the major number of a version */

/* Images declared so far, as the line that is being read sees them. */
struct nb_known {
    const struct nb_image *images;
    const int *latest; /* [NB_MAX_NUMBER + 1]: index of the newest vN, or -1 */
};

/* One line while a pattern is tried on it; thrown away when the pattern does not fit. */
struct nb_line {
    const struct nb_known *known;
    const struct nb_script_verb *verb;
    struct nb_step step;
    struct nb_image image; /* IMAGE or NAME, with its options */
    bool names_image;
    bool has_options;
    struct nb_list list;
    uint32_t bytes; /* slot */
    struct nb_loader_switches switches;
    struct nb_agent_switches agent;
    char complaint[120]; /* why the word is wrong although it is of the right class; "" */
};

struct nb_word_class {
    const char *name;
    const char *expected; /* "slot0 or slot1" */
    /* Takes one word into the line; false when it is not of this class (or, with a complaint,
     * when it is but has a wrong value). */
    bool (*take)(struct nb_line *line, const char *word, size_t length);
};

/* The class of that name, or NULL. */
const struct nb_word_class *nb_word_class(const char *name, size_t length);

/* One line a class: name and what it takes. */
void nb_words_print(void (*line)(void *context, const char *text), void *context);

#endif

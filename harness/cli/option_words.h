/* What the words behind options mean, where more than one verb takes them. Each function returns
 * false when the text is nothing of the kind; whoever calls says so. Private to harness/cli. */
#ifndef NOBRICK_HARNESS_CLI_OPTION_WORDS_H
#define NOBRICK_HARNESS_CLI_OPTION_WORDS_H

#include "agent/ports.h"

/* A decimal number from `least` to `most`. */
bool nb_option_count(const char *text, unsigned long least, unsigned long most, unsigned long *out);

/* error, warning, notice, info or debug. */
bool nb_option_log(const char *text, enum ota_log_level *out);

/* The number of an open file descriptor. */
bool nb_option_descriptor(const char *text, int *out);

#endif

/* Argument classes that speak of links, certificates, hosts that push and the network, and what
 * they share with the others. Private to harness/script/words*.c. */
#ifndef NOBRICK_HARNESS_SCRIPT_WORDS_NET_H
#define NOBRICK_HARNESS_SCRIPT_WORDS_NET_H

#include "harness/script/words.h"

/* ---- shared (words.c) -------------------------------------------------------------------- */

/* Sets the complaint; false, always. */
bool nb_word_complain(struct nb_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool nb_word_is(const char *word, size_t length, const char *text);
/* Index of the word in a NULL-terminated list, or -1. */
int nb_word_index(const char *word, size_t length, const char *const *list);
/* Decimal or 0x number, K and M as suffix when `units`. */
bool nb_word_number(const char *word, size_t length, bool units, uint32_t *out);
/* Adds a value to the header line's list. */
bool nb_word_add(struct nb_line *line, const char *word, size_t length);

/* ---- classes (words_net.c) --------------------------------------------------------------- */

bool nb_take_link(struct nb_line *line, const char *word, size_t length);
bool nb_take_tls(struct nb_line *line, const char *word, size_t length);
bool nb_take_agent_switch(struct nb_line *line, const char *word, size_t length);
bool nb_take_push(struct nb_line *line, const char *word, size_t length);
bool nb_take_place(struct nb_line *line, const char *word, size_t length);
bool nb_take_net(struct nb_line *line, const char *word, size_t length);
bool nb_take_mqtt(struct nb_line *line, const char *word, size_t length);
bool nb_take_http(struct nb_line *line, const char *word, size_t length);
bool nb_take_clock(struct nb_line *line, const char *word, size_t length);
bool nb_take_duration(struct nb_line *line, const char *word, size_t length);
bool nb_take_side(struct nb_line *line, const char *word, size_t length);
bool nb_take_count(struct nb_line *line, const char *word, size_t length);
bool nb_take_phase(struct nb_line *line, const char *word, size_t length);
bool nb_take_value(struct nb_line *line, const char *word, size_t length);

/* Options of `cloud offer`. */
bool nb_option_connection(struct nb_line *line, const char *value, size_t length);
bool nb_option_port(struct nb_line *line, const char *value, size_t length);
bool nb_option_file(struct nb_line *line, const char *value, size_t length);
bool nb_option_chunk(struct nb_line *line, const char *value, size_t length);
bool nb_option_tar(struct nb_line *line, const char *value, size_t length);

#endif

/* Argument classes that stand in files of their own, and what all of them share. Private to
 * harness/script/words*.c. */
#ifndef NOBRICK_HARNESS_SCRIPT_WORD_CLASSES_H
#define NOBRICK_HARNESS_SCRIPT_WORD_CLASSES_H

#include "harness/script/words.h"

#define NB_MAX_PAYLOAD (16u * 1024u * 1024u)

/* ---- shared (words.c, words_image.c) ----------------------------------------------------- */

/* Sets the complaint; false, always. */
bool nb_word_complain(struct nb_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool nb_word_is(const char *word, size_t length, const char *text);
/* Index of the word in a NULL-terminated list, or -1. */
int nb_word_index(const char *word, size_t length, const char *const *list);
/* Decimal or 0x number, K and M as suffix when `units`. */
bool nb_word_number(const char *word, size_t length, bool units, uint32_t *out);
/* A version like 1.2.3. */
bool nb_word_version(const char *word, size_t length, struct img_version *out);
/* Index of an image that a line above declares, as v1, v2 … */
bool nb_word_declared(struct nb_line *line, const char *word, size_t length, int *index);
/* Adds a value to the header line's list. */
bool nb_word_add(struct nb_line *line, const char *word, size_t length);

/* ---- images (words_image.c) -------------------------------------------------------------- */

bool nb_take_image(struct nb_line *line, const char *word, size_t length);
bool nb_take_known(struct nb_line *line, const char *word, size_t length);
bool nb_take_option(struct nb_line *line, const char *word, size_t length);

/* ---- links, certificates, hosts that push, the network (words_net.c) --------------------- */

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

/* Options of `cloud offer` and `cloud add`. */
bool nb_option_connection(struct nb_line *line, const char *value, size_t length);
bool nb_option_port(struct nb_line *line, const char *value, size_t length);
bool nb_option_file(struct nb_line *line, const char *value, size_t length);
bool nb_option_chunk(struct nb_line *line, const char *value, size_t length);
bool nb_option_tar(struct nb_line *line, const char *value, size_t length);
bool nb_option_patch(struct nb_line *line, const char *value, size_t length);
bool nb_option_lie(struct nb_line *line, const char *value, size_t length);
bool nb_option_url(struct nb_line *line, const char *value, size_t length);
bool nb_option_manifest(struct nb_line *line, const char *value, size_t length);

#endif

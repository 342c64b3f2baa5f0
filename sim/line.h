/* A line of text, put together without stdio: a loader has no room for that.
 *
 * What does not fit is left out. The text always ends with a NUL. */
#ifndef NOBRICK_SIM_LINE_H
#define NOBRICK_SIM_LINE_H

#include <stddef.h>
#include <stdint.h>

#define SIM_LINE 96

struct sim_line {
    size_t length;
    char text[SIM_LINE];
};

void sim_line_begin(struct sim_line *line, const char *text);
void sim_line_text(struct sim_line *line, const char *text);
void sim_line_number(struct sim_line *line, uint32_t number);
void sim_line_hex(struct sim_line *line, uint32_t number); /* "0x0000001f" */

#endif

#include "sim/line.h"

void sim_line_begin(struct sim_line *line, const char *text)
{
    line->length = 0;
    line->text[0] = '\0';
    sim_line_text(line, text);
}

void sim_line_text(struct sim_line *line, const char *text)
{
    while (*text != '\0' && line->length < SIM_LINE - 1)
        line->text[line->length++] = *text++;
    line->text[line->length] = '\0';
}

void sim_line_number(struct sim_line *line, uint32_t number)
{
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    sim_line_text(line, first);
}

void sim_line_hex(struct sim_line *line, uint32_t number)
{
    char digits[] = "0x00000000";
    for (size_t i = 0; i < 8; i++)
        digits[2 + i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
    sim_line_text(line, digits);
}

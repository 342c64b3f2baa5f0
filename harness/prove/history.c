#include "harness/prove/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEALED_CHECKS 3 /* of them the first may end what the last fault left behind */

/* ---- lines ------------------------------------------------------------------------------- */

/* Does the line begin with these words, blanks aside? */
static bool begins(const char *at, const char *end, const char *first, const char *second)
{
    const char *words[] = {first, second};
    for (size_t i = 0; i < 2 && words[i]; i++) {
        size_t length = strlen(words[i]);
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if ((size_t)(end - at) < length || memcmp(at, words[i], length) != 0)
            return false;
        at += length;
        if (at < end && *at != ' ' && *at != '\t' && *at != '\r')
            return false;
    }
    return true;
}

static bool is_fault(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at < end && *at == '@';
}

static int add_line(struct nb_history *out, const char *at, const char *end)
{
    if (begins(at, end, "expect", NULL) || begins(at, end, "never", NULL) ||
        begins(at, end, "until", NULL) || begins(at, end, "prove", NULL) || is_fault(at, end))
        return 0;
    struct nb_history_line *grown = realloc(out->lines, (out->count + 1) * sizeof *grown);
    if (!grown)
        return OTA_E_NO_SPACE;
    out->lines = grown;
    struct nb_history_line *line = &grown[out->count++];
    line->at = at;
    line->length = (size_t)(end - at);
    line->network = begins(at, end, "device", "check") || begins(at, end, "device", "live");
    line->device = line->network || begins(at, end, "device", "boot");
    out->steps += line->device;
    return 0;
}

int nb_history_new(const char *text, size_t length, struct nb_history *out)
{
    memset(out, 0, sizeof *out);
    out->text = malloc(length + 1);
    if (!out->text)
        return OTA_E_NO_SPACE;
    memcpy(out->text, text, length);
    out->text[length] = '\0';
    int rc = 0;
    for (const char *at = out->text, *end = out->text + length; rc == 0 && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        rc = add_line(out, at, stop);
        at = stop + 1;
    }
    if (rc)
        nb_history_free(out);
    return rc;
}

void nb_history_free(struct nb_history *history)
{
    free(history->lines);
    free(history->text);
    memset(history, 0, sizeof *history);
}

bool nb_history_networked(const struct nb_history *history, unsigned step)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->lines[i].device && --step == 0)
            return history->lines[i].network;
    return false;
}

/* ---- text -------------------------------------------------------------------------------- */

static void write_faults(FILE *out, unsigned step, const struct nb_drawn *drawn, size_t drawn_count,
                         unsigned *line, unsigned *fault_lines)
{
    for (size_t i = 0; i < drawn_count; i++) {
        if (drawn[i].step != step)
            continue;
        fprintf(out, "%s\n", drawn[i].line);
        ++*line;
        if (fault_lines)
            fault_lines[i] = *line;
    }
}

static void write_ending(FILE *out, const struct nb_ending *ending)
{
    for (int i = 0; i < HEALED_CHECKS; i++)
        fputs("device  check\n", out);
    if (ending->report)
        fprintf(out, "until   reported %s\n", ending->report);
    fprintf(out, "until   stable boot %s\n", ending->versions[0] ? ending->versions : "0.0.0");
}

char *nb_history_text(const struct nb_history *history, const struct nb_drawn *drawn,
                      size_t drawn_count, uint32_t left_out, const struct nb_ending *ending,
                      unsigned *fault_lines)
{
    char *text = NULL;
    size_t size = 0;
    unsigned line = 0;
    unsigned step = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < history->count; i++) {
        const struct nb_history_line *from = &history->lines[i];
        if (from->device && (left_out & 1u << (step++ % 32)) != 0)
            continue;
        if (from->device)
            write_faults(out, step, drawn, drawn_count, &line, fault_lines);
        fprintf(out, "%.*s\n", (int)from->length, from->at);
        line++;
    }
    write_ending(out, ending);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

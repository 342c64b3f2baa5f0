#include "harness/run/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD 9 /* lines of a story, beside the one that says what is wrong */

void nb_trace_clear(struct nb_trace *trace)
{
    trace->count = trace->from = 0;
    trace->cursors[0] = trace->cursors[1] = 0;
    trace->step = 0;
}

void nb_trace_free(struct nb_trace *trace)
{
    free(trace->lines);
    memset(trace, 0, sizeof *trace);
}

int nb_trace_add(struct nb_trace *trace, bool cloud, const char *text)
{
    if (trace->count == trace->room) {
        size_t room = trace->room ? trace->room * 2 : 256;
        struct nb_trace_line *grown = realloc(trace->lines, room * sizeof *grown);
        if (!grown)
            return OTA_E_NO_SPACE;
        trace->lines = grown;
        trace->room = room;
    }
    trace->lines[trace->count].cloud = cloud;
    trace->lines[trace->count].step = trace->step;
    snprintf(trace->lines[trace->count].text, NB_LINE, "%s", text);
    trace->count++;
    return 0;
}

void nb_trace_step(struct nb_trace *trace)
{
    trace->step++;
    trace->from = trace->count;
    trace->cursors[0] = trace->count;
    trace->cursors[1] = trace->count;
}

bool nb_trace_meets(struct nb_trace *trace, const struct nb_expect *expect)
{
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = trace->cursors[side]; i < trace->count; i++) {
            const struct nb_trace_line *line = &trace->lines[i];
            if (line->cloud != (side == 1) || !nb_expect_matches(expect, line->text, line->cloud))
                continue;
            trace->cursors[side] = i + 1;
            return true;
        }
    }
    return false;
}

const char *nb_trace_find(const struct nb_trace *trace, const struct nb_expect *expect)
{
    for (size_t i = trace->from; i < trace->count; i++) {
        const struct nb_trace_line *line = &trace->lines[i];
        if (i >= trace->cursors[line->cloud ? 1 : 0] &&
            nb_expect_matches(expect, line->text, line->cloud))
            return line->text;
    }
    return NULL;
}

/* The topic of an `available` line, or NULL. */
static const char *topic_of(const struct nb_trace_line *line)
{
    static const char word[] = "available ";
    if (!line->cloud || strncmp(line->text, word, sizeof word - 1) != 0)
        return NULL;
    const char *blank = strchr(line->text + sizeof word - 1, ' ');
    return blank ? blank + 1 : NULL;
}

size_t nb_trace_topics(const struct nb_trace *trace)
{
    size_t count = 0;
    for (size_t i = trace->from; i < trace->count; i++) {
        const char *topic = topic_of(&trace->lines[i]);
        bool known = topic == NULL;
        for (size_t k = trace->from; k < i && !known; k++) {
            const char *other = topic_of(&trace->lines[k]);
            known = other && strcmp(other, topic) == 0;
        }
        count += !known;
    }
    return count;
}

/* The first word of both is the same. */
static bool same_word(const char *line, const char *word)
{
    size_t length = strcspn(word, " ");
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0');
}

const char *nb_trace_last(const struct nb_trace *trace, const char *word)
{
    for (size_t i = trace->count; i-- > trace->from;)
        if (!trace->lines[i].cloud && same_word(trace->lines[i].text, word))
            return trace->lines[i].text;
    return NULL;
}

bool nb_trace_has(const struct nb_trace *trace, const char *word)
{
    return nb_trace_last(trace, word) != NULL;
}

const char *nb_trace_latest(const struct nb_trace *trace, const char *word)
{
    for (size_t i = trace->count; i-- > 0;)
        if (!trace->lines[i].cloud && same_word(trace->lines[i].text, word))
            return trace->lines[i].text;
    return NULL;
}

static bool folds(const char *text)
{
    return same_word(text, "progress") || same_word(text, "chunk") || same_word(text, "sent");
}

void nb_trace_tell(const struct nb_trace *trace, struct nb_outcome *outcome)
{
    const struct nb_trace_line *told[TOLD];
    size_t count = 0;
    for (size_t i = trace->count; i-- > 0 && count < TOLD;) {
        const struct nb_trace_line *line = &trace->lines[i];
        bool again = false;
        for (size_t k = 0; k < count && folds(line->text); k++)
            again =
                again || (told[k]->cloud == line->cloud && same_word(told[k]->text, line->text));
        if (again || same_word(line->text, "state") || same_word(line->text, "exit"))
            continue;
        told[count++] = line;
    }
    while (count-- > 0)
        nb_story_add(outcome, "%-6s  %.180s", told[count]->cloud ? "cloud" : "device",
                     told[count]->text);
}

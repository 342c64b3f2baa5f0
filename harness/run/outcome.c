#include "harness/run/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void nb_story_add(struct nb_outcome *outcome, const char *format, ...)
{
    if (outcome->story_count == NB_STORY_LINES) {
        memmove(outcome->story[0], outcome->story[1], sizeof outcome->story - NB_LINE);
        outcome->story_count--;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->story[outcome->story_count++], NB_LINE, format, arguments);
    va_end(arguments);
}

void nb_note_add(struct nb_outcome *outcome, const char *format, ...)
{
    if (outcome->note_count == NB_NOTE_LINES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->notes[outcome->note_count++], NB_LINE, format, arguments);
    va_end(arguments);
}

static int badness(enum nb_verdict verdict)
{
    switch (verdict) {
    case NB_ERROR:
        return 4;
    case NB_FAIL:
        return 3;
    case NB_VACUOUS:
        return 2;
    case NB_SKIP:
        return 1;
    default:
        return 0;
    }
}

void nb_outcome_set(struct nb_outcome *outcome, enum nb_verdict verdict, const char *format, ...)
{
    if (badness(verdict) <= badness(outcome->verdict))
        return;
    outcome->verdict = verdict;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(outcome->reason, NB_LINE, format, arguments);
    va_end(arguments);
    if (verdict != NB_SKIP)
        nb_story_add(outcome, ">> %.190s", outcome->reason);
}

const char *nb_verdict_word(enum nb_verdict verdict)
{
    static const char *const words[] = {"pass", "fail", "vacuous", "skip", "error"};
    return words[verdict];
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double nb_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double nb_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

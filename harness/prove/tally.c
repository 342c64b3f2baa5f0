/* What explored histories reached. */
#include "agent/update/session.h"
#include "harness/prove/explore.h"

#include <string.h>

static void add(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

void nb_tally_add(struct nb_tally *to, const struct nb_tally *from)
{
    to->histories += from->histories;
    add(to->armed, from->armed, NB_VERBS_MAX);
    add(to->fired, from->fired, NB_VERBS_MAX);
    add(to->states, from->states, NB_STATES_MAX);
    for (size_t i = 0; i < NB_STATES_MAX; i++)
        add(to->transitions[i], from->transitions[i], NB_STATES_MAX);
    to->boots += from->boots;
    to->cuts += from->cuts;
    to->resets += from->resets;
}

/* ---- faults ------------------------------------------------------------------------------ */

static int variant_of(const struct nb_step *step)
{
    return step->kind == NB_FAULT_NET     ? (int)step->fault.kind
           : step->kind == NB_FAULT_CHUNK ? (int)step->chunk_fault
                                          : 0;
}

/* Row of the verb table, or NB_VERBS_MAX for what is no fault. */
static size_t row_of(const struct nb_step *step)
{
    for (size_t i = 0; i < nb_script_verb_count && i < NB_VERBS_MAX; i++) {
        const struct nb_script_verb *verb = &nb_script_verbs[i];
        if (verb->group == NB_GROUP_FAULT && !strchr(verb->pattern, '*') &&
            verb->kind == (int)step->kind && verb->variant == variant_of(step))
            return i;
    }
    return NB_VERBS_MAX;
}

/* "fault WORD ..." of cloud or proxy, or "cut ..." of the device, in that device step. */
static bool fired(const struct nb_trace *trace, unsigned step, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < trace->count; i++) {
        const struct nb_trace_line *line = &trace->lines[i];
        const char *text = line->text;
        if (line->step != step)
            continue;
        if (line->cloud && strncmp(text, "fault ", 6) == 0)
            text += 6;
        else if (line->cloud || strcmp(word, "cut") != 0)
            continue;
        if (strncmp(text, word, length) == 0 && (text[length] == ' ' || text[length] == '\0'))
            return true;
    }
    return false;
}

static void count_faults(const struct nb_script *script, const struct nb_trace *trace,
                         struct nb_tally *tally)
{
    unsigned step = 1;
    for (size_t i = 0; i < script->step_count; i++) {
        const struct nb_step *now = &script->steps[i];
        size_t row = row_of(now);
        step += now->kind == NB_DEVICE_LIVE || now->kind == NB_DEVICE_CHECK ||
                now->kind == NB_DEVICE_BOOT;
        if (row == NB_VERBS_MAX)
            continue;
        tally->armed[row]++;
        tally->fired[row] += fired(trace, step, nb_draw_word(&nb_script_verbs[row]));
    }
}

/* ---- states ------------------------------------------------------------------------------ */

static bool has_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0');
}

static unsigned state_of(const char *word)
{
    unsigned state = 0;
    while (ota_state_word(state) && strcmp(ota_state_word(state), word) != 0)
        state++;
    return state < NB_STATES_MAX ? state : 0;
}

static void count_events(const struct nb_trace *trace, struct nb_tally *tally)
{
    unsigned state = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const char *text = trace->lines[i].text;
        if (trace->lines[i].cloud)
            continue;
        tally->cuts += has_word(text, "cut");
        tally->resets += has_word(text, "reset");
        tally->boots += has_word(text, "boot");
        if (has_word(text, "app")) {
            state = 0; /* an agent begins idle, and says nothing of it */
            tally->states[state]++;
        } else if (has_word(text, "state")) {
            unsigned next = state_of(text + strlen("state "));
            tally->states[next]++;
            tally->transitions[state][next]++;
            state = next;
        }
    }
}

void nb_explorer_tally(const struct nb_explorer *explorer, struct nb_tally *tally)
{
    const struct nb_trace *trace = nb_explorer_trace(explorer);
    tally->histories++;
    count_faults(nb_explorer_parsed(explorer), trace, tally);
    count_events(trace, tally);
}

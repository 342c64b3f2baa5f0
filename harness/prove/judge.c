#include "harness/prove/judge.h"

/* What an image may do in a phase: the phase that follows, or why it may not. */
struct rule {
    enum nb_phase next;
    const char *wrong;
};

struct row {
    enum nb_action action;
    enum nb_phase cut;
    struct rule old;       /* the old image runs */
    struct rule trial;     /* the new one runs on trial */
    struct rule confirmed; /* the new one runs for good */
};

#define TO(phase)                                                                                  \
    {                                                                                              \
        NB_PHASE_##phase, NULL                                                                     \
    }
#define WRONG(text)                                                                                \
    {                                                                                              \
        NB_PHASES, text                                                                            \
    }
#define AGAIN   "the new image runs again without having confirmed itself"
#define NOBODY  "the new image counts as confirmed, and nobody confirmed it"
#define GAVE    "the confirmed image gives way to the old one"
#define BACK    "the old image was there for good, and the new one runs"
#define NO_BOOT "no boot happens in this phase"

static const struct row rows[NB_PHASES] = {
    [NB_PHASE_ASKING] = {NB_ACTION_PENDING, NB_PHASE_MAYBE_ASKED, WRONG(NO_BOOT), WRONG(NO_BOOT),
                         WRONG(NO_BOOT)},
    [NB_PHASE_MAYBE_ASKED] = {NB_ACTION_BOOT, NB_PHASE_MAYBE_ASKED, TO(MAYBE_ASKED), TO(TRIED),
                              TO(NEW)},
    [NB_PHASE_ASKED] = {NB_ACTION_BOOT, NB_PHASE_ASKED, TO(ASKED), TO(TRIED), TO(NEW)},
    [NB_PHASE_ON_TRIAL] = {NB_ACTION_CONFIRM, NB_PHASE_MAYBE_CONFIRMED, WRONG(NO_BOOT),
                           WRONG(NO_BOOT), WRONG(NO_BOOT)},
    [NB_PHASE_TRIED] = {NB_ACTION_BOOT, NB_PHASE_TRIED, TO(OLD), WRONG(AGAIN), WRONG(NOBODY)},
    [NB_PHASE_MAYBE_CONFIRMED] = {NB_ACTION_BOOT, NB_PHASE_MAYBE_CONFIRMED, TO(OLD), WRONG(AGAIN),
                                  TO(NEW)},
    [NB_PHASE_NEW] = {NB_ACTION_BOOT, NB_PHASE_NEW, WRONG(GAVE), WRONG(AGAIN), TO(NEW)},
    [NB_PHASE_OLD] = {NB_ACTION_BOOT, NB_PHASE_OLD, TO(OLD), WRONG(BACK), WRONG(BACK)},
    [NB_PHASE_UNKNOWN] = {NB_ACTION_BOOT, NB_PHASE_UNKNOWN, TO(UNKNOWN), TO(UNKNOWN), TO(UNKNOWN)},
    [NB_PHASE_LIFE] = {NB_ACTION_LIFE, NB_PHASE_LIFE, TO(LIFE), TO(LIFE), TO(LIFE)},
    [NB_PHASE_TROUBLE] = {NB_ACTION_TROUBLE, NB_PHASE_TROUBLE, TO(TROUBLE), TO(TROUBLE),
                          TO(TROUBLE)},
};

enum nb_action nb_phase_action(enum nb_phase phase)
{
    return rows[phase].action;
}

enum nb_phase nb_phase_cut(enum nb_phase phase)
{
    return rows[phase].cut;
}

enum nb_phase nb_phase_healed(enum nb_phase phase)
{
    return phase == NB_PHASE_TROUBLE ? NB_PHASE_LIFE : phase;
}

bool nb_phase_may_go_on(enum nb_phase phase)
{
    return phase == NB_PHASE_TROUBLE;
}

/* A trial ends as asked for: for good only after a request for good, or without trials. */
static const struct rule *rule_for(const struct nb_demand *demand, enum nb_phase phase,
                                   const struct nb_end *end)
{
    static const struct rule unasked = WRONG(NOBODY);
    static const struct rule next_start = TO(TRIED);
    const struct row *row = &rows[phase];
    if (end->runs == NB_RUNS_OLD)
        return &row->old;
    if (end->trial) {
        bool tried = phase == NB_PHASE_TRIED || phase == NB_PHASE_MAYBE_CONFIRMED;
        return tried && demand->again ? &next_start : &row->trial;
    }
    bool asked = phase == NB_PHASE_ASKED || phase == NB_PHASE_MAYBE_ASKED;
    return asked && demand->reverts && !demand->permanent ? &unasked : &row->confirmed;
}

size_t nb_judge_end(const struct nb_demand *demand, enum nb_phase phase, const struct nb_end *end,
                    enum nb_phase next[2], const char **wrong)
{
    *wrong = end->wrong;
    if (*wrong)
        return 0;
    if (phase == NB_PHASE_LIFE || phase == NB_PHASE_TROUBLE) {
        next[0] = phase;
        return 1;
    }
    if (rows[phase].action != NB_ACTION_BOOT) {
        next[0] = end->refused               ? rows[phase].cut
                  : phase == NB_PHASE_ASKING ? NB_PHASE_ASKED
                                             : NB_PHASE_NEW;
        return 1;
    }
    next[0] = phase;
    if (end->runs == NB_RUNS_ERROR)
        return 1;
    if (end->runs == NB_RUNS_NOTHING)
        *wrong = "no image boots";
    else if (end->runs == NB_RUNS_OTHER)
        *wrong = "what boots is not, byte for byte, a genuine image that was put down";
    else if (!(demand->boots & end->runs))
        *wrong = end->runs == NB_RUNS_NEW ? "the new image runs, and must not"
                                          : "the old image runs, and must not";
    else
        *wrong = rule_for(demand, phase, end)->wrong;
    if (*wrong)
        return 0;
    next[0] = rule_for(demand, phase, end)->next;
    next[1] = NB_PHASE_ON_TRIAL;
    return next[0] == NB_PHASE_TRIED && demand->confirms ? 2 : 1;
}

const char *nb_judge_rest(const struct nb_demand *demand, enum nb_phase phase, enum nb_runs runs)
{
    if (runs == NB_RUNS_ERROR)
        return "no image boots: the loader meets an error at every boot";
    if (nb_phase_may_go_on(phase))
        return NULL;
    if (runs & NB_RUNS_UNTOLD)
        return "the device rests, and its result was never reported";
    bool test = demand->reverts && !demand->permanent;
    if (phase == NB_PHASE_ASKED && runs == NB_RUNS_OLD && (demand->rests & NB_RUNS_NEW) && !test)
        return "the request is lost: the old image stays";
    if (!(demand->rests & runs))
        return runs == NB_RUNS_NEW ? "the new image stays, and must not"
                                   : "the old image stays, and must not";
    return NULL;
}

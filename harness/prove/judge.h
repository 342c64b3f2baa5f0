/* What a device may run in each phase of an update, and where it may come to rest.
 *
 * The oracle's rules 1 to 5 and 9 for states in place of histories: a phase says what has
 * happened so far, as far as it matters to what may run. It only changes when a boot or a step of
 * the application ends, or is cut. */
#ifndef NOBRICK_HARNESS_PROVE_JUDGE_H
#define NOBRICK_HARNESS_PROVE_JUDGE_H

#include "harness/prove/chain.h"

enum nb_phase {
    NB_PHASE_ASKING,          /* the application is about to ask for the installation */
    NB_PHASE_MAYBE_ASKED,     /* … and was cut in it; or nothing is asked for */
    NB_PHASE_ASKED,           /* the request is complete */
    NB_PHASE_ON_TRIAL,        /* the new image runs on trial and is about to confirm itself */
    NB_PHASE_TRIED,           /* it ran on trial, and did not confirm itself */
    NB_PHASE_MAYBE_CONFIRMED, /* it was cut in its confirmation */
    NB_PHASE_NEW,             /* the new image is confirmed */
    NB_PHASE_OLD,             /* the old one is back for good */
    NB_PHASE_UNKNOWN,         /* nobody knows what was asked for: either may run at any time */
    NB_PHASE_LIFE,            /* a whole device with its network: what it may do, its oracle says */
    NB_PHASE_TROUBLE,         /* the same, and something is wrong with the network */
    NB_PHASES
};

/* What the device does next in a phase. */
enum nb_action nb_phase_action(enum nb_phase phase);
/* The phase when the power is cut in that action. */
enum nb_phase nb_phase_cut(enum nb_phase phase);
/* The phase that it may be in as well, without any run: of trouble that is over; else its own. */
enum nb_phase nb_phase_healed(enum nb_phase phase);
/* Whether it goes on for ever without coming to rest says nothing of the device. */
bool nb_phase_may_go_on(enum nb_phase phase);

enum nb_runs { /* a bit each */
               NB_RUNS_NOTHING = 0,
               NB_RUNS_OLD = 1,
               NB_RUNS_NEW = 2,
               NB_RUNS_OTHER = 4,   /* neither, or not byte for byte */
               NB_RUNS_ERROR = 8,   /* the loader met an error of the flash, and resets */
               NB_RUNS_UNTOLD = 16, /* … and the result that is demanded was not delivered yet */
};

/* How an action ended that was not cut. */
struct nb_end {
    enum nb_runs runs; /* after a boot */
    bool trial;
    bool refused;      /* after an application's step: the device did not do it */
    const char *wrong; /* what no device may do, whatever the phase; static, or NULL */
};

/* What is demanded of a device. */
struct nb_demand {
    bool reverts;   /* the scheme gives a trial */
    bool again;     /* … of more than one start */
    bool permanent; /* the request is for good */
    bool confirms;  /* an image on trial may confirm itself */
    unsigned boots; /* what may ever run: a set of nb_runs */
    unsigned rests; /* what may run where boots no longer change anything */
};

/* Judges an end: fills the phases that may follow (the one without a step of the application
 * first) and returns how many, 1 or 2; 0 when the end is wrong, with *wrong a static text. */
size_t nb_judge_end(const struct nb_demand *demand, enum nb_phase phase, const struct nb_end *end,
                    enum nb_phase next[2], const char **wrong);

/* A device that only ever boots rests in `phase`, running `runs`: NULL, or what is wrong. */
const char *nb_judge_rest(const struct nb_demand *demand, enum nb_phase phase, enum nb_runs runs);

#endif

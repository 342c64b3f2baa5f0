/* The search for flash states that power cuts can reach.
 *
 * A machine is a device as the prover sees it: a function from flash to flash, run once from each
 * state. While it runs, every flash operation yields the states that a cut before, inside and
 * after it leaves; the end of the run is a state too. States that differ only in what every later
 * boot erases before reading it are one (masking). Cuts cost one and whole runs nothing, so that
 * the depth of a state is the number of cuts that it takes. When no state is left, what holds in
 * all of them holds after any number of power cuts.
 *
 * The caller owns the machine and its flash, which must be one in memory; the search owns the
 * rest until nb_search_free. */
#ifndef NOBRICK_HARNESS_PROVE_SEARCH_H
#define NOBRICK_HARNESS_PROVE_SEARCH_H

#include "flashsim/flashsim.h"
#include "harness/prove/judge.h"

/* What a machine is given for one run. */
struct nb_seam {
    const struct flash_port *flash;
    /* To be called for what the machine reads past the port: a digest that is remembered. */
    void (*reads)(void *context, uint32_t address, uint32_t length);
    void *context;
};

/* Flash whose content counts in one form only; from == to: none. Whole pieces of flash. */
struct nb_formal {
    uint32_t from, to;
};

#define NB_FORMAL 3

struct nb_machine {
    void *context;
    struct flash_sim *sim;
    uint32_t *counter;           /* the device's security counter: state, as flash is */
    uint32_t from, to;           /* the flash that it uses: whole sectors */
    uint32_t loader, loader_end; /* nobody may write there */
    /* Status entries, or from == to: only whether one is erased matters. The search believes it of
     * torn ones that boot as complete ones do, and looks at each. */
    uint32_t entries, entries_end;
    /* Status records (agent/ring.h), several to a sector, or records == records_end: only which
     * whole one is the newest matters, not the place where it lies. A torn one that boots as if it
     * had never been begun counts as not begun; each is looked at. */
    uint32_t records, records_end;
    /* Of these ranges, which every run reads whole, many contents mean the same to the device.
     * `normalise` (NULL: there are none) gives those of the present flash the one form that stands
     * for all of them, as a factory would put it down; it looks at nothing else. A run from either
     * form must do the same, but for what it writes there, and leave what has the same form: that
     * is looked at where each content is met first. */
    struct nb_formal formal[NB_FORMAL];
    int (*normalise)(void *context);
    struct nb_demand demand;
    /* Performs the action on the present flash and counter. May not keep anything between runs. */
    void (*run)(void *context, enum nb_action action, const struct nb_seam *seam,
                struct nb_end *end);
    /* Hears, before each run of a search, of the runs that led to it, if they are not too many: for
     * machines that may end the process. May be NULL. */
    void (*led_by)(void *context, const struct nb_cut *chain, size_t length);
};

enum nb_tears {
    NB_TEARS_ALL,    /* all that flash_sim_tears knows */
    NB_TEARS_PREFIX, /* a first part of a program, one half of an erase */
    NB_TEARS_NONE    /* clean cuts, between operations */
};

struct nb_search_options {
    enum nb_tears tears;
    bool unmasked;
    uint32_t max_states; /* 0: a limit of its own */
    uint32_t max_ops;    /* of one run; more is a loop without end. 0: a limit of its own */
};

struct nb_proof {
    bool closed;         /* no state is left */
    const char *stopped; /* why it is not closed; static, or NULL */
    bool informal;       /* it is because the machine's `normalise` promises too much */
    uint32_t states;     /* that were run */
    uint32_t masked;     /* that another one stood for */
    uint64_t edges;
    unsigned depth;    /* most cuts that a state takes */
    unsigned rests;    /* what runs where boots change nothing: a set of nb_runs */
    uint32_t failures; /* states that fail */
    unsigned rounds;   /* of the liveness check, until it held */
    double seconds;    /* of this process's processor time */
    /* of the failing state with the fewest cuts; the chain ends with the run that shows it */
    const char *reason;
    struct nb_cut chain[NB_CUTS];
    size_t chain_length;
    /* of a state with the most cuts */
    struct nb_cut deepest[NB_CUTS];
    size_t deepest_length;
};

struct nb_search;

/* Searches from the machine's present flash and counter in `phase`. 0, with `proof` filled, or
 * OTA_E_NO_SPACE, OTA_E_LAYOUT (sectors of no whole number of 64-byte chunks). `stop` (may be
 * NULL) ends it early when it is not 0. */
OTA_MUST_CHECK int nb_search_run(struct nb_machine *machine, enum nb_phase phase,
                                 const struct nb_search_options *options, const volatile int *stop,
                                 struct nb_search **search, struct nb_proof *proof);
void nb_search_free(struct nb_search *search);

/* What boots after a cut in an operation; FAIL also when it takes more cuts after it. */
enum nb_fate { NB_FATE_OLD, NB_FATE_NEW, NB_FATE_EITHER, NB_FATE_FAIL };

struct nb_seen_op {
    enum flash_op_kind kind;
    uint32_t address;
    uint32_t length;
    unsigned run; /* of the uncut runs from the root, in order */
    enum nb_fate fate;
};

/* The operations of the uncut runs from the root until flash rests: malloc'ed, the caller's. */
OTA_MUST_CHECK int nb_search_ops(const struct nb_search *search, struct nb_seen_op **out,
                                 size_t *count);

#endif

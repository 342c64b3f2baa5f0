/* Inside the prover: states, operations, and what leads where. Nobody else's header.
 *
 * A state is flash, counter and phase. Operations are shared between runs: the same operation on
 * the same flash leaves the same outcomes, so it is torn once, whichever run meets it. Links say
 * what a run reads behind a state or an operation, and what comes then. */
#ifndef NOBRICK_HARNESS_PROVE_GRAPH_H
#define NOBRICK_HARNESS_PROVE_GRAPH_H

#include "harness/prove/search.h"

#define NB_CHUNK  64u /* bytes: what is alive or dead as one */
#define NB_NOBODY UINT32_MAX
#define NB_DEPTHS 64

struct nb_range { /* chunks of the window */
    uint32_t from;
    uint32_t to;
};

enum nb_status { NB_WAITING, NB_RAN, NB_MERGED };

struct nb_state {
    uint64_t print; /* of the whole flash */
    uint32_t counter;
    uint8_t phase;
    uint8_t status;
    uint8_t depth;
    uint8_t tear; /* how the parent's run was cut; NONE: it was not */
    uint32_t op;
    uint32_t parent;
    uint32_t stands; /* the state that stands for this one */
    struct flash_snapshot *flash;
    /* of one that ran */
    uint32_t links;
    uint32_t ops;
    uint32_t ends[2];
    uint8_t end_count;
    uint8_t runs; /* enum nb_runs */
    const char *wrong;
    uint64_t *alive;     /* a bit a chunk */
    uint32_t next_alike; /* in the list of those with the same first reads */
};

/* The torn outcomes of an operation come later than the clean ones: when the state before it has
 * one that stands for it, and what the operation changes is dead in that one, then it stands for
 * all of them. */
struct nb_op {
    uint64_t key;
    enum flash_op_kind kind;
    bool torn;     /* its outcomes are states of their own; else covered by the state before */
    uint8_t depth; /* of a state after a cut in it */
    uint8_t tears; /* outcomes, besides before and after */
    uint32_t address;
    uint32_t length;
    uint32_t before; /* states */
    uint32_t after;
    uint32_t parent; /* the run that met it first, and its number there */
    uint32_t number;
    uint32_t edges; /* of the torn outcomes: the first, in order */
    uint32_t edge_count;
    uint32_t links;
    uint64_t *alive; /* before it */
    /* of a machine that normalises, until it is torn: the flash before it as the run had it, its
     * print, and the bytes of a program */
    struct flash_snapshot *flash;
    uint64_t print;
    uint8_t *data;
};

struct nb_edge {
    uint32_t state;
    struct nb_range gone; /* chunks that the cut erase has erased whole */
};

/* What was read, and then came: an operation, or the end of a run. */
struct nb_link {
    uint64_t key;
    uint32_t next;
    uint32_t op;      /* or NB_NOBODY: */
    uint32_t ends[2]; /* NB_NOBODY: none */
    uint32_t reads;
    uint32_t read_count;
};

/* A question that all boots with the same answers so far ask next: the content of a range. */
struct nb_question {
    struct nb_range range; /* from == to: none yet */
    uint32_t alike;        /* states that asked nothing more before their first operation */
};

struct nb_table {
    uint32_t *ids; /* NB_NOBODY: free */
    uint32_t room; /* a power of two */
    uint32_t used;
};

struct nb_answers { /* question and answer to the next question */
    struct nb_answer {
        uint64_t key;
        uint32_t question;
    } * items;
    uint32_t room;
    uint32_t used;
};

/* An array that grows. */
struct nb_vector {
    void *items;
    size_t count;
    size_t room;
};

/* The print of formal ranges as they are, and in their one form. */
struct nb_form {
    uint64_t raw;
    uint64_t normal;
    bool known;
};

struct nb_forms {
    struct nb_form *items;
    uint32_t room; /* a power of two */
    uint32_t used;
    struct nb_vector doubts; /* struct nb_doubt */
};

/* Flash that was met in a form that is not the one form: does a run from both do the same? */
struct nb_doubt {
    struct flash_snapshot *flash;
    uint64_t print;
    uint32_t counter;
    uint8_t phase;
};

struct nb_queue {
    uint32_t *ids;
    size_t count;
    size_t room;
    size_t next;
};

struct nb_search {
    struct nb_machine *machine;
    struct nb_search_options options;
    struct nb_proof *proof;
    uint32_t chunks; /* of the window */
    uint32_t words;  /* of a set of chunks */
    struct nb_vector states, ops, edges, links, reads, questions;
    struct nb_table state_table, op_table;
    struct nb_answers answers;
    struct nb_forms forms;
    struct nb_queue queues[NB_DEPTHS];  /* states */
    struct nb_queue to_tear[NB_DEPTHS]; /* operations */
    unsigned deepest; /* no state with more cuts is looked at: one that fails is known */
    bool failed;      /* memory ran out */
    uint32_t walks;   /* of walk.c, so far */
    struct nb_run *run;
};

static inline struct nb_state *nb_state_at(const struct nb_search *search, uint32_t id)
{
    return (struct nb_state *)search->states.items + id;
}

static inline struct nb_op *nb_op_at(const struct nb_search *search, uint32_t id)
{
    return (struct nb_op *)search->ops.items + id;
}

static inline struct nb_link *nb_link_at(const struct nb_search *search, uint32_t id)
{
    return (struct nb_link *)search->links.items + id;
}

static inline uint64_t nb_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
    x = (x ^ x >> 32) * 0xA0761D6478BD642Fu;
    return x ^ x >> 29;
}

/* Sets of chunks. */
bool nb_chunks_meet(const uint64_t *set, struct nb_range range);
bool nb_chunks_add(uint64_t *set, struct nb_range range); /* true: it changed the set */
void nb_chunks_remove(uint64_t *set, struct nb_range range);
/* The chunks that [address, address + length) touches, or with `whole` covers; clipped. */
struct nb_range nb_chunks_of(const struct nb_search *search, uint32_t address, uint32_t length,
                             bool whole);

/* ---- graph.c ---- */

/* Room for one more item; NULL, and search->failed, when memory runs out. */
void *nb_grow(struct nb_search *search, struct nb_vector *vector, size_t item);
/* The state, new or known; `found->print` is of the machine's present flash. A new one keeps that
 * flash, in its one form; a known one that waits takes over a way with fewer cuts. */
uint32_t nb_add_state(struct nb_search *search, const struct nb_state *found);
/* The operation of that key, or NB_NOBODY; then nb_add_op makes it. */
uint32_t nb_find_op(const struct nb_search *search, uint64_t key);
uint32_t nb_add_op(struct nb_search *search, const struct nb_op *op);
/* Adds a link to the list at *head, unless it is there. */
void nb_add_link(struct nb_search *search, uint32_t *head, const struct nb_link *link,
                 const struct nb_range *reads, size_t count);
void nb_queue_push(struct nb_search *search, struct nb_queue *queue, uint32_t id);
/* The question behind an answer, or NB_NOBODY; made when `make`. */
uint32_t nb_answer(struct nb_search *search, uint32_t question, uint64_t answer, bool make);
int nb_graph_open(struct nb_search *search);
void nb_graph_close(struct nb_search *search);

/* ---- form.c ---- */

/* The print that the machine's present flash, of `found`, has in its one form. */
uint64_t nb_normal_print(struct nb_search *search, const struct nb_state *found);
/* Runs from each form that was new, and from its one form: both must do the same, and leave what
 * has the same form. False when one does not. */
bool nb_forms_hold(struct nb_search *search);
/* A snapshot of the present flash in its one form; NULL when memory runs out. */
struct flash_snapshot *nb_normal_snapshot(struct nb_search *search);

/* ---- journal.c: one run, and what it yields ---- */

/* Runs the state; its flash must be in the machine. Fills what the state has of one that ran. */
int nb_run_state(struct nb_search *search, uint32_t id);
/* Sum of the prints of the pieces of flash that the range touches. */
uint64_t nb_pieces_print(struct flash_sim *sim, uint32_t address, uint32_t length);

/* ---- torn.c ---- */

/* The torn outcomes that the search wants of the operation in the machine's present flash, in
 * `tears`; returns how many. */
size_t nb_list_tears(const struct nb_search *search, const struct flash_op *op,
                     enum flash_tear tears[FLASH_TEAR_COUNT]);
/* Performs the operation on the present flash, cut like that, and turns the power on again. False
 * when it cannot be. */
bool nb_cut_short(struct flash_sim *sim, const struct flash_op *op, enum flash_tear tear);
/* How many torn outcomes the search wants of the operation in the machine's present flash. */
size_t nb_count_tears(const struct nb_search *search, const struct flash_op *op);
/* Is one state enough for all of them? */
bool nb_is_covered(const struct nb_search *search, const struct nb_op *op);
/* Makes states of them. */
void nb_tear_up(struct nb_search *search, uint32_t op);

/* ---- acts.c ---- */

/* Is it a program of status entries? */
bool nb_writes_entry(const struct nb_search *search, const struct flash_op *op);
/* Is it a program of a status record? */
bool nb_writes_record(const struct nb_search *search, const struct flash_op *op);
/* What a boot from the machine's present flash does, as a number: its operations and its end. Of
 * status records it counts what is written, and not where. The flash is another one afterwards.
 * `torn` (may be NULL) was torn in it: a record's place is then to be left alone until it is
 * erased. */
uint64_t nb_acts(struct nb_search *search, const struct nb_state *state,
                 const struct flash_op *torn);

/* ---- walk.c ---- */

/* The torn entry or record in the machine's present flash acts as `like` does: do they go on acting
 * alike when others are torn after it? Some ways to go on are tried, by the number `id`. The flash
 * is another one afterwards. */
bool nb_goes_on_counting(struct nb_search *search, uint32_t id, uint32_t like, bool records);

/* ---- merge.c ---- */

/* The state that stands for `id`, whose flash is in the machine; NB_NOBODY: none does. */
uint32_t nb_stand_in(struct nb_search *search, uint32_t id);
/* The state that ran will stand for others: `asks` is what it read before its first operation. */
void nb_offer_stand_in(struct nb_search *search, uint32_t id, const struct nb_range *asks,
                       size_t count);
/* Does the machine's flash equal that of `id` in all that is alive there? */
bool nb_agrees(const struct nb_search *search, uint32_t id);

/* ---- alive.c ---- */

/* What any later boot may read before it erases it: the least sets that hold for the whole graph.
 */
int nb_find_alive(struct nb_search *search);

/* ---- rest.c ---- */

/* The list of runs that leads to a state, from the root; returns how many, the first ones when
 * there are more than NB_CUTS. */
size_t nb_chain_to(const struct nb_search *search, uint32_t id, struct nb_cut chain[NB_CUTS]);
/* Where each state comes to rest; fills failures, reason, chain and rests of the proof. */
int nb_judge_rests(struct nb_search *search);

#endif

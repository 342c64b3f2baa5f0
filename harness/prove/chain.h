/* A list of runs, each cut in an operation or whole: how a replay id names the way to a state.
 *
 *   37.half          a boot, cut inside operation 37
 *   37.fail          operation 37 returns an error
 *   boot             a boot that nothing cuts
 *   confirm@0.first  the application's confirmation (or `pending`, its request), cut
 *   confirm          the same, not cut
 *   life@210.tail48  a device with its network, from power-on until its check is over, cut
 *   trouble@7.half   the same while something is wrong with the network */
#ifndef NOBRICK_HARNESS_PROVE_CHAIN_H
#define NOBRICK_HARNESS_PROVE_CHAIN_H

#include "flashsim/flashsim.h"

#define NB_CUTS     16
#define NB_CUT_TEXT 40

/* What a device does. */
enum nb_action {
    NB_ACTION_BOOT,
    NB_ACTION_PENDING,
    NB_ACTION_CONFIRM,
    NB_ACTION_LIFE,
    NB_ACTION_TROUBLE
};

/* "boot", "pending", "confirm", "life" or "trouble". Static. */
const char *nb_action_word(enum nb_action action);

struct nb_cut {
    uint32_t op;
    bool fails;           /* it returns an error (of a `@flash:* fail` line only). Else: */
    enum flash_tear tear; /* NONE: the run is not cut, `op` says nothing */
    enum nb_action action;
};

/* The word of the tear, or "fail". Static. */
const char *nb_cut_word(const struct nb_cut *cut);
void nb_cut_print(const struct nb_cut *cut, char out[NB_CUT_TEXT]);
/* The runs of a chain, joined by '+'. */
void nb_chain_print(const struct nb_cut *cuts, size_t count, char *out, size_t size);
/* False when the text is none of the above. */
bool nb_cut_parse(const char *text, struct nb_cut *out);

#endif

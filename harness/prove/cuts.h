/* Every single power cut, or every single error of flash, of a script with a network: the device's
 * step is played once without one, which lists the operations and the ways to cut each; then the
 * whole script once for each of them, in the virtual world. After a cut the power comes back; the
 * device goes on, and all that the script expects must hold. */
#ifndef NOBRICK_HARNESS_PROVE_CUTS_H
#define NOBRICK_HARNESS_PROVE_CUTS_H

#include "harness/run/run.h"

struct nb_cut_list {
    struct nb_cut *cuts;
    struct flash_op *ops; /* that each is in, without its data */
    size_t count;
    size_t room;
    uint32_t operations;
    bool failed; /* memory ran out */
};

/* The same where nobody knows what the flash held: the ways to cut that fit most operations of its
 * kind. A cut that does not fit its operation cuts nothing. */
void nb_cut_list_add_blind(struct nb_cut_list *list, const struct flash_op *op);

void nb_cut_list_free(struct nb_cut_list *list);

/* Adds the ways to cut this operation in the present content of `sim`; or, when it `fails`, that it
 * does. */
void nb_cut_list_add(struct nb_cut_list *list, const struct flash_sim *sim,
                     const struct flash_op *op, uint32_t number, bool fails, enum flash_tears kind);

/* As an engine (harness/run/run.h). */
OTA_MUST_CHECK int nb_cuts_sweep(const struct nb_script *script, const struct nb_cell *cell,
                                 struct nb_outcome *outcome);

#endif

/* The virtual world for scenarios with a network: device, broker, servers, cloud side and fault
 * proxy in this process, on one virtual clock. A run depends on script, cell and seed only.
 *
 * An nb_virtual plays one script and cell as often as one likes; each time begins from the same
 * flash. Private to harness/run and harness/prove. */
#ifndef NOBRICK_HARNESS_RUN_VIRTUAL_H
#define NOBRICK_HARNESS_RUN_VIRTUAL_H

#include "harness/peers/anycloud_cloud.h"
#include "harness/run/oracle.h"
#include "harness/run/trace.h"

struct nb_virtual;
struct nb_cut_list; /* harness/prove/cuts.h */

/* NULL when memory runs out. Script and cell must outlive it. */
struct nb_virtual *nb_virtual_new(const struct nb_script *script, const struct nb_cell *cell);
void nb_virtual_free(struct nb_virtual *virtual);

/* Plays the script from its beginning, with the cuts that the cell names now; `outcome` comes
 * zeroed. A `@flash:*` line beyond the cell's cuts cuts nothing: `cuts` (may be NULL) is given
 * every way in which the step behind it could be cut. */
void nb_virtual_play(struct nb_virtual *virtual, struct nb_cut_list *cuts,
                     struct nb_outcome *outcome);

/* From now on this script is played: one with the same header and images as the first. */
void nb_virtual_script(struct nb_virtual *virtual, const struct nb_script *script);

/* Everything that was said in the latest play; until the next one. */
const struct nb_trace *nb_virtual_trace(const struct nb_virtual *virtual);
/* ---- lives, for a `prove` line (harness/prove/lives.h) ------------------------------------- */

/* One life of the device: from power-on until its check is over, through all resets, or until the
 * power is cut. Everything around it is made anew in the same way each time: clock, chance, broker,
 * servers; so a life depends on flash, counter, oracle and the cloud side's memory only. */
struct nb_life {
    bool trouble;                           /* with the script's faults of cloud and network */
    const struct anycloud_memory *remember; /* what the cloud side knows of earlier lives */
    const struct flash_port *flash;         /* between device and flash; NULL: nothing */
    /* Before each operation; NULL: never cut. */
    enum flash_tear (*cut)(void *context, const struct flash_op *op, uint32_t number);
    /* The range of flash was looked at past the port: by a digest that may be remembered, or by
     * the oracle. NULL: nobody cares. */
    void (*looked)(void *context, uint32_t address, uint32_t length);
    void *context;
};

/* Puts the flash as the steps in front of the `prove` line say; the oracle has seen them, and the
 * offer. False, with an outcome, when it cannot be played. */
bool nb_virtual_prepare(struct nb_virtual *virtual, struct nb_outcome *outcome);
/* Lives from the present flash, counter and oracle; then the cloud side gets what is on its way.
 * `code` is the exit code, OTA_E_TIMEOUT when the device takes longer than any may; *fired when no
 * fault of the script is left over. An error of the harness, with a reason in `outcome`. */
OTA_MUST_CHECK int nb_virtual_live(struct nb_virtual *virtual, const struct nb_life *life,
                                   struct nb_outcome *outcome, int *code, bool *fired);
/* What was said so far is forgotten. */
void nb_virtual_forget(struct nb_virtual *virtual);
/* Of the present life, while it runs or after it. */
void nb_virtual_memory(const struct nb_virtual *virtual, struct anycloud_memory *out);

/* Hash of the flash journal so far, under cell->hash: of all plays and lives. */
uint64_t nb_virtual_flash_hash(const struct nb_virtual *virtual);

struct flash_sim *nb_virtual_flash(struct nb_virtual *virtual);
uint32_t *nb_virtual_counter(struct nb_virtual *virtual);
struct nb_oracle *nb_virtual_oracle(struct nb_virtual *virtual);
const struct sim_device *nb_virtual_device(const struct nb_virtual *virtual);

/* The most flash operations that any device step had in any play so far. */
uint32_t nb_virtual_operations(const struct nb_virtual *virtual);
/* Milliseconds of the longest device step of the latest play. */
uint64_t nb_virtual_longest(const struct nb_virtual *virtual);
/* The device's board, as jobs name it. */
const char *nb_virtual_board(const struct nb_virtual *virtual);
/* Why this cell has no place for the fault, or NULL. */
const char *nb_virtual_cannot(struct nb_virtual *virtual, const struct nb_step *step);

#endif

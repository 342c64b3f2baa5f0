/* Tales: what a device tells of an update, step by step. Some faults a device must bear: a
 * connection lost once, a chunk that comes twice, headers as long as they may be. They may cost it
 * time and tries, and must not show in the tale, which is that of the same script without them.
 *
 * Which faults these are, and how many tries one of them costs, stands in a table (tale.c). Private
 * to harness/prove. */
#ifndef NOBRICK_HARNESS_PROVE_TALE_H
#define NOBRICK_HARNESS_PROVE_TALE_H

#include "harness/run/trace.h"

#define NB_TALE_STEPS 32u /* device steps that are told; later ones are not compared */

/* Of each device step, from 1: its boots, rejections, reports and so on, a word list. */
struct nb_tale {
    char *steps[NB_TALE_STEPS + 1]; /* malloc'ed; NULL: nothing was told */
    unsigned pauses[NB_TALE_STEPS + 1];
    unsigned long long traffic[NB_TALE_STEPS + 1]; /* bytes to the device */
};

/* Is it a line that begins with @? */
bool nb_is_fault(const struct nb_step *step);

/* Are all faults of the script such that a device must bear them, in each of its steps? */
bool nb_tale_is_borne(const struct nb_script *script);

/* Takes down what a trace tells. OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_tale_take(const struct nb_trace *trace, struct nb_tale *out);
void nb_tale_free(struct nb_tale *tale);

/* What `told` was told without faults. Compares the device steps of `script` with it, up to the
 * first one that has a fault which no device must bear, or more faults than a session has tries.
 * Sets `outcome` to FAIL when one differs. OTA_E_NO_SPACE. */
OTA_MUST_CHECK int nb_tale_judge(const struct nb_script *script, const struct nb_trace *trace,
                                 const struct nb_tale *told, struct nb_outcome *outcome);

#endif

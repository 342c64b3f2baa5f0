/* What a device must not take in, whatever comes of it: a job or a manifest that is none, and a
 * chunk whose header is wrong. Often the update ends well all the same, so only the trace shows it.
 *
 * Judged by a reading of the documents of our own, with nothing of the agent's. It takes the
 * virtual world's order of lines between device and cloud. Private to harness/prove. */
#ifndef NOBRICK_HARNESS_PROVE_INTAKE_H
#define NOBRICK_HARNESS_PROVE_INTAKE_H

#include "harness/run/trace.h"

/* Why a device of that board must not take this text for a job, or NULL. Static. */
const char *nb_job_flaw(const char *text, const char *board);

/* Looks at what was armed or offered in the script and at all that was said. Sets `outcome` to FAIL
 * when the device took in what it must not. */
void nb_intake_judge(const struct nb_script *script, const struct nb_trace *trace,
                     const char *board, struct nb_outcome *outcome);

#endif

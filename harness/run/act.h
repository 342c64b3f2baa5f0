/* Steps in which the application acts by its own hand (`device confirm` …), as sim/act.h has them.
 */
#ifndef NOBRICK_HARNESS_RUN_ACT_H
#define NOBRICK_HARNESS_RUN_ACT_H

#include "harness/run/kit.h"
#include "harness/script/script.h"
#include "sim/act.h"

/* NONE: the step is another kind of step. */
enum sim_act_kind nb_act_kind(enum nb_step_kind kind);

/* The act of that step, kind NONE when it has none. `staged` is what a device with a store
 * downloads (data NULL: nothing); the act points to its bytes. */
struct sim_act nb_act_of(const struct nb_step *step, const struct nb_blob *staged, bool permanent);

#endif

#include "harness/run/act.h"

enum sim_act_kind nb_act_kind(enum nb_step_kind kind)
{
    switch (kind) {
    case NB_DEVICE_CONFIRM:
        return SIM_ACT_CONFIRM;
    case NB_DEVICE_PENDING:
        return SIM_ACT_PENDING;
    case NB_DEVICE_ROLL_BACK:
        return SIM_ACT_ROLL_BACK;
    case NB_DEVICE_FACTORY_RESET:
        return SIM_ACT_FACTORY_RESET;
    case NB_DEVICE_FORGET:
        return SIM_ACT_FORGET;
    default:
        return SIM_ACT_NONE;
    }
}

struct sim_act nb_act_of(const struct nb_step *step, const struct nb_blob *staged, bool permanent)
{
    return (struct sim_act){
        .kind = nb_act_kind(step->kind),
        .permanent = permanent,
        .version = step->expect.versions[0],
        .image = staged->data,
        .size = staged->size,
        .row = staged->row,
    };
}

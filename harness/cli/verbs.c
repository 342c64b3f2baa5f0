/* The table of verbs. A new verb is one row here. */
#include "harness/cli/verbs.h"

#include "harness/image/image.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/prove/bench.h"
#include "harness/prove/cmd_prove.h"
#include "harness/prove/shrink.h"
#include "harness/run/run.h"

#include <stddef.h>

const struct nb_verb nb_verbs[] = {
    {"run", nb_cmd_run, "run scenarios and judge what the device does"},
    {"prove", nb_cmd_prove, "no number of power cuts bricks a boot scheme, or the list that does"},
    {"explore", nb_cmd_explore,
     "search histories of faults for one that the device does not survive"},
    {"replay", nb_cmd_replay, "repeat one run by its replay id"},
    {"shrink", nb_cmd_shrink, "make a failing history small"},
    {"device", nb_cmd_device, "a device for anybody's cloud"},
    {"cloud", nb_cmd_cloud, "a cloud for anybody's device"},
    {"image", nb_cmd_image, "make, verify, show and pad images"},
    {"bench", nb_cmd_bench, "measure sweeps, whole updates and downloads on this machine"},
    {"list", nb_cmd_list, "what there is: parts, devices, schemes, states, scenarios ..."},
    {NULL, NULL, NULL},
};

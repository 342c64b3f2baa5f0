/* The table of verbs. A new verb is one row here. */
#include "harness/cli/verbs.h"

#include "harness/image/image.h"
#include "harness/peers/anycloud_cloud.h"
#include "harness/prove/bench.h"
#include "harness/prove/shrink.h"
#include "harness/run/run.h"

#include <stddef.h>

const struct nb_verb nb_verbs[] = {
    {"run", nb_cmd_run, "run scenarios and judge what the device does"},
    {"explore", nb_cmd_explore,
     "search histories of faults for one that the device does not survive"},
    {"replay", nb_cmd_replay, "repeat one run by its replay id"},
    {"shrink", nb_cmd_shrink, "make a failing history small"},
    {"device", nb_cmd_device, "a device for anybody's cloud"},
    {"cloud", nb_cmd_cloud, "a cloud for anybody's device"},
    {"image", nb_cmd_image, "make, verify, show and pad images"},
    {"bench", nb_cmd_bench, "measure sweep and download on this machine"},
    {"list", nb_cmd_list, "what there is: parts, devices, schemes, states, scenarios ..."},
    {NULL, NULL, NULL},
};

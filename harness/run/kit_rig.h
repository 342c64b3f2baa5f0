/* The kit of a test program, for all its tests: cmocka_run_group_tests(…, kit_rig_set_up,
 * kit_rig_tear_down). */
#ifndef NOBRICK_HARNESS_RUN_KIT_RIG_H
#define NOBRICK_HARNESS_RUN_KIT_RIG_H

#include "harness/run/kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct nb_kit *kit;

static int kit_rig_set_up(void **state)
{
    (void)state;
    char reason[NB_LINE];
    kit = nb_kit_new(reason, sizeof reason);
    return kit == NULL;
}

static int kit_rig_tear_down(void **state)
{
    (void)state;
    nb_kit_free(kit);
    return 0;
}

#endif

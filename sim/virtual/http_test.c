/* The HTTP seam of the virtual world: the situations of every world, and what is its own. */
#include "sim/virtual/http_rig.h"

#include "sim/http_situations_rig.h"

/* ------------------------------------------------------------------------------------------ */

static int before_all(void **state)
{
    (void)state;
    rig_world = virtual_world_new();
    return rig_world == NULL;
}

static int after_all(void **state)
{
    (void)state;
    virtual_world_free(rig_world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_SITUATIONS,
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}

#include "sim/world_rig.h"

#include "sim/posix/world.h"

static struct posix_loop *loop;
static struct posix_world *posix;

static int make(void **state)
{
    (void)state;
    loop = posix_loop_new();
    posix = loop != NULL ? posix_world_new(loop) : NULL;
    assert_non_null(posix);
    rig_begin(posix_world_table(posix));
    return 0;
}

static int drop(void **state)
{
    (void)state;
    rig_end_all();
    posix_world_free(posix);
    posix_loop_free(loop);
    return 0;
}

int main(void)
{
    return rig_run(make, drop);
}

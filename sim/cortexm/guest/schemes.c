/* The boot scheme of a board's application. It is told what its loader does and has none of it: the
 * row has neither `go` nor anything that installs. */
#include "agent/image/status.h"
#include "sim/cortexm/guest/settings.h"

static uint32_t largest_end;
static struct boot_scheme scheme;

static uint32_t max_end(const struct boot_config *config)
{
    (void)config;
    return largest_end;
}

const struct boot_scheme *sim_scheme_find(const char *name)
{
    scheme.name = name;
    return &scheme;
}

void guest_scheme_tell(const struct guest_scheme *told)
{
    largest_end = told->max_end;
    scheme.reverts = told->reverts;
    scheme.in_status = told->in_status ? &img_in_status : NULL;
    scheme.store = told->store;
    scheme.max_end = max_end;
}

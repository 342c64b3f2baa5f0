/* The one boot scheme of this loader. The build makes a loader of each: LOADER_SCHEME names it. */
#include "sim/device.h"

#include <string.h>

const struct boot_scheme *sim_scheme_find(const char *name)
{
    return strncmp(name, LOADER_SCHEME.name, SIM_TEXT) == 0 ? &LOADER_SCHEME : NULL;
}

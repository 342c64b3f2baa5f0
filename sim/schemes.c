/* The boot schemes that the host's loader knows. A new scheme is one row here. */
#include "sim/device.h"

#include <string.h>

const struct boot_scheme *const sim_schemes[] = {
    &boot_overwrite, &boot_swap_move, &boot_swap_scratch, &boot_swap_status, &boot_ranked, NULL,
};

const struct boot_scheme *sim_scheme_find(const char *name)
{
    for (const struct boot_scheme *const *scheme = sim_schemes; *scheme != NULL; scheme++)
        if (strcmp((*scheme)->name, name) == 0)
            return *scheme;
    return NULL;
}

/* The boot schemes that a board's application knows: those that a loader is built for. */
#include "sim/device.h"

#include <string.h>

static const struct boot_scheme *const schemes[] = {
    &boot_overwrite, &boot_swap_move, &boot_swap_scratch, &boot_swap_status, &boot_ranked, NULL,
};

const struct boot_scheme *sim_scheme_find(const char *name)
{
    for (const struct boot_scheme *const *scheme = schemes; *scheme != NULL; scheme++)
        if (strcmp((*scheme)->name, name) == 0)
            return *scheme;
    return NULL;
}

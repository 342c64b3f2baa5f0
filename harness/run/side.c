#include "harness/run/side.h"

#include <string.h>

static const struct nb_side *const sides[] = {&nb_side_anycloud, &nb_side_harmony};

const struct nb_side *nb_side_find(const char *system)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (strcmp(sides[i]->system, system) == 0)
            return sides[i];
    return NULL;
}

#include "sim/virtual/names.h"

#include <string.h>

bool virtual_names_find(struct virtual_names *names, const char *host)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        if (strcmp(host, addresses[i]) == 0)
            return true;
    if (names != NULL && names->fail_next > 0) {
        names->fail_next--;
        names->failed++;
        return false;
    }
    return strcmp(host, "localhost") == 0;
}

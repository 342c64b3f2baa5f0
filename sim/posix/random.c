#include "sim/posix/random.h"

#include <errno.h>
#include <sys/random.h>

static int random_bytes(void *context, void *out, size_t length)
{
    (void)context;
    uint8_t *at = out;
    while (length > 0) {
        ssize_t n = getrandom(at, length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return OTA_E_IO;
        at += n;
        length -= (size_t)n;
    }
    return OTA_OK;
}

const struct random_port posix_random = {.context = NULL, .bytes = random_bytes};

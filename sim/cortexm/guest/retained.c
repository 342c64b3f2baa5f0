#include "sim/cortexm/guest/retained.h"

#include "sim/cortexm/guest/board.h"

#include <string.h>

static const uint32_t magic[2] = {0x4E42524Bu, ~0x4E42524Bu};

struct guest_retained *guest_retained(void)
{
    return (struct guest_retained *)BOARD_RETAINED;
}

struct guest_retained *guest_retained_open(void)
{
    struct guest_retained *retained = guest_retained();
    if (memcmp(retained->magic, magic, sizeof magic) != 0) {
        memset(retained, 0, sizeof *retained);
        memcpy(retained->magic, magic, sizeof magic);
    }
    retained->boots++;
    return retained;
}

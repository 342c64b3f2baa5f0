#include "sim/cortexm/guest/platform.h"

#include "sim/cortexm/guest/board.h"
#include "sim/cortexm/guest/fault.h"

#include <string.h>

extern uint32_t platform_data_source[];
extern uint32_t platform_data_start[];
extern uint32_t platform_data_end[];
extern uint32_t platform_bss_end[];

/* Stack and reset are the loader's; then NMI, and faults: hard, memory, bus, usage. */
__attribute__((section(".vectors"))) static const void *const vectors[] = {
    NULL,
    NULL,
    (void *)guest_watchdog,
    (void *)guest_fault,
    (void *)guest_fault,
    (void *)guest_fault,
    (void *)guest_fault,
};

void platform_start(void)
{
    memcpy(platform_data_start, platform_data_source,
           (size_t)((char *)platform_data_end - (char *)platform_data_start));
    memset(platform_data_end, 0, (size_t)((char *)platform_bss_end - (char *)platform_data_end));
    board_set_vectors(vectors);
    board_start();
}

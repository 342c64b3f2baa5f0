/* The platform seam of the posix world: a watchdog on the loop's clock, log lines on stderr, and a
 * reset that is only noted: the loop stops, and its owner re-executes the program. */
#ifndef NOBRICK_SIM_POSIX_PLATFORM_H
#define NOBRICK_SIM_POSIX_PLATFORM_H

#include "agent/ports.h"
#include "sim/posix/loop.h"

struct posix_platform {
    struct platform_port port;
    struct posix_clock *clock;
    enum ota_log_level level; /* the last level that is printed */
    uint32_t watchdog_ms;
    void (*on_reset)(void *context);    /* the software asked for it */
    void (*on_watchdog)(void *context); /* nobody fed it in time */
    void *context;
};

/* OTA_E_NO_SPACE when out of memory. The clock is the loop's. */
OTA_MUST_CHECK int posix_platform_init(struct posix_platform *platform, struct posix_loop *loop,
                                       enum ota_log_level level, void (*on_reset)(void *context),
                                       void (*on_watchdog)(void *context), void *context);

#endif

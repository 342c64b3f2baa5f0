#include "sim/posix/platform.h"

#include <stdio.h>

static void platform_reset(void *context)
{
    struct posix_platform *platform = context;
    platform->on_reset(platform->context);
}

static int watchdog_start(void *context, uint32_t timeout_ms)
{
    struct posix_platform *platform = context;
    const struct clock_port *clock = posix_clock_port(platform->clock);
    platform->watchdog_ms = timeout_ms;
    return clock->arm(clock->context, 0, timeout_ms);
}

static void watchdog_feed(void *context)
{
    struct posix_platform *platform = context;
    const struct clock_port *clock = posix_clock_port(platform->clock);
    if (platform->watchdog_ms != 0 && clock->arm(clock->context, 0, platform->watchdog_ms) != 0)
        platform->port.log(platform, OTA_LOG_ERROR, "watchdog cannot be armed");
}

static void watchdog_fired(void *context, unsigned id)
{
    struct posix_platform *platform = context;
    (void)id;
    platform->on_watchdog(platform->context);
}

static void platform_log(void *context, enum ota_log_level level, const char *text)
{
    static const char *const words[] = {"error", "warning", "notice", "info", "debug"};
    const struct posix_platform *platform = context;
    if (level <= platform->level)
        fprintf(stderr, "%s: %s\n", words[level], text);
}

int posix_platform_init(struct posix_platform *platform, struct posix_loop *loop,
                        enum ota_log_level level, void (*on_reset)(void *context),
                        void (*on_watchdog)(void *context), void *context)
{
    *platform = (struct posix_platform){
        .port = {platform, platform_reset, watchdog_start, watchdog_feed, platform_log},
        .clock = posix_clock_new(loop, watchdog_fired, platform),
        .level = level,
        .on_reset = on_reset,
        .on_watchdog = on_watchdog,
        .context = context,
    };
    return platform->clock != NULL ? OTA_OK : OTA_E_NO_SPACE;
}

#include "sim/push.h"

#include "sim/app.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct host {
    struct ota_push *push;
    const struct sim_push_plan *plan;
    void (*event)(void *context, const char *line, int code);
    void *context;
};

int sim_push_init(struct ota_push *push, const struct sim_device *device,
                  const struct boot_config *boot, bool permanent, struct ota_progress *progress)
{
    const struct flash_area area = {boot->secondary.flash, device->progress.address,
                                    device->progress.size};
    const struct ota_push_config config = {
        .primary = boot->primary,
        .secondary = boot->secondary,
        .format = boot->format,
        .crypto = boot->crypto,
        .keys = boot->keys,
        .key_count = boot->key_count,
        .max_end = device->scheme->max_end(boot),
        .reverts = device->scheme->reverts,
        .permanent = permanent,
        .progress = progress,
    };
    int error = progress != NULL ? ota_progress_open(progress, &area, &boot->secondary) : 0;
    return error != 0 ? error : ota_push_init(push, &config);
}

__attribute__((format(printf, 3, 4))) static void say(const struct host *host, int code,
                                                      const char *format, ...)
{
    char line[APP_LINE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    host->event(host->context, line, code);
}

static int prepare(const struct host *host)
{
    int more;
    say(host, 0, "state prepare");
    do {
        more = ota_push_prepare(host->push);
    } while (more > 0);
    return more;
}

/* Up to the image's byte `end`. */
static int write_to(const struct host *host, uint32_t end)
{
    const struct sim_push_plan *plan = host->plan;
    uint32_t piece = plan->piece != 0 ? plan->piece : SIM_PUSH_PIECE;
    int error = 0;
    say(host, 0, "state write");
    for (uint32_t at = 0; at < end && error == 0;) {
        uint32_t length = end - at < piece ? end - at : piece;
        error = ota_push_write(host->push, plan->image + at, length);
        at += length;
        if (error == 0)
            say(host, 0, "progress %" PRIu32 " %" PRIu32, at, plan->size);
    }
    return error;
}

static int verify(const struct host *host)
{
    uint32_t crc = ota_crc32(0, host->plan->image, host->plan->size);
    say(host, 0, "state verify");
    return ota_push_verify(host->push, host->plan->wrong_crc ? ~crc : crc);
}

static int set_pending(const struct host *host)
{
    say(host, 0, "state install");
    int error = ota_push_set_pending(host->push);
    const struct img_version *version = &host->push->info.header.version;
    if (error == 0)
        say(host, 0, "pending %u.%u.%u", version->major, version->minor, version->revision);
    return error;
}

/* One stage after the other, to the one behind which the host gives up. */
static int play(const struct host *host)
{
    const struct sim_push_plan *plan = host->plan;
    int error = prepare(host);
    if (error != 0 || plan->abort == SIM_ABORT_PREPARED)
        return error;
    error = ota_push_start(host->push, plan->size);
    if (error == 0)
        error = write_to(host, plan->abort == SIM_ABORT_WRITTEN ? plan->size / 2 : plan->size);
    if (error != 0 || plan->abort == SIM_ABORT_WRITTEN)
        return error;
    error = verify(host);
    if (error != 0 || plan->abort == SIM_ABORT_VERIFIED)
        return error;
    return set_pending(host);
}

int sim_push(struct ota_push *push, const struct sim_push_plan *plan,
             void (*event)(void *context, const char *line, int code), void *context)
{
    const struct host host = {push, plan, event, context};
    int error = play(&host);
    if (error == OTA_E_POWER)
        return error;
    if (error != 0)
        say(&host, error, "reject %s", ota_err_word(error));
    if (error != 0 && plan->insists) {
        int refused = set_pending(&host);
        return refused != 0 ? error : 0; /* it should have been */
    }
    if (error != 0 || plan->abort == SIM_ABORT_NEVER)
        return error;
    error = ota_push_abort(push);
    if (error == 0)
        say(&host, OTA_E_CANCELLED, "idle %s", ota_err_word(OTA_E_CANCELLED));
    return error;
}

#include "flashsim/failing.h"

static const struct flash_port *inner(const struct flash_failing *failing)
{
    return flash_sim_port(failing->sim);
}

static bool fails_now(struct flash_failing *failing)
{
    if (!failing->armed || failing->fired || flash_sim_op_count(failing->sim) != failing->operation)
        return false;
    failing->fired = true;
    return true;
}

static int failing_read(void *context, uint32_t address, void *data, uint32_t length)
{
    const struct flash_port *port = inner(context);
    return port->read(port->context, address, data, length);
}

/* Without a word: 0, or what the part would have said of the program anyway. */
static int lose_program(struct flash_failing *failing, uint32_t address, const void *data,
                        uint32_t length)
{
    const struct flash_port *port = inner(failing);
    struct flash_sector sector;
    if (failing->failure == FLASH_FAIL_SILENT) {
        return 0;
    }
    int error = port->sector(port->context, address, &sector);
    uint32_t half = error == 0 ? length / sector.unit / 2 * sector.unit : 0;
    return error == 0 && half > 0 ? port->program(port->context, address, data, half) : error;
}

static int failing_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    struct flash_failing *failing = context;
    const struct flash_port *port = inner(failing);
    if (!fails_now(failing)) {
        return port->program(port->context, address, data, length);
    }
    return failing->failure == FLASH_FAIL_ERROR ? OTA_E_FLASH_PROGRAM
                                                : lose_program(failing, address, data, length);
}

static int failing_erase(void *context, uint32_t address)
{
    struct flash_failing *failing = context;
    const struct flash_port *port = inner(failing);
    if (!fails_now(failing)) {
        return port->erase(port->context, address);
    }
    return failing->failure == FLASH_FAIL_ERROR ? OTA_E_FLASH_ERASE
                                                : flash_sim_miss_erase(failing->sim, address);
}

static int failing_sync(void *context)
{
    const struct flash_port *port = inner(context);
    return port->sync(port->context);
}

static int failing_sector(void *context, uint32_t address, struct flash_sector *out)
{
    const struct flash_port *port = inner(context);
    return port->sector(port->context, address, out);
}

void flash_failing_init(struct flash_failing *failing, struct flash_sim *sim)
{
    *failing = (struct flash_failing){.port = {failing, failing_read, failing_program,
                                               failing_erase, failing_sync, failing_sector},
                                      .sim = sim};
}

void flash_failing_arm(struct flash_failing *failing, uint32_t operation,
                       enum flash_failure failure)
{
    failing->operation = operation;
    failing->failure = failure;
    failing->armed = true;
    failing->fired = false;
}

void flash_failing_disarm(struct flash_failing *failing)
{
    failing->armed = false;
}

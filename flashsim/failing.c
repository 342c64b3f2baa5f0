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

static int failing_program(void *context, uint32_t address, const void *data, uint32_t length)
{
    const struct flash_port *port = inner(context);
    return fails_now(context) ? OTA_E_FLASH_PROGRAM
                              : port->program(port->context, address, data, length);
}

static int failing_erase(void *context, uint32_t address)
{
    const struct flash_port *port = inner(context);
    return fails_now(context) ? OTA_E_FLASH_ERASE : port->erase(port->context, address);
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

void flash_failing_arm(struct flash_failing *failing, uint32_t operation)
{
    failing->operation = operation;
    failing->armed = true;
    failing->fired = false;
}

void flash_failing_disarm(struct flash_failing *failing)
{
    failing->armed = false;
}

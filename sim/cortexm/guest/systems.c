/* The systems that a board's application can be of. */
#include "sim/systems.h"

#include "agent/protocol/anycloud.h"

#include <string.h>

static const struct sim_system anycloud = {
    .name = "anycloud",
    .protocol = &ota_anycloud,
    .target = &ota_to_slots,
    .ways = {&ota_by_mqtt, &ota_by_http},
    .direct = &ota_direct,
    .archive = &ota_archive,
    .reports = true,
};

const struct sim_system *sim_system_find(const char *name)
{
    return strcmp(name, anycloud.name) == 0 ? &anycloud : NULL;
}

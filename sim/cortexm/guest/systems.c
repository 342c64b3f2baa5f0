/* The systems that a board's application can be of. */
#include "sim/systems.h"

#include "agent/protocol/anycloud.h"

#include <string.h>

static const struct sim_system anycloud = {
    .name = "anycloud",
    .parts = {.protocol = &ota_anycloud,
              .by_mqtt = &ota_by_mqtt,
              .by_http = &ota_by_http,
              .direct = &ota_direct,
              .archive = &ota_archive,
              .target = &ota_to_slots},
    .reports = true,
};

const struct sim_system *sim_system_find(const char *name)
{
    return strcmp(name, anycloud.name) == 0 ? &anycloud : NULL;
}

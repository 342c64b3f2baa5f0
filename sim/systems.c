/* The systems that devices can be of, on the host and on the board. A new system is one row here.
 */
#include "sim/systems.h"

#include "agent/protocol/anycloud.h"
#include "agent/protocol/harmony.h"

#include <string.h>

static const struct sim_system systems[] = {
    {.name = "anycloud",
     .parts = {.protocol = &ota_anycloud,
               .by_mqtt = &ota_by_mqtt,
               .by_http = &ota_by_http,
               .direct = &ota_direct,
               .archive = &ota_archive,
               .target = &ota_to_slots},
     .reports = true},
    {.name = "harmony",
     .parts = {.protocol = &ota_harmony, .by_http = &ota_by_http, .target = &ota_to_store},
     .patches = &ota_patches,
     .service = &ota_service,
     .store = true,
     .by_http = true},
};

const struct sim_system *sim_system_find(const char *name)
{
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (strcmp(systems[i].name, name) == 0)
            return &systems[i];
    return NULL;
}

const struct sim_system *sim_system_for(const struct boot_scheme *scheme)
{
    size_t i = 0;
    while (systems[i].store != scheme->store)
        i++;
    return &systems[i];
}

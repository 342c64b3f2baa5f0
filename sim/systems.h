/* The systems whose devices a program can play: how each speaks, and where its images go. */
#ifndef NOBRICK_SIM_SYSTEMS_H
#define NOBRICK_SIM_SYSTEMS_H

#include "agent/boot/boot.h"
#include "agent/update/patched.h"
#include "agent/update/service.h"

struct sim_system {
    const char *name; /* as device files have it */
    struct ota_parts parts;
    const struct ota_service_calls *service; /* what its applications know; NULL: notices alone */
    const struct ota_patches *patches;       /* with a store; NULL: whole images only */
    bool store;   /* its images go to a store: so must the device's scheme have it */
    bool by_http; /* there is no other way to ask */
    bool reports; /* it is told how an update ended */
};

/* NULL: this program has no such system. A new one is a row in the program's table. */
const struct sim_system *sim_system_find(const char *name);

/* The first one of the table whose images go where this scheme has them; there is always one. */
const struct sim_system *sim_system_for(const struct boot_scheme *scheme);

#endif

/* The console of Harmony's devices: what an operator types while one runs.
 *
 *   sysota set PERIODIC AUTO-RESET AUTO-UPDATE INTERVAL URL    0 or 1, 0 or 1, 0 or 1, seconds,
 *                                   http[s]://…: fewer from the right; until the next reset
 *   sysota get info                 status, where the original's service and core would be, bytes,
 *                                   how far a patch was applied, address and switches
 *   sysota getfs info               what lies in the store; not while a session is under way
 *   sysota help                     also sysotahelp, or sysota alone
 *
 * and, which the original leaves to the application,
 *
 *   sysota check | initiate | reset | factory-reset | rollback
 */
#ifndef NOBRICK_SIM_SYSOTA_H
#define NOBRICK_SIM_SYSOTA_H

#include "sim/life.h"

typedef void sim_sysota_print(void *context, const char *line);

/* One line that was typed; what it answers goes to `print`, line by line. */
void sim_sysota(struct sim_life *life, const char *line, sim_sysota_print *print, void *context);

#endif

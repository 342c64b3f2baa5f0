/* lwIP on the board: Ethernet, an address by DHCP, names by DNS, and time for those who stand on
 * it. There is one, and it lasts until the reset. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_STACK_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_STACK_H

#include "sim/world.h"

#include <lwip/ip_addr.h>

/* `unix_s`: time of day at the reset, in seconds since 1970; the board has no clock for that.
 * Connections may be asked for at once: they wait for an address. */
OTA_MUST_CHECK int net_stack_start(int64_t unix_s);

/* Takes the frames that came and the timers that are due. True: there were any. */
bool net_stack_turn(void);
/* Milliseconds until the next timer. */
uint32_t net_stack_wait(void);

/* Where the machine that runs the emulator is reached: the gateway. NULL: no address of our own
 * yet. */
const ip_addr_t *net_host_address(void);

uint64_t net_now_ms(void *context);

/* Time as in sim/world.h: now_ms, clock_new, clock_port, clock_free, and nothing else. */
extern const struct sim_world net_time_world;

#endif

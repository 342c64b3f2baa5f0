/* What the parts of the network share. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_STATE_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_STATE_H

#include "sim/cortexm/guest/net/net.h"

#include "lwip/ip_addr.h"

/* Where the machine that runs the emulator is reached: the gateway. NULL: no address of our own
 * yet. */
const ip_addr_t *net_host_address(void);

#endif

/* Driver of the LAN9118 Ethernet chip of the mps2 boards, for lwIP. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_LAN9118_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_LAN9118_H

#include "lwip/netif.h"

/* For netif_add. ERR_IF: there is no such chip. */
err_t lan9118_init(struct netif *netif);

/* Hands every frame that has arrived to lwIP. One that arrives meanwhile or later ends
 * board_sleep(). */
void lan9118_poll(struct netif *netif);

#endif

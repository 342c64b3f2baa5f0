/* Driver of the LAN9118 Ethernet chip of the mps2 boards, for lwIP. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_LAN9118_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_LAN9118_H

#include <lwip/netif.h>

#include <stdbool.h>

/* For netif_add. ERR_IF: there is no such chip. */
err_t lan9118_init(struct netif *netif);

/* Hands every frame that has arrived to lwIP; true: there was one. One that arrives meanwhile or
 * later ends board_sleep(). */
bool lan9118_poll(struct netif *netif);

#endif

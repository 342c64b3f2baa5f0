/* The network of the Cortex-M: Ethernet, lwIP, and time for those who stand on it.
 *
 * One thread. Nothing is told to anybody but from net_poll(). The main loop is
 *
 *     for (;;) { net_poll(); ...; board_sleep(net_wait()); }
 *
 * There is one network, and it lasts until the reset. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_H

#include "sim/world.h"

struct net_config {
    int64_t unix_s; /* time of day at the reset: the board has no clock for that */
    /* PEM texts that outlive everything, or NULL: whom to trust, and what to show. */
    const char *ca;
    const char *certificate;
    const char *key;
    void (*log)(const char *text);
};

/* Starts Ethernet and DHCP; connections may be asked for at once, and wait for an address. */
OTA_MUST_CHECK int net_start(const struct net_config *config);
void net_poll(void);
/* How many milliseconds the network can wait for anything but a frame. */
uint32_t net_wait(void);

/* Milliseconds until an address was there; 0: not yet. */
uint32_t net_address_ms(void);

/* Time of day, in seconds since 1970. */
int64_t net_time(void);
uint64_t net_now_ms(void *context);

/* Time as in sim/world.h: now_ms, clock_new, clock_port, clock_free, and nothing else. */
extern const struct sim_world net_time_world;

#endif

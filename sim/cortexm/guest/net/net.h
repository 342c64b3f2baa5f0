/* The network of the board: MQTT and HTTP seams for an application. Polled from its one loop; what
 * has happened is delivered from net_turn, never from inside a call of a seam. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_NET_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_NET_H

#include "sim/cortexm/guest/settings.h"

/* Starts the network as the settings say, and fills in `ports`: mqtt, http, broker, server. Events
 * go to `mqtt` and `http` with `owner`. `settings` must outlive it. */
OTA_MUST_CHECK int net_start(const struct guest_settings *settings,
                             void (*mqtt)(void *owner, const struct ota_event *event),
                             void (*http)(void *owner, const struct ota_event *event), void *owner,
                             struct sim_life_ports *ports);

/* Takes what came and what is due. True: it did something, so ask again before sleeping. */
bool net_turn(void);

/* Milliseconds until net_turn has something to do although nothing comes; UINT32_MAX: never. */
uint32_t net_wait(void);

#endif

/* The HTTP seam of the Cortex-M: sim/http_client.h over its streams. */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_HTTP_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_HTTP_H

#include "sim/http_client.h"

/* As sim_http_client_new; `deliver` is called from net_turn(). */
struct sim_http_client *net_http_new(const struct sim_http_client_config *config,
                                     void (*deliver)(void *context, const struct ota_event *event),
                                     void *context);

#endif

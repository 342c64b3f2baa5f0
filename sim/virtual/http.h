/* The HTTP seam of the virtual world: sim/http_client.h over the world's streams. Which hosts there
 * are, sim/virtual/names.h says; all of them are this machine. */
#ifndef NOBRICK_SIM_VIRTUAL_HTTP_H
#define NOBRICK_SIM_VIRTUAL_HTTP_H

#include "sim/http_client.h"
#include "sim/virtual/names.h"
#include "sim/virtual/tls.h"

struct virtual_http;

struct virtual_http_config {
    struct sim_http_client_config client;
    struct virtual_tls_client tls; /* of every request that uses TLS */
    struct virtual_names *names;   /* faults of look-ups; NULL: none */
};

/* As sim_http_client_new. Must be freed before the world. */
struct virtual_http *virtual_http_new(const struct sim_world *world,
                                      const struct virtual_http_config *config,
                                      void (*deliver)(void *context, const struct ota_event *event),
                                      void *context);
void virtual_http_free(struct virtual_http *http); /* NULL is fine */
/* It is there as long as `http`. */
struct sim_http_client *virtual_http_client(struct virtual_http *http);

#endif

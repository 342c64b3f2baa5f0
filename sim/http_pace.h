/* How slow a transfer may be: one rule for both HTTP clients. A request that connected has to make
 * progress, and next to nothing is none. */
#ifndef NOBRICK_SIM_HTTP_PACE_H
#define NOBRICK_SIM_HTTP_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_http_pace {
    uint32_t connect_ms; /* until it is connected */
    uint32_t stall_ms;   /* without progress */
    uint64_t since;      /* bytes since there was some */
    uint64_t received;   /* bytes, ever: all requests */
};

/* 0 takes the default: 10 s to connect, 30 s without progress. */
void sim_http_pace_init(struct sim_http_pace *pace, uint32_t connect_ms, uint32_t stall_ms);

/* A request begins. Returns how many ms it has to its first progress, connecting included. */
uint32_t sim_http_pace_start(struct sim_http_pace *pace);

/* So many bytes arrived. Is that progress, so that stall_ms begin anew? */
bool sim_http_pace_note(struct sim_http_pace *pace, size_t length);

#endif

/* What lies below lwIP's MQTT client: a stream of ours, with the face of lwIP's altcp.
 *
 * lwIP's client has altcp_tls_wrap() put TLS over its connection whenever it is given a TLS
 * configuration. It always is, and gets this instead: the stream knows host, TLS and the look-up of
 * names itself. What comes is cut as the client needs it (mqtt_cut.h). */
#ifndef NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_PIPE_H
#define NOBRICK_SIM_CORTEXM_GUEST_NET_MQTT_PIPE_H

#include <lwip/altcp_tls.h>

#include <stdbool.h>
#include <stdint.h>

struct altcp_tls_config {
    const char *host;
    uint16_t port;
    bool tls;
    /* What came of it, filled in by the pipe. */
    int failure; /* to open; 0: none */
    const char *reason;
    uint64_t heard_ms; /* when something came from the broker last, … */
    uint64_t sent_ms;  /* … and when something went to it */
};

/* Sends bytes behind lwIP's back: a packet that it leaves out, when nothing of its own waits. */
void mqtt_pipe_send(struct altcp_pcb *pipe, const void *data, uint16_t size);

#endif

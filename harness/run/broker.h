/* A mosquitto of our own on a free port of 127.0.0.1, for as long as a run takes.
 *
 * It is a child in its own process group that the kernel kills when this process goes, however it
 * goes. Nothing is persisted. */
#ifndef NOBRICK_HARNESS_RUN_BROKER_H
#define NOBRICK_HARNESS_RUN_BROKER_H

#include "agent/ports.h"
#include "harness/run/daemon.h"

#include <sys/types.h>

struct nb_broker {
    pid_t pid; /* 0: not running */
    uint16_t port;
    uint16_t tls_port; /* 0: none */
};

#define NB_BROKER_WAITING 1000u /* what mosquitto keeps when nobody says more */

/* Starts it with its configuration and log in `dir`; with `tls`, not NULL, there is a second
 * listener. It keeps up to `waiting` messages for a slow client, 0: all, and drops the others.
 * OTA_E_UNSUPPORTED when there is no mosquitto (looked for in $NOBRICK_MOSQUITTO, or else on the
 * PATH and in sbin), OTA_E_IO when it does not start; with a one-line reason. */
OTA_MUST_CHECK int nb_broker_start(struct nb_broker *broker, const char *dir,
                                   const struct nb_daemon_tls *tls, unsigned waiting, char *reason,
                                   size_t reason_size);
void nb_broker_stop(struct nb_broker *broker);

#endif

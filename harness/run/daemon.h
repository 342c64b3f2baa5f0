/* A server program of somebody else's as our child on 127.0.0.1: found, started, waited for, ended.
 *
 * It runs in its own process group, and the kernel kills it when this process goes, however it
 * goes. Programs that drop rights or fork into the background would undo that: their configuration
 * must say not to. */
#ifndef NOBRICK_HARNESS_RUN_DAEMON_H
#define NOBRICK_HARNESS_RUN_DAEMON_H

#include "agent/ports.h"

#include <sys/types.h>

/* What a server shows and wants. PEM files. */
struct nb_daemon_tls {
    char ca[300];
    char cert[300];
    char key[300];
    bool mutual; /* clients must show a certificate signed by `ca` */
};

/* Looks for the program: the path in the environment variable, or else its name on the PATH and in
 * sbin. False when there is none that may be run. */
bool nb_daemon_find(const char *name, const char *variable, char *out, size_t size);

/* A port that is free now; somebody may take it before the program does. 0: none. */
uint16_t nb_daemon_free_port(void);

/* Starts it. Its errors go to the file `log`, its output too, or to the descriptor `output` when
 * that is not -1. The pid, or 0. */
pid_t nb_daemon_start(const char *program, const char *const *arguments, const char *log,
                      int output);

/* Waits until it answers on all ports (0: none). False when it ended instead (then *pid is 0), or
 * does not come up. */
bool nb_daemon_comes_up(pid_t *pid, const uint16_t *ports, size_t count);

void nb_daemon_stop(pid_t *pid);

#endif

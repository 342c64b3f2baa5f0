/* An nginx of our own on 127.0.0.1 that serves images as files, for scenarios that ask for a real
 * HTTP server. Its configuration and scratch root lie in a directory of the run. */
#ifndef NOBRICK_HARNESS_RUN_NGINX_H
#define NOBRICK_HARNESS_RUN_NGINX_H

#include "agent/ports.h"
#include "harness/run/daemon.h"
#include "sim/posix/loop.h"

#include <sys/types.h>

#define NB_NGINX_LINE 256

struct nb_nginx {
    pid_t pid; /* 0: not running */
    uint16_t port;
    uint16_t tls_port; /* 0: none */
    char root[300];    /* the served files */
    struct posix_loop *loop;
    void (*line)(void *context, const char *text);
    void *context;
    int log; /* read end of its access log; 0: none */
    char text[NB_NGINX_LINE];
    size_t length;
};

/* Starts it below `dir`, with a plain port and, unless `tls` is NULL, one with TLS. Each line of
 * its access log goes to `line` from `loop`: "nginx METHOD PATH RANGE STATUS BYTES", RANGE as asked
 * for or "-". OTA_E_UNSUPPORTED when there is no nginx (looked for in $NOBRICK_NGINX, or else on
 * the PATH and in sbin), OTA_E_IO when it does not start; with a one-line reason. */
OTA_MUST_CHECK int nb_nginx_start(struct nb_nginx *nginx, const char *dir,
                                  const struct nb_daemon_tls *tls, char *reason,
                                  size_t reason_size);

/* Serves these bytes at "/NAME" from now on; the file is there whole or not at all. NULL: it is
 * gone. OTA_E_IO when it cannot be written. */
OTA_MUST_CHECK int nb_nginx_serve(struct nb_nginx *nginx, const char *path, const void *data,
                                  size_t size);

void nb_nginx_stop(struct nb_nginx *nginx);

#endif

/* What the command lines of `nobrick cloud` have in common, whatever the system: how wrong words
 * are told, what the words of common options mean, and the HTTP server that they ask for. Private
 * to harness/cli. */
#ifndef NOBRICK_HARNESS_CLI_CLOUD_WORDS_H
#define NOBRICK_HARNESS_CLI_CLOUD_WORDS_H

#include "harness/peers/http_server.h"

/* One line on stderr, "WHAT[: VALUE]". 3: the exit code 2, and 1. */
int nb_cloud_usage(const char *what, const char *value);

/* A path that can stand in a URL as it is. */
bool nb_cloud_is_path(const char *text);

/* All below: 0, or the exit code + 1 after a line. */

/* `--log` (NULL: not given) and -v. */
int nb_cloud_log(const char *text, bool verbose, enum ota_log_level *out);
/* `--events` (NULL: not given): an open descriptor. */
int nb_cloud_events(const char *text, int *out);
/* `--updates` (NULL: not given, 0): after so many the verb ends. */
int nb_cloud_updates(const char *text, unsigned *out);

struct nb_cloud_listen {
    bool tls;
    char host[256];
    uint16_t port;    /* 0: any that is free */
    const char *cert; /* the server's, with TLS */
    const char *key;
    const char *client_ca; /* NULL: clients need no certificate */
};

/* `--listen`: [http[s]://]ADDR[:PORT]; `tls`: what it is when it does not say so. Certificates are
 * the caller's to fill in. */
int nb_cloud_listen(const char *text, bool tls, struct nb_cloud_listen *out);
/* Are those that it needs there, and no CA where there is no TLS? */
int nb_cloud_listen_files(const struct nb_cloud_listen *listen);
/* Devices cannot be sent to this address: it stands for all of them. */
bool nb_cloud_is_everywhere(const char *host);

/* The server; "listening http://HOST:PORT" into `line`, which has room for 300 characters. NULL
 * with a line on stderr. */
struct nb_http_server *nb_cloud_server(struct posix_loop *loop,
                                       const struct nb_cloud_listen *listen, char line[300]);

/* Writes an event line to `events` (-1: nobody wants them), and to stdout when `shown`. */
void nb_cloud_show(const char *line, int events, bool shown);

/* The verb for one system; the exit code. */
int nb_cloud_anycloud(int argc, char **argv);
int nb_cloud_harmony(int argc, char **argv);

#endif

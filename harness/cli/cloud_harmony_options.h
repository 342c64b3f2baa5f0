/* The options of `nobrick cloud --system harmony`. */
#ifndef NOBRICK_HARNESS_CLI_CLOUD_HARMONY_OPTIONS_H
#define NOBRICK_HARNESS_CLI_CLOUD_HARMONY_OPTIONS_H

#include "harness/cli/cloud_words.h"
#include "harness/peers/harmony_release.h"

#define CLOUD_FILE 512 /* a file's name on the command line, with its NUL */

struct cloud_harmony_options {
    struct harmony_plan plan; /* url is NULL where it follows from where the server listens */
    char names[HARMONY_RELEASE_IMAGES + HARMONY_RELEASE_BASES][CLOUD_FILE]; /* of its files */
    char url[CLOUD_FILE];                                                   /* of --url */
    const char *write; /* the directory; NULL: it serves */
    struct nb_cloud_listen listen;
    enum ota_log_level log;
    unsigned updates; /* 0: no end */
    int events_fd;    /* -1: none */
};

/* 0: go on; else the exit code + 1, after a message or the help. What `out` points to is its own,
 * or the caller's arguments: it must not be copied. */
OTA_MUST_CHECK int cloud_harmony_options_parse(int argc, char **argv,
                                               struct cloud_harmony_options *out);

#endif

/* The options of `nobrick cloud`: its own, and those of the original publisher script. */
#ifndef NOBRICK_HARNESS_CLI_CLOUD_OPTIONS_H
#define NOBRICK_HARNESS_CLI_CLOUD_OPTIONS_H

#include "harness/cli/cloud_words.h"
#include "harness/peers/anycloud_documents.h"
#include "sim/posix/mqtt.h"

struct cloud_options {
    const char *image;
    bool has_version;
    struct img_version version; /* else what the image says */
    const char *board;
    char prefix[128]; /* of topics, with its suffix */
    uint32_t chunk_size;
    /* MQTT */
    bool has_broker;
    struct posix_mqtt_config broker; /* with its TLS files */
    /* HTTP */
    bool listens;
    struct nb_cloud_listen listen;
    const char *job_path;
    /* what jobs say */
    enum anycloud_connection connection;
    bool has_data_server;
    char data_host[256];
    uint16_t data_port; /* 0: the usual one */
    const char *path;   /* of the image */
    /* running */
    enum ota_log_level log;
    unsigned updates; /* 0: no end */
    int events_fd;    /* -1: none */
};

/* 0: go on; else the exit code + 1, after a message or the help. The strings are the caller's
 * arguments. */
OTA_MUST_CHECK int cloud_options_parse(int argc, char **argv, struct cloud_options *out);

#endif
